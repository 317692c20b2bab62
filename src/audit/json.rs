//! JSON as the log writes it: without blanks, fields in the order given.

use uuid::Uuid;

/// A field's key as it stands behind another field.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(super) use key;

/// Appends JSON to what is there; keys come with the comma before them, see [`key`].
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    #[inline]
    pub(super) fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    #[inline]
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.raw(key);
        self.string(value);
    }

    /// A word of the contract, which has nothing to escape.
    #[inline]
    pub(super) fn word(&mut self, key: &str, value: &'static str) {
        self.raw(key);
        self.raw("\"");
        self.raw(value);
        self.raw("\"");
    }

    pub(super) fn optional(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    #[inline]
    pub(super) fn null(&mut self, key: &str) {
        self.raw(key);
        self.raw("null");
    }

    #[inline]
    pub(super) fn truth(&mut self, key: &str, value: bool) {
        self.raw(key);
        self.raw(if value { "true" } else { "false" });
    }

    #[inline]
    pub(super) fn number(&mut self, key: &str, value: u64) {
        self.raw(key);
        self.digits(value);
    }

    pub(super) fn digits(&mut self, value: u64) {
        self.raw(itoa::Buffer::new().format(value));
    }

    /// Six digits.
    pub(super) fn micros(&mut self, micros: u32) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(micros.min(999_999));
        self.raw("000000".get(digits.len()..).unwrap_or_default());
        self.raw(digits);
    }

    pub(super) fn id(&mut self, key: &str, id: Uuid) {
        self.raw(key);
        self.raw("\"");
        self.raw(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        self.raw("\"");
    }

    pub(super) fn float(&mut self, key: &str, value: Option<f64>) {
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                self.raw(key);
                self.raw(&value.to_string());
            }
            None => self.null(key),
        }
    }

    pub(super) fn list<S: AsRef<str>>(&mut self, key: &str, values: impl IntoIterator<Item = S>) {
        self.raw(key);
        self.raw("[");
        for (n, value) in values.into_iter().enumerate() {
            if n > 0 {
                self.raw(",");
            }
            self.string(value.as_ref());
        }
        self.raw("]");
    }

    pub(super) fn string(&mut self, value: &str) {
        self.raw("\"");
        let mut rest = value;
        while let Some(at) = first_escaped(rest.as_bytes()) {
            // What is escaped is ASCII, so that both sides of it are whole letters.
            let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.raw(plain);
            let mut letters = from.chars();
            match letters.next() {
                Some('"') => self.raw("\\\""),
                Some('\\') => self.raw("\\\\"),
                Some('\n') => self.raw("\\n"),
                Some('\r') => self.raw("\\r"),
                Some('\t') => self.raw("\\t"),
                Some(control) => self.raw(&format!("\\u{:04x}", u32::from(control))),
                None => {}
            }
            rest = letters.as_str();
        }
        self.raw(rest);
        self.raw("\"");
    }
}

/// Where the first byte stands that JSON does not take as it is.
fn first_escaped(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let (words, _) = bytes.as_chunks::<8>();
    // Eight at once: a borrow shows in the high bit of a byte below what is taken from it (Hacker's Delight, 6-1).
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word;
    let plain = |word: &&[u8; 8]| {
        let word = u64::from_ne_bytes(**word);
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        (below(word, 0x20) | is(b'"') | is(b'\\')) & HIGH == 0
    };
    let plain = 8 * words.iter().take_while(plain).count();
    let escaped = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
    bytes.iter().skip(plain).position(escaped).map(|at| plain + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_escapes_is_found_wherever_it_stands() {
        for byte in 0..=255 {
            for at in 0..20 {
                let mut text = [b'\x7f'; 20];
                text[at] = byte;
                let escaped = byte < b' ' || byte == b'"' || byte == b'\\';
                assert_eq!(first_escaped(&text), escaped.then_some(at), "{byte} at {at}");
            }
        }
    }
}
