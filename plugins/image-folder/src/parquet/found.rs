//! Which files there are, and which split each belongs to.

use super::options::Options;
use selfsame_plugin_api::{PluginError, Result, Split};
use selfsame_tables::{files::printable, names, splits};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The files of the data set, sorted by split and path; a split column may put their rows elsewhere.
///
/// # Errors
/// No files, names that no file has, and files of which some have a split in their names and some have none.
pub fn files(root: &Path, options: &Options) -> Result<Vec<(Split, PathBuf)>> {
    let below = below(root)?;
    let mut found = match &options.files {
        Some(files) => {
            let mut found = Vec::new();
            for (split, patterns) in files.given() {
                for pattern in patterns {
                    let before = found.len();
                    let fitting = below.iter().filter(|path| fits(pattern, &relative(root, path)));
                    found.extend(fitting.map(|path| (split, path.clone())));
                    if found.len() == before {
                        let (root, split) = (root.display(), split.name());
                        let message = format!("option `files`: no file below {root} is called `{pattern}` ({split})");
                        return Err(PluginError::configuration(message));
                    }
                }
            }
            found
        }
        None => by_names(root, &below)?,
    };
    found.sort_by(|a, b| (a.0.name(), &a.1).cmp(&(b.0.name(), &b.1)));
    found.dedup();
    match found.is_empty() {
        false => Ok(found),
        true => Err(PluginError::data(format!("{}: there is no Parquet file (*.parquet)", root.display()))),
    }
}

fn below(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(root).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| PluginError::data(format!("{}: {error}", root.display())))?;
        let is_hidden = entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_parquet = entry.path().extension().is_some_and(|ending| ending == "parquet");
        if entry.file_type().is_file() && is_parquet && !is_hidden {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn relative(root: &Path, path: &Path) -> String {
    printable(path.strip_prefix(root).unwrap_or(path))
}

/// By the word that a file's name begins with, or else its folder's; all are for training where none has such a word.
fn by_names(root: &Path, files: &[PathBuf]) -> Result<Vec<(Split, PathBuf)>> {
    let split = |path: &PathBuf| {
        let inside = path.strip_prefix(root).unwrap_or(path);
        inside.components().rev().find_map(|part| {
            let name = part.as_os_str().to_string_lossy();
            splits::by_name(name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default())
        })
    };
    let (with, without): (Vec<_>, Vec<_>) = files.iter().partition(|path| split(path).is_some());
    if !with.is_empty() && !without.is_empty() {
        let list: Vec<String> = without.iter().map(|path| relative(root, path)).collect();
        return Err(PluginError::data(format!(
            "{}: {} of {} files do not say in their names which split they are of: {}; name them in dataset.options.files",
            root.display(),
            without.len(),
            files.len(),
            names::some_of(&list)
        )));
    }
    Ok(files.iter().map(|path| (split(path).unwrap_or(Split::Train), path.clone())).collect())
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| fits(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("a.parquet", "a.parquet", true),
            ("a.parquet", "b.parquet", false),
            ("data/train-*.parquet", "data/train-00000-of-00002.parquet", true),
            ("*", "any/thing", true),
            ("*-of-*.parquet", "train-1-of-2.parquet", true),
            ("*-of-*.parquet", "train.parquet", false),
            ("é*x", "éüx", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
