//! Where frames begin and end, over bytes that come in pieces of any size.

use std::io;

const HEADER_BYTES: usize = 5;
/// The length counts itself.
const LENGTH_BYTES: u32 = 4;

/// Walks the headers of one direction (tag, length) and skips the bodies.
#[derive(Debug, Default)]
pub struct Cutter {
    header: [u8; HEADER_BYTES],
    /// Bytes of the header that have come.
    seen: usize,
    /// Bytes of the body that have yet to come.
    owed: usize,
}

impl Cutter {
    /// Takes the next piece; the number of frames that ended in it.
    pub fn cut(&mut self, mut piece: &[u8]) -> io::Result<usize> {
        let mut ended = 0;
        loop {
            if self.seen == HEADER_BYTES {
                let skipped = self.owed.min(piece.len());
                self.owed -= skipped;
                piece = piece.get(skipped..).unwrap_or_default();
                if self.owed > 0 {
                    return Ok(ended);
                }
                self.seen = 0;
                ended += 1;
            }
            if self.seen == 0
                && let Some((header, rest)) = piece.split_first_chunk::<HEADER_BYTES>()
            {
                self.header = *header;
                self.seen = HEADER_BYTES;
                piece = rest;
            } else {
                let Some((byte, rest)) = piece.split_first() else { return Ok(ended) };
                if let Some(slot) = self.header.get_mut(self.seen) {
                    *slot = *byte;
                }
                self.seen += 1;
                piece = rest;
            }
            if self.seen == HEADER_BYTES {
                self.owed = body(self.header)?;
            }
        }
    }
}

fn body([_, a, b, c, d]: [u8; HEADER_BYTES]) -> io::Result<usize> {
    let length = u32::from_be_bytes([a, b, c, d]);
    let body = length.checked_sub(LENGTH_BYTES).ok_or(io::ErrorKind::InvalidData)?;
    usize::try_from(body).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<u8> {
        [b"Q\0\0\0\x08abcd".as_slice(), b"S\0\0\0\x04", b"Z\0\0\0\x05I"].concat()
    }

    #[test]
    fn frames_are_counted_however_they_are_cut_up() {
        for size in 1..=frames().len() {
            let mut cutter = Cutter::default();
            let ended: usize = frames().chunks(size).map(|piece| cutter.cut(piece).unwrap()).sum();
            assert_eq!(ended, 3, "in pieces of {size}");
        }
    }

    #[test]
    fn a_length_below_its_own_is_refused() {
        assert!(Cutter::default().cut(b"Q\0\0\0\x03").is_err());
    }
}
