//! The augmentations against torchvision's numbers (`fixtures/augment`, made by `make.py` there), and the properties of
//! views.

use crate::augment_common::{
    KEY, assert_close, assert_frequency, counts, fixture, flags, floats, noise, pixels, size_of, tensor, unit, whole,
};
use selfsame::augment::color_jitter::{self, Change};
use selfsame::augment::draw::Draws;
use selfsame::augment::resized_crop::{self, CropBox, Params};
use selfsame::augment::{Purpose, ViewKey, Views, gaussian_blur, grayscale, normalize, solarize};
use selfsame::config::schema::{
    AugmentationConfig, GaussianBlurConfig, Interpolation, NormalizeChoice, PreprocessConfig, RandomColorConfig,
    RandomCropConfig,
};
use selfsame::data::Size;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

#[test]
fn crops_equal_torchvision_up_and_down() {
    for case in fixture("crop").as_array().unwrap() {
        let interpolation = if case["mode"] == "bilinear" { Interpolation::Bilinear } else { Interpolation::Bicubic };
        let expected = tensor(&case["expected"]);
        let size = size_of(&expected);
        let boxes = case["boxes"].as_array().unwrap().iter().map(counts);
        let params: Vec<Params> = boxes
            .zip(flags(&case["flips"]))
            .map(|(b, flip)| Params::whole(CropBox { top: b[0], left: b[1], height: b[2], width: b[3] }, flip, size))
            .collect();
        let got = resized_crop::apply(&pixels(&case["images"]), &params, size, interpolation).unwrap();
        assert_close(case["name"].as_str().unwrap(), &got, &expected);
    }
}

#[test]
fn crop_boxes_have_torchvisions_statistics_and_stay_inside() {
    const N: usize = 20_000;
    for case in fixture("crop_statistics").as_array().unwrap() {
        let size = counts(&case["size"]);
        let (scale, ratio) = (floats(&case["scale"]), floats(&case["ratio"]));
        let config = RandomCropConfig {
            scale: [scale[0], scale[1]],
            ratio: [ratio[0], ratio[1]],
            interpolation: Interpolation::Bilinear,
        };
        let draws = Draws::new(KEY, "crop");
        let mut sums = [0.0; 5];
        for id in 0..N {
            let b = resized_crop::draw(&mut draws.sample(id as i64), &config, (size[0], size[1]).into());
            assert!(b.height >= 1 && b.top + b.height <= size[0], "{b:?}");
            assert!(b.width >= 1 && b.left + b.width <= size[1], "{b:?}");
            let area = (b.height * b.width) as f64 / (size[0] * size[1]) as f64;
            let values = [area, b.height as f64, b.width as f64, b.top as f64, b.left as f64];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value / N as f64);
        }
        for (i, (mean, std)) in floats(&case["mean"]).into_iter().zip(floats(&case["std"])).enumerate() {
            // Five standard errors of the difference of two such means.
            let tolerance = 5.0 * std * (2.0 / N as f64).sqrt() + 1e-4;
            assert!((sums[i] - mean).abs() < tolerance, "{size:?}, {i}: {} against {mean}", sums[i]);
        }
    }
}

#[test]
fn a_flip_of_the_whole_image_is_exact() {
    let images = noise(3, 3, 8, 8);
    let size = Size::square(8);
    let crop = CropBox::whole(size);
    let params = [true, false, true].map(|flip| Params::whole(crop, flip, size));
    let got = resized_crop::apply(&images, &params, size, Interpolation::Bilinear).unwrap();
    let same = resized_crop::apply(&images, &[Params::whole(crop, false, size); 3], size, Interpolation::Bilinear);
    let same = same.unwrap();
    assert_eq!(got.get(0), same.get(0).flip([2]));
    assert_eq!(got.get(1), same.get(1));
    assert_eq!(got.get(2), same.get(2).flip([2]));
    assert_close("unresized", &same, &unit(&images));
}

#[test]
fn colour_jitter_equals_torchvision_in_every_order() {
    for case in fixture("jitter").as_array().unwrap() {
        let params: Vec<color_jitter::Params> = case["changes"].as_array().unwrap().iter().map(changes).collect();
        let got = color_jitter::apply(unit(&pixels(&case["images"])), &params).unwrap();
        assert_close("jitter", &got, &tensor(&case["expected"]));
    }
}

