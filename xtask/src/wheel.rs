//! `cargo xtask wheel`: the program, its plugins and configurations as a Python wheel.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use selfsame_wheel::{Entry, Wheel, platform_tag};

use crate::archive::files_below;
use crate::build;
use crate::dist::TARGET;
use crate::licences;
use crate::runpath;
use crate::share;
use crate::stand_in;
use crate::workspace::{Packages, Workspace};

const NAME: &str = "selfsame";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The PyTorch that brings libtorch.
const REQUIRES: &str = "torch==2.11.0";

/// Builds, then writes `target/dist/selfsame-VERSION-py3-none-manylinux_…_x86_64.whl`.
pub fn run(workspace: &Workspace) -> Result<()> {
    let packages = build::run(workspace)?;
    let folder = packages.target.join("dist");
    let stand_ins = stand_in::libraries(&packages, &folder.join(stand_in::FOLDER))?;
    let mut entries = contents(&workspace.root, &packages, &stand_ins)?;
    let notices = format!("{}/licenses/{}", info(), licences::FILE);
    entries.push(Entry::new(notices, licences::text(workspace, TARGET)?));
    entries.extend(shared(&packages.binary(), &folder.join("share"))?);
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let programs = entries.iter().filter(|entry| entry.is_program).map(|entry| entry.content.as_slice());
    let tag = platform_tag(programs).map_err(Error::msg)?;
    entries.extend(facts());
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let generator = format!("xtask {VERSION}");
    let wheel = Wheel { name: NAME.into(), version: VERSION.into(), tag, generator, entries };
    let path = folder.join(wheel.file_name());
    let unfinished = folder.join(format!("{NAME}-{VERSION}.whl.tmp"));
    let cannot = || format!("cannot write {}", path.display());
    wheel.write(BufWriter::new(File::create(&unfinished).with_context(cannot)?)).with_context(cannot)?;
    fs::rename(&unfinished, &path).with_context(cannot)?;
    println!("{}", path.display());
    Ok(())
}

/// The package's files, sorted by name.
fn contents(root: &Path, packages: &Packages, stand_ins: &[PathBuf]) -> Result<Vec<Entry>> {
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (folder, name) in [("python/selfsame", NAME), ("configs", "selfsame/configs")] {
        files_below(&root.join(folder), Path::new(name), &mut files)?;
    }
    files.retain(|(name, _)| name.components().all(|part| part.as_os_str() != "__pycache__"));
    files.push((format!("{NAME}/bin/selfsame").into(), packages.binary()));
    let plugin = |plugin: &String| (Path::new("selfsame/bin/plugins").join(plugin), packages.staged().join(plugin));
    files.extend(packages.plugins.iter().map(plugin));
    let bin = Path::new("selfsame/bin");
    let stand_in =
        |path: &PathBuf| (bin.join(stand_in::FOLDER).join(path.file_name().unwrap_or_default()), path.clone());
    files.extend(stand_ins.iter().map(stand_in));
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        files.push((format!("{}/licenses/{licence}", info()).into(), root.join(licence)));
    }
    files.sort();
    let read = |(name, path): (PathBuf, PathBuf)| {
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let is_program = name.starts_with(bin);
        let content = match is_program {
            true => runpath::packed(content).with_context(|| format!("cannot pack {}", path.display()))?,
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
fn facts() -> [Entry; 2] {
    let metadata = format!(
        "Metadata-Version: 2.4\nName: {NAME}\nVersion: {VERSION}\nSummary: Trains image encoders without labels, from any data set\n\
         License-Expression: MIT OR Apache-2.0\nLicense-File: LICENSE-APACHE\nLicense-File: LICENSE-MIT\nLicense-File: {}\n\
         Requires-Python: >=3.9\nRequires-Dist: {REQUIRES}\n",
        licences::FILE
    );
    let entry_points = format!("[console_scripts]\n{NAME} = {NAME}:main\n");
    [
        Entry::new(format!("{}/METADATA", info()), metadata),
        Entry::new(format!("{}/entry_points.txt", info()), entry_points),
    ]
}
