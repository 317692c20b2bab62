//! Tokens by PostgreSQL's rules, refused wherever Redshift could read the text otherwise.

use super::NotUnderstood;
use super::escape::{unescape, unicode_escapes};
use super::letters::{continues_name, fold, is_unseen, joins, starts_name};

/// How a literal was written; its value is kept unescaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StringForm {
    Plain,
    /// Ordinary quotes with a backslash inside: its value depends on the server's settings.
    Ambiguous,
    Escaped,
    Dollar,
    Bits,
    Hex,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `value` is folded to lower case (ASCII) but where it is `quoted`, as PostgreSQL does; Redshift folds
    /// those too. Quoted words are never keywords.
    Word {
        value: String,
        quoted: bool,
    },
    Text {
        value: String,
        form: StringForm,
    },
    Number(String),
    /// `$1`
    Param(String),
    Op(String),
    /// One of `( ) [ ] , ; .`
    Mark(char),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Byte offsets into the text.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    /// The keyword this may be: an unquoted word, folded.
    pub(super) fn keyword(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word { value, quoted: false } => Some(value),
            Kind::Word { .. }
            | Kind::Text { .. }
            | Kind::Number(_)
            | Kind::Param(_)
            | Kind::Op(_)
            | Kind::Mark(_) => None,
        }
    }

    pub(super) fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// Cuts the whole text into tokens; comments and blanks fall away.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, NotUnderstood> {
    if let Some(offset) = text.find('\0') {
        return Err(refuse("a NUL byte", offset));
    }
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    while lexer.step()? {}
    let signed = lexer.tokens.windows(3).find(|three| is_signed_call(three));
    match signed.and_then(|three| three.get(1)) {
        Some(token) => Err(refuse("`#` before what may be a call", token.start)),
        None => Ok(lexer.tokens),
    }
}

fn refuse(reason: &str, offset: usize) -> NotUnderstood {
    NotUnderstood { reason: reason.to_owned(), offset }
}

