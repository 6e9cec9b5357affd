//! Files of a folder: how they are named in messages, which are left out, and links that make some of them count twice.

use crate::names;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Endings of files that nobody takes for images.
const NO_IMAGES: [&str; 44] = [
    "csv", "tsv", "txt", "json", "jsonl", "yaml", "yml", "toml", "xml", "md", "rst", "tex", "bib", "html", "htm",
    "css", "js", "pdf", "doc", "docx", "rtf", "odt", "xlsx", "xls", "ods", "py", "ipynb", "r", "m", "sh", "bat", "log",
    "db", "sqlite", "ini", "cfg", "conf", "md5", "sha1", "sha256", "url", "lnk", "bak", "lock",
];

/// Names of files without an ending that nobody takes for images, in small letters.
const NO_IMAGES_BY_NAME: [&str; 14] = [
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "contributors",
    "citation",
    "changelog",
    "changes",
    "version",
    "todo",
    "makefile",
    "md5sums",
];

/// The path with `/` between its parts; each byte that is no UTF-8 as `\xE9`, so that names that differ stay different. A
/// backslash that would look like the beginning of such a byte is written as `\x5C`.
pub fn printable(path: &Path) -> String {
    // Collected anew, so that `a/./b` and `a//b` are one file.
    let path: PathBuf = path.components().collect();
    let mut text = String::new();
    for part in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for (at, character) in part.valid().char_indices() {
            match &part.valid().as_bytes()[at..] {
                [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    text.push_str("\\x5C");
                }
                _ => text.push(character),
            }
        }
        for byte in part.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

/// The path that [`printable`] writes so, where a byte of it is written as `\xE9`; none for other texts.
pub fn printed(text: &str) -> Option<PathBuf> {
    let (mut bytes, mut rest, mut has_any) = (Vec::with_capacity(text.len()), text.as_bytes(), false);
    while let [first, after @ ..] = rest {
        let byte = match rest {
            [b'\\', b'x', high, low, ..] => hexadecimal(*high).zip(hexadecimal(*low)),
            _ => None,
        };
        has_any |= byte.is_some();
        bytes.push(byte.map_or(*first, |(high, low)| high << 4 | low));
        rest = if byte.is_some() { &rest[4..] } else { after };
    }
    has_any.then(|| PathBuf::from(OsString::from_vec(bytes)))
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

/// Files that are left out, counted by their endings.
#[derive(Debug, Default)]
pub struct LeftOut {
    endings: BTreeMap<String, usize>,
    /// How many without an ending have a name of [`NO_IMAGES_BY_NAME`].
    texts: usize,
}

impl LeftOut {
    /// One more.
    pub fn add(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        // `scan.dcm.gz` is no more than `.gz`.
        let ending = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending.to_owned());
        let is_ending = |ending: &String| ending.len() <= 8 && ending.chars().all(char::is_alphanumeric);
        let ending = ending.filter(is_ending).unwrap_or_default();
        self.texts += usize::from(ending.is_empty() && NO_IMAGES_BY_NAME.contains(&name.as_str()));
        *self.endings.entry(ending).or_default() += 1;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.endings.values().sum()
    }

    /// Whether some could be images.
    pub fn may_be_images(&self) -> bool {
        self.endings.iter().any(|(ending, count)| match ending.as_str() {
            "" => *count > self.texts,
            ending => !NO_IMAGES.contains(&ending),
        })
    }

    /// Whether some are archives, in which images may be.
    pub fn has_archives(&self) -> bool {
        self.endings
            .keys()
            .any(|ending| ["zip", "gz", "tgz", "tar", "7z", "rar", "xz", "bz2"].contains(&ending.as_str()))
    }

    /// `3 .gif, 1 .jp2, 2 without an ending`, the most frequent first.
    pub fn kinds(&self) -> String {
        let mut kinds: Vec<_> = self.endings.iter().collect();
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
        let (links, inside) = (names::count(self.inside.len(), "link"), names::some_of(&self.inside));
        let what = "to what lies in the data set's folder too, so that its images count twice";
        (!self.inside.is_empty()).then(|| format!("{links} {what}: {inside}; remove it, or move what it leads to"))
    }
}

/// What to do about files of which none is in `folder`, in words: the first one that is there but packed, or the folder one
/// level deeper that holds one. None where nothing of the kind is there.
pub fn advice(folder: &Path, names: &[&Path]) -> Option<String> {
    let packed = |name: &&Path| {
        let paths = ["zip", "gz"].map(|ending| format!("{}.{ending}", folder.join(name).display()));
        paths.into_iter().find(|path| Path::new(path).is_file())
    };
    let packed = names.iter().find_map(packed).map(|path| format!("unpack {path}"));
    let deeper = || names.iter().find_map(|name| nested(folder, name));
    let found_in = |inner: PathBuf| {
        let inner = inner.display();
        format!("it is in {inner}: is that the data set's folder? Then set dataset.dataset_dir to it")
    };
    packed.or_else(|| deeper().map(found_in))
}

/// The only folder in `folder` that holds a file or folder of this name.
fn nested(folder: &Path, name: &Path) -> Option<PathBuf> {
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
        assert_eq!(printed(b"x-ray\\y"), "x-ray\\y");
        // Names that were written to look like escaped ones.
        let names: [&[u8]; 7] = [b"\xe8", b"\\xE8", b"\\x5CxE8", b"\\x5Cx5CxE8", b"\\\xe8", b"\\\\xE8", b"\\xE\xe8"];
        let all: std::collections::BTreeSet<String> = names.iter().map(|name| printed(name)).collect();
        assert_eq!(all.len(), names.len(), "{all:?}");
        // What is printed so is found again.
        for name in [&names[..], &[b"a/film\xe8.dcm"]].concat() {
            let path = Path::new(OsStr::from_bytes(name));
            assert_eq!(super::printed(&printable(path)).as_deref(), Some(path));
        }
        for text in ["a/b.png", "x-ray\\y", "\\xG0", "\\x1"] {
            assert_eq!(super::printed(text), None, "{text}");
        }
        assert!(all.contains("\\x5CxE8"));
    }

    #[test]
    fn files_that_are_left_out_are_counted_by_kind() {
        let mut left_out = LeftOut::default();
        let noise = ["a/notes.txt", "list.CSV", "README", "LICENSE", "Thumbs.db", "desktop.ini", "readme.md"];
        noise.iter().for_each(|name| left_out.add(Path::new(name)));
        assert!(!left_out.may_be_images());
        assert_eq!(left_out.kinds(), "2 without an ending, 1 .csv, 1 .db, 1 .ini, 1 .md, 1 .txt");
        let mut left_out = LeftOut::default();
        ["a/notes.txt", "list.CSV"].iter().for_each(|name| left_out.add(Path::new(name)));
        ["a.gif", "b.GIF", "c.jp2", "scan", "1.2.840.10008.1", ".hidden"]
            .iter()
            .for_each(|name| left_out.add(Path::new(name)));
        assert!(left_out.may_be_images());
        assert!(!left_out.has_archives());
        assert_eq!(left_out.count(), 8);
        assert_eq!(left_out.kinds(), "2 without an ending, 2 .gif, 1 .1, 1 .csv, 1 .jp2, 1 .txt");
        left_out.add(Path::new("films.tar.gz"));
        assert!(left_out.has_archives());
    }

    #[test]
    fn files_that_are_packed_or_one_folder_deeper_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let names = [Path::new("a.csv"), Path::new("b.csv")];
        let said =
            || advice(folder.path(), &names).unwrap_or_default().replace(&folder.path().display().to_string(), "");
        assert_eq!(said(), "");
        std::fs::create_dir(folder.path().join("in")).unwrap();
        std::fs::write(folder.path().join("in/b.csv"), "").unwrap();
        assert_eq!(said(), "it is in /in: is that the data set's folder? Then set dataset.dataset_dir to it");
        std::fs::write(folder.path().join("b.csv.gz"), "").unwrap();
        assert_eq!(said(), "unpack /b.csv.gz");
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
            said.starts_with("1 link to what lies in the data set's folder too") && said.contains("/two`"),
            "{said}"
        );
    }
}
