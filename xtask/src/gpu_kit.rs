//! `cargo xtask gpu-kit`: what a machine with a GPU, without network and without Rust, needs to check and measure
//! selfsame beside PyTorch.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base16ct::lower::encode_string;
use flate2::{Compression, GzBuilder};
use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use crate::build;
use crate::dist::files_below;
use crate::planes;
use crate::runpath;
use crate::workspace::{Packages, Workspace};

/// The folder that both archives unpack into.
const NAME: &str = "selfsame-gpu-kit";
/// The most bytes of an archive.
const MOST: usize = 60_000_000;
/// Every file's date, so that archives can be compared: 2026-01-01, in seconds since 1970.
const DATE: u64 = 1_767_225_600;
const BATCHES: [&str; 6] =
    ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];

/// A file of an archive: its name below [`NAME`], its content, whether it is a program.
struct Entry {
    name: PathBuf,
    content: Vec<u8>,
    is_program: bool,
}

/// Builds, then writes one archive to `out`, or two where CIFAR-10's binary batch files are in `cifar`.
pub fn run(workspace: &Workspace, cifar: Option<&Path>, out: Option<&Path>) -> Result<()> {
    // First, so that a wrong folder costs no build.
    let images = cifar.map(images).transpose()?.unwrap_or_default();
    let packages = build::run(workspace)?;
    let out = out.map_or_else(|| packages.target.join("dist"), Path::to_owned);
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut first = Archive::new();
    for entry in contents(&workspace.root, &packages)? {
        first.add(&entry)?;
    }
    let (mut archives, mut rest) = (Vec::new(), images.into_iter().peekable());
    let mut archive = first;
    while let Some(entry) = rest.next_if(|entry| archive.has_room(entry)) {
        archive.add(&entry)?;
    }
    archives.push(archive.finish()?);
    if rest.peek().is_some() {
        let mut second = Archive::new();
        rest.try_for_each(|entry| second.add(&entry))?;
        archives.push(second.finish()?);
    }
    let count = archives.len();
    for (number, bytes) in archives.into_iter().enumerate() {
        if bytes.len() > MOST {
            bail!("archive {} has {} bytes, and {MOST} are the most; leave --cifar out", number + 1, bytes.len());
        }
        let number = if count == 1 { String::new() } else { format!("-{}-of-{count}", number + 1) };
        let path = out.join(format!("{NAME}{number}.tar.gz"));
        let unfinished = path.with_extension("tmp");
        let cannot = || format!("cannot write {}", path.display());
        fs::write(&unfinished, bytes).with_context(cannot)?;
        fs::rename(&unfinished, &path).with_context(cannot)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Program, plugins, run files, the scripts that measure, and licences.
fn contents(root: &Path, packages: &Packages) -> Result<Vec<Entry>> {
    let mut files = vec![("bin/selfsame".into(), packages.binary())];
    files.extend(
        packages.plugins.iter().map(|plugin| (Path::new("bin/plugins").join(plugin), packages.staged().join(plugin))),
    );
    files_below(&root.join("configs"), Path::new("configs"), &mut files)?;
    files_below(&root.join("bench/kit"), Path::new(""), &mut files)?;
    files_below(&root.join("bench/peer"), Path::new("bench/peer"), &mut files)?;
    files.retain(|(name, _)| name.components().all(|part| part.as_os_str() != "__pycache__"));
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        files.push((licence.into(), root.join(licence)));
    }
    files.sort();
    let read = |(name, path): (PathBuf, PathBuf)| {
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let is_binary = name.starts_with("bin");
        let content = match is_binary {
            true => runpath::packed(content).with_context(|| format!("cannot pack {}", path.display()))?,
            false => content,
        };
        Ok(Entry { is_program: is_binary || name == Path::new("run"), name, content })
    };
    files.into_iter().map(read).collect()
}

/// The batch files of a folder, or of `cifar-10-batches-bin` in it, coded, with the SHA-256 of each.
fn images(folder: &Path) -> Result<Vec<Entry>> {
    let inner = folder.join("cifar-10-batches-bin");
    let folder = if inner.is_dir() { &inner } else { folder };
    let (mut entries, mut sums) = (Vec::new(), serde_json::Map::new());
    let entry = |name: String, content| Entry { name: Path::new("cifar10").join(name), content, is_program: false };
    for batch in BATCHES {
        let path = folder.join(format!("{batch}.bin"));
        let why = || format!("cannot read {}; --cifar names the folder of CIFAR-10's binary version", path.display());
        let records = fs::read(&path).with_context(why)?;
        let coded = planes::encode(&records).with_context(|| format!("cannot pack {}", path.display()))?;
        sums.insert(batch.to_owned(), json!(encode_string(&Sha256::digest(&records))));
        entries.push(entry(format!("{batch}.classes"), coded.classes));
        let planes = coded.planes.into_iter().enumerate();
        entries.extend(planes.map(|(number, plane)| entry(format!("{batch}.{number}"), plane)));
    }
    let sums = serde_json::to_vec_pretty(&sums).context("cannot write the list of batch files")?;
    entries.insert(0, entry("sha256.json".to_owned(), sums));
    Ok(entries)
}

/// An archive in memory.
struct Archive {
    builder: Builder<flate2::write::GzEncoder<Vec<u8>>>,
}

impl Archive {
    fn new() -> Self {
        Self { builder: Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::best())) }
    }

    /// Whether the file fits, should it not become smaller by packing; what is still unwritten is allowed for.
    fn has_room(&self, entry: &Entry) -> bool {
        self.builder.get_ref().get_ref().len() + entry.content.len() + MOST / 100 <= MOST
    }

    fn add(&mut self, entry: &Entry) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(entry.content.len() as u64);
        header.set_mode(if entry.is_program { 0o755 } else { 0o644 });
        header.set_mtime(DATE);
        let name = Path::new(NAME).join(&entry.name);
        self.builder.append_data(&mut header, name, entry.content.as_slice()).context("cannot write the archive")
    }

    fn finish(self) -> Result<Vec<u8>> {
        self.builder.into_inner().and_then(|gzip| gzip.finish()).context("cannot write the archive")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_batch_files_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", images(folder.path()).err().unwrap());
        assert!(error.contains("data_batch_1.bin") && error.contains("--cifar names the folder"), "{error}");
    }

    #[test]
    fn batch_files_are_coded_plane_by_plane_with_their_digests() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("cifar-10-batches-bin");
        fs::create_dir(&inner).unwrap();
        for batch in BATCHES {
            fs::write(inner.join(format!("{batch}.bin")), vec![7; 2 * planes::RECORD]).unwrap();
        }
        let entries = images(folder.path()).unwrap();
        assert_eq!(entries.len(), 1 + BATCHES.len() * (1 + planes::PLANES));
        let sums: serde_json::Value = serde_json::from_slice(&entries[0].content).unwrap();
        let expected = encode_string(&Sha256::digest(vec![7; 2 * planes::RECORD]));
        assert_eq!(sums["test_batch"], expected);
        assert_eq!((&entries[1].name, &entries[1].content), (&"cifar10/data_batch_1.classes".into(), &vec![7, 7]));
    }
}
