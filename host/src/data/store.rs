//! The packed cache of one split: decoded images on disk, so that no second run decodes them.
//!
//! A folder with `pixels.bin` (images one after another), `index.bin` (one fixed record for each: which sample, where, its
//! size, checksums), `entry.json` (what it was made from, for people), `damaged.json` (samples that could not be read),
//! `flat.json` (why images have one value only) and `write.lock`. Both `.bin` files only ever grow, and pixels are written before their record: whenever a writer is
//! killed, every whole record is good, and the next writer goes on with what is missing. Several processes read while one
//! writes. Each record carries a checksum of itself and one of its pixels; where one does not fit, the sample counts as
//! missing and is decoded again.

use super::decode::Damaged;
use super::depth::Depth;
use super::error::DataError;
use super::flat::Flat;
use super::size::Size;
use crate::lock::{Attempt, FileLock};
use crate::regular_file;
use base16ct::lower;
use selfsame_plugin_api::{Image, Services};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Changes when stored bytes mean something else than before.
const FORMAT: u32 = 3;
/// Of a record's height, set where the image has one value in each channel.
const FLAT: u32 = 1 << 31;
/// Bytes of a record: sample u64, offset u64, height u32, width u32, checksum of the pixels u32, checksum of the record's
/// first 28 bytes u32; little-endian.
const RECORD: usize = 32;
/// Time between two looks at a lock that another process holds.
const WAIT: Duration = Duration::from_millis(100);

/// What stored pixels depend on; another value of any field is another entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryKey {
    /// The data set's name.
    pub dataset: String,
    /// `train`, `val` or `test`.
    pub split: String,
    /// What the plugin says its images depend on, options among it.
    pub fingerprint: String,
    /// Length that shorter sides are reduced to; none: all pixels.
    pub store_size: Option<usize>,
    /// Channels of an image.
    pub channels: usize,
    /// Bits of a stored value.
    pub bit_depth: Depth,
    /// Samples of the split.
    pub samples: usize,
}

impl EntryKey {
    /// The entry's folder below `cache_dir`.
    pub fn folder(&self, cache_dir: &Path) -> PathBuf {
        let readable = |text: &str| text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let (dataset, split): (String, String) = (readable(&self.dataset), readable(&self.split));
        let described = serde_json::json!({"format": FORMAT, "key": self}).to_string();
        let digest = lower::encode_string(&Sha256::digest(described.as_bytes())[..8]);
        cache_dir.join(format!("{dataset}-{split}-{digest}"))
    }
}

/// Where an image stands in `pixels.bin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// First byte.
    pub offset: u64,
    /// The image's size.
    pub size: Size,
    /// Whether it has one value in each channel.
    pub is_flat: bool,
    /// CRC-32 of its bytes.
    checksum: u32,
}

/// An entry, opened for reading.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    key: EntryKey,
    places: BTreeMap<usize, Place>,
    damaged: BTreeMap<usize, Damaged>,
    causes: BTreeMap<usize, String>,
    pixels: Option<File>,
}

impl Store {
    /// Opens the entry of `key` below `cache_dir`; one that does not exist yet is empty.
    ///
    /// # Errors
    /// Files that exist and cannot be read.
    pub fn open(cache_dir: &Path, key: EntryKey) -> Result<Self, DataError> {
        let folder = key.folder(cache_dir);
        let mut store = Self {
            folder,
            key,
            places: BTreeMap::new(),
            damaged: BTreeMap::new(),
            causes: BTreeMap::new(),
            pixels: None,
        };
        store.refresh()?;
        Ok(store)
    }

