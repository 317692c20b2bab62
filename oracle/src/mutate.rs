//! Other texts made of known ones: the same statement written otherwise, wrapped, joined or broken.

use pg_query::protobuf::KeywordKind;

use crate::random::Random;
use crate::texts::Source;

/// A text in pieces, each with the blanks before it.
type Pieces = Vec<(String, String)>;

const COMMENTS: [&str; 16] = [
    "/**/",
    "/* ' */",
    "/* \" */",
    "/* ; */",
    "/* $$ */",
    "/* $a$ ' */",
    "/* /* ; */ ' */",
    "/* -- */",
    "/* E'\\' */",
    "-- \n",
    "-- ';\n",
    "-- $$ /*\n",
    "-- \"\r",
    "--;\r\n",
    "/*\n;*/",
    "/*+ hint */",
];
const GAPS: [&str; 7] = [" ", "\t", "\n", "\r", "\u{c}", "  \r\n ", "\u{b}"];
/// What opens, closes and ends things where it may not be expected.
const MARKS: [&str; 26] = [
    "'", "''", "\"", "\\", "\\'", "$$", "$a$", "$1", "/*", "*/", "--", ";", "\r", "\n", "E'", "e'\\''",
    "U&'", "N'", "\u{a0}", "\u{feff}", "\u{2028}", ":", "::", "#", "`", "?",
];
const WORDS: [&str; 24] = [
    "INTO x",
    "FOR UPDATE",
    "RETURNING *",
    "WITH",
    "ONLY",
    "*",
    "ANALYZE",
    "TEMP",
    "AS",
    "x",
    "public.x",
    "pg_temp.x",
    ",",
    "(",
    ")",
    "SELECT",
    "DELETE FROM x",
    "UNION ALL",
    "FROM x",
    "IF EXISTS",
    "CASCADE",
    "::text",
    "LATERAL",
    "\"Select\"",
];

/// A text made of one or more of these by a few changes; the same for the same seed and number.
pub fn mutated(sources: &[Source], seed: u64, number: u64) -> String {
    let mut random = Random::new(seed, number);
    let mut text = any(sources, &mut random).to_owned();
    for _ in 0..=random.below(3) {
        text = change(&text, sources, &mut random);
    }
    text
}

/// A text of any source, each source as likely as another.
fn any<'a>(sources: &'a [Source], random: &mut Random) -> &'a str {
    let texts = random.pick(sources).map_or(&[][..], |source| &source.texts);
    random.pick(texts).map_or("", String::as_str)
}

fn change(text: &str, sources: &[Source], random: &mut Random) -> String {
    match random.below(31) {
        0 | 1 => each(text, random, 2, recase),
        2 | 3 => each(text, random, 6, requote),
        4..=6 => each_gap(text, random, 6, &COMMENTS),
        7 | 8 => each_gap(text, random, 4, &GAPS),
        9..=13 => wrap(text, random),
        14 | 15 => join(text, sources, random),
        16..=19 => session(text, random),
        20 | 21 => each(text, random, 1, respell),
        22 => empties(text, random),
        23 | 24 => rename(text, random),
        25 => edit(text, random),
        26 | 27 => insert(text, random),
        28 => strew(text, random),
        29 => splice(text, sources, random),
        _ => transplant(text, sources, random),
    }
}

/// The text's tokens as PostgreSQL's scanner finds them, comments among them.
pub(crate) fn pieces(text: &str) -> Option<Pieces> {
    let tokens = pg_query::scan(text).ok()?.tokens;
    let mut end = 0;
    let mut pieces = Vec::with_capacity(tokens.len());
    for token in tokens {
        let (from, to) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        pieces.push((text.get(end..from)?.to_owned(), text.get(from..to)?.to_owned()));
        end = to;
    }
    Some(pieces)
}

pub(crate) fn together(pieces: &[(String, String)]) -> String {
    pieces.iter().flat_map(|(gap, piece)| [gap.as_str(), piece.as_str()]).collect()
}

