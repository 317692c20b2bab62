//! Rules that change while sessions run: whole or not at all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::listen::ServeError;
use super::shared::{Live, Phase, Shared};
use crate::audit::Event;
use crate::config::Config;
use crate::policy::Problem;

/// Files are often written in several steps: a change is read when none followed for this long.
const QUIET: Duration = Duration::from_millis(200);

/// Reads rules and what they refer to. Every problem of any of them is told.
pub fn load(config: &Config, generation: u64) -> Result<Live, Vec<Problem>> {
    let rules = crate::config::rules::load(config)?;
    let directory = crate::config::rules::directory(config, &rules)?;
    Ok(Live { generation, rules, directory })
}

/// Reloads on SIGHUP and on changes of the rules folder.
pub fn watch(shared: Arc<Shared>, phase: watch::Receiver<Phase>) -> Result<JoinHandle<()>, ServeError> {
    let (changed, mut changes) = mpsc::channel::<()>(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // One waiting notice stands for all.
            let _ = changed.try_send(());
        }
    })?;
    watcher.watch(Path::new(&shared.config.rules), RecursiveMode::Recursive)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
    Ok(tokio::spawn(async move {
        let _watcher = watcher;
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                noticed = changes.recv() => if noticed.is_none() { return },
            }
            while tokio::time::timeout(QUIET, changes.recv()).await.is_ok_and(|more| more.is_some()) {}
            if *phase.borrow() != Phase::Serving {
                return;
            }
            reload(&shared).await;
        }
    }))
}

async fn reload(shared: &Arc<Shared>) {
    let generation = shared.live.load().generation + 1;
    let reading = Arc::clone(shared);
    let loaded = tokio::task::spawn_blocking(move || load(&reading.config, generation)).await;
    let problems = match loaded {
        Ok(Ok(live)) => {
            if shared.live.load().rules == live.rules {
                // Accounts' secrets and keys may have changed behind the same rules.
                shared.live.store(Arc::new(live));
                return;
            }
            shared.live.store(Arc::new(live));
            shared.warehouse.forget_warm();
            Vec::new()
        }
        Ok(Err(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    if problems.is_empty() {
        tracing::info!(generation, "rules are live");
    } else {
        tracing::error!(
            problems = problems.len(),
            first = problems.first(),
            "rules refused; the old ones stay live"
        );
    }
    crate::telemetry::reloaded(problems.is_empty(), generation);
    let event = Event::Rules { generation, problems };
    if let Err(error) = shared.record(&event).await {
        tracing::error!(%error, "a reload could not be recorded");
    }
}
