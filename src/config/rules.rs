//! The rules folder, read for [`crate::policy::parse`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Config;
use crate::identity::Directory;
use crate::policy::{self, Place, Problem, RuleFile, RuleSet};

/// Reads and checks the rules of `config`.
pub fn load(config: &Config) -> Result<RuleSet, Vec<Problem>> {
    let files = read(&config.rules).map_err(|problem| vec![problem])?;
    policy::parse(&files)
}

/// Verifiers and token keys that the rules refer to.
pub fn directory(config: &Config, rules: &RuleSet) -> Result<Directory, Vec<Problem>> {
    let base = config.path.parent().unwrap_or(Path::new(""));
    Directory::load(rules, base, &|name| std::env::var(name).ok())
}

/// `company.yaml` and the domains' files, in order of their names, shown from the rules folder's own name on.
pub fn read(dir: &Path) -> Result<Vec<RuleFile>, Problem> {
    let shown = dir.file_name().map_or_else(|| "rules".into(), |name| name.to_string_lossy().into_owned());
    let mut files = vec![file(&dir.join("company.yaml"), format!("{shown}/company.yaml"))?];
    let domains = dir.join("domains");
    if !domains.exists() {
        return Ok(files);
    }
    let failed = |error| problem(&format!("{shown}/domains"), &error);
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&domains).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let visible = path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
        if visible && path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(file(&path, format!("{shown}/domains/{name}"))?);
    }
    Ok(files)
}

fn file(path: &Path, shown: String) -> Result<RuleFile, Problem> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(RuleFile { path: shown.into(), text }),
        Err(error) => Err(problem(&shown, &error)),
    }
}

fn problem(shown: &str, error: &std::io::Error) -> Problem {
    let place = Place { file: Arc::from(shown), line: 1 };
    Problem { place, text: String::new(), message: format!("cannot be read: {error}"), mend: None }
}
