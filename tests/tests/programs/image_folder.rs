//! Training on folders of images, and the presets of published lists.

use image::{GrayImage, Luma};
use selfsame_tests::{Ran, Sandbox, metrics, repository};
use std::path::Path;

/// Arguments that cut a run down to seconds.
const SMALL: &str = "--set dataset.dataset_dir=images --set train.self_supervision.encoder_name=resnet8 \
                     --set train.batch_size=8 --set scheduler.epochs=1 --set method.projection.hidden_dim=16 \
                     --set method.projection.output_dim=8 --set train.device=cpu --set knn.k=3 --set preprocess.resize=16";

/// Writes a 16×16 grey image: a dark or a bright square on noise that depends on `number`.
fn write_image(path: &Path, number: usize, is_bright: bool) {
    let noise = |x: u32, y: u32| ((x * 31 + y * 17 + number as u32 * 7).wrapping_mul(2_654_435_761) >> 26) as u8;
    let square = |x: u32, y: u32| (4..12).contains(&x) && (4..12).contains(&y);
    let image = GrayImage::from_fn(16, 16, |x, y| {
        let base = if square(x, y) { if is_bright { 180 } else { 20 } } else { 100 };
        Luma([base + noise(x, y)])
    });
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// A sandbox with images at these paths below `images`; those of every second number are bright.
fn with_images(names: impl Iterator<Item = String>) -> Sandbox {
    let sandbox = Sandbox::new();
    for (number, name) in names.enumerate() {
        write_image(&sandbox.path("images").join(name), number, number % 2 == 1);
    }
    sandbox
}

fn train(sandbox: &Sandbox, more: &str) -> Ran {
    sandbox.run(&format!("train {SMALL} {more} --output-dir run"))
}

fn split_sizes(sandbox: &Sandbox) -> serde_json::Value {
    let record = std::fs::read_to_string(sandbox.path("run/run.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&record).unwrap()["split_sizes"].clone()
}

fn class_folders() -> impl Iterator<Item = String> {
    (0..48).map(|i| format!("{}/{}/{i}.png", ["train", "test"][i / 40], ["dark", "bright"][i % 2]))
}

#[test]
fn two_folders_are_a_binary_task() {
    let sandbox = with_images(class_folders());
    train(&sandbox, "--set dataset.name=ImageFolder --set data.val_fraction=0.2").succeeded();
    assert_eq!(split_sizes(&sandbox)["train"], 32);
    assert_eq!(split_sizes(&sandbox)["val"], 8);
    let lines = metrics(&sandbox.path("run"));
    let scored = lines.iter().any(|line| line["metrics"]["online/val/auroc"].is_f64());
    assert!(scored, "no AUROC in {lines:?}");
}

#[test]
fn images_without_labels_train_without_a_head() {
    let sandbox = with_images((0..24).map(|i| format!("{i}.png")));
    train(&sandbox, "--set dataset.name=ImageFolder").succeeded();
    let lines = metrics(&sandbox.path("run"));
    assert!(lines.iter().any(|line| line["metrics"]["ssl/train/loss"].is_f64()), "{lines:?}");
    assert!(lines.iter().all(|line| line["metrics"].get("online/val/accuracy").is_none()), "{lines:?}");
}

#[test]
fn a_damaged_image_ends_the_run_with_its_name() {
    let sandbox = with_images(class_folders());
    let damaged = sandbox.path("images/train/bright/7.png");
    let bytes = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    train(&sandbox, "--set dataset.name=ImageFolder").failed(3, &["ImageFolder", "train/bright/7.png"]);
}

#[test]
fn options_and_folders_that_are_wrong_are_named() {
    let sandbox = with_images(class_folders());
    let fetch = |more: &str| sandbox.run(&format!("data fetch --set dataset.name=ImageFolder {more}"));
    fetch("").failed(2, &["ImageFolder", "dataset.dataset_dir"]);
    fetch("--set dataset.dataset_dir=none").failed(3, &["none", "no such folder"]);
    fetch("--set dataset.dataset_dir=images --set dataset.options.label_column=x").failed(2, &["label_column", "csv"]);
    fetch("--set dataset.dataset_dir=images --set dataset.options.chanels=1").failed(2, &["chanels", "channels"]);
}

fn preset(sandbox: &Sandbox, name: &str) -> Ran {
    let preset = repository().join("configs/datasets").join(name);
    train(sandbox, &format!("--config {}", preset.display()))
}

#[test]
fn the_nih_preset_reads_the_published_layout() {
    // 24 images of 12 patients in two of the packed folders; the last 3 patients are for testing.
    let name = |i: usize| format!("{:08}_{:03}.png", i / 2 + 1, i % 2);
    let sandbox = with_images((0..24).map(|i| format!("images_{:03}/images/{}", i / 12 + 1, name(i))));
    let findings = ["No Finding", "Effusion", "Effusion|Mass", "Pleural_Thickening"];
    let mut csv = String::from(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,\
         OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n",
    );
    for i in 0..24 {
        let labels = findings[i % 4];
        csv += &format!("{},{labels},{},{},058Y,M,PA,2682,2749,0.143,0.143,\n", name(i), i % 2, i / 2 + 1);
    }
    sandbox.write("images/Data_Entry_2017.csv", &csv);
    let list = |range: std::ops::Range<usize>| range.map(name).collect::<Vec<_>>().join("\n");
    sandbox.write("images/train_val_list.txt", &list(0..18));
    sandbox.write("images/test_list.txt", &list(18..24));
    preset(&sandbox, "nih_chestxray14.yaml").succeeded();
    // A tenth of 18 is 2, one whole patient.
    assert_eq!((&split_sizes(&sandbox)["train"], &split_sizes(&sandbox)["val"]), (&16.into(), &2.into()));
}

#[test]
fn the_chexpert_preset_reads_the_published_layout() {
    let name = |i: usize| {
        let (part, view) = (["train", "valid"][i / 20], ["view1_frontal", "view2_lateral"][i % 2]);
        format!("{part}/patient{:05}/study1/{view}.jpg", i / 2 + 1)
    };
    let sandbox = with_images((0..24).map(name));
    let header = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,\
                  Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,\
                  Fracture,Support Devices\n";
    let rows = |range: std::ops::Range<usize>| {
        let row = |i: usize| {
            let (view, edema) = (["Frontal", "Lateral"][i % 2], ["", "1.0", "-1.0", "0.0"][i / 2 % 4]);
            format!("CheXpert-v1.0-small/{},Male,61,{view},AP,,,1.0,,,{edema},,,0.0,,,,,1.0\n", name(i))
        };
        header.to_string() + &range.map(row).collect::<String>()
    };
    sandbox.write("images/train.csv", &rows(0..20));
    sandbox.write("images/valid.csv", &rows(20..24));
    preset(&sandbox, "chexpert.yaml").succeeded();
    // Ten frontal films, one of them for validation.
    assert_eq!((&split_sizes(&sandbox)["train"], &split_sizes(&sandbox)["val"]), (&9.into(), &1.into()));
}

#[test]
fn the_covid_preset_reads_the_list() {
    let sandbox = with_images((0..40).map(|i| format!("films/{i}.png")));
    let rows: String = (0..40).map(|i| format!("{},films/{i}.png,{}\n", i / 2, i / 2 % 4)).collect();
    sandbox.write("images/dataset.csv", &format!("subject,filepath,final_label\n{rows}"));
    preset(&sandbox, "covid.yaml").succeeded();
    assert_eq!((&split_sizes(&sandbox)["train"], &split_sizes(&sandbox)["val"]), (&36.into(), &4.into()));
    let lines = metrics(&sandbox.path("run"));
    assert!(lines.iter().any(|line| line["metrics"]["online/val/auroc"].is_f64()), "{lines:?}");
}

#[test]
fn a_run_whose_samples_changed_is_not_continued_and_its_evaluation_says_so() {
    let sandbox = with_images(class_folders());
    let folder = "--set dataset.name=ImageFolder --set data.val_fraction=0.2";
    train(&sandbox, folder).succeeded();
    write_image(&sandbox.path("images/train/dark/0-more.png"), 99, false);
    train(&sandbox, &format!("{folder} --set scheduler.epochs=2 --resume"))
        .failed(3, &["ImageFolder", "other samples", "--output-dir"]);
    let ran = sandbox.run("evaluate run --protocol knn --json").succeeded();
    assert!(ran.stderr.contains("other samples"), "{}", ran.stderr);
    assert!(ran.stdout.contains("samples=other than the run's"), "{}", ran.stdout);
    std::fs::remove_file(sandbox.path("images/train/dark/0-more.png")).unwrap();
    train(&sandbox, &format!("{folder} --set scheduler.epochs=2 --resume")).succeeded();
    train(&sandbox, &format!("{folder} --set scheduler.epochs=1 --resume"))
        .failed(2, &["scheduler.epochs", "2 epochs"]);
}

#[test]
fn a_cut_that_holds_nothing_out_is_said_and_the_test_split_stays_unseen() {
    let sandbox = with_images(class_folders());
    let ran = train(&sandbox, "--set dataset.name=ImageFolder --set data.val_fraction=0.01").succeeded();
    assert!(ran.stderr.contains("`data.val_fraction` = 0.01 holds out nothing of 40 samples"), "{}", ran.stderr);
    assert_eq!(split_sizes(&sandbox), serde_json::json!({"train": 40}));
    assert!(!ran.stdout.contains("test images"), "{}", ran.stdout);
}

#[test]
fn folders_with_equal_names_sizes_and_times_are_two_data_sets() {
    let sandbox = Sandbox::new();
    for (folder, value) in [("one", 10), ("other", 200)] {
        for number in 0..24 {
            let path = sandbox.path(folder).join(format!("{number}.bmp"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            GrayImage::from_pixel(16, 16, Luma([value])).save(&path).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(315_532_800);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        let small = SMALL.replace("dataset.dataset_dir=images", &format!("dataset.dataset_dir={folder}"));
        sandbox.run(&format!("train {small} --set dataset.name=ImageFolder --output-dir run-{folder}")).succeeded();
    }
    let loss = |folder: &str| metrics(&sandbox.path(&format!("run-{folder}"))).pop();
    assert_ne!(loss("one").unwrap()["metrics"], loss("other").unwrap()["metrics"]);
    let entries = sandbox.run("data cache list").succeeded();
    assert_eq!(entries.stdout.lines().count(), 2, "{}", entries.stdout);
}

#[test]
fn names_that_steer_a_terminal_are_shown_and_not_obeyed() {
    let evil = "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\r";
    let sandbox = with_images((0..24).map(|i| format!("train/{}/{i}.png", ["dark", evil][i % 2])));
    std::fs::write(sandbox.path("images/train/dark").join(format!("{evil}.png")), "no image").unwrap();
    sandbox.write("key.yaml", "\"\\e[2Jkey\": 1\n");
    sandbox.write("value.yaml", "dataset: {name: \"\\e[2J\\x9B\"}\n");
    let set = "--set dataset.name=ImageFolder --set dataset.dataset_dir=images";
    let commands = [
        format!("data verify {set}"),
        format!("data stats {set}"),
        format!("data stats --json {set}"),
        format!("train {SMALL} --set dataset.name=ImageFolder --output-dir run"),
        format!("train {SMALL} --set dataset.name=ImageFolder --set data.on_error=skip --output-dir skipped"),
        "config check --config key.yaml".to_owned(),
        "train --config value.yaml".to_owned(),
        format!("config check --set {}=1", "\u{1b}[2Jkey"),
        format!("doctor {}", "\u{1b}[2J"),
    ];
    for command in commands {
        let ran = sandbox.run(&command);
        let text = ran.stdout.clone() + &ran.stderr;
        let raw = |c: char| (c.is_control() && !"\n\t".contains(c)) || c == '\u{202e}';
        assert!(!text.contains(raw), "{command:?}: {text:?}");
        // Log lines have been escaped once before.
        assert!(text.contains(r"\u001b") || text.contains(r"\x1b"), "{command:?}: {text}");
        if command.contains("--json") {
            let stats: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            assert!(stats.to_string().contains("pwned"), "{stats}");
        }
    }
}

#[test]
fn new_images_are_embedded_and_prepared_as_the_runs_own() {
    let sandbox = with_images(class_folders());
    train(&sandbox, "--set dataset.name=ImageFolder --set preprocess.expand_channels=false").succeeded();
    std::fs::create_dir(sandbox.path("new")).unwrap();
    for (own, new) in [("train/dark/0.png", "b.png"), ("test/bright/41.png", "a.png")] {
        std::fs::copy(sandbox.path("images").join(own), sandbox.path("new").join(new)).unwrap();
    }
    sandbox.run("embed run --on new --out new.npy").succeeded();
    let ids: Vec<String> = std::fs::read_to_string(sandbox.path("new.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["a.png", "b.png"]);

    // Images of the encoder's own size stay as they are: what it sees is their values, from 0 to 1.
    let said = sandbox.run("embed run --on new --inputs --out seen.npy").succeeded();
    assert!(said.stdout.contains("2 inputs of length 256"), "{}", said.stdout);
    let bytes = std::fs::read(sandbox.path("seen.npy")).unwrap();
    let numbers = &bytes[bytes.len() - 2 * 256 * 4..];
    let seen = numbers.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    let pixels = ["a.png", "b.png"].map(|name| image::open(sandbox.path("new").join(name)).unwrap().into_luma8());
    let expected = pixels.iter().flat_map(|image| image.as_raw()).map(|&value| f32::from(value) / 255.0);
    for (seen, expected) in seen.zip(expected) {
        assert!((seen - expected).abs() < 1e-6, "{seen} is not {expected}");
    }
    sandbox.run("embed run --out all.npy").failed(2, &["--split"]);
    sandbox.run("embed run --on nowhere --out no.npy").failed(3, &["nowhere", "--on"]);
}
