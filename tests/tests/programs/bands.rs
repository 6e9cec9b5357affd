//! Images of many channels: tiles of a satellite with 13 bands, and cells in six channels of a microscope.

use selfsame_tests::{Ran, Sandbox, bands, metrics};
use serde_json::Value;

/// Arguments that cut a run down to seconds.
const SMALL: &str = "--set dataset.name=ImageFolder --set train.self_supervision.encoder_name=resnet8 \
                     --set train.batch_size=8 --set scheduler.epochs=2 --set method.projection.hidden_dim=16 \
                     --set method.projection.output_dim=8 --set train.device=cpu --set knn.k=3 \
                     --set augmentation.use_random_color=false --set data.val_fraction=0.25";

/// The size of the first convolution's weights in a safetensors file.
fn first_layer(bytes: &[u8]) -> Value {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header["conv1.weight"]["shape"].clone()
}

/// Fails the test unless each of `parts` was said on standard error.
#[track_caller]
fn says(ran: &Ran, parts: &[&str]) {
    for part in parts {
        assert!(ran.stderr.contains(part), "`{part}` is not in stderr:\n{}", ran.stderr);
    }
}

/// The contact sheet of these channels.
fn sheet(sandbox: &Sandbox, bands: &str) -> image::RgbImage {
    let out = format!("views{}.png", bands.replace(',', "_"));
    let arguments = "--set dataset.dataset_dir=tiles --set dataset.options.value_range=[0,4000] --samples 2 --views 2";
    sandbox.run(&format!("preview {SMALL} {arguments} --out {out} --bands {bands}")).succeeded();
    image::open(sandbox.path(&out)).unwrap().to_rgb8()
}

#[test]
fn a_satellites_tiles_train_evaluate_embed_and_preview() {
    let sandbox = Sandbox::new();
    bands::satellite(&sandbox.path("tiles"), 12, 16).unwrap();
    let stats = sandbox.run("data stats --set dataset.name=ImageFolder --set dataset.dataset_dir=tiles --json");
    let stats: Value = serde_json::from_str(&stats.succeeded().stdout).unwrap();
    let means = stats["data_sets"][0]["splits"]["train"]["mean"].as_array().unwrap();
    assert_eq!(means.len(), 13);
    // The mean of what was drawn: 4 classes, brightness 0.8 to 1.2, and 30 of noise; cirrus (band 11) is dark everywhere.
    for (channel, mean) in means.iter().enumerate() {
        let drawn: f64 =
            bands::SURFACES.iter().map(|(_, spectrum)| f64::from(spectrum[channel])).sum::<f64>() / 4.0 + 30.0;
        let found = mean.as_f64().unwrap() * 65_535.0;
        assert!((found / drawn - 1.0).abs() < 0.1, "channel {}: {found}, drawn {drawn}", channel + 1);
    }
    let train = format!(
        "train {SMALL} --set dataset.dataset_dir=tiles --set dataset.options.value_range=[0,4000] --output-dir run"
    );
    sandbox.run(&train).succeeded();
    let knn = metrics(&sandbox.path("run")).iter().rev().find_map(|line| line["metrics"]["knn/val/accuracy"].as_f64());
    assert!(knn.is_some());
    assert_eq!(
        first_layer(&std::fs::read(sandbox.path("run/encoder.safetensors")).unwrap()),
        serde_json::json!([16, 13, 3, 3])
    );
    sandbox.run("evaluate run --split val --protocol knn").succeeded();
    sandbox.run("embed run --split train --out embeddings.npy").succeeded();
    assert!(sandbox.path("embeddings.npy").exists());
    // Red, green and blue differ from the infrared ones, of which one is shown as grey.
    let (colours, infrared) = (sheet(&sandbox, "4,3,2"), sheet(&sandbox, "8"));
    assert_eq!(colours.dimensions(), infrared.dimensions());
    assert_ne!(colours, infrared);
    // The paper is nearly grey.
    let is_coloured = |pixel: &image::Rgb<u8>| pixel.0.iter().max().unwrap() - pixel.0.iter().min().unwrap() > 10;
    assert!(colours.pixels().any(is_coloured) && !infrared.pixels().any(is_coloured));
    let preview = format!("preview {SMALL} --set dataset.dataset_dir=tiles --out x.png");
    for (bands, part) in [("14", "--bands names channel 14"), ("1,2", "expected 1 or 3")] {
        sandbox.run(&format!("{preview} --bands {bands}")).failed(2, &[part]);
    }
}

#[test]
fn a_first_run_file_of_many_channels_leaves_colours_alone() {
    let sandbox = Sandbox::new();
    bands::satellite(&sandbox.path("tiles"), 6, 16).unwrap();
    sandbox.run("init tiles --minutes 1").succeeded();
    let file = std::fs::read_to_string(sandbox.path("tiles.yaml")).unwrap();
    assert!(file.contains("use_random_color: false"), "{file}");
    sandbox.run("config check --config tiles.yaml").succeeded();
}

#[test]
fn operations_on_colours_are_refused_by_name() {
    let sandbox = Sandbox::new();
    bands::satellite(&sandbox.path("tiles"), 4, 8).unwrap();
    for (key, part) in [
        ("augmentation.use_random_color", "13"),
        ("augmentation.use_random_grayscale", "13"),
        ("preprocess.use_histogram_equalization", "13 channels"),
        ("preprocess.use_clahe", "13 channels"),
    ] {
        let train = format!("train {SMALL} --set dataset.dataset_dir=tiles --set {key}=true --output-dir run");
        sandbox.run(&train).failed(2, &[key, part]);
    }
    // All that has to be switched off is named at once.
    let small =
        SMALL.replace("--set augmentation.use_random_color=false", "--set augmentation.use_random_grayscale=true");
    let train = format!("train {small} --set dataset.dataset_dir=tiles --output-dir run");
    sandbox.run(&train).failed(2, &["augmentation.use_random_color: ", "and augmentation.use_random_grayscale too"]);
}

#[test]
fn a_microscopes_channels_train_from_colour_weights_and_are_predicted() {
    let sandbox = Sandbox::new();
    bands::microscope(&sandbox.path("cells"), 16, 16).unwrap();
    // Of several pages the first one is read, which is said.
    let set = "--set dataset.name=ImageFolder --set dataset.dataset_dir=cells";
    says(
        &sandbox.run(&format!("data stats {set}")).succeeded(),
        &["32 of 32 images looked at", "options.pages to channels"],
    );
    bands::satellite(&sandbox.path("tiles"), 4, 8).unwrap();
    let colour = format!(
        "train {SMALL} --set dataset.dataset_dir=tiles --set dataset.options.bands=[4,3,2] --output-dir colour"
    );
    sandbox.run(&colour).succeeded();
    let more = "--set dataset.dataset_dir=cells --set dataset.options.pages=channels --output-dir run \
                --set train.self_supervision.init=colour/encoder.safetensors";
    says(
        &sandbox.run(&format!("train {SMALL} {more}")).succeeded(),
        &["conv1.weight", "the images have 6", "times 3/6"],
    );
    assert_eq!(
        first_layer(&std::fs::read(sandbox.path("run/encoder.safetensors")).unwrap()),
        serde_json::json!([16, 6, 3, 3])
    );
    sandbox.run("evaluate run --split val --protocol linear --keep").succeeded();
    sandbox.run("predict run --on cells --out predictions.csv").succeeded();
    let lines = std::fs::read_to_string(sandbox.path("predictions.csv")).unwrap().lines().count();
    assert_eq!(lines, 33);
}
