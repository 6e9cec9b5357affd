//! `cargo xtask wheel`: the program, its plugins and configurations as a Python wheel, the same to the byte for the same
//! content (the binary distribution format of the Python packaging user guide, once PEP 427).

use std::fs::{self, File};
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use crate::build;
use crate::dist::files_below;
use crate::glibc;
use crate::runpath;
use crate::share;
use crate::workspace::{Packages, Workspace};

const NAME: &str = "selfsame";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The PyTorch that brings libtorch.
const REQUIRES: &str = "torch==2.11.0";

/// A file of the wheel.
struct Entry {
    /// Its path in the wheel, which is its path in `site-packages`.
    name: String,
    content: Vec<u8>,
    is_program: bool,
}

/// Builds, then writes `target/dist/selfsame-VERSION-py3-none-manylinux_…_x86_64.whl`.
pub fn run(workspace: &Workspace) -> Result<()> {
    let packages = build::run(workspace)?;
    let folder = packages.target.join("dist");
    let mut entries = contents(&workspace.root, &packages)?;
    entries.extend(shared(&packages.binary(), &folder.join("share"))?);
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let programs = entries.iter().filter(|entry| entry.is_program).map(|entry| entry.content.as_slice());
    let tag = tag(programs)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let wheel = folder.join(format!("{NAME}-{VERSION}-{tag}.whl"));
    let unfinished = folder.join(format!("{NAME}-{VERSION}.whl.tmp"));
    let cannot = || format!("cannot write {}", wheel.display());
    pack(BufWriter::new(File::create(&unfinished).with_context(cannot)?), entries, &tag)?;
    fs::rename(&unfinished, &wheel).with_context(cannot)?;
    println!("{}", wheel.display());
    Ok(())
}

/// For which machines: any Python 3 on x86-64 Linux with the C library that the programs were linked against, or a newer one
/// (PEP 600).
fn tag<'a>(programs: impl Iterator<Item = &'a [u8]>) -> Result<String> {
    let needed = programs.map(glibc::needed).collect::<Result<Vec<_>>>()?;
    let (major, minor) = needed.into_iter().max().unwrap_or((2, 17));
    Ok(format!("py3-none-manylinux_{major}_{minor}_x86_64"))
}

/// The package's files, sorted by name.
fn contents(root: &Path, packages: &Packages) -> Result<Vec<Entry>> {
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (folder, name) in [("python/selfsame", NAME), ("configs", "selfsame/configs")] {
        files_below(&root.join(folder), Path::new(name), &mut files)?;
    }
    files.retain(|(name, _)| name.components().all(|part| part.as_os_str() != "__pycache__"));
    files.push((format!("{NAME}/bin/selfsame").into(), packages.binary()));
    let plugin = |plugin: &String| (Path::new("selfsame/bin/plugins").join(plugin), packages.staged().join(plugin));
    files.extend(packages.plugins.iter().map(plugin));
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        files.push((format!("{}/licenses/{licence}", info()).into(), root.join(licence)));
    }
    files.sort();
    let read = |(name, path): (PathBuf, PathBuf)| {
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let is_program = name.starts_with("selfsame/bin");
        let content = match is_program {
            true => runpath::relocated(content).with_context(|| format!("cannot pack {}", path.display()))?,
            false => content,
        };
        let name = name.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?.to_owned();
        Ok(Entry { name, content, is_program })
    };
    files.into_iter().map(read).collect()
}

/// Completions and manual pages, which installers put into the folder `share` of the environment.
fn shared(program: &Path, folder: &Path) -> Result<Vec<Entry>> {
    let entry = |(name, path): (PathBuf, PathBuf)| {
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = format!("{NAME}-{VERSION}.data/data/share/{}", name.display());
        Ok(Entry { name, content, is_program: false })
    };
    share::files(program, folder)?.into_iter().map(entry).collect()
}

/// The folder of the wheel's own facts.
fn info() -> String {
    format!("{NAME}-{VERSION}.dist-info")
}