    /// Reads what has been written since the entry was opened.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn refresh(&mut self) -> Result<(), DataError> {
        let index = self.existing("index.bin", regular_file::read)?.unwrap_or_default();
        self.pixels = self.existing("pixels.bin", regular_file::open)?;
        let end = match &self.pixels {
            Some(file) => file.metadata().map_err(|error| self.failed("read", "pixels.bin", &error))?.len(),
            None => 0,
        };
        let records = index.chunks_exact(RECORD).filter_map(read_record);
        self.places = records.filter(|(sample, place)| *sample < self.key.samples && self.fits(place, end)).collect();
        let damaged = self.existing("damaged.json", regular_file::read)?.unwrap_or_default();
        let damaged: Vec<Damaged> = serde_json::from_slice(&damaged).unwrap_or_default();
        // A writer that was killed may have stored an image before it could shorten the list.
        let unread = damaged.into_iter().filter(|sample| !self.places.contains_key(&sample.index));
        self.damaged = unread.map(|sample| (sample.index, sample)).collect();
        let causes = self.existing("flat.json", regular_file::read)?.unwrap_or_default();
        self.causes = serde_json::from_slice(&causes).unwrap_or_default();
        Ok(())
    }

    /// The entry's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the image of `sample` stands; none: not decoded yet.
    pub fn place(&self, sample: usize) -> Option<Place> {
        self.places.get(&sample).copied()
    }

    /// Why `sample` has no image; none: it has one, or nobody has tried.
    pub fn damage(&self, sample: usize) -> Option<&Damaged> {
        self.damaged.get(&sample)
    }

    /// Why the image of `sample` has one value only, as the data set said when it was decoded; none: nothing was kept.
    pub fn cause(&self, sample: usize) -> Option<&str> {
        self.causes.get(&sample).map(String::as_str)
    }

    /// Bytes of the image at `place`.
    pub fn bytes(&self, place: &Place) -> usize {
        self.key.channels * place.size.area() * self.key.bit_depth.bytes()
    }

    /// Reads the image at `place` into `bytes`, which has its length, and says whether the checksum fits.
    ///
    /// # Errors
    /// Bytes that cannot be read.
    pub fn read(&self, place: &Place, bytes: &mut [u8]) -> Result<bool, DataError> {
        let read = match &self.pixels {
            Some(file) => file.read_exact_at(bytes, place.offset),
            None => return Ok(false),
        };
        match read {
            Ok(()) => Ok(crc32fast::hash(bytes) == place.checksum),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(self.failed("read", "pixels.bin", &error)),
        }
    }

    /// Takes the right to write, waiting for another process that has it, and reads what that one has written.
    ///
    /// # Errors
    /// A folder that cannot be written, and the user's wish to stop.
    pub fn writer(&mut self, services: &dyn Services) -> Result<Writer, DataError> {
        let lock = loop {
            // Another process may have cleared the cache in the meantime.
            fs::create_dir_all(&self.folder).map_err(|error| self.failed("create", "", &error))?;
            let path = self.folder.join("write.lock");
            match FileLock::attempt(&path) {
                Ok(Attempt::Locked(lock)) => break lock,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed("lock", "write.lock", &error)),
                Ok(Attempt::Held(holder)) => {
                    let what = format!("waiting for {holder}, which decodes {} {}", self.key.dataset, self.key.split);
                    services.items(&what, 0, None).map_err(|error| DataError::cancelled(&self.key.dataset, error))?;
                    std::thread::sleep(WAIT);
                }
            }
        };
        self.refresh()?;
        let described = serde_json::to_vec_pretty(&self.key).unwrap_or_default();
        self.replace("entry.json", &described)?;
        let open = |name: &str| {
            let file = regular_file::opened(
                File::options().read(true).write(true).create(true).truncate(false),
                &self.folder.join(name),
            );
            let end = file.and_then(|mut file| Ok((file.seek(SeekFrom::End(0))?, file)));
            end.map_err(|error| self.failed("open", name, &error))
        };
        let ((end, pixels), (records, mut index)) = (open("pixels.bin")?, open("index.bin")?);
        // A killed writer may have left part of a record.
        let whole = records - records % RECORD as u64;
        let cut = index.set_len(whole).and_then(|()| index.seek(SeekFrom::Start(whole)));
        cut.map_err(|error| self.failed("write", "index.bin", &error))?;
        Ok(Writer {
            dataset: self.key.dataset.clone(),
            folder: self.folder.clone(),
            pixels,
            index,
            end,
            damaged: self.damaged.clone(),
            causes: self.causes.clone(),
            _lock: lock,
        })
    }

    fn fits(&self, place: &Place, end: u64) -> bool {
        let size = [place.size.height, place.size.width, self.key.bit_depth.bytes()];
        let bytes = size.iter().try_fold(self.key.channels, |n, m| n.checked_mul(*m)).map(|bytes| bytes as u64);
        place.size.shorter() > 0 && bytes.and_then(|n| n.checked_add(place.offset)).is_some_and(|n| n <= end)
    }

    fn existing<T>(&self, name: &str, open: impl Fn(&Path) -> io::Result<T>) -> Result<Option<T>, DataError> {
        match open(&self.folder.join(name)) {
            Ok(opened) => Ok(Some(opened)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", name, &error)),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), DataError> {
        replace(&self.folder, name, bytes).map_err(|error| self.failed("write", name, &error))
    }

    fn failed(&self, action: &str, name: &str, error: &io::Error) -> DataError {
        DataError::cache(&self.key.dataset, action, &self.folder.join(name), error)
    }
}

/// The one writer of an entry.
#[derive(Debug)]
pub struct Writer {
    dataset: String,
    folder: PathBuf,
    pixels: File,
    index: File,
    end: u64,
    damaged: BTreeMap<usize, Damaged>,
    causes: BTreeMap<usize, String>,
    _lock: FileLock,
}

impl Writer {
    /// Appends images with their sample's index; an image of a sample that has one already replaces it.
    ///
    /// # Errors
    /// Files that cannot be written; a full disk.
    pub fn append(&mut self, images: &[(usize, Image)]) -> Result<(), DataError> {
        let mut records = Vec::with_capacity(images.len() * RECORD);
        let mut pixels = Vec::new();
        for (sample, image) in images {
            records.extend(record(*sample, self.end + pixels.len() as u64, image));
            pixels.extend_from_slice(&image.data);
            self.damaged.remove(sample);
        }
        self.pixels.write_all_at(&pixels, self.end).map_err(|error| self.failed("pixels.bin", &error))?;
        self.end += pixels.len() as u64;
        self.index.write_all(&records).map_err(|error| self.failed("index.bin", &error))
    }

    /// Remembers samples that cannot be read.
    pub fn damaged(&mut self, samples: impl IntoIterator<Item = Damaged>) {
        self.damaged.extend(samples.into_iter().map(|sample| (sample.index, sample)));
    }

    /// Remembers why images have one value only.
    pub fn flat(&mut self, samples: impl IntoIterator<Item = Flat>) {
        self.causes.extend(samples.into_iter().map(|sample| (sample.index, sample.cause)));
    }

    /// Writes the lists of damaged and of flat samples and makes everything survive a power cut.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn finish(self) -> Result<(), DataError> {
        self.pixels.sync_data().map_err(|error| self.failed("pixels.bin", &error))?;
        self.index.sync_data().map_err(|error| self.failed("index.bin", &error))?;
        let list: Vec<&Damaged> = self.damaged.values().collect();
        let list = serde_json::to_vec_pretty(&list).unwrap_or_default();
        replace(&self.folder, "damaged.json", &list).map_err(|error| self.failed("damaged.json", &error))?;
        if self.causes.is_empty() {
            return Ok(());
        }
        let causes = serde_json::to_vec_pretty(&self.causes).unwrap_or_default();
        replace(&self.folder, "flat.json", &causes).map_err(|error| self.failed("flat.json", &error))
    }

    fn failed(&self, name: &str, error: &io::Error) -> DataError {
        DataError::cache(&self.dataset, "write", &self.folder.join(name), error)
    }
}

