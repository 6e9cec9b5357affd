//! The operations for chest films, images of different sizes on a canvas, 16-bit images and the second view's own
//! settings: against torchvision's, scipy's and OpenCV's numbers (`fixtures/augment`), and as properties.

use crate::augment_common::{
    KEY, assert_close, assert_frequency, counts, fixture, floats, noise, pixels, size_of, tensor, unit, whole,
};
use selfsame::augment::draw::Draws;
use selfsame::augment::random_affine::{self, Map};
use selfsame::augment::resized_crop::{self, CropBox, Params};
use selfsame::augment::{Purpose, ViewKey, Views, elastic, gamma, gaussian_noise, random_erasing, warp};
use selfsame::config::schema::{
    AugmentationConfig, Border, ClaheConfig, ElasticTransformConfig, GammaConfig, GaussianNoiseConfig,
    HorizontalFlipConfig, Interpolation, NormalizeChoice, PreprocessConfig, RandomAffineConfig, RandomColorConfig,
    RandomCropConfig, RandomErasingConfig,
};
use selfsame::data::{Images, Size};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

fn identity(size: Size) -> warp::Params {
    warp::Params { size, map: Map::scaling([1.0, 1.0], [0.0, 0.0]) }
}

fn crop(b: &[usize]) -> CropBox {
    CropBox { top: b[0], left: b[1], height: b[2], width: b[3] }
}

#[test]
fn the_affine_map_equals_torchvision_wherever_the_image_lies_on_its_canvas() {
    for case in fixture("affine").as_array().unwrap() {
        let images = pixels(&case["images"]);
        let size = Size { height: counts(&case["size"])[0], width: counts(&case["size"])[1] };
        let shift = floats(&case["shift"]);
        let params = random_affine::Params {
            angle: case["angle"].as_f64().unwrap(),
            shift: (shift[0], shift[1]),
            shear: case["shear"].as_f64().unwrap(),
        };
        let map = random_affine::inverse(&params, size);
        let got = warp::apply(&images, &[warp::Params { size, map }], None, size, Border::Zeros).unwrap();
        assert_close(&case["angle"].to_string(), &got, &tensor(&case["expected"]));
    }
}

