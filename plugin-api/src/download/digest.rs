//! Digests of whole files.

use crate::{files, Result, Services};
use md5::Md5;
use sha1::Sha1;
use sha2::{digest::DynDigest, Sha256};
use std::io::Read;
use std::path::Path;

const CHUNK: usize = 1 << 20;

/// A published digest in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest<'a> {
    /// 32 digits.
    Md5(&'a str),
    /// 40 digits.
    Sha1(&'a str),
    /// 64 digits.
    Sha256(&'a str),
}

impl Digest<'_> {
    fn algorithm(self) -> (&'static str, Box<dyn DynDigest>) {
        match self {
            Digest::Md5(_) => ("MD5", Box::<Md5>::default()),
            Digest::Sha1(_) => ("SHA-1", Box::<Sha1>::default()),
            Digest::Sha256(_) => ("SHA-256", Box::<Sha256>::default()),
        }
    }

    fn hexadecimal(&self) -> &str {
        match self {
            Digest::Md5(text) | Digest::Sha1(text) | Digest::Sha256(text) => text,
        }
    }

    /// How a file differs from the published one, as a sentence; none: it is that file.
    ///
    /// # Errors
    /// A file that cannot be read, and a wish to stop.
    pub fn mismatch(self, path: &Path, services: &dyn Services) -> Result<Option<String>> {
        let read_error = |error| files::failure("read", path, &error);
        let mut file = files::open(path)?;
        let total = file.metadata().map_err(read_error)?.len();
        let (algorithm, mut hasher) = self.algorithm();
        let what = format!("checking {}", path.display());
        let mut buffer = vec![0; CHUNK];
        let mut done = 0;
        loop {
            services.progress(&what, done, Some(total))?;
            let count = file.read(&mut buffer).map_err(read_error)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            done += count as u64;
        }
        let found = base16ct::lower::encode_string(&hasher.finalize());
        if found.eq_ignore_ascii_case(self.hexadecimal()) {
            return Ok(None);
        }
        let (path, expected) = (path.display(), self.hexadecimal());
        Ok(Some(format!("{path}: {algorithm} {found}, expected {expected}; this is not the published file")))
    }
}
