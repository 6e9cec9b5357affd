//! `~` at the beginning of a path, which no shell has expanded: in files, variables and words such as `--out=~/x`.

use std::path::{Path, PathBuf};

/// The path with `~` or `~/…` expanded to the user's home folder.
///
/// # Errors
/// What was expected instead: the home of another user, and no home at all.
pub fn expanded(path: &Path) -> Result<PathBuf, &'static str> {
    let Some(rest) = path.as_os_str().to_str().and_then(|text| text.strip_prefix('~')) else {
        return Ok(path.to_owned());
    };
    match rest.strip_prefix('/') {
        None if !rest.is_empty() => {
            Err("a path without another user's `~`: write the folder out, or `./~…` where a name begins so")
        }
        inside => {
            let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
            let home = home.ok_or("a path without `~`, since there is no home folder (HOME)")?;
            Ok(inside.map_or(home.clone(), |inside| home.join(inside.trim_start_matches('/'))))
        }
    }
}

/// The path from the root, by name alone: nothing need be there. As it is where there is no working folder.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_users_own_home_is_expanded() {
        let home = std::env::home_dir().unwrap();
        for (written, meant) in [
            ("~", home.clone()),
            ("~/", home.clone()),
            ("~//x", home.join("x")),
            ("~/runs/a", home.join("runs/a")),
            ("a/~/b", "a/~/b".into()),
            ("./~x", "./~x".into()),
            ("/a", "/a".into()),
        ] {
            assert_eq!(expanded(Path::new(written)), Ok(meant), "{written}");
        }
        assert!(expanded(Path::new("~other/x")).unwrap_err().contains("another user"));
    }
}
