//! The time that one random view of a batch takes, operation by operation: `cargo bench -p selfsame --bench views`.

use selfsame::augment::{Purpose, ViewKey, Views};
use selfsame::config::schema::AugmentationConfig;
use selfsame::config::schema::PreprocessConfig;
use selfsame::data::{Images, Size};
use serde_json::json;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

const REPEATS: u64 = 5;

fn main() {
    selfsame::cli::restart_prepared();
    let crop = json!({"use_random_crop": true, "random_crop": {"scale": [0.4, 1.0]}});
    let one = |name: &str, values: serde_json::Value| (name.to_owned(), values);
    let operations = [
        one("crop", json!({})),
        one("affine", json!({"use_random_affine": true, "random_affine": {"max_angle": 180.0}})),
        one("elastic", json!({"use_elastic_transform": true})),
        one("gamma", json!({"use_gamma_transform": true})),
        one("colour", json!({"use_random_color": true, "random_color": {"brightness": 0.4, "hue": 0.1, "prob": 0.8}})),
        one("grey", json!({"use_random_grayscale": true})),
        one("blur", json!({"use_gaussian_blur": true})),
        one("solarize", json!({"use_solarize": true})),
        one("flip", json!({"use_random_horizontal_flip": true})),
        one("erasing", json!({"use_random_erasing": true})),
        one("noise", json!({"add_gaussian_noise": true})),
    ];
    for (channels, side) in [(3, 32), (1, 256), (3, 256)] {
        let preprocess = PreprocessConfig { resize: Some(side.min(224)), ..Default::default() };
        let (batch, length) = (128, side as i64);
        let pixels = Tensor::randint(256, [batch, channels, length, length], (Kind::Uint8, Device::Cpu));
        let images = Images::whole(pixels);
        let ids: Vec<i64> = (0..batch).collect();
        println!("{batch} images of {channels} x {side} x {side}, seconds a view");
        for (name, values) in &operations {
            let mut config = crop.clone();
            if let (Some(config), Some(values)) = (config.as_object_mut(), values.as_object()) {
                config.extend(values.clone());
            }
            let config: AugmentationConfig = serde_json::from_value(config).expect("a configuration");
            let views = Views::new(&config, &preprocess, channels as usize, Size::square(side), None).expect("views");
            let key = |epoch| ViewKey { seed: 1, epoch, purpose: Purpose::View(0) };
            let view = |epoch| views.crop(&images, &ids, key(epoch)).expect("a view");
            drop(view(0));
            let start = Instant::now();
            (1..=REPEATS).for_each(|epoch| drop(view(epoch)));
            println!("  {name:8} {:.4}", start.elapsed().as_secs_f64() / REPEATS as f64);
        }
    }
}
