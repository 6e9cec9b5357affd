//! The list of plugin files that may be used, where there is one: their SHA-256, a line each, as `sha256sum` writes them.

use crate::storage::sha256_of_file;
use crate::{home, regular_file};
use std::path::Path;

/// Names the file with the list; where it is unset or empty, every plugin may be used.
const LIST: &str = "SELFSAME_ALLOWED_PLUGINS";

/// Checks that a plugin file is on the list, where there is one.
///
/// # Errors
/// A file that is not on it, with its digest, and a list that cannot be read, as the beginning of a sentence.
pub(super) fn check(plugin: &Path) -> Result<(), String> {
    match std::env::var_os(LIST).filter(|list| !list.is_empty()) {
        Some(list) => check_on(Path::new(&list), plugin),
        None => Ok(()),
    }
}

fn check_on(list: &Path, plugin: &Path) -> Result<(), String> {
    let list = home::expanded(list).map_err(|expected| format!("{LIST} is {}: {expected}", list.display()))?;
    let text = regular_file::read_text(&list).map_err(|error| {
        format!("the list of allowed plugins, {} ({LIST}), cannot be read: {error}", list.display())
    })?;
    let (found, _) = sha256_of_file(plugin).map_err(|error| format!("cannot be read: {}", error.source))?;
    let mut digests = text.lines().filter_map(|line| line.split_whitespace().next());
    match digests.any(|digest| digest.eq_ignore_ascii_case(&found)) {
        true => Ok(()),
        false => Err(format!(
            "its SHA-256 {found} is not in {} ({LIST}); add the line that `sha256sum` writes once the file is trusted",
            list.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_digests_pass() {
        let folder = tempfile::tempdir().unwrap();
        let (list, plugin) = (folder.path().join("list"), folder.path().join("liba.so"));
        std::fs::write(&plugin, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let cases = [
            (format!("# trusted on Monday\n\n{digest}  liba.so\n"), true),
            (format!("{}\r\n", digest.to_uppercase()), true),
            (format!("{} *liba.so\n", digest.replace('b', "c")), false),
            (digest[..63].to_owned(), false),
            (format!("# {digest}  liba.so\n"), false),
            (String::new(), false),
        ];
        for (text, allowed) in cases {
            std::fs::write(&list, &text).unwrap();
            let checked = check_on(&list, &plugin);
            assert_eq!(checked.is_ok(), allowed, "{text:?}");
            if let Err(reason) = checked {
                assert!(reason.contains(digest) && reason.contains(LIST), "{reason}");
            }
        }
        std::fs::remove_file(&list).unwrap();
        assert!(check_on(&list, &plugin).unwrap_err().contains("cannot be read"));
    }
}
