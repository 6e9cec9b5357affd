//! Which of the published forms a folder holds.

use crate::published::{Package, Published};
use selfsame_plugin_api::{PluginError, Result};
use std::path::{Path, PathBuf};

/// A data set's complete files.
#[derive(Debug)]
pub struct Files {
    pub package: &'static Package,
    /// The folder in which the members lie.
    pub folder: PathBuf,
}

/// Finds the files in `root`: the binary form before the Python form, the archive's own folder before `root` itself.
///
/// # Errors
/// Some of a form's files lie there but not all, or they lie one folder too deep.
pub fn find(published: &'static Published, root: &Path) -> Result<Option<Files>> {
    let mut incomplete = None;
    for package in [&published.binary, &published.python] {
        for folder in [root.join(package.folder), root.to_path_buf()] {
            let missing: Vec<_> =
                package.members.iter().map(|member| member.file).filter(|file| !folder.join(file).is_file()).collect();
            if missing.is_empty() {
                return Ok(Some(Files { package, folder }));
            }
            if missing.len() < package.members.len() && incomplete.is_none() {
                incomplete = Some(PluginError::data(format!(
                    "{}: of the {} files of {}, these are missing: {}; add them, move the others away, or point \
                     dataset.dataset_dir elsewhere",
                    folder.display(),
                    package.members.len(),
                    published.name,
                    missing.join(", "),
                )));
            }
        }
    }
    // Unpacking an archive into a folder of its own name is easily done twice.
    let deeper = [&published.binary, &published.python].into_iter().find_map(|package| {
        let folder = root.join(package.folder);
        let is_there = package.members.iter().any(|member| folder.join(package.folder).join(member.file).is_file());
        is_there.then_some(folder)
    });
    let deeper = deeper.map(|folder| {
        let (root, name) = (root.display(), published.name);
        let folder = folder.display();
        PluginError::data(format!(
            "{root}: the files of {name} lie one folder too deep; set dataset.dataset_dir to {folder}"
        ))
    });
    incomplete.or(deeper).map_or(Ok(None), Err)
}

/// Finds a published archive that lies in `root`.
pub fn find_archive(published: &'static Published, root: &Path) -> Option<(&'static Package, PathBuf)> {
    [&published.binary, &published.python]
        .into_iter()
        .map(|package| (package, root.join(package.archive)))
        .find(|(_, path)| path.is_file())
}
