//! Refusals in words: what, why, which rule, what to do instead.

use super::decide::Objection;
use super::rule::{Domain, RuleSet};
use super::settings::Fixed;
use super::subject::is_member;
use super::{Place, Principal};
use crate::refusal::{Code, Refusal};
use crate::sql::{Facts, NotUnderstood, Relation};

/// `INSERT INTO orders.daily`: the command with what it would change.
fn deed(facts: &Facts, target: &Relation) -> String {
    let link = match facts.command.as_str() {
        "INSERT" | "MERGE" => "INTO ",
        "DELETE" => "FROM ",
        _ => "",
    };
    let command = &facts.command;
    if target.name == "*" {
        format!("{command} {}", target.schema)
    } else {
        format!("{command} {link}{target}")
    }
}

/// Where the principal may write instead.
fn own_sandboxes(principal: &Principal, rules: &RuleSet) -> Vec<String> {
    rules
        .domains
        .iter()
        .filter(|domain| is_member(domain, principal, rules))
        .filter_map(|domain| domain.sandbox.as_ref())
        .map(|sandbox| sandbox.schema.clone())
        .collect()
}

/// `Write to sandbox_orders, or ask for the change: https://…`
fn instead(principal: &Principal, rules: &RuleSet, owner: Option<&Domain>) -> String {
    let sandboxes = own_sandboxes(principal, rules);
    let ask = match owner.and_then(|domain| domain.ticket.as_deref().or(domain.owner.as_deref())) {
        Some(ticket) => format!("ask for the change: {ticket}"),
        None => "ask the data team for the change".to_owned(),
    };
    if sandboxes.is_empty() {
        let mut ask = ask;
        if let Some(first) = ask.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        return ask;
    }
    format!("Write to {}, or {ask}", sandboxes.join(" or "))
}

const PLAINER: &str =
    "Write it in plain Redshift SQL, one statement at a time; if it is valid, tell the data team";

pub(super) fn not_understood(why: &str) -> Objection {
    Objection {
        code: Code::NotUnderstood,
        rule: None,
        reason: format!("this statement is not understood: {why}"),
        hint: PLAINER.to_owned(),
    }
}

/// Of a text that has no facts to decide by.
pub fn unread(text: &str, fault: &NotUnderstood) -> Refusal {
    Refusal::by(Code::NotUnderstood, fault.told(text)).with_hint(PLAINER).with_position(fault.position(text))
}

pub(super) fn unaimed(command: &str) -> Objection {
    Objection {
        code: Code::UnlistedWrite,
        rule: None,
        reason: format!("{command} without a table's name reaches every schema, which is not allowed"),
        hint: format!("Name the tables of your own sandbox: {command} schema.table"),
    }
}

pub(super) fn beyond(command: &str, kind: &str) -> Objection {
    Objection {
        code: Code::UnlistedWrite,
        rule: None,
        reason: format!("{command} is not allowed: a {kind} lies in no schema, so no rule can free it"),
        hint: "Ask the data team for the change".to_owned(),
    }
}

pub(super) fn privilege(command: &str) -> Objection {
    Objection {
        code: Code::PrivilegeChange,
        rule: None,
        reason: format!("changing privileges, roles or identity is not allowed ({command})"),
        hint: "Rights are kept in the rule files; ask the data team for a change there".to_owned(),
    }
}

pub(super) fn call(facts: &Facts) -> Objection {
    let names: Vec<&str> = facts.functions.iter().map(String::as_str).collect();
    Objection {
        code: Code::RestrictedFunction,
        rule: None,
        reason: format!("running procedures is not allowed ({} {})", facts.command, names.join(", ")),
        hint: "Its body cannot be checked. The data team can allow it by name: `procedures: { allow: […] }`"
            .to_owned(),
    }
}

pub(super) fn egress(facts: &Facts) -> Objection {
    let place = facts.egress.first().map(|egress| egress.place.as_str()).unwrap_or_default();
    Objection {
        code: Code::Egress,
        rule: None,
        reason: format!(
            "moving data across the warehouse's border is not allowed ({} {place})",
            facts.command
        ),
        hint: "Read the rows as a result, or ask the data team for an export".to_owned(),
    }
}

pub(super) fn function(name: &str, why: &str, rule: Option<Place>) -> Objection {
    Objection {
        code: Code::RestrictedFunction,
        rule,
        reason: format!("calling {name}() is not allowed: {why}"),
        hint: "The data team can allow a function by name: `functions: { allow: […] }`".to_owned(),
    }
}

