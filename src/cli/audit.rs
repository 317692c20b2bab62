//! `tollgate audit`.
use std::path::PathBuf;
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[arg(long)]
    dir: Option<PathBuf>,
}
pub(super) fn run(_arguments: &Arguments) -> u8 {
    0
}