/// Replaces a file in one step.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    // For whoever may read the folder, as the user's umask says, and not for the writer alone.
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn record(sample: usize, offset: u64, image: &Image) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..8].copy_from_slice(&(sample as u64).to_le_bytes());
    record[8..16].copy_from_slice(&offset.to_le_bytes());
    let flat = if image.is_flat() { FLAT } else { 0 };
    record[16..20].copy_from_slice(&(image.height as u32 | flat).to_le_bytes());
    record[20..24].copy_from_slice(&(image.width as u32).to_le_bytes());
    record[24..28].copy_from_slice(&crc32fast::hash(&image.data).to_le_bytes());
    let checksum = crc32fast::hash(&record[..28]);
    record[28..].copy_from_slice(&checksum.to_le_bytes());
    record
}

/// The record in these bytes, if its checksum fits.
fn read_record(bytes: &[u8]) -> Option<(usize, Place)> {
    let (mut word, mut half) = ([0; 8], [0; 4]);
    let mut rest = bytes;
    let mut u64_ = || rest.read_exact(&mut word).ok().map(|()| u64::from_le_bytes(word));
    let (sample, offset) = (u64_()?, u64_()?);
    let mut u32_ = || rest.read_exact(&mut half).ok().map(|()| u32::from_le_bytes(half));
    let (height, width, checksum, own) = (u32_()?, u32_()?, u32_()?, u32_()?);
    let size = Size { height: (height & !FLAT) as usize, width: width as usize };
    let place = Place { offset, size, is_flat: height & FLAT != 0, checksum };
    (crc32fast::hash(&bytes[..28]) == own).then_some((usize::try_from(sample).ok()?, place))
}
