//! Functions with effects that a statement tells in full: `set_config` of literals is a SET,
//! `pg_cancel_backend` of a literal process ends that process's statement and no other.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value};

use super::lex::{Kind, Token};
use super::{Class, Facts, SessionChange};

/// Settings on which the meaning of what follows hangs: a call may run never, later or twice.
const MEANING: [&str; 4] = ["search_path", "role", "session_authorization", "standard_conforming_strings"];

/// What the calls of one statement do, kept until it is known that none was missed.
#[derive(Debug, Default)]
pub(super) struct Effects {
    told: Vec<(String, Effect)>,
}

#[derive(Debug)]
enum Effect {
    Set(SessionChange),
    Signal(i32),
}

fn bare(name: &str) -> &str {
    name.strip_prefix("pg_catalog.").unwrap_or(name)
}

/// Whether the arguments of this function are looked at.
pub(super) fn is_followed(name: &str) -> bool {
    matches!(bare(name), "set_config" | "pg_cancel_backend" | "pg_terminate_backend")
}

impl Effects {
    /// Notes what a call does, where its arguments say it.
    pub(super) fn call(&mut self, name: &str, function: &Function) {
        if !is_followed(name) || function.over.is_some() || function.filter.is_some() {
            return;
        }
        let Some(arguments) = arguments(function) else { return };
        let effect = match (bare(name), arguments.as_slice()) {
            ("set_config", [setting, value, local]) => change(setting, value, local).map(Effect::Set),
            ("pg_cancel_backend", [process]) => signal(process).map(Effect::Signal),
            ("pg_terminate_backend", [process] | [process, _]) => signal(process).map(Effect::Signal),
            _ => None,
        };
        self.told.extend(effect.map(|effect| (name.to_owned(), effect)));
    }

    /// Adds the effects to the facts, if the text holds no other call of these functions.
    pub(super) fn settle(self, tokens: &[Token], facts: &mut Facts) {
        let called = tokens.windows(2).filter(|pair| match pair {
            [Token { kind: Kind::Word { value, .. }, .. }, next] => {
                is_followed(&value.to_ascii_lowercase()) && next.is_mark('(')
            }
            _ => false,
        });
        if self.told.is_empty() || called.count() != self.told.len() {
            return;
        }
        for (name, effect) in self.told {
            facts.settled.insert(name);
            match effect {
                Effect::Set(change) => {
                    facts.class = facts.class.max(Class::Session);
                    facts.session.push(change);
                }
                Effect::Signal(process) => {
                    facts.class = facts.class.max(Class::Maintenance);
                    facts.signals.insert(process);
                }
            }
        }
    }
}

fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let plain =
        |argument: &'_ FunctionArg| matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(_)));
    if !list.args.iter().all(plain) {
        return None;
    }
    let exprs = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    Some(exprs.collect())
}

/// A literal that every server reads alike.
fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) if !text.contains('\\') => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// A parameter by its place (`$1`): no value that a check of values lets pass.
fn parameter(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(place) => Some(place),
            _ => None,
        },
        _ => None,
    }
}

fn change(setting: &Expr, value: &Expr, local: &Expr) -> Option<SessionChange> {
    let setting = text(setting)?.to_ascii_lowercase();
    let value = match parameter(value) {
        // Whoever is behind a session is told by texts that can be read.
        Some(_) if setting.starts_with("app_context.") => return None,
        Some(place) => place,
        None => text(value)?,
    };
    let Expr::Value(local) = local else { return None };
    let Value::Boolean(local) = local.value else { return None };
    (!MEANING.contains(&setting.as_str())).then(|| SessionChange {
        setting,
        values: vec![value.to_owned()],
        local,
    })
}

fn signal(process: &Expr) -> Option<i32> {
    match process {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, false) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
