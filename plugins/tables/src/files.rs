//! Files of a folder: how they are named in messages, which are left out, and links that make some of them count twice.

use crate::names;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Endings of files that nobody takes for images.
const NO_IMAGES: [&str; 16] = [
    "csv", "tsv", "txt", "json", "jsonl", "yaml", "yml", "xml", "md", "html", "pdf", "xlsx", "xls", "py", "ipynb",
    "log",
];

/// The path with `/` between its parts; each byte that is no UTF-8 as `\xE9`, so that names that differ stay different.
pub fn printable(path: &Path) -> String {
    // Collected anew, so that `a/./b` and `a//b` are one file.
    let path: PathBuf = path.components().collect();
    let mut text = String::new();
    for part in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(part.valid());
        for byte in part.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

/// Files that are left out, counted by their endings.
#[derive(Debug, Default)]
pub struct LeftOut(BTreeMap<String, usize>);

impl LeftOut {
    /// One more.
    pub fn add(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        // `scan.dcm.gz` is no more than `.gz`.
        let ending = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending.to_owned());
        let is_ending = |ending: &String| ending.len() <= 8 && ending.chars().all(char::is_alphanumeric);
        *self.0.entry(ending.filter(is_ending).unwrap_or_default()).or_default() += 1;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.values().sum()
    }

    /// Whether some could be images.
    pub fn may_be_images(&self) -> bool {
        self.0.keys().any(|ending| !NO_IMAGES.contains(&ending.as_str()))
    }

    /// `3 .gif, 1 .jp2, 2 without an ending`, the most frequent first.
    pub fn kinds(&self) -> String {
        let mut kinds: Vec<_> = self.0.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let shown = |(ending, count): &(&String, &usize)| match ending.as_str() {
            "" => format!("{count} without an ending"),
            ending => format!("{count} .{ending}"),
        };
        const SHOWN: usize = 8;
        let mut kinds: Vec<String> = kinds.iter().map(shown).collect();
        if kinds.len() > SHOWN {
            let more = kinds.len() - SHOWN;
            kinds.truncate(SHOWN);
            kinds.push(format!("{more} other kinds"));
        }
        kinds.join(", ")
    }
}

/// Links below a folder that lead to something in the same folder, which then is there twice.
#[derive(Debug)]
pub struct Links {
    root: Option<PathBuf>,
    inside: Vec<String>,
}

impl Links {
    /// None yet.
    pub fn below(root: &Path) -> Self {
        Self { root: root.canonicalize().ok(), inside: Vec::new() }
    }

    /// Looks at one path.
    pub fn look_at(&mut self, path: &Path) {
        let Some(root) = self.root.as_ref().filter(|_| path.is_symlink()) else { return };
        if path.canonicalize().is_ok_and(|target| target.starts_with(root)) {
            self.inside.push(printable(path));
        }
    }

    /// In words, if there are any.
    pub fn doubled(&self) -> Option<String> {
        let inside: Vec<&String> = self.inside.iter().collect();
        let message = "links lead to what lies in the data set's folder too, so that its images count twice";
        (!inside.is_empty()).then(|| {
            format!("{} {message}: {}; remove them, or move what they lead to", inside.len(), names::some_of(&inside))
        })
    }
}

/// The only folder in `folder` that holds a file or folder of this name.
pub fn nested(folder: &Path, name: &Path) -> Option<PathBuf> {
    let entries = folder.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut holders = entries.filter(|path| path.is_dir() && path.join(name).exists());
    holders.next().filter(|_| holders.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn names_that_differ_in_bytes_that_are_no_utf_8_stay_different_and_printable() {
        let printed = |bytes: &[u8]| printable(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(printed(b"a/film\xe8.dcm"), "a/film\\xE8.dcm");
        assert_eq!(printed(b"a//film\xe9.dcm"), "a/film\\xE9.dcm");
        assert_eq!(printed("a/./Grün.dcm".as_bytes()), "a/Grün.dcm");
    }

    #[test]
    fn files_that_are_left_out_are_counted_by_kind() {
        let mut left_out = LeftOut::default();
        ["a/notes.txt", "list.CSV"].iter().for_each(|name| left_out.add(Path::new(name)));
        assert!(!left_out.may_be_images());
        ["a.gif", "b.GIF", "c.jp2", "README", "1.2.840.10008.1", ".hidden"]
            .iter()
            .for_each(|name| left_out.add(Path::new(name)));
        assert!(left_out.may_be_images());
        assert_eq!(left_out.count(), 8);
        assert_eq!(left_out.kinds(), "2 without an ending, 2 .gif, 1 .1, 1 .csv, 1 .jp2, 1 .txt");
    }

    #[test]
    fn links_into_their_own_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("one")).unwrap();
        std::os::unix::fs::symlink("one", folder.path().join("two")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("three")).unwrap();
        let mut links = Links::below(folder.path());
        ["one", "three"].iter().for_each(|name| links.look_at(&folder.path().join(name)));
        assert_eq!(links.doubled(), None);
        links.look_at(&folder.path().join("two"));
        let said = links.doubled().unwrap();
        assert!(
            said.starts_with("1 links lead to what lies in the data set's folder too") && said.contains("/two`"),
            "{said}"
        );
    }
}
