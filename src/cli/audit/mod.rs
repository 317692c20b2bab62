//! `tollgate audit`: who did what, and whether the record is whole.

mod filter;
mod follow;
mod text;

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use super::{ConfigPath, Format, could_not};
use crate::audit::Verifier;
use crate::audit::read::{files, lines, verify_files};
use crate::config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The audit's folder; by default the configuration's.
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigPath,
    #[arg(long, global = true, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The last events.
    Tail {
        /// Go on with what comes.
        #[arg(short, long)]
        follow: bool,
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
    },
    /// The events that fit.
    Search(Box<filter::Filter>),
    /// One statement with what became of it, by its id, or as many of its first or last characters as tell it apart.
    Show { id: String },
    /// Whether the chain of hashes holds.
    Verify {
        /// Some files, in their order; by default all.
        files: Vec<PathBuf>,
    },
}

/// Why the audit could not be read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("the audit cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("no audit folder: name it with `--dir`, or the configuration with `--config` ({0})")]
    NoFolder(String),
    /// The reader at the other end of the pipe has had enough.
    #[error("nobody reads on")]
    Unheard,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let outcome = dir(arguments).and_then(|dir| match &arguments.command {
        Command::Tail { follow, lines } => tail(arguments, &dir, *lines, *follow),
        Command::Search(filter) => search(arguments, &dir, filter),
        Command::Show { id } => show(arguments, &dir, id),
        Command::Verify { files } => verify(arguments, &dir, files),
    });
    match outcome {
        Ok(code) => code,
        Err(ReadError::Unheard) => 0,
        Err(error) => could_not(&error),
    }
}

fn dir(arguments: &Arguments) -> Result<PathBuf, ReadError> {
    if let Some(dir) = &arguments.dir {
        return Ok(dir.clone());
    }
    let config = config::load_without_secrets(&arguments.config.config).map_err(|problems| {
        ReadError::NoFolder(problems.first().map(ToString::to_string).unwrap_or_default())
    })?;
    Ok(config.audit.dir)
}

fn tail(arguments: &Arguments, dir: &std::path::Path, count: usize, follow: bool) -> Result<u8, ReadError> {
    let mut last: VecDeque<String> = VecDeque::with_capacity(count.min(1024));
    for line in lines(files(dir)?) {
        if last.len() == count {
            last.pop_front();
        }
        if count > 0 {
            last.push_back(line?.2);
        }
    }
    for line in &last {
        say(arguments, line)?;
    }
    if follow {
        follow::follow(dir, |line| say(arguments, line))?;
    }
    Ok(0)
}

fn search(arguments: &Arguments, dir: &std::path::Path, filter: &filter::Filter) -> Result<u8, ReadError> {
    let mut left = filter.limit;
    for line in lines(files(dir)?) {
        if left == 0 {
            break;
        }
        let (path, number, line) = line?;
        match serde_json::from_str::<Value>(&line) {
            Ok(event) if filter.fits(&event) => {
                left -= 1;
                say(arguments, &line)?;
            }
            Ok(_) => {}
            Err(error) => eprintln!("{}:{number}: no record: {error}", path.display()),
        }
    }
    Ok(0)
}

fn show(arguments: &Arguments, dir: &std::path::Path, id: &str) -> Result<u8, ReadError> {
    let mut found: Option<Value> = None;
    let mut outcome: Option<Value> = None;
    for line in lines(files(dir)?) {
        let (_, _, line) = line?;
        // Most lines hold no such id and need not be read as JSON.
        if !line.contains(id) {
            continue;
        }
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        let fits = |name: &str| {
            let whole = event.get(name).and_then(Value::as_str);
            whole.is_some_and(|whole| whole.starts_with(id) || whole.ends_with(id))
        };
        if fits("id") {
            if found.is_some() {
                eprintln!("tollgate: `{id}` fits more than one id: give more of it");
                return Ok(1);
            }
            found = Some(event);
        } else if fits("statement") {
            outcome = Some(event);
        }
    }
    let Some(found) = found else {
        eprintln!("tollgate: no entry's id begins or ends with `{id}`");
        return Ok(1);
    };
    match arguments.format {
        Format::Json => {
            out(&found.to_string())?;
            outcome.iter().try_for_each(|outcome| out(&outcome.to_string()))?;
        }
        Format::Text => out(&text::whole(&found, outcome.as_ref()))?,
    }
    Ok(0)
}

fn verify(arguments: &Arguments, dir: &std::path::Path, named: &[PathBuf]) -> Result<u8, ReadError> {
    let verified = if named.is_empty() {
        verify_files(&files(dir)?, Verifier::whole())?
    } else {
        verify_files(named, Verifier::part())?
    };
    let whole = verified.first_break.is_none();
    let broken =
        verified.first_break.as_ref().map(|(path, line, why)| format!("{}:{line}: {why}", path.display()));
    match arguments.format {
        Format::Json => out(&serde_json::json!({
            "whole": whole,
            "files": verified.files,
            "lines": verified.lines,
            "break": broken,
            "being_written": verified.being_written,
        })
        .to_string())?,
        Format::Text => {
            out(&format!("{} lines in {} files fit", verified.lines, verified.files))?;
            if verified.being_written {
                out("the last line is being written, or was when the writer ended")?;
            }
            out(&broken.map_or("the chain is whole".to_owned(), |at| format!("the chain is broken at {at}")))?;
        }
    }
    Ok(u8::from(!whole))
}

/// One event, raw or for a person.
fn say(arguments: &Arguments, line: &str) -> Result<(), ReadError> {
    match (arguments.format, serde_json::from_str::<Value>(line)) {
        (Format::Text, Ok(event)) => out(&text::line(&event, width())),
        _ => out(line),
    }
}

fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(if io::stdout().is_terminal() { 160 } else { 120 })
}

fn out(line: &str) -> Result<(), ReadError> {
    writeln!(io::stdout().lock(), "{line}").map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => ReadError::Unheard,
        _ => ReadError::Io(error),
    })
}
