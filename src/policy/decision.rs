//! The outcome of judging one statement.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::{Arc, OnceLock};

use crate::refusal::Refusal;
use crate::sql::Facts;

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

/// Proof that policy allowed a statement: only [`super::decide()`] makes one. Clones are the same permit.
#[derive(Debug, Clone)]
#[must_use = "a permit that is dropped forwards nothing"]
pub struct Permit(Arc<Granted>);

#[derive(Debug)]
struct Granted {
    obligations: Obligations,
    rule: Option<Place>,
    reason: String,
    told: OnceLock<(Arc<Facts>, Box<str>)>,
}

impl Permit {
    pub(super) fn new(obligations: Obligations, rule: Option<Place>, reason: String) -> Self {
        Self(Arc::new(Granted { obligations, rule, reason, told: OnceLock::new() }))
    }

    pub fn obligations(&self) -> &Obligations {
        &self.0.obligations
    }

    /// The rule that allowed it, where one speaks.
    pub fn rule(&self) -> Option<&Place> {
        self.0.rule.as_ref()
    }

    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What `write` makes of the permit and the facts it was given for, kept from the first time on.
    pub fn told(&self, facts: &Arc<Facts>, write: impl FnOnce() -> Box<str>) -> Option<&str> {
        let (of, told) = self.0.told.get_or_init(|| (Arc::clone(facts), write()));
        Arc::ptr_eq(of, facts).then_some(told)
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
