//! `tollgate demo`.

use std::path::PathBuf;

use tokio::runtime::Runtime;

use super::could_not;
use super::serve::{read, stopped};
use crate::demo::{self, DemoOptions};
use crate::net::Server;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The gate's port on loopback.
    #[arg(long, default_value_t = demo::DEFAULT_PORT)]
    port: u16,
    /// Keep everything in this folder; a later start goes on with it.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The folder of PostgreSQL's server programs.
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    /// Play the examples against the demo that runs on this port.
    #[arg(long, conflicts_with_all = ["keep", "pg_bin"])]
    check: bool,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return could_not(&error),
    };
    if arguments.check {
        return match runtime.block_on(demo::check(arguments.port)) {
            Ok(agree) => u8::from(!agree),
            Err(error) => could_not(&error),
        };
    }
    runtime.block_on(play(DemoOptions {
        port: arguments.port,
        keep: arguments.keep.clone(),
        pg_bin: arguments.pg_bin.clone(),
    }))
}

/// From nothing to a running gate, and back to nothing at Ctrl-C or SIGTERM, whenever it comes.
async fn play(options: DemoOptions) -> u8 {
    let mut stop = match stopped() {
        Ok(stop) => Box::pin(stop),
        Err(error) => return could_not(&error),
    };
    let prepared = tokio::select! {
        prepared = demo::prepare(options) => prepared,
        () = &mut stop => return 0,
    };
    let mut prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return could_not(&error),
    };
    let code = serve(&mut prepared, stop).await;
    match prepared.stop().await {
        Ok(()) => code,
        Err(error) => could_not(&error),
    }
}

async fn serve(prepared: &mut demo::Prepared, stop: impl Future<Output = ()>) -> u8 {
    let (config, live) = match read(prepared.config()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let server = match Server::bind(config, live).await {
        Ok(server) => server,
        Err(error) => return could_not(&error),
    };
    if let Err(error) = prepared.announce() {
        return could_not(&error);
    }
    demo::print_instructions(prepared);
    match server.run(stop).await {
        Ok(()) => 0,
        Err(error) => could_not(&error),
    }
}
