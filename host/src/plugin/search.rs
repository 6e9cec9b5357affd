//! Where plugins are looked for.

use super::{description, pack};
use crate::home;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const FLAG: &str = "--plugins";
const VARIABLE: &str = "SELFSAME_PLUGINS";
const HERE: &str = "current folder";
/// Folders below which a Python environment keeps its data, set by the wheel's own starter.
const ENVIRONMENT: &str = "SELFSAME_ENVIRONMENT";

/// A folder to look for `*.so` and `*.dataset.yaml` files in (not below it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchDir {
    /// The folder; it need not exist.
    pub path: PathBuf,
    /// Why it is searched, for messages.
    pub origin: &'static str,
}

impl SearchDir {
    /// A folder and the reason to search it.
    pub fn new(path: impl Into<PathBuf>, origin: &'static str) -> Self {
        Self { path: path.into(), origin }
    }

    /// Whether a user named the folder, instead of it being searched where it exists.
    pub fn is_named(&self) -> bool {
        [FLAG, VARIABLE].contains(&self.origin)
    }

    /// Whether it is searched because it lies in the folder that the user happens to be in.
    pub(super) fn is_here(&self) -> bool {
        self.origin == HERE
    }
}

impl std::fmt::Display for SearchDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let absent = if self.path.is_dir() { "" } else { ", no such folder" };
        write!(f, "{} ({}{absent})", self.path.display(), self.origin)
    }
}

/// The search path, first to last: `--plugins`, `SELFSAME_PLUGINS` (separated by `:`), `./plugins`, the folder `plugins`
/// beside the executable, `share/selfsame/plugins` of the Python environment that the program was started from, and
/// `selfsame/plugins` in the user's data folder.
pub fn directories(flags: &[PathBuf]) -> Vec<SearchDir> {
    let mut dirs: Vec<_> = flags.iter().map(|path| SearchDir::new(path, FLAG)).collect();
    if let Some(paths) = std::env::var_os(VARIABLE) {
        let paths = std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty());
        let paths = paths.map(|path| home::expanded(&path).unwrap_or(path));
        dirs.extend(paths.map(|path| SearchDir::new(path, VARIABLE)));
    }
    dirs.push(SearchDir::new("plugins", HERE));
    if let Some(folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        dirs.push(SearchDir::new(folder.join("plugins"), "beside the executable"));
    }
    if let Some(folders) = std::env::var_os(ENVIRONMENT) {
        let folders = std::env::split_paths(&folders).filter(|folder| folder.is_absolute());
        let folders = folders.map(|folder| folder.join(pack::FOLDER)).filter(|folder| folder.is_dir());
        dirs.extend(folders.map(|folder| SearchDir::new(folder, "Python environment")));
    }
    dirs.extend(user_directory().map(|path| SearchDir::new(path, "user's data folder")));
    dirs
}

/// `$XDG_DATA_HOME/selfsame/plugins`, or below `~/.local/share`; none without a home.
pub fn user_directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(data.join("selfsame/plugins"))
}

/// The plugin files of `dirs`, each with the index of its folder: canonical paths, each once, in search order and by name
/// within a folder.
pub(super) fn files(dirs: &[SearchDir]) -> Vec<(usize, PathBuf)> {
    let mut found: Vec<(usize, PathBuf)> = Vec::new();
    for (index, dir) in dirs.iter().enumerate() {
        let mut here: Vec<_> = match std::fs::read_dir(&dir.path) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) => {
                match error.kind() {
                    ErrorKind::NotFound if dir.is_named() => {
                        tracing::warn!("no plugins are found in {dir}; correct the path, or leave it out");
                    }
                    ErrorKind::NotFound => {}
                    _ => tracing::warn!("cannot search {dir}: {error}"),
                }
                continue;
            }
        };
        let is_library = |path: &Path| path.extension().is_some_and(|extension| extension == "so");
        here.retain(|path| (is_library(path) || description::is_named_so(path)) && !path.is_dir());
        here.sort();
        for path in here {
            // A dangling link keeps its own name and is judged when it is read.
            let path = path.canonicalize().unwrap_or(path);
            if found.iter().all(|(_, known)| *known != path) {
                found.push((index, path));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_first_and_the_current_folder_before_the_executables() {
        let dirs = directories(&["a".into(), "b".into()]);
        assert_eq!(dirs[..2], [SearchDir::new("a", "--plugins"), SearchDir::new("b", "--plugins")]);
        let at = |origin| dirs.iter().position(|dir| dir.origin == origin).unwrap();
        assert!(at("current folder") < at("beside the executable"));
    }

    #[test]
    fn files_are_sorted_canonical_and_listed_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.so", "a.so", "c.txt", "d.so.1", "e.dataset.yaml", "f.yaml"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("g.so")).unwrap();
        std::os::unix::fs::symlink("b.so", folder.path().join("z.so")).unwrap();
        let root = folder.path().canonicalize().unwrap();
        let dirs = [SearchDir::new(folder.path(), "x"), SearchDir::new(root.join("."), "y")];
        let expected = ["a.so", "b.so", "e.dataset.yaml"].map(|name| (0, root.join(name)));
        assert_eq!(files(&dirs), expected);
    }
}
