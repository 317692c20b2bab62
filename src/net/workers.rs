//! The threads that sessions run on: one for each core, each with a runtime of its own.
//!
//! A session stays on its thread, so that what it waits for wakes no other and what it holds is in one
//! core's cache.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

#[derive(Debug)]
pub(super) struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    handle: Handle,
    /// Sessions on it.
    load: Arc<AtomicUsize>,
    /// Dropped to end it.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One session's share of a worker's load.
struct Share(Arc<AtomicUsize>);

impl Drop for Share {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// As many as said, or one for each core the process may use.
    pub(super) fn start(count: Option<NonZeroUsize>) -> io::Result<Self> {
        let count = match count {
            Some(count) => count,
            None => std::thread::available_parallelism()?,
        };
        (0..count.get()).map(Worker::start).collect::<io::Result<_>>().map(Self)
    }

    /// Runs `session` on the thread with the fewest.
    pub(super) fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        let Some(worker) = self.0.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else {
            return;
        };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let share = Share(Arc::clone(&worker.load));
        worker.handle.spawn(async move {
            session.await;
            drop(share);
        });
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            // Ends with an error, which is the end of its sender.
            let _ = runtime.block_on(stopped);
            // A file that is being synced is not waited for.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name(format!("sessions-{number}")).spawn(run)?;
        Ok(Self { handle, load: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It panicked, if anything; its sessions ended with it.
            let _ = thread.join();
        }
    }
}
