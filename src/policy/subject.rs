//! Whom a rule speaks of.

use super::rule::{Domain, RuleSet, Subject};
use super::{Obligations, Principal};

/// Whether `subject` names `principal`, by name or by a group of its own or of the rules.
pub fn matches(subject: &Subject, principal: &Principal, rules: &RuleSet) -> bool {
    match subject {
        Subject::Everyone => true,
        Subject::Name(name) => *name == principal.name,
        Subject::Group(group) => {
            principal.groups.contains(group)
                || rules.groups.get(group).is_some_and(|members| members.contains(&principal.name))
        }
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
        .unwrap_or_default()
}
