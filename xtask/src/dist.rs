//! `cargo xtask dist`: one archive to carry to another machine, the same to the byte for the same content.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base16ct::lower::encode_string;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use crate::build;
use crate::licences;
use crate::runpath;
use crate::sdk;
use crate::share;
use crate::stand_in;
use crate::workspace::{Packages, Workspace};

/// What is packed runs on this kind of machine.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Every file's date, so that archives can be compared: 2026-01-01, in seconds since 1970.
const DATE: u64 = 1_767_225_600;

const NOTE: &str = "\
selfsame needs libtorch 2.11.0, which is not in this archive. Unpack one here, so that libtorch/lib/libtorch_cpu.so
exists, or name the folder of one (the `torch` folder of an installed PyTorch 2.11.0 is one too):

    export SELFSAME_LIBTORCH=/path/to/libtorch
    ./selfsame doctor

Without libtorch, ./selfsame answers what needs no computing: --help, config, plugins, report, runs.

Plugins are looked for in bin/plugins, beside the program; put your own there too. To write one, nothing but this archive and
Rust is needed: ./selfsame plugins new my-data --api sdk/plugin-api; docs/plugins.md goes on from there. share holds
completions for bash, zsh and fish, and manual pages (man -M share/man selfsame). README.md and docs are the documents.
Licences: LICENSE-MIT or LICENSE-APACHE, and of what is compiled in, THIRD-PARTY-LICENSES.txt.
";

/// Finds libtorch, or says what to do.
const LAUNCHER: &str = include_str!("launcher.sh");

/// Builds, then writes `target/dist/selfsame-VERSION-TARGET.tar.gz`, and its SHA-256 beside it, as `sha256sum -c` reads it.
pub fn run(workspace: &Workspace) -> Result<()> {
    let packages = build::run(workspace)?;
    let name = format!("selfsame-{}-{TARGET}", env!("CARGO_PKG_VERSION"));
    let folder = packages.target.join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut files = contents(&workspace.root, &packages)?;
    let shared = share::files(&packages.binary(), &folder.join("share"))?;
    files.extend(shared.into_iter().map(|(name, path)| (Path::new("share").join(name), path)));
    for library in stand_in::libraries(&packages, &folder.join(stand_in::FOLDER))? {
        files.push((Path::new("bin").join(stand_in::FOLDER).join(library.file_name().unwrap_or_default()), library));
    }
    files.extend(sdk::files(&workspace.root)?.into_iter().map(|(name, path)| (Path::new("sdk").join(name), path)));
    files.sort();
    let written = [
        ("sdk/Cargo.toml", sdk::manifest(&workspace.root)?),
        (licences::FILE, licences::text(workspace, TARGET)?),
        ("README.txt", NOTE.to_owned()),
    ];
    let archive = folder.join(format!("{name}.tar.gz"));
    let mut bytes = Vec::new();
    pack(&mut bytes, &name, &written, &files)?;
    let sum = format!("{}  {name}.tar.gz\n", encode_string(&Sha256::digest(&bytes)));
    let sum_file = folder.join(format!("{name}.tar.gz.sha256"));
    replace(&sum_file, sum.as_bytes())?;
    replace(&archive, &bytes)?;
    println!("{}\n{}", sum_file.display(), archive.display());
    Ok(())
}

/// Writes a file so that it is never seen in part.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("tmp");
    let cannot = || format!("cannot write {}", path.display());
    fs::write(&unfinished, content).with_context(cannot)?;
    fs::rename(&unfinished, path).with_context(cannot)
}

/// What goes in: (path in the archive, file on disk), sorted.
fn contents(root: &Path, packages: &Packages) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut files = vec![("bin/selfsame".into(), packages.binary())];
    files.extend(
        packages.plugins.iter().map(|plugin| (Path::new("bin/plugins").join(plugin), packages.staged().join(plugin))),
    );
    for folder in ["configs", "docs"] {
        files_below(&root.join(folder), Path::new(folder), &mut files)?;
    }
    for file in ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        files.push((file.into(), root.join(file)));
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

/// Writes the archive of texts and files; all names begin with `folder`.
fn pack(output: impl Write, folder: &str, texts: &[(&str, String)], files: &[(PathBuf, PathBuf)]) -> Result<()> {
    let mut archive = Builder::new(GzBuilder::new().mtime(0).write(output, Compression::default()));
    let mut add = |name: &Path, content: &[u8], mode: u32| {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_mtime(DATE);
        archive.append_data(&mut header, Path::new(folder).join(name), content).context("cannot write the archive")
    };
    for (name, text) in texts {
        add(Path::new(name), text.as_bytes(), 0o644)?;
    }
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
            "docs/d.md",
            "ARCHITECTURE.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
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
            let texts = [("sdk/Cargo.toml", "[workspace]".to_owned())];
            pack(&mut bytes, "selfsame-1", &texts, &contents(root, &packages).unwrap()).unwrap();
            bytes
        };
        let first = archive();
        let date = std::time::SystemTime::UNIX_EPOCH;
        fs::File::options().write(true).open(root.join("LICENSE-MIT")).unwrap().set_modified(date).unwrap();
        assert_eq!(first, archive());

        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(first.as_slice()));
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
        });
        let expected = [
            ("sdk/Cargo.toml", 0o644),
            ("selfsame", 0o755),
            ("ARCHITECTURE.md", 0o644),
            ("CHANGELOG.md", 0o644),
            ("CONTRIBUTING.md", 0o644),
            ("LICENSE-APACHE", 0o644),
            ("LICENSE-MIT", 0o644),
            ("README.md", 0o644),
            ("bin/plugins/liba.so", 0o755),
            ("bin/selfsame", 0o755),
            ("configs/a/c.yaml", 0o644),
            ("configs/b.yaml", 0o644),
            ("docs/d.md", 0o644),
        ];
        let expected = expected.map(|(name, mode)| (format!("selfsame-1/{name}"), mode));
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }
}
