//! `cargo xtask dist`: one archive to carry to another machine, the same to the byte for the same content.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base16ct::lower::encode_string;
use flate2::Compression;
use sha2::{Digest, Sha256};

use crate::archive::{Archive, content, files_below, is_binary, programs, replace};
use crate::build;
use crate::licences;
use crate::sdk;
use crate::share;
use crate::stand_in;
use crate::workspace::{Packages, Workspace};

/// What is packed runs on this kind of machine.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

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
    let bytes = pack(&name, &written, &files)?;
    let sum = format!("{}  {name}.tar.gz\n", encode_string(&Sha256::digest(&bytes)));
    let sum_file = folder.join(format!("{name}.tar.gz.sha256"));
    replace(&sum_file, sum.as_bytes())?;
    replace(&archive, &bytes)?;
    println!("{}\n{}", sum_file.display(), archive.display());
    Ok(())
}

/// What goes in: (path in the archive, file on disk), sorted.
fn contents(root: &Path, packages: &Packages) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut files = programs(packages);
    for folder in ["configs", "docs"] {
        files_below(&root.join(folder), Path::new(folder), &mut files)?;
    }
    for file in ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        files.push((file.into(), root.join(file)));
    }
    files.sort();
    Ok(files)
}

/// The archive of texts and files; all names begin with `folder`.
fn pack(folder: &str, texts: &[(&str, String)], files: &[(PathBuf, PathBuf)]) -> Result<Vec<u8>> {
    let mut archive = Archive::new(folder, Compression::default());
    for (name, text) in texts {
        archive.add(Path::new(name), text.as_bytes(), false)?;
    }
    archive.add(Path::new("selfsame"), LAUNCHER.as_bytes(), true)?;
    for (name, path) in files {
        archive.add(name, &content(name, path)?, is_binary(name))?;
    }
    archive.finish()
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
            let texts = [("sdk/Cargo.toml", "[workspace]".to_owned())];
            pack("selfsame-1", &texts, &contents(root, &packages).unwrap()).unwrap()
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
