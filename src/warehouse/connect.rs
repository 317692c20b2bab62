//! Connections to the warehouse.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::login::{Credentials, LoggedIn, LoginFault, login};
use super::query::{QueryFault, refusal};
use super::scram::KeyRing;
use super::warm::{Warm, Wish};
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

/// Too many connections (`too_many_connections`), at which sessions that only wait give way.
const TOO_MANY: &str = "53300";
/// A server takes a while to notice that a session has gone.
const GIVE_WAY_TRIES: u32 = 5;
const GIVE_WAY_WAIT: Duration = Duration::from_millis(50);

/// The warehouse, with the sessions that wait for those who need one.
#[derive(Debug)]
pub struct Warehouse {
    reach: Arc<Reach>,
    warm: Arc<Warm>,
}

/// Where the warehouse is and how it is reached.
#[derive(Debug)]
pub(super) struct Reach {
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
        let reach = Reach {
            host: upstream.host.clone(),
            port: upstream.port,
            tls: TlsConnector::of(&upstream.tls, &upstream.host)?,
            timeout: upstream.connect_timeout,
            loopback,
            keys: KeyRing::default(),
        };
        Ok(Self { reach: Arc::new(reach), warm: Arc::new(Warm::of(upstream.warm)) })
    }

    /// A session for `wish`: one that waits for it, or one opened now.
    pub async fn session(&self, wish: &Wish) -> Result<LoggedIn, LoginFault> {
        if self.warm.is_off() {
            return self.reach.login(&wish.login, &wish.parameters).await;
        }
        let waited = self.warm.take(wish).await;
        crate::telemetry::warmed(waited.is_some());
        let session = match waited {
            Some(session) => session,
            None => self.open(wish).await?,
        };
        self.warm.refill(wish, &self.reach);
        Ok(session)
    }

    async fn open(&self, wish: &Wish) -> Result<LoggedIn, LoginFault> {
        let mut outcome = self.reach.login(&wish.login, &wish.parameters).await;
        if is_crowded(&outcome) && self.warm.forget() {
            for _ in 0..GIVE_WAY_TRIES {
                tokio::time::sleep(GIVE_WAY_WAIT).await;
                outcome = self.reach.login(&wish.login, &wish.parameters).await;
                if !is_crowded(&outcome) {
                    break;
                }
            }
        }
        outcome
    }

    /// Ends the sessions that wait: what they were opened by has changed.
    pub fn forget_warm(&self) {
        self.warm.forget();
    }

    /// Ends the sessions that wait and opens no more.
    pub fn close_warm(&self) {
        self.warm.close();
    }

    /// A session of Tollgate's own, opened now; warmed ones are for principals.
    pub async fn login(
        &self,
        user: &UpstreamLogin,
        parameters: &[(String, String)],
    ) -> Result<LoggedIn, LoginFault> {
        self.reach.login(user, parameters).await
    }

    /// Stops what the session of `key` runs; done when the server has taken the request.
    pub async fn cancel(&self, key: &CancelKey) -> io::Result<()> {
        self.reach.cancel(key).await
    }

    /// Whether the warehouse takes connections.
    pub async fn reachable(&self) -> bool {
        let Reach { host, port, timeout, .. } = &*self.reach;
        tokio::time::timeout(*timeout, TcpStream::connect((host.as_str(), *port)))
            .await
            .is_ok_and(|connected| connected.is_ok())
    }
}

fn is_crowded(outcome: &Result<LoggedIn, LoginFault>) -> bool {
    let Err(LoginFault::Refused(body)) = outcome else { return false };
    matches!(refusal(body), QueryFault::Refused { sqlstate, .. } if sqlstate == TOO_MANY)
}

impl Reach {
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

    async fn cancel(&self, key: &CancelKey) -> io::Result<()> {
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
