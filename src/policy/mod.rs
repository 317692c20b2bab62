//! Rules, and the decision they lead to: pure functions over plain data.

pub mod decision;
pub mod principal;
pub mod rule;

pub use decision::{Decision, Denial, Obligations, OnRows, Permit, Place};
pub use principal::{Auth, Principal, PrincipalKind};
pub use rule::{
    AccountAuth, AccountRule, Domain, EndUserSource, LimitRule, ReadPosture, RuleSet, Sandbox, SecretRef,
    Subject, TokenRule,
};
