//! Where a packed program or plugin looks for its libraries.

use object::LittleEndian;
use object::elf::{DT_RPATH, DT_RUNPATH, DT_STRTAB, FileHeader64, PT_LOAD};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::ops::Range;

const BESIDE: &str = "$ORIGIN";

/// The folders in which a program or library looks for libraries, in order; often none.
///
/// # Errors
/// What is no ELF file that a program can be, as a sentence.
pub fn library_folders(program: &[u8]) -> Result<Vec<String>, String> {
    let mut folders = Vec::new();
    for place in search_paths(program)? {
        folders.extend(text(program, place)?.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned));
    }
    Ok(folders)
}

/// The program or library without the folders of the machine that built it, in which whoever can write there would be
/// loaded from: of its search path, the folders relative to itself stay, which may be none.
///
/// The path is shortened where it stands, so that nothing else of the file moves.
///
/// # Errors
/// As [`library_folders`].
pub fn relocated(mut program: Vec<u8>) -> Result<Vec<u8>, String> {
    for place in search_paths(&program)? {
        let kept: Vec<_> =
            text(&program, place.clone())?.split(':').filter(|folder| folder.starts_with(BESIDE)).collect();
        let mut kept = kept.join(":").into_bytes();
        kept.resize(place.len(), 0);
        program[place].copy_from_slice(&kept);
    }
    Ok(program)
}

fn text(program: &[u8], place: Range<usize>) -> Result<&str, String> {
    std::str::from_utf8(&program[place]).map_err(|error| format!("its search path is no text: {error}"))
}

/// Where the texts of `DT_RUNPATH` and `DT_RPATH` lie in the file, without the closing zero.
fn search_paths(program: &[u8]) -> Result<Vec<Range<usize>>, String> {
    let damaged = |error: object::Error| format!("damaged ELF file: {error}");
    let header = FileHeader64::<LittleEndian>::parse(program).map_err(damaged)?;
    let segments = header.program_headers(LittleEndian, program).map_err(damaged)?;
    let mut entries: Vec<&object::elf::Dyn64<LittleEndian>> = Vec::new();
    for segment in segments {
        entries.extend(segment.dynamic(LittleEndian, program).map_err(damaged)?.into_iter().flatten());
    }
    let value =
        |tag| entries.iter().find(|entry| entry.d_tag(LittleEndian) == tag).map(|entry| entry.d_val(LittleEndian));
    let Some(strings) = value(DT_STRTAB) else { return Ok(Vec::new()) };
    let mut places = Vec::new();
    for offset in [value(DT_RUNPATH), value(DT_RPATH)].into_iter().flatten() {
        let start = file_offset(segments, strings + offset).ok_or("its search path is not in the file")?;
        let text = program.get(start..).ok_or("its search path is not in the file")?;
        let length = text.iter().position(|&byte| byte == 0).ok_or("its search path has no end")?;
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

    #[test]
    fn folders_of_the_builder_go_and_those_beside_the_program_stay() {
        for (path, kept) in [
            ("$ORIGIN/lib:/the/builders/folder:$ORIGIN/../lib", &["$ORIGIN/lib", "$ORIGIN/../lib"][..]),
            ("$ORIGIN", &["$ORIGIN"]),
            ("/the/builders/folder:/another", &[]),
        ] {
            let program = linked(Some(path));
            assert_eq!(library_folders(&program).unwrap().join(":"), path);
            let relocated = relocated(program.clone()).unwrap();
            assert_eq!(library_folders(&relocated).unwrap(), kept, "{path}");
            assert_eq!(relocated.len(), program.len());
            assert!(!relocated.windows(8).any(|bytes| bytes == b"builders"));
        }
    }

    #[test]
    fn a_library_without_a_search_path_stays_and_what_is_none_is_refused() {
        let plain = linked(None);
        assert_eq!(library_folders(&plain).unwrap(), [""; 0]);
        assert_eq!(relocated(plain.clone()).unwrap(), plain);
        assert!(relocated(b"no program".to_vec()).is_err());
    }
}
