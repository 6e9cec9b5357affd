//! The operations of a configuration in words, for people who look at views.

use super::geometry;
use crate::config::schema::{AugmentationConfig, PreprocessConfig};
use crate::data::Size;

/// The random operations that are on, in the order in which they run, each with what decides about it; last, what lies
/// beyond the image where they move it.
pub fn operations(config: &AugmentationConfig) -> Vec<String> {
    let mut words: Vec<_> = config.operations().map(|operation| operation.describe()).collect();
    words.extend(geometry::describe_border(config));
    if words.is_empty() {
        words.push("as the evaluation".into());
    }
    words
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
