//! `cargo xtask gpu-kit`: what a machine with a GPU, without network and without Rust, needs to check and measure
//! selfsame beside PyTorch.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base16ct::lower::encode_string;
use flate2::Compression;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::archive::{self, Archive, files_below};
use crate::build;
use crate::planes;
use crate::workspace::{Packages, Workspace};

/// The folder that both archives unpack into.
const NAME: &str = "selfsame-gpu-kit";
/// The most bytes of an archive.
const MOST: usize = 60_000_000;
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
    let empty = || Archive::new(NAME, Compression::best());
    let add = |archive: &mut Archive, entry: Entry| archive.add(&entry.name, &entry.content, entry.is_program);
    let mut first = empty();
    contents(&workspace.root, &packages)?.into_iter().try_for_each(|entry| add(&mut first, entry))?;
    let mut rest = images.into_iter().peekable();
    // Should it not become smaller by packing; what is still unwritten is allowed for.
    while let Some(entry) = rest.next_if(|entry| first.len() + entry.content.len() + MOST / 100 <= MOST) {
        add(&mut first, entry)?;
    }
    let mut archives = vec![first.finish()?];
    if rest.peek().is_some() {
        let mut second = empty();
        rest.try_for_each(|entry| add(&mut second, entry))?;
        archives.push(second.finish()?);
    }
    let count = archives.len();
    for (number, bytes) in archives.into_iter().enumerate() {
        if bytes.len() > MOST {
            bail!("archive {} has {} bytes, and {MOST} are the most; leave --cifar out", number + 1, bytes.len());
        }
        let number = if count == 1 { String::new() } else { format!("-{}-of-{count}", number + 1) };
        let path = out.join(format!("{NAME}{number}.tar.gz"));
        archive::replace(&path, &bytes)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Program, plugins, run files, the scripts that measure, and licences.
fn contents(root: &Path, packages: &Packages) -> Result<Vec<Entry>> {
    let mut files = archive::programs(packages);
    files_below(&root.join("configs"), Path::new("configs"), &mut files)?;
    files_below(&root.join("bench/kit"), Path::new(""), &mut files)?;
    files_below(&root.join("bench/peer"), Path::new("bench/peer"), &mut files)?;
    files.retain(|(name, _)| name.components().all(|part| part.as_os_str() != "__pycache__"));
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        files.push((licence.into(), root.join(licence)));
    }
    files.sort();
    let read = |(name, path): (PathBuf, PathBuf)| {
        let content = archive::content(&name, &path)?;
        Ok(Entry { is_program: archive::is_binary(&name) || name == Path::new("run"), name, content })
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
