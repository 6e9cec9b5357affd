//! Behaviour of whole data sets, on synthetic files in the published layout.

mod concurrent;
mod downloads;
mod folders;
mod mirrors;
mod pickles;
mod published_files;
mod server;

use crate::dataset::Cifar;
use crate::published::{CIFAR10, PIXELS, Package, Published};
use flate2::{Compression, write::GzEncoder};
use selfsame_plugin_api::download::Retry;
use selfsame_plugin_api::{Cancelled, Dataset, DatasetRequest, Services, Split, Targets};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Records in each synthetic file.
const COUNT: usize = 4;

/// Services of a host that nobody stops.
struct Patient;

impl Services for Patient {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// A data set in `root` with quick retries.
fn dataset(published: &Published, root: &Path, options: Value) -> Cifar {
    let mut cifar = Cifar::new(&DatasetRequest {
        name: published.name.into(),
        dataset_dir: Some(root.into()),
        cache_dir: root.join("cache"),
        options,
    })
    .unwrap();
    cifar.retry = Retry { attempts: 3, wait: Duration::from_millis(5) };
    cifar
}

/// Accepts synthetic files and takes them from `mirror`.
fn from_mirror(mirror: &str) -> Value {
    json!({ "mirror": mirror, "checksum": "none" })
}

/// Options of a data set that must not use the network: nothing listens there.
fn offline() -> Value {
    from_mirror("http://127.0.0.1:1/")
}

/// Noise, so that archives do not shrink; the same for the same arguments.
fn pixel(file: usize, record: usize, byte: usize) -> u8 {
    let mut mixed = (file * 7919 + record * 104_729 + byte) as u64;
    for _ in 0..2 {
        mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (mixed >> 56) as u8
}

fn class(published: &Published, file: usize, record: usize) -> u8 {
    ((file * 3 + record) % usize::from(published.classes())) as u8
}

fn binary_file(published: &Published, file: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in 0..COUNT {
        if published.labels.len() == 2 {
            bytes.push(record as u8);
        }
        bytes.push(class(published, file, record));
        bytes.extend((0..PIXELS).map(|byte| pixel(file, record, byte)));
    }
    bytes
}

fn binary_files(published: &Published) -> Vec<(&'static str, Vec<u8>)> {
    let members = published.binary.members.iter().enumerate();
    members.map(|(file, member)| (member.file, binary_file(published, file))).collect()
}

fn write_files(folder: &Path, files: &[(&str, Vec<u8>)]) {
    fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

fn pack(package: &Package, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, format!("{}/{name}", package.folder), bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// The archive of CIFAR-10 with synthetic files.
fn archive() -> Vec<u8> {
    pack(&CIFAR10.binary, &binary_files(&CIFAR10))
}

/// Checks that both splits hold the synthetic files' labels and pixels, in order.
fn assert_synthetic(published: &Published, cifar: &Cifar) {
    for split in [Split::Train, Split::Test] {
        let samples = cifar.open(split).unwrap();
        let files: Vec<_> =
            (0..published.binary.members.len()).filter(|&file| published.binary.members[file].split == split).collect();
        let all: Vec<_> = files.iter().flat_map(|&file| (0..COUNT).map(move |record| (file, record))).collect();
        let classes = all.iter().map(|&(file, record)| class(published, file, record).into()).collect();
        assert_eq!(samples.len(), all.len());
        assert_eq!(samples.targets(), Targets::Classes(classes));
        let pixels: Vec<u8> =
            all.iter().flat_map(|&(file, record)| (0..PIXELS).map(move |byte| pixel(file, record, byte))).collect();
        assert_eq!(samples.block(), Some(pixels.as_slice()));
        let last = all.len() - 1;
        let images = samples.read(&[last, 0]).unwrap();
        assert_eq!(images[0].data, pixels[last * PIXELS..]);
        assert_eq!(images[1].data, pixels[..PIXELS]);
        assert_eq!((images[0].channels, images[0].height, images[0].width, images[0].bit_depth), (3, 32, 32, 8));
        assert!(samples.read(&[all.len()]).unwrap_err().message.contains(&all.len().to_string()));
    }
}

/// Names of what lies in a folder, without the lock.
fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".lock"))
        .collect();
    names.sort();
    names
}
