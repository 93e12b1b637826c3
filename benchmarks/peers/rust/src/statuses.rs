//! Status records in a map, read once from one JSON object a line.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::trust::bytes_of;
use crate::v1::{Level, Scope};

/// A publisher's word on a subject; times in Unix seconds.
pub struct Record {
    pub publisher: String,
    pub level: Level,
    pub scope: Scope,
    pub effective_at_s: f64,
    pub expires_at_s: f64,
    pub revision: u64,
}

pub type Statuses = HashMap<[u8; 16], Vec<Record>>;

#[derive(Deserialize)]
struct Line {
    subject: String,
    publisher: String,
    level: String,
    scope: String,
    effective_at_s: f64,
    expires_at_s: Option<f64>,
    revision: u64,
}

/// Reads a file of records.
pub fn read(file: &Path) -> Result<Statuses, Box<dyn Error>> {
    let mut statuses = Statuses::new();
    for text in fs::read_to_string(file)?.lines() {
        let line: Line = serde_json::from_str(text)?;
        let subject = bytes_of(&line.subject)?.try_into().map_err(|_| "a subject of other than 16 bytes")?;
        statuses.entry(subject).or_default().push(Record {
            level: Level::from_str_name(&format!("LEVEL_{}", line.level)).ok_or("a level that does not exist")?,
            scope: Scope::from_str_name(&format!("SCOPE_{}", line.scope)).ok_or("a scope that does not exist")?,
            publisher: line.publisher,
            effective_at_s: line.effective_at_s,
            expires_at_s: line.expires_at_s.unwrap_or(f64::INFINITY),
            revision: line.revision,
        });
    }
    Ok(statuses)
}

/// A publisher's record with the highest revision that is in effect, unless that one has expired.
pub fn newest<'a>(records: &'a [Record], publisher: &str, scope: Scope, now_s: f64) -> Option<&'a Record> {
    records
        .iter()
        .filter(|one| one.publisher == publisher && one.scope == scope && one.effective_at_s <= now_s)
        .max_by_key(|one| one.revision)
        .filter(|one| one.expires_at_s > now_s)
}
