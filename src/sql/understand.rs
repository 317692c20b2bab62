//! From a text to its statements' facts.

use std::sync::Arc;

use super::commands;
use super::fingerprint::of_tokens;
use super::lex::{Token, lex};
use super::names::{add_bases, add_charged, add_overloads};
use super::parse::parse;
use super::scope::Scope;
use super::split::{TextBounds, split};
use super::walk::walk;
use super::{Facts, NotUnderstood, Statement};

/// Texts inside texts: UNLOAD's query, a prepared statement's text.
const INNER_MAX: usize = 3;

/// What a statement's understanding leans on.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) text: &'a str,
    pub(super) scope: &'a Scope,
    pub(super) bounds: &'a TextBounds,
    inner: usize,
}

/// The statements of a text in order, each under the scope as left by the ones before it.
///
/// An empty text has no statements. One statement that is not understood refuses the whole text.
pub fn understand(text: &str, scope: &Scope, bounds: &TextBounds) -> Result<Vec<Statement>, NotUnderstood> {
    understand_inner(text, scope, bounds, 0)
}

fn understand_inner(
    text: &str,
    scope: &Scope,
    bounds: &TextBounds,
    inner: usize,
) -> Result<Vec<Statement>, NotUnderstood> {
    if text.len() > bounds.bytes_max {
        let reason = format!("a text over {} bytes", bounds.bytes_max);
        return Err(NotUnderstood { reason, offset: bounds.bytes_max });
    }
    let tokens = lex(text)?;
    let parts = split(&tokens, bounds)?;
    let mut scope = scope.clone();
    let mut statements = Vec::with_capacity(parts.len());
    for part in parts {
        let context = Context { text, scope: &scope, bounds, inner };
        let mut facts = facts_of(part, &context)?;
        add_bases(&mut facts, context.scope);
        add_overloads(part, &mut facts, context.scope);
        add_charged(part, &mut facts, context.scope);
        let offset = part.first().map_or(0, |token| token.start);
        scope.apply(&facts).map_err(|full| NotUnderstood { reason: full.to_string(), offset })?;
        statements.push(Statement {
            text: own_text(text, &tokens, part),
            facts: Arc::new(facts),
            fingerprint: of_tokens(part).into(),
        });
    }
    Ok(statements)
}

/// The statement's text with the comments that stand before it.
fn own_text(text: &str, tokens: &[Token], part: &[Token]) -> Arc<str> {
    let (start, end) = match (part.first(), part.last()) {
        (Some(first), Some(last)) => (first.start, last.end),
        _ => (0, 0),
    };
    let behind = tokens.partition_point(|token| token.start < start);
    let opens = behind.checked_sub(1).and_then(|at| tokens.get(at)).map_or(0, |semicolon| semicolon.end);
    let own = text.get(opens..end).unwrap_or_default();
    Arc::from(own.trim_matches([' ', '\t', '\r', '\n', '\u{b}', '\u{c}']))
}

/// The facts of one statement's tokens.
pub(super) fn facts_of(tokens: &[Token], context: &Context<'_>) -> Result<Facts, NotUnderstood> {
    match commands::read(tokens, context)? {
        Some(facts) => Ok(facts),
        None => query(tokens, context),
    }
}

/// The facts of a query or data-modifying statement.
pub(super) fn query(tokens: &[Token], context: &Context<'_>) -> Result<Facts, NotUnderstood> {
    let tree = parse(tokens, context.bounds)?;
    walk(&tree, tokens, context.scope)
}

/// The facts of the one statement inside another's literal or a prepared statement's text.
pub(super) fn inner_text(text: &str, context: &Context<'_>, offset: usize) -> Result<Facts, NotUnderstood> {
    let refuse = |reason: String| NotUnderstood { reason, offset };
    if context.inner >= INNER_MAX {
        return Err(refuse("statements inside statements, too deep".to_owned()));
    }
    let mut statements = understand_inner(text, context.scope, context.bounds, context.inner + 1)
        .map_err(|inner| refuse(format!("inside: {}", inner.reason)))?;
    match (statements.pop(), statements.pop()) {
        (Some(only), None) => Ok(Facts::clone(&only.facts)),
        _ => Err(refuse("other than one statement inside".to_owned())),
    }
}

impl<'a> Context<'a> {
    pub(super) fn with_scope(&self, scope: &'a Scope) -> Self {
        Self { scope, ..*self }
    }

    /// The source of these tokens, as written.
    pub(super) fn source(&self, tokens: &[Token]) -> &'a str {
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => self.text.get(first.start..last.end).unwrap_or_default(),
            _ => "",
        }
    }
}
