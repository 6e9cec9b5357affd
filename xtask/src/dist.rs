//! `cargo xtask dist`: one archive to carry to another machine, the same to the byte for the same content.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

use crate::build;
use crate::workspace::{Packages, Workspace, run as run_command};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Every file's date, so that archives can be compared: 2026-01-01, in seconds since 1970.
const DATE: u64 = 1_767_225_600;

const NOTE: &str = "\
selfsame needs libtorch 2.11.0, which is not in this archive. Unpack one (the `torch` folder of an installed PyTorch
2.11.0 is one too) and name the folder of its libraries:

    export LD_LIBRARY_PATH=/path/to/libtorch/lib
    ./selfsame doctor

Plugins are looked for in the folder `plugins` beside the program; put your own there too.
";

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
    let stripped = tempfile::tempdir_in(&folder).with_context(cannot)?;
    let mut contents = contents(&workspace.root, &packages)?;
    for (name, path) in contents.iter_mut().filter(|(name, _)| is_program(name)) {
        *path = strip(path, &stripped.path().join(name.file_name().context("a program has no name")?))?;
    }
    pack(file, &name, &contents)?;
    fs::rename(&unfinished, &archive).with_context(cannot)?;
    println!("{}", archive.display());
    Ok(())
}

/// Whether a file of the archive is code: the program or a plugin.
fn is_program(name: &Path) -> bool {
    name == Path::new("selfsame") || name.starts_with("plugins")
}

/// Copies a program without its debug information, which is nine tenths of it; the manifest that a plugin carries in a
/// section of its own stays. `strip` comes with the linker.
fn strip(program: &Path, to: &Path) -> Result<PathBuf> {
    let mut strip = Command::new("strip");
    if !run_command(strip.arg("--strip-debug").arg("-o").arg(to).arg(program))?.success() {
        bail!("`strip` failed on {}", program.display());
    }
    Ok(to.to_owned())
}

/// What goes in: (path in the archive, file on disk), sorted.
fn contents(root: &Path, packages: &Packages) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut files = vec![("selfsame".into(), packages.binary())];
    files.extend(
        packages
            .plugins
            .iter()
            .map(|plugin| (Path::new("plugins").join(&plugin.file), packages.staged().join(&plugin.file))),
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

fn files_below(folder: &Path, name: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
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
    let mut add = |name: &Path, content: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(if is_program(name) { 0o755 } else { 0o644 });
        header.set_mtime(DATE);
        archive.append_data(&mut header, Path::new(folder).join(name), content).context("cannot write the archive")
    };
    add(Path::new("README.txt"), NOTE.as_bytes())?;
    for (name, path) in files {
        add(name, &fs::read(path).with_context(|| format!("cannot read {}", path.display()))?)?;
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
    use crate::workspace::Plugin;

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
            fs::write(root.join(path), path).unwrap();
        }
        let packages = Packages {
            target: root.join("target"),
            plugins: vec![Plugin { package: "a".into(), file: "liba.so".into(), encoders: false }],
        };
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
            ("LICENSE-APACHE", 0o644),
            ("LICENSE-MIT", 0o644),
            ("configs/a/c.yaml", 0o644),
            ("configs/b.yaml", 0o644),
            ("plugins/liba.so", 0o755),
            ("selfsame", 0o755),
        ];
        let expected = expected.map(|(name, mode)| (format!("selfsame-1/{name}"), mode));
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn stripping_leaves_a_program_that_runs_and_has_no_debug_information() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let stripped = strip(&own, &folder.path().join("stripped")).unwrap();
        assert!(fs::metadata(&stripped).unwrap().len() < fs::metadata(&own).unwrap().len());
        let listed = Command::new(&stripped).arg("--list").output().unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains("stripping_leaves"));
        let error = strip(&folder.path().join("absent"), &folder.path().join("b")).unwrap_err().to_string();
        assert!(error.contains("absent"), "{error}");
    }
}
