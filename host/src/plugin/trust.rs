//! Who else can decide what a plugin file holds.

use super::allowed;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const GROUP_AND_OTHERS: u32 = 0o022;
/// Set to anything but `0`: a plugin that others can change is not used.
const STRICT: &str = "SELFSAME_STRICT_PLUGINS";

/// Whether others can change a plugin file that was found in the folder `searched`, as the beginning of a sentence.
///
/// # Errors
/// The same as a reason not to use it, where the user asked for that, and a file that is not on the user's list.
pub(super) fn judge(file: &Path, searched: &Path) -> Result<Option<String>, String> {
    allowed::check(file)?;
    let strict = std::env::var_os(STRICT).is_some_and(|value| !value.is_empty() && value != "0");
    judge_as(strict, file, searched)
}

fn judge_as(strict: bool, file: &Path, searched: &Path) -> Result<Option<String>, String> {
    match ensure_own(file, searched) {
        Ok(()) => Ok(None),
        Err(reason) if strict => Err(format!(
            "{reason}, and {STRICT} is set; make it yours alone (`chmod go-w`, `chown`), or install the plugin yourself"
        )),
        Err(reason) => Ok(Some(reason)),
    }
}

/// Checks that a plugin file, the folder that it lies in, and `searched`, the folder that it was found by, belong to this user
/// or to root, and that nobody else can write to them.
///
/// # Errors
/// Which of them others can write to, as the beginning of a sentence.
pub(super) fn ensure_own(file: &Path, searched: &Path) -> Result<(), String> {
    let parent = file.parent().unwrap_or(searched);
    let user = rustix::process::geteuid().as_raw();
    for (what, path) in [("it", file), ("its folder", parent), ("the folder of the link to it", searched)] {
        let metadata = path.metadata().map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(who) = other_writer(metadata.mode(), metadata.uid(), user) {
            return Err(format!("{what} can be written by {who} (mode {:03o})", metadata.mode() & 0o7777));
        }
    }
    Ok(())
}

/// Who else than root and `user` can write to what belongs to `owner`.
fn other_writer(mode: u32, owner: u32, user: u32) -> Option<&'static str> {
    match mode & GROUP_AND_OTHERS {
        // Who owns a file can give himself every permission.
        _ if ![0, user].contains(&owner) => Some("another user, whose it is"),
        0 => None,
        0o020 => Some("its group"),
        _ => Some("others"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn whose_a_file_is_decides_before_its_mode() {
        let (root, user, other) = (0, 1000, 1001);
        for (mode, owner, expected) in [
            (0o644, user, None),
            (0o644, root, None),
            (0o444, other, Some("another user, whose it is")),
            (0o777, other, Some("another user, whose it is")),
            (0o664, user, Some("its group")),
            (0o646, root, Some("others")),
        ] {
            assert_eq!(other_writer(mode, owner, user), expected, "{mode:o} {owner}");
        }
        assert_eq!(other_writer(0o644, user, root), Some("another user, whose it is"));
    }

    #[test]
    fn a_file_that_others_can_write_to_or_replace_is_named_with_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let (folder, file) = (root.path().join("plugins"), root.path().join("plugins/liba.so"));
        create_dir(&folder).unwrap();
        write(&file, "").unwrap();
        let judge = |folder_mode, file_mode| {
            set_permissions(&folder, Permissions::from_mode(folder_mode)).unwrap();
            set_permissions(&file, Permissions::from_mode(file_mode)).unwrap();
            ensure_own(&file, &folder)
        };
        assert_eq!(judge(0o755, 0o644), Ok(()));
        assert_eq!(judge(0o755, 0o664).unwrap_err(), "it can be written by its group (mode 664)");
        assert_eq!(judge(0o755, 0o646).unwrap_err(), "it can be written by others (mode 646)");
        assert_eq!(judge(0o1777, 0o644).unwrap_err(), "its folder can be written by others (mode 1777)");
        let strictly = judge_as(true, &file, &folder).unwrap_err();
        assert!(strictly.contains("mode 1777") && strictly.contains("SELFSAME_STRICT_PLUGINS"), "{strictly}");
        assert_eq!(
            judge_as(false, &file, &folder).unwrap().unwrap(),
            "its folder can be written by others (mode 1777)"
        );
        judge(0o700, 0o600).unwrap();
        assert_eq!(judge_as(true, &file, &folder), Ok(None));
    }
}
