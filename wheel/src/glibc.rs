//! Which C library a program needs.

use object::read::elf::FileHeader;
use object::{LittleEndian, elf};

/// The newest version of glibc's symbols that the program or library is bound to, major and minor number; the oldest there is
/// where it is bound to none.
///
/// # Errors
/// What is no 64-bit little-endian ELF file, or a damaged one.
pub(super) fn needed(program: &[u8]) -> object::Result<(u32, u32)> {
    let header = elf::FileHeader64::<LittleEndian>::parse(program)?;
    let sections = header.sections(LittleEndian, program)?;
    let mut newest = (2, 2);
    let Some((mut needs, link)) = sections.gnu_verneed(LittleEndian, program)? else { return Ok(newest) };
    let strings = sections.strings(LittleEndian, program, link)?;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            let name = version.name(LittleEndian, strings)?;
            newest = newest.max(glibc(name).unwrap_or(newest));
        }
    }
    Ok(newest)
}

/// `GLIBC_2.34` as numbers; nothing for `GLIBCXX_…` and others.
fn glibc(name: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split_once('.')?;
    // A third number, as in 2.2.5, changes no interface that manylinux tells apart.
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_glibcs_versions_are_read() {
        for (name, expected) in [
            ("GLIBC_2.34", Some((2, 34))),
            ("GLIBC_2.2.5", Some((2, 2))),
            ("GLIBCXX_3.4.29", None),
            ("GLIBC_PRIVATE", None),
        ] {
            assert_eq!(glibc(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn this_program_needs_one() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(needed(&own).unwrap() >= (2, 3));
        assert!(needed(b"no program").is_err());
    }
}
