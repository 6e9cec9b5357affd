//! One split: which frame of which file each sample is.

use crate::codec;
use crate::constant::{Cause, Causes};
use crate::guard::caught;
use crate::header;
use crate::opened::{Last, Opened};
use crate::options::Look;
use crate::render;
use selfsame_plugin_api::{EQUAL_PIXELS, Image, PluginError, Result, Samples, Targets};
use selfsame_tables::files::printable;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// One frame of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Relative to the data set's folder.
    pub file: PathBuf,
    pub frame: u32,
    /// Whether the file has others, so that the frame belongs into the sample's name.
    pub is_one_of_many: bool,
    /// The patient.
    pub group: String,
    /// Index of the class, where there are labels.
    pub class: Option<usize>,
}

/// The samples of one split in the order of their names.
pub struct Frames {
    pub root: Arc<PathBuf>,
    pub samples: Vec<Sample>,
    pub look: Look,
    pub last: Last,
    pub constant: Causes,
}

impl Frames {
    fn sample(&self, index: usize) -> Result<&Sample> {
        self.samples.get(index).ok_or_else(|| {
            PluginError::plugin(format!("sample {index} was asked for, but there are {}", self.samples.len()))
        })
    }

    fn wrong(&self, index: usize, sample: &Sample, why: &str) -> PluginError {
        PluginError::data(format!("sample {index}, {} {why}", self.root.join(&sample.file).display()))
    }
}

/// The classes of samples; none where one has none.
pub fn targets<'s>(samples: impl IntoIterator<Item = &'s Sample>) -> Targets {
    let classes: Option<Vec<i64>> = samples.into_iter().map(|sample| Some(sample.class? as i64)).collect();
    classes.filter(|classes| !classes.is_empty()).map_or(Targets::None, Targets::Classes)
}

fn id(sample: &Sample) -> String {
    let file = printable(&sample.file);
    if sample.is_one_of_many { format!("{file}#{}", sample.frame) } else { file }
}

impl Samples for Frames {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn targets(&self) -> Targets {
        targets(&self.samples)
    }

    fn groups(&self) -> Option<Vec<String>> {
        Some(self.samples.iter().map(|sample| sample.group.clone()).collect())
    }

    fn ids(&self) -> Option<Vec<String>> {
        Some(self.samples.iter().map(id).collect())
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let image = |&index: &usize| {
            let sample = self.sample(index)?;
            let read = || {
                let file = self.last.open(&self.root.join(&sample.file))?;
                let image = render::frame(&file, sample.frame, &self.look)?;
                if image.is_flat() {
                    self.constant.add(index, Cause::of(&file.stored(sample.frame, self.look.voi())?, &self.look));
                }
                Ok(image)
            };
            read().map_err(|why: String| self.wrong(index, sample, &why))
        };
        indices.iter().map(image).collect()
    }

    fn fingerprint(&self) -> Option<String> {
        let mut digest = Sha256::new();
        let look = &self.look;
        digest.update(format!("{} {} {look:?}\n", env!("CARGO_PKG_VERSION"), codec::VERSION));
        for sample in &self.samples {
            // The whole path: two folders may hold files of equal names, sizes and times.
            let path = std::path::absolute(self.root.join(&sample.file)).ok()?;
            let facts = path.metadata().ok()?;
            let changed = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            digest.update(path.as_os_str().as_encoded_bytes());
            digest.update(format!("\0{} {} {}\n", sample.frame, facts.len(), changed.as_nanos()));
        }
        Some(base16ct::lower::encode_string(&digest.finalize()))
    }

    fn facts(&self, index: usize) -> Result<BTreeMap<String, String>> {
        let sample = self.sample(index)?;
        let file = self.last.open(&self.root.join(&sample.file));
        let mut facts = file.and_then(|file| facts(&file)).map_err(|why| self.wrong(index, sample, &why))?;
        facts.extend(self.constant.of(index).map(|cause| (EQUAL_PIXELS.to_owned(), cause)));
        Ok(facts)
    }
}

fn facts(file: &Opened) -> std::result::Result<BTreeMap<String, String>, String> {
    let facts = caught(|| header::facts(file.attributes()))?;
    let mut facts: BTreeMap<_, _> = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    facts.insert("transfer syntax".into(), codec::name(&file.source.syntax));
    Ok(facts)
}

/// Whether a patient belongs to the test split: a function of the id alone, so that more files change no choice.
pub fn is_test(group: &str, fraction: f64) -> bool {
    let digest = Sha256::digest(group.as_bytes());
    let number = digest.iter().take(6).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    (number as f64) < fraction * (1u64 << 48) as f64
}
