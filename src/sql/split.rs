//! From one text to its statements, and how deep a statement may nest.

use super::NotUnderstood;
use super::lex::{Kind, Token};

/// How large a text may be and how deep it may nest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextBounds {
    pub bytes_max: usize,
    /// Parentheses, brackets and CASE, taken together.
    pub depth_max: usize,
    /// Operators in a row, which build a tree as deep as they are many.
    pub chain_max: usize,
    /// Queries, subqueries and statements of a text, taken together.
    pub queries_max: usize,
}

impl TextBounds {
    /// What a thread's stack of 2 MiB bears.
    pub const DEPTH_CEILING: usize = 400;
    pub const CHAIN_CEILING: usize = 1_500;
}

impl Default for TextBounds {
    fn default() -> Self {
        Self { bytes_max: 16 << 20, depth_max: 200, chain_max: Self::CHAIN_CEILING, queries_max: 5_000 }
    }
}

/// The statements' tokens, in order; empty statements fall away.
pub(super) fn split<'t>(tokens: &'t [Token], bounds: &TextBounds) -> Result<Vec<&'t [Token]>, NotUnderstood> {
    let mut statements = Vec::new();
    let mut queries = 0_usize;
    for part in tokens.split(|token| token.is_mark(';')) {
        if part.is_empty() {
            continue;
        }
        check_shape(part, bounds)?;
        queries += 1 + part.iter().filter(|token| token.keyword() == Some("select")).count();
        if queries > bounds.queries_max {
            let offset = part.first().map_or(0, |token| token.start);
            return Err(NotUnderstood { reason: "a text of too many queries".to_owned(), offset });
        }
        statements.push(part);
    }
    Ok(statements)
}

fn deepens(token: &Token) -> bool {
    match &token.kind {
        Kind::Op(_) => true,
        Kind::Word { value, quoted } => {
            !quoted
                && matches!(
                    value.as_str(),
                    "and"
                        | "or"
                        | "not"
                        | "is"
                        | "like"
                        | "ilike"
                        | "between"
                        | "in"
                        | "similar"
                        | "collate"
                        | "at"
                        | "union"
                        | "intersect"
                        | "except"
                        | "minus"
                        | "isnull"
                        | "notnull"
                        | "escape"
                        | "overlaps"
                        | "operator"
                        | "interval"
                        | "prior"
                        | "any"
                        | "all"
                        | "some"
                        | "explain"
                        | "array"
                        | "select"
                        | "with"
                        | "join"
                )
        }
        Kind::Mark(mark) => *mark == '[',
        Kind::Text { .. } | Kind::Number(_) | Kind::Param(_) => false,
    }
}

fn check_shape(tokens: &[Token], bounds: &TextBounds) -> Result<(), NotUnderstood> {
    let refuse = |reason: &str, offset| Err(NotUnderstood { reason: reason.to_owned(), offset });
    let mut open: Vec<(&Token, usize)> = Vec::new();
    let mut cases = 0_usize;
    let mut run = 0_usize;
    let mut total = 0_usize;
    let mut before: Option<&Token> = None;
    for token in tokens {
        let named = before.is_some_and(|last| last.is_mark('.') || last.keyword() == Some("as"));
        if deepens(token) {
            run += 1;
            total += 1;
        }
        match (&token.kind, token.keyword()) {
            (Kind::Mark('(' | '['), _) => {
                open.push((token, run));
                run = 0;
            }
            (Kind::Mark(mark @ (')' | ']')), _) => {
                let Some((opened, outer)) = open.pop() else {
                    return refuse("a bracket that was not opened", token.start);
                };
                if opened.is_mark('(') != (*mark == ')') {
                    return refuse("a bracket closed by another kind", token.start);
                }
                total -= run;
                run = outer;
            }
            (Kind::Mark(','), _) => {
                total -= run;
                run = 0;
            }
            (_, Some("case")) if !named => cases += 1,
            (_, Some("end")) if !named => cases = cases.saturating_sub(1),
            (_, Some("atomic")) if before.and_then(Token::keyword) == Some("begin") => {
                return refuse("a body written with BEGIN ATOMIC", token.start);
            }
            _ => {}
        }
        if open.len() + cases > bounds.depth_max {
            return refuse("a statement that nests too deep", token.start);
        }
        if total > bounds.chain_max {
            return refuse("an expression with too many operators in a row", token.start);
        }
        before = Some(token);
    }
    match open.last() {
        Some((bracket, _)) => refuse("a bracket that is not closed", bracket.start),
        None => Ok(()),
    }
}
