//! What a client is told when a statement or a login does not pass.
//!
//! One [`Refusal`] becomes the client's ErrorResponse, the audit entry and the metric.

use std::fmt;
use std::num::NonZeroU32;

/// Why a statement was refused; the closed set used in audit records, metrics and `decide`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    OfficialWrite,
    SandboxForeign,
    UnlistedWrite,
    RestrictedRead,
    RestrictedFunction,
    PrivilegeChange,
    SessionChange,
    Egress,
    NotUnderstood,
    CostLimit,
    RowLimit,
    ByteLimit,
    TimeLimit,
    ConcurrencyLimit,
    BudgetSpent,
    FilterRequired,
    AuditUnavailable,
    Draining,
}

impl Code {
    /// The name in audit records, metrics and `decide` output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OfficialWrite => "official_write",
            Self::SandboxForeign => "sandbox_foreign",
            Self::UnlistedWrite => "unlisted_write",
            Self::RestrictedRead => "restricted_read",
            Self::RestrictedFunction => "restricted_function",
            Self::PrivilegeChange => "privilege_change",
            Self::SessionChange => "session_change",
            Self::Egress => "egress",
            Self::NotUnderstood => "not_understood",
            Self::CostLimit => "cost_limit",
            Self::RowLimit => "row_limit",
            Self::ByteLimit => "byte_limit",
            Self::TimeLimit => "time_limit",
            Self::ConcurrencyLimit => "concurrency_limit",
            Self::BudgetSpent => "budget_spent",
            Self::FilterRequired => "filter_required",
            Self::AuditUnavailable => "audit_unavailable",
            Self::Draining => "draining",
        }
    }

    /// The SQLSTATE a client sees with this code (PostgreSQL appendix A).
    pub const fn sqlstate(self) -> &'static str {
        match self {
            Self::OfficialWrite
            | Self::SandboxForeign
            | Self::UnlistedWrite
            | Self::RestrictedRead
            | Self::RestrictedFunction
            | Self::PrivilegeChange
            | Self::SessionChange
            | Self::Egress
            | Self::NotUnderstood
            | Self::FilterRequired => "42501",
            Self::CostLimit | Self::RowLimit | Self::ByteLimit => "54000",
            Self::TimeLimit => "57014",
            Self::ConcurrencyLimit => "53300",
            Self::BudgetSpent => "53400",
            Self::AuditUnavailable => "58030",
            Self::Draining => "57P03",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal as the client sees it: message first and self-contained, for tools that show nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Five characters, PostgreSQL appendix A.
    pub sqlstate: &'static str,
    /// `None` for faults that are no verdict, such as a protocol violation.
    pub code: Option<Code>,
    /// Complete, with the prefix `tollgate: ` where Tollgate itself refuses.
    pub message: String,
    /// Who, which rule, which audit entry.
    pub detail: Option<String>,
    /// What to do instead.
    pub hint: Option<String>,
    /// Where in the client's text, in characters from 1.
    pub position: Option<NonZeroU32>,
}

impl Refusal {
    /// A refusal by a rule or a limit, with the SQLSTATE of its code.
    pub fn by(code: Code, message: impl fmt::Display) -> Self {
        Self {
            sqlstate: code.sqlstate(),
            code: Some(code),
            message: format!("tollgate: {message}"),
            detail: None,
            hint: None,
            position: None,
        }
    }

    /// A fault that is no verdict, told as PostgreSQL would tell it.
    pub fn fault(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self { sqlstate, code: None, message: message.into(), detail: None, hint: None, position: None }
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn with_position(mut self, position: NonZeroU32) -> Self {
        self.position = Some(position);
        self
    }
}
