//! Checks of files against what is published, or against the record structure alone.

use crate::failure::{Failure, io_error};
use crate::options::Checksum;
use crate::published::{Digest, Form, Member, Package, Published};
use crate::record_file;
use crate::regular_file;
use md5::Md5;
use selfsame_plugin_api::Services;
use sha1::Sha1;
use sha2::Sha256;
use sha2::digest::DynDigest;
use std::io::Read;
use std::path::Path;

const CHUNK: usize = 1 << 20;

impl Digest {
    fn algorithm(self) -> (&'static str, Box<dyn DynDigest>) {
        match self {
            Digest::Md5(_) => ("MD5", Box::<Md5>::default()),
            Digest::Sha1(_) => ("SHA-1", Box::<Sha1>::default()),
            Digest::Sha256(_) => ("SHA-256", Box::<Sha256>::default()),
        }
    }

    fn hexadecimal(self) -> &'static str {
        match self {
            Digest::Md5(text) | Digest::Sha1(text) | Digest::Sha256(text) => text,
        }
    }
}

/// Checks every member of `package` in `folder`.
pub fn package(
    published: &Published,
    package: &Package,
    folder: &Path,
    checksum: Checksum,
    services: &dyn Services,
) -> Result<(), Failure> {
    for member in package.members {
        let path = folder.join(member.file);
        match checksum {
            Checksum::Official => official(published, package.form, member, &path, services)?,
            Checksum::None => {
                services.progress(&format!("checking {}", path.display()), 0, None)?;
                record_file::load(published, package.form, &path)?;
            }
        }
    }
    Ok(())
}

fn official(
    published: &Published,
    form: Form,
    member: &Member,
    path: &Path,
    services: &dyn Services,
) -> Result<(), Failure> {
    if form == Form::Binary {
        let size = path.metadata().map_err(|error| io_error("read", path, &error))?.len();
        let expected = (member.records * published.record()) as u64;
        if size != expected {
            return Err(Failure::Content(format!("{}: {size} bytes, expected {expected}", path.display())));
        }
    }
    let Err(failure) = digest(path, member.digest, services) else { return Ok(()) };
    // A record that cannot be says more than a digest does.
    let content = matches!(failure, Failure::Content(_));
    match record_file::load(published, form, path) {
        Err(Failure::Content(cause)) if content => Err(Failure::Content(cause)),
        _ => Err(failure),
    }
}

/// Checks a whole file's digest.
pub fn digest(path: &Path, expected: Digest, services: &dyn Services) -> Result<(), Failure> {
    let read_error = |error| io_error("read", path, &error);
    let mut file = regular_file::open(path).map_err(read_error)?;
    let total = file.metadata().map_err(read_error)?.len();
    let (algorithm, mut hasher) = expected.algorithm();
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
    if found == expected.hexadecimal() {
        return Ok(());
    }
    Err(Failure::Content(format!(
        "{}: {algorithm} {found}, expected {}; this is not the published file",
        path.display(),
        expected.hexadecimal()
    )))
}
