//! The tree checked against the tokens it was read from: what it may have read too mildly.

use std::collections::BTreeSet;

use super::functions::{FunctionRisk, risk};
use super::letters::fold;
use super::lex::{Kind, Token};
use super::names::doubt;
use super::{Facts, NotUnderstood};

/// The tree must hold as many changes as the text has words that begin one, and as many INTO.
pub(super) fn check_changes(tokens: &[Token], changes: usize, intos: usize) -> Result<(), NotUnderstood> {
    let mut begun = 0;
    let mut into = 0;
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let refuse = |reason: &str| Err(NotUnderstood { reason: reason.to_owned(), offset: token.start });
        match token.keyword() {
            Some("insert" | "update" | "delete" | "merge") => {
                let opens = before.is_none_or(|before| before.is_mark('(') || before.is_mark(')'));
                let named =
                    tokens.get(at + 1).is_none_or(|next| matches!(next.kind, Kind::Mark(_) | Kind::Op(_)));
                begun += usize::from(opens && !named);
            }
            Some("into") => {
                let named =
                    before.is_some_and(|before| before.is_mark('.') || before.keyword() == Some("as"));
                into += usize::from(!named);
                if into > intos {
                    return refuse("INTO that was not understood");
                }
            }
            _ => {}
        }
        if begun > changes {
            return refuse("a change inside the statement that was not understood");
        }
    }
    Ok(())
}

/// Words that stand before a bracket without being called.
const BEFORE_BRACKETS: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "between",
    "by",
    "case",
    "conflict",
    "cube",
    "distinct",
    "else",
    "except",
    "exclude",
    "exists",
    "filter",
    "for",
    "from",
    "group",
    "having",
    "in",
    "insert",
    "intersect",
    "into",
    "is",
    "join",
    "lateral",
    "like",
    "limit",
    "materialized",
    "minus",
    "not",
    "offset",
    "on",
    "only",
    "or",
    "over",
    "pivot",
    "qualify",
    "returning",
    "rollup",
    "select",
    "set",
    "sets",
    "some",
    "then",
    "top",
    "union",
    "unpivot",
    "using",
    "values",
    "when",
    "where",
    "with",
    "within",
    "table",
    "ilike",
    "similar",
    "to",
    "row",
    "key",
    "operator",
    "references",
    "check",
    "unique",
    "primary",
    "default",
    "identity",
    "generated",
    "stored",
    "always",
    "interleaved",
    "compound",
    "sortkey",
    "distkey",
    "include",
    "bernoulli",
    "nulls",
    "system",
    "range",
    "list",
    "hash",
    "options",
    "properties",
];

/// Words of types that take a bracket.
const TYPES: &[&str] = &[
    "bit",
    "bpchar",
    "char",
    "character",
    "decimal",
    "float",
    "interval",
    "numeric",
    "nvarchar",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "varbinary",
    "varbyte",
    "varchar",
    "varying",
    "nchar",
    "number",
    "precision",
];

/// Adds every function that a definition calls, which no tree tells.
pub(super) fn add_calls(tokens: &[Token], listed: &BTreeSet<String>, facts: &mut Facts) {
    add_missed_calls(tokens, listed, facts);
    for pair in tokens.windows(2) {
        let [Token { kind: Kind::Word { value, .. }, .. }, next] = pair else { continue };
        let value = fold(value);
        let named = BEFORE_BRACKETS.contains(&value.as_str())
            || TYPES.contains(&value.as_str())
            || listed.contains(&value);
        if next.is_mark('(') && !named {
            facts.functions.insert(value);
        }
    }
}

/// Adds what stands before a bracket and is neither a name of the tree nor harmless: the tree may
/// have read a call as something else.
pub(super) fn add_missed_calls(tokens: &[Token], listed: &BTreeSet<String>, facts: &mut Facts) {
    doubt_operators(tokens, facts);
    for (at, pair) in tokens.windows(2).enumerate() {
        let [Token { kind: Kind::Word { value, quoted }, .. }, next] = pair else { continue };
        if !next.is_mark('(') {
            add_notation(tokens, at, facts);
            continue;
        }
        let name = qualified(tokens, at);
        let bare = fold(value);
        let skipped = (!quoted && BEFORE_BRACKETS.contains(&bare.as_str())) || listed.contains(&bare);
        if (skipped && name == bare) || risk(&name) == FunctionRisk::Harmless {
            continue;
        }
        if value.contains('.') {
            doubt(facts, "a function's name with a dot inside");
        }
        let table = listed.contains(&bare) && name != bare;
        let known = facts.functions.iter().any(|own| *own == name || own.rsplit('.').next() == Some(&name));
        if !known && !table {
            facts.functions.insert(name);
        }
    }
    if let Some(last) = tokens.len().checked_sub(1) {
        add_notation(tokens, last, facts);
    }
}

/// The name that ends at `at`, with what stands before its dots.
fn qualified(tokens: &[Token], at: usize) -> String {
    let word = |at: usize| match tokens.get(at).map(|token| &token.kind) {
        Some(Kind::Word { value, .. }) => Some(fold(value)),
        _ => None,
    };
    let mut parts = vec![word(at).unwrap_or_default()];
    let mut start = at;
    while let Some(before) = start.checked_sub(2)
        && tokens.get(start - 1).is_some_and(|dot| dot.is_mark('.'))
        && let Some(part) = word(before)
    {
        parts.insert(0, part);
        start = before;
    }
    parts.join(".")
}

/// `x.f` is `f(x)` where no such field or column is: a call if the name is known to act.
fn add_notation(tokens: &[Token], at: usize, facts: &mut Facts) {
    let dotted = at.checked_sub(1).and_then(|at| tokens.get(at)).is_some_and(|dot| dot.is_mark('.'));
    if let Some(Kind::Word { value, .. }) = tokens.get(at).map(|token| &token.kind)
        && dotted
        && matches!(risk(&fold(value)), FunctionRisk::Effect(_))
    {
        facts.functions.insert(fold(value));
    }
}

/// `OPERATOR(schema.+)` calls a function of that schema's owner.
fn doubt_operators(tokens: &[Token], facts: &mut Facts) {
    for (at, token) in tokens.iter().enumerate() {
        let mut behind = tokens.iter().skip(at + 1);
        if token.keyword() != Some("operator") || !behind.next().is_some_and(|next| next.is_mark('(')) {
            continue;
        }
        let named = behind.next();
        let built_in = match named.map(|token| &token.kind) {
            Some(Kind::Op(_)) => true,
            Some(Kind::Word { value, .. }) => {
                value == "pg_catalog"
                    && behind.next().is_some_and(|dot| dot.is_mark('.'))
                    && behind.next().is_some_and(|op| matches!(op.kind, Kind::Op(_)))
            }
            _ => false,
        };
        if !built_in {
            doubt(facts, "an operator of a schema's own");
        }
    }
}
