//! The operations of a configuration in words, for people who look at views.

use crate::config::schema::{AugmentationConfig, Border, Interpolation, PreprocessConfig};
use crate::data::Size;

/// The random operations that are on, in the order in which they run, each with what decides about it.
pub fn operations(config: &AugmentationConfig) -> Vec<String> {
    let range = |[low, high]: [f64; 2]| format!("{low}-{high}");
    let affine = &config.random_affine;
    let mut warp = Vec::new();
    if config.use_random_affine {
        warp.push(format!("turn ±{}°, shear ±{}°", affine.max_angle, affine.max_shear));
        if affine.max_horizontal_shift > 0.0 || affine.max_vertical_shift > 0.0 {
            warp.push(format!("shift ±{} × ±{}", affine.max_horizontal_shift, affine.max_vertical_shift));
        }
    }
    let crop = &config.random_crop;
    if config.use_random_crop {
        let cubic = if crop.interpolation == Interpolation::Bicubic { ", bicubic" } else { "" };
        warp.push(format!("crop {} of the area{cubic}", range(crop.scale)));
    }
    if config.use_random_horizontal_flip {
        warp.push(format!("flip p {}", config.random_horizontal_flip.prob));
    }
    let elastic = &config.elastic_transform;
    if config.use_elastic_transform {
        warp.push(format!("elastic sigma {} alpha {} p {}", elastic.sigma, elastic.alpha, elastic.p_apply));
    }
    if config.use_random_affine || config.use_elastic_transform {
        let border = match affine.border {
            Border::Zeros => "black",
            Border::Edge => "its edge",
            Border::Reflect => "its mirror image",
        };
        warp.push(format!("beyond the image {border}"));
    }
    let color = &config.random_color;
    let strengths = [
        ("brightness", color.brightness),
        ("contrast", color.contrast),
        ("saturation", color.saturation),
        ("hue", color.hue),
    ];
    let strengths = strengths.into_iter().filter(|(_, strength)| *strength > 0.0);
    let strengths: String = strengths.map(|(name, strength)| format!(" {name} {strength}")).collect();
    let (blur, solarize) = (&config.gaussian_blur, &config.solarize);
    let (erasing, noise) = (&config.random_erasing, &config.gaussian_noise);
    let others = [
        (config.use_gamma_transform, format!("gamma {}", range(config.gamma.scale))),
        (config.use_random_color, format!("colour{strengths} p {}", color.prob)),
        (config.use_random_grayscale, format!("grey p {}", config.random_grayscale.prob)),
        (config.use_gaussian_blur, format!("blur sigma {} p {}", range(blur.sigma), blur.prob)),
        (config.use_solarize, format!("solarise from {} p {}", solarize.threshold, solarize.prob)),
        (config.use_random_erasing, format!("erase {} of the view p {}", range(erasing.scale), erasing.prob)),
        (config.add_gaussian_noise, format!("noise {} p {}", noise.std, noise.p_apply)),
    ];
    warp.extend(others.into_iter().filter(|(on, _)| *on).map(|(_, words)| words));
    if warp.is_empty() {
        warp.push("as the evaluation".into());
    }
    warp
}

/// What happens to every image, random or not, for views of size `output`.
pub fn preparation(config: &PreprocessConfig, output: Size) -> Vec<String> {
    let mut words = Vec::new();
    if config.use_histogram_equalization {
        words.push("histogram equalisation".into());
    }
    if config.use_clahe {
        words.push(format!("CLAHE, {0}×{0} tiles, clip limit {1}", config.clahe.tiles, config.clahe.clip_limit));
    }
    if let Some(side) = config.resize {
        words.push(format!("shorter side to {side}"));
    }
    words.push(format!("centre {}×{}", output.width, output.height));
    words
}