fn changes(value: &Value) -> color_jitter::Params {
    std::array::from_fn(|i| {
        let factor = value[i][1].as_f64()?;
        Some(match value[i][0].as_str()? {
            "brightness" => Change::Brightness(factor),
            "contrast" => Change::Contrast(factor),
            "saturation" => Change::Saturation(factor),
            _ => Change::Hue(factor),
        })
    })
}

#[test]
fn grayscale_blur_solarize_and_normalize_equal_torchvision() {
    let f = fixture("others");
    let images = unit(&pixels(&f["images"]));
    let chosen = flags(&f["chosen"]);
    let sigmas: Vec<gaussian_blur::Params> = f["sigmas"].as_array().unwrap().iter().map(Value::as_f64).collect();
    assert_close("grayscale", &grayscale::apply(images.copy(), &chosen).unwrap(), &tensor(&f["grayscale"]));
    assert_close("blur 3", &gaussian_blur::apply(images.copy(), &sigmas, 3).unwrap(), &tensor(&f["blur3"]));
    assert_close("blur 7", &gaussian_blur::apply(images.copy(), &sigmas, 7).unwrap(), &tensor(&f["blur7"]));
    let threshold = f["threshold"].as_f64().unwrap();
    assert_close("solarize", &solarize::apply(images.copy(), &chosen, threshold).unwrap(), &tensor(&f["solarize"]));
    let normalized = normalize::apply(&images, &floats(&f["mean"]), &floats(&f["std"])).unwrap();
    assert_close("normalize", &normalized, &tensor(&f["normalize"]));
}

#[test]
fn evaluation_resizes_the_shorter_side_and_crops_the_centre_like_torchvision() {
    for case in fixture("evaluation").as_array().unwrap() {
        let images = pixels(&case["images"]);
        let size = images.size();
        let side = |key: &str| Some(case[key].as_u64().unwrap() as usize);
        let preprocess = PreprocessConfig {
            resize: side("resize"),
            center_crop_size: side("crop"),
            expand_channels: false,
            ..Default::default()
        };
        let config = AugmentationConfig { normalize: NormalizeChoice::None, ..Default::default() };
        let nominal = size_of(&images);
        let views = Views::new(&config, &preprocess, size[1] as usize, nominal, None).unwrap();
        let expected = tensor(&case["expected"]);
        assert_eq!(views.output_size(), size_of(&expected));
        assert_close("eval", &views.eval(&whole(&images)).unwrap(), &expected);
        let ids: Vec<i64> = (0..size[0]).collect();
        assert_close("train with nothing on", &views.crop(&whole(&images), &ids, KEY).unwrap(), &expected);
    }
}

#[test]
fn kernel_sizes_are_the_odd_number_nearest_to_a_tenth_of_the_side() {
    for (side, expected) in [(8, 3), (32, 3), (64, 7), (96, 9), (224, 23), (256, 25)] {
        assert_eq!(gaussian_blur::default_kernel_size(side), expected, "{side}");
    }
}

fn everything() -> AugmentationConfig {
    AugmentationConfig {
        use_random_crop: true,
        random_crop: RandomCropConfig { scale: [0.08, 1.0], ..Default::default() },
        use_random_horizontal_flip: true,
        use_random_color: true,
        random_color: RandomColorConfig { brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2, prob: 0.8 },
        use_random_grayscale: true,
        use_gaussian_blur: true,
        use_solarize: true,
        normalize: NormalizeChoice::Imagenet,
        ..Default::default()
    }
}

fn views(config: &AugmentationConfig) -> Views {
    Views::new(config, &PreprocessConfig::default(), 3, Size::square(16), None).unwrap()
}

#[test]
fn a_view_is_the_same_alone_in_another_order_and_in_a_larger_batch() {
    let views = views(&everything());
    let images = noise(24, 3, 16, 16);
    let ids: Vec<i64> = (100..124).collect();
    let batch = views.crop(&whole(&images), &ids, KEY).unwrap();
    assert_eq!(batch, views.crop(&whole(&images), &ids, KEY).unwrap());
    let backwards: Vec<i64> = ids.iter().rev().copied().collect();
    assert_eq!(views.crop(&whole(&images.flip([0])), &backwards, KEY).unwrap().flip([0]), batch);
    for i in 0..24 {
        let alone = views.crop(&whole(&images.narrow(0, i, 1)), &ids[i as usize..][..1], KEY).unwrap();
        assert_eq!(alone, batch.narrow(0, i, 1), "sample {i}");
    }
}

