//! A text without what cannot change its facts: literals of queries, and comments.
//!
//! Texts of one shape hold the same tokens but for the values of literals. What this reader is not sure
//! of has no shape, and is understood anew each time.

use super::letters::continues_name;

/// Statements that take literals as values alone.
const QUERIES: [&str; 7] = ["select", "with", "values", "insert", "update", "delete", "merge"];
/// Statements of which every byte counts.
const EXACT: [&str; 10] =
    ["begin", "start", "commit", "end", "rollback", "abort", "set", "reset", "show", "table"];

const TEXT: u8 = 1;
const INTEGER: u8 = 2;
const DECIMAL: u8 = 3;
const LINE_COMMENT: u8 = 4;
const BLOCK_COMMENT: u8 = 5;
const LONG: u8 = 6;
/// Of a number with a fraction.
const DIGITS_MAX: usize = 36;

/// Where a statement stands in its text, without the blanks and comments behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Appends the shape of `text` to `key`, and tells where its statements stand.
pub(super) fn shape(text: &str, key: &mut Vec<u8>) -> Option<Vec<Span>> {
    let text = text.as_bytes();
    let mut reader = Reader { text, at: 0, kept: 0, key, spans: Vec::with_capacity(1), part: Part::at(0) };
    while reader.step()? {}
    reader.copy(reader.at)?;
    reader.end_part();
    Some(reader.spans)
}

/// The statement being read.
struct Part {
    start: usize,
    /// Behind its last token.
    end: Option<usize>,
    /// Whether its literals are left out; known once its first word is read.
    query: Option<bool>,
}

impl Part {
    const fn at(start: usize) -> Self {
        Self { start, end: None, query: None }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// What stands from here up to `at` goes into the key as it is.
    kept: usize,
    key: &'a mut Vec<u8>,
    spans: Vec<Span>,
    part: Part,
}

impl Reader<'_> {
    fn nth(&self, n: usize) -> Option<u8> {
        self.text.get(self.at + n).copied()
    }

    /// Keeps the next `count` bytes as they are.
    fn keep(&mut self, count: usize) {
        self.at = (self.at + count).min(self.text.len());
    }

    /// Puts what was kept up to `end` into the key.
    fn copy(&mut self, end: usize) -> Option<()> {
        self.key.extend_from_slice(self.text.get(self.kept..end)?);
        self.kept = end;
        Some(())
    }

    /// Puts `mark` in the place of what stands from `start` up to here.
    fn replace(&mut self, start: usize, mark: u8) -> Option<()> {
        self.copy(start)?;
        self.key.push(mark);
        self.kept = self.at;
        Some(())
    }

    /// A token ends here.
    fn token(&mut self) {
        self.part.end = Some(self.at);
    }

    fn end_part(&mut self) {
        let Part { start, end, .. } = std::mem::replace(&mut self.part, Part::at(self.at));
        self.spans.extend(end.map(|end| Span { start, end }));
    }

    /// One token, comment or blank; `None` where the text has no shape.
    fn step(&mut self) -> Option<bool> {
        let Some(byte) = self.nth(0) else { return Some(false) };
        match byte {
            b' ' | b'\t' | b'\n' => self.keep(1),
            b'-' if self.nth(1) == Some(b'-') => self.line_comment()?,
            b'/' if self.nth(1) == Some(b'*') => self.block_comment()?,
            b'\'' => self.literal()?,
            b'"' => self.quoted_name()?,
            b'0'..=b'9' => self.number()?,
            b'$' => self.parameter()?,
            b';' => {
                self.keep(1);
                self.end_part();
            }
            b'\\' | 0..=0x1f | 0x7f => return None,
            byte if is_name(byte) => self.word()?,
            _ => {
                self.keep(1);
                self.token();
            }
        }
        Some(true)
    }

