//! `tollgate serve`.

use std::path::Path;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigPath, could_not};
use crate::config::{self, Config};
use crate::net::{Live, ServeError, Server, load};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigPath,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let (config, live) = match read(&arguments.config.config) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return could_not(&error),
    };
    match runtime.block_on(serve(config, live)) {
        Ok(()) => 0,
        Err(error) => could_not(&error),
    }
}

async fn serve(config: Config, live: Live) -> Result<(), ServeError> {
    let stop = stopped()?;
    Server::bind(config, live).await?.run(stop).await
}

/// Configuration and rules, or the exit code after every problem was told.
pub(super) fn read(path: &Path) -> Result<(Config, Live), u8> {
    let told = |problems: Vec<crate::policy::Problem>| {
        for problem in &problems {
            eprintln!("{problem}");
        }
        eprintln!("tollgate: {} problem(s); nothing was started", problems.len());
        1
    };
    let config = config::load(path).map_err(told)?;
    let live = load(&config, 1).map_err(told)?;
    Ok((config, live))
}

/// Done at SIGTERM or Ctrl-C.
pub(super) fn stopped() -> Result<impl Future<Output = ()>, ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
