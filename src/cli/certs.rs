//! `tollgate certs`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::could_not;
use crate::demo::papers;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the files go.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Further names and addresses of the server.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, thiserror::Error)]
enum CertsError {
    #[error("`{}` is there already; `--force` replaces it", .0.display())]
    Exists(PathBuf),
    #[error("`{}` cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Papers(#[from] papers::PaperError),
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    match make(arguments) {
        Ok(()) => 0,
        Err(error) => could_not(&error),
    }
}

fn make(arguments: &Arguments) -> Result<(), CertsError> {
    let dir = &arguments.dir;
    let certificates = papers::certificates(&arguments.names)?;
    let files = [
        ("ca.crt", certificates.authority.as_str(), 0o644),
        ("server.crt", certificates.server.as_str(), 0o644),
        ("server.key", certificates.server_key.expose(), 0o600),
    ];
    if let Some((name, ..)) = files.iter().find(|(name, ..)| !arguments.force && dir.join(name).exists()) {
        return Err(CertsError::Exists(dir.join(name)));
    }
    fs::create_dir_all(dir).map_err(|source| CertsError::Write { path: dir.clone(), source })?;
    for (name, text, mode) in files {
        let path = dir.join(name);
        write(&path, text, mode).map_err(|source| CertsError::Write { path: path.clone(), source })?;
        println!("{}", path.display());
    }
    println!("Clients trust ca.crt; its key was not kept. For development alone.");
    Ok(())
}

/// Never readable by others in between: a file that is there is replaced, not overwritten.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(text.as_bytes())
}