#[test]
fn views_differ_by_seed_epoch_view_and_sample() {
    let views = views(&everything());
    let image = noise(1, 3, 16, 16);
    let base = views.crop(&whole(&image), &[5], KEY).unwrap();
    for (id, key) in [
        (6, KEY),
        (5, ViewKey { seed: 4, ..KEY }),
        (5, ViewKey { epoch: 2, ..KEY }),
        (5, ViewKey { purpose: Purpose::View(1), ..KEY }),
    ] {
        assert_ne!(views.crop(&whole(&image), &[id], key).unwrap(), base, "{id} {key:?}");
    }
}

#[test]
fn turning_one_operation_off_leaves_the_others_draws_alone() {
    let crop_only = AugmentationConfig {
        use_random_crop: true,
        random_crop: RandomCropConfig { scale: [0.08, 1.0], ..Default::default() },
        normalize: NormalizeChoice::None,
        ..Default::default()
    };
    let never = AugmentationConfig {
        use_random_horizontal_flip: true,
        random_horizontal_flip: selfsame::config::schema::HorizontalFlipConfig { prob: 0.0 },
        use_gaussian_blur: true,
        gaussian_blur: GaussianBlurConfig { prob: 0.0, ..Default::default() },
        ..crop_only.clone()
    };
    let images = noise(4, 3, 16, 16);
    let ids = [1, 2, 3, 4];
    assert_eq!(
        views(&crop_only).crop(&whole(&images), &ids, KEY).unwrap(),
        views(&never).crop(&whole(&images), &ids, KEY).unwrap()
    );
}

#[test]
fn operations_happen_with_their_probabilities() {
    let jitter = everything().random_color;
    for prob in [0.0, 0.3, 0.8, 1.0] {
        let jitter = RandomColorConfig { prob, ..jitter.clone() };
        assert_frequency("color", prob, |s| color_jitter::draw(s, &jitter) != color_jitter::NOTHING);
        let blur = GaussianBlurConfig { prob, ..Default::default() };
        assert_frequency("blur", prob, |s| gaussian_blur::draw(s, &blur).is_some());
    }
    let first_is_hue = |changes: color_jitter::Params| matches!(changes[0], Some(Change::Hue(_)));
    let always = RandomColorConfig { prob: 1.0, ..jitter };
    assert_frequency("color", 0.25, |s| first_is_hue(color_jitter::draw(s, &always)));
}

#[test]
fn whole_views_flip_and_turn_grey_with_their_probabilities() {
    // Left half black, right half red: a flip shows in the first pixel, grey in the channels.
    let images = Tensor::zeros([4000, 3, 2, 2], (Kind::Uint8, Device::Cpu));
    let _ = images.narrow(1, 0, 1).narrow(3, 1, 1).fill_(255);
    let ids: Vec<i64> = (0..4000).collect();
    let config = AugmentationConfig {
        use_random_horizontal_flip: true,
        use_random_grayscale: true,
        normalize: NormalizeChoice::None,
        ..Default::default()
    };
    let views = Views::new(&config, &PreprocessConfig::default(), 3, Size::square(2), None).unwrap();
    let view = views.crop(&whole(&images), &ids, KEY).unwrap();
    let share = |mask: Tensor| f64::try_from(mask.to_kind(Kind::Double).mean(Kind::Double)).unwrap();
    let flipped = share(view.select(1, 0).select(1, 0).select(1, 0).gt(0.1));
    let grey = share(view.select(1, 1).amax([1, 2], false).gt(0.1));
    assert!((flipped - 0.5).abs() < 0.04, "{flipped}");
    assert!((grey - 0.2).abs() < 0.032, "{grey}");
}

#[test]
fn factors_stay_in_their_ranges() {
    let config = RandomColorConfig { brightness: 1.5, contrast: 0.4, saturation: 0.0, hue: 0.1, prob: 1.0 };
    let draws = Draws::new(KEY, "color");
    for id in 0..2000 {
        let changes = color_jitter::draw(&mut draws.sample(id), &config);
        assert_eq!(changes.iter().flatten().count(), 3, "a strength of 0 is no change");
        for change in changes.into_iter().flatten() {
            match change {
                Change::Brightness(f) => assert!((0.0..=2.5).contains(&f)),
                Change::Contrast(f) => assert!((0.6..=1.4).contains(&f)),
                Change::Saturation(f) => panic!("saturation {f}"),
                Change::Hue(shift) => assert!((-0.1..=0.1).contains(&shift)),
            }
        }
    }
}

