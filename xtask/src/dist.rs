//! `cargo xtask dist`: one archive to carry to another machine, the same to the byte for the same content.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

use crate::build;
use crate::runpath;
use crate::share;
use crate::workspace::{Packages, Workspace};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Every file's date, so that archives can be compared: 2026-01-01, in seconds since 1970.
const DATE: u64 = 1_767_225_600;

const NOTE: &str = "\
selfsame needs libtorch 2.11.0, which is not in this archive. Unpack one here, so that libtorch/lib/libtorch_cpu.so
exists, or name the folder of one (the `torch` folder of an installed PyTorch 2.11.0 is one too):

    export SELFSAME_LIBTORCH=/path/to/libtorch
    ./selfsame doctor

Plugins are looked for in bin/plugins, beside the program; put your own there too. share holds completions for bash, zsh and
fish, and manual pages (man -M share/man selfsame).
";

/// Finds libtorch, or says what to do.
const LAUNCHER: &str = include_str!("launcher.sh");

/// Builds, then writes `target/dist/selfsame-VERSION-TARGET.tar.gz`.
pub fn run(workspace: &Workspace) -> Result<()> {
    let packages = build::run(workspace)?;
    let name = format!("selfsame-{}-{TARGET}", env!("CARGO_PKG_VERSION"));
    let folder = packages.target.join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let archive = folder.join(format!("{name}.tar.gz"));
    let unfinished = folder.join(format!("{name}.tmp"));
    let cannot = || format!("cannot write {}", archive.display());
    let file = BufWriter::new(File::create(&unfinished).with_context(cannot)?);
    let mut files = contents(&workspace.root, &packages)?;
    let shared = share::files(&packages.binary(), &folder.join("share"))?;
    files.extend(shared.into_iter().map(|(name, path)| (Path::new("share").join(name), path)));
    files.sort();
    pack(file, &name, &files)?;
    fs::rename(&unfinished, &archive).with_context(cannot)?;
    println!("{}", archive.display());
    Ok(())
}

/// What goes in: (path in the archive, file on disk), sorted.
fn contents(root: &Path, packages: &Packages) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut files = vec![("bin/selfsame".into(), packages.binary())];
    files.extend(
        packages.plugins.iter().map(|plugin| (Path::new("bin/plugins").join(plugin), packages.staged().join(plugin))),
    );
    let configs = root.join("configs");
    if configs.exists() {
        files_below(&configs, Path::new("configs"), &mut files)?;
    }
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        files.push((licence.into(), root.join(licence)));
    }
    files.sort();
    Ok(files)
}

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

/// Writes the archive; all names begin with `folder`.
fn pack(output: impl Write, folder: &str, files: &[(PathBuf, PathBuf)]) -> Result<()> {
    let mut archive = Builder::new(GzBuilder::new().mtime(0).write(output, Compression::default()));
    let mut add = |name: &Path, content: &[u8], mode: u32| {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_mtime(DATE);
        archive.append_data(&mut header, Path::new(folder).join(name), content).context("cannot write the archive")
    };
    add(Path::new("README.txt"), NOTE.as_bytes(), 0o644)?;
    add(Path::new("selfsame"), LAUNCHER.as_bytes(), 0o755)?;
    for (name, path) in files {
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if name.starts_with("bin") {
            let program = runpath::packed(content).with_context(|| format!("cannot pack {}", path.display()))?;
            add(name, &program, 0o755)?;
        } else {
            add(name, &content, 0o644)?;
        }
    }
    archive
        .into_inner()
        .and_then(|gzip| gzip.finish())
        .and_then(|mut output| output.flush())
        .context("cannot write the archive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_the_same_bytes_whatever_the_files_dates() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in [
            "configs/b.yaml",
            "configs/a/c.yaml",
            "LICENSE-MIT",
            "LICENSE-APACHE",
            "target/release/selfsame",
            "target/release/plugins/liba.so",
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            let program = path.starts_with("target").then(|| fs::read(std::env::current_exe().unwrap()).unwrap());
            fs::write(root.join(path), program.unwrap_or_else(|| path.into())).unwrap();
        }
        let packages = Packages { target: root.join("target"), plugins: vec!["liba.so".into()] };
        let archive = || {
            let mut bytes = Vec::new();
            pack(&mut bytes, "selfsame-1", &contents(root, &packages).unwrap()).unwrap();
            bytes
        };
        let first = archive();
        let date = std::time::SystemTime::UNIX_EPOCH;
        File::options().write(true).open(root.join("LICENSE-MIT")).unwrap().set_modified(date).unwrap();
        assert_eq!(first, archive());

        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(first.as_slice()));
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
        });
        let expected = [
            ("README.txt", 0o644),
            ("selfsame", 0o755),
            ("LICENSE-APACHE", 0o644),
            ("LICENSE-MIT", 0o644),
            ("bin/plugins/liba.so", 0o755),
            ("bin/selfsame", 0o755),
            ("configs/a/c.yaml", 0o644),
            ("configs/b.yaml", 0o644),
        ];
        let expected = expected.map(|(name, mode)| (format!("selfsame-1/{name}"), mode));
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }
}
