//! What a plain query scans: enough to know how large its plan can be without asking the server.

use super::lex::Token;
use super::{Class, Facts, Relation};

/// The tables of a query that multiplies nothing but them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scans {
    /// One for each place where a relation is named, so that one may stand here twice.
    pub relations: Vec<Relation>,
    /// Words, signs and literals of the text: no plan has more nodes or expressions.
    pub terms: usize,
    /// Words that may make a plan sort.
    pub sorts: usize,
}

/// Functions and types that give one value at the cost of a few operators.
const PLAIN: [&str; 74] = [
    "abs",
    "avg",
    "bool_and",
    "bool_or",
    "btrim",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character",
    "character_length",
    "coalesce",
    "concat",
    "convert",
    "convert_timezone",
    "count",
    "date",
    "date_add",
    "date_part",
    "date_trunc",
    "dateadd",
    "datediff",
    "decimal",
    "decode",
    "dense_rank",
    "exists",
    "extract",
    "first_value",
    "float",
    "floor",
    "getdate",
    "greatest",
    "in",
    "initcap",
    "isnull",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "lower",
    "lpad",
    "ltrim",
    "max",
    "min",
    "mod",
    "now",
    "ntile",
    "nullif",
    "numeric",
    "nvl",
    "nvl2",
    "position",
    "rank",
    "replace",
    "right",
    "round",
    "row_number",
    "rpad",
    "rtrim",
    "sign",
    "split_part",
    "stddev",
    "strpos",
    "substring",
    "sum",
    "time",
    "timestamp",
    "trim",
    "trunc",
    "upper",
    "varchar",
];

/// Words after which the product of the tables is no bound any more, or the reader is not sure.
const OTHER: [&str; 14] = [
    "any",
    "all",
    "some",
    "cube",
    "rollup",
    "grouping",
    "sets",
    "lateral",
    "tablesample",
    "array",
    "connect",
    "pivot",
    "unpivot",
    "values",
];

/// What cannot be had without a sort, or may be had by one.
const SORTS: [&str; 7] = ["order", "group", "distinct", "over", "union", "intersect", "except"];

/// `relations`: those that the walk found, unless it met other sources of rows.
pub(super) fn scans(relations: Option<Vec<Relation>>, tokens: &[Token], facts: &Facts) -> Option<Scans> {
    let relations = relations.filter(|relations| !relations.is_empty())?;
    let plain = facts.class == Class::Read
        && facts.command == "SELECT"
        && facts.locks.is_empty()
        && facts.functions.iter().all(|name| PLAIN.contains(&name.as_str()))
        && !tokens.iter().any(|token| token.keyword().is_some_and(|word| OTHER.contains(&word)));
    let sorts =
        tokens.iter().filter(|token| token.keyword().is_some_and(|word| SORTS.contains(&word))).count();
    plain.then_some(Scans { relations, terms: tokens.len(), sorts })
}