#[test]
fn affine_maps_stay_in_their_ranges_and_reach_both_ends() {
    let config = RandomAffineConfig {
        max_angle: 30.0,
        max_horizontal_shift: 0.1,
        max_vertical_shift: 0.25,
        max_shear: 15.0,
        border: Border::Reflect,
    };
    let (draws, size) = (Draws::new(KEY, "affine"), Size { height: 40, width: 60 });
    let drawn: Vec<_> = (0..4000).map(|id| random_affine::draw(&mut draws.sample(id), &config, size)).collect();
    for (name, most, value) in [
        ("angle", 30.0, (|p| p.angle) as fn(&random_affine::Params) -> f64),
        ("right", 6.0, |p| p.shift.0),
        ("down", 10.0, |p| p.shift.1),
        ("shear", 15.0, |p| p.shear),
    ] {
        let (low, high) = drawn.iter().map(value).fold((0.0f64, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
        assert!(low >= -most && high <= most && low < -0.95 * most && high > 0.95 * most, "{name}: {low} to {high}");
    }
    assert!(drawn.iter().all(|p| p.shift.0.fract() == 0.0 && p.shift.1.fract() == 0.0));
}

#[test]
fn elastic_deformation_equals_scipy() {
    let f = fixture("elastic");
    let config = ElasticTransformConfig {
        sigma: f["sigma"].as_f64().unwrap(),
        alpha: f["alpha"].as_f64().unwrap(),
        p_apply: 1.0,
    };
    let displacements = elastic::displacements(&tensor(&f["noise"]), &[true], &config).unwrap();
    assert_close("displacements", &displacements, &tensor(&f["displacements"]));
    let size = Size { height: 14, width: 11 };
    let images = pixels(&f["images"]);
    let got = warp::apply(&images, &[identity(size)], Some(&displacements), size, Border::Zeros).unwrap();
    assert_close("image", &got, &tensor(&f["expected"]));
    let none = elastic::displacements(&Tensor::zeros([0, 2, 4, 4], (Kind::Float, Device::Cpu)), &[false; 3], &config);
    assert_eq!(none.unwrap(), Tensor::zeros([3, 2, 4, 4], (Kind::Float, Device::Cpu)));
}

#[test]
fn borders_equal_scipys_and_padding_is_never_seen() {
    let f = fixture("borders");
    // The row stands at the upper left of a canvas that is white elsewhere.
    let row: Vec<u8> = counts(&f["row"]).into_iter().map(|v| v as u8).collect();
    let images = Tensor::full([1, 1, 3, 9], 255, (Kind::Uint8, Device::Cpu));
    images.narrow(2, 0, 1).narrow(3, 0, 5).copy_(&Tensor::from_slice(&row).view([1, 1, 1, 5]));
    for (name, border) in [("zeros", Border::Zeros), ("edge", Border::Edge), ("reflect", Border::Reflect)] {
        let read: Vec<f64> = floats(&f["places"])
            .into_iter()
            .map(|place| {
                let map = Map::scaling([1.0, 1.0], [place, 0.0]);
                let params = [warp::Params { size: Size { height: 1, width: 5 }, map }];
                let pixel = warp::apply(&images, &params, None, Size::square(1), border);
                f64::try_from(pixel.unwrap()).unwrap()
            })
            .collect();
        for (place, (got, expected)) in floats(&f["places"]).iter().zip(read.iter().zip(floats(&f[name]))) {
            assert!((got - expected).abs() < 1e-5, "{name} at {place}: {got} against {expected}");
        }
    }
}

#[test]
fn without_affine_map_and_elastic_deformation_the_one_resampling_is_the_crops() {
    let images = noise(3, 2, 12, 10);
    let params = [([1, 2, 6, 5], false), ([0, 0, 12, 10], true), ([3, 1, 4, 9], true)].map(|(b, flip)| Params {
        crop: crop(&b),
        flip,
        resized: Size { height: 16, width: 14 },
        window: (2, 1),
    });
    let output = Size { height: 11, width: 12 };
    let plain = resized_crop::apply(&images, &params, output, Interpolation::Bilinear).unwrap();
    let maps = params.map(|params| warp::Params { size: Size { height: 12, width: 10 }, map: params.map() });
    let warped = warp::apply(&images, &maps, None, output, Border::Edge).unwrap();
    // A crop knows nothing beyond its box; the warp reads the neighbours there.
    let inner = |t: &Tensor| t.narrow(2, 2, 7).narrow(3, 2, 8);
    assert_close("inside", &inner(&warped), &inner(&plain));
    assert_close("whole image", &warped.get(1), &plain.get(1));
}

#[test]
fn a_film_is_turned_then_cropped_then_flipped() {
    let config = AugmentationConfig {
        use_random_affine: true,
        random_affine: RandomAffineConfig {
            max_angle: 40.0,
            max_horizontal_shift: 0.1,
            max_vertical_shift: 0.1,
            max_shear: 20.0,
            border: Border::Zeros,
        },
        use_random_crop: true,
        random_crop: RandomCropConfig { scale: [0.3, 0.6], ..Default::default() },
        use_random_horizontal_flip: true,
        random_horizontal_flip: HorizontalFlipConfig { prob: 1.0 },
        normalize: NormalizeChoice::None,
        ..Default::default()
    };
    // One smooth bright spot off the centre, so that resampling twice hardly differs from resampling once.
    let size = Size { height: 96, width: 72 };
    let axis = |n: usize, centre: f64, wide: f64| {
        ((Tensor::arange(n as i64, (Kind::Float, Device::Cpu)) - centre) / wide).square() * -0.5
    };
    let spot = (axis(size.height, 40.0, 18.0).view([96, 1]) + axis(size.width, 30.0, 10.0)).exp();
    let image = (spot * 65535.0).to_kind(Kind::Int).view([1, 1, 96, 72]);
    let turned = |image: &Tensor, turn: &random_affine::Params| {
        let map = random_affine::inverse(turn, size);
        warp::apply(image, &[warp::Params { size, map }], None, size, Border::Zeros).unwrap()
    };
    let deep = |image: Tensor| (image * 65535.0).round().to_kind(Kind::Int);
    let cropped = |image: &Tensor, crop: CropBox, to: Size| {
        resized_crop::apply(image, &[Params::whole(crop, false, to)], to, Interpolation::Bilinear).unwrap()
    };
    let preprocess = PreprocessConfig { resize: Some(48), expand_channels: false, ..Default::default() };
    let views = Views::new(&config, &preprocess, 1, size, None).unwrap();
    let (mut right, mut wrong) = (0.0f64, f64::INFINITY);
    for id in 0..20 {
        let got = views.crop(&whole(&image), &[id], KEY).unwrap();
        let turn = random_affine::draw(&mut Draws::new(KEY, "affine").sample(id), &config.random_affine, size);
        let crop = resized_crop::draw(&mut Draws::new(KEY, "crop").sample(id), &config.random_crop, size);
        let mean = |expected: Tensor| f64::try_from((expected.flip([3]) - &got).abs().mean(Kind::Double)).unwrap();
        right = right.max(mean(cropped(&deep(turned(&image, &turn)), crop, Size::square(48))));
        let first_cropped = deep(cropped(&image, crop, size));
        wrong = wrong.min(mean(cropped(&deep(turned(&first_cropped, &turn)), CropBox::whole(size), Size::square(48))));
        wrong = wrong.min(mean(cropped(&deep(turned(&image.flip([3]), &turn)), crop, Size::square(48)).flip([3])));
    }
    assert!(right < 0.004 && wrong > 0.01, "in the right order {right}, in others {wrong}");
}

#[test]
fn a_reduced_image_is_read_without_aliasing() {
    // A chessboard is grey from afar; read pixel by pixel it would be black or white.
    let n = 60i64;
    let places = Tensor::arange(n, (Kind::Int64, Device::Cpu));
    let board = (places.view([n, 1]) + &places).remainder(2).to_kind(Kind::Uint8) * 255;
    let crop = Params::whole(crop(&[0, 0, 60, 60]), false, Size::square(15));
    let turn = random_affine::Params { angle: 20.0, ..Default::default() };
    let map = random_affine::inverse(&turn, Size::square(60)).after(&crop.map());
    let params = [warp::Params { size: Size::square(60), map }];
    let view = warp::apply(&board.view([1, 1, n, n]), &params, None, Size::square(15), Border::Reflect).unwrap();
    assert!(f64::try_from((view - 0.5).abs().max()).unwrap() < 0.02);
}

#[test]
fn gamma_and_erasing_equal_torchvision() {
    let f = fixture("gamma_erasing");
    let images = unit(&pixels(&f["images"]));
    let got = gamma::apply(images.narrow(1, 0, 1).copy(), &floats(&f["exponents"])).unwrap();
    assert_close("gamma", &got, &tensor(&f["gamma"]));
    let boxes = f["boxes"].as_array().unwrap().iter().map(|b| (!b.is_null()).then(|| crop(&counts(b))));
    let erased = random_erasing::apply(images, &boxes.collect::<Vec<_>>()).unwrap();
    assert_close("erasing", &erased, &tensor(&f["erased"]));
}

#[test]
fn exponents_stay_in_their_range_and_operations_happen_with_their_probabilities() {
    let gammas = GammaConfig { scale: [0.5, 1.5] };
    let draws = Draws::new(KEY, "gamma");
    let drawn = (0..4000).map(|id| gamma::draw(&mut draws.sample(id), &gammas));
    let (low, high, sum) = drawn.fold((f64::MAX, f64::MIN, 0.0), |(l, h, sum), v| (v.min(l), v.max(h), sum + v));
    assert!((0.5..0.51).contains(&low) && (1.49..=1.5).contains(&high), "{low} to {high}");
    // Five standard errors of the mean of 4000 numbers that are uniform over 1.
    assert!((sum / 4000.0 - 1.0).abs() < 5.0 * (1.0f64 / 12.0 / 4000.0).sqrt(), "{sum}");
    for p in [0.0, 0.3, 1.0] {
        let deformed = ElasticTransformConfig { p_apply: p, ..Default::default() };
        assert_frequency("elastic", p, |s| elastic::draw(s, &deformed));
        let noisy = GaussianNoiseConfig { p_apply: p, ..Default::default() };
        assert_frequency("noise", p, |s| gaussian_noise::draw(s, &noisy));
        let erased = RandomErasingConfig { prob: p, ..Default::default() };
        assert_frequency("erasing", p, |s| random_erasing::draw(s, &erased, Size::square(64)).is_some());
    }
}

#[test]
fn erased_boxes_have_torchvisions_statistics_and_stay_inside() {
    const N: usize = 20_000;
    for case in fixture("erasing_statistics").as_array().unwrap() {
        let size = counts(&case["size"]);
        let pair = |key: &str| <[f64; 2]>::try_from(floats(&case[key])).unwrap();
        let config = RandomErasingConfig { scale: pair("scale"), ratio: pair("ratio"), prob: 1.0 };
        let draws = Draws::new(KEY, "erasing");
        let mut sums = [0.0; 5];
        for id in 0..N {
            let b = random_erasing::draw(&mut draws.sample(id as i64), &config, (size[0], size[1]).into()).unwrap();
            assert!(b.top + b.height <= size[0] && b.left + b.width <= size[1], "{b:?}");
            let area = (b.height * b.width) as f64 / (size[0] * size[1]) as f64;
            let values = [area, b.height as f64, b.width as f64, b.top as f64, b.left as f64];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value / N as f64);
        }
        for (i, (mean, std)) in floats(&case["mean"]).into_iter().zip(floats(&case["std"])).enumerate() {
            let tolerance = 5.0 * std * (2.0 / N as f64).sqrt() + 1e-4;
            assert!((sums[i] - mean).abs() < tolerance, "{size:?}, {i}: {} against {mean}", sums[i]);
        }
    }
}

#[test]
fn noise_is_standard_normal_differs_by_sample_and_is_clamped() {
    let draws = Draws::new(KEY, "noise-field");
    let numbers = gaussian_noise::noise(&mut [4, 11].map(|id| draws.sample(id)), 100 * 100);
    let field = Tensor::from_slice(&numbers).view([2, 1, 100, 100]);
    assert_ne!(field.get(0), field.get(1));
    let mean = f64::try_from(field.mean(Kind::Double)).unwrap();
    let fourth = f64::try_from(field.pow_tensor_scalar(4).mean(Kind::Double)).unwrap();
    let std = f64::try_from(field.std(true)).unwrap();
    // Standard errors of 20 000 numbers: 0.0071, 0.005 and 0.069.
    assert!(mean.abs() < 0.04 && (std - 1.0).abs() < 0.025 && (fourth - 3.0).abs() < 0.35, "{mean} {std} {fourth}");
    let images = Tensor::full([3, 1, 100, 100], 0.5, (Kind::Float, Device::Cpu));
    let noisy = gaussian_noise::apply(images.copy(), &[true, false, true], &numbers, 0.3).unwrap();
    assert_eq!(noisy.get(1), images.get(1));
    let expected = (field.get(1) * 0.3 + 0.5).clamp(0.0, 1.0);
    assert_close("noise", &noisy.get(2), &expected);
}

/// What [`Views::eval`] makes of grey images as they are, in levels of 8 bits.
fn levels(preprocess: PreprocessConfig, images: &Images) -> Tensor {
    let plain = AugmentationConfig { normalize: NormalizeChoice::None, ..Default::default() };
    let size = size_of(&images.pixels);
    let preprocess = PreprocessConfig { expand_channels: false, ..preprocess };
    Views::new(&plain, &preprocess, 1, size, None).unwrap().eval(images).unwrap() * 255.0
}

fn clahe(tiles: usize, clip_limit: f64) -> PreprocessConfig {
    PreprocessConfig { use_clahe: true, clahe: ClaheConfig { clip_limit, tiles }, ..Default::default() }
}

fn rows(value: &Value, shape: &[i64]) -> Tensor {
    let values: Vec<f64> = value.as_array().unwrap().iter().flat_map(floats).collect();
    Tensor::from_slice(&values).to_kind(Kind::Float).view(shape)
}

#[test]
fn equalisation_equals_opencv() {
    let f = fixture("equalisation");
    let images = whole(&pixels(&f["images"]));
    let shape = images.pixels.size();
    let equalize = PreprocessConfig { use_histogram_equalization: true, ..Default::default() };
    assert!(f64::try_from((levels(equalize, &images) - rows(&f["histogram"], &shape)).abs().max()).unwrap() < 0.01);
    for case in f["clahe"].as_array().unwrap() {
        let preprocess = clahe(case["tiles"].as_u64().unwrap() as usize, case["clip_limit"].as_f64().unwrap());
        let difference = (levels(preprocess, &images) - rows(&case["expected"], &shape)).abs();
        // OpenCV blends in float32, so a value halfway between two levels, of which there are many, may fall on either.
        assert!(f64::try_from(difference.max()).unwrap() < 1.01, "{case}");
        assert!(f64::try_from(difference.gt(0.01).to_kind(Kind::Float).mean(Kind::Float)).unwrap() < 0.01);
    }
}

#[test]
fn equalisation_looks_at_each_image_alone_and_not_at_its_padding() {
    let small = noise(1, 1, 9, 7);
    let canvas = Tensor::full([2, 1, 16, 12], 255, (Kind::Uint8, Device::Cpu));
    canvas.narrow(0, 0, 1).narrow(2, 0, 9).narrow(3, 0, 7).copy_(&small);
    let both = Images { pixels: canvas, sizes: Some([(9, 7), (16, 12)].map(Size::from).to_vec()) };
    for preprocess in
        [PreprocessConfig { use_histogram_equalization: true, ..Default::default() }, clahe(3, 2.0), clahe(8, 2.0)]
    {
        let preprocess = PreprocessConfig { resize: Some(5), ..preprocess };
        let alone = levels(preprocess.clone(), &whole(&small)) / 255.0;
        assert_close("on the canvas", &(levels(preprocess, &both).narrow(0, 0, 1) / 255.0), &alone);
    }
}

fn everything() -> AugmentationConfig {
    AugmentationConfig {
        use_random_affine: true,
        random_affine: RandomAffineConfig {
            max_angle: 90.0,
            max_horizontal_shift: 0.2,
            max_vertical_shift: 0.1,
            max_shear: 20.0,
            border: Border::Reflect,
        },
        use_random_crop: true,
        random_crop: RandomCropConfig { scale: [0.2, 1.0], ..Default::default() },
        use_random_horizontal_flip: true,
        use_elastic_transform: true,
        use_gamma_transform: true,
        use_random_color: true,
        random_color: RandomColorConfig { brightness: 0.4, contrast: 0.4, ..Default::default() },
        use_random_erasing: true,
        add_gaussian_noise: true,
        normalize: NormalizeChoice::None,
        ..Default::default()
    }
}

fn film_views(config: &AugmentationConfig) -> Views {
    let preprocess = PreprocessConfig { resize: Some(12), center_crop_size: Some(10), ..Default::default() };
    Views::new(config, &preprocess, 1, Size::square(32), None).unwrap()
}

#[test]
fn a_film_view_is_the_same_alone_in_another_order_and_in_a_larger_batch() {
    let views = film_views(&everything());
    let images = noise(20, 1, 32, 32);
    let ids: Vec<i64> = (50..70).collect();
    let batch = views.crop(&whole(&images), &ids, KEY).unwrap();
    assert_eq!(batch.size(), [20, 3, 10, 10]);
    assert_eq!(batch.narrow(1, 0, 1), batch.narrow(1, 2, 1), "a grey image is repeated");
    let backwards: Vec<i64> = ids.iter().rev().copied().collect();
    assert_eq!(views.crop(&whole(&images.flip([0])), &backwards, KEY).unwrap().flip([0]), batch);
    for i in 0..20 {
        let alone = views.crop(&whole(&images.narrow(0, i, 1)), &ids[i as usize..][..1], KEY).unwrap();
        assert_eq!(alone, batch.narrow(0, i, 1), "sample {i}");
    }
    assert_ne!(views.crop(&whole(&images), &ids, ViewKey { epoch: 7, ..KEY }).unwrap(), batch);
}

#[test]
fn an_image_on_a_larger_canvas_gives_the_views_that_it_gives_alone() {
    let sizes = [(20, 13), (9, 24), (24, 24)].map(Size::from);
    let canvas = Tensor::full([3, 1, 24, 24], 255, (Kind::Uint8, Device::Cpu));
    let originals: Vec<Tensor> = sizes.iter().map(|size| noise(1, 1, size.height as i64, size.width as i64)).collect();
    for (i, original) in originals.iter().enumerate() {
        let (h, w) = (original.size()[2], original.size()[3]);
        canvas.narrow(0, i as i64, 1).narrow(2, 0, h).narrow(3, 0, w).copy_(original);
    }
    let together = Images { pixels: canvas, sizes: Some(sizes.to_vec()) };
    let crop_only = AugmentationConfig { use_random_affine: false, use_elastic_transform: false, ..everything() };
    let affine_only = AugmentationConfig { use_random_crop: false, ..everything() };
    for config in [everything(), crop_only, affine_only] {
        let views = film_views(&config);
        let batch = views.crop(&together, &[1, 2, 3], KEY).unwrap();
        let eval = views.eval(&together).unwrap();
        for (i, original) in originals.iter().enumerate() {
            let place = i as i64;
            let alone = views.crop(&whole(original), &[place + 1], KEY).unwrap();
            assert_close("train", &batch.narrow(0, place, 1), &alone);
            assert_close("eval", &eval.narrow(0, place, 1), &views.eval(&whole(original)).unwrap());
        }
    }
}

#[test]
fn sixteen_bits_give_the_views_of_eight_and_keep_what_lies_between() {
    let images = noise(4, 1, 32, 32);
    // 257 · v of 65535 is v of 255.
    let deep = images.to_kind(Kind::Int) * 257;
    let crop_only = AugmentationConfig { use_random_affine: false, use_elastic_transform: false, ..everything() };
    for config in
        [everything(), crop_only, AugmentationConfig { normalize: NormalizeChoice::None, ..Default::default() }]
    {
        let views = film_views(&config);
        let ids = [1, 2, 3, 4];
        let eight = views.crop(&whole(&images), &ids, KEY).unwrap();
        assert_close("train", &views.crop(&whole(&deep), &ids, KEY).unwrap(), &eight);
        assert_close("eval", &views.eval(&whole(&deep)).unwrap(), &views.eval(&whole(&images)).unwrap());
    }
    let faint = Tensor::full([1, 1, 32, 32], 100, (Kind::Int, Device::Cpu));
    let plain = film_views(&AugmentationConfig { normalize: NormalizeChoice::None, ..Default::default() });
    let value = f64::try_from(plain.eval(&whole(&faint)).unwrap().max()).unwrap();
    assert!((value - 100.0 / 65535.0).abs() < 1e-7, "{value}");
}

#[test]
fn sizes_that_do_not_fit_the_canvas_are_an_error() {
    let views = film_views(&everything());
    for sizes in [vec![(8, 9)], vec![(8, 9), (0, 3)], vec![(33, 3), (4, 4)]] {
        let images = Images { pixels: noise(2, 1, 32, 32), sizes: Some(sizes.into_iter().map(Size::from).collect()) };
        let error = views.eval(&images).unwrap_err().to_string();
        assert!(error.contains("2 images on a canvas of (32, 32) have the sizes"), "{error}");
    }
}

#[test]
fn the_second_view_follows_its_own_settings_and_otherwise_the_firsts() {
    let Value::Object(view2) = json!({"use_solarize": true, "solarize": {"prob": 1.0, "threshold": 0.0}}) else {
        unreachable!()
    };
    let base = AugmentationConfig {
        use_random_crop: true,
        random_crop: RandomCropConfig { scale: [0.5, 0.5], ..Default::default() },
        normalize: NormalizeChoice::None,
        ..Default::default()
    };
    let (same, own) = (film_views(&base), film_views(&AugmentationConfig { view2, ..base }));
    let images = whole(&noise(4, 1, 32, 32));
    let ids = [1, 2, 3, 4];
    let second = ViewKey { purpose: Purpose::View(1), ..KEY };
    assert_eq!(own.crop(&images, &ids, KEY).unwrap(), same.crop(&images, &ids, KEY).unwrap());
    let inverted = 1.0 - same.crop(&images, &ids, second).unwrap();
    assert_close("second view", &own.crop(&images, &ids, second).unwrap(), &inverted);
}
