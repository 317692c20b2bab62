//! `tollgate catalog`.

use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use tokio::runtime::Runtime;

use super::{ConfigPath, FAILED, could_not};
use crate::catalog;
use crate::config::{self, CatalogConfig, CatalogSource, Config};
use crate::transport::TransportError;
use crate::warehouse::catalog::{LoadFault, file, load};
use crate::warehouse::connect::Warehouse;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigPath,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write what the warehouse holds as JSON, for `decide --catalog` and for Git.
    Dump {
        /// Where to; standard output where not named.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Why no snapshot was written.
#[derive(Debug, thiserror::Error)]
enum DumpError {
    #[error("no login of the configuration speaks for the catalog")]
    NoLogin,
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Load(#[from] LoadFault),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("cannot write the snapshot: {0}")]
    Io(#[from] io::Error),
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let config = match config::load(&arguments.config.config) {
        Ok(config) => config,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            return FAILED;
        }
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return could_not(&error),
    };
    match &arguments.command {
        Command::Dump { out } => match runtime.block_on(dump(&config, out.as_deref())) {
            Ok(()) => 0,
            Err(error) => could_not(&error),
        },
    }
}

async fn dump(config: &Config, out: Option<&Path>) -> Result<(), DumpError> {
    let login = match &config.catalog {
        Some(CatalogConfig { source: CatalogSource::Warehouse(login), .. }) => login,
        // A file is no news: the warehouse itself is asked.
        Some(_) | None => config.upstream.logins.last().ok_or(DumpError::NoLogin)?,
    };
    let warehouse = Warehouse::of(&config.upstream)?;
    let (database, max) = (&config.upstream.database, config.bounds.catalog_relations_max);
    let text = catalog::write(&load(&warehouse, login, database, max).await?)?;
    match out {
        None => print!("{text}"),
        Some(path) => file::write(path, &text)?,
    }
    Ok(())
}
