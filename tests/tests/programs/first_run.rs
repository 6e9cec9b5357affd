//! `selfsame init`: from a folder of any kind to a run file that trains as it is.

use image::{GrayImage, Luma, Rgb, RgbImage};
use selfsame_tests::dicom::{self, Stored};
use selfsame_tests::{Ran, Sandbox, metrics};
use std::path::Path;

/// Grey or coloured images of 16×16 pixels: bright or dark squares by their number.
fn write_image(path: &Path, number: usize, is_coloured: bool) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let level = |x: u32, y: u32| {
        let noise = (x * 31 + y * 17 + number as u32 * 7).wrapping_mul(2_654_435_761) >> 27;
        let base = if (4..12).contains(&x) && number % 2 == 1 { 180 } else { 40 };
        base + noise as u8
    };
    match is_coloured {
        true => RgbImage::from_fn(16, 16, |x, y| Rgb([level(x, y), level(y, x), 90])).save(path).unwrap(),
        false => GrayImage::from_fn(16, 16, |x, y| Luma([level(x, y)])).save(path).unwrap(),
    }
}

fn images(sandbox: &Sandbox, is_coloured: bool, names: impl Iterator<Item = String>) {
    for (number, name) in names.enumerate() {
        write_image(&sandbox.path("images").join(name), number, is_coloured);
    }
}

/// A DICOM file of each number; two of a patient.
fn dicom_files(sandbox: &Sandbox, count: usize) {
    std::fs::create_dir_all(sandbox.path("images/scans")).unwrap();
    for number in 0..count {
        let pixels: Vec<u8> = (0..256).map(|pixel| (pixel * 7 + number * 31) as u8).collect();
        let file = dicom::file(&format!("P{}", number / 2), (16, 16), &Stored::Plain(&pixels));
        std::fs::write(sandbox.path("images/scans").join(format!("{number}.dcm")), file).unwrap();
    }
}

/// The written file and what was printed. Every value has its reason, the file is valid, and it trains.
fn first_run(sandbox: &Sandbox) -> (String, Ran) {
    let ran = sandbox.run("init images --minutes 1").succeeded();
    assert!(ran.stdout.contains("selfsame train --config images.yaml"), "{}", ran.stdout);
    let yaml = std::fs::read_to_string(sandbox.path("images.yaml")).unwrap();
    let lines: Vec<&str> = yaml.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let is_value = line.contains(": ") && !line.trim_start().starts_with('#');
        let has_reason = line.contains(" # ") || lines[at.saturating_sub(1)].trim_start().starts_with('#');
        assert!(!is_value || has_reason, "no reason: {line}\n{yaml}");
        assert!(line.chars().count() <= 110 || line.contains("dataset_dir"), "too long: {line}");
    }
    sandbox.run("config check --config images.yaml").succeeded();
    sandbox.run("train --config images.yaml --set scheduler.epochs=1").succeeded();
    assert!(sandbox.path("runs/images/encoder.safetensors").exists());
    (yaml, ran)
}

fn scores_of(sandbox: &Sandbox, name: &str) -> bool {
    metrics(&sandbox.path("runs/images")).iter().any(|line| line["metrics"].get(name).is_some())
}

#[test]
fn class_folders_are_read_with_their_labels_and_grey_ones_as_films() {
    let sandbox = Sandbox::new();
    images(
        &sandbox,
        false,
        (0..48).map(|i| format!("{}/{}/{i}.png", ["train", "test"][i / 40], ["ill", "well"][i % 2])),
    );
    let (yaml, ran) = first_run(&sandbox);
    for part in ["name: ImageFolder", "resize: 16", "max_angle: 15", "encoder_name: resnet8", "expand_channels: false"]
    {
        assert!(yaml.contains(part), "{part} is not in\n{yaml}");
    }
    for part in ["48, read by ImageFolder", "train 40, test 8", "ill 24 (50 %), well 24 (50 %)", "height 16, width 16"]
    {
        assert!(ran.stdout.contains(part), "{part} is not in\n{}", ran.stdout);
    }
    assert!(scores_of(&sandbox, "knn/val/auroc"), "no kNN");
}

#[test]
fn photographs_without_labels_train_without_scores() {
    let sandbox = Sandbox::new();
    images(&sandbox, true, (0..30).map(|i| format!("{i}.png")));
    let (yaml, ran) = first_run(&sandbox);
    assert!(yaml.contains("use_random_grayscale: true") && !yaml.contains("knn:"), "{yaml}");
    assert!(ran.stdout.contains("labels      none"), "{}", ran.stdout);
}

