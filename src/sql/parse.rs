//! Tollgate's tokens to sqlparser's tree: sqlparser never sees the text, so it cannot lex it otherwise.

use sqlparser::ast;
use sqlparser::dialect::{Dialect, PostgreSqlDialect, RedshiftSqlDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Span, Token as Parsed, TokenWithSpan, Tokenizer};

use super::adapt::{Edit, adapt};
use super::lex::{Kind, StringForm, Token};
use super::{NotUnderstood, TextBounds};

/// Characters of a parser's reason.
const REASON_MAX: usize = 120;

/// A tree, and what of its text it has to account for.
pub(super) struct Tree {
    pub(super) statement: ast::Statement,
    /// Words FROM that were handed over.
    pub(super) froms: usize,
}

/// Parses one query or data-modifying statement; other kinds are not this function's to read.
pub(super) fn parse(tokens: &[Token], bounds: &TextBounds) -> Result<Tree, NotUnderstood> {
    let end = tokens.last().map_or(0, |token| token.end);
    let handed = hand_over(tokens)?;
    let froms = count_froms(&handed);
    let as_redshift = match parse_as(&RedshiftSqlDialect {}, handed, end, bounds) {
        Ok(statement) => return Ok(Tree { statement, froms }),
        Err(fault) => fault,
    };
    match parse_as(&PostgreSqlDialect {}, hand_over(tokens)?, end, bounds) {
        Ok(statement) => Ok(Tree { statement, froms }),
        // Whichever came further tells more.
        Err(fault) if fault.offset >= as_redshift.offset => Err(fault),
        Err(_) => Err(as_redshift),
    }
}

/// Words FROM that are no column's name.
fn count_froms(handed: &[TokenWithSpan]) -> usize {
    let is = |at: usize, keyword| {
        handed.get(at).is_some_and(|it| matches!(&it.token, Parsed::Word(word) if word.keyword == keyword))
    };
    let named = |at: usize| at.checked_sub(1).is_some_and(|before| is(before, Keyword::AS));
    (0..handed.len()).filter(|&at| is(at, Keyword::FROM) && !named(at)).count()
}

/// The tree of tokens of which the last ends at `end`.
fn parse_as(
    dialect: &dyn Dialect,
    tokens: Vec<TokenWithSpan>,
    end: usize,
    bounds: &TextBounds,
) -> Result<ast::Statement, NotUnderstood> {
    let limit = bounds.depth_max.saturating_mul(4).saturating_add(50);
    let mut parser = Parser::new(dialect).with_recursion_limit(limit).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().map_err(|error| told(&error.to_string(), end))?;
    let rest = parser.peek_token();
    match rest.token {
        Parsed::EOF => Ok(statement),
        _ => Err(NotUnderstood {
            reason: "expected the statement's end".to_owned(),
            offset: offset_of(rest.span.start.column).unwrap_or(end),
        }),
    }
}

/// Where a token stands, as its parser tells it in errors: it knows lines and columns only.
fn place(offset: usize) -> Span {
    let start = Location::new(1, u64::try_from(offset).unwrap_or(u64::MAX).saturating_add(1));
    Span::new(start, start)
}

fn offset_of(column: u64) -> Option<usize> {
    usize::try_from(column.checked_sub(1)?).ok()
}

/// A parser's error without what it quotes of the text: that may be a secret, and is shown by its place.
fn told(error: &str, end: usize) -> NotUnderstood {
    let plain = error.strip_prefix("sql parser error: ").unwrap_or(error);
    let (plain, place) = plain.rsplit_once(" at Line: 1, Column: ").unwrap_or((plain, ""));
    let offset = place.parse().ok().and_then(offset_of).unwrap_or(end);
    let reason = match plain.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: ")) {
        Some((wanted, _)) => format!("expected {wanted}"),
        None => before_quoted(plain).to_owned(),
    };
    NotUnderstood { reason: reason.chars().take(REASON_MAX).collect(), offset }
}

