use super::*;
use selfsame_plugin_api::ErrorKind;
use serde_json::Value;
use std::{collections::HashSet, sync::LazyLock};

fn request(options: Value) -> DatasetRequest {
    DatasetRequest { name: "shapes".into(), dataset_dir: None, cache_dir: "unused".into(), options }
}

fn samples(options: Value, split: Split) -> Box<dyn Samples> {
    create(&request(options)).unwrap().open(split).unwrap()
}

/// The splits at default options, drawn once for all tests.
static TRAIN: LazyLock<Box<dyn Samples>> = LazyLock::new(|| samples(Value::Null, Split::Train));
static VAL: LazyLock<Box<dyn Samples>> = LazyLock::new(|| samples(Value::Null, Split::Val));
static TEST: LazyLock<Box<dyn Samples>> = LazyLock::new(|| samples(Value::Null, Split::Test));

fn labels(samples: &dyn Samples) -> Vec<usize> {
    match samples.targets() {
        Targets::Classes(labels) => labels.into_iter().map(|label| label as usize).collect(),
        other => panic!("not class labels: {other:?}"),
    }
}

fn pixels(options: Value, split: Split, indices: &[usize]) -> Vec<Vec<u8>> {
    samples(options, split).read(indices).unwrap().into_iter().map(|image| image.data).collect()
}

/// CRC-32 (reflected, polynomial 0xEDB88320), written out.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn the_first_images_never_change() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    let first = pixels(json!({ "train_size": 10 }), Split::Train, &[0, 1, 2, 3]);
    assert_eq!(crc32(&first.concat()), 4_178_107_580);
    assert_eq!(labels(TEST.as_ref())[..10], [4, 9, 2, 7, 8, 3, 4, 8, 7, 5]);
}

#[test]
fn a_sample_depends_on_the_seed_but_not_on_what_is_read_with_it() {
    let small = json!({ "train_size": 20 });
    let both = pixels(small.clone(), Split::Train, &[3, 4]);
    assert_eq!(both[1], pixels(small, Split::Train, &[4])[0]);
    let other = json!({ "train_size": 20, "seed": 1 });
    assert_ne!(both, pixels(other.clone(), Split::Train, &[3, 4]));
    assert_ne!(labels(samples(other, Split::Val).as_ref()), labels(VAL.as_ref()));
}

#[test]
fn labels_are_balanced_and_shuffled() {
    for (samples, expected) in [(&TRAIN, 6000), (&VAL, 1000), (&TEST, 1000)] {
        let labels = labels(samples.as_ref());
        assert_eq!((samples.len(), labels.len()), (expected, expected));
        for class in 0..10 {
            assert_eq!(labels.iter().filter(|&&label| label == class).count(), expected / 10);
        }
        let in_order = labels.iter().enumerate().filter(|(index, label)| index % 10 == **label).count();
        assert!(in_order < expected / 5, "{in_order} labels of {expected} stand where they were before the shuffle");
    }
}

#[test]
fn no_image_occurs_twice_in_any_split() {
    let mut seen = HashSet::new();
    for samples in [&TRAIN, &VAL, &TEST] {
        for image in samples.block().unwrap().chunks(3 * 32 * 32) {
            assert!(seen.insert(image.to_vec()));
        }
    }
    assert_eq!(seen.len(), 8000);
}

#[test]
fn the_block_holds_what_is_read() {
    let samples = samples(json!({ "train_size": 12 }), Split::Train);
    let read: Vec<u8> = samples.read(&(0..12).collect::<Vec<_>>()).unwrap().into_iter().flat_map(|i| i.data).collect();
    assert_eq!(samples.block().unwrap(), read);
}

