//! `tollgate check`.

use std::fs;
use std::path::Path;

use super::{ConfigPath, Format};
use crate::config::{self, CatalogConfig, CatalogSource};
use crate::net::load;
use crate::policy::Problem;
use crate::transport::{TlsAcceptor, TlsConnector};
use crate::warehouse::catalog::file;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigPath,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Every problem of configuration and rules, with what they refer to.
pub(super) fn run(arguments: &Arguments) -> u8 {
    if let Err(error) = fs::metadata(&arguments.config.config) {
        eprintln!("tollgate: {}: {error}", arguments.config.config.display());
        return super::FAILED;
    }
    let (problems, others) = problems(&arguments.config.config);
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
fn problems(path: &Path) -> (Vec<Problem>, Vec<String>) {
    let mut problems = config::load(path).err().unwrap_or_default();
    // All else is told too where only a secret is missing.
    let Ok(config) = config::load_without_secrets(path) else { return (problems, Vec::new()) };
    problems.extend(load(&config, 1).err().unwrap_or_default());
    let listen = TlsAcceptor::of(&config.tls).err();
    let upstream = TlsConnector::of(&config.upstream.tls, &config.upstream.host).err();
    let mut others: Vec<String> =
        [listen, upstream].into_iter().flatten().map(|error| error.to_string()).collect();
    if let Some(CatalogConfig { source: CatalogSource::File(path), .. }) = &config.catalog {
        others.extend(file::read(path).err().map(|error| error.to_string()));
    }
    (problems, others)
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

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "SCRAM-SHA-256$4096:c2FsdA==$DAFlsQUWwSbrWXqMEUZRuwGsTAkOVFn3cF4nRgsmEXQ=\
        :DAFlsQUWwSbrWXqMEUZRuwGsTAkOVFn3cF4nRgsmEXQ=";

    /// The repository's example with the files it names; secrets from files, not the environment.
    fn example() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("rules/domains")).unwrap();
        fs::create_dir_all(at("certs")).unwrap();
        let papers = crate::demo::papers::certificates(&[]).unwrap();
        fs::write(at("certs/server.crt"), papers.server).unwrap();
        fs::write(at("certs/server.key"), papers.server_key.expose()).unwrap();
        fs::write(at("certs/sso-jwks.json"), r#"{"keys":[]}"#).unwrap();
        fs::write(at("secret"), VERIFIER).unwrap();
        let mut names = vec!["tollgate.yaml".to_owned(), "rules/company.yaml".to_owned()];
        for file in fs::read_dir("rules/domains").unwrap() {
            names.push(format!("rules/domains/{}", file.unwrap().file_name().to_string_lossy()));
        }
        assert_eq!(names.len(), 8, "six domains");
        for name in names {
            let text = fs::read_to_string(&name).unwrap();
            let words =
                text.split('"').map(|word| if word.starts_with("env:") { "file:secret" } else { word });
            fs::write(at(&name), words.collect::<Vec<_>>().join("\"")).unwrap();
        }
        folder
    }

    fn shown(folder: &Path) -> Vec<String> {
        let (problems, others) = problems(&folder.join("tollgate.yaml"));
        problems.iter().map(ToString::to_string).chain(others).collect()
    }

    #[test]
    fn the_repositorys_example_checks_clean() {
        assert_eq!(shown(example().path()), Vec::<String>::new());
    }

    #[test]
    fn what_is_named_and_not_there_is_told_with_the_rest() {
        let folder = example();
        for name in ["secret", "certs/sso-jwks.json", "certs/server.key"] {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        let shown = shown(folder.path());
        for part in
            ["tollgate.yaml:35", "tollgate.yaml:36", "company.yaml:6", "company.yaml:23", "server.key"]
        {
            assert!(shown.iter().any(|problem| problem.contains(part)), "{part} in {shown:#?}");
        }
    }

    #[test]
    fn a_catalogs_file_is_read_too() {
        let folder = example();
        let config = folder.path().join("tollgate.yaml");
        let text = fs::read_to_string(&config).unwrap();
        let login = text.lines().find(|line| line.starts_with("  login:")).unwrap();
        fs::write(&config, text.replace(login, "  file: catalog.json")).unwrap();
        assert!(shown(folder.path())[0].contains("catalog.json` cannot be read"));
        fs::write(folder.path().join("catalog.json"), "[]").unwrap();
        assert!(shown(folder.path())[0].contains("this is no catalog snapshot"));
        let empty = crate::catalog::write(&crate::catalog::Snapshot::default()).unwrap();
        fs::write(folder.path().join("catalog.json"), empty).unwrap();
        assert_eq!(shown(folder.path()), Vec::<String>::new());
    }
}