/// Rewrites tokens, each once in `times`.
fn each(text: &str, random: &mut Random, times: usize, other: fn(&str, &mut Random) -> String) -> String {
    let Some(mut pieces) = pieces(text) else { return text.to_owned() };
    for (_, piece) in &mut pieces {
        if random.once_in(times) {
            *piece = other(piece, random);
        }
    }
    together(&pieces)
}

fn is_word(piece: &str) -> bool {
    piece.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && !piece.contains('\'')
}

/// Whether the grammar uses the word, reserved or not.
fn is_keyword(word: &str) -> bool {
    let tokens = pg_query::scan(word).map(|scanned| scanned.tokens).unwrap_or_default();
    tokens.first().is_some_and(|token| token.keyword_kind != KeywordKind::NoKeyword as i32)
}

fn recase(piece: &str, random: &mut Random) -> String {
    match (is_word(piece), random.below(3)) {
        (false, _) => piece.to_owned(),
        (true, 0) => piece.to_uppercase(),
        (true, 1) => piece.to_lowercase(),
        (true, _) => {
            let flip = |(at, letter): (usize, char)| {
                if at % 2 == 0 { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
            };
            piece.chars().enumerate().map(flip).collect()
        }
    }
}

fn requote(piece: &str, random: &mut Random) -> String {
    if !is_word(piece) || (is_keyword(piece) && !random.once_in(20)) {
        return piece.to_owned();
    }
    match random.below(5) {
        0 => format!("\"{piece}\""),
        1 => format!("\"{}\"", piece.to_uppercase()),
        2 => format!("\"{piece}\"\"x\""),
        3 => format!("U&\"{piece}\""),
        _ => format!("\"{}\"", piece.to_lowercase()),
    }
}

/// A string literal written in another way.
fn respell(piece: &str, random: &mut Random) -> String {
    let Some(inner) = piece.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) else {
        return piece.to_owned();
    };
    match random.below(4) {
        0 => format!("E'{}'", inner.replace('\\', "\\\\")),
        1 => format!("U&'{}'", inner.replace('\\', "\\\\")),
        2 => format!("E'{}'", inner.replace('\\', "\\\\").replace("''", "\\'")),
        _ => format!("$tag${}$tag$", inner.replace("''", "'")),
    }
}

/// Puts one of these before some tokens.
fn each_gap(text: &str, random: &mut Random, times: usize, with: &[&str]) -> String {
    let Some(mut pieces) = pieces(text) else { return text.to_owned() };
    for (gap, _) in &mut pieces {
        if random.once_in(times)
            && let Some(other) = random.pick(with)
        {
            let blank = other.trim().is_empty() && !gap.is_empty();
            *gap = if blank { (*other).to_owned() } else { format!("{gap}{other}") };
        }
    }
    together(&pieces)
}

fn bare(text: &str) -> &str {
    text.trim_end_matches([';', ' ', '\n', '\t', '\r'])
}

/// The statement inside another.
fn wrap(text: &str, random: &mut Random) -> String {
    let inner = bare(text);
    let first = pieces(inner).unwrap_or_default().into_iter().map(|(_, piece)| piece.to_lowercase()).next();
    match first.as_deref() {
        Some("select" | "with" | "values" | "table" | "(") => wrap_query(inner, random),
        Some("insert" | "update" | "delete" | "merge") => wrap_change(inner, random),
        _ if random.once_in(2) => wrap_change(inner, random),
        _ => wrap_query(inner, random),
    }
}

