//! The trust list: which key speaks for which region, and what its claims and words mean.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::v1::Level;

const LIST_GRACE_S: f64 = 86_400.0;

/// A region, as far as codes in the national format need it.
pub struct Region {
    pub code: String,
    pub adopts_national: bool,
    pub claims: Labels,
    pub levels: HashMap<String, Level>,
}

/// Under which CBOR labels a region's claims stand.
#[derive(Clone, Copy, Default)]
pub struct Labels {
    pub subject: i64,
    pub level: i64,
    pub issued_at: i64,
    pub expiry: i64,
}

/// An issuer's key, times in Unix seconds.
pub struct Key {
    pub verifier: VerifyingKey,
    pub region: Arc<Region>,
    pub is_revoked: bool,
    pub retired_at: Option<f64>,
    pub not_before: f64,
    pub not_after: f64,
}

pub struct TrustList {
    pub version: u64,
    pub ends_s: f64,
    pub regions: HashMap<String, Arc<Region>>,
    pub keys: HashMap<Vec<u8>, Key>,
}

#[derive(Deserialize)]
struct Document {
    version: u64,
    next_update: Value,
    regions: Vec<RegionEntry>,
}

#[derive(Deserialize)]
struct RegionEntry {
    code: String,
    #[serde(default)]
    format: String,
    #[serde(default)]
    adopts_national: bool,
    #[serde(default)]
    claims: Value,
    #[serde(default)]
    levels: HashMap<String, String>,
    #[serde(default)]
    keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
struct KeyEntry {
    kid: String,
    public_key: String,
    format: Option<String>,
    state: Option<String>,
    retired_at: Option<Value>,
    not_before: Option<Value>,
    not_after: Option<Value>,
}

impl TrustList {
    /// Reads the list of a data directory and checks its signature by the root key.
    pub fn read(data_dir: &Path) -> Result<Self, Box<dyn Error>> {
        let root: [u8; 32] = bytes_of(fs::read_to_string(data_dir.join("root.pub"))?.trim())?
            .try_into()
            .map_err(|_| "root.pub: not 32 bytes")?;
        let jws = fs::read_to_string(data_dir.join("trust-list.jws"))?;
        let (signed, signature) = jws.trim().rsplit_once('.').ok_or("not a JWS")?;
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature)?)?;
        VerifyingKey::from_bytes(&root)?.verify_strict(signed.as_bytes(), &signature)?;
        let (_, payload) = signed.split_once('.').ok_or("not a JWS")?;
        let document: Document = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
        let ends_s = seconds(&document.next_update)? + LIST_GRACE_S;
        let (mut regions, mut keys) = (HashMap::new(), HashMap::new());
        for entry in document.regions {
            let region = Arc::new(region(&entry)?);
            regions.insert(region.code.clone(), region.clone());
            for key in &entry.keys {
                if key.format.as_ref().unwrap_or(&entry.format) == "national" {
                    keys.insert(bytes_of(&key.kid)?, prepared(key, region.clone())?);
                }
            }
        }
        Ok(Self { version: document.version, ends_s, regions, keys })
    }
}

fn region(entry: &RegionEntry) -> Result<Region, Box<dyn Error>> {
    let label = |name: &str| entry.claims.get(name).and_then(Value::as_i64).unwrap_or_default();
    let levels = entry.levels.iter().map(|(word, level)| {
        let level = Level::from_str_name(&format!("LEVEL_{level}")).ok_or("a level that does not exist")?;
        Ok((word.clone(), level))
    });
    Ok(Region {
        code: entry.code.clone(),
        adopts_national: entry.adopts_national,
        claims: Labels {
            subject: label("subject"),
            level: label("level"),
            issued_at: label("issued_at"),
            expiry: label("expiry"),
        },
        levels: levels.collect::<Result<_, &str>>()?,
    })
}

fn prepared(entry: &KeyEntry, region: Arc<Region>) -> Result<Key, Box<dyn Error>> {
    let public: [u8; 32] = bytes_of(&entry.public_key)?.try_into().map_err(|_| "a key of other than 32 bytes")?;
    let time = |value: &Option<Value>| value.as_ref().map(seconds).transpose();
    Ok(Key {
        verifier: VerifyingKey::from_bytes(&public)?,
        region,
        is_revoked: entry.state.as_deref() == Some("revoked"),
        retired_at: time(&entry.retired_at)?,
        not_before: time(&entry.not_before)?.unwrap_or(f64::NEG_INFINITY),
        not_after: time(&entry.not_after)?.unwrap_or(f64::INFINITY),
    })
}

/// A time, a number or RFC 3339 text, in Unix seconds.
fn seconds(value: &Value) -> Result<f64, Box<dyn Error>> {
    match value {
        Value::String(text) => Ok(DateTime::parse_from_rfc3339(text)?.timestamp_micros() as f64 / 1e6),
        other => Ok(other.as_f64().ok_or("not a time")?),
    }
}

/// The bytes that hexadecimal text stands for.
pub fn bytes_of(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    if !text.is_ascii() || text.len() % 2 == 1 {
        return Err("not hexadecimal".into());
    }
    (0..text.len()).step_by(2).map(|i| Ok(u8::from_str_radix(&text[i..i + 2], 16)?)).collect()
}
