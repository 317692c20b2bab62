//! Kinds of objects, and where each has its home.

use super::reader::Reader;
use crate::sql::NotUnderstood;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// In a schema, by its own name.
    Schema,
    /// In a schema, with the types of its arguments behind the name.
    Routine,
    /// In a schema, by a name or a sign.
    Operator,
    /// By a name of its own on a relation: `NAME ON table`.
    Relation,
    /// In no schema: the database's, the server's.
    Beyond,
    /// In no schema, and data or calls go out by it.
    Outside,
    /// Users, roles, rights and what grants them.
    Principals,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    words: &'static [&'static str],
    pub(super) home: Home,
    /// Made of code that is not seen.
    pub(super) opaque: bool,
}

const fn kind(words: &'static [&'static str], home: Home) -> Kind {
    Kind { words, home, opaque: false }
}

const fn opaque(words: &'static [&'static str], home: Home) -> Kind {
    Kind { words, home, opaque: true }
}

/// Longer names before those they begin with.
const KINDS: &[Kind] = &[
    kind(&["table"], Home::Schema),
    kind(&["view"], Home::Schema),
    kind(&["materialized", "view"], Home::Schema),
    kind(&["foreign", "table"], Home::Schema),
    kind(&["index"], Home::Schema),
    kind(&["sequence"], Home::Schema),
    kind(&["type"], Home::Schema),
    kind(&["domain"], Home::Schema),
    kind(&["collation"], Home::Schema),
    kind(&["statistics"], Home::Schema),
    kind(&["template"], Home::Schema),
    opaque(&["conversion"], Home::Schema),
    opaque(&["model"], Home::Schema),
    opaque(&["library"], Home::Schema),
    opaque(&["text", "search", "configuration"], Home::Schema),
    opaque(&["text", "search", "dictionary"], Home::Schema),
    opaque(&["text", "search", "parser"], Home::Schema),
    opaque(&["text", "search", "template"], Home::Schema),
    opaque(&["function"], Home::Routine),
    opaque(&["procedure"], Home::Routine),
    opaque(&["routine"], Home::Routine),
    opaque(&["aggregate"], Home::Routine),
    opaque(&["operator", "class"], Home::Operator),
    opaque(&["operator", "family"], Home::Operator),
    opaque(&["operator"], Home::Operator),
    opaque(&["trigger"], Home::Relation),
    opaque(&["rule"], Home::Relation),
    kind(&["policy"], Home::Relation),
    kind(&["database"], Home::Beyond),
    kind(&["tablespace"], Home::Beyond),
    opaque(&["extension"], Home::Beyond),
    opaque(&["event", "trigger"], Home::Beyond),
    kind(&["access", "method"], Home::Beyond),
    kind(&["language"], Home::Beyond),
    kind(&["procedural", "language"], Home::Beyond),
    opaque(&["cast"], Home::Beyond),
    opaque(&["transform"], Home::Beyond),
    kind(&["large", "object"], Home::Beyond),
    kind(&["system"], Home::Beyond),
    kind(&["publication"], Home::Outside),
    kind(&["subscription"], Home::Outside),
    kind(&["server"], Home::Outside),
    kind(&["foreign", "data", "wrapper"], Home::Outside),
    kind(&["user"], Home::Principals),
    kind(&["role"], Home::Principals),
    kind(&["group"], Home::Principals),
    kind(&["identity"], Home::Principals),
    kind(&["rls"], Home::Principals),
    kind(&["masking"], Home::Principals),
    kind(&["datashare"], Home::Principals),
    kind(&["default"], Home::Principals),
    kind(&["owned"], Home::Principals),
];

impl Kind {
    /// Takes the kind that is named here.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<&'static Self, NotUnderstood> {
        let found = KINDS.iter().find(|kind| reader.eat(kind.words));
        found.ok_or_else(|| reader.refuse("a kind of object that is not understood"))
    }

    /// In small letters: `text search parser`.
    pub(super) fn name(&self) -> String {
        self.words.join(" ")
    }

    /// Whether a temporary relation of the same name may be what is meant.
    pub(super) fn is_relation(&self) -> bool {
        matches!(self.words.last(), Some(&("table" | "view" | "index" | "sequence")))
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.words == [name]
    }
}
