//! Where a packed program looks for its libraries.

use anyhow::{Error, Result, bail};
use selfsame_wheel::{library_folders, relocated};
use std::path::PathBuf;

/// The program or library without the folders of the machine that built it; one that looks nowhere stays as it is.
///
/// # Errors
/// One that would find no library any more, because a build script names no folder beside it.
pub fn packed(program: Vec<u8>) -> Result<Vec<u8>> {
    let before = library_folders(&program).map_err(Error::msg)?;
    let packed = relocated(program).map_err(Error::msg)?;
    if !before.is_empty() && library_folders(&packed).map_err(Error::msg)?.is_empty() {
        bail!("it looks for libraries in {} only, and not beside itself", before.join(":"));
    }
    Ok(packed)
}

/// The folder of its search path that is not relative to itself and holds this library: where it was when the program was built.
///
/// # Errors
/// A file that is no program.
pub fn builders_folder(program: &[u8], library: &str) -> Result<Option<PathBuf>> {
    let folders = library_folders(program).map_err(Error::msg)?;
    let mut elsewhere = folders.iter().filter(|folder| !folder.starts_with("$ORIGIN")).map(PathBuf::from);
    Ok(elsewhere.find(|folder| folder.join(library).exists()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A library that the compiler links with this search path.
    fn linked(path: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("a.c"), folder.path().join("liba.so"));
        std::fs::write(&source, "int a(void) { return 1; }").unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-o"]).arg(&library).arg(&source);
        compiler.arg(format!("-Wl,--enable-new-dtags,-rpath,{path}"));
        assert!(compiler.status().unwrap().success());
        std::fs::read(library).unwrap()
    }

    #[test]
    fn a_program_that_would_find_no_library_any_more_is_refused() {
        let error = packed(linked("/the/builders/folder")).unwrap_err().to_string();
        assert!(error.contains("/the/builders/folder"), "{error}");
        assert_eq!(library_folders(&packed(linked("$ORIGIN/lib:/the/builders")).unwrap()).unwrap(), ["$ORIGIN/lib"]);
    }
}