#[test]
fn the_size_option_scales_the_same_pictures() {
    let large = samples(json!({ "size": 64 }), Split::Val);
    assert!(large.block().is_none());
    for index in 0..20 {
        let image = &large.read(&[index]).unwrap()[0];
        assert_eq!((image.channels, image.height, image.width, image.data.len()), (3, 64, 64, 3 * 64 * 64));
        // Mean of 2×2 pixels against the small rendering: equal up to noise and edges.
        let reference = &VAL.read(&[index]).unwrap()[0].data;
        let error: f64 = reference
            .iter()
            .enumerate()
            .map(|(place, &value)| {
                let (channel, row, column) = (place / 1024, place / 32 % 32, place % 32);
                let at = |y: usize, x: usize| f64::from(image.data[(channel * 64 + 2 * row + y) * 64 + 2 * column + x]);
                ((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0 - f64::from(value)).abs()
            })
            .sum();
        assert!(error / 3072.0 < 8.0, "sample {index} differs by {} of 255", error / 3072.0);
    }
}

#[test]
fn the_mean_colour_says_nothing_about_the_class() {
    let mean_colours = |samples: &dyn Samples| -> Vec<(usize, [f64; 3])> {
        let images = samples.block().unwrap().chunks(3 * 1024);
        let colour = |image: &[u8]| {
            std::array::from_fn(|c| image[c * 1024..(c + 1) * 1024].iter().map(|&v| f64::from(v)).sum::<f64>() / 1024.0)
        };
        labels(samples).into_iter().zip(images.map(colour)).collect()
    };
    let mut class_means = [[0.0; 3]; 10];
    for (label, colour) in mean_colours(TRAIN.as_ref()) {
        for channel in 0..3 {
            class_means[label][channel] += colour[channel] / 600.0;
        }
    }
    let distance = |a: [f64; 3], b: [f64; 3]| (0..3).map(|channel| (a[channel] - b[channel]).powi(2)).sum::<f64>();
    let test = mean_colours(TEST.as_ref());
    let nearest =
        |colour| (0..10).min_by(|&a, &b| distance(class_means[a], colour).total_cmp(&distance(class_means[b], colour)));
    let right = test.iter().filter(|(label, colour)| nearest(*colour) == Some(*label)).count();
    // Chance is 100 of 1000, with a standard deviation of 9.5.
    assert!((60..=140).contains(&right), "{right} of 1000");
}

#[test]
fn the_card_states_the_training_splits_statistics() {
    let stated = card("shapes").normalization.unwrap();
    for channel in 0..3 {
        let planes = TRAIN.block().unwrap().chunks(1024).skip(channel).step_by(3);
        let values: Vec<f64> = planes.flatten().map(|&value| f64::from(value) / 255.0).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        assert!((stated.mean[channel] - mean).abs() < 5e-5, "mean of channel {channel}: {mean}");
        assert!((stated.std[channel] - std).abs() < 5e-5, "standard deviation of channel {channel}: {std}");
    }
}

#[test]
fn rejects_wrong_options_by_name() {
    for (options, name) in [
        (json!({ "train_size": 9 }), "train_size"),
        (json!({ "train_size": 100_001 }), "train_size"),
        (json!({ "size": 15 }), "size"),
        (json!({ "size": 257 }), "size"),
        (json!({ "seed": -1 }), "seed"),
        (json!({ "size": "large" }), "size"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let error = create(&request(options.clone())).err().unwrap_or_else(|| panic!("{options} was accepted"));
        assert_eq!(error.kind, ErrorKind::Configuration);
        assert!(error.message.contains(&format!("`{name}`")), "{error}");
    }
}

#[test]
fn rejects_a_sample_that_does_not_exist() {
    let error = samples(json!({ "train_size": 10 }), Split::Train).read(&[0, 10]).unwrap_err();
    assert!(error.message.contains("sample 10 of `train`"), "{error}");
}

#[test]
fn without_labels_the_images_stay_and_the_card_has_no_classes() {
    let unlabelled = json!({ "train_size": 10, "labels": false });
    assert_eq!(samples(unlabelled.clone(), Split::Train).targets(), Targets::None);
    assert_eq!(pixels(unlabelled.clone(), Split::Train, &[3]), pixels(json!({ "train_size": 10 }), Split::Train, &[3]));
    let card = create(&request(unlabelled)).unwrap().card().unwrap().unwrap();
    assert_eq!((card.task, card.classes.len()), (selfsame_plugin_api::Task::None, 0));
    let card = create(&request(Value::Null)).unwrap().card().unwrap().unwrap();
    assert_eq!((card.task, card.nominal_size), (selfsame_plugin_api::Task::Multiclass, (NOMINAL_SIZE, NOMINAL_SIZE)));
    let card = create(&request(json!({ "size": 128 }))).unwrap().card().unwrap().unwrap();
    assert_eq!(card.nominal_size, (128, 128));
}
