//! Reads and judges the manifest that a plugin carries in an ELF section.

use super::{digest, elf};
use crate::regular_file;
use object::{
    LittleEndian, ReadCache, ReadRef,
    elf::FileHeader64,
    read::elf::{FileHeader, SectionHeader},
};
use selfsame_encoder_api::LIBTORCH_VERSION;
use selfsame_plugin_api::{ABI_VERSION, LAYOUT_DIGEST, MANIFEST_SECTION, Manifest, TARGET};
use std::{collections::HashSet, io::ErrorKind, path::Path};

/// Reads the manifest of a plugin file and checks that this host can use it, and that it is the one that was installed; runs
/// nothing of the plugin.
///
/// # Errors
/// One sentence: what the file is, or which value of the manifest differs, with both values.
pub(super) fn read(path: &Path) -> Result<Manifest, String> {
    let file = regular_file::open(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::IsADirectory => error.to_string(),
        _ => format!("cannot be opened: {error}"),
    })?;
    digest::check(path)?;
    let cache = ReadCache::new(file);
    elf::check(&cache)?;
    let text = section(&cache)?;
    let value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| format!("its section {MANIFEST_SECTION} is damaged: {error}"))?;
    // A later version may have other fields, so this one comes first.
    let abi = value.get("abi").and_then(serde_json::Value::as_u64);
    if abi != Some(ABI_VERSION.into()) {
        let found = abi.map_or_else(|| "none".to_owned(), |abi| abi.to_string());
        return Err(format!(
            "plugin ABI {found}, this host has {ABI_VERSION}; build it with the selfsame-plugin-api of this host"
        ));
    }
    let manifest: Manifest =
        serde_json::from_value(value).map_err(|error| format!("its section {MANIFEST_SECTION} is damaged: {error}"))?;
    judge(&manifest)?;
    Ok(manifest)
}

fn section<'data>(data: impl ReadRef<'data>) -> Result<&'data [u8], String> {
    let damaged = |error: object::Error| format!("damaged ELF file: {error}");
    let header = FileHeader64::<LittleEndian>::parse(data).map_err(damaged)?;
    let sections = header.sections(LittleEndian, data).map_err(damaged)?;
    let Some((_, section)) = sections.section_by_name(LittleEndian, MANIFEST_SECTION.as_bytes()) else {
        return Err(format!("no selfsame plugin: it has no section {MANIFEST_SECTION}; see `export_plugin!`"));
    };
    section.data(LittleEndian, data).map_err(damaged)
}

fn judge(manifest: &Manifest) -> Result<(), String> {
    let Manifest { layout, target, panic, libtorch, .. } = manifest;
    if layout.is_empty() {
        return Err(format!(
            "built before plugin ABI {ABI_VERSION} was frozen: its manifest has no `layout`; build it with the \
             selfsame-plugin-api of this host"
        ));
    }
    if layout != LAYOUT_DIGEST {
        return Err(format!(
            "its types of plugin ABI {ABI_VERSION} are laid out differently from this host's (layout {layout}, this host \
             has {LAYOUT_DIGEST}); build it with the selfsame-plugin-api of this host"
        ));
    }
    if target != TARGET {
        return Err(format!("built for `{target}`, this host for `{TARGET}`"));
    }
    if panic != "unwind" {
        return Err(format!(
            "built with panic strategy `{panic}`, this host needs `unwind`; remove `panic = \"{panic}\"` from the \
             plugin's profile"
        ));
    }
    match libtorch.as_deref() {
        Some(version) if version != LIBTORCH_VERSION => {
            return Err(format!("built for libtorch {version}, this host has {LIBTORCH_VERSION}; build it again"));
        }
        None if !manifest.encoders.is_empty() => {
            return Err(format!("provides encoders for libtorch none, this host has {LIBTORCH_VERSION}"));
        }
        _ => {}
    }
    for (what, names) in [("data set", &manifest.datasets), ("encoder", &manifest.encoders)] {
        let mut seen = HashSet::new();
        if let Some(name) = names.iter().find(|name| !seen.insert(*name)) {
            return Err(format!("names the {what} `{name}` twice"));
        }
    }
    Ok(())
}
