//! Behaviour of whole data sets, on folders that the tests write.

mod bands;
mod groups;
mod images;
mod lists;
mod mutations;
mod silent;
mod surveys;
mod trees;

use crate::dataset::ImageFolder;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use selfsame_plugin_api::{Cancelled, Card, Dataset, DatasetRequest, PluginError, Samples, Services, Split, Targets};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Services of a host that nobody stops.
struct Patient;

impl Services for Patient {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// A folder to be read.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// With 2×2 grey images at these paths.
    fn with(paths: &[&str]) -> Self {
        let folder = Self::new();
        for (number, path) in paths.iter().enumerate() {
            folder.grey(path, number as u8);
        }
        folder
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn image(&self, name: &str, image: impl Into<DynamicImage>, format: ImageFormat) -> PathBuf {
        self.write(name, encoded(&image.into(), format))
    }

    fn grey(&self, name: &str, value: u8) -> PathBuf {
        self.image(name, GrayImage::from_pixel(2, 2, Luma([value])), ImageFormat::Png)
    }

    fn colour(&self, name: &str, value: [u8; 3]) -> PathBuf {
        self.image(name, RgbImage::from_pixel(2, 2, Rgb(value)), ImageFormat::Png)
    }

    /// Prepared with these options.
    fn read(&self, options: Value) -> Result<ImageFolder, PluginError> {
        let request = DatasetRequest {
            name: "ImageFolder".into(),
            dataset_dir: Some(self.root().into()),
            cache_dir: self.root().join("unused"),
            options,
        };
        let dataset = ImageFolder::new(&request)?;
        dataset.prepare(&Patient)?;
        Ok(dataset)
    }

    fn card(&self, options: Value) -> Card {
        self.read(options).unwrap().card().unwrap().unwrap()
    }

    fn samples(&self, options: Value, split: Split) -> Box<dyn Samples> {
        self.read(options).unwrap().open(split).unwrap()
    }

    fn ids(&self, options: Value, split: Split) -> Vec<String> {
        self.samples(options, split).ids().unwrap()
    }

    /// The message with which reading fails; it must name each of `parts`.
    #[track_caller]
    fn refused(&self, options: Value, parts: &[&str]) -> String {
        let Err(error) = self.read(options) else { panic!("it was not refused") };
        for part in parts {
            assert!(error.message.contains(part), "`{part}` is not in: {error}");
        }
        error.message
    }
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn classes(samples: &dyn Samples) -> Vec<i64> {
    match samples.targets() {
        Targets::Classes(classes) => classes,
        other => panic!("{other:?} are not classes"),
    }
}