    fn word(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let length = rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len());
        let word = rest.get(..length)?;
        // `E'…'`, `date'…'`: what the word makes of the literal is not looked at.
        if matches!(rest.get(length), Some(b'\'' | b'"' | b'&')) {
            return None;
        }
        if self.part.query.is_none() {
            let is = |known: &str| word.eq_ignore_ascii_case(known.as_bytes());
            self.part.query = if QUERIES.iter().any(|known| is(known)) {
                Some(true)
            } else if EXACT.iter().any(|known| is(known)) {
                Some(false)
            } else {
                return None;
            };
        }
        self.keep(length);
        self.token();
        Some(())
    }

    /// `'…'`, with quotes doubled inside; backslashes are refused.
    fn literal(&mut self) -> Option<()> {
        let query = self.part.query?;
        let start = self.at;
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..)?;
            let stop = rest.iter().position(|byte| matches!(byte, b'\'' | b'\\' | 0))?;
            if rest.get(stop) != Some(&b'\'') {
                return None;
            }
            self.at += stop + 1;
            if self.nth(0) != Some(b'\'') {
                break;
            }
            self.at += 1;
        }
        if query {
            self.replace(start, TEXT)?;
        }
        self.token();
        Some(())
    }

    /// Digits, perhaps with a fraction; whatever else can be a number has no shape.
    fn number(&mut self) -> Option<()> {
        let query = self.part.query?;
        let rest = self.text.get(self.at..)?;
        let digits = |from: usize| {
            rest.iter().skip(from).position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len() - from)
        };
        let whole = digits(0);
        let (length, kind) = match (rest.get(whole), rest.get(whole + 1)) {
            (Some(b'.'), Some(b'0'..=b'9')) => (whole + 1 + digits(whole + 1), DECIMAL),
            _ => (whole, integer(rest.get(..whole)?)?),
        };
        let joined =
            rest.get(length).is_some_and(|byte| is_name(*byte) || matches!(byte, b'.' | b'\'' | b'"'));
        let behind = self.at.checked_sub(1).and_then(|at| self.text.get(at));
        if joined || length > DIGITS_MAX || behind == Some(&b'.') {
            return None;
        }
        let start = self.at;
        self.keep(length);
        if query {
            self.replace(start, kind)?;
        }
        self.token();
        Some(())
    }

    /// `$1`; a dollar sign that may open a literal has no shape.
    fn parameter(&mut self) -> Option<()> {
        let rest = self.text.get(self.at + 1..)?;
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        if length == 0 || rest.get(length).is_some_and(|byte| is_name(*byte)) {
            return None;
        }
        self.keep(1 + length);
        self.token();
        Some(())
    }

    fn quoted_name(&mut self) -> Option<()> {
        let rest = self.text.get(self.at + 1..)?;
        // A doubled quote is a name that begins where another ends: the bytes kept are the same.
        let length = rest.iter().position(|byte| *byte == b'"')?;
        if rest.get(..length)?.iter().any(|byte| *byte < b' ' || *byte == b'\\') {
            return None;
        }
        self.keep(length + 2);
        self.token();
        Some(())
    }

    fn line_comment(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.comment(length, LINE_COMMENT)
    }

    /// A comment that holds the beginning of another has no shape.
    fn block_comment(&mut self) -> Option<()> {
        let rest = self.text.get(self.at + 2..)?;
        let length = rest.windows(2).position(|two| two == b"*/")?;
        if rest.get(..length + 1)?.windows(2).any(|two| two == b"/*") {
            return None;
        }
        self.comment(length + 4, BLOCK_COMMENT)
    }

    fn comment(&mut self, length: usize, kind: u8) -> Option<()> {
        let body = self.text.get(self.at..self.at + length)?;
        if body.iter().any(|byte| matches!(byte, b'\r' | 0)) {
            return None;
        }
        let start = self.at;
        self.keep(length);
        self.replace(start, kind)
    }
}

/// What a server makes of digits alone; `None` where it is more than 64 bits hold.
fn integer(digits: &[u8]) -> Option<u8> {
    let value: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if i32::try_from(value).is_ok() { INTEGER } else { LONG })
}

/// Letters of names; of those outside ASCII the bytes.
fn is_name(byte: u8) -> bool {
    !byte.is_ascii() || continues_name(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        let mut key = Vec::new();
        shape(text, &mut key)?;
        let shown = key.iter().map(|byte| match *byte {
            TEXT => 'T',
            INTEGER => 'N',
            DECIMAL => 'D',
            LINE_COMMENT => 'L',
            BLOCK_COMMENT => 'C',
            LONG => 'B',
            byte => char::from(byte).to_ascii_lowercase(),
        });
        Some(shown.collect())
    }

    #[test]
    fn literals_of_queries_and_comments_are_left_out() {
        for (text, shape) in [
            ("select 'it''s', 12, 1.5 from t1 -- x", "select T, N, D from t1 L"),
            ("/* a */ select $1, a[2], -3", "C select $1, a[N], -N"),
            ("set x to 'y 1'; select 1", "set x to 'y 1'; select N"),
            ("select \"a'b\", ''", "select \"a'b\", T"),
            ("select 2147483647, 2147483648, 9223372036854775807", "select N, B, B"),
        ] {
            assert_eq!(of(text).as_deref(), Some(shape), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise_has_no_shape() {
        for text in [
            "select E'a'",
            "select 'a\\'",
            "select $$a$$",
            "select 1e5",
            "select 12ab",
            "select .5",
            "select 1.",
            "select /* /* */ */ 1",
            "select 'a",
            "select \"a",
            "select date'2020-01-01'",
            "select 1\r",
            "explain select 1",
            "select -- a\rfrom t",
            "'a'",
            "select U&'x'",
            "select 9223372036854775808",
            "select \u{1}",
            "vacuum",
        ] {
            assert_eq!(of(text), None, "{text:?}");
        }
    }

    #[test]
    fn statements_stand_between_semicolons_without_what_is_behind_them() {
        let text = " select 1 ; ;-- x\nselect ';' /* end */; ";
        let spans = shape(text, &mut Vec::new()).unwrap();
        let own: Vec<&str> =
            spans.iter().map(|span| text.get(span.start..span.end).unwrap().trim()).collect();
        assert_eq!(own, ["select 1", "-- x\nselect ';'"]);
    }
}