/// The facts that installers read.
fn facts(tag: &str) -> [Entry; 3] {
    let entry = |name: &str, content: String| Entry {
        name: format!("{}/{name}", info()),
        content: content.into_bytes(),
        is_program: false,
    };
    let metadata = format!(
        "Metadata-Version: 2.4\nName: {NAME}\nVersion: {VERSION}\nSummary: Trains image encoders without labels, from any data set\n\
         License-Expression: MIT OR Apache-2.0\nLicense-File: LICENSE-APACHE\nLicense-File: LICENSE-MIT\n\
         Requires-Python: >=3.9\nRequires-Dist: {REQUIRES}\n"
    );
    [
        entry("METADATA", metadata),
        entry("WHEEL", format!("Wheel-Version: 1.0\nGenerator: xtask {VERSION}\nRoot-Is-Purelib: false\nTag: {tag}\n")),
        entry("entry_points.txt", format!("[console_scripts]\n{NAME} = {NAME}:main\n")),
    ]
}

/// Writes the wheel; `RECORD`, with the digest of every file, is the last one.
fn pack(output: impl Write + Seek, mut entries: Vec<Entry>, tag: &str) -> Result<()> {
    entries.extend(facts(tag));
    let record = format!("{}/RECORD", info());
    let mut lines = String::new();
    for Entry { name, content, .. } in &entries {
        let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        lines.push_str(&format!("{name},sha256={digest},{}\n", content.len()));
    }
    lines.push_str(&format!("{record},,\n"));
    entries.push(Entry { name: record, content: lines.into_bytes(), is_program: false });
    let mut wheel = ZipWriter::new(output);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::from_date_and_time(2026, 1, 1, 0, 0, 0).context("a date")?);
    for Entry { name, content, is_program } in entries {
        let mode = if is_program { 0o755 } else { 0o644 };
        wheel.start_file(name, options.unix_permissions(mode)).context("cannot write the wheel")?;
        wheel.write_all(&content).context("cannot write the wheel")?;
    }
    wheel.finish().and_then(|mut output| Ok(output.flush()?)).context("cannot write the wheel")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    fn packed() -> Vec<u8> {
        let entry =
            |name: &str, content: &[u8], is_program| Entry { name: name.into(), content: content.into(), is_program };
        let entries = vec![
            entry("selfsame/__init__.py", b"TORCH = 1\n", false),
            entry("selfsame/bin/selfsame", b"\x7fELF", true),
        ];
        let mut wheel = Cursor::new(Vec::new());
        pack(&mut wheel, entries, "py3-none-manylinux_2_34_x86_64").unwrap();
        wheel.into_inner()
    }

    #[test]
    fn every_file_is_recorded_and_programs_may_be_run() {
        let bytes = packed();
        assert_eq!(bytes, packed(), "the same bytes again");
        let mut wheel = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut record = String::new();
        wheel.by_name(&format!("{}/RECORD", info())).unwrap().read_to_string(&mut record).unwrap();
        // Of `TORCH = 1` and a new line, by Python's hashlib and base64.
        let line = "selfsame/__init__.py,sha256=sPXk-MBoFDAKR8NOk8iBMbKNo5v7K2EKoG_WUXR0_ds,10\n";
        assert!(record.contains(line), "{record}");
        for at in 0..wheel.len() {
            let file = wheel.by_index(at).unwrap();
            assert!(record.contains(&format!("{},", file.name())), "{} is not recorded", file.name());
            let expected = if file.name() == "selfsame/bin/selfsame" { 0o755 } else { 0o644 };
            assert_eq!(file.unix_mode().unwrap() & 0o777, expected, "{}", file.name());
        }
    }

    #[test]
    fn the_tag_says_which_c_library_this_program_needs() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let tag = tag([own.as_slice()].into_iter()).unwrap();
        assert!(tag.starts_with("py3-none-manylinux_2_") && tag.ends_with("_x86_64"), "{tag}");
    }
}
