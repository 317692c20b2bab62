//! Rules as checked, immutable data. Made by `parse`, read by `decide`; every rule keeps its [`Place`].

use std::collections::BTreeMap;

use super::{Obligations, Place};

/// A secret that stands elsewhere: rule files never hold one in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`
    Env(String),
    /// `file:PATH`, relative to the configuration's folder.
    File(String),
    /// A SCRAM verifier written into the rule itself; it is no password.
    Verifier(String),
}

/// Whom a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Everyone,
    /// Without the prefix `group:`.
    Group(String),
    /// An account or a person, by name.
    Name(String),
}

/// How a service account proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountAuth {
    /// SCRAM-SHA-256 for stock clients, the password in TLS for AWS drivers.
    Scram,
    /// The password in TLS for every client.
    Password,
}

/// Where the end user behind a service account is claimed. Recorded as claimed, never trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndUserSource {
    /// The first comment that Redash puts before its query.
    RedashComment,
    /// `SET app_context.user_id TO '…'` in Tableau's initial SQL.
    InitialSql,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRule {
    pub name: String,
    pub auth: AccountAuth,
    pub verifier: SecretRef,
    pub groups: Vec<String>,
    pub end_user: Option<EndUserSource>,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRule {
    pub issuer: String,
    pub audience: String,
    /// Path of a JWKS file, relative to the configuration's folder.
    pub keys_file: String,
    /// The claim that names the person.
    pub principal_claim: String,
    /// The claim that lists the groups.
    pub groups_claim: Option<String>,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LimitRule {
    pub subject: Subject,
    pub obligations: Obligations,
}

/// A domain's sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    pub schema: String,
    pub members: Vec<Subject>,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    pub name: String,
    pub owner: Option<String>,
    /// Each official schema with the line that names it.
    pub official: Vec<(String, Place)>,
    /// Each with the line that names it.
    pub stewards: Vec<(Subject, Place)>,
    pub sandbox: Option<Sandbox>,
    pub ticket: Option<String>,
    pub place: Place,
}

/// Whether reads are allowed where no rule speaks; writes never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadPosture {
    Allow,
    Deny,
}

/// What holds for users' own functions that no list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionDefault {
    Deny,
    /// Those are called that the catalog vouches for: stable or immutable, with the caller's rights,
    /// outside of sandboxes.
    DenyVolatile,
}

/// An entry of a list, by where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub place: Place,
}

/// Everything the rule files say, checked whole.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    pub read: ReadPosture,
    /// Where the posture stands, or the company file's first line where it is left to its default.
    pub posture_place: Place,
    pub accounts: BTreeMap<String, AccountRule>,
    pub tokens: Vec<TokenRule>,
    pub limits: Vec<LimitRule>,
    pub domains: Vec<Domain>,
    /// Groups named in the rules, with their members' names.
    pub groups: BTreeMap<String, Vec<String>>,
    pub functions_default: FunctionDefault,
    /// Functions of users' own that may be called, by folded name.
    pub functions_allowed: BTreeMap<String, Listed>,
    pub functions_denied: BTreeMap<String, Listed>,
    pub procedures_allowed: BTreeMap<String, Listed>,
    /// Settings that may be changed beyond those BI tools need.
    pub settings_allowed: BTreeMap<String, Listed>,
}

impl RuleSet {
    /// Rules that say nothing: nobody logs in, nothing is written.
    pub fn empty(place: Place) -> Self {
        Self {
            read: ReadPosture::Deny,
            posture_place: place,
            accounts: BTreeMap::new(),
            tokens: Vec::new(),
            limits: Vec::new(),
            domains: Vec::new(),
            groups: BTreeMap::new(),
            functions_default: FunctionDefault::Deny,
            functions_allowed: BTreeMap::new(),
            functions_denied: BTreeMap::new(),
            procedures_allowed: BTreeMap::new(),
            settings_allowed: BTreeMap::new(),
        }
    }

    /// Whether this is some domain's sandbox.
    pub fn is_sandbox(&self, schema: &str) -> bool {
        let mut sandboxes = self.domains.iter().filter_map(|domain| domain.sandbox.as_ref());
        sandboxes.any(|sandbox| sandbox.schema.eq_ignore_ascii_case(schema))
    }

    /// The domain whose official or sandbox schema this is.
    pub fn domain_of(&self, schema: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| {
            domain.official.iter().any(|(name, _)| name == schema)
                || domain.sandbox.as_ref().is_some_and(|sandbox| sandbox.schema == schema)
        })
    }
}
