//! Rules, and the decision they lead to: pure functions over plain data.

mod basis;
mod check;
mod decide;
pub mod decision;
mod evidence;
mod explain;
mod parse;
pub mod principal;
pub mod rule;
mod settings;
mod subject;
#[cfg(test)]
mod tests;

pub use crate::document::Problem;
pub use basis::Basis;
pub use decide::decide;
pub use decision::{Decision, Denial, Obligations, OnRows, Permit, Place};
pub use explain::{through_view, unread};
pub use parse::{RuleFile, parse, size, subject as parse_subject};
pub use principal::{Auth, Principal, PrincipalKind};
pub use rule::{
    AccountAuth, AccountRule, Domain, EndUserSource, FunctionDefault, LimitRule, Listed, ReadPosture,
    RuleSet, Sandbox, SecretRef, Subject, TokenRule,
};
pub use subject::{matches, obligations};
