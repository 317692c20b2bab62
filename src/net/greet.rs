//! A connection's first words: TLS, cancel or startup, login; then its session.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::watch;
use uuid::Uuid;

use super::channel::Channel;
use super::driver::{Driver, End, Parts};
use super::login::{Hello, login};
use super::shared::{Phase, Shared};
use super::start::start;
use crate::audit::Event;
use crate::refusal::Refusal;
use crate::transport::{Stream, TlsAcceptor};
use crate::wire::reply::{self, Severity};
use crate::wire::startup::packet;
use crate::wire::{StartupFault, StartupPacket};

/// SSLRequest and GSSENCRequest that one connection may send before it starts.
const REQUESTS_MAX: u8 = 4;

#[derive(Debug)]
pub struct Greeting {
    pub shared: Arc<Shared>,
    pub acceptor: Option<TlsAcceptor>,
    pub phase: watch::Receiver<Phase>,
    pub session: Uuid,
    pub client: SocketAddr,
}

/// Why a connection never became a session.
#[derive(Debug, thiserror::Error)]
pub enum Unmet {
    #[error("the connection failed: {0}")]
    Failed(#[from] io::Error),
    #[error(transparent)]
    Startup(#[from] StartupFault),
    #[error("bytes were sent before TLS was up")]
    EarlyBytes,
    #[error("no session asked for")]
    Nothing,
    /// The client is told.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

/// What the first packets led to.
enum Met {
    Cancelled,
    Hello(Channel<Stream>, Hello),
}

/// Serves one connection to its end. `placed` is false where too many are open already.
pub async fn greet(stream: TcpStream, greeting: Greeting, placed: bool) {
    // The way to a session takes more room than the session: it is given back.
    if let Some(opened) = Box::pin(admit(stream, &greeting, placed)).await {
        serve(opened, greeting).await;
    }
}

/// A session that may run.
struct Opened {
    process_id: i32,
    run: Pin<Box<dyn Future<Output = End> + Send>>,
}

/// The session until it ends.
async fn serve(opened: Opened, greeting: Greeting) {
    let Greeting { shared, session, .. } = greeting;
    let end = opened.run.await;
    shared.sessions.leave(opened.process_id, session);
    crate::telemetry::session_closed();
    tracing::debug!(%session, %end, "session ended");
    let event = Event::Disconnect { session, reason: end.to_string() };
    if let Err(error) = shared.record(&event).await {
        tracing::error!(%error, "the end of a session could not be recorded");
    }
}

/// From the first byte to a session; `None` where there is none, which the client was told.
async fn admit(stream: TcpStream, greeting: &Greeting, placed: bool) -> Option<Opened> {
    let within = greeting.shared.config.bounds.handshake;
    let met = match tokio::time::timeout(within, meet(stream, greeting)).await {
        Ok(Ok(Met::Hello(channel, hello))) => (channel, hello),
        Ok(Ok(Met::Cancelled)) => return None,
        Ok(Err(unmet)) => {
            tracing::debug!(client = %greeting.client, %unmet, "connection ended early");
            return None;
        }
        Err(_) => {
            tracing::debug!(client = %greeting.client, "handshake took too long");
            return None;
        }
    };
    let (mut channel, hello) = met;
    let refusal = if !placed {
        Refusal::fault("53300", "tollgate: sorry, too many clients already")
    } else if *greeting.phase.borrow() != Phase::Serving {
        Refusal::fault("57P03", "tollgate: this proxy is shutting down")
    } else {
        match open(channel, hello, greeting).await {
            Ok(opened) => return opened,
            Err((returned, refusal)) => {
                channel = returned;
                refusal
            }
        }
    };
    refuse(&mut channel, &refusal, within).await;
    None
}

/// Login on both sides.
async fn open(
    mut channel: Channel<Stream>,
    hello: Hello,
    greeting: &Greeting,
) -> Result<Option<Opened>, (Channel<Stream>, Refusal)> {
    let shared = &greeting.shared;
    let within = shared.config.bounds.handshake;
    let principal = match tokio::time::timeout(within, login(&mut channel, &hello, greeting)).await {
        Ok(Ok(principal)) => principal,
        Ok(Err(Unmet::Refused(refusal))) => return Err((channel, refusal)),
        Ok(Err(unmet)) => {
            tracing::debug!(client = %greeting.client, %unmet, "login ended early");
            return Ok(None);
        }
        Err(_) => {
            let refusal = Refusal::fault("57014", "tollgate: canceling authentication due to timeout");
            return Err((channel, refusal));
        }
    };
    let started = match start(&hello, principal, greeting, &mut channel.output).await {
        Ok(started) => started,
        Err(refusal) => {
            record_unstarted(&hello, &refusal, greeting).await;
            return Err((channel, refusal));
        }
    };
    let connect = Event::Connect {
        identity: started.session.identity(),
        application: started.session.application(),
        upstream_user: &started.upstream_user,
    };
    if let Err(error) = shared.record(&connect).await {
        tracing::error!(%error, "a session could not be recorded");
        shared.sessions.leave(started.place.process_id, greeting.session);
        channel.output.clear();
        let refusal = Refusal::fault("58030", "tollgate: the audit cannot be written")
            .with_hint("Try again later; the operators have been told");
        return Err((channel, refusal));
    }
    crate::telemetry::session_opened();
    let process_id = started.place.process_id;
    let driver = Driver::new(Parts {
        shared: Arc::clone(shared),
        session: started.session,
        client: channel,
        upstream: started.upstream,
        cancel_key: started.cancel_key,
        cancels: started.place.requests,
        phase: greeting.phase.clone(),
    });
    Ok(Some(Opened { process_id, run: Box::pin(Box::new(driver).run()) }))
}

/// Who logged in and got no session all the same, and why.
async fn record_unstarted(hello: &Hello, refusal: &Refusal, greeting: &Greeting) {
    let user = hello.parameter("user").unwrap_or_default();
    let event = Event::LoginFailed {
        session: greeting.session,
        client: greeting.client,
        user: user.chars().take(256).collect(),
        reason: refusal.message.clone(),
    };
    if let Err(error) = greeting.shared.record(&event).await {
        tracing::error!(%error, "a refused session could not be recorded");
    }
}

/// The first packets, until a startup message or a cancel.
async fn meet(stream: TcpStream, greeting: &Greeting) -> Result<Met, Unmet> {
    let mut channel = Channel::new(Stream::Plain(stream), BytesMut::new());
    let mut tls = false;
    for _ in 0..=REQUESTS_MAX {
        match next_packet(&mut channel).await? {
            StartupPacket::Cancel { process_id, secret } => {
                cancel(process_id, &secret, greeting).await;
                channel.shutdown().await;
                return Ok(Met::Cancelled);
            }
            StartupPacket::SslRequest if !tls && greeting.acceptor.is_some() => {
                // Bytes sent ahead would be read as if they had come encrypted (CVE-2021-23214).
                if !channel.input.is_empty() {
                    return Err(Unmet::EarlyBytes);
                }
                channel.output.extend_from_slice(b"S");
                channel.flush().await?;
                channel = secured(channel, greeting).await?;
                tls = true;
            }
            StartupPacket::SslRequest | StartupPacket::GssEncRequest => {
                channel.output.extend_from_slice(b"N");
                channel.flush().await?;
            }
            StartupPacket::Startup { major, minor, parameters } => {
                return Ok(Met::Hello(channel, Hello { tls, major, minor, parameters }));
            }
        }
    }
    Err(Unmet::Nothing)
}

async fn secured(channel: Channel<Stream>, greeting: &Greeting) -> Result<Channel<Stream>, Unmet> {
    let (stream, _) = channel.into_parts();
    match (&greeting.acceptor, stream) {
        (Some(acceptor), Stream::Plain(tcp)) => {
            Ok(Channel::new(acceptor.accept(tcp).await?, BytesMut::new()))
        }
        _ => Err(Unmet::Nothing),
    }
}

async fn next_packet(channel: &mut Channel<Stream>) -> Result<StartupPacket, Unmet> {
    loop {
        if let Some((packet, used)) = packet(&channel.input)? {
            channel.input.advance(used);
            return Ok(packet);
        }
        if channel.read().await? == 0 {
            return Err(Unmet::Nothing);
        }
    }
}

/// The client waits for the connection's end, which comes when the upstream has been told.
async fn cancel(process_id: i32, secret: &[u8], greeting: &Greeting) {
    let found = greeting.shared.sessions.cancel(process_id, secret);
    crate::telemetry::cancelled(found.is_some());
    let target = found.as_ref().map(|(session, _)| *session);
    let event = Event::Cancel { session: greeting.session, client: greeting.client, target };
    if let Err(error) = greeting.shared.record(&event).await {
        tracing::error!(%error, "a cancel could not be recorded");
    }
    if let Some((_, through)) = found {
        let _ = through.await;
    }
}

/// Tells the client why not, and goes.
async fn refuse(channel: &mut Channel<Stream>, refusal: &Refusal, within: Duration) {
    reply::error(&mut channel.output, Severity::Fatal, refusal);
    let _ = tokio::time::timeout(within, async {
        let _ = channel.flush().await;
        channel.shutdown().await;
    })
    .await;
}
