//! The list of a checkpoint's files, which vouches for itself too.

use crate::regular_file;
use crate::storage::sha256_of_bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const MANIFEST_FILE: &str = "manifest.json";

/// Size in bytes and SHA-256 of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub(super) size: u64,
    sha256: String,
}

impl FileEntry {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: sha256_of_bytes(bytes) }
    }

    /// Says how a file differs from what was written.
    pub(super) fn compare(&self, name: &str, size: u64, sha256: &str) -> Result<(), String> {
        if size != self.size {
            return Err(format!("`{name}` has {size} bytes where {} were written", self.size));
        }
        if sha256 != self.sha256 {
            return Err(format!("`{name}` has SHA-256 {sha256} where {} was written", self.sha256));
        }
        Ok(())
    }
}

/// What a checkpoint consists of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) step: u64,
    /// Kept for good, beyond newer ones.
    pub(super) keep: bool,
    pub(super) files: BTreeMap<String, FileEntry>,
    /// What `metrics.jsonl` was when the checkpoint was written; more has been appended since. None: there was no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metrics: Option<FileEntry>,
}

impl Manifest {
    /// The manifest as written: its JSON beside the SHA-256 of that JSON.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let body = serde_json::json!(self);
        let digest = sha256_of_bytes(body.to_string().as_bytes());
        format!("{:#}\n", serde_json::json!({ "manifest": body, "sha256": digest })).into_bytes()
    }

    /// Reads a checkpoint's manifest; a single changed bit in it, or another step than the folder's, is an error.
    pub(super) fn read(dir: &Path, step: u64) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Signed {
            manifest: Manifest,
        }
        let path = dir.join(MANIFEST_FILE);
        let bytes = regular_file::read(&path).map_err(|error| format!("cannot read `{MANIFEST_FILE}`: {error}"))?;
        let Signed { manifest } =
            serde_json::from_slice(&bytes).map_err(|error| format!("`{MANIFEST_FILE}` is not a manifest: {error}"))?;
        // Writing is deterministic, so what was read must write itself, digest included.
        if manifest.to_bytes() != bytes {
            return Err(format!("`{MANIFEST_FILE}` does not match its own SHA-256"));
        }
        if manifest.step != step {
            return Err(format!("`{MANIFEST_FILE}` says step {} where the folder says {step}", manifest.step));
        }
        Ok(manifest)
    }
}
