//! Images and labels in memory.

use crate::failure::{Failure, io_error};
use crate::published::{Form, PIXELS, Published};
use crate::python;
use crate::regular_file;
use selfsame_plugin_api::{Image, PluginError, Result, Samples, Targets};
use std::io::{self, Read};
use std::path::Path;

/// Larger files are refused unread: eight times the largest published one.
const LARGEST: u64 = 8 * 160_000_000;

/// The images of one file or split and their classes, in file order.
#[derive(Debug, Default)]
pub struct Records {
    /// `[N, 3, 32, 32]`.
    pub pixels: Vec<u8>,
    /// `[N]`, below the number of classes.
    pub classes: Vec<i64>,
}

/// Reads one file and checks its structure and its labels.
pub fn load(published: &Published, form: Form, path: &Path) -> std::result::Result<Records, Failure> {
    let failed = |error: io::Error| io_error("read", path, &error);
    let mut file = regular_file::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > LARGEST {
        return Err(Failure::Content(format!("{}: {size} bytes, expected at most {LARGEST}", path.display())));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let records = match form {
        Form::Binary => parse(published, &bytes),
        Form::Python => python::parse(published, &bytes),
    };
    records.map_err(|cause| Failure::Content(format!("{}: {cause}", path.display())))
}

/// Splits binary records into classes and pixels.
fn parse(published: &Published, bytes: &[u8]) -> std::result::Result<Records, String> {
    let record = published.record();
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        return Err(format!(
            "{} bytes, expected a whole number of records of {record} bytes ({} records and {} bytes are there)",
            bytes.len(),
            bytes.len() / record,
            bytes.len() % record
        ));
    }
    let count = bytes.len() / record;
    let mut records = Records { pixels: Vec::with_capacity(count * PIXELS), classes: Vec::with_capacity(count) };
    for (index, bytes) in bytes.chunks_exact(record).enumerate() {
        let (labels, pixels) = bytes.split_at(published.labels.len());
        for (kind, &value) in published.labels.iter().zip(labels) {
            if value >= kind.classes {
                return Err(impossible(index, kind.meaning, value.into(), kind.classes));
            }
        }
        records.classes.extend(labels.last().map(|&class| i64::from(class)));
        records.pixels.extend_from_slice(pixels);
    }
    Ok(records)
}

/// The message about a label that no class has.
pub fn impossible(index: usize, meaning: &str, value: i64, classes: u8) -> String {
    format!("record {index} has the {meaning} {value}, expected 0 to {}", classes - 1)
}

impl Samples for Records {
    fn len(&self) -> usize {
        self.classes.len()
    }

    fn targets(&self) -> Targets {
        Targets::Classes(self.classes.clone())
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let image = |&index: &usize| {
            let data = self.pixels.chunks_exact(PIXELS).nth(index).ok_or_else(|| {
                PluginError::plugin(format!("sample {index} was asked for, but there are {}", self.len()))
            })?;
            Ok(Image { channels: 3, height: 32, width: 32, bit_depth: 8, data: data.to_vec() })
        };
        indices.iter().map(image).collect()
    }

    fn block(&self) -> Option<&[u8]> {
        Some(&self.pixels)
    }
}