/// `, #f (`: an operator before a call, or a temporary table with its columns.
fn is_signed_call(tokens: &[Token]) -> bool {
    let [comma, Token { kind: Kind::Word { value, .. }, .. }, bracket] = tokens else { return false };
    comma.is_mark(',') && value.starts_with('#') && bracket.is_mark('(')
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

const OPERATOR: &str = "+-*/<>=~!@#%^&|`?";

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn nth(&self, n: usize) -> Option<char> {
        self.rest().chars().nth(n)
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token { kind, start, end: self.at });
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let taken: String = self.rest().chars().take_while(|c| keep(*c)).collect();
        self.at += taken.len();
        taken
    }

    /// Reads one token, comment or run of blanks; false at the end.
    fn step(&mut self) -> Result<bool, NotUnderstood> {
        let start = self.at;
        let Some(c) = self.nth(0) else { return Ok(false) };
        match c {
            ' ' | '\t' | '\n' | '\r' | '\u{c}' | '\u{b}' => self.at += 1,
            '-' if self.nth(1) == Some('-') => {
                self.take_while(|c| c != '\n' && c != '\r');
            }
            '/' if self.nth(1) == Some('*') => self.block_comment()?,
            '\'' => self.ordinary(start)?,
            '"' => {
                self.at += 1;
                let value = self.quoted_name(start)?;
                self.word(value, true, start)?;
            }
            '$' => self.dollar(start)?,
            '(' | ')' | '[' | ']' | ',' | ';' => {
                self.at += 1;
                self.push(Kind::Mark(c), start);
            }
            '.' if !self.nth(1).is_some_and(|c| c.is_ascii_digit()) => {
                self.at += 1;
                self.push(Kind::Mark('.'), start);
            }
            ':' => {
                let op = match self.nth(1) {
                    Some(':') => "::",
                    Some('=') => ":=",
                    _ => ":",
                };
                self.at += op.len();
                self.push(Kind::Op(op.to_owned()), start);
            }
            '0'..='9' | '.' => self.number(start)?,
            '#' if self.nth(1).is_some_and(starts_name) => self.temporary_name(start)?,
            c if OPERATOR.contains(c) => self.operator(start)?,
            c if is_unseen(c) => {
                return Err(refuse("a blank or control character outside ASCII's blanks", start));
            }
            c if starts_name(c) => self.name_or_prefixed(start)?,
            _ => return Err(refuse("a character that starts no token", start)),
        }
        Ok(true)
    }

    /// A comment that ends elsewhere for a server that does not nest them is refused.
    fn block_comment(&mut self) -> Result<(), NotUnderstood> {
        let start = self.at;
        let mut depth = 0_usize;
        let mut first_end = None;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                let behind = *first_end.get_or_insert(self.at);
                if depth > 0 {
                    continue;
                }
                let between = self.text.get(behind..self.at).unwrap_or_default();
                if between.contains(|c: char| !c.is_ascii_whitespace() && c != '*' && c != '/') {
                    return Err(refuse("a comment that ends elsewhere where comments do not nest", start));
                }
                return Ok(());
            } else {
                let Some(c) = rest.chars().next() else { return Err(refuse("a comment without end", start)) };
                self.at += c.len_utf8();
            }
        }
    }

    /// The body of `'…'` from behind its opening quote, under one reading of backslashes.
    fn body(&self, escapes: bool) -> Option<(usize, String)> {
        let mut raw = String::new();
        let mut chars = self.rest().char_indices().peekable();
        while let Some((_, c)) = chars.next() {
            match c {
                '\'' => match chars.peek() {
                    Some((_, '\'')) => {
                        chars.next();
                        raw.push('\'');
                    }
                    Some((next, _)) => return Some((self.at + next, raw)),
                    None => return Some((self.text.len(), raw)),
                },
                '\\' if escapes => {
                    raw.push('\\');
                    raw.push(chars.next()?.1);
                }
                c => raw.push(c),
            }
        }
        None
    }

    /// `'…'` must end at the same byte whether backslashes escape or not.
    fn plain_body(&mut self, start: usize) -> Result<String, NotUnderstood> {
        let bare = self.body(false);
        if self.body(true).map(|(end, _)| end) != bare.as_ref().map(|(end, _)| *end) {
            return Err(refuse("a backslash that moves a literal's end on some servers", start));
        }
        let (end, value) = bare.ok_or_else(|| refuse("a literal without end", start))?;
        self.at = end;
        Ok(value)
    }

    fn text(&mut self, value: String, form: StringForm, start: usize) -> Result<(), NotUnderstood> {
        let gap =
            self.tokens.last().filter(|last| matches!(last.kind, Kind::Text { .. })).map(|last| last.end);
        if let Some(end) = gap {
            let folds = joins(self.text.get(end..start).unwrap_or_default());
            let end = self.at;
            match self.tokens.last_mut() {
                Some(Token {
                    kind: Kind::Text { value: first, form: StringForm::Plain }, end: last, ..
                }) if folds && form == StringForm::Plain => {
                    first.push_str(&value);
                    *last = end;
                    return Ok(());
                }
                _ => return Err(refuse("two literals side by side", start)),
            }
        }
        self.push(Kind::Text { value, form }, start);
        Ok(())
    }

    fn ordinary(&mut self, start: usize) -> Result<(), NotUnderstood> {
        self.at += 1;
        let value = self.plain_body(start)?;
        let form = if value.contains('\\') { StringForm::Ambiguous } else { StringForm::Plain };
        self.text(value, form, start)
    }

    fn quoted_name(&mut self, start: usize) -> Result<String, NotUnderstood> {
        let mut value = String::new();
        loop {
            value.push_str(&self.take_while(|c| c != '"'));
            if self.rest().starts_with("\"\"") {
                value.push('"');
                self.at += 2;
            } else if self.rest().starts_with('"') {
                self.at += 1;
                return Ok(value);
            } else {
                return Err(refuse("a quoted name without end", start));
            }
        }
    }

    fn word(&mut self, value: String, quoted: bool, start: usize) -> Result<(), NotUnderstood> {
        if value.is_empty() {
            return Err(refuse("an empty name", start));
        }
        self.push(Kind::Word { value: if quoted { value } else { fold(&value) }, quoted }, start);
        Ok(())
    }

    fn dollar(&mut self, start: usize) -> Result<(), NotUnderstood> {
        self.at += 1;
        if self.nth(0).is_some_and(|c| c.is_ascii_digit()) {
            let digits = self.take_while(|c| c.is_ascii_digit());
            if self.nth(0).is_some_and(continues_name) {
                return Err(refuse("a name joined to a parameter", start));
            }
            self.push(Kind::Param(format!("${digits}")), start);
            return Ok(());
        }
        let tag = self.take_while(|c| continues_name(c) && c != '$');
        if tag.starts_with(|c: char| c.is_ascii_digit()) || !self.rest().starts_with('$') {
            return Err(refuse("a dollar sign that opens no literal", start));
        }
        self.at += 1;
        let mark = format!("${tag}$");
        let Some(length) = self.rest().find(&mark) else {
            return Err(refuse("a dollar-quoted literal without end", start));
        };
        let value = self.rest().get(..length).unwrap_or_default().to_owned();
        self.at += length + mark.len();
        self.text(value, StringForm::Dollar, start)
    }

    fn number(&mut self, start: usize) -> Result<(), NotUnderstood> {
        let mut digits = self.take_while(|c| c.is_ascii_digit());
        if self.nth(0) == Some('.') && self.nth(1) != Some('.') {
            self.at += 1;
            digits.push('.');
            digits.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        if matches!(self.nth(0), Some('e' | 'E')) {
            let signed = usize::from(matches!(self.nth(1), Some('+' | '-')));
            if self.nth(1 + signed).is_some_and(|c| c.is_ascii_digit()) {
                digits.extend(self.rest().chars().take(1 + signed));
                self.at += 1 + signed;
                digits.push_str(&self.take_while(|c| c.is_ascii_digit()));
            }
        }
        if self.nth(0).is_some_and(|c| continues_name(c) || c == '.') {
            return Err(refuse("a name joined to a number", start));
        }
        self.push(Kind::Number(digits), start);
        Ok(())
    }

    /// `#name` is a temporary table on Redshift and an operator before a name on PostgreSQL: taken for
    /// a name only where no operator can stand.
    fn temporary_name(&mut self, start: usize) -> Result<(), NotUnderstood> {
        let follows = [
            "from", "join", "into", "table", "update", "exists", "using", "only", "analyze", "view", "copy",
            "truncate", "delete", "lock",
        ];
        let fits = self.tokens.last().is_some_and(|last| {
            last.is_mark(',') || last.keyword().is_some_and(|word| follows.contains(&word))
        });
        if !fits {
            return Err(refuse("`#` where a server may read an operator", start));
        }
        self.at += 1;
        let name = self.take_while(continues_name);
        self.word(fold(&format!("#{name}")), true, start)
    }

    fn operator(&mut self, start: usize) -> Result<(), NotUnderstood> {
        let run: String = self.rest().chars().take_while(|c| OPERATOR.contains(*c)).collect();
        let cut = [run.find("--"), run.find("/*")].into_iter().flatten().min().unwrap_or(run.len());
        let mut op = run.get(..cut).unwrap_or_default().to_owned();
        if !op.contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?']) {
            while op.len() > 1 && op.ends_with(['+', '-']) {
                op.pop();
            }
        }
        if op.is_empty() || op.contains('`') {
            return Err(refuse("an operator with a backtick", start));
        }
        self.at += op.len();
        self.push(Kind::Op(op), start);
        Ok(())
    }

    fn name_or_prefixed(&mut self, start: usize) -> Result<(), NotUnderstood> {
        let name = self.take_while(|c| continues_name(c) && !is_unseen(c));
        let rest = self.rest();
        let unicode = matches!(name.as_str(), "u" | "U");
        if unicode && (rest.starts_with("&'") || rest.starts_with("&\"")) {
            return self.unicode(start);
        }
        if !rest.starts_with('\'') {
            return self.word(name, false, start);
        }
        match name.as_str() {
            "e" | "E" => {
                self.at += 1;
                let (end, raw) = self.body(true).ok_or_else(|| refuse("a literal without end", start))?;
                let value = unescape(&raw).ok_or_else(|| refuse("an escape that is not known", start))?;
                self.at = end;
                self.text(value, StringForm::Escaped, start)
            }
            "b" | "B" | "x" | "X" => {
                self.at += 1;
                let value = self.plain_body(start)?;
                if !value.chars().all(|c| c.is_ascii_hexdigit()) {
                    return Err(refuse("a bit string with other than digits", start));
                }
                let form = if name.eq_ignore_ascii_case("b") { StringForm::Bits } else { StringForm::Hex };
                self.text(value, form, start)
            }
            "n" | "N" => self.ordinary(start),
            _ => self.word(name, false, start),
        }
    }

    /// `UESCAPE 'c'` behind a Unicode literal names its escape; without it a backslash is.
    fn uescape(&mut self) -> Result<char, NotUnderstood> {
        let rest = self.rest();
        let behind = rest.trim_ascii_start();
        if !behind.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("uescape")) {
            return Ok('\\');
        }
        let given = behind.get(7..).unwrap_or_default().trim_ascii_start();
        let mut letters = given.chars();
        match (letters.next(), letters.next(), letters.next(), letters.next()) {
            (Some('\''), Some(escape), Some('\''), next)
                if next != Some('\'')
                    && !escape.is_ascii_hexdigit()
                    && !matches!(escape, '+' | '\'' | '"' | '\\')
                    && !escape.is_whitespace() =>
            {
                self.at += rest.len() - given.len() + 2 + escape.len_utf8();
                Ok(escape)
            }
            _ => Err(refuse("a UESCAPE that is not understood", self.at)),
        }
    }

    fn unicode(&mut self, start: usize) -> Result<(), NotUnderstood> {
        let names = self.rest().starts_with("&\"");
        self.at += 2;
        let raw = if names { self.quoted_name(start)? } else { self.plain_body(start)? };
        let escape = self.uescape()?;
        let value = unicode_escapes(&raw, escape)
            .ok_or_else(|| refuse("a Unicode escape that is not known", start))?;
        if names { self.word(value, true, start) } else { self.text(value, StringForm::Escaped, start) }
    }
}
