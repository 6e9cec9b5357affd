//! The random views of films and of photographs.

use super::look::Look;
use super::run_file::RunFile;
use serde_json::{Value, json};

/// Images from this side on are blurred, as smaller ones have nothing fine to lose.
const BLURRED: usize = 96;

/// Sets the size of the images and their views.
pub fn set(file: &mut RunFile, look: &Look, side: usize, is_gpu: bool) {
    let sizes = look.sizes();
    let one_size = sizes.is_some_and(|sizes| sizes.different == 1);
    let reason = match sizes {
        Some(sizes) if one_size && sizes.height.1.min(sizes.width.1) == side => "the images' own size".to_owned(),
        Some(sizes) if sizes.height.1.min(sizes.width.1) < 2 * side => {
            "near the images' own size, which is seldom larger".to_owned()
        }
        _ if is_gpu => "usual on a GPU".to_owned(),
        _ => "for a CPU; 224 shows more, and takes about twelve times as long: for a GPU".to_owned(),
    };
    file.set("preprocess.resize", side, reason);
    match look.card.channels {
        1 => films(file),
        3 => photographs(file, side),
        _ => other(file),
    }
}

fn one(file: &mut RunFile, name: &str, value: impl Into<Value>, reason: &str) {
    file.set(&format!("augmentation.{name}"), value, reason);
}

/// Grey images: X-rays, CT, MR, ultrasound.
fn films(file: &mut RunFile) {
    file.set(
        "preprocess.expand_channels",
        false,
        "grey images have one channel; take this away to start from given weights",
    );
    one(file, "use_random_affine", true, "the images are grey, as films are: patients and plates lie a little turned");
    one(file, "random_affine.max_angle", 15, "films are never upside down");
    one(file, "random_affine.max_horizontal_shift", 0.0, "the random crop shifts already");
    one(file, "random_affine.max_vertical_shift", 0.0, "the random crop shifts already");
    one(file, "random_affine.max_shear", 5, "a little, as projections differ");
    crop(file, 0.4, "what decides is often small: less of the film would often miss it");
    flip(file, "take this away where left and right matter");
    one(file, "use_random_color", true, "exposure differs between machines");
    one(file, "random_color.brightness", 0.2, "mild, as grey levels mean something");
    one(file, "random_color.contrast", 0.2, "mild, as grey levels mean something");
    one(file, "random_color.saturation", 0.0, "grey images have none");
    one(file, "random_color.hue", 0.0, "grey images have none");
}

/// Colour images.
fn photographs(file: &mut RunFile, side: usize) {
    crop(file, 0.2, "the images are in colour, as photographs are: parts of a thing are the thing");
    flip(file, "take this away where left and right matter");
    one(
        file,
        "use_random_color",
        true,
        "light and cameras differ; take this away where colours mean something, as stains do",
    );
    one(file, "random_color.brightness", 0.4, "SimCLR's at half strength");
    one(file, "random_color.contrast", 0.4, "SimCLR's at half strength");
    one(file, "random_color.saturation", 0.4, "SimCLR's at half strength");
    one(file, "random_color.hue", 0.1, "SimCLR's at half strength");
    one(file, "random_color.prob", 0.8, "SimCLR's");
    one(file, "use_random_grayscale", true, "else colours alone would tell images apart");
    one(file, "random_grayscale.prob", 0.1, "SimCLR's 0.2, halved as the other colours are");
    if side >= BLURRED {
        one(file, "use_gaussian_blur", true, "sharpness differs; SimCLR's for images that have fine detail");
        one(file, "gaussian_blur.prob", 0.5, "SimCLR's");
    }
}

/// Images of other channels, on which operations on colours do nothing sensible.
fn other(file: &mut RunFile) {
    crop(file, 0.2, "parts of a thing are the thing");
    flip(file, "take this away where left and right matter");
    for name in ["use_random_color", "use_random_grayscale"] {
        one(file, name, false, "only for images of 1 or 3 channels");
    }
}

fn crop(file: &mut RunFile, least: f64, reason: &str) {
    one(file, "use_random_crop", true, "what most of learning comes from: two parts of one image belong together");
    one(file, "random_crop.scale", json!([least, 1.0]), reason);
}

fn flip(file: &mut RunFile, reason: &str) {
    one(file, "use_random_horizontal_flip", true, reason);
}
