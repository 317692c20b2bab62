//! A relay of frames that understands nothing: it accepts, connects upstream, and cuts the bytes of both
//! sides into frames by their headers. What a proxy costs at the least; no part of Tollgate.

mod cut;
mod session;

use std::error::Error;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use clap::Parser;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// Connections handed to a thread that it has not taken yet.
const WAITING_MAX: usize = 1024;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Relays frames between clients and a PostgreSQL.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    upstream: SocketAddr,
    /// Each with a runtime of its own; as many as there are cores where not said
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Chain, PEM; TLS is offered with it
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    #[arg(long, requires = "certificate")]
    key: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let tls = match (&arguments.certificate, &arguments.key) {
        (Some(certificate), Some(key)) => Some(acceptor(certificate, key)?),
        _ => None,
    };
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => thread::available_parallelism()?,
    };
    let listener = TcpListener::bind(arguments.listen)?;
    let mut queues = Vec::new();
    for _ in 0..threads.get() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (queue, connections) = mpsc::channel(WAITING_MAX);
        let (upstream, tls) = (arguments.upstream, tls.clone());
        thread::spawn(move || {
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, serve(connections, upstream, tls));
        });
        queues.push(queue);
    }
    for queue in queues.iter().cycle() {
        let (client, _) = listener.accept()?;
        client.set_nonblocking(true)?;
        queue.blocking_send(client)?;
    }
    Ok(())
}

/// The connections of one thread.
async fn serve(mut connections: mpsc::Receiver<TcpStream>, upstream: SocketAddr, tls: Option<TlsAcceptor>) {
    while let Some(client) = connections.recv().await {
        let Ok(client) = tokio::net::TcpStream::from_std(client) else { continue };
        let tls = tls.clone();
        tokio::task::spawn_local(async move {
            // A connection that breaks is its client's to notice.
            let _ = session::serve(client, upstream, tls).await;
        });
    }
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
