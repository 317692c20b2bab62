//! Tollgate's tokens to sqlparser's tree: sqlparser never sees the text, so it cannot lex it otherwise.

use sqlparser::ast;
use sqlparser::dialect::{Dialect, PostgreSqlDialect, RedshiftSqlDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token as Parsed, Tokenizer};

use super::adapt::{Edit, adapt};
use super::lex::{Kind, StringForm, Token};
use super::{NotUnderstood, TextBounds};

/// Parses one query or data-modifying statement; other kinds are not this function's to read.
pub(super) fn parse(tokens: &[Token], bounds: &TextBounds) -> Result<ast::Statement, NotUnderstood> {
    let offset = tokens.first().map_or(0, |token| token.start);
    if let Ok(statement) = parse_as(&RedshiftSqlDialect {}, hand_over(tokens)?, bounds) {
        return Ok(statement);
    }
    let parsed = parse_as(&PostgreSqlDialect {}, hand_over(tokens)?, bounds);
    parsed.map_err(|reason| NotUnderstood { reason, offset })
}

fn parse_as(
    dialect: &dyn Dialect,
    tokens: Vec<Parsed>,
    bounds: &TextBounds,
) -> Result<ast::Statement, String> {
    let limit = bounds.depth_max.saturating_mul(4).saturating_add(50);
    let mut parser = Parser::new(dialect).with_recursion_limit(limit).with_tokens(tokens);
    let statement = parser.parse_statement().map_err(|error| told(&error.to_string()))?;
    match parser.peek_token().token {
        Parsed::EOF => Ok(statement),
        other => Err(format!("unexpected `{}`", cut(&other.to_string()))),
    }
}

fn told(error: &str) -> String {
    let plain = error.strip_prefix("sql parser error: ").unwrap_or(error);
    format!("not a statement that is understood: {}", cut(plain))
}

/// Parser messages quote the text: they are kept short.
fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}

fn hand_over(tokens: &[Token]) -> Result<Vec<Parsed>, NotUnderstood> {
    let mut handed = Vec::with_capacity(tokens.len());
    let mut before: Option<&Token> = None;
    for (token, edit) in tokens.iter().zip(adapt(tokens)?) {
        let behind_dot = before.replace(token).is_some_and(|before| before.is_mark('.'));
        match edit {
            // Behind a dot every word is a name.
            Edit::Keep => handed.push(match (&token.kind, behind_dot) {
                (Kind::Word { value, .. }, true) => Parsed::make_word(value, Some('"')),
                _ => hand_one(token)?,
            }),
            Edit::Leave => {}
            Edit::Comma => handed.push(Parsed::Comma),
            Edit::Words(words) => handed.extend(words.iter().map(|word| match *word {
                "*" => Parsed::Mul,
                word => Parsed::make_word(word, None),
            })),
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
