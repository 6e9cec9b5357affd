//! What shells and `man` find below the folder `share` of a prefix: completions and manual pages, made by the program itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::archive::files_below;

/// Shells, and where each looks for the completions of a program.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/selfsame"),
    ("zsh", "zsh/site-functions/_selfsame"),
    ("fish", "fish/vendor_completions.d/selfsame.fish"),
];

/// Makes them anew in `folder`: (path below `share`, file on disk), sorted.
pub fn files(program: &Path, folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let manual = folder.join("man/man1");
    said(Command::new(program).arg("man").arg(&manual))?;
    for (shell, place) in SHELLS {
        let script = said(Command::new(program).args(["completions", shell]))?;
        let path = folder.join(place);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, script));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut files = Vec::new();
    files_below(folder, Path::new(""), &mut files)?;
    files.sort();
    Ok(files)
}

/// Runs the program, and returns its standard output.
fn said(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(output.stdout)
}
