//! The notices of the crates that are compiled into what is packed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace::Workspace;

/// The file's name in what is packed.
pub const FILE: &str = "THIRD-PARTY-LICENSES.txt";

/// What the names of files with licences and notices begin with, in capitals.
const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// What stands first. The sentence about JPEG is what libjpeg's licence asks of programs that come without their source.
const HEAD: &str = "\
selfsame is compiled of the crates below, of Rust's standard library (MIT OR Apache-2.0, the Rust project) and of itself
(LICENSE-MIT, LICENSE-APACHE). libtorch is not part of it. This software is based in part on the work of the Independent JPEG
Group, by way of libjpeg-turbo-rs.

";

/// A crate that is not of this workspace.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Foreign {
    /// Name and version.
    name: String,
    licence: String,
    authors: String,
    manifest: String,
}

/// Every crate that the program and the shipped plugins are compiled of, with its licence and the texts that it brings, each text
/// once.
pub fn text(workspace: &Workspace, target: &str) -> Result<String> {
    let mut cargo = workspace.cargo();
    cargo.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target]);
    let output = cargo.output().context("cannot run `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata = serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` printed")?;
    notices(&compiled_in(&metadata))
}

/// The foreign crates that those of `host` and `plugins` depend on, by whatever is not only for building or testing.
fn compiled_in(metadata: &Value) -> BTreeSet<Foreign> {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let shipped = [format!("{root}/host/"), format!("{root}/plugins/")];
    let packages: BTreeMap<&str, &Value> = by_id(&metadata["packages"]);
    let nodes: BTreeMap<&str, &Value> = by_id(&metadata["resolve"]["nodes"]);
    let path = |package: &Value| package["manifest_path"].as_str().unwrap_or_default().to_owned();
    let is_shipped = |package: &&&Value| shipped.iter().any(|folder| path(package).starts_with(folder));
    let mut left: Vec<&str> =
        packages.values().filter(is_shipped).filter_map(|package| package["id"].as_str()).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = left.pop() {
        if seen.insert(id) {
            let needed = |link: &&Value| list(&link["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let links = nodes.get(id).map(|node| list(&node["deps"])).unwrap_or_default();
            left.extend(links.iter().filter(needed).filter_map(|link| link["pkg"].as_str()));
        }
    }
    let foreign = |package: &&&Value| !package["source"].is_null();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |package: &&Value| Foreign {
        name: format!("{} {}", word(&package["name"]), word(&package["version"])),
        licence: package["license"].as_str().unwrap_or("see below").to_owned(),
        authors: list(&package["authors"]).iter().map(word).collect::<Vec<_>>().join(", "),
        manifest: path(package),
    };
    seen.iter().filter_map(|id| packages.get(id)).filter(foreign).map(read).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn by_id(values: &Value) -> BTreeMap<&str, &Value> {
    list(values).iter().filter_map(|value| Some((value["id"].as_str()?, value))).collect()
}

fn notices(crates: &BTreeSet<Foreign>) -> Result<String> {
    let mut text = HEAD.to_owned();
    // By their words, since copies differ in line ends and indents.
    let mut texts: BTreeMap<String, (String, Vec<&str>)> = BTreeMap::new();
    for Foreign { name, licence, authors, manifest } in crates {
        let by = if authors.is_empty() { String::new() } else { format!(", by {authors}") };
        let found = texts_of(Path::new(manifest))?;
        let without = if found.is_empty() { " (its package holds no text of it)" } else { "" };
        let _ = writeln!(text, "{name}: {licence}{by}{without}");
        for found in found {
            let words = found.split_whitespace().collect::<Vec<_>>().join(" ");
            texts.entry(words).or_insert_with(|| (found, Vec::new())).1.push(name);
        }
    }
    for (found, of) in texts.into_values() {
        let _ = write!(text, "\n{}\n{}\n\n{}\n", "=".repeat(100), of.join(", "), found.trim_end());
    }
    Ok(text)
}

/// The texts that lie beside a package's manifest.
fn texts_of(manifest: &Path) -> Result<Vec<String>> {
    let folder = manifest.parent().context("a manifest has no folder")?;
    let cannot = || format!("cannot list {}; `cargo fetch` brings it", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            files.push(path);
        }
    }
    files.sort();
    let read = |path: PathBuf| fs::read(&path).with_context(|| format!("cannot read {}", path.display()));
    files.into_iter().map(|path| Ok(String::from_utf8_lossy(&read(path)?).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn crates_that_are_compiled_in_are_named_with_their_texts_and_each_text_stands_once() {
        let folder = tempfile::tempdir().unwrap();
        let package = |name: &str, source: Option<&str>, place: &str| {
            let manifest = folder.path().join(place).join("Cargo.toml");
            fs::create_dir_all(manifest.parent().unwrap()).unwrap();
            json!({"id": name, "name": name, "version": "1.0.0", "source": source, "license": "MIT", "authors": ["A <a@b>"],
                   "manifest_path": manifest})
        };
        let registry = Some("registry+https://example.org");
        let packages = [
            package("selfsame", None, "host"),
            package("net", None, "plugins/net"),
            package("tests", None, "tests"),
            package("one", registry, "registry/one"),
            package("two", registry, "registry/two"),
            package("builds", registry, "registry/builds"),
            package("tests-only", registry, "registry/tests-only"),
        ];
        for (file, text) in
            [("one/LICENSE-MIT", "Do as\nyou like\n"), ("two/license", "Do as you like"), ("two/README", "no")]
        {
            fs::write(folder.path().join("registry").join(file), text).unwrap();
        }
        let node = |id: &str, deps: &[(&str, Option<&str>)]| {
            let deps: Vec<_> =
                deps.iter().map(|(pkg, kind)| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]})).collect();
            json!({"id": id, "deps": deps})
        };
        let nodes = [
            node("selfsame", &[("one", None), ("builds", Some("build"))]),
            node("net", &[("two", None)]),
            node("tests", &[("tests-only", None)]),
        ];
        let metadata = json!({"workspace_root": folder.path(), "packages": packages, "resolve": {"nodes": nodes}});
        let found = compiled_in(&metadata);
        assert_eq!(found.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["one 1.0.0", "two 1.0.0"]);
        let text = notices(&found).unwrap();
        assert!(text.contains("\none 1.0.0: MIT, by A <a@b>\ntwo 1.0.0: MIT"), "{text}");
        assert!(text.ends_with("\none 1.0.0, two 1.0.0\n\nDo as\nyou like\n"), "{text}");
    }
}
