//! From an archive to a folder, all or nothing.

use crate::failure::Failure;
use crate::options::Checksum;
use crate::published::{Package, Published};
use crate::verify;
use flate2::read::MultiGzDecoder;
use selfsame_plugin_api::{Services, files};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use tar::{Archive, EntryType};

/// No member may be larger when its size is not checked otherwise.
const LARGEST_MEMBER: u64 = 1 << 30;
/// What an archive may come to, all in all.
const LARGEST_UNPACKED: u64 = 4 << 30;
const CHUNK: usize = 1 << 20;

/// Extracts and checks the members of `package` in a temporary folder below `root`, then names it as published. The
/// caller holds the folder's lock: what an interrupted process left in the temporary folder is removed.
pub fn install(
    published: &Published,
    package: &Package,
    archive: &Path,
    root: &Path,
    checksum: Checksum,
    services: &dyn Services,
) -> Result<(), Failure> {
    let temporary = root.join(format!(".{}.partial", package.folder));
    let remove = || match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(files::failure("remove", &temporary, &error)),
        _ => Ok(()),
    };
    remove()?;
    fs::create_dir(&temporary).map_err(|error| files::failure("make the folder", &temporary, &error))?;
    let filled = extract(package, archive, &temporary, services)
        .and_then(|()| verify::package(published, package, &temporary, checksum, services));
    if let Err(failure) = filled {
        remove()?;
        return Err(match failure {
            // The temporary folder's name would tell the user nothing.
            Failure::Content(message) => Failure::Content(
                message.replace(&format!("{}/", temporary.display()), &format!("{}: ", archive.display())),
            ),
            other => other,
        });
    }
    sync(&temporary)?;
    let folder = root.join(package.folder);
    fs::rename(&temporary, &folder).map_err(|error| files::failure("put the extracted files into", &folder, &error))?;
    sync(root)
}

fn extract(package: &Package, archive: &Path, into: &Path, services: &dyn Services) -> Result<(), Failure> {
    let file = files::open(archive)?;
    let damaged = |error: io::Error| Failure::Content(format!("{}: {error}", archive.display()));
    let mut wanted: BTreeSet<_> = package.members.iter().map(|member| member.file).collect();
    let what = format!("unpacking {}", archive.display());
    let mut unpacked = 0;
    let mut tar = Archive::new(MultiGzDecoder::new(BufReader::new(file)).take(LARGEST_UNPACKED));
    // Raw: names and other fields that stand in entries of their own, of whatever length, are passed over and not held.
    for entry in tar.entries().map_err(damaged)?.raw(true) {
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
        let mut out = File::create(&target).map_err(|error| files::failure("write", &target, &error))?;
        let mut buffer = vec![0; CHUNK];
        loop {
            services.progress(&what, unpacked, None)?;
            let count = entry.read(&mut buffer).map_err(damaged)?;
            if count == 0 {
                break;
            }
            out.write_all(&buffer[..count]).map_err(|error| files::failure("write", &target, &error))?;
            unpacked += count as u64;
        }
        out.sync_all().map_err(|error| files::failure("write", &target, &error))?;
        wanted.remove(name);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = wanted.into_iter().collect();
    Err(Failure::Content(format!("{}: the archive has no {}", archive.display(), missing.join(", "))))
}

fn sync(folder: &Path) -> Result<(), Failure> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|error| files::failure("write", folder, &error).into())
}
