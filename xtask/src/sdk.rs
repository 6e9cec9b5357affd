//! What authors of plugins compile against, as a workspace of its own, so that they need no copy of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::archive::files_below;

/// The SDK's crates, the crate that data sets of files share, and the examples of the documents.
const CRATES: [&str; 7] = [
    "plugin-api",
    "plugin-api/abi",
    "plugin-api/encoder",
    "plugins/tables",
    "plugins/shapes",
    "tests/plugins/gratings",
    "tests/plugins/convnext",
];

/// The files of all crates below the repository's root: (path in the SDK, file on disk).
pub fn files(root: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut files = Vec::new();
    for part in CRATES {
        // What lies within another one comes with it.
        if !CRATES.iter().any(|other| part.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))) {
            files_below(&root.join(part), Path::new(part), &mut files)?;
        }
    }
    files.retain(|(name, _)| name.components().all(|part| part.as_os_str() != "target"));
    files.push(("Cargo.lock".into(), root.join("Cargo.lock")));
    Ok(files)
}

/// The workspace's `Cargo.toml`: the repository's own, with the SDK's crates as members.
pub fn manifest(root: &Path) -> Result<String> {
    let path = root.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with("default-members ="));
    let line = |line: &str| match line.starts_with("members =") {
        true => format!("members = {CRATES:?}\n"),
        false => format!("{line}\n"),
    };
    Ok(lines.map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_sdks_crates_and_keeps_all_versions() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = manifest(root).unwrap();
        assert!(manifest.contains("\nmembers = [\"plugin-api\", \"plugin-api/abi\","), "{manifest}");
        assert!(!manifest.contains("default-members") && !manifest.contains("xtask"), "{manifest}");
        assert!(manifest.contains("\nabi_stable = "), "{manifest}");
        let names: Vec<_> = files(root).unwrap().into_iter().map(|(name, _)| name).collect();
        for part in CRATES {
            let manifest = Path::new(part).join("Cargo.toml");
            assert_eq!(names.iter().filter(|name| **name == manifest).count(), 1, "{part}");
        }
    }
}
