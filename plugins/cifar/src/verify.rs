//! Checks of files against what is published, or against the record structure alone.

use crate::failure::Failure;
use crate::options::Checksum;
use crate::published::{Form, Member, Package, Published};
use crate::record_file;
use selfsame_plugin_api::download::Digest;
use selfsame_plugin_api::{Services, files};
use std::path::Path;

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
        let size = path.metadata().map_err(|error| files::failure("read", path, &error))?.len();
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
pub fn digest(path: &Path, expected: Digest<'_>, services: &dyn Services) -> Result<(), Failure> {
    expected.mismatch(path, services)?.map_or(Ok(()), |cause| Err(Failure::Content(cause)))
}
