//! Takes the files we need out of a wheel, each checked against the wheel's own list of hashes (RECORD).

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

/// Says under which path a file of a wheel is kept, if at all.
pub type Place = dyn Fn(&str) -> Option<PathBuf>;

/// A wheel that is open for reading.
pub struct Unpacker {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

impl Unpacker {
    /// Opens a wheel.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let archive = ZipArchive::new(BufReader::new(file)).with_context(|| damaged(path))?;
        Ok(Self { path: path.to_owned(), archive })
    }

    /// Reads `RECORD` or `METADATA` from the wheel's `.dist-info` folder.
    pub fn info(&mut self, name: &str) -> Result<String> {
        let end = format!(".dist-info/{name}");
        let full = self.archive.file_names().find(|file| file.ends_with(&end) && file.matches('/').count() == 1);
        let full = full.with_context(|| format!("{}: it has no {name}", damaged(&self.path)))?.to_owned();
        let mut text = String::new();
        let read =
            self.archive.by_name(&full).map_err(io::Error::from).and_then(|mut file| file.read_to_string(&mut text));
        read.with_context(|| damaged(&self.path))?;
        Ok(text)
    }

    /// Writes the files that `place` keeps below `folder`; returns how many.
    pub fn unpack(&mut self, place: &Place, folder: &Path) -> Result<usize> {
        let mut files = Vec::new();
        let mut bytes = 0;
        for line in self.info("RECORD")?.lines() {
            let Some((name, hash, size)) = record(line) else { continue };
            if let Some(target) = place(&name) {
                bytes += size;
                files.push((name, hash, folder.join(target)));
            }
        }
        let name = self.path.file_name().unwrap_or_default().display().to_string();
        let bar = progress_bar(&format!("unpacking {}", name.split("-py3-").next().unwrap_or(&name)), bytes);
        for (name, hash, target) in &files {
            if self.write(name, target, &bar)? != *hash {
                bail!("{}: the SHA-256 of its file {name} is not the one in its RECORD", damaged(&self.path));
            }
        }
        bar.finish_and_clear();
        Ok(files.len())
    }

    /// Writes one file and returns its hash as RECORD spells it.
    fn write(&mut self, name: &str, target: &Path, bar: &ProgressBar) -> Result<String> {
        let cannot_write = || format!("cannot write {}", target.display());
        fs::create_dir_all(target.parent().unwrap_or(target)).with_context(cannot_write)?;
        let mut output = File::create(target).with_context(cannot_write)?;
        let input = self.archive.by_name(name).with_context(|| damaged(&self.path))?;
        let hash =
            hash(input, bar, || damaged(&self.path), |block| output.write_all(block).with_context(cannot_write))?;
        Ok(URL_SAFE_NO_PAD.encode(hash))
    }
}

/// SHA-256 of all that can be read; each block goes to `write` on the way. `failure` describes a failed read.
pub fn hash(
    mut input: impl Read,
    bar: &ProgressBar,
    failure: impl Fn() -> String,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = input.read(&mut buffer).with_context(&failure)?;
        if count == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..count]);
        write(&buffer[..count])?;
        bar.inc(count as u64);
    }
}

fn damaged(path: &Path) -> String {
    format!("{} is damaged; remove it and run again", path.display())
}

/// Splits a line of RECORD, `name,sha256=…,size`; the name is quoted where it holds a comma.
fn record(line: &str) -> Option<(String, String, u64)> {
    let mut parts = line.rsplitn(3, ',');
    let size = parts.next()?.parse().ok()?;
    let hash = parts.next()?.strip_prefix("sha256=")?.to_owned();
    let name = parts.next()?.trim_matches('"').to_owned();
    // No wheel has such names; a forged one shall not write outside the folder.
    let inside = !name.starts_with('/') && !name.split('/').any(|part| part == "..");
    inside.then_some((name, hash, size))
}

/// A bar over `bytes` on stderr, invisible when that is not a terminal.
pub fn progress_bar(doing: &str, bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:32} {bytes}/{total_bytes} {eta}");
    ProgressBar::new(bytes)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(doing.to_owned())
}

#[cfg(test)]
mod tests {
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    /// A wheel with two files; `abc` is what RECORD promises for the first.
    fn wheel(content: &str) -> tempfile::NamedTempFile {
        // SHA-256 of "abc" and of "", in URL-safe base64.
        let record = "pkg/lib/liba.so.1,sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\n\
            pkg/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\npkg-1.dist-info/RECORD,,\n";
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut zip = ZipWriter::new(file.reopen().unwrap());
        for (name, text) in
            [("pkg/lib/liba.so.1", content), ("pkg/__init__.py", ""), ("pkg-1.dist-info/RECORD", record)]
        {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        file
    }

    fn libraries(name: &str) -> Option<PathBuf> {
        name.strip_prefix("pkg/").filter(|name| name.contains(".so")).map(PathBuf::from)
    }

    #[test]
    fn unpacks_only_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let count = Unpacker::open(wheel("abc").path()).unwrap().unpack(&libraries, folder.path()).unwrap();
        assert_eq!(count, 1);
        assert_eq!(fs::read_to_string(folder.path().join("lib/liba.so.1")).unwrap(), "abc");
        assert!(!folder.path().join("__init__.py").exists());
    }

    #[test]
    fn rejects_a_file_that_differs_from_the_record() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel("abd");
        let error = Unpacker::open(wheel.path()).unwrap().unpack(&libraries, folder.path()).unwrap_err().to_string();
        assert!(error.contains("liba.so.1") && error.contains("RECORD") && error.contains("run again"), "{error}");
    }

    #[test]
    fn rejects_a_truncated_wheel() {
        let wheel = wheel("abc");
        let length = fs::metadata(wheel.path()).unwrap().len();
        wheel.as_file().set_len(length / 2).unwrap();
        let error = Unpacker::open(wheel.path()).err().unwrap().to_string();
        assert!(error.contains("is damaged"), "{error}");
    }

    #[test]
    fn reads_records_and_refuses_paths_that_climb() {
        assert_eq!(record("a/b.so,sha256=xy_-,12"), Some(("a/b.so".into(), "xy_-".into(), 12)));
        assert_eq!(record("\"a,b.h\",sha256=z,1"), Some(("a,b.h".into(), "z".into(), 1)));
        for line in ["x.dist-info/RECORD,,", "../evil,sha256=z,1", "/etc/evil,sha256=z,1", ""] {
            assert_eq!(record(line), None, "{line}");
        }
    }
}
