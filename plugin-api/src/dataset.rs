//! Data sets: raw pixels, labels and facts about them; never tensors.

use crate::{read_options, Card, Result, Services, Survey};
use schemars::JsonSchema;
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the labels mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// No labels.
    None,
    /// Two classes, the second is the positive one.
    Binary,
    /// One class per sample.
    Multiclass,
    /// Any number of classes per sample.
    Multilabel,
}

/// A part of a data set as its publisher defines it. The host cuts validation from `Train`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Samples to learn from.
    Train,
    /// The publisher's own validation samples, where there are any.
    Val,
    /// Samples that are scored only at the end.
    Test,
}

impl Split {
    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Val => "val",
            Split::Test => "test",
        }
    }
}

/// Per-channel statistics of the training split, of pixels scaled to 0–1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel.
    pub std: Vec<f64>,
}

/// What the host asks for when it makes a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetRequest {
    /// The data set's name, one of those that the plugin exports.
    pub name: String,
    /// `dataset.dataset_dir`; none: see [`DatasetRequest::folder`].
    pub dataset_dir: Option<PathBuf>,
    /// Where downloads may be kept; the host makes it.
    pub cache_dir: PathBuf,
    /// The user's `dataset.options`.
    pub options: serde_json::Value,
}

impl DatasetRequest {
    /// The user's options in a struct; see [`option_specs`](crate::option_specs).
    ///
    /// # Errors
    /// An option that the struct does not have, or a value that cannot be; named.
    pub fn options<T: DeserializeOwned + JsonSchema>(&self) -> Result<T> {
        read_options(&self.options)
    }

    /// The folder with the data: the user's, or else one of the data set's name below `cache_dir`, for downloads.
    pub fn folder(&self) -> PathBuf {
        self.dataset_dir.clone().unwrap_or_else(|| self.cache_dir.join(&self.name))
    }
}

/// A data set. `Send + Sync`: the host owns all parallelism.
pub trait Dataset: Send + Sync {
    /// Makes the files ready: finds, downloads, verifies. A second call with everything in place is quick.
    ///
    /// # Errors
    /// Missing, damaged or wrong files, by name, with what to do. Nothing of the user's is deleted.
    fn prepare(&self, services: &dyn Services) -> Result<()>;

    /// Facts that are known only once the files have been looked at (classes named by folders, say); asked for after
    /// [`Dataset::prepare`]. The returned card replaces the one that is known without reading; none: that one holds.
    ///
    /// # Errors
    /// Files that cannot be read, or that contradict each other.
    fn card(&self) -> Result<Option<Card>> {
        Ok(None)
    }

    /// What the folder of the request holds, and which options suit it: `selfsame init` asks data sets whose card says
    /// [`Card::surveys`], in place of [`Dataset::prepare`] and without options. None: the data set cannot tell.
    ///
    /// Whatever it answers is tried: the data set is made again, with these options, and read. A folder without a file of
    /// the data set's kind is no error but a survey of no images. What it logs is not shown.
    ///
    /// # Errors
    /// A folder that cannot be read.
    fn survey(&self, _services: &dyn Services) -> Result<Option<Survey>> {
        Ok(None)
    }

    /// Opens one split; called after [`Dataset::prepare`].
    ///
    /// # Errors
    /// A split that the card does not list, or files that cannot be read.
    fn open(&self, split: Split) -> Result<Box<dyn Samples>>;
}

/// Labels of one split, in sample order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Targets {
    /// No labels.
    None,
    /// One class index per sample, below the number of classes.
    Classes(Vec<i64>),
    /// Row-major `[N, classes]` of 0 and 1.
    Multilabel(Vec<u8>),
}

/// One image, planar: `data` is row-major `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// At least 1.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 8 or 16: unsigned integers, whose largest value stands for 1; 32: float32 from 0 to 1. Little-endian.
    pub bit_depth: u8,
    /// `channels * height * width * bit_depth / 8` bytes.
    pub data: Vec<u8>,
}

