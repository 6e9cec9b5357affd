//! An encoder as a folder that `timm.create_model("local-dir:FOLDER", pretrained=True)` loads: weights, configuration, a
//! model card, and where timm lacks the stem for small images, the few lines of Python that make it.

mod model_card;

use crate::data::Size;
use crate::error::Error;
use crate::evaluate::TrainedRun;
use crate::plugin::Registry;
use crate::run::encoder_file;
use crate::run::state;
use crate::storage::{Disk, Naming, write_atomically};
use selfsame_encoder_api::{Encoder, SmallStem, TimmForm};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tch::Tensor;

/// The module of Python that registers a network with the small stem.
const MODULE: &str = "small_stem";
const SMALL_STEM: &str = include_str!("small_stem.py");

/// Writes the folder and returns its files. Each appears in one step; `model.safetensors` is the last one.
///
/// # Errors
/// An encoder that timm has not, files that cannot be written.
pub fn export_timm(
    folder: &Path,
    run: &TrainedRun,
    encoder: &dyn Encoder,
    embedding: &str,
    registry: &Registry,
) -> Result<Vec<PathBuf>, Error> {
    let name = &run.record.encoder;
    let forms = registry.encoder_card(name)?.timm;
    let tensors = state::encoder_tensors(encoder);
    let form = forms.iter().find(|form| fits(form, &tensors)).ok_or_else(|| {
        Error::configuration(format!(
            "timm has no network like encoder `{name}`, as far as its plugin says; take `--format torchscript`, which needs \
             no Python class"
        ))
    })?;
    fs::create_dir_all(folder).naming("create", folder)?;
    let config = timm_config(form, run, encoder.feature_dim())?;
    let mut files = Vec::new();
    let mut write = |name: &str, text: &str| -> Result<(), Error> {
        let path = folder.join(name);
        write_atomically(&Disk, &path, text.as_bytes())?;
        files.push(path);
        Ok(())
    };
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()) + "\n";
    write("config.json", &pretty(&config))?;
    if let Some(stem) = &form.small_stem {
        write(&format!("{MODULE}.py"), &small_stem(form, stem))?;
    }
    write("README.md", &model_card::text(run, embedding, form.small_stem.is_some().then_some(MODULE))?)?;
    let weights = folder.join("model.safetensors");
    encoder_file::export_encoder(&weights, &tensors, &encoder_file::metadata(&run.record, &run.config, embedding)?)?;
    files.push(weights);
    Ok(files)
}

/// Whether the encoder is of this form: the tensor that tells it is there, and its shape ends so.
fn fits(form: &TimmForm, tensors: &[(String, Tensor)]) -> bool {
    let Some((name, ending)) = &form.tensor else { return true };
    tensors.iter().any(|(own, tensor)| own == name && tensor.size().ends_with(ending))
}

/// The name under which timm finds the network.
fn architecture(form: &TimmForm) -> String {
    match form.small_stem {
        Some(_) => format!("{}_{MODULE}", form.architecture),
        None => form.architecture.clone(),
    }
}

fn small_stem(form: &TimmForm, stem: &SmallStem) -> String {
    [
        ("{architecture}", form.architecture.as_str()),
        ("{name}", &architecture(form)),
        ("{module}", MODULE),
        ("{convolution}", &stem.convolution),
        ("{pooling}", &stem.pooling),
    ]
    .into_iter()
    .fold(SMALL_STEM.to_owned(), |text, (place, value)| text.replace(place, value))
}

/// `config.json`, as timm and the Hugging Face hub read it.
fn timm_config(form: &TimmForm, run: &TrainedRun, features: usize) -> Result<Value, Error> {
    let (channels, size) = run.record.encoder_input();
    let mut arguments: Map<String, Value> = form.arguments.clone();
    if channels != 3 {
        arguments.insert("in_chans".into(), json!(channels));
    }
    let plain = (vec![0.0; channels], vec![1.0; channels]);
    let (mean, std) = encoder_file::statistics(&run.record, &run.config)?.unwrap_or(plain);
    Ok(json!({
        "architecture": architecture(form),
        "num_classes": 0,
        "num_features": features,
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [channels, size.height, size.width],
            "fixed_input_size": form.fixed_input_size,
            "interpolation": "bilinear",
            "crop_pct": crop_share(size, run.config.preprocess.resize, run.record.image_size),
            "crop_mode": "center",
            "mean": mean,
            "std": std,
            "num_classes": 0,
            "pool_size": null,
            "tag": "selfsame",
        },
    }))
}

/// The shorter side of the crop that the encoder sees as a share of the side that images are resized to: `preprocess.resize`,
/// else that of the data set's own images.
fn crop_share(seen: Size, resize: Option<usize>, own: Option<Size>) -> f64 {
    let resized = resize.or(own.map(Size::shorter)).unwrap_or(seen.shorter());
    (seen.shorter() as f64 / resized as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_crop_is_of_what_images_are_resized_to() {
        let (square, own) = (Size::square, Some(Size { height: 300, width: 256 }));
        for (seen, resize, share) in [
            (square(224), Some(256), 0.875),
            // Without `preprocess.resize`, images keep the size that they have.
            (square(224), None, 0.875),
            (square(64), Some(64), 1.0),
        ] {
            assert_eq!(crop_share(seen, resize, own), share, "{seen:?} of {resize:?}");
        }
        assert_eq!(crop_share(square(32), None, None), 1.0);
    }
}
