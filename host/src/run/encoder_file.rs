//! `encoder.safetensors`: a trained encoder under torchvision's names, for any framework.

use super::tensors::to_safetensors;
use crate::error::Error;
use crate::storage::{Disk, write_atomically};
use std::collections::BTreeMap;
use std::path::Path;
use tch::Tensor;

pub use super::files::ENCODER_FILE;

/// Writes parameters and buffers, `num_batches_tracked` included, under the names given, in one step.
///
/// The file's metadata says `format` = `pt` (as PyTorch's loaders expect), `encoder`, `embedding` (which of the run's
/// encoders it is, in words), `dataset` and `selfsame_version`.
pub fn export_encoder(
    path: &Path,
    tensors: &[(String, Tensor)],
    encoder: &str,
    embedding: &str,
    dataset: &str,
) -> Result<(), Error> {
    let metadata = [
        ("format", "pt"),
        ("encoder", encoder),
        ("embedding", embedding),
        ("dataset", dataset),
        ("selfsame_version", env!("CARGO_PKG_VERSION")),
    ];
    let metadata: BTreeMap<_, _> = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let bytes = to_safetensors(tensors, &metadata)
        .map_err(|error| Error::data(format!("cannot export the encoder to {}: {error}", path.display())))?;
    Ok(write_atomically(&Disk, path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_layout_that_pythons_safetensors_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(ENCODER_FILE);
        let tensors = [
            ("bn1.num_batches_tracked".to_owned(), Tensor::from(7i64)),
            ("conv1.weight".to_owned(), Tensor::from_slice2(&[[1.0f32, 2.0]])),
        ];
        export_encoder(&path, &tensors, "resnet8", "the online encoder", "CIFAR10").unwrap();
        // The format's page: u64 header length, JSON header padded with spaces, data without gaps.
        let version = env!("CARGO_PKG_VERSION");
        let metadata = format!(
            "{{\"dataset\":\"CIFAR10\",\"embedding\":\"the online encoder\",\"encoder\":\"resnet8\",\"format\":\"pt\",\
             \"selfsame_version\":\"{version}\"}}"
        );
        let mut header = format!(
            "{{\"__metadata__\":{metadata},\
             \"bn1.num_batches_tracked\":{{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}},\
             \"conv1.weight\":{{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]}}}}"
        );
        while header.len() % 8 != 0 {
            header.push(' ');
        }
        let mut expected = (header.len() as u64).to_le_bytes().to_vec();
        expected.extend(header.as_bytes());
        expected.extend(7i64.to_le_bytes());
        expected.extend([1.0f32, 2.0].iter().flat_map(|v| v.to_le_bytes()));
        assert_eq!(String::from_utf8_lossy(&std::fs::read(&path).unwrap()), String::from_utf8_lossy(&expected));
    }

    #[test]
    fn an_error_names_the_file_and_the_tensor() {
        let twice = [("w".to_owned(), Tensor::from(1.0)), ("w".to_owned(), Tensor::from(2.0))];
        let error = export_encoder(Path::new("e.safetensors"), &twice, "a", "", "b").unwrap_err().to_string();
        assert!(error.contains("e.safetensors") && error.contains("`w`"), "{error}");
    }
}
