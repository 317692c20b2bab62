//! What Tollgate itself says to a client or to the upstream, as frames.

use bytes::{BufMut, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::response::{CommandComplete, ErrorResponse, NoticeResponse};

use super::startup::Minor;
use crate::refusal::Refusal;

/// The text that stands in for a refused statement upstream: no server reads it as SQL, so it fails and
/// leaves the transaction as a failed statement does.
pub const POISON: &str = "tollgate: refused";

/// How bad an error is; `Fatal` ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Fatal,
}

/// ErrorResponse of a refusal.
pub fn error(out: &mut BytesMut, severity: Severity, refusal: &Refusal) {
    let name = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    let mut fields = vec![
        (b'S', name.to_owned()),
        (b'V', name.to_owned()),
        (b'C', refusal.sqlstate.to_owned()),
        (b'M', plain(&refusal.message)),
    ];
    fields.extend(refusal.detail.as_deref().map(|text| (b'D', plain(text))));
    fields.extend(refusal.hint.as_deref().map(|text| (b'H', plain(text))));
    fields.extend(refusal.position.map(|position| (b'P', position.to_string())));
    encode(out, &ErrorResponse::new(fields));
}

/// NoticeResponse with severity NOTICE.
pub fn notice(out: &mut BytesMut, sqlstate: &str, message: &str, hint: Option<&str>) {
    let mut fields = vec![
        (b'S', "NOTICE".to_owned()),
        (b'V', "NOTICE".to_owned()),
        (b'C', sqlstate.to_owned()),
        (b'M', plain(message)),
    ];
    fields.extend(hint.map(|text| (b'H', plain(text))));
    encode(out, &NoticeResponse::new(fields));
}

pub fn command_complete(out: &mut BytesMut, tag: &str) {
    encode(out, &CommandComplete::new(plain(tag)));
}

pub fn ready(out: &mut BytesMut, status: u8) {
    frame(out, b'Z', |body| body.put_u8(status));
}

/// A simple query, towards the upstream.
pub fn query(out: &mut BytesMut, text: &str) {
    frame(out, b'Q', |body| put_text(body, text));
}

/// Parse, towards the upstream; `types` as in the client's own Parse (count and OIDs).
pub fn parse(out: &mut BytesMut, name: &str, text: &str, types: &[u8]) {
    frame(out, b'P', |body| {
        put_text(body, name);
        put_text(body, text);
        body.extend_from_slice(types);
    });
}

/// Bind with the client's own parameters, the result as text.
pub fn bind(out: &mut BytesMut, portal: &str, statement: &str, parameters: &[u8]) {
    frame(out, b'B', |body| {
        put_text(body, portal);
        put_text(body, statement);
        body.extend_from_slice(parameters);
        body.put_i16(0);
    });
}

pub fn execute(out: &mut BytesMut, portal: &str) {
    frame(out, b'E', |body| {
        put_text(body, portal);
        body.put_i32(0);
    });
}

/// Close of a statement (`S`) or portal (`P`).
pub fn close(out: &mut BytesMut, kind: u8, name: &str) {
    frame(out, b'C', |body| {
        body.put_u8(kind);
        put_text(body, name);
    });
}

pub fn flush(out: &mut BytesMut) {
    frame(out, b'H', |_| {});
}

pub fn sync(out: &mut BytesMut) {
    frame(out, b'S', |_| {});
}

pub fn terminate(out: &mut BytesMut) {
    frame(out, b'X', |_| {});
}

pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    frame(out, b'S', |body| {
        put_text(body, name);
        put_text(body, value);
    });
}

pub fn backend_key(out: &mut BytesMut, process_id: i32, secret: &[u8]) {
    frame(out, b'K', |body| {
        body.put_i32(process_id);
        body.extend_from_slice(secret);
    });
}

/// Authentication with its code and data: 0 ok, 3 cleartext, 10–12 SASL.
pub fn authentication(out: &mut BytesMut, code: i32, data: &[u8]) {
    frame(out, b'R', |body| {
        body.put_i32(code);
        body.extend_from_slice(data);
    });
}

/// NegotiateProtocolVersion: the version that is spoken, major and minor, and the options that are not.
pub fn negotiate(out: &mut BytesMut, minor: Minor, options: &[String]) {
    frame(out, b'v', |body| {
        body.put_i32(minor.version());
        body.put_i32(i32::try_from(options.len()).unwrap_or(i32::MAX));
        for option in options {
            put_text(body, option);
        }
    });
}

/// One frame whose length is filled in when its body is written.
fn frame(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let at = out.len();
    out.put_i32(0);
    body(out);
    let length = i32::try_from(out.len() - at).unwrap_or(i32::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length);
    }
}

fn encode<M: Message>(out: &mut BytesMut, message: &M) {
    let start = out.len();
    // Encoding texts without NUL into memory cannot fail; a half-written frame must not go out all the same.
    if message.encode(out).is_err() {
        out.truncate(start);
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.put_u8(0);
}

/// Text without NUL, which would end the field early.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_carry_their_length() {
        let mut out = BytesMut::new();
        ready(&mut out, b'I');
        query(&mut out, "x");
        assert_eq!(&out[..], b"Z\0\0\0\x05IQ\0\0\0\x06x\0");
    }

    #[test]
    fn a_refusal_shows_message_detail_and_hint() {
        let mut out = BytesMut::new();
        let refusal = Refusal::fault("42501", "no").with_detail("who").with_hint("what");
        error(&mut out, Severity::Error, &refusal);
        assert_eq!(&out[5..], b"SERROR\0VERROR\0C42501\0Mno\0Dwho\0Hwhat\0\0");
        assert_eq!(out[4] as usize, out.len() - 1);
    }
}
