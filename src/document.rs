//! YAML documents as trees that keep the line of every key and value, and the problems found in them.
//!
//! Pure: text in, tree out. Rules and configuration are both read through [`Fields`], which tells every
//! problem rather than the first.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::policy::Place;

/// One thing wrong in a file, with what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// The offending text; never a secret.
    pub text: String,
    pub message: String,
    pub mend: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.text.is_empty() {
            write!(f, "`{}`: ", self.text)?;
        }
        f.write_str(&self.message)?;
        match &self.mend {
            Some(mend) => write!(f, "; {mend}"),
            None => Ok(()),
        }
    }
}

/// A value as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub node: Node,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Null,
    /// Numbers and booleans too, as text.
    Scalar(String),
    List(Vec<Value>),
    Map(Vec<(String, Place, Value)>),
}

/// Reads one document. A YAML error is one problem.
pub fn parse(file: &Arc<str>, text: &str) -> Result<Value, Problem> {
    let place =
        |line: u64| Place { file: Arc::clone(file), line: u32::try_from(line).unwrap_or(u32::MAX).max(1) };
    if text.trim().is_empty() {
        return Ok(Value { node: Node::Map(Vec::new()), place: place(1) });
    }
    match serde_saphyr::from_str::<Spanned<Raw>>(text) {
        Ok(raw) => Ok(placed(raw, &place)),
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line());
            let message = error.to_string();
            let first = message.lines().next().unwrap_or("not a YAML document").to_owned();
            let shown =
                text.lines().nth(usize::try_from(line).unwrap_or(1).saturating_sub(1)).unwrap_or_default();
            Err(Problem {
                place: place(line),
                text: without_secret(shown.trim()),
                message: first,
                mend: None,
            })
        }
    }
}

/// The line as far as no secret can stand in it.
fn without_secret(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let secret =
        ["password", "verifier", "secret", "scram-"].iter().filter_map(|word| lower.find(word)).min();
    match secret {
        Some(at) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// A node before its places are known by file.
enum Raw {
    Null,
    Scalar(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn placed(raw: Spanned<Raw>, place: &impl Fn(u64) -> Place) -> Value {
    let at = place(raw.referenced.line());
    let node = match raw.value {
        Raw::Null => Node::Null,
        Raw::Scalar(text) => Node::Scalar(text),
        Raw::List(items) => Node::List(items.into_iter().map(|item| placed(item, place)).collect()),
        Raw::Map(entries) => Node::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.value, place(key.referenced.line()), placed(value, place)))
                .collect(),
        ),
    };
    Value { node, place: at }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

/// Collects problems while a tree is read.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub fn tell(&mut self, place: &Place, text: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { place: place.clone(), text: text.into(), message: message.into(), mend: None });
    }

    pub fn tell_mend(
        &mut self,
        place: &Place,
        text: impl Into<String>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let (text, message) = (text.into(), message.into());
        self.0.push(Problem { place: place.clone(), text, message, mend: Some(mend.into()) });
    }

    /// The value's text, where it is one.
    pub fn text(&mut self, value: &Value, what: &str) -> Option<String> {
        match &value.node {
            Node::Scalar(text) => Some(text.clone()),
            Node::Null | Node::List(_) | Node::Map(_) => {
                self.tell(&value.place, what, "a single value is needed here");
                None
            }
        }
    }

    /// The value's texts, where it is a list of them.
    pub fn texts(&mut self, value: &Value, what: &str) -> Vec<(String, Place)> {
        self.items(value, what)
            .iter()
            .filter_map(|item| Some((self.text(item, what)?, item.place.clone())))
            .collect()
    }

    /// The value's items, where it is a list.
    pub fn items<'a>(&mut self, value: &'a Value, what: &str) -> &'a [Value] {
        match &value.node {
            Node::List(items) => items,
            Node::Null | Node::Scalar(_) | Node::Map(_) => {
                self.tell(&value.place, what, "a list is needed here");
                &[]
            }
        }
    }

    /// The value's entries, where it is a map.
    pub fn entries<'a>(&mut self, value: &'a Value, what: &str) -> &'a [(String, Place, Value)] {
        match &value.node {
            Node::Map(entries) => entries,
            Node::Null | Node::Scalar(_) | Node::List(_) => {
                self.tell(&value.place, what, "a map of keys is needed here");
                &[]
            }
        }
    }
}

/// A map whose keys are taken one by one; those left over are unknown.
#[derive(Debug)]
pub struct Fields<'a> {
    entries: Vec<&'a (String, Place, Value)>,
    known: Vec<&'static str>,
    pub place: Place,
}

impl<'a> Fields<'a> {
    pub fn of(value: &'a Value, what: &str, problems: &mut Problems) -> Self {
        let entries = problems.entries(value, what).iter().collect();
        Self { entries, known: Vec::new(), place: value.place.clone() }
    }

    /// The value of `key`, once.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        let at = self.entries.iter().position(|(name, _, _)| name == key)?;
        Some(&self.entries.remove(at).2)
    }

    /// The same, told as missing where it is not there.
    pub fn need(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a Value> {
        let value = self.take(key);
        if value.is_none() {
            problems.tell(&self.place, key, "this key is missing");
        }
        value
    }

    /// A key that is planned, refused rather than ignored.
    pub fn later(&mut self, key: &'static str, problems: &mut Problems) {
        self.known.push(key);
        if let Some(at) = self.entries.iter().position(|(name, _, _)| name == key) {
            let (_, place, _) = self.entries.remove(at);
            problems.tell(place, key, "not supported yet");
        }
    }

    /// Everything not taken is unknown.
    pub fn end(self, problems: &mut Problems) {
        for (key, place, _) in self.entries {
            match nearest(key, &self.known) {
                Some(known) => {
                    problems.tell_mend(place, key.clone(), "unknown key", format!("did you mean `{known}`?"));
                }
                None => {
                    let all = self.known.join("`, `");
                    problems.tell_mend(place, key.clone(), "unknown key", format!("known are `{all}`"));
                }
            }
        }
    }
}

/// The known word at most two edits away.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(edits, _)| *edits <= 2)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut previous = i;
        let mut next = vec![i + 1];
        for (y, &above) in b.iter().zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((previous + usize::from(x != *y)).min(above + 1).min(left + 1));
            previous = above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_value_keeps_its_line() {
        let value = parse(&"f.yaml".into(), "a: 1\nb:\n  - x\n  - { c: y }\n").unwrap();
        let Node::Map(entries) = &value.node else { panic!("{value:?}") };
        assert_eq!(entries[1].1.to_string(), "f.yaml:2");
        let Node::List(items) = &entries[1].2.node else { panic!() };
        assert_eq!((items[0].place.line, items[1].place.line), (3, 4));
    }

    #[test]
    fn a_document_that_is_no_yaml_is_one_problem_with_its_line() {
        let problem = parse(&"f.yaml".into(), "a: 1\nb: [1, 2\n").unwrap_err();
        assert!(problem.place.line >= 2, "{problem}");
        assert!(parse(&"f.yaml".into(), "a: 1\na: 2\n").is_err(), "a key twice");
    }

    #[test]
    fn unknown_keys_are_told_with_what_was_meant() {
        let value = parse(&"f.yaml".into(), "acounts: {}\nlimits: []\n").unwrap();
        let mut problems = Problems::default();
        let mut fields = Fields::of(&value, "file", &mut problems);
        assert!(fields.take("accounts").is_none());
        assert!(fields.take("limits").is_some());
        fields.end(&mut problems);
        let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["f.yaml:1: `acounts`: unknown key; did you mean `accounts`?"]);
    }
}
