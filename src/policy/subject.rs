//! Whom a rule speaks of.

use std::num::NonZeroU64;

use super::rule::{Domain, RuleSet, Subject};
use super::{Obligations, OnRows, Principal, PrincipalKind};

/// Whether `subject` names `principal`, by name or by a group of its own or of the rules.
pub fn matches(subject: &Subject, principal: &Principal, rules: &RuleSet) -> bool {
    match subject {
        Subject::Everyone => true,
        Subject::Name(name) => names(name, principal, rules),
        Subject::Group(group) => {
            principal.groups.contains(group)
                || rules
                    .groups
                    .get(group)
                    .is_some_and(|members| members.iter().any(|name| names(name, principal, rules)))
        }
    }
}

/// A token that claims an account's name is not that account.
fn names(name: &str, principal: &Principal, rules: &RuleSet) -> bool {
    name == principal.name
        && match principal.kind {
            PrincipalKind::Service => rules.accounts.contains_key(name),
            PrincipalKind::Person => !rules.accounts.contains_key(name),
        }
}

pub(super) fn is_steward(domain: &Domain, principal: &Principal, rules: &RuleSet) -> bool {
    domain.stewards.iter().any(|(subject, _)| matches(subject, principal, rules))
}

pub(super) fn is_member(domain: &Domain, principal: &Principal, rules: &RuleSet) -> bool {
    domain
        .sandbox
        .as_ref()
        .is_some_and(|sandbox| sandbox.members.iter().any(|subject| matches(subject, principal, rules)))
}

/// What `principal`'s statements must respect: the first limit that matches speaks.
pub fn obligations(principal: &Principal, rules: &RuleSet) -> Obligations {
    rules
        .limits
        .iter()
        .find(|limit| matches(&limit.subject, principal, rules))
        .map(|limit| limit.obligations.clone())
        .unwrap_or_else(built_in)
}

/// For rules without a line for everyone; checked rules have one.
fn built_in() -> Obligations {
    Obligations {
        rows: NonZeroU64::new(10_000),
        on_rows: OnRows::Truncate,
        bytes: NonZeroU64::new(100_000_000),
        cost: Some(10_000_000.0),
        seconds: NonZeroU64::new(60),
        concurrent: NonZeroU64::new(2),
        place: None,
    }
}
