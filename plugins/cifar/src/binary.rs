//! The binary form: records of labels and pixels, one after the other.

use crate::published::{PIXELS, Published};
use crate::records::{Records, impossible};

/// Splits binary records into classes and pixels.
pub fn parse(published: &Published, bytes: &[u8]) -> Result<Records, String> {
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
