//! Where texts come from: corpora, the project's own SQL, a generator's queries.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use crate::sqlsmith::{Generated, generated};

/// Texts from one place.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub texts: Vec<String>,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The folder with corpora: `TOLLGATE_CORPORA`, else beside the project.
pub fn corpora_folder() -> PathBuf {
    std::env::var_os("TOLLGATE_CORPORA").map_or_else(|| project().join("../shared/corpora"), PathBuf::from)
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    found.sort();
    found
}

/// One source for each file of JSON lines with a field `sql`; none where there is no such folder.
pub fn corpora(folder: &Path) -> Vec<Source> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let texts = lines.filter_map(|line| line.get("sql").and_then(Value::as_str).map(str::to_owned));
        let name = path.file_stem()?.to_string_lossy().into_owned();
        Some(Source { name, texts: texts.collect() })
    };
    files(folder, "jsonl").into_iter().filter_map(read).collect()
}

/// The SQL of the project's own tests: each file of `tests/bypass`, each line of `tests/golden`.
pub fn own() -> Source {
    let mut texts = Vec::new();
    for path in files(&project().join("tests/bypass"), "sql") {
        texts.extend(fs::read_to_string(path));
    }
    for path in files(&project().join("tests/golden"), "sql") {
        let text = fs::read_to_string(path).unwrap_or_default();
        texts.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    }
    Source { name: "the project's own".to_owned(), texts }
}
