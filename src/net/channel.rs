//! A stream with its input and output buffers, polled without being split.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Space for one read where the last one filled its own.
const READ_BYTES: usize = 64 * 1024;
/// Space for one read of a stream that says little. It is borrowed from the stack: idle sessions are many,
/// and each waits in a read.
const IDLE_READ_BYTES: usize = 16 * 1024;
/// A buffer that grew beyond this is given back when it is empty.
const KEEP_BYTES: usize = 256 * 1024;
/// The same for a session that waits for its client, which may take hours.
const IDLE_KEEP_BYTES: usize = 1024;

#[derive(Debug)]
pub struct Channel<S> {
    stream: S,
    pub input: BytesMut,
    pub output: BytesMut,
    ended: bool,
    unflushed: bool,
    busy: bool,
    /// The stream's writing side is to be closed when all is out.
    finishing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    /// `input` holds what was already read.
    pub fn new(stream: S, input: BytesMut) -> Self {
        Self {
            stream,
            input,
            output: BytesMut::new(),
            ended: false,
            unflushed: false,
            busy: false,
            finishing: false,
        }
    }

    /// The peer closed its side.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads once. Ready with 0 at the end of the stream. Cancel safe.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.is_empty() && self.input.capacity() > KEEP_BYTES {
            self.input = BytesMut::new();
        }
        let read = if self.busy { self.poll_read_much(cx) } else { self.poll_read_little(cx) };
        let read = ready!(read)?;
        self.busy = read >= if self.busy { READ_BYTES } else { IDLE_READ_BYTES };
        self.ended |= read == 0;
        Poll::Ready(Ok(read))
    }

    fn poll_read_much(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(READ_BYTES);
        poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input)
    }

    fn poll_read_little(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); IDLE_READ_BYTES];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
        self.input.extend_from_slice(space.filled());
        Poll::Ready(Ok(space.filled().len()))
    }

    /// The session waits for its client: what it took to get here is given back.
    pub fn rest(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > IDLE_KEEP_BYTES {
                *buffer = BytesMut::new();
            }
        }
        self.busy = false;
    }

    /// Writes what the output holds, then flushes. Ready when all is out. Cancel safe: what was written is
    /// gone from the output.
    pub fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        if self.finishing {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.finishing = false;
        }
        if self.output.capacity() > KEEP_BYTES {
            self.output = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Writes up to `count` bytes of the front of `from`, without a copy, once its own output is out; the
    /// bytes written. Cancel safe.
    pub fn poll_write_front(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut BytesMut,
        count: usize,
    ) -> Poll<io::Result<usize>> {
        let mut written = 0;
        while let Some(rest) = from.get(..count - written).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(some)) => {
                    from.advance(some);
                    written += some;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if written == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(written))
    }

    /// Nothing follows what the output holds; answers are still read.
    pub fn finish(&mut self) {
        self.finishing = true;
    }

    /// Anything left to write, flush or close.
    pub fn owes(&self) -> bool {
        !self.output.is_empty() || self.unflushed || self.finishing
    }

    /// Reads once. Cancel safe.
    pub async fn read(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_read(cx)).await
    }

    /// Writes all of the output. Cancel safe.
    pub async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_write(cx)).await
    }

    /// Ends the stream in order: TLS is told.
    pub async fn shutdown(&mut self) {
        let _ = std::future::poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
    }

    /// Stream and bytes read but not used.
    pub fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.input)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_channel_at_rest_keeps_no_buffers() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let mut channel = Channel::new(near, BytesMut::new());
        far.write_all(&[7; 300_000]).await.unwrap();
        while channel.input.len() < 300_000 {
            channel.read().await.unwrap();
        }
        channel.output.extend_from_slice(&[8; 100_000]);
        channel.rest();
        assert_eq!((channel.input.len(), channel.output.len()), (300_000, 100_000));
        channel.flush().await.unwrap();
        far.read_exact(&mut [0; 100_000]).await.unwrap();
        channel.input.clear();
        channel.rest();
        assert!(channel.input.capacity() <= IDLE_KEEP_BYTES && channel.output.capacity() <= IDLE_KEEP_BYTES);
        // Nothing is taken to wait, and what comes is read in one go.
        let nothing = tokio::time::timeout(std::time::Duration::ZERO, channel.read()).await;
        assert!(nothing.is_err() && channel.input.capacity() <= IDLE_KEEP_BYTES);
        far.write_all(&[9; IDLE_READ_BYTES]).await.unwrap();
        assert_eq!(channel.read().await.unwrap(), IDLE_READ_BYTES);
        assert!(channel.input.iter().all(|&byte| byte == 9));
    }
}
