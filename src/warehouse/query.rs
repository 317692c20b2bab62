//! Questions of Tollgate's own on a session of its own, by the simple protocol.
//!
//! The login is [`super::login`]'s, as on the data path: it knows the digest of Redshift, and sends no
//! password in clear where it must not. Only texts that stand in this source are asked.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::login::LoggedIn;
use crate::transport::Stream;
use crate::wire::{Header, header, reply};

/// One message of an answer: a row with a view's definition is the longest.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryFault {
    /// The session goes on.
    #[error("{message} ({sqlstate})")]
    Refused { sqlstate: String, message: String },
    #[error("the connection to the warehouse failed: {0}")]
    Io(#[from] io::Error),
    #[error("the warehouse sent what is no answer: {0}")]
    Nonsense(&'static str),
}

/// A session that asks one question at a time.
#[derive(Debug)]
pub struct Control<S = Stream> {
    stream: S,
    input: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Control<S> {
    pub fn new(logged_in: LoggedIn<S>) -> Self {
        Self { stream: logged_in.stream, input: logged_in.leftover }
    }

    /// Asks and gives every row of the answer to `take`, in order. Not cancel safe: an answer read in
    /// part, or an error of `take`, leaves a session that can only be dropped.
    pub async fn ask<E: From<QueryFault>>(
        &mut self,
        sql: &str,
        mut take: impl FnMut(Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut question = BytesMut::new();
        reply::query(&mut question, sql);
        self.say(&question).await?;
        let mut refused = None;
        loop {
            let (tag, body) = self.hear().await?;
            match tag {
                b'D' => take(Row::of(&body)?)?,
                b'E' => refused = Some(refusal(&body)),
                b'Z' => return refused.map_or(Ok(()), |fault| Err(E::from(fault))),
                b'T' | b'C' | b'I' | b'N' | b'S' | b'A' => {}
                _ => return Err(QueryFault::Nonsense("an unexpected message").into()),
            }
        }
    }

    /// Ends the session in the protocol's own way; a failure matters no more.
    pub async fn end(mut self) {
        let mut goodbye = BytesMut::new();
        reply::terminate(&mut goodbye);
        let _ = self.say(&goodbye).await;
        let _ = self.stream.shutdown().await;
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), QueryFault> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    async fn hear(&mut self) -> Result<(u8, Bytes), QueryFault> {
        loop {
            let head = header(&self.input).map_err(|_| QueryFault::Nonsense("a malformed message"))?;
            if let Some(head) = head {
                let head =
                    head.within(MESSAGE_BYTES_MAX).map_err(|_| QueryFault::Nonsense("a message too long"))?;
                if self.input.len() >= head.frame_bytes() {
                    let mut frame = self.input.split_to(head.frame_bytes());
                    return Ok((head.tag, frame.split_off(Header::BYTES).freeze()));
                }
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(QueryFault::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// The fields of one row, taken from first to last; texts as the server writes them.
#[derive(Debug)]
pub struct Row<'a> {
    rest: &'a [u8],
}

impl<'a> Row<'a> {
    pub(super) fn of(body: &'a [u8]) -> Result<Self, QueryFault> {
        let (_, rest) = body.split_first_chunk::<2>().ok_or(QueryFault::Nonsense("a short row"))?;
        Ok(Self { rest })
    }

    /// The next field; `None` for NULL.
    pub fn maybe(&mut self) -> Result<Option<&'a str>, QueryFault> {
        let (length, rest) =
            self.rest.split_first_chunk::<4>().ok_or(QueryFault::Nonsense("a row of too few fields"))?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.rest = rest;
            return Ok(None);
        };
        let (value, rest) = rest.split_at_checked(length).ok_or(QueryFault::Nonsense("a short row"))?;
        self.rest = rest;
        std::str::from_utf8(value).map(Some).map_err(|_| QueryFault::Nonsense("a text that is no UTF-8"))
    }

    /// The next field, empty for NULL.
    pub fn text(&mut self) -> Result<&'a str, QueryFault> {
        Ok(self.maybe()?.unwrap_or_default())
    }
}

/// What an ErrorResponse says.
pub(super) fn refusal(body: &[u8]) -> QueryFault {
    let field = |wanted: u8| {
        let mut fields = body.split(|&byte| byte == 0);
        let found = fields.find_map(|field| field.strip_prefix(&[wanted]));
        found.map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    QueryFault::Refused { sqlstate: field(b'C'), message: field(b'M') }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        out.extend_from_slice(body);
        out
    }

    async fn asked(answer: Vec<u8>) -> (Result<(), QueryFault>, Vec<Vec<Option<String>>>) {
        let (near, mut far) = tokio::io::duplex(4096);
        far.write_all(&answer).await.unwrap();
        drop(tokio::spawn(async move { while far.read_u8().await.is_ok() {} }));
        let mut control = Control { stream: near, input: BytesMut::new() };
        let mut rows = Vec::new();
        let outcome = control
            .ask("SELECT", |mut row| {
                rows.push(vec![row.maybe()?.map(str::to_owned), row.maybe()?.map(str::to_owned)]);
                Ok::<_, QueryFault>(())
            })
            .await;
        (outcome, rows)
    }

    #[tokio::test]
    async fn rows_are_read_field_by_field_until_the_server_is_ready() {
        let row = b"\0\x02\0\0\0\x02ab\xff\xff\xff\xff";
        let answer = [message(b'T', b"\0\0"), message(b'D', row), message(b'Z', b"I")].concat();
        let (outcome, rows) = asked(answer).await;
        outcome.unwrap();
        assert_eq!(rows, [[Some("ab".to_owned()), None]]);
    }

    #[tokio::test]
    async fn a_refused_question_tells_the_servers_words() {
        let error = message(b'E', b"SERROR\0C42501\0Mpermission denied\0\0");
        let (outcome, _) = asked([error, message(b'Z', b"I")].concat()).await;
        assert_eq!(outcome.unwrap_err().to_string(), "permission denied (42501)");
    }

    #[tokio::test]
    async fn rows_that_lie_about_their_lengths_are_nonsense() {
        for row in [&b"\0"[..], b"\0\x02", b"\0\x02\0\0\0\x09ab", b"\0\x02\0\0\0\x01\xff\0\0\0\0"] {
            let (outcome, _) = asked(message(b'D', row)).await;
            assert!(matches!(outcome, Err(QueryFault::Nonsense(_))), "{row:?}: {outcome:?}");
        }
        let (outcome, _) = asked(message(b'G', b"")).await;
        assert!(matches!(outcome, Err(QueryFault::Nonsense(_))), "{outcome:?}");
    }
}
