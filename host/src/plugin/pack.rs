//! Packs a plugin file as a Python wheel, so that a package index hands plugins out: pip puts the file where an installed
//! program looks for it.

use super::{PluginFailure, Provided, SearchDir, description, digest, listing};
use crate::regular_file;
use crate::storage::{Disk, FileError, Naming, sha256_of_bytes, write_atomically};
use selfsame_plugin_api::PluginError;
use selfsame_wheel::{ANY, Entry, Wheel, platform_tag, relocated};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Where the plugins of a Python environment lie below its own folder.
pub const FOLDER: &str = "share/selfsame/plugins";

/// A wheel that was written.
#[derive(Debug)]
pub struct Packed {
    /// The wheel.
    pub path: PathBuf,
    /// The distribution's name, for `pip install`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the plugin file in it, in hexadecimal.
    pub sha256: String,
}

/// Opens a plugin file, reads its cards, and writes a wheel with it into `folder`. Name and version are the plugin's own, the
/// version `version` where one is given; a compiled plugin's wheel is for machines with the C library that it needs, and its
/// file looks for libraries in no folder of the machine that built it.
///
/// # Errors
/// A file or a card that this host cannot use; a name or a version that Python packages cannot have; a data set without code
/// whose data lie beside it; a wheel that is there already (unless `force`) or cannot be written.
pub fn pack(
    file: &Path,
    folder: &Path,
    version: Option<&str>,
    force: bool,
    dirs: &[SearchDir],
) -> Result<Packed, PluginFailure> {
    let unusable = |reason: String| PluginFailure::Unusable { path: file.to_owned(), reason };
    let mistake = |reason: &str| PluginError::configuration(format!("{}: {reason}", file.display()));
    let inspection = listing::inspect(file, dirs)?;
    inspection.judge()?;
    let provided = &inspection.provided;
    let is_code = matches!(provided, Provided::Library(_));
    let file_name = file.file_name().and_then(|name| name.to_str());
    let fits = |name: &&str| if is_code { name.ends_with(".so") } else { description::is_named_so(file) };
    let file_name = file_name
        .filter(fits)
        .ok_or_else(|| unusable("only files whose names end in `.so` or `.dataset.yaml` are looked for".into()))?;
    if let Provided::Description(description) = provided
        && description.file().folder.as_deref().is_some_and(Path::is_relative)
    {
        let reason = "its `folder` is relative to the file, and the data do not travel with the package; write the folder \
                      from the root, or leave it out, so that users set `dataset.dataset_dir`";
        return Err(mistake(reason).into());
    }
    let version = version.unwrap_or(provided.version()).to_owned();
    let name = distribution(provided.name()).map_err(|reason| mistake(&reason))?;
    if !is_version(&version) {
        let said = if version.is_empty() { "it has no version".into() } else { format!("its version is `{version}`") };
        let wanted = "a Python package needs one such as 1.2.0 or 1.2.0rc1 (PEP 440): name it with --version";
        return Err(mistake(&format!("{said}; {wanted}")).into());
    }
    let content = regular_file::read(file).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    // The program has opened libtorch already; a folder of the builder's would be one more that others may write to.
    let content = if is_code { relocated(content).map_err(unusable)? } else { content };
    let sha256 = sha256_of_bytes(&content);
    let tag = if is_code { platform_tag([content.as_slice()]).map_err(unusable)? } else { ANY.to_owned() };
    let generator = format!("selfsame {}", env!("CARGO_PKG_VERSION"));
    let mut wheel = Wheel { name: name.replace('-', "_"), version, tag, generator, entries: Vec::new() };
    let place = wheel.data(&format!("{FOLDER}/{file_name}"));
    let beside = Entry::new(format!("{place}.sha256"), digest::line(&sha256, file));
    wheel.entries = vec![
        Entry { is_program: is_code, ..Entry::new(place, content) },
        beside,
        Entry::new(wheel.info("METADATA"), metadata(&name, &wheel.version, &inspection)),
    ];
    let path = folder.join(wheel.file_name());
    if path.exists() && !force {
        let reason = format!("{} exists; raise the version, or replace it with --force", path.display());
        return Err(PluginError::configuration(reason).into());
    }
    let version = wheel.version.clone();
    written(wheel, folder, &path)
        .map_err(|error| PluginFailure::Unusable { path: path.clone(), reason: format!("{}", error.source) })?;
    Ok(Packed { path, name, version, sha256 })
}