#[test]
fn views_come_out_channels_last_and_normalised() {
    let views = views(&everything());
    let images = noise(5, 3, 16, 16);
    for view in [views.crop(&whole(&images), &[0, 1, 2, 3, 4], KEY).unwrap(), views.eval(&whole(&images)).unwrap()] {
        assert_eq!((view.kind(), view.size()), (Kind::Float, vec![5, 3, 16, 16]));
        assert_eq!(view.stride()[1], 1, "channels last");
    }
    let expected = normalize::apply(&unit(&images), &[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]).unwrap();
    assert_close("eval", &views.eval(&whole(&images)).unwrap(), &expected);
}

#[test]
fn images_and_crops_of_another_size_than_the_output_are_resized() {
    let preprocess = PreprocessConfig { resize: Some(12), center_crop_size: Some(10), ..Default::default() };
    let views = Views::new(&everything(), &preprocess, 3, Size { height: 16, width: 20 }, None).unwrap();
    let images = noise(2, 3, 16, 20);
    assert_eq!(views.output_size(), Size::square(10));
    assert_eq!(views.crop(&whole(&images), &[0, 1], KEY).unwrap().size(), [2, 3, 10, 10]);
    assert_eq!(views.eval(&whole(&images)).unwrap().size(), [2, 3, 10, 10]);
}

#[test]
fn the_views_are_those_of_earlier_runs() {
    // Written down once: a change here makes old checkpoints continue differently.
    let view = views(&everything()).crop(&whole(&noise(8, 3, 16, 16)), &(0..8).collect::<Vec<_>>(), KEY).unwrap();
    let sums = view.abs().sum_dim_intlist([1i64, 2, 3].as_slice(), false, Kind::Double);
    let expected = [551.28, 768.33, 908.75, 252.16, 1069.0, 1086.31, 405.36, 1047.3];
    for (got, expected) in Vec::<f64>::try_from(sums).unwrap().into_iter().zip(expected) {
        assert!((got - expected).abs() < 0.02, "{got} against {expected}");
    }
}

#[test]
fn settings_that_do_not_go_with_the_images_are_named() {
    let message = |config: &AugmentationConfig, preprocess: &PreprocessConfig, channels| {
        Views::new(config, preprocess, channels, Size::square(16), None).unwrap_err().to_string()
    };
    let none = AugmentationConfig { normalize: NormalizeChoice::None, ..Default::default() };
    let plain = PreprocessConfig::default();
    let large = PreprocessConfig { resize: Some(8), center_crop_size: Some(9), ..Default::default() };
    assert!(message(&none, &large, 3).starts_with("preprocess.center_crop_size: (9, 9) does not fit"));
    let colour = AugmentationConfig { use_random_color: true, ..none.clone() };
    assert!(message(&colour, &plain, 4).starts_with("augmentation.use_random_color: needs images with 1 or 3"));
    let imagenet = AugmentationConfig { normalize: NormalizeChoice::Imagenet, ..none.clone() };
    let grey = PreprocessConfig { expand_channels: false, ..Default::default() };
    assert!(message(&imagenet, &grey, 1).starts_with("augmentation.normalize: "));
    for size in [4, 33] {
        let gaussian_blur = GaussianBlurConfig { kernel_size: Some(size), ..Default::default() };
        let blur = AugmentationConfig { use_gaussian_blur: true, gaussian_blur, ..none.clone() };
        assert!(message(&blur, &plain, 3).starts_with("augmentation.gaussian_blur.kernel_size: is "));
    }
}

#[test]
fn images_of_another_kind_or_number_are_an_error() {
    let views = views(&everything());
    let images = noise(2, 3, 16, 16);
    assert!(
        views
            .eval(&whole(&images.to_kind(Kind::Float)))
            .unwrap_err()
            .to_string()
            .contains("expected uint8 or int32 images")
    );
    assert!(views.eval(&whole(&noise(2, 1, 16, 16))).unwrap_err().to_string().contains("[B, 3, H, W]"));
    assert!(views.crop(&whole(&images), &[1], KEY).unwrap_err().to_string().contains("1 ids for 2 images"));
}
