//! Run files that come with the program, by their names: `--config cifar10_simclr`.

use super::failure::Failure;
use std::path::{Path, PathBuf};

/// The files, a name without an ending standing for the shipped file `NAME.yaml` where there is no file of that name.
///
/// # Errors
/// A name that no shipped file has.
pub fn resolved(files: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let folder = folder();
    files.iter().map(|file| resolve(file, folder.as_deref())).collect()
}

/// `configs` beside the folder of the program, as archive and wheel have it.
fn folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.parent()?.join("configs")).filter(|folder| folder.is_dir())
}

fn resolve(file: &Path, shipped: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(shipped) = shipped.filter(|_| file.extension().is_none() && file.is_relative() && !file.exists()) else {
        return Ok(file.to_owned());
    };
    let named = shipped.join(file.with_extension("yaml"));
    if named.is_file() {
        return Ok(named);
    }
    let names = names(shipped);
    let wanted = file.to_string_lossy();
    let near = names.iter().max_by(|a, b| strsim::jaro(a, &wanted).total_cmp(&strsim::jaro(b, &wanted)));
    Err(Failure::usage(format!(
        "--config {wanted}: there is neither a file of this name nor a shipped one{}; shipped in {}: {}",
        near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default(),
        shipped.display(),
        names.join(", ")
    )))
}

/// The shipped run files, which lie in the folder itself and in `cpu`, sorted; parts of run files are not among them.
fn names(shipped: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for below in ["", "cpu"] {
        let entries = std::fs::read_dir(shipped.join(below)).into_iter().flatten().flatten();
        let yaml = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "yaml"));
        let name = |entry: std::fs::DirEntry| {
            Some(Path::new(below).join(entry.path().file_stem()?).to_string_lossy().into_owned())
        };
        names.extend(yaml.filter_map(name));
    }
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_shipped_file_where_it_is_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let shipped = folder.path();
        std::fs::create_dir(shipped.join("cpu")).unwrap();
        for name in ["quickstart.yaml", "cpu/cifar10_dino.yaml", "README.md"] {
            std::fs::write(shipped.join(name), "").unwrap();
        }
        let of = |name: &str| resolve(Path::new(name), Some(shipped));
        assert_eq!(of("quickstart").unwrap(), shipped.join("quickstart.yaml"));
        assert_eq!(of("cpu/cifar10_dino").unwrap(), shipped.join("cpu/cifar10_dino.yaml"));
        // What looks like a file is one, there or not; so is a folder that is there.
        for own in ["quickstart.yaml", "/quickstart", "src"] {
            assert_eq!(of(own).unwrap(), Path::new(own));
        }
        let refused = of("quikstart").unwrap_err().message;
        let expected = "(did you mean `quickstart`?)";
        assert!(refused.contains(expected) && refused.ends_with("cpu/cifar10_dino, quickstart"), "{refused}");
        assert_eq!(resolve(Path::new("quickstart"), None).unwrap(), Path::new("quickstart"));
    }
}
