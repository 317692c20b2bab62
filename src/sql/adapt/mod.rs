//! Forms that the servers take and sqlparser lacks, put into ones it has with the same facts.
//!
//! Words are left out or exchanged token by token; a form that does not fit exactly stays as it is, and
//! the parser refuses it.

mod forms;

use super::NotUnderstood;
use super::lex::{Kind, Token};

/// What becomes of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Keep,
    Leave,
    /// These words in its place.
    Words(&'static [&'static str]),
    Comma,
    /// The same word, which the parser would take for more than a name.
    Name,
}

/// Tokens that are looked at for the end of one form: a text of many beginnings stays linear.
const REACH: usize = 2_000;

struct Adapter<'a> {
    tokens: &'a [Token],
    edits: Vec<Edit>,
}

/// An edit for each token.
pub(super) fn adapt(tokens: &[Token]) -> Result<Vec<Edit>, NotUnderstood> {
    let mut adapter = Adapter { tokens, edits: vec![Edit::Keep; tokens.len()] };
    for (at, token) in tokens.iter().enumerate() {
        if adapter.edits.get(at) != Some(&Edit::Keep) {
            continue;
        }
        if let Some(word) = token.keyword() {
            adapter.word(at, word)?;
        } else if let Kind::Op(op) = &token.kind
            && op == "*"
        {
            adapter.star(at);
        }
    }
    Ok(adapter.edits)
}

