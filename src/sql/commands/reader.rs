//! A cursor over one statement's tokens.

use crate::sql::NotUnderstood;
use crate::sql::lex::{Kind, StringForm, Token};

pub(super) struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self { tokens, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn keyword(&self) -> Option<&'a str> {
        self.peek().and_then(Token::keyword)
    }

    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    /// Where the next token stands, or the last one ends.
    pub(super) fn offset(&self) -> usize {
        let next = self.peek().map(|token| token.start);
        next.or(self.tokens.last().map(|token| token.end)).unwrap_or_default()
    }

    pub(super) fn refuse(&self, reason: &str) -> NotUnderstood {
        NotUnderstood { reason: reason.to_owned(), offset: self.offset() }
    }

    /// Takes these keywords if all of them stand here.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let here = self.tokens.get(self.at..).unwrap_or_default();
        let all = words.len() <= here.len()
            && words.iter().zip(here).all(|(word, token)| token.keyword() == Some(word));
        if all {
            self.at += words.len();
        }
        all
    }

    pub(super) fn eat_any(&mut self, words: &[&str]) -> Option<&'a str> {
        let word = self.keyword().filter(|word| words.contains(word))?;
        self.at += 1;
        Some(word)
    }

    pub(super) fn mark(&mut self, mark: char) -> bool {
        let here = self.peek().is_some_and(|token| token.is_mark(mark));
        self.at += usize::from(here);
        here
    }

    pub(super) fn op(&mut self, op: &str) -> bool {
        let here = self.peek().is_some_and(|token| matches!(&token.kind, Kind::Op(found) if found == op));
        self.at += usize::from(here);
        here
    }

    pub(super) fn word(&mut self) -> Result<String, NotUnderstood> {
        match self.peek().map(|token| &token.kind) {
            Some(Kind::Word { value, .. }) => {
                self.at += 1;
                Ok(value.clone())
            }
            _ => Err(self.refuse("something other than a name")),
        }
    }

    /// A name of one or more parts, folded.
    pub(super) fn name(&mut self) -> Result<Vec<String>, NotUnderstood> {
        let mut parts = vec![self.word()?];
        while self.mark('.') {
            parts.push(self.word()?);
        }
        Ok(parts)
    }

    /// The same for what may also be called by a sign: `schema.+`.
    pub(super) fn operator(&mut self) -> Result<Vec<String>, NotUnderstood> {
        let mut parts = Vec::new();
        loop {
            if let Some(Kind::Op(sign)) = self.peek().map(|token| &token.kind) {
                parts.push(sign.clone());
                self.at += 1;
                return Ok(parts);
            }
            parts.push(self.word()?);
            if !self.mark('.') {
                return Ok(parts);
            }
        }
    }

    pub(super) fn names(&mut self) -> Result<Vec<Vec<String>>, NotUnderstood> {
        let mut names = Vec::new();
        loop {
            self.eat(&["only"]);
            names.push(self.name()?);
            self.op("*");
            if !self.mark(',') {
                return Ok(names);
            }
        }
    }

    /// A literal whose value is the same on every server.
    pub(super) fn literal(&mut self) -> Result<String, NotUnderstood> {
        match self.peek().map(|token| &token.kind) {
            Some(Kind::Text {
                value,
                form: StringForm::Plain | StringForm::Escaped | StringForm::Dollar,
            }) => {
                self.at += 1;
                Ok(value.clone())
            }
            Some(Kind::Text { .. }) => Err(self.refuse("a backslash that servers read differently")),
            _ => Err(self.refuse("something other than a literal")),
        }
    }

    pub(super) fn rest(&self) -> &'a [Token] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    pub(super) fn end(&self) -> Result<(), NotUnderstood> {
        if self.peek().is_none() { Ok(()) } else { Err(self.refuse("words behind the statement's end")) }
    }

    /// Takes a bracketed group and gives what stands inside, or `None` if none opens here.
    pub(super) fn brackets(&mut self) -> Option<&'a [Token]> {
        if !self.mark('(') {
            return None;
        }
        let start = self.at;
        let mut depth = 1_usize;
        while let Some(token) = self.peek() {
            depth += usize::from(token.is_mark('('));
            depth -= usize::from(token.is_mark(')'));
            self.at += 1;
            if depth == 0 {
                break;
            }
        }
        self.tokens.get(start..self.at.saturating_sub(1))
    }

    pub(super) fn if_exists(&mut self) {
        let _ = self.eat(&["if", "exists"]) || self.eat(&["if", "not", "exists"]);
    }
}