fn before_quoted(error: &str) -> &str {
    let quoted = [error.find(['\'', '"', '`', '(']), error.find("found")].into_iter().flatten().min();
    error.get(..quoted.unwrap_or(error.len())).unwrap_or_default().trim_end_matches([' ', ','])
}

fn hand_over(tokens: &[Token]) -> Result<Vec<TokenWithSpan>, NotUnderstood> {
    let mut handed = Vec::with_capacity(tokens.len());
    let mut before: Option<&Token> = None;
    for (token, edit) in tokens.iter().zip(adapt(tokens)?) {
        let behind_dot = before.replace(token).is_some_and(|before| before.is_mark('.'));
        let span = place(token.start);
        let mut hand = |parsed| handed.push(TokenWithSpan::new(parsed, span));
        match edit {
            // Behind a dot every word is a name.
            Edit::Keep => hand(match (&token.kind, behind_dot) {
                (Kind::Word { value, .. }, true) => Parsed::make_word(value, Some('"')),
                _ => hand_one(token)?,
            }),
            Edit::Name => hand(match &token.kind {
                Kind::Word { value, .. } => Parsed::make_word(value, Some('"')),
                _ => hand_one(token)?,
            }),
            Edit::Leave => {}
            Edit::Comma => hand(Parsed::Comma),
            Edit::Words(words) => words.iter().for_each(|word| {
                hand(match *word {
                    "*" => Parsed::Mul,
                    word => Parsed::make_word(word, None),
                });
            }),
        }
    }
    Ok(handed)
}

fn hand_one(token: &Token) -> Result<Parsed, NotUnderstood> {
    Ok(match &token.kind {
        Kind::Word { value, quoted } => Parsed::make_word(value, quoted.then_some('"')),
        Kind::Text { value, form } => match form {
            StringForm::Plain | StringForm::Ambiguous | StringForm::Escaped | StringForm::Dollar => {
                Parsed::SingleQuotedString(value.clone())
            }
            StringForm::Bits => Parsed::SingleQuotedByteStringLiteral(value.clone()),
            StringForm::Hex => Parsed::HexStringLiteral(value.clone()),
        },
        Kind::Number(digits) => Parsed::Number(digits.clone(), false),
        Kind::Param(name) => Parsed::Placeholder(name.clone()),
        Kind::Op(op) => return operator(op, token.start),
        Kind::Mark(mark) => match mark {
            '(' => Parsed::LParen,
            ')' => Parsed::RParen,
            '[' => Parsed::LBracket,
            ']' => Parsed::RBracket,
            ',' => Parsed::Comma,
            '.' => Parsed::Period,
            _ => Parsed::SemiColon,
        },
    })
}

fn operator(op: &str, offset: usize) -> Result<Parsed, NotUnderstood> {
    let refuse = || NotUnderstood { reason: format!("the operator `{op}`"), offset };
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, op).tokenize().map_err(|_| refuse())?;
    match <[Parsed; 1]>::try_from(tokens) {
        Ok([token]) if !matches!(token, Parsed::Whitespace(_)) => Ok(token),
        Ok(_) | Err(_) => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_quotes_nothing_of_the_text() {
        let cases = [
            ("Expected: ), found: 'a, found: b' at Line: 1, Column: 4", "expected )", 3),
            ("Expect a char, found \"ab\" at Line: 1, Column: 3", "Expect a char", 2),
            (
                "Expected a simple procedure call but found: f('ab') at Line: 1, Column: 1",
                "Expected a simple procedure call but",
                0,
            ),
            ("Could not parse 'ab' as u64: invalid digit at Line: 1, Column: 2", "Could not parse", 1),
            (
                "No infix parser for token SingleQuotedString(\"ab\") at Line: 1, Column: 2",
                "No infix parser for token SingleQuotedString",
                1,
            ),
            ("COPY without FROM or TO", "COPY without FROM or TO", 9),
        ];
        for (error, reason, offset) in cases {
            let error = format!("sql parser error: {error}");
            assert_eq!(told(&error, 9), NotUnderstood { reason: reason.to_owned(), offset }, "{error}");
        }
    }
}
