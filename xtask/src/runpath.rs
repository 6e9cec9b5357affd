//! Where a packed program looks for its libraries.

use anyhow::{Context, Result, bail};
use object::LittleEndian;
use object::elf::{DT_RPATH, DT_RUNPATH, DT_STRTAB, FileHeader64, PT_LOAD};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::ops::Range;
use std::path::PathBuf;

const BESIDE: &str = "$ORIGIN";

/// The program or library without the folders of the machine that built it, in which whoever can write there would be
/// loaded from: of its search path, the folders relative to itself stay. One without a search path stays as it is.
///
/// The path is shortened where it stands, so that nothing else of the file moves.
pub fn relocated(mut program: Vec<u8>) -> Result<Vec<u8>> {
    for place in search_paths(&program)? {
        let path = std::str::from_utf8(&program[place.clone()]).context("its search path is no text")?;
        let kept: Vec<_> = path.split(':').filter(|folder| folder.starts_with(BESIDE)).collect();
        if kept.is_empty() {
            bail!("it looks for libraries in {path} only, and not beside itself");
        }
        let mut kept = kept.join(":").into_bytes();
        kept.resize(place.len(), 0);
        program[place].copy_from_slice(&kept);
    }
    Ok(program)
}

/// The folder of its search path that is not relative to itself and holds this library: where it was when the program was built.
pub fn builders_folder(program: &[u8], library: &str) -> Result<Option<PathBuf>> {
    for place in search_paths(program)? {
        let path = std::str::from_utf8(&program[place]).context("its search path is no text")?;
        let mut folders = path.split(':').filter(|folder| !folder.starts_with(BESIDE)).map(PathBuf::from);
        if let Some(folder) = folders.find(|folder| folder.join(library).exists()) {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

/// Where the texts of `DT_RUNPATH` and `DT_RPATH` lie in the file, without the closing zero.
fn search_paths(program: &[u8]) -> Result<Vec<Range<usize>>> {
    let header = FileHeader64::<LittleEndian>::parse(program)?;
    let segments = header.program_headers(LittleEndian, program)?;
    let mut entries: Vec<&object::elf::Dyn64<LittleEndian>> = Vec::new();
    for segment in segments {
        entries.extend(segment.dynamic(LittleEndian, program)?.into_iter().flatten());
    }
    let value =
        |tag| entries.iter().find(|entry| entry.d_tag(LittleEndian) == tag).map(|entry| entry.d_val(LittleEndian));
    let Some(strings) = value(DT_STRTAB) else { return Ok(Vec::new()) };
    let mut places = Vec::new();
    for offset in [value(DT_RUNPATH), value(DT_RPATH)].into_iter().flatten() {
        let start = file_offset(segments, strings + offset).context("its search path is not in the file")?;
        let text = program.get(start..).context("its search path is not in the file")?;
        let length = text.iter().position(|&byte| byte == 0).context("its search path has no end")?;
        places.push(start..start + length);
    }
    Ok(places)
}

/// The place in the file of what is loaded to an address.
fn file_offset(segments: &[object::elf::ProgramHeader64<LittleEndian>], address: u64) -> Option<usize> {
    let loaded = segments.iter().find(|segment| {
        let from = segment.p_vaddr(LittleEndian);
        segment.p_type(LittleEndian) == PT_LOAD && (from..from + segment.p_filesz(LittleEndian)).contains(&address)
    })?;
    usize::try_from(loaded.p_offset(LittleEndian) + (address - loaded.p_vaddr(LittleEndian))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A library that the compiler links with this search path; none: without one.
    fn linked(path: Option<&str>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("a.c"), folder.path().join("liba.so"));
        std::fs::write(&source, "int a(void) { return 1; }").unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-o"]).arg(&library).arg(&source);
        compiler.args(path.map(|path| format!("-Wl,--enable-new-dtags,-rpath,{path}")));
        assert!(compiler.status().unwrap().success());
        std::fs::read(library).unwrap()
    }

    fn path(program: &[u8]) -> String {
        let place = search_paths(program).unwrap().remove(0);
        String::from_utf8(program[place].to_vec()).unwrap()
    }

    #[test]
    fn folders_of_the_builder_go_and_those_beside_the_program_stay() {
        let program = linked(Some("$ORIGIN/lib:/the/builders/folder:$ORIGIN/../lib"));
        assert_eq!(path(&program), "$ORIGIN/lib:/the/builders/folder:$ORIGIN/../lib");
        let relocated = relocated(program.clone()).unwrap();
        assert_eq!(path(&relocated), "$ORIGIN/lib:$ORIGIN/../lib");
        assert_eq!(relocated.len(), program.len());
        assert!(!relocated.windows(8).any(|bytes| bytes == b"builders"));
    }

    #[test]
    fn a_library_without_a_search_path_stays_and_one_with_the_builders_alone_is_refused() {
        let plain = linked(None);
        assert_eq!(relocated(plain.clone()).unwrap(), plain);
        let error = relocated(linked(Some("/the/builders/folder"))).unwrap_err().to_string();
        assert!(error.contains("/the/builders/folder"), "{error}");
        assert!(relocated(b"no program".to_vec()).is_err());
    }
}
