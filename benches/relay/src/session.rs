//! One client's connection: its first packet, then frames both ways in one task.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::cut::Cutter;

const BUFFER_BYTES: usize = 64 * 1024;
/// As PostgreSQL bounds the first packet.
const STARTUP_BYTES_MAX: u32 = 10_000;
const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();
const GSS_REQUEST: [u8; 4] = 80_877_104_u32.to_be_bytes();

/// Serves one client to its end.
pub async fn serve(mut client: TcpStream, upstream: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<()> {
    client.set_nodelay(true)?;
    loop {
        let packet = first_packet(&mut client).await?;
        match (packet.get(4..8), &tls) {
            (Some(code), Some(tls)) if code == SSL_REQUEST => {
                client.write_all(b"S").await?;
                let mut client = tls.accept(client).await?;
                let packet = first_packet(&mut client).await?;
                return relay(client, upstream, &packet).await;
            }
            (Some(code), _) if code == SSL_REQUEST || code == GSS_REQUEST => client.write_all(b"N").await?,
            _ => return relay(client, upstream, &packet).await,
        }
    }
}

/// With its length. Frames begin after it.
async fn first_packet(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = client.read_u32().await?;
    if !(8..=STARTUP_BYTES_MAX).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut packet = length.to_be_bytes().to_vec();
    client.take(u64::from(length - 4)).read_to_end(&mut packet).await?;
    Ok(packet)
}

async fn relay(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    upstream: SocketAddr,
    packet: &[u8],
) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    server.write_all(packet).await?;
    let (mut requests, mut answers) = (Direction::new(), Direction::new());
    std::future::poll_fn(|cx| {
        // Whichever side ends, the other has nothing more to hear or to say.
        if let ended @ Poll::Ready(_) = answers.poll(cx, &mut server, &mut client) {
            return ended;
        }
        requests.poll(cx, &mut client, &mut server)
    })
    .await?;
    // TLS has a farewell of its own; nobody may be left to take it.
    let _ = client.shutdown().await;
    Ok(())
}

/// One way of a connection with the one buffer it uses.
struct Direction {
    buffer: Vec<u8>,
    /// Read but not written yet.
    waiting: std::ops::Range<usize>,
    unflushed: bool,
    cutter: Cutter,
}

impl Direction {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], waiting: 0..0, unflushed: false, cutter: Cutter::default() }
    }

    /// Ready when `from` has ended and all of it is written.
    fn poll<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        loop {
            while let Some(bytes) = self.buffer.get(self.waiting.clone()).filter(|bytes| !bytes.is_empty()) {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, bytes))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.waiting.start += written;
                self.unflushed = true;
            }
            if self.unflushed {
                ready!(Pin::new(&mut *to).poll_flush(cx))?;
                self.unflushed = false;
            }
            let mut space = ReadBuf::new(&mut self.buffer);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut space))?;
            let read = space.filled();
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.cutter.cut(read)?;
            self.waiting = 0..read.len();
        }
    }
}