fn written(wheel: Wheel, folder: &Path, path: &Path) -> Result<(), FileError> {
    let mut bytes = Cursor::new(Vec::new());
    wheel.write(&mut bytes).naming("write", path)?;
    std::fs::create_dir_all(folder).naming("create", folder)?;
    write_atomically(&Disk, path, bytes.get_ref())
}

/// A distribution's name as indexes normalise it (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`.
fn distribution(name: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let ends = |c: char| c.is_ascii_alphanumeric();
    if !name.chars().all(is_name) || !name.starts_with(ends) || !name.ends_with(ends) {
        return Err(format!(
            "`{name}` cannot be the name of a Python package, which is made of letters, digits, `-`, `_` and `.`; rename the \
             plugin"
        ));
    }
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    Ok(parts.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-"))
}

/// Whether this is a version as PEP 440 writes it: `1.2`, `1.2rc1`, `1.2.post1`, `1.2.dev3`, each perhaps with `+local.1`.
fn is_version(text: &str) -> bool {
    let (public, local) = text.split_once('+').map_or((text, None), |(public, local)| (public, Some(local)));
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase());
    let without = |text: &str, marker: &str| match text.rsplit_once(marker) {
        Some((rest, number)) if is_number(number) => rest.to_owned(),
        _ => text.to_owned(),
    };
    let rest = without(&without(public, ".dev"), ".post");
    let release = ["rc", "a", "b"].iter().find_map(|marker| {
        let (release, number) = rest.split_once(marker)?;
        is_number(number).then(|| release.to_owned())
    });
    release.unwrap_or(rest).split('.').all(is_number) && local.is_none_or(|local| local.split('.').all(is_word))
}

/// What installers and indexes show. Licences are those of the cards: free text, of data as often as of code.
fn metadata(name: &str, version: &str, inspection: &listing::Inspection) -> String {
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut licences: Vec<String> = Vec::new();
    let mut summaries = Vec::new();
    for (summary, licence) in inspection.summaries() {
        let licence = in_one_line(licence);
        if !licences.contains(&licence) {
            licences.push(licence);
        }
        summaries.push(in_one_line(summary));
    }
    let provided = &inspection.provided;
    let mut text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    match summaries.first() {
        Some(summary) if !summary.is_empty() => text.push_str(&format!("Summary: {summary}\n")),
        _ => {}
    }
    if !licences.is_empty() {
        text.push_str(&format!("License: {}\n", licences.join("; ")));
    }
    text.push_str("Keywords: selfsame,plugin\n\nA plugin of selfsame.\n");
    for (what, names) in [("Data sets", provided.datasets()), ("Encoders", provided.encoders())] {
        if !names.is_empty() {
            text.push_str(&format!("\n{what}: {}\n", in_one_line(&names.join(", "))));
        }
    }
    text
}

impl Packed {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { path, name, version, sha256 } = self;
        format!(
            "{}\n  package   {name} {version}\n  sha256    {sha256} (of the plugin file in it)\n  install   pip install --no-index \
             --find-links {} {name}",
            path.display(),
            path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_as_indexes_do() {
        for (name, expected) in
            [("my-data", "my-data"), ("Acme_CT.films", "acme-ct-films"), ("a__b", "a-b"), ("CIFAR10", "cifar10")]
        {
            assert_eq!(distribution(name).unwrap(), expected);
        }
        for name in ["", "films of 2026", "-films", "films_", "Röntgen"] {
            assert!(distribution(name).unwrap_err().contains("rename the plugin"), "{name}");
        }
    }

    #[test]
    fn versions_are_those_of_pep_440() {
        for version in
            ["1", "1.2.0", "2026.11", "1.0a1", "1.0b2", "1.0rc1", "1.0.post2", "1.0rc1.post2.dev3", "1.0+acme.1"]
        {
            assert!(is_version(version), "{version}");
        }
        for version in ["", "1.", ".1", "v1", "1.0-rc.1", "1.0 ", "1.0+", "1.0.dev", "one", "1.0/../x"] {
            assert!(!is_version(version), "{version}");
        }
    }
}
