//! What could pass without a word: images without any difference, wherever they are read from, and odd classes of every reader.

use image::{GrayImage, Luma};
use selfsame_tests::dicom::{self, Stored};
use selfsame_tests::{Sandbox, repository};
use serde_json::Value;
use std::path::Path;

const SMALL: &str = "--set train.self_supervision.encoder_name=resnet8 --set train.batch_size=8 --set scheduler.epochs=1 \
                     --set method.projection.hidden_dim=16 --set method.projection.output_dim=8 --set train.device=cpu \
                     --set preprocess.resize=16 --set knn.k=1 --set data.val_fraction=0.25";

/// Of 16×16 pixels; those of every eighth image are all equal.
fn level(index: u32, x: u32, y: u32) -> u8 {
    if index.is_multiple_of(8) { 90 } else { ((x * 31 + y * 17 + index * 7).wrapping_mul(2_654_435_761) >> 24) as u8 }
}

fn films(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for index in 0..40 {
        let pixels: Vec<u8> = (0..256).map(|at| level(index, at % 16, at / 16)).collect();
        let file = dicom::file(&format!("p{index}"), (16, 16), &Stored::Plain(&pixels));
        std::fs::write(folder.join(format!("{index:02}.dcm")), file).unwrap();
    }
}

fn pictures(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for index in 0..40 {
        let image = GrayImage::from_fn(16, 16, |x, y| Luma([level(index, x, y)]));
        image.save(folder.join(format!("{index:02}.png"))).unwrap();
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn images_without_any_difference_are_counted_whether_they_are_decoded_or_kept() {
    let sandbox = Sandbox::new();
    films(&sandbox.path("films"));
    pictures(&sandbox.path("pictures"));
    let films = "--set dataset.name=DicomFolder --set dataset.dataset_dir=films";
    let pictures = "--set dataset.name=ImageFolder --set dataset.dataset_dir=pictures";
    let windows = format!("{films} --set dataset.options.windows=[[5000,100]]");
    let range = format!("{pictures} --set dataset.options.value_range=[300,4095]");
    let cases: [(&str, usize, &str); 4] = [
        (films, 5, "because of Pixel Data; leave the file out"),
        (&windows, 40, "because of dataset.options.windows; choose a window"),
        (pictures, 5, "because of the file's own pixels"),
        (&range, 40, "because of dataset.options.value_range"),
    ];
    for (number, (data, of_all, cause)) in cases.into_iter().enumerate() {
        // Decoded, then from the packed cache, then from disk.
        let mut said = Vec::new();
        for (place, more) in ["", "", "--set data.cache=disk"].into_iter().enumerate() {
            let ran =
                sandbox.run(&format!("train {data} {SMALL} {more} --output-dir run-{number}-{place}")).succeeded();
            let lines: Vec<String> = ran
                .stderr
                .lines()
                .filter(|line| line.starts_with("warning: ") && line.contains("equal pixels only"))
                .map(str::to_owned)
                .collect();
            // One line a split, and both together count all of them.
            let counted: usize = lines
                .iter()
                .map(|line| line.split(" of ").next().unwrap().rsplit(' ').next().unwrap().parse::<usize>().unwrap())
                .sum();
            assert!(counted == of_all && lines.len() <= 2, "{data}: {lines:?}");
            assert!(lines.iter().any(|line| line.contains(cause)), "{data}: {lines:?}");
            said.push(lines);
        }
        assert!(said.iter().all(|lines| *lines == said[0]), "{said:?}");
        let verify = sandbox.run(&format!("data verify {data}")).succeeded();
        let part = format!("train: {of_all} of 40 images have equal pixels only");
        assert!(verify.stderr.contains(&part) && verify.stderr.contains(cause), "{}", verify.stderr);
        let stats = json(&sandbox.run(&format!("data stats {data} --json")).succeeded().stdout);
        let facts = stats["data_sets"][0]["splits"]["train"]["facts"]["equal pixels as shown"].as_object().unwrap();
        let counts: Vec<u64> = facts.values().map(|count| count.as_u64().unwrap()).collect();
        assert_eq!(counts.iter().sum::<u64>(), of_all as u64, "{facts:?}");
        assert!(facts.keys().any(|said| said.starts_with(cause)), "{facts:?}");
    }
}

#[test]
fn images_of_16_bits_that_are_nearly_black_are_named_with_their_range() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("scans")).unwrap();
    let scans = "--set dataset.name=ImageFolder --set dataset.dataset_dir=scans";
    let verified = |brightest: u16, more: &str| {
        let level = |x: u32, y: u32| Luma([if x + y == 0 { brightest } else { (x * 20 + y) as u16 }]);
        for number in 0..3 {
            let path = sandbox.path(&format!("scans/{number}.png"));
            image::ImageBuffer::<Luma<u16>, Vec<u16>>::from_fn(16, 16, level).save(path).unwrap();
        }
        sandbox.run(&format!("data verify {scans} {more}")).succeeded().stderr
    };
    let said = verified(4000, "");
    assert!(said.contains("values up to 4000 of 65535") && said.contains("value_range to [0, 4095]"), "{said}");
    for (brightest, more) in [(4000, "--set dataset.options.value_range=[0,4095]"), (50_000, "")] {
        let said = verified(brightest, more);
        assert!(!said.contains("nearly black"), "{said}");
    }
}

#[test]
fn classes_without_an_image_are_named_by_every_reader() {
    let stripes = repository().join("tests/fixtures/stripes").display().to_string();
    let sandbox = Sandbox::new();
    let named = "--set dataset.options.classes=[level,upright,slanted]";
    for reader in ["Npz", "Parquet"] {
        let data = format!("--set dataset.name={reader} --set dataset.dataset_dir={stripes} {named}");
        let ran = sandbox.run(&format!("data verify {data}")).succeeded();
        let said = ran.stderr.matches("classes without any image: `slanted`").count();
        assert_eq!(said, 1, "{reader}: {}", ran.stderr);
    }
}
