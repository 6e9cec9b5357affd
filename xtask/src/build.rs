//! `cargo xtask build`: the binary, and the plugins in the folder beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::workspace::{Packages, Workspace, run as run_command};

/// Sets up libtorch where needed, builds the workspace, and stages the plugins.
pub fn run(workspace: &Workspace) -> Result<Packages> {
    setup::run(workspace, false)?;
    let packages = workspace.packages()?;
    if !run_command(workspace.cargo().args(["build", "--release", "--workspace"]))?.success() {
        bail!("the build failed; the compiler's messages are above");
    }
    for plugin in &packages.plugins {
        stage(&packages.release().join(plugin), &packages.staged())?;
    }
    Ok(packages)
}

/// Copies a library into the folder in one step, so that a running program never sees half of it; leaves it alone when
/// nothing changed.
fn stage(library: &Path, folder: &Path) -> Result<()> {
    let name = library.file_name().context("a library has no name")?;
    let target = folder.join(name);
    let content = fs::read(library).with_context(|| format!("cannot read {}", library.display()))?;
    if fs::read(&target).is_ok_and(|staged| staged == content) {
        return Ok(());
    }
    let cannot = || format!("cannot write {}", target.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    let unfinished = tempfile::Builder::new()
        .prefix(".")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempfile_in(folder)
        .with_context(cannot)?;
    fs::write(&unfinished, content).with_context(cannot)?;
    unfinished.persist(&target).with_context(cannot)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_a_changed_library_and_leaves_an_unchanged_one() {
        let folder = tempfile::tempdir().unwrap();
        let (library, staged) = (folder.path().join("liba.so"), folder.path().join("plugins"));
        let target = staged.join("liba.so");
        fs::write(&library, "one").unwrap();
        stage(&library, &staged).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"one");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o500, 0o500);

        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let before = inode(&target);
        stage(&library, &staged).unwrap();
        assert_eq!(inode(&target), before);

        fs::write(&library, "two").unwrap();
        stage(&library, &staged).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"two");
        assert_eq!(fs::read_dir(&staged).unwrap().count(), 1, "nothing unfinished stays behind");
    }
}
