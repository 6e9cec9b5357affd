//! The views of an image as a list of kinds: how many, how large, by which settings; and the list of all operations.

use crate::augment_common::{KEY, assert_close, noise, whole};
use proptest::prelude::*;
use selfsame::augment::{Purpose, ViewKey, Views, describe};
use selfsame::config::schema::{AugmentationConfig, ClaheConfig, PreprocessConfig};
use selfsame::data::Size;
use serde_json::{Value, json};
use tch::Tensor;

fn settings(value: Value) -> AugmentationConfig {
    serde_json::from_value(value).unwrap()
}

fn views_of(config: &AugmentationConfig, preprocess: &PreprocessConfig) -> Views {
    Views::new(config, preprocess, 3, Size { height: 24, width: 20 }, None).unwrap()
}

const IDS: [i64; 4] = [7, 8, 9, 10];

fn crops(config: &AugmentationConfig, preprocess: &PreprocessConfig) -> Vec<Tensor> {
    let images = whole(&noise(4, 3, 24, 20));
    views_of(config, preprocess).crops(&images, &IDS, KEY.seed, KEY.epoch).unwrap()
}

/// Two large views and three small ones, whose crops are smaller and which are never solarised.
fn multi_crop() -> Value {
    json!({
        "use_random_crop": true, "random_crop": {"scale": [0.4, 1.0]}, "use_random_horizontal_flip": true,
        "use_random_color": true, "use_solarize": true, "normalize": "none",
        "views": [{"count": 2}, {"count": 3, "size": 9, "random_crop": {"scale": [0.05, 0.4]}, "use_solarize": false}],
    })
}

#[test]
fn a_list_of_views_says_how_many_there_are_and_how_large() {
    let config = settings(multi_crop());
    let views = views_of(&config, &PreprocessConfig { resize: Some(16), ..Default::default() });
    assert_eq!((views.count(), views.output_size()), (5, Size::square(16)));
    assert_eq!(views.sizes(), [16, 16, 9, 9, 9].map(Size::square));
    let images = whole(&noise(4, 3, 24, 20));
    let crops = views.crops(&images, &IDS, KEY.seed, KEY.epoch).unwrap();
    assert_eq!(crops.iter().map(Tensor::size).collect::<Vec<_>>(), [16, 16, 9, 9, 9].map(|side| [4, 3, side, side]));
    for (number, crop) in (0..).zip(&crops) {
        let key = ViewKey { purpose: Purpose::View(number), ..KEY };
        assert_eq!(*crop, views.crop(&images, &IDS, key).unwrap(), "view {number} alone");
    }
    assert_ne!(crops[0], crops[1]);
    assert!(crops[2] != crops[3] && crops[3] != crops[4]);
    let beyond = views.crop(&images, &IDS, ViewKey { purpose: Purpose::View(5), ..KEY }).unwrap_err().to_string();
    assert!(beyond.contains("view 5 of 5"), "{beyond}");
}

#[test]
fn an_entry_overrides_what_it_names_and_takes_the_rest_from_the_common_settings() {
    let views = settings(multi_crop()).resolved_views().unwrap();
    let stated: Vec<_> = views.iter().map(|view| (view.section.as_str(), view.count, view.size)).collect();
    assert_eq!(stated, [("augmentation.views.0", 2, None), ("augmentation.views.1", 3, Some(9))]);
    let [large, small] = [&views[0].settings, &views[1].settings];
    assert_eq!((large.random_crop.scale, large.use_solarize), ([0.4, 1.0], true));
    assert_eq!((small.random_crop.scale, small.use_solarize), ([0.05, 0.4], false));
    assert_eq!(small.random_crop.ratio, large.random_crop.ratio, "within a section too");
    assert!(small.use_random_color && small.views.is_empty());
}

#[test]
fn without_a_list_there_are_two_views_which_a_list_of_two_equals() {
    let mut short = multi_crop();
    short["views"] = json!([]);
    short["view2"] = json!({"use_solarize": false, "random_crop": {"scale": [0.1, 0.2]}});
    let mut long = short.clone();
    long["views"] = json!([{}, short["view2"].clone()]);
    long["view2"] = json!({});
    let preprocess = PreprocessConfig { resize: Some(16), ..Default::default() };
    let (short, long) = (crops(&settings(short), &preprocess), crops(&settings(long), &preprocess));
    assert_eq!(short.len(), 2);
    assert_eq!(short, long);
}

