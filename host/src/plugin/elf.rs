//! A look at an ELF file before it is opened: opening a truncated one ends the process with SIGBUS.

use object::{ReadRef, elf};

/// Reads little-endian numbers out of a header.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&self, offset: usize, size: usize) -> u64 {
        self.0[offset..offset + size].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
    }
}

const HEADER: usize = 64;
const PROGRAM_HEADER: u64 = 56;

#[cfg(target_arch = "x86_64")]
const MACHINE: u64 = elf::EM_X86_64.0 as u64;
#[cfg(target_arch = "aarch64")]
const MACHINE: u64 = elf::EM_AARCH64.0 as u64;

/// Checks magic, class, byte order, kind, machine, and that every program header and the section table lie inside the
/// file.
///
/// # Errors
/// One sentence that says what the file is, or the size that its headers promise and the size that it has.
pub(super) fn check<'data>(data: impl ReadRef<'data>) -> Result<(), String> {
    let size = data.len().map_err(|()| "cannot be read")?;
    let short = |promised: u64| format!("truncated: its headers promise {promised} bytes, the file has {size}");
    let start = data.read_bytes_at(0, size.min(HEADER as u64)).map_err(|()| "cannot be read")?;
    if !start.starts_with(&elf::ELFMAG) {
        return Err(if start.is_empty() { "empty file" } else { "not an ELF library" }.into());
    }
    if start.len() < HEADER {
        return Err(short(HEADER as u64));
    }
    let header = Fields(start);
    if header.number(4, 2) != 0x0102 {
        return Err("not a 64-bit little-endian library".into());
    }
    if header.number(16, 2) != 3 {
        return Err("an ELF file, but not a dynamic library".into());
    }
    let machine = header.number(18, 2);
    if machine != MACHINE {
        let name = std::env::consts::ARCH;
        return Err(format!("built for another machine: ELF machine {machine}, this host is {MACHINE} ({name})"));
    }

    let (programs, program_size, program_count) = (header.number(32, 8), header.number(54, 2), header.number(56, 2));
    let (sections, section_size, section_count) = (header.number(40, 8), header.number(58, 2), header.number(60, 2));
    if program_size != PROGRAM_HEADER {
        return Err(format!("damaged: program headers of {program_size} bytes, expected {PROGRAM_HEADER}"));
    }
    let table_end = programs.saturating_add(program_size * program_count);
    let mut promised = table_end.max(sections.saturating_add(section_size * section_count));
    if table_end > size {
        return Err(short(promised));
    }
    for index in 0..program_count {
        let bytes = data.read_bytes_at(programs + index * program_size, program_size).map_err(|()| "cannot be read")?;
        let program = Fields(bytes);
        promised = promised.max(program.number(8, 8).saturating_add(program.number(32, 8)));
    }
    if promised > size { Err(short(promised)) } else { Ok(()) }
}
