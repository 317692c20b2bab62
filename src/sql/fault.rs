//! What is not understood, and where in its text.

use std::num::NonZeroU32;

/// Characters of the text that are shown where it stopped making sense.
const NEAR_MAX: usize = 40;

/// A text that cannot be split or parsed; it is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct NotUnderstood {
    pub reason: String,
    /// Byte offset into the text.
    pub offset: usize,
}

impl NotUnderstood {
    /// For whoever wrote the text: the place as they see it, then the reason.
    pub fn told(&self, text: &str) -> String {
        let (before, rest) = self.parts(text);
        let place = match near(rest) {
            Some(near) => format!("at or near \"{near}\""),
            None => "at its end".to_owned(),
        };
        let line = match before.matches('\n').count() {
            0 => String::new(),
            breaks => format!(" in line {}", breaks.saturating_add(1)),
        };
        format!("this statement is not understood {place}{line}: {}", self.reason)
    }

    /// Characters from the text's first, which is 1 (ErrorResponse, field `P`).
    pub fn position(&self, text: &str) -> NonZeroU32 {
        let before = self.parts(text).0.chars().count();
        NonZeroU32::MIN.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
    }

    /// What stands before the place and what behind it, blanks left out between them.
    fn parts<'a>(&self, text: &'a str) -> (&'a str, &'a str) {
        let rest = text.get(self.offset..).unwrap_or_default().trim_start();
        text.split_at_checked(text.len().saturating_sub(rest.len())).unwrap_or((text, ""))
    }
}

/// The word, literal or sign that a text begins with; `None` at its end.
fn near(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let length = match first {
        '\'' | '"' => text.get(1..)?.find(first).map_or(text.len(), |close| close.saturating_add(2)),
        _ if is_word(first) => text.find(|c| !is_word(c)).unwrap_or(text.len()),
        _ => first.len_utf8(),
    };
    let most = text.char_indices().nth(NEAR_MAX).map_or(text.len(), |(at, _)| at);
    text.get(..length.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, offset: usize) -> (String, u32) {
        let fault = NotUnderstood { reason: "why".to_owned(), offset };
        let told = fault.told(text);
        (
            told.strip_prefix("this statement is not understood ").unwrap().to_owned(),
            fault.position(text).get(),
        )
    }

    #[test]
    fn the_place_is_told_in_the_readers_terms() {
        let cases: [(&str, usize, &str, u32); 9] = [
            ("selec 1", 0, "at or near \"selec\": why", 1),
            ("a\nb\nça d", 4, "at or near \"ça\" in line 3: why", 5),
            ("é é", 3, "at or near \"é\": why", 3),
            ("x 'a b' c", 2, "at or near \"'a b'\": why", 3),
            ("x 'a b", 2, "at or near \"'a b\": why", 3),
            ("x (", 2, "at or near \"(\": why", 3),
            ("x", 1, "at its end: why", 2),
            ("x  ;", 1, "at or near \";\": why", 4),
            ("é", 1, "at its end: why", 2),
        ];
        for (text, offset, place, position) in cases {
            assert_eq!(told(text, offset), (place.to_owned(), position), "{text} at {offset}");
        }
        let long = "x".repeat(1000);
        assert_eq!(told(&long, 0).0, format!("at or near \"{}\": why", "x".repeat(NEAR_MAX)));
    }
}
