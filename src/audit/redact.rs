//! Secrets out of SQL texts, on a best-effort basis even where a text does not lex.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

const MASK: &str = "'***'";
const NAMES: [&str; 9] = [
    "password",
    "credentials",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "aws_access_key_id",
    "aws_secret_access_key",
    "token",
    "identified",
];

/// What stands in every text with a secret's name; most have none of it.
static SIGNS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let signs = ["password", "credentials", "access_key", "token", "identified"];
    AhoCorasick::builder().ascii_case_insensitive(true).build(signs).ok()
});

/// The text with every literal that follows a secret's name replaced by `'***'`.
///
/// Quotes inside comments, names and other literals open nothing: they cannot hide what follows them.
pub fn redact(sql: &str) -> Cow<'_, str> {
    // Without a literal there is nothing to mask.
    if !(sql.contains('\'') || sql.contains('$')) || SIGNS.as_ref().is_some_and(|signs| !signs.is_match(sql))
    {
        return Cow::Borrowed(sql);
    }
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(c) = rest(sql, at).chars().next() {
        let next = skip_blanks(sql, at);
        if next > at {
            at = next;
            continue;
        }
        let literal = literal_end(sql, at);
        let end = if let Some(end) = literal {
            end
        } else if c == '"' {
            rest(sql, at + 1).find('"').map_or(sql.len(), |close| at + close + 2)
        } else if is_word(c) {
            at + rest(sql, at).find(|c| !is_word(c)).unwrap_or(rest(sql, at).len())
        } else {
            at + c.len_utf8()
        };
        let word = sql.get(at..end).unwrap_or_default();
        let mut go_on = end;
        let secret = if literal.is_some() {
            // Key and value pairs stand inside one literal.
            let lower = word.to_ascii_lowercase();
            let pair = ["secret_access_key=", "session_token=", "token=", "password="];
            pair.iter().any(|key| lower.contains(key)).then_some((at, end))
        } else if NAMES.iter().any(|name| word.eq_ignore_ascii_case(name)) {
            secret_after(sql, end)
        } else {
            None
        };
        if let Some((from, to)) = secret {
            out.push_str(sql.get(copied..from).unwrap_or_default());
            out.push_str(MASK);
            copied = to;
            go_on = to;
        }
        at = go_on;
    }
    if copied == 0 {
        return Cow::Borrowed(sql);
    }
    out.push_str(rest(sql, copied));
    Cow::Owned(out)
}

fn rest(sql: &str, at: usize) -> &str {
    sql.get(at..).unwrap_or_default()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Start and end of the value after a secret's name.
fn secret_after(sql: &str, end: usize) -> Option<(usize, usize)> {
    let mut at = skip_blanks(sql, end);
    loop {
        let tail = rest(sql, at);
        if tail.starts_with(['=', ':']) {
            at = skip_blanks(sql, at + 1);
        } else if let Some(word) = ["by", "as", "to"].into_iter().find(|word| starts_with_word(tail, word)) {
            at = skip_blanks(sql, at + word.len());
        } else {
            break;
        }
    }
    if let Some(mut to) = literal_end(sql, at) {
        // A concatenation is one value.
        loop {
            let mut next = skip_blanks(sql, to);
            if rest(sql, next).starts_with("||") {
                next = skip_blanks(sql, next + 2);
            }
            match literal_end(sql, next) {
                Some(end) => to = end,
                None => return Some((at, to)),
            }
        }
    }
    None
}

fn starts_with_word(tail: &str, word: &str) -> bool {
    tail.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
        && !rest(tail, word.len()).starts_with(is_word)
}

fn skip_blanks(sql: &str, mut at: usize) -> usize {
    loop {
        let tail = rest(sql, at);
        let blank = tail.len() - tail.trim_start().len();
        let comment = if tail.starts_with("--") {
            tail.find('\n').unwrap_or(tail.len())
        } else if tail.starts_with("/*") {
            tail.find("*/").map_or(tail.len(), |end| end + 2)
        } else {
            0
        };
        if blank + comment == 0 {
            return at;
        }
        at += blank.max(comment);
    }
}

/// The end of the literal that starts at `at`; the text's end where it is not closed.
fn literal_end(sql: &str, at: usize) -> Option<usize> {
    let tail = rest(sql, at);
    if tail.starts_with('$') {
        let close = rest(tail, 1).find('$')? + 2;
        let tag = tail.get(..close)?;
        let end = rest(tail, close).find(tag).map_or(tail.len(), |end| close + end + close);
        return Some(at + end);
    }
    let open = if tail.starts_with('\'') {
        1
    } else if tail.starts_with("e'") || tail.starts_with("E'") {
        2
    } else {
        return None;
    };
    let mut chars = rest(tail, open).char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '\'' if chars.next_if(|(_, next)| *next == '\'').is_none() => {
                return Some(at + open + offset + 1);
            }
            _ => {}
        }
    }
    Some(sql.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_the_rest_stands() {
        for (sql, expected) in [
            ("select 'a'", "select 'a'"),
            ("create user a password 'x''y' createdb", "create user a password '***' createdb"),
            ("COPY t FROM 's3' CREDENTIALS AS 'a'||'b' CSV", "COPY t FROM 's3' CREDENTIALS AS '***' CSV"),
            ("alter user a PASSWORD /* b */ 'secret", "alter user a PASSWORD /* b */ '***'"),
            ("x identified by $$s$$;", "x identified by '***';"),
            ("'aws_secret_access_key=abc;x' ü", "'***' ü"),
            ("select 'password', x from t where y = 'b'", "select 'password', x from t where y = 'b'"),
            ("/* password ' */ drop table x -- '", "/* password ' */ drop table x -- '"),
            ("password E'a\\'b' z", "password '***' z"),
        ] {
            assert_eq!(redact(sql), expected);
        }
    }
}
