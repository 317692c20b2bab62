//! The frontend's messages (PostgreSQL documentation, 55.7), decoded only as far as Tollgate acts on them.

use std::str;

/// What Describe and Close speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    Statement(&'a str),
    Portal(&'a str),
}

/// One whole frame of a client in session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frontend<'a> {
    Query(&'a str),
    Parse {
        name: &'a str,
        text: &'a str,
        /// Count and OIDs as they stand in the frame.
        types: &'a [u8],
    },
    Bind {
        portal: &'a str,
        statement: &'a str,
        /// Parameter formats and values as they stand in the frame, without the result formats.
        parameters: &'a [u8],
    },
    Describe(Target<'a>),
    Execute {
        portal: &'a str,
        /// 0 = all.
        rows_max: i32,
    },
    Close(Target<'a>),
    Flush,
    Sync,
    CopyData,
    CopyDone,
    CopyFail,
    Terminate,
    /// The fastpath call of a function by OID.
    FunctionCall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageFault {
    #[error("invalid frontend message type {0}")]
    UnknownTag(u8),
    #[error("invalid message format")]
    Layout,
    #[error("invalid byte sequence for encoding \"UTF8\"")]
    Encoding,
}

/// Decodes one frame whose body is complete.
pub fn decode(tag: u8, body: &[u8]) -> Result<Frontend<'_>, MessageFault> {
    let mut reader = Reader(body);
    let message = match tag {
        b'Q' => Frontend::Query(reader.text()?),
        b'P' => parse(&mut reader)?,
        b'B' => bind(&mut reader)?,
        b'D' => Frontend::Describe(target(&mut reader)?),
        b'E' => Frontend::Execute { portal: reader.text()?, rows_max: reader.int32()? },
        b'C' => Frontend::Close(target(&mut reader)?),
        b'H' => Frontend::Flush,
        b'S' => Frontend::Sync,
        b'X' => Frontend::Terminate,
        b'c' => Frontend::CopyDone,
        // Their bodies are the client's own and go on as they are.
        b'd' => return Ok(Frontend::CopyData),
        b'f' => return Ok(Frontend::CopyFail),
        b'F' => return Ok(Frontend::FunctionCall),
        unknown => return Err(MessageFault::UnknownTag(unknown)),
    };
    if reader.0.is_empty() { Ok(message) } else { Err(MessageFault::Layout) }
}

fn parse<'a>(reader: &mut Reader<'a>) -> Result<Frontend<'a>, MessageFault> {
    let (name, text) = (reader.text()?, reader.text()?);
    let types = reader.0;
    let count = reader.count()?;
    reader.take(count * 4)?;
    Ok(Frontend::Parse { name, text, types })
}

fn bind<'a>(reader: &mut Reader<'a>) -> Result<Frontend<'a>, MessageFault> {
    let (portal, statement) = (reader.text()?, reader.text()?);
    let start = reader.0;
    let formats = reader.count()?;
    reader.take(formats * 2)?;
    for _ in 0..reader.count()? {
        // -1 is NULL and has no bytes.
        match reader.int32()? {
            -1 => {}
            bytes => {
                reader.take(usize::try_from(bytes).map_err(|_| MessageFault::Layout)?)?;
            }
        }
    }
    let parameters = start.get(..start.len() - reader.0.len()).ok_or(MessageFault::Layout)?;
    let results = reader.count()?;
    reader.take(results * 2)?;
    Ok(Frontend::Bind { portal, statement, parameters })
}

fn target<'a>(reader: &mut Reader<'a>) -> Result<Target<'a>, MessageFault> {
    match reader.take(1)? {
        b"S" => Ok(Target::Statement(reader.text()?)),
        b"P" => Ok(Target::Portal(reader.text()?)),
        _ => Err(MessageFault::Layout),
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], MessageFault> {
        let (value, rest) = self.0.split_at_checked(bytes).ok_or(MessageFault::Layout)?;
        self.0 = rest;
        Ok(value)
    }

    /// A text up to its NUL; what stands behind the NUL is not part of it.
    fn text(&mut self) -> Result<&'a str, MessageFault> {
        let end = self.0.iter().position(|&b| b == 0).ok_or(MessageFault::Layout)?;
        let value = self.take(end)?;
        self.take(1)?;
        str::from_utf8(value).map_err(|_| MessageFault::Encoding)
    }

    fn int32(&mut self) -> Result<i32, MessageFault> {
        let bytes = self.take(4)?.first_chunk::<4>().ok_or(MessageFault::Layout)?;
        Ok(i32::from_be_bytes(*bytes))
    }

    /// An int16 that counts what follows; PostgreSQL reads it unsigned.
    fn count(&mut self) -> Result<usize, MessageFault> {
        let bytes = self.take(2)?.first_chunk::<2>().ok_or(MessageFault::Layout)?;
        Ok(usize::from(u16::from_be_bytes(*bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_the_protocol_lays_them_out() {
        assert_eq!(decode(b'Q', b"select 1\0"), Ok(Frontend::Query("select 1")));
        let types = b"\0\x01\0\0\0\x17";
        assert_eq!(
            decode(b'P', b"s\0select $1\0\0\x01\0\0\0\x17"),
            Ok(Frontend::Parse { name: "s", text: "select $1", types })
        );
        let bind = b"\0s\0\0\x01\0\0\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\0";
        assert_eq!(
            decode(b'B', bind),
            Ok(Frontend::Bind { portal: "", statement: "s", parameters: &bind[3..18] })
        );
        assert_eq!(decode(b'E', b"p\0\0\0\0\x05"), Ok(Frontend::Execute { portal: "p", rows_max: 5 }));
        assert_eq!(decode(b'D', b"Sx\0"), Ok(Frontend::Describe(Target::Statement("x"))));
        assert_eq!(decode(b'C', b"P\0"), Ok(Frontend::Close(Target::Portal(""))));
        assert_eq!(decode(b'S', b""), Ok(Frontend::Sync));
    }

    #[test]
    fn bytes_behind_the_first_text_of_a_query_are_refused() {
        assert_eq!(decode(b'Q', b"select 1\0drop table x\0"), Err(MessageFault::Layout));
    }

    #[test]
    fn counts_that_lie_are_refused() {
        assert_eq!(decode(b'P', b"s\0select 1\0\0\x02\0\0\0\x17"), Err(MessageFault::Layout));
        assert_eq!(decode(b'B', b"\0s\0\0\0\xff\xff\0\0"), Err(MessageFault::Layout));
        assert_eq!(decode(b'B', b"\0s\0\0\0\0\x01\x7f\xff\xff\xffx\0\0"), Err(MessageFault::Layout));
        assert_eq!(decode(b'B', b"\0s\0\0\0\0\x01\xff\xff\xff\xfe\0\0"), Err(MessageFault::Layout));
    }

    #[test]
    fn short_empty_and_unknown_messages_are_refused() {
        for (tag, body) in [
            (b'Q', &b""[..]),
            (b'Q', b"no end"),
            (b'E', b"p\0\0\0"),
            (b'D', b""),
            (b'C', b""),
            (b'D', b"Xx\0"),
            (b'S', b"x"),
        ] {
            assert_eq!(decode(tag, body), Err(MessageFault::Layout), "{}", tag as char);
        }
        assert_eq!(decode(b'z', b""), Err(MessageFault::UnknownTag(b'z')));
        assert_eq!(decode(b'Q', b"\xff\0"), Err(MessageFault::Encoding));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(tag: u8, body: Vec<u8>) {
            let _ = decode(tag, &body);
        }
    }
}