/// What takes a query alone, and what takes a change of rows too.
fn wrap_query(inner: &str, random: &mut Random) -> String {
    match random.below(16) {
        0 => format!("COPY ({inner}) TO STDOUT"),
        1 => format!("CREATE TABLE x AS {inner}"),
        2 => format!("CREATE TEMP TABLE x ON COMMIT DROP AS {inner}"),
        3 => format!("DECLARE c CURSOR FOR {inner}"),
        4 => format!("CREATE VIEW v AS {inner}"),
        5 => format!("SELECT * FROM ({inner}) AS s"),
        6 => format!("({inner})"),
        7 => format!("SELECT ARRAY({inner}), EXISTS (WITH w AS ({inner}) SELECT 1)"),
        8 => format!("INSERT INTO x WITH w AS ({inner}) TABLE w"),
        9 => format!("WITH w AS ({inner}) UPDATE x SET a = 1 FROM w"),
        10 => format!("SELECT 1 UNION ALL ({inner})"),
        11 => format!("MERGE INTO x USING ({inner}) s ON true WHEN MATCHED THEN DELETE"),
        _ => wrap_change(inner, random),
    }
}

fn wrap_change(inner: &str, random: &mut Random) -> String {
    let returning = if inner.to_lowercase().contains("returning") { "" } else { " RETURNING *" };
    match random.below(13) {
        0 => format!("WITH w AS ({inner}) SELECT * FROM w"),
        1 => format!("WITH w AS ({inner}{returning}) SELECT * FROM w"),
        2 => format!("PREPARE p AS {inner}"),
        3 => format!("PREPARE p AS {inner}; EXECUTE p"),
        4 => format!("EXPLAIN {inner}"),
        5 => format!("EXPLAIN ANALYZE {inner}"),
        6 => format!("EXPLAIN (ANALYZE off, VERBOSE) {inner}"),
        7 => format!("EXPLAIN (COSTS off, ANALYZE) {inner}"),
        8 => format!("EXPLAIN (ANALYZE false, ANALYZE 'on') {inner}"),
        9 => format!("COPY ({inner}{returning}) TO STDOUT"),
        10 => format!("PREPARE p AS {inner}; CREATE TABLE x AS EXECUTE p"),
        11 => format!("CREATE RULE r AS ON INSERT TO x DO INSTEAD ({inner})"),
        _ => format!("WITH w AS (WITH v AS ({inner}{returning}) SELECT * FROM v) DELETE FROM x USING w"),
    }
}

fn join(text: &str, sources: &[Source], random: &mut Random) -> String {
    let mut joined = bare(text).to_owned();
    for _ in 0..=random.below(2) {
        let other = bare(any(sources, random));
        joined = if random.once_in(2) { format!("{joined};{other}") } else { format!("{other}; {joined}") };
    }
    joined
}

/// Statements around the text that change what its names mean.
fn session(text: &str, random: &mut Random) -> String {
    let inner = bare(text);
    let mut words: Vec<_> = pieces(text).unwrap_or_default().into_iter().map(|(_, piece)| piece).collect();
    words.retain(|word| is_word(word) && !is_keyword(word));
    let name = random.pick(&words).map_or("x", String::as_str);
    match random.below(14) {
        0 => format!("CREATE TEMP TABLE {name} (a int); {inner}"),
        1 => format!("CREATE TEMP TABLE {name} (a int); DROP TABLE {name}; {inner}"),
        2 => format!("BEGIN; CREATE TEMP TABLE {name} (a int); ROLLBACK; {inner}"),
        3 => format!("BEGIN; CREATE TEMP TABLE {name} (a int) ON COMMIT DROP; COMMIT; {inner}"),
        4 => format!("SAVEPOINT s; SELECT 1 AS a INTO TEMP {name}; ROLLBACK TO s; {inner}"),
        5 => format!("SET search_path TO {name}; {inner}"),
        6 => format!("BEGIN; SET LOCAL search_path = '{name}', pg_temp; COMMIT; {inner}"),
        7 => format!(
            "SET search_path TO a, b; CREATE TEMP TABLE {name} (a int); {inner}; DISCARD ALL; {inner}"
        ),
        8 => format!("PREPARE q AS SELECT 1; DEALLOCATE q; {inner}"),
        9 => format!("CREATE TEMP TABLE {name} (a int); ALTER TABLE {name} RENAME TO y; {inner}"),
        10 => format!("CREATE TEMP VIEW {name} AS SELECT 1 AS a; {inner}"),
        11 => format!("SET SCHEMA '{name}'; {inner}; RESET ALL; {inner}"),
        12 => format!("CREATE TEMP TABLE pg_temp.{name} AS SELECT 1; {inner}"),
        _ => format!("CREATE SCHEMA {name} {inner}"),
    }
}