impl Adapter<'_> {
    fn keyword(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).and_then(Token::keyword)
    }

    fn before(&self, at: usize) -> Option<&str> {
        at.checked_sub(1).and_then(|at| self.keyword(at))
    }

    fn is_mark(&self, at: usize, mark: char) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_mark(mark))
    }

    fn is_behind_mark(&self, at: usize, marks: &[char]) -> bool {
        at.checked_sub(1).is_some_and(|at| marks.iter().any(|mark| self.is_mark(at, *mark)))
    }

    fn are(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| self.keyword(at + n) == Some(word))
    }

    fn leave(&mut self, from: usize, to: usize) {
        if let Some(edits) = self.edits.get_mut(from..to) {
            edits.fill(Edit::Leave);
        }
    }

    fn put(&mut self, at: usize, edit: Edit) {
        if let Some(place) = self.edits.get_mut(at) {
            *place = edit;
        }
    }

    /// Behind a name of one or more parts that begins at `at`.
    fn behind_name(&self, mut at: usize) -> Option<usize> {
        loop {
            if !matches!(self.tokens.get(at)?.kind, Kind::Word { .. }) {
                return None;
            }
            at += 1;
            if !self.is_mark(at, '.') {
                return Some(at);
            }
            at += 1;
        }
    }

    /// Behind names with commas between them.
    fn behind_names(&self, at: usize) -> Option<usize> {
        let mut end = self.behind_name(at)?;
        while self.is_mark(end, ',') {
            end = self.behind_name(end + 1)?;
        }
        Some(end)
    }

    /// Where the bracket that opens at `at` closes.
    fn closing(&self, at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for (n, token) in self.tokens.iter().enumerate().skip(at).take(REACH) {
            match token.kind {
                Kind::Mark('(' | '[') => depth += 1,
                Kind::Mark(')' | ']') => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(n);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn word(&mut self, at: usize, word: &str) -> Result<(), NotUnderstood> {
        match word {
            "only" => return self.only(at),
            // It only changes how an aggregate is computed.
            "approximate" if matches!(self.keyword(at + 1), Some("count" | "percentile_disc")) => {
                self.leave(at, at + 1)
            }
            "variadic" if self.is_behind_mark(at, &['(', ',']) && !self.is_mark(at + 1, ')') => {
                self.leave(at, at + 1);
            }
            "isnull" if !self.is_mark(at + 1, '(') && self.ends_operand(at) => {
                self.put(at, Edit::Words(&["is", "null"]));
            }
            "notnull" if !self.is_mark(at + 1, '(') && self.ends_operand(at) => {
                self.put(at, Edit::Words(&["is", "not", "null"]));
            }
            "in" if self.is_mark(at + 1, '(') => {
                self.literals(at + 2);
            }
            "values" if self.is_mark(at + 1, '(') => self.rows(at + 1),
            "case" if self.before(at) != Some("as") && !self.is_behind_mark(at, &['.']) => self.case(at),
            "overriding" if self.overrides(at) => self.leave(at, at + 3),
            "conflict" if self.before(at) == Some("on") => self.conflict(at + 1),
            // Whichever row the cursor stands on, it is a row of the same table.
            "current" if self.before(at) == Some("where") && self.keyword(at + 1) == Some("of") => {
                if let Some(end) = self.behind_name(at + 2) {
                    self.leave(at, end);
                    self.put(at, Edit::Words(&["true"]));
                }
            }
            "no" if self.before(at) == Some("for") && self.are(at + 1, &["key", "update"]) => {
                self.leave(at, at + 2);
            }
            "key" if self.before(at) == Some("for") && self.keyword(at + 1) == Some("share") => {
                self.leave(at, at + 1);
            }
            "interval" if !self.is_interval(at) => self.put(at, Edit::Name),
            "of" if self.locks(at) => {
                if let Some(end) = self.behind_names(at + 1) {
                    self.leave(at, end);
                }
            }
            "from" => self.from(at),
            "join" => self.bracketed(at + 1),
            "table" => self.table(at),
            "set" => self.assignments(at + 1),
            "as" => self.inner_alias(at),
            "substring" if self.is_mark(at + 1, '(') => self.substring(at + 1),
            "search" | "cycle" if self.is_behind_mark(at, &[')']) || self.is_behind_left(at) => {
                self.recursion(at, word);
            }
            "exclude" => self.frame(at),
            _ => {}
        }
        Ok(())
    }

    /// Whether INTERVAL begins a literal or is a type; otherwise it is a name.
    fn is_interval(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let typed = before.is_some_and(|before| {
            before.keyword() == Some("as") || matches!(&before.kind, Kind::Op(op) if op == "::")
        });
        let next = self.tokens.get(at + 1).map(|next| &next.kind);
        typed || matches!(next, Some(Kind::Text { .. } | Kind::Number(_) | Kind::Param(_) | Kind::Mark('(')))
    }

    /// Behind FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE or FOR KEY SHARE.
    fn locks(&self, at: usize) -> bool {
        let before = at.checked_sub(2).and_then(|at| self.keyword(at));
        matches!(self.before(at), Some("update" | "share")) && matches!(before, Some("for" | "key"))
    }

    fn is_behind_left(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|at| self.edits.get(at)) == Some(&Edit::Leave)
    }

    fn overrides(&self, at: usize) -> bool {
        matches!(self.keyword(at + 1), Some("system" | "user")) && self.keyword(at + 2) == Some("value")
    }

    /// ONLY before a relation's name, which sqlparser would take for the name itself.
    fn only(&mut self, at: usize) -> Result<(), NotUnderstood> {
        let before = matches!(self.before(at), Some("from" | "join" | "update" | "into" | "table" | "using"));
        if !before && !self.is_behind_mark(at, &[',']) {
            return Ok(());
        }
        let Some(next) = self.tokens.get(at + 1).filter(|next| !next.is_mark('(')) else {
            let offset = self.tokens.get(at).map_or(0, |token| token.start);
            return Err(NotUnderstood { reason: "ONLY before a bracket".to_owned(), offset });
        };
        if matches!(next.kind, Kind::Word { .. }) {
            self.leave(at, at + 1);
        }
        Ok(())
    }

    fn ends_operand(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(|token| {
            matches!(
                token.kind,
                Kind::Word { .. }
                    | Kind::Number(_)
                    | Kind::Text { .. }
                    | Kind::Param(_)
                    | Kind::Mark(')' | ']')
            ) && !matches!(token.keyword(), Some("select" | "where" | "and" | "or" | "not" | "as" | "by"))
        })
    }

    /// Redshift takes a comma before FROM, and brackets around one table.
    fn from(&mut self, at: usize) {
        if self.is_behind_mark(at, &[',']) {
            self.leave(at - 1, at);
        }
        self.bracketed(at + 1);
    }

    fn bracketed(&mut self, at: usize) {
        if self.is_mark(at, '(')
            && let Some(end) = self.behind_name(at + 1)
            && self.is_mark(end, ')')
        {
            self.leave(at, at + 1);
            self.leave(end, end + 1);
        }
    }

    /// `TABLE name` where a query may stand.
    fn table(&mut self, at: usize) {
        let opens = at == 0
            || self.is_behind_mark(at, &['(', ')'])
            || matches!(
                self.before(at),
                Some("as" | "union" | "intersect" | "except" | "minus" | "all" | "distinct")
            );
        let named = matches!(self.tokens.get(at + 1).map(|next| &next.kind), Some(Kind::Word { .. }));
        if opens && named && !matches!(self.keyword(at + 1), Some("from" | "where")) {
            self.put(at, Edit::Words(&["select", "*", "from"]));
        }
    }

    /// `(row).*`, and `table *`, which is the table with its heirs.
    fn star(&mut self, at: usize) {
        if self.is_behind_mark(at, &['.']) && self.is_behind_mark(at - 1, &[')', ']']) {
            self.leave(at - 1, at + 1);
            return;
        }
        let ends = self.tokens.get(at + 1).is_none_or(|next| {
            next.is_mark(',')
                || next.is_mark(')')
                || matches!(next.keyword(), Some("where" | "set" | "using" | "returning" | "as"))
        });
        let mut start = at;
        while start > 0
            && matches!(
                self.tokens.get(start - 1).map(|token| &token.kind),
                Some(Kind::Word { .. } | Kind::Mark('.'))
            )
            && !matches!(self.keyword(start - 1), Some("from" | "join" | "update" | "only"))
        {
            start -= 1;
        }
        let target = matches!(self.before(start), Some("from" | "join" | "update" | "only"));
        if ends && target && self.behind_name(start) == Some(at) {
            self.leave(at, at + 1);
        }
    }
}
