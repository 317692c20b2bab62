//! One session that waits: read all the while, so that it is known to live, and what the server says
//! meanwhile reaches the client's welcome.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio_util::io::poll_read_buf;

use crate::transport::Stream;
use crate::warehouse::login::{LoggedIn, LoginFault, parameter};
use crate::wire::{Header, header, reply};

/// Asks a waiting session to come.
pub(super) type Give<S = Stream> = oneshot::Sender<oneshot::Sender<LoggedIn<S>>>;

/// One message of a server that was asked nothing.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
const NOTICES_MAX: usize = 64;
const PARAMETERS_MAX: usize = 256;
/// A farewell that the server does not take is not waited for.
const FAREWELL: Duration = Duration::from_secs(5);

/// The session has ended, or is none to hand out.
#[derive(Debug, PartialEq, Eq)]
struct Ended;

#[derive(Debug)]
pub(super) struct Waiting<S = Stream>(LoggedIn<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Waiting<S> {
    pub fn of(session: LoggedIn<S>) -> Result<Self, LoginFault> {
        let mut waiting = Self(session);
        waiting.hear().map_err(|Ended| LoginFault::Io(io::ErrorKind::UnexpectedEof.into()))?;
        Ok(waiting)
    }

    /// Waits until it is asked for, has grown old, or has ended.
    pub async fn wait(mut self, given: oneshot::Receiver<oneshot::Sender<LoggedIn<S>>>, age: Duration) {
        let asked = tokio::select! {
            biased;
            asked = given => asked,
            Ended = poll_fn(|cx| self.poll_ended(cx)) => return,
            () = tokio::time::sleep(age) => return self.goodbye().await,
        };
        match asked {
            Ok(taker) => {
                if self.lives().await
                    && let Err(left) = taker.send(self.0)
                {
                    Self(left).goodbye().await;
                }
            }
            // Nobody is to have it any more.
            Err(_) => self.goodbye().await,
        }
    }

    /// Ends the session in the protocol's own way.
    pub async fn goodbye(mut self) {
        let mut goodbye = bytes::BytesMut::new();
        reply::terminate(&mut goodbye);
        let stream = &mut self.0.stream;
        let _ = tokio::time::timeout(FAREWELL, async {
            let _ = stream.write_all(&goodbye).await;
            let _ = stream.shutdown().await;
        })
        .await;
    }

    /// Takes in everything that has arrived.
    async fn lives(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.poll_ended(cx).is_pending())).await
    }

    /// Reads until nothing is there; ready when the session is over.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            match poll_read_buf(Pin::new(&mut self.0.stream), cx, &mut self.0.leftover) {
                Poll::Ready(Ok(read)) if read > 0 => {
                    if self.hear() == Err(Ended) {
                        return Poll::Ready(Ended);
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Ended),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What the server says unasked: parameters and notices. An error is its last word.
    fn hear(&mut self) -> Result<(), Ended> {
        let LoggedIn { parameters, notices, leftover, .. } = &mut self.0;
        while let Some(head) = header(leftover).map_err(|_| Ended)? {
            let head = head.within(MESSAGE_BYTES_MAX).map_err(|_| Ended)?;
            if leftover.len() < head.frame_bytes() {
                break;
            }
            let frame = leftover.split_to(head.frame_bytes()).freeze();
            match head.tag {
                b'S' => {
                    let mut body = frame;
                    body.advance(Header::BYTES);
                    let (name, value) = parameter(&body).map_err(|_| Ended)?;
                    let room = parameters.len() < PARAMETERS_MAX;
                    match parameters.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => *known = value,
                        None if room => parameters.push((name, value)),
                        None => return Err(Ended),
                    }
                }
                b'N' if notices.len() < NOTICES_MAX => notices.push(frame),
                _ => return Err(Ended),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use tokio::io::{AsyncReadExt, DuplexStream};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// A session that must not wait for as long as a test.
    async fn waits(
        waiting: Waiting<DuplexStream>,
        given: oneshot::Receiver<oneshot::Sender<LoggedIn<DuplexStream>>>,
        age: Duration,
    ) {
        tokio::time::timeout(Duration::from_secs(30), waiting.wait(given, age)).await.unwrap();
    }

    fn opened() -> (Waiting<DuplexStream>, DuplexStream) {
        let (near, far) = tokio::io::duplex(4096);
        let session = LoggedIn {
            stream: near,
            parameters: vec![("TimeZone".to_owned(), "UTC".to_owned())],
            process_id: 7,
            secret: Bytes::from_static(b"abcd"),
            status: b'I',
            notices: Vec::new(),
            leftover: BytesMut::new(),
        };
        (Waiting::of(session).unwrap(), far)
    }

    #[tokio::test]
    async fn what_the_server_says_meanwhile_is_handed_on() {
        let (waiting, mut far) = opened();
        let notice = b"N\0\0\0\x09Mhi\0\0";
        let said = [&b"S\0\0\0\x11TimeZone\0CET\0"[..], notice, b"S\0\0\0\x08a\0b\0", b"N\0\0"].concat();
        far.write_all(&said).await.unwrap();
        let (give, given) = oneshot::channel();
        let (taker, taken) = oneshot::channel();
        give.send(taker).unwrap();
        waits(waiting, given, LONG).await;
        let session = taken.await.unwrap();
        let parameters: Vec<_> =
            session.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(parameters, [("TimeZone", "CET"), ("a", "b")]);
        assert_eq!(session.notices, [Bytes::from_static(notice)]);
        assert_eq!(&session.leftover[..], b"N\0\0");
    }

    #[tokio::test]
    async fn a_session_that_has_ended_is_not_handed_out() {
        for last in [&b""[..], b"E\0\0\0\x09Mhi\0\0", b"Z\0\0\0\x05I", b"N\x7f\0\0\0"] {
            let (waiting, mut far) = opened();
            far.write_all(last).await.unwrap();
            drop(far);
            let (give, given) = oneshot::channel();
            let (taker, taken) = oneshot::channel();
            give.send(taker).unwrap();
            waits(waiting, given, LONG).await;
            assert!(taken.await.is_err(), "{last:?}");
        }
    }

    #[tokio::test]
    async fn the_end_of_a_session_ends_its_wait() {
        let (waiting, far) = opened();
        let (_give, given) = oneshot::channel();
        drop(far);
        waits(waiting, given, LONG).await;
    }

    #[tokio::test]
    async fn old_unwanted_and_forgotten_sessions_say_goodbye() {
        let (waiting, mut far) = opened();
        let (_give, given) = oneshot::channel();
        waits(waiting, given, Duration::from_millis(1)).await;
        let mut said = Vec::new();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"X\0\0\0\x04");

        let (waiting, mut far) = opened();
        let (give, given) = oneshot::channel();
        drop(give);
        waits(waiting, given, LONG).await;
        said.clear();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"X\0\0\0\x04");
    }
}
