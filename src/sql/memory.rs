//! Facts remembered by the shape of their text, so that what differs in literals alone is understood once.

use std::hash::RandomState;
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};

use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::effects::is_followed;
use super::shape::{Span, shape};
use super::{Facts, NotUnderstood, Scope, Statement, TextBounds, TransactionStep, understand};
use crate::catalog::Catalog;

/// Longer texts are not remembered: they are rare, and understanding them is not what costs.
const SHAPE_BYTES_MAX: usize = 16 * 1024;

/// About what an entry takes besides its key.
const ENTRY_BYTES: u64 = 1024;

/// What is known of one shape, under one meaning of names.
#[derive(Debug, Clone)]
struct Remembered {
    /// Held weakly: an old snapshot is not kept for it, and another is never mistaken for it.
    catalog: Option<Weak<Catalog>>,
    statements: Arc<[Known]>,
}

#[derive(Debug)]
struct Known {
    facts: Arc<Facts>,
    fingerprint: Arc<str>,
}

/// Facts of texts understood before; shared by all sessions.
///
/// The key is a text's shape with all that its facts hang on: the search path, the database, the catalog.
/// What hangs on more, or tells effects by the values of literals, is never kept.
#[derive(Debug)]
pub struct Memory {
    bounds: TextBounds,
    kept: Cache<Box<[u8]>, Remembered, ByBytes, RandomState>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Box<[u8]>, Remembered> for ByBytes {
    fn weight(&self, key: &Box<[u8]>, _: &Remembered) -> u64 {
        key.len() as u64 + ENTRY_BYTES
    }
}

impl Memory {
    /// For texts of these bounds, with about `bytes_max` bytes kept.
    pub fn new(text: TextBounds, bytes_max: NonZeroUsize) -> Self {
        let bytes = bytes_max.get() as u64;
        let entries = usize::try_from(bytes / ENTRY_BYTES).unwrap_or(usize::MAX);
        let kept = Cache::with(entries, bytes, ByBytes, RandomState::new(), DefaultLifecycle::default());
        Self { bounds: text, kept }
    }

    /// As [`understand()`], from memory where it can be.
    ///
    /// # Errors
    /// As [`understand()`].
    pub fn understand(&self, text: &str, scope: &Scope) -> Result<Vec<Statement>, NotUnderstood> {
        let Some((key, spans)) = key_of(text, scope) else { return understand(text, scope, &self.bounds) };
        if let Some(known) = self.find(&key, scope)
            && known.len() == spans.len()
        {
            return Ok(known.iter().zip(spans).map(|(known, span)| known.statement(text, span)).collect());
        }
        let statements = understand(text, scope, &self.bounds)?;
        if statements.len() == spans.len()
            && statements.iter().zip(spans).all(|(statement, span)| is_lasting(statement, text, span))
        {
            let catalog = scope.catalog().map(Arc::downgrade);
            let known = statements.iter().map(Known::of).collect();
            self.kept.insert(key.into_boxed_slice(), Remembered { catalog, statements: known });
        }
        Ok(statements)
    }

    fn find(&self, key: &[u8], scope: &Scope) -> Option<Arc<[Known]>> {
        let found = self.kept.get(key)?;
        let same = match (&found.catalog, scope.catalog()) {
            (None, None) => true,
            (Some(kept), Some(catalog)) => std::ptr::eq(kept.as_ptr(), Arc::as_ptr(catalog)),
            _ => false,
        };
        same.then_some(found.statements)
    }
}

/// The key of a text, with where its statements stand; `None` where it is not remembered.
fn key_of(text: &str, scope: &Scope) -> Option<(Vec<u8>, Vec<Span>)> {
    if text.len() > SHAPE_BYTES_MAX {
        return None;
    }
    let mut key = Vec::with_capacity(text.len() + 32);
    if !scope.meaning(&mut key) {
        return None;
    }
    let spans = shape(text, &mut key)?;
    Some((key, spans))
}

/// A statement's own text, with the comments before it.
fn own(text: &str, span: Span) -> &str {
    let own = text.get(span.start..span.end).unwrap_or_default();
    own.trim_matches([' ', '\t', '\r', '\n', '\u{b}', '\u{c}'])
}

/// Whether a statement's facts hang on its shape and the key's meaning of names alone.
fn is_lasting(statement: &Statement, text: &str, span: Span) -> bool {
    let facts = &statement.facts;
    let own_objects = facts.prepared.is_some()
        || facts.cursor.is_some()
        || matches!(
            facts.transaction,
            Some(
                TransactionStep::Savepoint(_) | TransactionStep::Release(_) | TransactionStep::RollbackTo(_)
            )
        );
    let by_value = facts.functions.iter().any(|name| is_followed(name))
        || !facts.settled.is_empty()
        || !facts.signals.is_empty()
        || !facts.egress.is_empty()
        || facts.estimate_of.is_some()
        || facts.beyond.is_some();
    // USE hangs on whether a block is open.
    let moves = facts.session.iter().any(|change| change.setting == "database" || change.setting == "*");
    !own_objects && !by_value && !moves && *statement.text == *own(text, span)
}

impl Known {
    fn of(statement: &Statement) -> Self {
        Self { facts: Arc::clone(&statement.facts), fingerprint: Arc::clone(&statement.fingerprint) }
    }

    fn statement(&self, text: &str, span: Span) -> Statement {
        Statement {
            text: own(text, span).into(),
            facts: Arc::clone(&self.facts),
            fingerprint: Arc::clone(&self.fingerprint),
        }
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
