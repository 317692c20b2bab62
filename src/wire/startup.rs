//! What a client sends before it has a session: SSLRequest, GSSENCRequest, CancelRequest, StartupMessage.

use bytes::Bytes;

/// PostgreSQL's own bound for a startup packet (`MAX_STARTUP_PACKET_LENGTH`).
pub const STARTUP_BYTES_MAX: usize = 10_000;

const CANCEL: i32 = 80_877_102;
const SSL: i32 = 80_877_103;
const GSSENC: i32 = 80_877_104;

/// The minor version of protocol 3 that a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minor(u16);

impl Minor {
    /// Of 3.2, the newest.
    pub const MAX: Self = Self(2);

    /// What is spoken with a client that asks for `minor`.
    pub fn of(minor: u16) -> Self {
        Self(minor.min(Self::MAX.0))
    }

    pub const fn number(self) -> u16 {
        self.0
    }

    /// Cancel keys may be longer than 4 bytes from 3.2 on.
    pub fn has_long_keys(self) -> bool {
        self.0 >= 2
    }

    /// The whole version, as the protocol writes it.
    pub fn version(self) -> i32 {
        (3 << 16) | i32::from(self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartupPacket {
    SslRequest,
    GssEncRequest,
    /// The key is 4 bytes in protocol 3.0, 4 to 256 in 3.2.
    Cancel {
        process_id: i32,
        secret: Bytes,
    },
    Startup {
        major: u16,
        minor: u16,
        parameters: Vec<(String, String)>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartupFault {
    #[error("invalid length of startup packet")]
    Length,
    #[error("invalid startup packet layout: {0}")]
    Layout(&'static str),
}

/// The packet at the front of `buffer` and how many bytes it takes; `Ok(None)` needs more.
pub fn packet(buffer: &[u8]) -> Result<Option<(StartupPacket, usize)>, StartupFault> {
    let Some(&length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(length)).map_err(|_| StartupFault::Length)?;
    if !(8..=STARTUP_BYTES_MAX).contains(&length) {
        return Err(StartupFault::Length);
    }
    let Some(body) = buffer.get(4..length) else { return Ok(None) };
    let Some((&code, rest)) = body.split_first_chunk::<4>() else { return Err(StartupFault::Length) };
    let packet = match i32::from_be_bytes(code) {
        SSL if rest.is_empty() => StartupPacket::SslRequest,
        GSSENC if rest.is_empty() => StartupPacket::GssEncRequest,
        SSL | GSSENC => return Err(StartupFault::Length),
        CANCEL => cancel(rest)?,
        version => startup(version, rest)?,
    };
    Ok(Some((packet, length)))
}

fn cancel(body: &[u8]) -> Result<StartupPacket, StartupFault> {
    let Some((&process_id, secret)) = body.split_first_chunk::<4>() else { return Err(StartupFault::Length) };
    if !(4..=256).contains(&secret.len()) {
        return Err(StartupFault::Length);
    }
    Ok(StartupPacket::Cancel {
        process_id: i32::from_be_bytes(process_id),
        secret: Bytes::copy_from_slice(secret),
    })
}

fn startup(version: i32, mut body: &[u8]) -> Result<StartupPacket, StartupFault> {
    let [a, b, c, d] = version.to_be_bytes();
    let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let mut parameters = Vec::new();
    // Other majors have layouts of their own; they are answered by version alone.
    if major != 3 {
        return Ok(StartupPacket::Startup { major, minor, parameters });
    }
    loop {
        let name = text(&mut body)?;
        if name.is_empty() {
            if !body.is_empty() {
                return Err(StartupFault::Layout("expected terminator as last byte"));
            }
            break;
        }
        parameters.push((name, text(&mut body)?));
    }
    Ok(StartupPacket::Startup { major, minor, parameters })
}

fn text(body: &mut &[u8]) -> Result<String, StartupFault> {
    let end = body.iter().position(|&b| b == 0).ok_or(StartupFault::Layout("unterminated text"))?;
    let (value, rest) = body.split_at(end);
    *body = rest.get(1..).unwrap_or_default();
    String::from_utf8(value.to_vec()).map_err(|_| StartupFault::Layout("text is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as i32 + 4).to_be_bytes().to_vec();
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn a_startup_message_is_read_whole() {
        let bytes = framed(b"\0\x03\0\0user\0ana\0database\0dev\0\0");
        let (packet, used) = packet(&bytes).unwrap().unwrap();
        assert_eq!(used, bytes.len());
        let parameters = vec![("user".into(), "ana".into()), ("database".into(), "dev".into())];
        assert_eq!(packet, StartupPacket::Startup { major: 3, minor: 0, parameters });
    }

    #[test]
    fn half_a_packet_waits_for_more() {
        let bytes = framed(b"\0\x03\0\0user\0ana\0\0");
        for end in 0..bytes.len() {
            assert_eq!(packet(&bytes[..end]), Ok(None), "{end} bytes");
        }
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_at_once() {
        for length in [0i32, 7, -1, 10_001, i32::MAX, -1_073_741_824] {
            assert_eq!(packet(&length.to_be_bytes()), Err(StartupFault::Length), "{length}");
        }
    }

    #[test]
    fn a_packet_without_terminator_or_with_more_behind_it_is_refused() {
        assert!(packet(&framed(b"\0\x03\0\0user\0ana\0")).is_err());
        assert!(packet(&framed(b"\0\x03\0\0user\0ana\0\0x")).is_err());
        assert!(packet(&framed(b"\0\x03\0\0user\0\xff\0\0")).is_err());
    }

    #[test]
    fn the_requests_are_told_apart() {
        assert_eq!(packet(&framed(&SSL.to_be_bytes())).unwrap().unwrap().0, StartupPacket::SslRequest);
        assert_eq!(packet(&framed(&GSSENC.to_be_bytes())).unwrap().unwrap().0, StartupPacket::GssEncRequest);
        let mut body = CANCEL.to_be_bytes().to_vec();
        body.extend_from_slice(&[0, 0, 0, 7, 1, 2, 3, 4]);
        let expected = StartupPacket::Cancel { process_id: 7, secret: Bytes::from_static(&[1, 2, 3, 4]) };
        assert_eq!(packet(&framed(&body)).unwrap().unwrap().0, expected);
    }
}
