//! Reducing large images, against Pillow.

use proptest::prelude::*;
use selfsame::config::Config;
use selfsame::config::schema::{StoreRule, StoreSize};
use selfsame::data::{Size, loader::store_side, reduce, reduced_size};
use selfsame_plugin_api::Image;

/// `Image.fromarray(a).resize((8, 6), Image.BICUBIC)` in Pillow 13.0, of 13 rows and 17 columns with
/// `a[y, x] = (7x² + 13y² + 5xy) % 256`.
const EIGHT: [[i32; 8]; 6] = [
    [13, 77, 152, 147, 156, 155, 150, 95],
    [116, 139, 120, 127, 134, 149, 122, 129],
    [158, 115, 125, 148, 137, 153, 142, 157],
    [153, 142, 127, 140, 160, 76, 189, 201],
    [65, 171, 125, 122, 139, 102, 99, 163],
    [102, 125, 132, 168, 112, 109, 161, 125],
];

/// The same in mode F, rounded, with `a[y, x] = (1901x² + 3517y² + 1409xy) % 65536`.
const SIXTEEN: [[i32; 8]; 6] = [
    [3535, 21530, 37348, 28426, 34848, 35223, 31723, 38183],
    [32343, 39024, 30723, 42873, 36748, 29286, 29621, 43628],
    [37393, 36972, 27848, 28981, 33254, 26558, 39809, 35114],
    [37028, 28668, 27175, 25773, 21997, 40863, 35510, 31292],
    [36945, 36263, 22753, 29168, 33825, 36616, 31957, 36365],
    [30386, 30408, 38625, 42550, 39251, 21597, 24788, 22349],
];

/// The image twice, as two channels.
fn image(bit_depth: u8, value: impl Fn(usize, usize) -> usize) -> Image {
    let (height, width) = (13, 17);
    let plane: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (y, x)))
        .flat_map(|(y, x)| (value(y, x) as u16).to_le_bytes()[..usize::from(bit_depth / 8)].to_vec())
        .collect();
    Image { channels: 2, height, width, bit_depth, data: plane.repeat(2) }
}

fn assert_near(reduced: &Image, expected: [[i32; 8]; 6], tolerance: i32) {
    assert_eq!((reduced.channels, reduced.height, reduced.width), (2, 6, 8));
    let bytes = usize::from(reduced.bit_depth / 8);
    let value = |chunk: &[u8]| chunk.iter().rev().fold(0, |value, byte| value << 8 | i32::from(*byte));
    let values: Vec<i32> = reduced.data.chunks(bytes).map(value).collect();
    assert_eq!(values.len(), 96);
    for (found, expected) in values.iter().zip(expected.as_flattened().repeat(2)) {
        assert!((found - expected).abs() <= tolerance, "{found} instead of {expected}: {values:?}");
    }
}

#[test]
fn large_images_are_reduced_as_pillow_does() {
    let eight = image(8, |y, x| (7 * x * x + 13 * y * y + 5 * x * y) % 256);
    assert_near(&reduce(eight, 6).unwrap(), EIGHT, 1);
    let sixteen = image(16, |y, x| (1901 * x * x + 3517 * y * y + 1409 * x * y) % 65536);
    assert_near(&reduce(sixteen, 6).unwrap(), SIXTEEN, 2);
}

#[test]
fn small_images_and_constant_ones_keep_their_values() {
    let small = image(8, |y, x| x + y);
    assert_eq!(reduce(small.clone(), 13).unwrap(), small);
    assert!(reduce(image(8, |_, _| 255), 5).unwrap().data.iter().all(|value| *value == 255));
    assert!(reduce(image(16, |_, _| 65535), 5).unwrap().data.iter().all(|value| *value == 255));
}

proptest! {
    #[test]
    fn nothing_is_enlarged_and_the_aspect_ratio_stays(height in 1..3000usize, width in 1..3000usize, side in 1..600usize) {
        let Size { height: h, width: w } = reduced_size(Size { height, width }, side);
        prop_assert!(h >= 1 && w >= 1 && h <= height && w <= width);
        prop_assert!(h.min(w) <= side && h.max(w) <= 4 * side);
        let scale = h.max(w) as f64 / height.max(width) as f64;
        prop_assert!((height.min(width) as f64 * scale - h.min(w) as f64).abs() <= 1.0);
    }
}

#[test]
fn the_automatic_size_keeps_what_the_smallest_crop_needs() {
    let card = super::fake::card(&super::fake::Fake::new(1)); // nominally 2000×2000
    let mut config = Config::default();
    let side = |config: &Config| store_side(config, &card);
    assert_eq!(side(&config), Some(2528)); // 1.25 × 2000 = 2500
    config.preprocess.resize = Some(224);
    assert_eq!(side(&config), Some(288)); // 1.25 × 224 = 280
    config.augmentation.use_random_crop = true;
    config.augmentation.random_crop.scale = [0.49, 1.0];
    assert_eq!(side(&config), Some(320)); // 224 / 0.7 = 320
    config.augmentation.random_crop.scale = [0.08, 1.0];
    assert_eq!(side(&config), Some(448)); // at most twice
    config.augmentation.random_crop.scale = [1.0, 1.0];
    assert_eq!(side(&config), Some(288));
    let second = serde_json::json!({ "random_crop": { "scale": [0.49, 1.0] } });
    config.augmentation.view2 = second.as_object().unwrap().clone();
    assert_eq!(side(&config), Some(320)); // the second view's crops are the smaller ones
    // A view of its own size needs fewer pixels; the largest need of any view decides, evaluation's included.
    let mut views = |value: serde_json::Value| {
        config.augmentation.view2.clear();
        config.augmentation.views = serde_json::from_value(value).unwrap();
        side(&config)
    };
    let local = serde_json::json!({ "count": 6, "size": 96, "random_crop": { "scale": [0.05, 0.3] } });
    assert_eq!(views(serde_json::json!([local])), Some(288)); // 2 × 96 = 192, but evaluation takes 1.25 × 224 = 280
    assert_eq!(views(serde_json::json!([{ "random_crop": { "scale": [0.49, 1.0] } }, local])), Some(320));
    assert_eq!(views(serde_json::json!([{ "size": 256, "random_crop": { "scale": [0.49, 1.0] } }, local])), Some(384));
    config.data.store_size = StoreSize::Pixels(300);
    assert_eq!(side(&config), Some(300));
    config.data.store_size = StoreSize::Rule(StoreRule::Original);
    assert_eq!(side(&config), None);
}