impl Image {
    /// Whether each channel has one value only, though there are several pixels.
    pub fn is_flat(&self) -> bool {
        let cell = usize::from(self.bit_depth / 8).max(1);
        let area = self.height * self.width;
        let has_one = |plane: &[u8]| plane.chunks_exact(cell).all(|value| value == &plane[..cell]);
        area > 1 && self.data.chunks(area * cell).all(has_one)
    }
}

/// The fact ([`Samples::facts`]) that says of an image that was read and [is flat](Image::is_flat) what makes it so and what to do
/// about it, as the end of a sentence: `because of Window Width; correct it`.
pub const EQUAL_PIXELS: &str = "equal pixels as shown";

/// What the host makes of the images that it reads, so that a decoder may do less. Crosses the boundary as JSON, and may
/// get further fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ReadHints {
    /// The host reduces images whose shorter side has more pixels than this; an image decoded smaller is welcome as long as
    /// its shorter side has at least so many. None: it wants all pixels.
    pub least_side: Option<usize>,
}

impl ReadHints {
    /// The least length of shorter sides that the host needs; none: all pixels.
    pub fn least_side(least_side: Option<usize>) -> Self {
        Self { least_side }
    }
}

/// The samples of one split; reading an index twice (under the same hints) gives the same bytes. The host asks for
/// everything but pixels once, when the split is opened.
///
/// [`InMemory`](crate::InMemory) is enough where all pixels fit into memory. Others read what they are asked for:
///
/// ```
/// use selfsame_plugin_api::{files, Image, Result, Samples, Targets};
/// use std::path::PathBuf;
///
/// /// Files of 64 × 64 grey values.
/// struct RawFiles(Vec<PathBuf>);
///
/// impl Samples for RawFiles {
///     fn len(&self) -> usize {
///         self.0.len()
///     }
///
///     fn targets(&self) -> Targets {
///         Targets::None
///     }
///
///     fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
///         let image = |&index: &usize| {
///             let data = files::read(&self.0[index])?;
///             Ok(Image { channels: 1, height: 64, width: 64, bit_depth: 8, data })
///         };
///         indices.iter().map(image).collect()
///     }
/// }
/// ```
pub trait Samples: Send + Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Labels of all samples.
    fn targets(&self) -> Targets;

    /// One group per sample (a patient's id): samples of one group never stand on both sides of a split.
    fn groups(&self) -> Option<Vec<String>> {
        None
    }

    /// One stable, unique name per sample (a file's relative path); without it, samples are named by index.
    fn ids(&self) -> Option<Vec<String>> {
        None
    }

    /// Reads the images at `indices`, in that order. May be called from several threads at once. Today's host asks for one
    /// index a call, so that one bad file costs one sample; a source that is read in blocks keeps its last block.
    ///
    /// # Errors
    /// Names the file and the sample index that cannot be read.
    fn read(&self, indices: &[usize]) -> Result<Vec<Image>>;

    /// [`Samples::read`] with what the host makes of the images; a decoder that can decode smaller does it here. The host
    /// calls this one.
    ///
    /// # Errors
    /// As [`Samples::read`].
    fn read_with(&self, indices: &[usize], _hints: &ReadHints) -> Result<Vec<Image>> {
        self.read(indices)
    }

    /// A digest of everything that [`Samples::read`] depends on: the files' paths, sizes and times of modification, the
    /// options, the decoder's version. The host keeps decoded pixels on disk under it and decodes again when it changes;
    /// none: pixels are never kept.
    fn fingerprint(&self) -> Option<String> {
        None
    }

    /// What `selfsame data stats` counts about one sample without decoding its pixels, by name: `transfer syntax`,
    /// `bits stored`.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    fn facts(&self, _index: usize) -> Result<BTreeMap<String, String>> {
        Ok(BTreeMap::new())
    }

    /// All images as one block, `[N, channels, height, width]` bytes, when every image has the card's nominal size and
    /// 8 bits; the host may then copy it once instead of reading batches.
    fn block(&self) -> Option<&[u8]> {
        None
    }
}
