//! One split's arrays, without pixels.

use crate::array;
use selfsame_plugin_api::numpy::{Header, Kind};
use selfsame_plugin_api::{Targets, Task, planar};

/// Larger numbers are no classes.
const MOST_CLASSES: i64 = 1_000_000;

/// What is known of a split before its pixels are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Number of images.
    pub len: usize,
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// 8, 16 or 32.
    pub bit_depth: u8,
    /// Whether pixels are `[N, H, W, C]`.
    channels_last: bool,
    /// What is right for each image.
    pub labels: Option<Labels>,
    /// Each image's group.
    pub groups: Option<Vec<String>>,
    /// Each image's name.
    pub ids: Option<Vec<String>>,
}

/// Labels of one form.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// A class each.
    Classes(Vec<i64>),
    /// 0 and 1 for each of so many classes.
    Flags(usize, Vec<u8>),
}

impl Labels {
    /// From an array of class numbers, `[N]` or `[N, 1]`, or of 0 and 1, `[N, classes]`.
    ///
    /// # Errors
    /// Another array, as the end of a sentence.
    pub fn of(header: &Header, bytes: &[u8]) -> Result<Self, String> {
        let values = array::integers(header, bytes)?;
        match header.shape[..] {
            [_] | [_, 1] => match values.iter().position(|label| !(0..MOST_CLASSES).contains(label)) {
                None => Ok(Self::Classes(values)),
                Some(at) => {
                    Err(format!("has {} for image {at}, expected a class number from 0 to {MOST_CLASSES}", values[at]))
                }
            },
            [_, classes] if classes > 1 => match values.iter().position(|value| ![0, 1].contains(value)) {
                None => Ok(Self::Flags(classes, values.iter().map(|value| *value as u8).collect())),
                Some(at) => Err(format!("has {} for image {}, expected 0 or 1", values[at], at / classes)),
            },
            _ => Err(format!("is {}, expected [N] or [N, classes]", header.dimensions())),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Flags(classes, flags) => flags.len() / classes,
        }
    }

    /// The least number of classes that they need.
    pub fn classes(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.iter().max().map_or(0, |largest| *largest as usize + 1),
            Self::Flags(classes, _) => *classes,
        }
    }

    /// What they mean with this number of classes.
    pub fn task(&self, classes: usize) -> Task {
        match self {
            Self::Flags(..) => Task::Multilabel,
            Self::Classes(_) if classes == 2 => Task::Binary,
            Self::Classes(_) => Task::Multiclass,
        }
    }

    /// As the host takes them.
    pub fn targets(&self) -> Targets {
        match self {
            Self::Classes(labels) => Targets::Classes(labels.clone()),
            Self::Flags(_, flags) => Targets::Multilabel(flags.clone()),
        }
    }
}

impl Part {
    /// From the array of images.
    ///
    /// # Errors
    /// An array that holds no images, as the end of a sentence.
    pub fn of(images: Header, channels_last: bool) -> Result<Self, String> {
        let bit_depth = match images.kind {
            Kind::Unsigned(1) => 8,
            Kind::Unsigned(2) => 16,
            Kind::Float(2 | 4) => 32,
            kind => {
                let message = "expected uint8, uint16, or float16 or float32 from 0 to 1 (`.astype(…)`)";
                return Err(format!("has values of kind {kind:?}, {message}"));
            }
        };
        let (len, shape) = match images.shape[..] {
            [len, height, width] => (len, [1, height, width]),
            [len, height, width, channels] if channels_last => (len, [channels, height, width]),
            [len, channels, height, width] => (len, [channels, height, width]),
            _ => return Err(format!("is {}, expected [N, H, W] or [N, H, W, C]", images.dimensions())),
        };
        if len == 0 || shape.contains(&0) {
            return Err(format!("is {}: there is no image", images.dimensions()));
        }
        Ok(Self { len, shape, bit_depth, channels_last, labels: None, groups: None, ids: None })
    }

    /// One label, group and name an image.
    ///
    /// # Errors
    /// Other numbers of them.
    pub fn check(&self) -> Result<(), String> {
        let lengths = [
            ("labels", self.labels.as_ref().map(Labels::len)),
            ("groups", self.groups.as_ref().map(Vec::len)),
            ("ids", self.ids.as_ref().map(Vec::len)),
        ];
        match lengths.iter().find_map(|(what, len)| Some((what, len.filter(|len| *len != self.len)?))) {
            Some((what, len)) => Err(format!("there are {len} {what} for {} images", self.len)),
            None => Ok(()),
        }
    }

    /// `[N, C, H, W]` from the array's values.
    pub fn planes(&self, values: Vec<u8>) -> Vec<u8> {
        let [channels, height, width] = self.shape;
        match self.channels_last {
            true => planar(&values, height * width, channels, usize::from(self.bit_depth / 8)),
            false => values,
        }
    }
}