/// Rows are changed in tables alone.
pub fn through_view(view: impl std::fmt::Display) -> Refusal {
    let text = format!("changing rows through {view} is not allowed: it is no table");
    Refusal::by(Code::UnlistedWrite, text).with_hint("Name the table itself; views may lead to other schemas")
}

/// The denial of what depends on a dropped relation, told of the statement that would take it along.
pub(super) fn dependent(
    facts: &Facts,
    dropped: &Relation,
    dependent: &Relation,
    own: Objection,
) -> Objection {
    let dropped = if dropped.name == "*" { dropped.schema.clone() } else { dropped.to_string() };
    let deed = if facts.command.starts_with("DROP") { "drop" } else { "change" };
    Objection {
        reason: format!("{} {dropped} CASCADE would {deed} {dependent}, which is not yours", facts.command),
        hint: "Leave CASCADE out, or ask the owner of what depends on it".to_owned(),
        ..own
    }
}

pub(super) fn cascade(facts: &Facts, dropped: &Relation, rule: Option<Place>) -> Objection {
    Objection {
        code: Code::UnlistedWrite,
        rule,
        reason: format!(
            "{} {dropped} CASCADE is not allowed: what depends on it is not known",
            facts.command
        ),
        hint: "Leave CASCADE out, and drop by name what depends on it".to_owned(),
    }
}

pub(super) fn signal(process: i32) -> Objection {
    Objection {
        code: Code::RestrictedFunction,
        rule: None,
        reason: format!("ending or cancelling {process} is not allowed: it is no session of yours"),
        hint: "Your own sessions can be ended, by the number that pg_backend_pid() gives in them".to_owned(),
    }
}

pub(super) fn session(fixed: &Fixed) -> Objection {
    Objection {
        code: Code::SessionChange,
        rule: None,
        reason: format!("this change of the session is not allowed: {}", fixed.why),
        hint: fixed.hint.to_owned(),
    }
}

pub(super) fn official(
    facts: &Facts,
    target: &Relation,
    domain: &Domain,
    place: &Place,
    principal: &Principal,
    rules: &RuleSet,
) -> Objection {
    Objection {
        code: Code::OfficialWrite,
        rule: Some(place.clone()),
        reason: format!(
            "writing to official schema \"{}\" is not allowed ({})",
            target.schema,
            deed(facts, target)
        ),
        hint: instead(principal, rules, Some(domain)),
    }
}

pub(super) fn foreign(
    facts: &Facts,
    target: &Relation,
    domain: &Domain,
    principal: &Principal,
    rules: &RuleSet,
) -> Objection {
    Objection {
        code: Code::SandboxForeign,
        rule: domain.sandbox.as_ref().map(|sandbox| sandbox.place.clone()),
        reason: format!(
            "writing to sandbox \"{}\" is for the team of {} ({})",
            target.schema,
            domain.name,
            deed(facts, target)
        ),
        hint: instead(principal, rules, Some(domain)),
    }
}

pub(super) fn sandbox_itself(facts: &Facts, target: &Relation, domain: &Domain) -> Objection {
    Objection {
        code: Code::UnlistedWrite,
        rule: domain.sandbox.as_ref().map(|sandbox| sandbox.place.clone()),
        reason: format!(
            "the sandbox \"{}\" itself is the data team's ({})",
            target.schema,
            deed(facts, target)
        ),
        hint: "Create, change and drop tables and views in it instead".to_owned(),
    }
}

pub(super) fn unlisted(
    facts: &Facts,
    target: &Relation,
    principal: &Principal,
    rules: &RuleSet,
) -> Objection {
    let schema = match &target.database {
        Some(database) => format!("{database}.{}", target.schema),
        None => target.schema.clone(),
    };
    Objection {
        code: Code::UnlistedWrite,
        rule: None,
        reason: format!("no rule allows writing to schema \"{schema}\" ({})", deed(facts, target)),
        hint: instead(principal, rules, None),
    }
}

pub(super) fn read(read: &Relation, rules: &RuleSet) -> Objection {
    let owner = rules.domain_of(&read.schema).and_then(|domain| domain.ticket.as_deref());
    Objection {
        code: Code::RestrictedRead,
        rule: Some(rules.posture_place.clone()),
        reason: format!("reading {read} is not allowed"),
        hint: match owner {
            Some(ticket) => format!("Ask its owner for access: {ticket}"),
            None => "Ask the data team for access".to_owned(),
        },
    }
}
