//! Archives to carry to another machine: the same to the byte for the same content, whatever the files' dates.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

use crate::runpath;
use crate::workspace::Packages;

/// Every file's date, so that archives can be compared: 2026-01-01, in seconds since 1970.
const DATE: u64 = 1_767_225_600;

/// A `.tar.gz` in memory, all of whose names begin with one folder.
pub struct Archive {
    folder: PathBuf,
    builder: Builder<GzEncoder<Vec<u8>>>,
}

impl Archive {
    /// An archive that unpacks into `folder`.
    pub fn new(folder: &str, compression: Compression) -> Self {
        let gzip = GzBuilder::new().mtime(0).write(Vec::new(), compression);
        Self { folder: folder.into(), builder: Builder::new(gzip) }
    }

    /// Bytes so far, without what is not packed yet.
    pub fn len(&self) -> usize {
        self.builder.get_ref().get_ref().len()
    }

    /// Adds a file, which can be started if it is a program.
    pub fn add(&mut self, name: &Path, content: &[u8], is_program: bool) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(if is_program { 0o755 } else { 0o644 });
        header.set_mtime(DATE);
        let name = self.folder.join(name);
        self.builder.append_data(&mut header, name, content).context("cannot write the archive")
    }

    /// The whole archive.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.builder.into_inner().and_then(|gzip| gzip.finish()).context("cannot write the archive")
    }
}

/// The program and the plugins: (path in an archive, file on disk).
pub fn programs(packages: &Packages) -> Vec<(PathBuf, PathBuf)> {
    let plugin = |plugin: &String| (Path::new("bin/plugins").join(plugin), packages.staged().join(plugin));
    let program = ("bin/selfsame".into(), packages.binary());
    std::iter::once(program).chain(packages.plugins.iter().map(plugin)).collect()
}

/// Whether what has this name in an archive is a program or one of its libraries.
pub fn is_binary(name: &Path) -> bool {
    name.starts_with("bin")
}

/// What a file holds in an archive; programs look for their libraries beside themselves there.
pub fn content(name: &Path, path: &Path) -> Result<Vec<u8>> {
    let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    match is_binary(name) {
        true => runpath::packed(content).with_context(|| format!("cannot pack {}", path.display())),
        false => Ok(content),
    }
}

/// Adds the files of a folder and its folders, by their names below `name`.
pub fn files_below(folder: &Path, name: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
    let cannot = || format!("cannot list {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        if path.is_dir() {
            files_below(&path, &name, files)?;
        } else {
            files.push((name, path));
        }
    }
    Ok(())
}

/// Writes a file so that it is never seen in part.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("tmp");
    let cannot = || format!("cannot write {}", path.display());
    fs::write(&unfinished, content).with_context(cannot)?;
    fs::rename(&unfinished, path).with_context(cannot)
}
