//! Who a session acts for.

use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A service account of the rules (Redash, Tableau, dbt).
    Service,
    /// A person, by a signed token.
    Person,
}

/// How the principal proved who it is; the name used in audit records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    Scram,
    Password,
    Token,
    /// Named on the command line (`decide --as`), not proved.
    Assumed,
}

impl Auth {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scram => "scram",
            Self::Password => "password",
            Self::Token => "token",
            Self::Assumed => "assumed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
    pub kind: PrincipalKind,
    pub auth: Auth,
    /// Names of groups without the prefix `group:`.
    pub groups: Vec<String>,
    /// Claims of the token, as text; empty for accounts.
    pub claims: BTreeMap<String, String>,
    /// When the token ends (Unix seconds); statements after it are refused.
    pub expires_at: Option<i64>,
}
