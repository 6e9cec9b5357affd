//! A data set in its folder: found there, unpacked or downloaded.

use crate::failure::Failure;
use crate::options::{Checksum, Options, Source};
use crate::published::{CIFAR10, CIFAR100, Package, Published};
use crate::records::Records;
use crate::{archive, layout, record_file, verify};
use selfsame_plugin_api::download::{self, Digest, Partial, Retry};
use selfsame_plugin_api::{Dataset, DatasetRequest, InMemory, PluginError, Result, Samples, Services, Split, files};
use std::fs;
use std::path::{Path, PathBuf};

/// One of the two data sets in one folder.
pub struct Cifar {
    published: &'static Published,
    options: Options,
    /// Where the files are or will be.
    root: PathBuf,
    pub retry: Retry,
}

impl Cifar {
    /// From a request for one of the two names.
    ///
    /// # Errors
    /// Another name, or options that are wrong.
    pub fn new(request: &DatasetRequest) -> Result<Self> {
        let published = match request.name.as_str() {
            "CIFAR10" => &CIFAR10,
            "CIFAR100" => &CIFAR100,
            other => {
                let message = format!("data set `{other}` is not one of this plugin's: CIFAR10, CIFAR100");
                return Err(PluginError::configuration(message));
            }
        };
        let options = Options::parse(&request.options)?;
        Ok(Self { published, options, root: request.folder(), retry: Retry::default() })
    }

    /// Whether complete and correct files are there.
    fn is_ready(&self, services: &dyn Services) -> Result<bool> {
        let Some(found) = layout::find(self.published, &self.root)? else { return Ok(false) };
        verify::package(self.published, found.package, &found.folder, self.options.checksum, services)
            .map_err(|failure| failure.advise(&self.remedy()))?;
        Ok(true)
    }

    fn remedy(&self) -> String {
        let none = match self.options.checksum {
            Checksum::Official => {
                ", or set dataset.options.checksum to none if they are deliberately not the published files"
            }
            Checksum::None => "",
        };
        format!("delete it or move it away, point dataset.dataset_dir elsewhere{none}")
    }

    fn install(&self, package: &Package, archive: &Path, services: &dyn Services) -> std::result::Result<(), Failure> {
        archive::install(self.published, package, archive, &self.root, self.options.checksum, services)
    }

    /// Unpacks an archive that lies in the folder, or else fetches one.
    fn obtain(&self, services: &dyn Services) -> Result<()> {
        if let Some((package, archive)) = layout::find_archive(self.published, &self.root) {
            return self.install(package, &archive, services).map_err(|failure| failure.advise(&self.remedy()));
        }
        let binary = &self.published.binary;
        match &self.options.source {
            Source::Official => self.download(&format!("{}{}", self.published.address, binary.archive), true, services),
            Source::Http(mirror) => self.download(&archive_address(mirror, binary.archive), false, services),
            Source::File(path) => {
                let archive = if path.is_dir() { path.join(binary.archive) } else { path.clone() };
                self.install(binary, &archive, services)
                    .map_err(|failure| failure.advise("correct it or change dataset.options.mirror"))
            }
        }
    }

    fn download(&self, url: &str, is_official: bool, services: &dyn Services) -> Result<()> {
        let partial = Partial::new(&self.root, self.published.binary.archive)
            .with_advice("set dataset.options.mirror to another address, or put the files into dataset.dataset_dir");
        let mut is_second = false;
        loop {
            let is_joined = partial.fetch(url, self.retry, services)?;
            match self.unpack(partial.path(), is_official, services) {
                Ok(()) => return partial.discard(),
                Err(Failure::Content(cause)) if is_joined && !is_second => {
                    tracing::warn!("{cause}; the download was made of several parts, so it starts afresh");
                    partial.discard()?;
                    is_second = true;
                }
                Err(Failure::Content(cause)) => {
                    partial.discard()?;
                    let remedy = "set dataset.options.mirror to another address, or put the files into \
                                  dataset.dataset_dir";
                    return Err(PluginError::data(format!("what {url} serves cannot be used: {cause}; {remedy}")));
                }
                Err(Failure::Other(error)) => return Err(error),
            }
        }
    }

    fn unpack(&self, archive: &Path, is_official: bool, services: &dyn Services) -> std::result::Result<(), Failure> {
        // A mirror may have packed the same members differently; their own digests are checked in any case.
        if is_official && self.options.checksum == Checksum::Official {
            verify::digest(archive, Digest::Md5(self.published.archive_md5), services)?;
        }
        self.install(&self.published.binary, archive, services)
    }
}

/// A mirror's address of the archive: the mirror itself when it names one.
fn archive_address(mirror: &str, archive: &str) -> String {
    if mirror.ends_with(".tar.gz") || mirror.ends_with(".tgz") {
        return mirror.to_string();
    }
    format!("{}/{archive}", mirror.trim_end_matches('/'))
}

impl Dataset for Cifar {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        // Files that are there need no lock and no right to write.
        if self.is_ready(services)? {
            return Ok(());
        }
        fs::create_dir_all(&self.root).map_err(|error| files::failure("make the folder", &self.root, &error))?;
        let _lock = download::lock(&self.root.join(format!(".{}.lock", self.published.name)), services)?;
        if self.is_ready(services)? {
            return Ok(());
        }
        self.obtain(services)
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let Some(found) = layout::find(self.published, &self.root)? else {
            let root = self.root.display();
            return Err(PluginError::data(format!("{root} has no files of {}; prepare it first", self.published.name)));
        };
        let mut all = Records::default();
        for member in found.package.members.iter().filter(|member| member.split == split) {
            let path = found.folder.join(member.file);
            let part = record_file::load(self.published, found.package.form, &path)
                .map_err(|failure| failure.advise(&self.remedy()))?;
            all.pixels.extend(part.pixels);
            all.classes.extend(part.classes);
        }
        if all.classes.is_empty() {
            let (name, split) = (self.published.name, split.name());
            return Err(PluginError::data(format!("{name} has no split `{split}`; it has train and test")));
        }
        Ok(Box::new(InMemory::new(all.pixels, 8, [3, 32, 32])?.with_classes(all.classes)))
    }
}