/// Deletes, doubles or swaps a token.
fn edit(text: &str, random: &mut Random) -> String {
    let Some(mut pieces) = pieces(text) else { return text.to_owned() };
    if pieces.is_empty() {
        return text.to_owned();
    }
    let (one, other) = (random.below(pieces.len()), random.below(pieces.len()));
    match random.below(3) {
        0 => {
            pieces.remove(one);
        }
        1 => {
            let doubled = pieces.get(one).map(|(_, piece)| (" ".to_owned(), piece.clone()));
            pieces.splice(one..one, doubled);
        }
        _ => pieces.swap(one, other),
    }
    together(&pieces)
}

/// Puts marks anywhere, inside words and literals too.
fn strew(text: &str, random: &mut Random) -> String {
    let mut strewn = text.to_owned();
    for _ in 0..=random.below(3) {
        let mark = random.pick(&MARKS).copied().unwrap_or_default();
        let places: Vec<usize> = strewn.char_indices().map(|(at, _)| at).collect();
        let at = random.pick(&places).copied().unwrap_or_default();
        strewn.insert_str(at, mark);
    }
    strewn
}

/// The start of one text and the end of another.
fn splice(text: &str, sources: &[Source], random: &mut Random) -> String {
    let other = pieces(any(sources, random));
    let (Some(mut one), Some(other)) = (pieces(text), other) else { return text.to_owned() };
    one.truncate(random.below(one.len() + 1));
    let from = random.below(other.len() + 1);
    one.push((" ".to_owned(), String::new()));
    one.extend(other.into_iter().skip(from));
    together(&one)
}

fn insert(text: &str, random: &mut Random) -> String {
    let (Some(mut pieces), Some(word)) = (pieces(text), random.pick(&WORDS)) else { return text.to_owned() };
    let at = random.below(pieces.len() + 1);
    if let Some((gap, _)) = pieces.get_mut(at)
        && gap.is_empty()
    {
        gap.push(' ');
    }
    pieces.insert(at, (" ".to_owned(), (*word).to_owned()));
    together(&pieces)
}

/// Puts another text's token in the place of one.
fn transplant(text: &str, sources: &[Source], random: &mut Random) -> String {
    let other = pieces(any(sources, random)).unwrap_or_default();
    let (Some(mut pieces), Some((_, graft))) = (pieces(text), random.pick(&other)) else {
        return text.to_owned();
    };
    let at = random.below(pieces.len());
    if let Some((gap, piece)) = pieces.get_mut(at) {
        " ".clone_into(gap);
        piece.clone_from(graft);
    }
    together(&pieces)
}

/// Gives one token another's words wherever it stands.
fn rename(text: &str, random: &mut Random) -> String {
    let Some(mut pieces) = pieces(text) else { return text.to_owned() };
    let words: Vec<String> =
        pieces.iter().map(|(_, piece)| piece).filter(|piece| is_word(piece)).cloned().collect();
    let (Some(from), Some(to)) = (random.pick(&words), random.pick(&words)) else { return text.to_owned() };
    for (_, piece) in pieces.iter_mut().filter(|(_, piece)| piece == from) {
        piece.clone_from(to);
    }
    together(&pieces)
}

fn empties(text: &str, random: &mut Random) -> String {
    match random.below(4) {
        0 => format!(";{text}"),
        1 => format!("{text};;"),
        2 => format!("; ;{text};/**/;"),
        _ => format!("{text};--"),
    }
}
