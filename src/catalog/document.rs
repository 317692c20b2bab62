//! A snapshot as a file: JSON with one relation or function a line, for people's diffs.

use serde::Serialize;

use super::Snapshot;

/// Why a text is no snapshot.
#[derive(Debug, thiserror::Error)]
#[error("this is no catalog snapshot, as `tollgate catalog dump` writes it: {0}")]
pub struct NoSnapshot(#[from] serde_json::Error);

/// The snapshot's text; equal snapshots have equal texts.
pub fn write(snapshot: &Snapshot) -> Result<String, serde_json::Error> {
    let (database, taken) =
        (serde_json::to_string(&snapshot.database)?, serde_json::to_string(&snapshot.taken)?);
    let (relations, functions) = (lines(&snapshot.relations)?, lines(&snapshot.functions)?);
    Ok(format!(
        "{{\"database\":{database},\"taken\":{taken},\n\"relations\":[{relations}],\n\"functions\":[{functions}]}}\n"
    ))
}

pub fn read(text: &str) -> Result<Snapshot, NoSnapshot> {
    Ok(serde_json::from_str(text)?)
}

fn lines<T: Serialize>(entries: &[T]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for (at, entry) in entries.iter().enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        text.push_str(&serde_json::to_string(entry)?);
    }
    if !entries.is_empty() {
        text.push('\n');
    }
    Ok(text)
}
