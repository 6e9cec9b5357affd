//! Python wheels (the binary distribution format of the Python packaging user guide, once PEP 427), the same to the byte for
//! the same content.

mod glibc;
mod runpath;

pub use runpath::{library_folders, relocated};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::io::{self, Seek, Write};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

/// The tag of a wheel for any Python 3 on any machine.
pub const ANY: &str = "py3-none-any";

/// A file of a wheel.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path in the wheel, which is its path in `site-packages`, but for what lies in `NAME-VERSION.data`.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Whether it may be run.
    pub is_program: bool,
}

impl Entry {
    /// A file that is not run.
    pub fn new(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: content.into(), is_program: false }
    }
}

/// A wheel that is to be written.
#[derive(Debug, Clone)]
pub struct Wheel {
    /// The distribution's name as file names have it: runs of other characters than letters and digits are one `_` each.
    pub name: String,
    /// Its version, as PEP 440 has it.
    pub version: String,
    /// [`ANY`], or what [`platform_tag`] says.
    pub tag: String,
    /// Who writes it, with a version.
    pub generator: String,
    /// Its files; those of `NAME-VERSION.dist-info` among them, but for `WHEEL` and `RECORD`.
    pub entries: Vec<Entry>,
}

impl Wheel {
    /// `NAME-VERSION-TAG.whl`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.tag)
    }

    /// A path in the folder of the wheel's own facts.
    #[must_use]
    pub fn info(&self, file: &str) -> String {
        format!("{}-{}.dist-info/{file}", self.name, self.version)
    }

    /// The path of what is installed below the environment's own folder (`sys.prefix`), beside `bin` and `lib`.
    #[must_use]
    pub fn data(&self, file: &str) -> String {
        format!("{}-{}.data/data/{file}", self.name, self.version)
    }

    /// Writes the wheel; `RECORD`, with the digest of every file, is the last one.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(mut self, output: impl Write + Seek) -> io::Result<()> {
        let pure = self.tag == ANY;
        self.entries.push(Entry::new(
            self.info("WHEEL"),
            format!("Wheel-Version: 1.0\nGenerator: {}\nRoot-Is-Purelib: {pure}\nTag: {}\n", self.generator, self.tag),
        ));
        let record = self.info("RECORD");
        let mut lines = String::new();
        for Entry { name, content, .. } in &self.entries {
            let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(content));
            lines.push_str(&format!("{name},sha256={digest},{}\n", content.len()));
        }
        lines.push_str(&format!("{record},,\n"));
        self.entries.push(Entry::new(record, lines));
        let mut wheel = ZipWriter::new(output);
        let date = DateTime::from_date_and_time(2026, 1, 1, 0, 0, 0).map_err(io::Error::other)?;
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).last_modified_time(date);
        for Entry { name, content, is_program } in self.entries {
            let mode = if is_program { 0o755 } else { 0o644 };
            wheel.start_file(name, options.unix_permissions(mode))?;
            wheel.write_all(&content)?;
        }
        wheel.finish()?.flush()
    }
}

/// For which machines these programs are: any Python 3 on Linux with this processor and with the C library that they were
/// linked against, or a newer one (PEP 600).
///
/// # Errors
/// What is no 64-bit little-endian ELF file, or a damaged one.
pub fn platform_tag<'a>(programs: impl IntoIterator<Item = &'a [u8]>) -> Result<String, String> {
    let needed: object::Result<Vec<_>> = programs.into_iter().map(glibc::needed).collect();
    let needed = needed.map_err(|error| format!("it is no program of this kind of machine: {error}"))?;
    let (major, minor) = needed.into_iter().max().unwrap_or_default().max(OLDEST);
    Ok(format!("py3-none-manylinux_{major}_{minor}_{}", std::env::consts::ARCH))
}

/// The oldest C library that Rust's programs run with.
const OLDEST: (u32, u32) = (2, 17);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    fn wheel() -> Wheel {
        let program = Entry { is_program: true, ..Entry::new("selfsame/bin/selfsame", b"\x7fELF") };
        Wheel {
            name: "acme_ct".into(),
            version: "1.2".into(),
            tag: "py3-none-manylinux_2_34_x86_64".into(),
            generator: "test 1".into(),
            entries: vec![Entry::new("selfsame/__init__.py", b"TORCH = 1\n"), program],
        }
    }

    fn packed() -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        wheel().write(&mut bytes).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_file_is_recorded_and_programs_may_be_run() {
        let bytes = packed();
        assert_eq!(bytes, packed(), "the same bytes again");
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut record = String::new();
        archive.by_name("acme_ct-1.2.dist-info/RECORD").unwrap().read_to_string(&mut record).unwrap();
        // Of `TORCH = 1` and a new line, by Python's hashlib and base64.
        let line = "selfsame/__init__.py,sha256=sPXk-MBoFDAKR8NOk8iBMbKNo5v7K2EKoG_WUXR0_ds,10\n";
        assert!(record.contains(line), "{record}");
        for at in 0..archive.len() {
            let file = archive.by_index(at).unwrap();
            assert!(record.contains(&format!("{},", file.name())), "{} is not recorded", file.name());
            let expected = if file.name() == "selfsame/bin/selfsame" { 0o755 } else { 0o644 };
            assert_eq!(file.unix_mode().unwrap() & 0o777, expected, "{}", file.name());
        }
    }

    #[test]
    fn names_are_made_of_name_version_and_tag() {
        let wheel = wheel();
        assert_eq!(wheel.file_name(), "acme_ct-1.2-py3-none-manylinux_2_34_x86_64.whl");
        assert_eq!(wheel.data("share/a.so"), "acme_ct-1.2.data/data/share/a.so");
    }

    #[test]
    fn the_tag_says_which_c_library_this_program_needs() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let tag = platform_tag([own.as_slice()]).unwrap();
        assert!(tag.starts_with("py3-none-manylinux_2_") && tag.ends_with(std::env::consts::ARCH), "{tag}");
        assert!(platform_tag([b"no program".as_slice()]).unwrap_err().contains("no program of this kind"));
    }
}
