//! One name for all statements that differ only in literals, comments, blanks and case.

use std::fmt::Write as _;

use super::lex::{Kind, Token, lex};

/// 16 hexadecimal digits of SHA-256 over the text without its literals; a text that is not
/// understood is hashed as it stands.
pub fn fingerprint(text: &str) -> String {
    match lex(text) {
        Ok(tokens) => of_tokens(&tokens),
        Err(_) => hashed(text),
    }
}

/// The same of a text's tokens.
pub(super) fn of_tokens(tokens: &[Token]) -> String {
    let mut plain = String::with_capacity(tokens.len() * 8);
    for token in tokens {
        match &token.kind {
            Kind::Word { value, quoted: true } => {
                plain.push('"');
                plain.push_str(value);
                plain.push('"');
            }
            Kind::Word { value, .. } => plain.push_str(value),
            Kind::Text { .. } | Kind::Number(_) | Kind::Param(_) => plain.push('?'),
            Kind::Op(op) => plain.push_str(op),
            Kind::Mark(mark) => plain.push(*mark),
        }
        plain.push(' ');
    }
    hashed(&plain)
}

fn hashed(plain: &str) -> String {
    let plain = plain.trim_end_matches([' ', ';']);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, plain.as_bytes());
    digest.as_ref().iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
