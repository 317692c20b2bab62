//! Forms that the servers take and sqlparser lacks, put into ones it has with the same facts.
//!
//! Words are left out or exchanged token by token; a form that does not fit exactly stays as it is, and
//! the parser refuses it.

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

    /// `ON CONFLICT (…) WHERE … DO`: which index is meant changes no fact.
    fn conflict(&mut self, open: usize) {
        if !self.is_mark(open, '(') {
            return;
        }
        let Some(close) = self.closing(open) else { return };
        if self.keyword(close + 1) != Some("where") {
            return;
        }
        let rest = self.tokens.iter().skip(close).take(REACH);
        let Some(end) = rest.clone().position(|token| token.keyword() == Some("do")) else { return };
        if !rest.take(end).any(|token| matches!(token.keyword(), Some("select" | "with" | "values"))) {
            self.leave(close + 1, close + end);
        }
    }

    /// CASE without brackets holds neither calls nor queries: it says what a constant says.
    fn case(&mut self, at: usize) {
        let mut depth = 0_usize;
        for (n, token) in self.tokens.iter().enumerate().skip(at).take(REACH) {
            let named = self.is_behind_mark(n, &['.']);
            match (&token.kind, token.keyword()) {
                (_, Some("case")) if !named => depth += 1,
                (_, Some("end")) if !named => depth -= 1,
                (Kind::Mark('(' | ')' | '[' | ';'), _)
                | (_, Some("select" | "from" | "into" | "union" | "table" | "values" | "with" | "as")) => {
                    return;
                }
                _ => {}
            }
            if depth == 0 {
                let whens = self.tokens.get(at..n).unwrap_or_default();
                if whens.iter().any(|token| token.keyword() == Some("when")) {
                    self.leave(at, n + 1);
                    self.put(at, Edit::Words(&["null"]));
                }
                return;
            }
        }
    }

    fn is_literal(&self, at: usize) -> bool {
        let literal = self.tokens.get(at).map(|token| &token.kind);
        matches!(literal, Some(Kind::Number(_) | Kind::Text { .. } | Kind::Param(_)))
    }

    /// `IN (1, 2, 3)` says what `IN (1)` says. Gives where the literals end.
    fn literals(&mut self, at: usize) -> usize {
        let mut end = at + 1;
        if !self.is_literal(at) {
            return at;
        }
        while self.is_mark(end, ',') && self.is_literal(end + 1) && !self.goes_on(end + 2) {
            self.leave(end, end + 2);
            end += 2;
        }
        end
    }

    /// Whether what stands here goes on with the expression before it.
    fn goes_on(&self, at: usize) -> bool {
        !self.is_mark(at, ',') && !self.is_mark(at, ')')
    }

    /// Rows of literals alone behind the first of their kind.
    fn rows(&mut self, open: usize) {
        let mut end = self.literals(open + 1);
        while self.is_mark(end, ')') && self.is_mark(end + 1, ',') && self.is_mark(end + 2, '(') {
            let row = end + 1;
            let close = self.literals(end + 3);
            if close == end + 3 || !self.is_mark(close, ')') {
                return;
            }
            self.leave(row, close + 1);
            end = close;
        }
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

    /// `SET col[1] = …`: an element is assigned to as its column is.
    fn assignments(&mut self, mut at: usize) {
        while matches!(self.tokens.get(at).map(|token| &token.kind), Some(Kind::Word { .. }))
            && self.is_mark(at + 1, '[')
        {
            let Some(end) = self.closing(at + 1) else { return };
            let inside = self.tokens.get(at + 1..end).unwrap_or_default();
            if inside.iter().any(|token| token.is_mark('(')) {
                return;
            }
            self.leave(at + 1, end + 1);
            let comma = self.tokens.iter().skip(end).take(REACH).position(|token| token.is_mark(','));
            let Some(comma) = comma else { return };
            at = end + comma + 1;
        }
    }

    /// Redshift takes `(1 as one) + 1`.
    fn inner_alias(&mut self, at: usize) {
        if !self.is_mark(at + 2, ')') {
            return;
        }
        let near = at.saturating_sub(50);
        let before = self.tokens.get(near..at).unwrap_or_default();
        let Some(open) = before.iter().rposition(|token| token.is_mark('(')) else { return };
        let open = near + open;
        let called = open.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(|token| {
            matches!(token.kind, Kind::Word { .. }) && token.keyword() != Some("select")
        });
        let inside = self.tokens.get(open + 1..at).unwrap_or_default();
        let plain = inside.iter().all(|token| {
            !token.is_mark(')') && !matches!(token.keyword(), Some("select" | "from" | "with" | "values"))
        });
        if plain && !called && !inside.is_empty() {
            self.leave(at, at + 2);
        }
    }

    /// `substring(a FROM b FOR c)`, which sqlparser does not know in FROM.
    fn substring(&mut self, open: usize) {
        let Some(close) = self.closing(open) else { return };
        let mut depth = 0_usize;
        for at in open + 1..close {
            let Some(token) = self.tokens.get(at) else { return };
            match (&token.kind, token.keyword()) {
                (Kind::Mark('(' | '['), _) => depth += 1,
                (Kind::Mark(')' | ']'), _) => depth = depth.saturating_sub(1),
                (_, Some("from" | "for")) if depth == 0 => self.put(at, Edit::Comma),
                _ => {}
            }
        }
    }

    /// SEARCH and CYCLE of a recursive query add columns and nothing else.
    fn recursion(&mut self, at: usize, word: &str) {
        let end = match word {
            "search" => self.behind_search(at),
            _ => self.behind_cycle(at),
        };
        if let Some(end) = end {
            self.leave(at, end);
        }
    }

    fn behind_search(&self, at: usize) -> Option<usize> {
        let kind =
            self.are(at + 1, &["depth", "first", "by"]) || self.are(at + 1, &["breadth", "first", "by"]);
        let names = kind.then(|| self.behind_names(at + 4))??;
        (self.keyword(names) == Some("set")).then(|| self.behind_name(names + 1))?
    }

    fn behind_cycle(&self, at: usize) -> Option<usize> {
        let mut end = self.behind_names(at + 1)?;
        if self.keyword(end) != Some("set") {
            return None;
        }
        end = self.behind_name(end + 1)?;
        if self.keyword(end) == Some("to") {
            let literals = [end + 1, end + 3];
            let plain = literals.iter().all(|at| {
                matches!(
                    self.tokens.get(*at).map(|token| &token.kind),
                    Some(Kind::Text { .. } | Kind::Number(_) | Kind::Word { .. })
                )
            });
            if !plain || self.keyword(end + 2) != Some("default") {
                return None;
            }
            end += 4;
        }
        (self.keyword(end) == Some("using")).then(|| self.behind_name(end + 1))?
    }

    /// Which rows of a frame a window function leaves out.
    fn frame(&mut self, at: usize) {
        for words in [&["current", "row"][..], &["group"], &["ties"], &["no", "others"]] {
            if self.are(at + 1, words) && self.is_mark(at + 1 + words.len(), ')') {
                self.leave(at, at + 1 + words.len());
            }
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
