//! The outcome of judging one statement.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::refusal::Refusal;

/// Where a rule stands: `rules/domains/orders.yaml:12`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// As the user would type it: relative to the folder that holds the configuration.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What happens when a result reaches the row cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRows {
    /// The result ends there, with a notice.
    #[default]
    Truncate,
    /// The statement fails with 54000.
    Error,
}

impl OnRows {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncate => "truncate",
            Self::Error => "error",
        }
    }
}

/// What an allowed statement must still respect; `None` is unlimited.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Obligations {
    pub rows: Option<NonZeroU64>,
    pub on_rows: OnRows,
    pub bytes: Option<NonZeroU64>,
    /// In the planner's units, against the estimate of EXPLAIN.
    pub cost: Option<f64>,
    pub seconds: Option<NonZeroU64>,
    /// Statements of the principal that may run at once.
    pub concurrent: Option<NonZeroU64>,
    /// The limit rule these come from.
    pub place: Option<Place>,
}

/// Proof that policy allowed a statement: only [`super::decide()`] makes one.
#[derive(Debug, Clone)]
#[must_use = "a permit that is dropped forwards nothing"]
pub struct Permit {
    obligations: Obligations,
    rule: Option<Place>,
    reason: String,
}

impl Permit {
    pub(super) fn new(obligations: Obligations, rule: Option<Place>, reason: String) -> Self {
        Self { obligations, rule, reason }
    }

    pub fn obligations(&self) -> &Obligations {
        &self.obligations
    }

    /// The rule that allowed it, where one speaks.
    pub fn rule(&self) -> Option<&Place> {
        self.rule.as_ref()
    }

    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A refused statement, with the rule that speaks against it.
#[derive(Debug, Clone)]
pub struct Denial {
    /// Complete but for the audit entry's id, which the shell appends to the detail.
    pub refusal: Refusal,
    pub rule: Option<Place>,
    pub reason: String,
}

#[derive(Debug, Clone)]
pub enum Decision {
    Allow(Permit),
    Deny(Denial),
}
