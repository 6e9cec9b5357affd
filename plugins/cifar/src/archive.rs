//! From an archive to a folder, all or nothing.

use crate::failure::{Failure, io_error};
use crate::options::Checksum;
use crate::published::{Package, Published};
use crate::verify;
use flate2::read::MultiGzDecoder;
use selfsame_plugin_api::Services;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use tar::{Archive, EntryType};

/// No member may be larger when its size is not checked otherwise.
const LARGEST_MEMBER: u64 = 1 << 30;
const CHUNK: usize = 1 << 20;

/// Extracts and checks the members of `package` in a temporary folder below `root`, then names it as published.
pub fn install(
    published: &Published,
    package: &Package,
    archive: &Path,
    root: &Path,
    checksum: Checksum,
    services: &dyn Services,
) -> Result<(), Failure> {
    let temporary = tempfile::Builder::new()
        .prefix(&format!(".{}-", package.folder))
        .tempdir_in(root)
        .map_err(|error| io_error("make a folder in", root, &error))?;
    extract(package, archive, temporary.path(), services)?;
    verify::package(published, package, temporary.path(), checksum, services).map_err(|failure| match failure {
        Failure::Content(message) => {
            // The temporary folder's name would tell the user nothing.
            let folder = temporary.path().display().to_string();
            Failure::Content(message.replace(&format!("{folder}/"), &format!("{}: ", archive.display())))
        }
        other => other,
    })?;
    let folder = root.join(package.folder);
    open_to_readers(temporary.path())?;
    sync(temporary.path())?;
    fs::rename(temporary.path(), &folder).map_err(|error| io_error("put the extracted files into", &folder, &error))?;
    // It has moved: there is nothing left to remove.
    let _ = temporary.keep();
    sync(root)?;
    Ok(())
}

fn extract(package: &Package, archive: &Path, into: &Path, services: &dyn Services) -> Result<(), Failure> {
    let file = File::open(archive).map_err(|error| io_error("read", archive, &error))?;
    let damaged = |error: io::Error| Failure::Content(format!("{}: {error}", archive.display()));
    let mut wanted: BTreeSet<_> = package.members.iter().map(|member| member.file).collect();
    let what = format!("unpacking {}", archive.display());
    let mut unpacked = 0;
    let mut tar = Archive::new(MultiGzDecoder::new(BufReader::new(file)));
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let path = entry.path().map_err(damaged)?.into_owned();
        let file = path.file_name().and_then(|name| name.to_str());
        let Some(name) = file.and_then(|name| wanted.iter().copied().find(|wanted| *wanted == name)) else { continue };
        if entry.size() > LARGEST_MEMBER {
            let size = entry.size();
            return Err(Failure::Content(format!("{}: {} has {size} bytes", archive.display(), path.display())));
        }
        let target = into.join(name);
        let mut out = File::create(&target).map_err(|error| io_error("write", &target, &error))?;
        let mut buffer = vec![0; CHUNK];
        loop {
            services.progress(&what, unpacked, None)?;
            let count = entry.read(&mut buffer).map_err(damaged)?;
            if count == 0 {
                break;
            }
            out.write_all(&buffer[..count]).map_err(|error| io_error("write", &target, &error))?;
            unpacked += count as u64;
        }
        out.sync_all().map_err(|error| io_error("write", &target, &error))?;
        wanted.remove(name);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = wanted.into_iter().collect();
    Err(Failure::Content(format!("{}: the archive has no {}", archive.display(), missing.join(", "))))
}

/// Temporary folders are private; a data set is not.
fn open_to_readers(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .map_err(|error| io_error("set the permissions of", folder, &error).into())
}

fn sync(folder: &Path) -> Result<(), Failure> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|error| io_error("write", folder, &error).into())
}
