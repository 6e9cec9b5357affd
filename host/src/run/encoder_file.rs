//! `encoder.safetensors`: a trained encoder under torchvision's names, for any framework.

use super::record::RunRecord;
use super::tensors::to_safetensors;
use crate::augment;
use crate::config::Config;
use crate::error::Error;
use crate::storage::{Disk, write_atomically};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use tch::Tensor;

pub use super::files::ENCODER_FILE;

/// What the file says of its encoder: `format` = `pt` (as PyTorch's loaders expect), `encoder`, `embedding` (which of the run's
/// encoders it is, in words), `dataset`, `method`, `input_size` (`[channels, height, width]`), `stem` and `options` (as
/// configured), `mean` and `std` of each channel where pixels of 0–1 are normalised, and `selfsame_version`; lists and
/// mappings as JSON.
///
/// # Errors
/// Statistics that do not go with the encoder's channels.
pub fn metadata(record: &RunRecord, config: &Config, embedding: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut metadata = BTreeMap::from([
        ("format", "pt".to_owned()),
        ("encoder", record.encoder.clone()),
        ("embedding", embedding.to_owned()),
        ("dataset", record.dataset.clone()),
        ("method", record.method.clone()),
        ("input_size", json!(record.input_size).to_string()),
        ("stem", config.encoder.stem.name().to_owned()),
        ("options", json!(config.encoder.options).to_string()),
        ("selfsame_version", env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    if let Some((mean, std)) = statistics(record, config)? {
        metadata.extend([("mean", json!(mean).to_string()), ("std", json!(std).to_string())]);
    }
    Ok(metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Mean and standard deviation of each channel that the encoder's images are normalised by; none where they stay in 0–1.
///
/// # Errors
/// Statistics that do not go with the encoder's channels.
pub fn statistics(record: &RunRecord, config: &Config) -> Result<Option<augment::Statistics>, Error> {
    let own = record.normalization.as_ref().map(|own| (own.mean.clone(), own.std.clone()));
    Ok(augment::statistics_for(config.augmentation.normalize, record.input_size[0], own)?)
}

/// Writes parameters and buffers, `num_batches_tracked` included, under the names given, in one step.
///
/// # Errors
/// Two tensors of one name; a file that cannot be written.
pub fn export_encoder(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let bytes = to_safetensors(tensors, metadata)
        .map_err(|error| Error::data(format!("cannot export the encoder to {}: {error}", path.display())))?;
    Ok(write_atomically(&Disk, path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::NormalizeChoice;
    use crate::run::record::tests::example_record;
    use selfsame_plugin_api::Normalization;

    #[test]
    fn the_file_has_the_layout_that_pythons_safetensors_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(ENCODER_FILE);
        let tensors = [
            ("bn1.num_batches_tracked".to_owned(), Tensor::from(7i64)),
            ("conv1.weight".to_owned(), Tensor::from_slice2(&[[1.0f32, 2.0]])),
        ];
        let facts = [("format", "pt"), ("encoder", "resnet8")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        export_encoder(&path, &tensors, &facts.into()).unwrap();
        // The format's page: u64 header length, JSON header padded with spaces, data without gaps.
        let metadata = "{\"encoder\":\"resnet8\",\"format\":\"pt\"}";
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
    fn the_file_says_what_its_encoder_expects() {
        let mut record = example_record();
        record.normalization = Some(Normalization { mean: vec![0.5], std: vec![0.25] });
        let mut config = Config::default();
        let said = metadata(&record, &config, "the online encoder").unwrap();
        for (key, value) in [
            ("input_size", "[3,32,32]"),
            ("mean", "[0.5,0.5,0.5]"),
            ("std", "[0.25,0.25,0.25]"),
            ("method", "simclr"),
            ("stem", "auto"),
            ("options", "{}"),
        ] {
            assert_eq!(said[key], value, "{key}");
        }
        config.augmentation.normalize = NormalizeChoice::None;
        assert!(!metadata(&record, &config, "").unwrap().contains_key("mean"));
    }

    #[test]
    fn an_error_names_the_file_and_the_tensor() {
        let twice = [("w".to_owned(), Tensor::from(1.0)), ("w".to_owned(), Tensor::from(2.0))];
        let error = export_encoder(Path::new("e.safetensors"), &twice, &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains("e.safetensors") && error.contains("`w`"), "{error}");
    }
}
