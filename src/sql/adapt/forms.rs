//! Forms that go over more than a word or two.

use super::{Adapter, Edit, REACH};
use crate::sql::lex::Kind;

impl Adapter<'_> {
    /// CASE without brackets holds neither calls nor queries: it says what a constant says.
    pub(super) fn case(&mut self, at: usize) {
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
    pub(super) fn literals(&mut self, at: usize) -> usize {
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
    pub(super) fn rows(&mut self, open: usize) {
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

    /// `ON CONFLICT (…) WHERE … DO`: which index is meant changes no fact.
    pub(super) fn conflict(&mut self, open: usize) {
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

    /// `substring(a FROM b FOR c)`, which sqlparser does not know in FROM.
    pub(super) fn substring(&mut self, open: usize) {
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
    pub(super) fn recursion(&mut self, at: usize, word: &str) {
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
    pub(super) fn frame(&mut self, at: usize) {
        for words in [&["current", "row"][..], &["group"], &["ties"], &["no", "others"]] {
            if self.are(at + 1, words) && self.is_mark(at + 1 + words.len(), ')') {
                self.leave(at, at + 1 + words.len());
            }
        }
    }

    /// Redshift takes `(1 as one) + 1`.
    pub(super) fn inner_alias(&mut self, at: usize) {
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

    /// `SET col[1] = …`: an element is assigned to as its column is.
    pub(super) fn assignments(&mut self, mut at: usize) {
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
}
