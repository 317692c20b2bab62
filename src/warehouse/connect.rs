//! Connections to the warehouse.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::login::{Credentials, LoggedIn, LoginFault, login};
use super::scram::KeyRing;
use crate::config::{UpstreamConfig, UpstreamLogin};
use crate::transport::{Stream, TlsConnector, TransportError};

/// What stops an upstream session (BackendKeyData): 4 bytes in protocol 3.0, up to 256 in 3.2.
#[derive(Clone)]
pub struct CancelKey {
    pub process_id: i32,
    pub secret: Bytes,
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelKey").field("process_id", &self.process_id).finish_non_exhaustive()
    }
}

/// Where the warehouse is and how it is reached.
#[derive(Debug)]
pub struct Warehouse {
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    timeout: Duration,
    /// Loopback may take passwords in clear; nothing else does without TLS.
    loopback: bool,
    keys: KeyRing,
}

impl Warehouse {
    pub fn of(upstream: &UpstreamConfig) -> Result<Self, TransportError> {
        let loopback = matches!(upstream.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        Ok(Self {
            host: upstream.host.clone(),
            port: upstream.port,
            tls: TlsConnector::of(&upstream.tls, &upstream.host)?,
            timeout: upstream.connect_timeout,
            loopback,
            keys: KeyRing::default(),
        })
    }

    /// A session of `user` with these startup parameters. Not cancel safe: a login half done is dropped.
    pub async fn login(
        &self,
        user: &UpstreamLogin,
        parameters: &[(String, String)],
    ) -> Result<LoggedIn, LoginFault> {
        let work = async {
            let stream = self.connect().await?;
            let clear = stream.is_encrypted() || self.loopback;
            let UpstreamLogin { user, password, .. } = user;
            login(stream, parameters, Credentials { user, password, clear, keys: &self.keys }).await
        };
        tokio::time::timeout(self.timeout, work).await.map_err(|_| LoginFault::Timeout)?
    }

    /// Stops what the session of `key` runs; done when the server has taken the request.
    pub async fn cancel(&self, key: &CancelKey) -> io::Result<()> {
        let work = async {
            let mut stream = self.connect().await?;
            let mut request = BytesMut::new();
            let length = i32::try_from(key.secret.len()).unwrap_or(i32::MAX).saturating_add(12);
            request.put_i32(length);
            request.put_i32(80_877_102);
            request.put_i32(key.process_id);
            request.extend_from_slice(&key.secret);
            stream.write_all(&request).await?;
            stream.flush().await?;
            // The server closes once the signal is on its way.
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.unwrap_or_default() > 0 {}
            Ok(())
        };
        tokio::time::timeout(self.timeout, work).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Whether the warehouse takes connections.
    pub async fn reachable(&self) -> bool {
        tokio::time::timeout(self.timeout, TcpStream::connect((self.host.as_str(), self.port)))
            .await
            .is_ok_and(|connected| connected.is_ok())
    }

    async fn connect(&self) -> io::Result<Stream> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await?;
        // One byte and no more: what came behind it unencrypted would be read as if it were not.
        match stream.read_u8().await? {
            b'S' => tls.connect(stream).await,
            _ => Err(io::Error::other("the warehouse does not speak TLS, which the configuration wants")),
        }
    }
}
