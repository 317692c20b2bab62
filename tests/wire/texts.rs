//! Scripts as texts: `= name`, then a message a line.
//!
//! `Q sql`, `P name sql`, `B portal statement values…`, `DS`/`DP`/`CS`/`CP name`, `E portal rows`, `H`, `S`,
//! `d data`, `c`, `f why`, `R sql` (Parse, Bind, Describe and Execute), `X tag body` (any message). `-` is
//! the unnamed statement or portal. Among the values of a Bind, `fmt=1,0` and `out=1` are format codes, `NULL`
//! is NULL, `x:0a` bytes; a Parse may begin with `oid=23,25`. `\n`, `\t` and `\0` stand for themselves.

use super::talk::Script;
use crate::support::say;

const TEXTS: [&str; 5] = [
    include_str!("scripts/statements.txt"),
    include_str!("scripts/portals.txt"),
    include_str!("scripts/errors.txt"),
    include_str!("scripts/copies.txt"),
    include_str!("scripts/session.txt"),
];

const INVALID: [&str; 1] = [include_str!("scripts/invalid.txt")];

pub fn scripts() -> Vec<Script> {
    read(&TEXTS)
}

/// Messages that no client should send.
pub fn invalid() -> Vec<Script> {
    read(&INVALID)
}

fn read(texts: &[&str]) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    for line in texts.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty()) {
        match line.strip_prefix("= ") {
            Some(name) => scripts.push(Script::named(name)),
            None => {
                let script = scripts.last_mut().unwrap_or_else(|| panic!("`{line}` is of no script"));
                script.messages.extend(messages(line));
            }
        }
    }
    scripts
}

fn messages(line: &str) -> Vec<Vec<u8>> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = &rest.replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0");
    let (first, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    vec![match word {
        "Q" => say::query(rest),
        "R" => return Script::default().run(rest).messages,
        "P" => parse(rest),
        "B" => bind(rest),
        "DS" | "DP" => say::describe(word.as_bytes()[1], name(rest)),
        "CS" | "CP" => say::close(word.as_bytes()[1], name(rest)),
        "E" => say::execute(name(first), if behind.is_empty() { 0 } else { behind.parse().unwrap() }),
        "H" => say::flush(),
        "S" => say::sync(),
        "d" => say::copy_data(rest),
        "c" => say::copy_done(),
        "f" => say::copy_fail(rest),
        "X" => say::message(first.as_bytes()[0], &bytes(behind)),
        other => panic!("no message `{other}`"),
    }]
}

fn name(word: &str) -> &str {
    if word == "-" { "" } else { word }
}

fn codes(list: &str) -> Vec<u32> {
    list.split(',').map(|code| code.parse().unwrap()).collect()
}

/// Hexadecimal behind `x:`, and text otherwise.
fn bytes(word: &str) -> Vec<u8> {
    let Some(digits) = word.strip_prefix("x:") else { return word.as_bytes().to_vec() };
    digits
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn parse(rest: &str) -> Vec<u8> {
    let (types, rest) = match rest.strip_prefix("oid=") {
        Some(rest) => rest.split_once(' ').map(|(list, rest)| (codes(list), rest)).unwrap(),
        None => (Vec::new(), rest),
    };
    let (statement, sql) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut body = format!("{}\0{sql}\0", name(statement)).into_bytes();
    body.extend((types.len() as u16).to_be_bytes());
    body.extend(types.iter().flat_map(|oid| oid.to_be_bytes()));
    say::message(b'P', &body)
}

fn bind(rest: &str) -> Vec<u8> {
    let mut words = rest.split(' ');
    let (portal, statement) = (name(words.next().unwrap()), name(words.next().unwrap()));
    let (mut formats, mut results, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for word in words {
        match word.split_once('=') {
            Some(("fmt", list)) => formats = codes(list),
            Some(("out", list)) => results = codes(list),
            _ => values.push((word != "NULL").then(|| bytes(word))),
        }
    }
    let counted = |codes: &[u32]| {
        let mut out = (codes.len() as u16).to_be_bytes().to_vec();
        out.extend(codes.iter().flat_map(|code| (*code as u16).to_be_bytes()));
        out
    };
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    body.extend(counted(&formats));
    body.extend((values.len() as u16).to_be_bytes());
    for value in values {
        match value {
            Some(value) => {
                body.extend((value.len() as u32).to_be_bytes());
                body.extend(value);
            }
            None => body.extend((-1_i32).to_be_bytes()),
        }
    }
    body.extend(counted(&results));
    say::message(b'B', &body)
}
