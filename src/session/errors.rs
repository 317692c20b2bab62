//! Reading and mending the server's ErrorResponse bodies: fields of a type byte and a text.

use bytes::{BufMut, Bytes, BytesMut};

/// The fields of an ErrorResponse or NoticeResponse body; ends early where the body does.
pub fn fields(body: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (&kind, tail) = rest.split_first()?;
        if kind == 0 {
            return None;
        }
        let end = tail.iter().position(|&b| b == 0)?;
        let (value, after) = tail.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The SQLSTATE of an error body; `XX000` where it has none.
pub fn sqlstate(body: &[u8]) -> String {
    field(body, b'C').unwrap_or_else(|| "XX000".to_owned())
}

/// Whether the server ends the connection with this error.
pub(super) fn ends_session(body: &[u8]) -> bool {
    let severity = field(body, b'V').or_else(|| field(body, b'S'));
    severity.is_some_and(|severity| severity == "FATAL" || severity == "PANIC")
}

fn field(body: &[u8], wanted: u8) -> Option<String> {
    fields(body)
        .find(|(kind, _)| *kind == wanted)
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

/// The error of an EXPLAIN as the statement's own: its position counted in the client's text, `shift`
/// characters further.
pub(super) fn shifted(body: &[u8], shift: i64) -> Bytes {
    let mut out = BytesMut::with_capacity(body.len() + 8);
    out.put_u8(b'E');
    out.put_i32(0);
    for (kind, value) in fields(body) {
        out.put_u8(kind);
        let position = (kind == b'P')
            .then(|| std::str::from_utf8(value).ok()?.parse::<i64>().ok())
            .flatten()
            .map(|position| position.saturating_add(shift).max(1));
        match position {
            Some(position) => out.extend_from_slice(position.to_string().as_bytes()),
            None => out.extend_from_slice(value),
        }
        out.put_u8(0);
    }
    out.put_u8(0);
    let length = i32::try_from(out.len() - 1).unwrap_or(i32::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(1..5) {
        place.copy_from_slice(&length);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_shifted_and_nothing_else() {
        let body = b"SERROR\0C42P01\0Mrelation \"x\" does not exist\0P23\0\0";
        let out = shifted(body, -8);
        assert_eq!(&out[5..], b"SERROR\0C42P01\0Mrelation \"x\" does not exist\0P15\0\0");
        assert_eq!(i32::from_be_bytes(out[1..5].try_into().unwrap()) as usize, out.len() - 1);
    }

    #[test]
    fn a_body_without_sqlstate_has_the_internal_one() {
        assert_eq!(sqlstate(b"Mno\0\0"), "XX000");
        assert_eq!(sqlstate(b""), "XX000");
        assert_eq!(sqlstate(b"C42501"), "XX000");
    }

    #[test]
    fn fatal_errors_are_known_by_their_severity() {
        assert!(ends_session(b"SFATAL\0VFATAL\0C57P01\0\0"));
        assert!(ends_session(b"SFATAL\0C57P01\0\0"));
        assert!(!ends_session(b"SERROR\0VERROR\0\0"));
    }
}
