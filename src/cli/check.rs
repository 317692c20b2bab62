//! `tollgate check`.

use super::{ConfigPath, Format};
use crate::config;
use crate::net::load;
use crate::policy::Problem;
use crate::transport::{TlsAcceptor, TlsConnector};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigPath,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Every problem of configuration and rules, with what they refer to.
pub(super) fn run(arguments: &Arguments) -> u8 {
    let (problems, others) = problems(arguments);
    for problem in &problems {
        match arguments.format {
            Format::Text => println!("{problem}"),
            Format::Json => println!("{}", json(problem)),
        }
    }
    for other in &others {
        match arguments.format {
            Format::Text => println!("{other}"),
            Format::Json => println!("{}", serde_json::json!({ "message": other })),
        }
    }
    let count = problems.len() + others.len();
    if arguments.format == Format::Text {
        match count {
            0 => println!("no problems"),
            1 => println!("1 problem"),
            many => println!("{many} problems"),
        }
    }
    u8::from(count > 0)
}

/// Those with a place, and those of files the configuration names.
fn problems(arguments: &Arguments) -> (Vec<Problem>, Vec<String>) {
    let path = &arguments.config.config;
    let config = match config::load(path) {
        Ok(config) => config,
        Err(mut problems) => {
            // The rules are told too, as far as the configuration says where they are.
            if let Ok(config) = config::load_without_secrets(path)
                && let Err(more) = load(&config, 1)
            {
                problems.extend(more);
            }
            return (problems, Vec::new());
        }
    };
    let rules = load(&config, 1).err().unwrap_or_default();
    let listen = TlsAcceptor::of(&config.tls).err();
    let upstream = TlsConnector::of(&config.upstream.tls, &config.upstream.host).err();
    let others = [listen, upstream].into_iter().flatten().map(|error| error.to_string()).collect();
    (rules, others)
}

fn json(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "file": &*problem.place.file,
        "line": problem.place.line,
        "text": problem.text,
        "message": problem.message,
        "mend": problem.mend,
    })
}
