//! Accepting clients, and the end of serving.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use uuid::Uuid;

use super::greet::{Greeting, greet};
use super::shared::{Live, Phase, Shared};
use super::workers::Workers;
use super::{reload, snapshot};
use crate::admin::{self, Readiness};
use crate::audit::{AuditError, Event, Log, LogOptions};
use crate::config::Config;
use crate::limits::Admission;
use crate::sql::Memory;
use crate::transport::{TlsAcceptor, TransportError};
use crate::warehouse::connect::Warehouse;

/// How long sessions that are cut off may take to say and record so.
const STOPPING: Duration = Duration::from_secs(2);

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("the rules cannot be watched: {0}")]
    Watch(#[from] notify::Error),
    #[error("metrics cannot be kept: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("the threads for sessions cannot be started: {0}")]
    Workers(io::Error),
    #[error("cannot handle signals: {0}")]
    Signals(io::Error),
}

/// A proxy that listens and has yet to be run.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listener: TcpListener,
    admin: Option<TcpListener>,
    acceptor: Option<TlsAcceptor>,
}

impl Server {
    /// Opens the audit and the listening sockets.
    pub async fn bind(config: Config, live: Live) -> Result<Self, ServeError> {
        let acceptor = TlsAcceptor::of(&config.tls)?;
        let warehouse = Warehouse::of(&config.upstream)?;
        let listener = bind(config.listen).await?;
        let admin = match config.admin {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let options = LogOptions {
            dir: config.audit.dir.clone(),
            node: config.node.clone(),
            durability: config.audit.durability,
            file_bytes_max: config.audit.file_bytes_max,
        };
        let (audit, opened) = Log::open(options)?;
        let start = Event::Start {
            version: env!("CARGO_PKG_VERSION"),
            rules_generation: live.generation,
            recovered_bytes: opened.torn_bytes,
        };
        let _ = audit.append(&start).await?;
        let bounds = &config.bounds;
        let memory = Arc::new(Memory::new(bounds.text(), bounds.remembered_bytes_max));
        let shared = Shared {
            config,
            live: arc_swap::ArcSwap::from_pointee(live),
            audit,
            warehouse,
            admission: Admission::default(),
            sessions: super::cancel::Sessions::default(),
            claims: Arc::default(),
            memory,
            catalog: arc_swap::ArcSwapOption::empty(),
            sized_until: std::sync::atomic::AtomicI64::new(0),
            definitions: tokio::sync::Notify::new(),
        };
        Ok(Self { shared: Arc::new(shared), listener, admin, acceptor })
    }

    /// Where clients connect.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done, then drains.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { shared, listener, admin, acceptor } = self;
        let workers = Workers::start(shared.config.workers).map_err(ServeError::Workers)?;
        let (phase, phases) = watch::channel(Phase::Serving);
        let reloading = reload::watch(Arc::clone(&shared), phases.clone())?;
        let metrics = crate::telemetry::metrics()?;
        let tidying = tokio::spawn(crate::telemetry::tidy(metrics));
        let refreshing = snapshot::keep(&shared, phases.clone());
        let (admin_stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let admin = admin.map(|listener| {
            let readiness = Obstacles { shared: Arc::clone(&shared), phase: phases.clone() };
            tokio::spawn(admin::serve(listener, readiness, metrics, async { drop(stopped.await) }))
        });
        let connections_max = shared.config.bounds.connections_max.get();
        let places = Arc::new(Semaphore::new(connections_max));
        tracing::info!(address = %listener.local_addr().map_or_else(|e| e.to_string(), |a| a.to_string()), "serving");
        tokio::select! {
            () = stop => {}
            () = accept(&listener, &shared, &workers, &places, acceptor.as_ref(), &phases) => {}
        }
        drop(listener);
        tracing::info!("draining");
        let _ = phase.send(Phase::Draining);
        shared.warehouse.close_warm();
        let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
        let drained = tokio::time::timeout(shared.config.bounds.drain, places.acquire_many(all)).await;
        let reason = if drained.is_ok() { "drained" } else { "drain limit reached" };
        if drained.is_err() {
            // They have a moment for their last words and records.
            let _ = phase.send(Phase::Stopping);
            let _ = tokio::time::timeout(STOPPING, places.acquire_many(all)).await;
        }
        tidying.abort();
        reloading.abort();
        if let Some(refreshing) = refreshing {
            refreshing.abort();
        }
        drop(admin_stop);
        if let Some(admin) = admin {
            let _ = tokio::time::timeout(Duration::from_secs(1), admin).await;
        }
        if let Err(error) = shared.record(&Event::Stop { reason }).await {
            tracing::error!(%error, "the end could not be recorded");
        }
        drop(workers);
        tracing::info!(reason, "stopped");
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, error })
}

/// Accepts for ever; every connection holds a place until it ends. Cancel safe.
async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    workers: &Workers,
    places: &Arc<Semaphore>,
    acceptor: Option<&TlsAcceptor>,
    phases: &watch::Receiver<Phase>,
) {
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: those in use are freed as sessions end.
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let place = Arc::clone(places).try_acquire_owned().ok();
        let greeting = Greeting {
            shared: Arc::clone(shared),
            acceptor: acceptor.cloned(),
            phase: phases.clone(),
            session: Uuid::now_v7(),
            client,
        };
        match stream.into_std() {
            Ok(stream) => workers.spawn(connection(stream, greeting, place)),
            Err(error) => tracing::error!(%error, "a connection could not be handed on"),
        }
    }
}

/// One connection from its first byte to its last.
async fn connection(stream: std::net::TcpStream, greeting: Greeting, place: Option<OwnedSemaphorePermit>) {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return tracing::error!(%error, "a connection could not be waited on"),
    };
    let _ = stream.set_nodelay(true);
    greet(stream, greeting, place.is_some()).await;
    drop(place);
}

/// What `/readyz` asks.
struct Obstacles {
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
}

impl Readiness for Obstacles {
    async fn obstacles(&self) -> Vec<&'static str> {
        let draining = *self.phase.borrow() != Phase::Serving;
        let reachable = self.shared.warehouse.reachable().await;
        let found = [
            (draining, "draining"),
            (!self.shared.audit.healthy(), "the audit cannot be written"),
            (!reachable, "the warehouse cannot be reached"),
        ];
        found.into_iter().filter(|(there, _)| *there).map(|(_, what)| what).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::driver::Driver;

    fn size_of_future<A, F: Future>(_: impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand sessions wait at once: the way into a session may take more, but is given back.
    #[test]
    fn a_session_that_waits_is_small() {
        let connection = size_of_future(|(stream, greeting, place)| connection(stream, greeting, place));
        assert!(connection <= 2 * 1024, "{connection} bytes of a connection's task");
        let run = size_of_future(Driver::run) + size_of::<Driver>();
        assert!(run <= 6 * 1024, "{run} bytes of a session");
    }
}
