//! Cutting frames: one tag byte, an int32 length that counts itself, the body.

/// Tag and length of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub tag: u8,
    /// Bytes of the body, without tag and length.
    pub body_bytes: usize,
}

impl Header {
    /// Bytes of tag and length.
    pub const BYTES: usize = 5;

    /// Bytes of the whole frame.
    pub const fn frame_bytes(self) -> usize {
        Self::BYTES + self.body_bytes
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    #[error("message length {length} is below the 4 bytes of the length itself")]
    Short { length: i32 },
    #[error("message of {body_bytes} bytes is over the bound of {bytes_max}")]
    TooLong { body_bytes: usize, bytes_max: usize },
}

/// The header at the front of `buffer`; `Ok(None)` needs more bytes. Takes no view on the body's size:
/// see [`Header::within`].
pub fn header(buffer: &[u8]) -> Result<Option<Header>, FrameFault> {
    let Some((&tag, rest)) = buffer.split_first() else { return Ok(None) };
    let Some(&length) = rest.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(length);
    match usize::try_from(length).ok().and_then(|bytes| bytes.checked_sub(4)) {
        Some(body_bytes) => Ok(Some(Header { tag, body_bytes })),
        None => Err(FrameFault::Short { length }),
    }
}

impl Header {
    /// Checked before the body is awaited, so that no client decides how much memory is taken.
    pub const fn within(self, bytes_max: usize) -> Result<Self, FrameFault> {
        if self.body_bytes > bytes_max {
            return Err(FrameFault::TooLong { body_bytes: self.body_bytes, bytes_max });
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_from_its_five_bytes() {
        assert_eq!(header(b"Q\0\0\0\x0cselect 1").unwrap(), Some(Header { tag: b'Q', body_bytes: 8 }));
    }

    #[test]
    fn a_part_of_a_header_waits_for_more() {
        for bytes in [&b""[..], b"Q", b"Q\0\0\0"] {
            assert_eq!(header(bytes), Ok(None));
        }
    }

    #[test]
    fn a_length_below_four_or_negative_is_refused() {
        assert_eq!(header(b"Q\0\0\0\x03"), Err(FrameFault::Short { length: 3 }));
        assert_eq!(header(b"Q\xff\xff\xff\xff"), Err(FrameFault::Short { length: -1 }));
    }

    #[test]
    fn a_frame_over_the_cap_is_refused_before_its_body_arrives() {
        let huge = header(b"Q\x7f\xff\xff\xff").unwrap().unwrap();
        assert!(matches!(huge.within(1024), Err(FrameFault::TooLong { bytes_max: 1024, .. })));
    }
}