#[test]
fn a_list_gives_labels_splits_and_patients() {
    let sandbox = Sandbox::new();
    images(&sandbox, false, (0..44).map(|i| format!("files/{i}.png")));
    let row = |i: usize| {
        let split = if i < 32 { "train" } else { "test" };
        format!("{},files/{i}.png,{},{split},p{}\n", i + 100, ["well", "ill"][i % 2], i / 4)
    };
    let rows: String = (0..40).map(row).collect();
    sandbox.write(
        "images/list.csv",
        &format!("no,file,diagnosis,set,patient_id\n{rows}900,files/none.png,ill,test,p99\n"),
    );
    let (yaml, ran) = first_run(&sandbox);
    for part in [
        "csv: list.csv",
        "path_column: file",
        "label_column: diagnosis",
        "split_column: set",
        "group_column: patient_id",
        "missing: skip",
    ] {
        assert!(yaml.contains(part), "{part} is not in\n{yaml}");
    }
    assert!(ran.stdout.contains("4 of 44 images are in no row of the list"), "{}", ran.stdout);
    assert!(ran.stdout.contains("patients    10, the largest with 4 images"), "{}", ran.stdout);
}

#[test]
fn dicom_files_train_by_patient_with_and_without_a_list() {
    let sandbox = Sandbox::new();
    dicom_files(&sandbox, 40);
    let (yaml, ran) = first_run(&sandbox);
    assert!(yaml.contains("name: DicomFolder") && !yaml.contains("label_column"), "{yaml}");
    assert!(ran.stdout.contains("patients    20, the largest with 2 images"), "{}", ran.stdout);

    let rows: String = (0..20).map(|patient| format!("P{patient};{}\n", ["no", "yes"][patient % 2])).collect();
    sandbox.write("images/labels.csv", &format!("Patient;Pneumonia\n{rows}"));
    sandbox.run("init images").failed(2, &["images.yaml", "--force"]);
    let before = std::fs::read_to_string(sandbox.path("images.yaml")).unwrap();
    assert_eq!(before, yaml, "the file was not replaced");
    let ran = sandbox.run("init images --minutes 1 --out labelled.yaml").succeeded();
    let yaml = std::fs::read_to_string(sandbox.path("labelled.yaml")).unwrap();
    for part in ["csv: labels.csv", "id_column: Patient", "label_column: Pneumonia", "output_dir: runs/labelled"] {
        assert!(yaml.contains(part), "{part} is not in\n{yaml}\n{}", ran.stdout);
    }
    sandbox.run("train --config labelled.yaml --set scheduler.epochs=1").succeeded();
}

#[test]
fn what_cannot_be_read_is_named_and_skipped_and_duplicates_are_counted() {
    let sandbox = Sandbox::new();
    images(&sandbox, true, (0..40).map(|i| format!("{}/{i}.png", ["cat", "dog"][i % 2])));
    std::fs::copy(sandbox.path("images/cat/0.png"), sandbox.path("images/cat/copy.png")).unwrap();
    let bytes = std::fs::read(sandbox.path("images/dog/7.png")).unwrap();
    std::fs::write(sandbox.path("images/dog/7.png"), &bytes[..bytes.len() / 2]).unwrap();
    let (yaml, ran) = first_run(&sandbox);
    assert!(yaml.contains("on_error: skip") && yaml.contains("dog/7.png"), "{yaml}");
    for part in ["unreadable  1 of 41 looked at", "dog/7.png", "cat/0.png, cat/copy.png"] {
        assert!(ran.stdout.contains(part), "{part} is not in\n{}", ran.stdout);
    }
    // It lies in the run's folder too, with the time.
    let log = std::fs::read_to_string(sandbox.path("runs/images/log.txt")).unwrap();
    assert!(log.lines().any(|line| line.contains("Z warning: ") && line.contains("dog/7.png")), "{log}");
}

#[test]
fn folders_that_hold_nothing_of_use_are_refused_with_what_to_do() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("empty")).unwrap();
    std::fs::create_dir_all(sandbox.path("notes")).unwrap();
    std::fs::create_dir_all(sandbox.path("one")).unwrap();
    sandbox.write("notes/a.txt", "nothing");
    write_image(&sandbox.path("one/a.png"), 1, false);
    for (folder, code, parts) in [
        ("none", 3, ["none", "no such folder"]),
        ("empty", 3, ["empty", "is empty"]),
        ("notes", 3, ["no image that", "DicomFolder or ImageFolder"]),
        ("notes/a.txt", 3, ["a.txt is a file", "name the folder"]),
        ("one", 3, ["1 images to learn from", "at least 3"]),
    ] {
        sandbox.run(&format!("init {folder}")).failed(code, &parts);
    }
    sandbox.run("init one --out nowhere/a.yaml").failed(2, &["nowhere", "no such folder"]);
    assert!(std::fs::read_dir(sandbox.path("")).unwrap().all(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        !name.ends_with(".yaml") && name != "runs"
    }));
}
