//! What only shows when all rule files are read together.

use std::collections::BTreeMap;

use super::Place;
use super::rule::{RuleSet, Subject};
use super::settings::PINNED;
use crate::document::Problems;
use crate::sql::{FunctionRisk, risk};

/// Schemas that belong to the server: no domain can own them.
pub(super) fn is_system(schema: &str) -> bool {
    schema == "information_schema" || schema == "catalog_history" || schema.starts_with("pg_")
}

/// Tells what is wrong between the files.
pub(super) fn across(rules: &RuleSet, problems: &mut Problems) {
    schemas(rules, problems);
    stewards(rules, problems);
    limits(rules, problems);
    allowed(rules, problems);
    subjects(rules, problems);
    let mut names: BTreeMap<&str, &Place> = BTreeMap::new();
    for domain in &rules.domains {
        if let Some(first) = names.insert(&domain.name, &domain.place) {
            problems.tell(&domain.place, domain.name.clone(), format!("this domain stands at {first} too"));
        }
    }
}

/// What no rule can free, and names that could mean anyone's.
fn allowed(rules: &RuleSet, problems: &mut Problems) {
    for (name, listed) in &rules.settings_allowed {
        if PINNED.contains(&name.as_str()) {
            problems.tell(
                &listed.place,
                name.clone(),
                "this setting is held by the gate and cannot be freed",
            );
        }
    }
    for (name, listed) in &rules.functions_allowed {
        if name.rsplit('.').next() == Some("set_config") {
            problems.tell(&listed.place, name.clone(), "it changes settings where they cannot be followed");
        } else if !name.contains('.') && risk(name) == FunctionRisk::Unknown {
            problems.tell_mend(
                &listed.place,
                name.clone(),
                "any schema may hold it",
                "write `schema.function`",
            );
        }
    }
    for (name, listed) in &rules.procedures_allowed {
        if !name.contains('.') {
            problems.tell_mend(
                &listed.place,
                name.clone(),
                "any schema may hold it",
                "write `schema.procedure`",
            );
        }
    }
}

/// A subject that names nobody.
fn subjects(rules: &RuleSet, problems: &mut Problems) {
    let limits =
        rules.limits.iter().filter_map(|limit| Some((&limit.subject, limit.obligations.place.as_ref()?)));
    let stewards =
        rules.domains.iter().flat_map(|domain| domain.stewards.iter().map(|(who, place)| (who, place)));
    let sandboxes = rules.domains.iter().filter_map(|domain| domain.sandbox.as_ref());
    let members = sandboxes.flat_map(|sandbox| sandbox.members.iter().map(|who| (who, &sandbox.place)));
    for (subject, place) in limits.chain(stewards).chain(members) {
        match subject {
            Subject::Everyone => {}
            Subject::Group(name) | Subject::Name(name) => {
                if name.trim().is_empty() {
                    problems.tell(place, name.clone(), "nobody is named here");
                }
            }
        }
    }
}

/// Each schema has one owner.
fn schemas(rules: &RuleSet, problems: &mut Problems) {
    let mut owners: BTreeMap<&str, &Place> = BTreeMap::new();
    for domain in &rules.domains {
        let official = domain.official.iter().map(|(name, place)| (name, place));
        let sandbox = domain.sandbox.iter().map(|sandbox| (&sandbox.schema, &sandbox.place));
        for (schema, place) in official.chain(sandbox) {
            if is_system(schema) || schema == "temp" {
                problems.tell(place, schema.clone(), "no domain can own a schema of the server");
            }
            if let Some(first) = owners.insert(schema, place) {
                problems.tell(place, schema.clone(), format!("this schema has an owner already, at {first}"));
            }
        }
    }
}

fn stewards(rules: &RuleSet, problems: &mut Problems) {
    for domain in &rules.domains {
        for (subject, place) in &domain.stewards {
            match subject {
                Subject::Name(name) if !name.contains('@') && !rules.accounts.contains_key(name) => {
                    let mend = "name an account of company.yaml, `group:NAME`, or a person by e-mail";
                    problems.tell_mend(place, name.clone(), "no such account", mend);
                }
                Subject::Everyone => {
                    problems.tell(place, "everyone", "official schemas are not written by everyone");
                }
                Subject::Name(_) | Subject::Group(_) => {}
            }
        }
    }
}

/// The last limit speaks for everyone, so that nobody is without one.
fn limits(rules: &RuleSet, problems: &mut Problems) {
    let everyone = rules.limits.iter().position(|limit| limit.subject == Subject::Everyone);
    match everyone {
        None => {
            problems.tell_mend(
                &rules.posture_place,
                "limits",
                "some principals have no limits",
                "end the list with a line `for: everyone`",
            );
        }
        Some(at) => {
            for limit in rules.limits.iter().skip(at + 1) {
                if let Some(place) = &limit.obligations.place {
                    problems.tell(
                        place,
                        "limits",
                        "this line never speaks: the one for everyone stands before it",
                    );
                }
            }
        }
    }
}
