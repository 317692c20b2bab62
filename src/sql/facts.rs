//! What a statement does, found without running it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::Scans;

/// What kind of effect a statement has; the strongest wins when several apply.
///
/// The order is the order of strength: `Read < Transaction < Session < Maintenance < Write < Ddl
/// < Call < Egress < Dcl < Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    Read,
    Transaction,
    Session,
    Maintenance,
    /// Rows of a table change.
    Write,
    Ddl,
    /// A procedure or an opaque body runs.
    Call,
    /// Data leaves the warehouse other than as a result (UNLOAD, COPY TO a place).
    Egress,
    /// Privileges, roles, identity.
    Dcl,
    Unknown,
}

impl Class {
    /// In the order of strength, which is also their number.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Transaction,
        Self::Session,
        Self::Maintenance,
        Self::Write,
        Self::Ddl,
        Self::Call,
        Self::Egress,
        Self::Dcl,
        Self::Unknown,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Transaction => "transaction",
            Self::Session => "session",
            Self::Maintenance => "maintenance",
            Self::Write => "write",
            Self::Ddl => "ddl",
            Self::Call => "call",
            Self::Egress => "egress",
            Self::Dcl => "dcl",
            Self::Unknown => "unknown",
        }
    }
}

/// A relation by its folded names. Shown as `schema.table`, `db.schema.table` when another database
/// is named, `temp.name` for the session's temporary ones. A schema as a whole is `schema.*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Relation {
    /// Named only when it is not the session's own.
    pub database: Option<String>,
    /// [`Relation::TEMP`] for temporary relations.
    pub schema: String,
    /// `*` for the schema as a whole.
    pub name: String,
}

impl Relation {
    pub const TEMP: &'static str = "temp";

    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { database: None, schema: schema.into(), name: name.into() }
    }

    pub fn temp(name: impl Into<String>) -> Self {
        Self::new(Self::TEMP, name)
    }

    pub fn is_temp(&self) -> bool {
        self.database.is_none() && self.schema == Self::TEMP
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "{database}.")?;
        }
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A change of the session's own state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionChange {
    /// Folded name of the setting: `search_path`, `timezone`, `role`, `app_context.user_id`; `*` for all.
    pub setting: String,
    /// Values as given, literals unescaped and identifiers folded; empty for RESET and DEFAULT.
    pub values: Vec<String>,
    /// Undone at the end of the transaction in any case.
    pub local: bool,
}

/// Data that crosses the warehouse's border by the statement itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Egress {
    /// `s3://…`, a file name, a program, a datashare; as given.
    pub place: String,
    /// The role or credentials' kind that is used, never a secret.
    pub role: Option<String>,
}

/// What a statement does to the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionStep {
    Begin,
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// Commits by itself on Redshift (TRUNCATE, ALTER TABLE APPEND).
    ImplicitCommit,
}

/// What a statement does to the session's prepared statements (one name space for SQL and protocol).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreparedStep {
    Prepare { name: String, text: Arc<str> },
    Execute { name: String },
    Deallocate { name: String },
    DeallocateAll,
}

/// What a statement does to the session's cursors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorStep {
    Declare { name: String, hold: bool },
    Fetch { name: String },
    Move { name: String },
    Close { name: String },
    CloseAll,
}

/// What one statement does. Lists hold every candidate where a name is not certain: policy must
/// allow each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub class: Class,
    /// In capitals, as the server would tag or name it: `SELECT`, `INSERT`, `CREATE TABLE`, `ALTER TABLE`, `SET`, `UNLOAD`.
    pub command: String,
    pub reads: BTreeSet<Relation>,
    /// Rows inserted, updated, deleted, merged, truncated, copied in.
    pub writes: BTreeSet<Relation>,
    pub creates: BTreeSet<Relation>,
    /// Dropped, altered, renamed (both names), commented, reowned, moved (both schemas).
    pub alters: BTreeSet<Relation>,
    pub locks: BTreeSet<Relation>,
    /// Folded names of the functions called anywhere, with their schema if one was given.
    pub functions: BTreeSet<String>,
    /// Those of `functions` whose effects other facts tell: `set_config` of literals is a change of the
    /// session, `pg_cancel_backend` of a literal process a signal.
    pub settled: BTreeSet<String>,
    /// The warehouse's processes that it cancels or ends.
    pub signals: BTreeSet<i32>,
    /// CASCADE: what depends on the altered relations goes with them.
    pub cascades: bool,
    /// What it changes that no schema holds: `database`, `extension`, `server`.
    pub beyond: Option<String>,
    pub session: Vec<SessionChange>,
    pub egress: Vec<Egress>,
    pub transaction: Option<TransactionStep>,
    pub prepared: Option<PreparedStep>,
    pub cursor: Option<CursorStep>,
    /// Temporary relations dropped, as spelled, so that their names no longer shadow.
    pub drops_temp: BTreeSet<String>,
    /// DISCARD ALL / DISCARD TEMP: every temporary relation goes.
    pub drops_all_temp: bool,
    /// How temporary relations made here are spelled, by their folded names.
    pub temp_spellings: BTreeMap<String, String>,
    /// EXPLAIN takes this statement and its cost says something: it reads, writes from a query, or calls set-returning functions.
    pub estimable: bool,
    /// What a plain query scans, for a bound on its cost.
    pub scans: Option<Scans>,
    /// The SQL that EXPLAIN is to be run on when it is not the statement itself (the query of DECLARE, COPY (query), EXPLAIN ANALYZE).
    pub estimate_of: Option<Arc<str>>,
    /// What the analysis is not sure of, in words for the client; policy treats any doubt as deny.
    pub doubts: Vec<String>,
}

impl Facts {
    /// Facts of a statement without any effect yet known.
    pub fn plain(class: Class, command: impl Into<String>) -> Self {
        Self {
            class,
            command: command.into(),
            reads: BTreeSet::new(),
            writes: BTreeSet::new(),
            creates: BTreeSet::new(),
            alters: BTreeSet::new(),
            locks: BTreeSet::new(),
            functions: BTreeSet::new(),
            settled: BTreeSet::new(),
            signals: BTreeSet::new(),
            cascades: false,
            beyond: None,
            session: Vec::new(),
            egress: Vec::new(),
            transaction: None,
            prepared: None,
            cursor: None,
            drops_temp: BTreeSet::new(),
            drops_all_temp: false,
            temp_spellings: BTreeMap::new(),
            estimable: false,
            scans: None,
            estimate_of: None,
            doubts: Vec::new(),
        }
    }

    /// Whether the server settles what names mean before it runs the statement, and not while it does.
    pub fn is_planned(&self) -> bool {
        matches!(self.command.as_str(), "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE")
    }

    /// Every relation the statement changes in any way: written, created, altered or dropped.
    pub fn targets(&self) -> BTreeSet<&Relation> {
        self.changed().collect()
    }

    /// The same, some more than once.
    pub fn changed(&self) -> impl Iterator<Item = &Relation> {
        self.writes.iter().chain(&self.creates).chain(&self.alters)
    }
}

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The statement's own text, without the separating semicolon and without surrounding blanks.
    pub text: Arc<str>,
    pub facts: Arc<Facts>,
    /// See [`super::fingerprint()`].
    pub fingerprint: Arc<str>,
}
