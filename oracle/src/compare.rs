//! Tollgate's facts held against the second opinion.

use std::collections::BTreeSet;

use tollgate::sql::{Class, Scope, ScopeBounds, Statement, TextBounds, understand};

use crate::names::{DATABASE, LOGIN, Place, SCHEMA};
use crate::opinion::{Opinion, Reading, opinions};

/// What came of asking both about one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Agreed,
    /// Tollgate does not let it pass, for this reason.
    Refused(String),
    /// Understood by Tollgate, not parsed by PostgreSQL for this reason.
    OtherDialect(String),
    Disagreed(Disagreement),
}

/// Tollgate lets pass what the second opinion sees otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    pub what: String,
    pub tollgate: String,
    pub oracle: String,
}

/// Asks both about a text.
pub fn compare(text: &str) -> Outcome {
    let understood = match tollgate(text) {
        Ok(statements) => statements,
        Err(reason) => return Outcome::Refused(reason),
    };
    let standard = match opinions(text, Reading::Standard) {
        Ok(opinions) => opinions,
        Err(reason) => return Outcome::OtherDialect(reason),
    };
    if let Some(disagreement) = disagreement(&understood, &standard) {
        return Outcome::Disagreed(disagreement);
    }
    // What one of the servers does not parse, it does not run.
    let escapes = text.contains('\\').then(|| opinions(text, Reading::Escapes)).and_then(Result::ok);
    match escapes.and_then(|opinions| disagreement(&understood, &opinions)) {
        Some(disagreement) => Outcome::Disagreed(disagreement),
        None => Outcome::Agreed,
    }
}

fn disagreement(understood: &[Statement], opinions: &[Opinion]) -> Option<Disagreement> {
    let what = differences(understood, opinions)?;
    Some(Disagreement {
        what,
        tollgate: understood.iter().map(show_facts).collect::<Vec<_>>().join(" | "),
        oracle: opinions.iter().map(show_opinion).collect::<Vec<_>>().join(" | "),
    })
}

/// What Tollgate understands, or why the text is refused as not understood.
pub fn tollgate(text: &str) -> Result<Vec<Statement>, String> {
    let bounds =
        ScopeBounds { prepared_max: 20, cursors_max: 20, temp_relations_max: 50, savepoints_max: 20 };
    let scope = Scope::new(LOGIN, DATABASE, &[SCHEMA.to_owned()], bounds);
    let bounds = TextBounds::default();
    let statements = understand(text, &scope, &bounds).map_err(|error| error.reason)?;
    for statement in &statements {
        if let Some(doubt) = statement.facts.doubts.first() {
            return Err(doubt.clone());
        }
        if statement.facts.class == Class::Unknown {
            return Err("unknown".to_owned());
        }
    }
    Ok(statements)
}

fn differences(understood: &[Statement], opinions: &[Opinion]) -> Option<String> {
    if understood.len() != opinions.len() {
        return Some(format!("{} statements, not {}", understood.len(), opinions.len()));
    }
    understood.iter().zip(opinions).find_map(|(statement, opinion)| difference(statement, opinion))
}

fn difference(statement: &Statement, opinion: &Opinion) -> Option<String> {
    let facts = &statement.facts;
    if facts.class < opinion.class {
        return Some(format!("class {}, not {}", facts.class.as_str(), opinion.class.as_str()));
    }
    let touched: BTreeSet<String> =
        facts.targets().into_iter().chain(&facts.locks).map(|name| name.to_string().to_lowercase()).collect();
    if let Some(place) = opinion.touches.iter().find(|place| !holds(&touched, place)) {
        return Some(format!("{place} is not named among what is changed"));
    }
    let mut known = touched;
    known.extend(facts.reads.iter().map(|name| name.to_string().to_lowercase()));
    if let Some(place) = opinion.reads.iter().find(|place| !holds(&known, place)) {
        return Some(format!("{place} is not named among what is read"));
    }
    let set: BTreeSet<_> = facts.session.iter().map(|change| change.setting.to_lowercase()).collect();
    if let Some(setting) = opinion.settings.difference(&set).next() {
        return Some(format!("setting {setting} is not named"));
    }
    let called: BTreeSet<_> = facts.functions.iter().map(|name| last_part(name).to_lowercase()).collect();
    let missed = opinion.functions.iter().find(|name| !called.contains(last_part(name)));
    missed.map(|name| format!("function {name} is not named"))
}

fn holds(known: &BTreeSet<String>, place: &Place) -> bool {
    match place {
        Place::Relation(name) => known.contains(name),
        Place::InSchema(schema) => known.iter().any(|name| {
            name.rsplit_once('.').is_some_and(|(home, _)| home == schema)
                || name.starts_with(&format!("{schema}."))
        }),
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

fn show_facts(statement: &Statement) -> String {
    let facts = &statement.facts;
    let targets = facts.targets().into_iter().chain(&facts.locks).map(ToString::to_string);
    let reads = facts.reads.iter().map(ToString::to_string);
    let functions = facts.functions.iter().cloned();
    show(facts.class, targets.collect(), reads.collect(), functions.collect())
}

fn show_opinion(opinion: &Opinion) -> String {
    let touches = opinion.touches.iter().map(ToString::to_string);
    let reads = opinion.reads.iter().map(ToString::to_string);
    let functions = opinion.functions.iter().cloned();
    show(opinion.class, touches.collect(), reads.collect(), functions.collect())
}

fn show(class: Class, touches: Vec<String>, reads: Vec<String>, functions: Vec<String>) -> String {
    let mut parts = vec![class.as_str().to_owned()];
    for (word, names) in [("changes", touches), ("reads", reads), ("calls", functions)] {
        if !names.is_empty() {
            parts.push(format!("{word} {}", names.join(" ")));
        }
    }
    parts.join(", ")
}