#[test]
fn equalisation_before_the_views_is_that_of_evaluation() {
    let config = settings(json!({"views": [{"count": 2}, {"size": 5}], "normalize": "none"}));
    let preprocess = PreprocessConfig {
        use_clahe: true,
        clahe: ClaheConfig { tiles: 2, ..Default::default() },
        resize: Some(12),
        ..Default::default()
    };
    let views = Views::new(&config, &preprocess, 1, Size::square(24), None).unwrap();
    let images = whole(&noise(2, 1, 24, 24));
    let crops = views.crops(&images, &[1, 2], 0, 0).unwrap();
    let eval = views.eval(&images).unwrap();
    // Nothing random is on: each view is the plain one of its size.
    crops[..2].iter().for_each(|crop| assert_close("as evaluation", crop, &eval));
    let small = PreprocessConfig { resize: Some(5), ..preprocess };
    let small = Views::new(&config, &small, 1, Size::square(24), None).unwrap();
    assert_close("of its size", &crops[2], &small.eval(&images).unwrap());
}

#[test]
fn a_setting_that_does_not_go_with_a_views_size_is_named_with_its_entry() {
    let config = settings(json!({
        "views": [{}, {"size": 2, "use_gaussian_blur": true, "gaussian_blur": {"kernel_size": 5}}], "normalize": "none",
    }));
    let error = Views::new(&config, &PreprocessConfig::default(), 3, Size::square(24), None).unwrap_err().to_string();
    assert!(
        error.starts_with("augmentation.views.1.gaussian_blur.kernel_size: is 5; expected an odd number"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_views_of_an_entry_are_those_of_its_settings_as_the_common_ones_at_its_size(
        // Other sizes may differ in the last bit: MKL multiplies matrices that are not aligned in another way, and where one
        // stands in memory depends on how many views are made at once.
        size in (1..8usize).prop_map(|quarter| 4 * quarter),
        scale in 0.05..1.0f64,
        switches in proptest::array::uniform8(any::<bool>()),
    ) {
        let names = ["use_random_crop", "use_random_affine", "use_random_horizontal_flip", "use_random_color",
                     "use_elastic_transform", "add_gaussian_noise", "use_gaussian_blur", "use_random_erasing"];
        let mut own = json!({"random_crop": {"scale": [scale, 1.0]}, "random_affine": {"max_angle": 30.0}});
        names.iter().zip(switches).for_each(|(name, on)| own[*name] = on.into());
        let mut entry = own.clone();
        entry["size"] = size.into();
        let listed = settings(json!({"use_solarize": true, "views": [{"count": 2}, entry]}));
        own["use_solarize"] = true.into();
        own["views"] = json!([{"count": 3}]);
        let preprocess = PreprocessConfig { resize: Some(size), ..Default::default() };
        let expected = crops(&settings(own), &preprocess);
        let listed = crops(&listed, &PreprocessConfig { resize: Some(16), center_crop_size: Some(12), ..preprocess });
        prop_assert!(listed[2] == expected[2]);
    }
}

/// The operation that a key turns on, alone.
fn alone(switch: &str) -> AugmentationConfig {
    settings(json!({switch: true, "normalize": "none"}))
}

/// The keys that turn an operation on.
fn switches() -> Vec<String> {
    let all = serde_json::to_value(AugmentationConfig::default()).unwrap();
    all.as_object().unwrap().iter().filter(|(_, value)| value.is_boolean()).map(|(name, _)| name.clone()).collect()
}

#[test]
fn every_operation_changes_views_and_is_described() {
    assert!(switches().len() >= 11);
    let images = whole(&noise(32, 3, 24, 20));
    let ids: Vec<i64> = (0..32).collect();
    for switch in switches() {
        let config = alone(&switch);
        assert!(config.is_random() && config.operations().count() == 1, "{switch}");
        assert!(config.operations().all(|operation| operation.describe().len() > 3), "{switch}");
        let views = views_of(&config, &PreprocessConfig::default());
        assert_ne!(views.crop(&images, &ids, KEY).unwrap(), views.eval(&images).unwrap(), "{switch}");
    }
    assert!(!AugmentationConfig::default().is_random());
    assert_eq!(describe::operations(&AugmentationConfig::default()), ["as the evaluation"]);
}

#[test]
fn the_documents_table_has_every_operation_in_the_order_in_which_they_run() {
    let rows = include_str!("../../../docs/augmentations.md").lines().filter_map(|line| line.split('|').nth(3));
    let first = rows.filter_map(|keys| keys.split('`').nth(1));
    let documented: Vec<&str> = first.filter(|key| switches().iter().any(|switch| switch == key)).collect();
    assert_eq!(documented.len(), switches().len(), "{documented:?}");
    let words = |config: &AugmentationConfig| config.operations().map(|each| each.describe()).collect::<Vec<_>>();
    let all = documented.iter().map(|switch| ((*switch).to_owned(), Value::Bool(true))).collect();
    let listed: Vec<_> = documented.iter().flat_map(|switch| words(&alone(switch))).collect();
    assert_eq!(words(&settings(Value::Object(all))), listed);
}
