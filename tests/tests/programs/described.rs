//! Data sets without code: `NAME.dataset.yaml` in a plugin folder.

use selfsame_tests::{Sandbox, dicom, repository};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Stripes as NumPy and pyarrow write them; see `make.py` there.
fn stripes() -> PathBuf {
    repository().join("tests/fixtures/stripes")
}

/// A sandbox whose `./plugins` holds this data set.
fn sandbox(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("plugins")).unwrap();
    sandbox.write("plugins/own.dataset.yaml", text);
    sandbox
}

const SMALL: &str = "--set dataset.name=own --set train.self_supervision.encoder_name=resnet8 --set train.batch_size=16 \
                     --set method.projection.hidden_dim=16 --set method.projection.output_dim=8 --set train.device=cpu \
                     --set knn.k=5 --set scheduler.epochs=1";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Level and upright stripes as a folder of each class, with a list; or as IDX files.
fn write_images(folder: &Path) {
    let stripe = |index: u32, x: u32, y: u32| ((if index.is_multiple_of(2) { y } else { x }) + index) / 4 % 2 * 160;
    let mut list = "file,class,patient\n".to_owned();
    let mut pixels = Vec::new();
    for index in 0..64 {
        let class = ["level", "upright"][index as usize % 2];
        std::fs::create_dir_all(folder.join(class)).unwrap();
        let name = format!("{class}/{index}.png");
        let image = image::GrayImage::from_fn(16, 16, |x, y| image::Luma([stripe(index, x, y) as u8]));
        image.save(folder.join(&name)).unwrap();
        list += &format!("{name},{class},{}\n", index / 4);
        pixels.extend_from_slice(image.as_raw());
    }
    std::fs::write(folder.join("list.csv"), list).unwrap();
    let labels: Vec<u8> = (0..64).map(|index| index % 2).collect();
    let idx = |shape: &[u32], values: &[u8]| -> Vec<u8> {
        let lengths = shape.iter().flat_map(|length| length.to_be_bytes());
        [0, 0, 8, shape.len() as u8].into_iter().chain(lengths).chain(values.iter().copied()).collect()
    };
    std::fs::write(folder.join("images.idx"), idx(&[64, 16, 16], &pixels)).unwrap();
    std::fs::write(folder.join("labels.idx"), idx(&[64], &labels)).unwrap();
}

#[test]
fn each_reader_trains_from_a_file() {
    let images = Sandbox::new();
    write_images(&images.path(""));
    let (images, stripes) = (images.path("").display().to_string(), stripes().display().to_string());
    let cases = [
        (
            "ImageFolder",
            &images,
            "  csv: list.csv\n  path_column: file\n  label_column: class\n  group_column: patient\n",
            64,
        ),
        ("Idx", &images, "  images: {train: images.idx}\n  labels: {train: labels.idx}\n", 64),
        ("Npz", &stripes, "", 96),
        ("Parquet", &stripes, "  group_column: patient\n", 96),
    ];
    for (reader, folder, options, count) in cases {
        let options = if options.is_empty() { "{}\n".to_owned() } else { format!("\n{options}") };
        let sandbox = sandbox(&format!(
            "name: own\nversion: \"3\"\nreader: {reader}\nfolder: {folder}\noptions: {options}classes: [lying, standing]\n\
             licence: CC0\ncitation: Nobody 2026\ntask: binary\nsize: [16, 16]\n"
        ));
        let stats = json(&sandbox.run("data stats --json --set dataset.name=own").succeeded().stdout).to_string();
        assert!(stats.contains("lying") && stats.contains("standing"), "{reader}: {stats}");
        sandbox.run(&format!("train {SMALL} --output-dir run")).succeeded();
        let record = json(&std::fs::read_to_string(sandbox.path("run/run.json")).unwrap());
        let own = record["plugins"].as_array().unwrap().iter().find(|plugin| plugin["name"] == "own").unwrap();
        assert_eq!((own["version"].as_str(), own["sha256"].as_str().unwrap().len()), (Some("3"), 64));
        assert_eq!(own["used"][0]["licence"], "CC0");
        let split = record["data_sets"][0].to_string();
        assert!(split.contains(&format!("{}", count - count / 10)) || split.contains("train"), "{reader}: {split}");
        let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
        assert!(page.contains("data set own: licence: CC0"), "{reader}: the report owes its licence");
    }
}

#[test]
fn dicom_files_are_read_from_a_file_too() {
    let films = Sandbox::new();
    for index in 0..24_u8 {
        let pixels: Vec<u8> = (0..64).map(|at| at * 3 + index).collect();
        let film = dicom::file(&format!("{index}"), (8, 8), &dicom::Stored::Plain(&pixels));
        std::fs::write(films.path(&format!("{index}.dcm")), film).unwrap();
    }
    let sandbox = sandbox("name: own\nreader: DicomFolder\nsummary: Films\n");
    let folder = format!("--set dataset.dataset_dir={}", films.path("").display());
    let stats = sandbox.run(&format!("data stats --json --set dataset.name=own {folder}")).succeeded();
    assert!(stats.stdout.contains("24"), "{}", stats.stdout);
}

#[test]
fn a_description_is_listed_inspected_checked_installed_and_removed_like_a_plugin() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("data")).unwrap();
    for name in ["train.npz", "test.npz"] {
        std::fs::copy(stripes().join(name), sandbox.path("data").join(name)).unwrap();
    }
    let text =
        "name: gratings\nversion: 1.0.0\nreader: Npz\nfolder: data   # beside this file\nclasses: [level, upright]\n";
    sandbox.write("gratings.dataset.yaml", text);
    let checked = sandbox.run("plugins check gratings.dataset.yaml").succeeded();
    assert!(checked.stdout.contains("train: labels, groups and ids"), "{}", checked.stdout);
    let inspected = sandbox.run("plugins inspect gratings.dataset.yaml").succeeded().stdout;
    for part in ["gratings 1.0.0", "reader    Npz", "data set gratings", "option    layout"] {
        assert!(inspected.contains(part), "`{part}` is not in: {inspected}");
    }

    let installed = sandbox.run("plugins install gratings.dataset.yaml").succeeded().stdout;
    assert!(installed.contains("gratings 1.0.0 is installed as"), "{installed}");
    let copy = sandbox.path("data-home/selfsame/plugins/gratings.dataset.yaml");
    let moved = std::fs::read_to_string(&copy).unwrap();
    let data = sandbox.path("data").canonicalize().unwrap();
    assert!(moved.contains(&format!("folder: \"{}\"", data.display())), "{moved}");
    sandbox.run("plugins install gratings.dataset.yaml").failed(2, &["gratings 1.0.0; this one is gratings 1.0.0"]);
    let listed = json(&sandbox.run("plugins list --json").succeeded().stdout);
    let own = listed.as_array().unwrap().iter().find(|file| file["manifest"]["name"] == "gratings").unwrap();
    assert_eq!((own["ok"].as_bool(), own["manifest"]["reader"].as_str()), (Some(true), Some("Npz")));
    sandbox.run("data verify --set dataset.name=gratings").succeeded();
    sandbox.run("plugins inspect gratings --json").succeeded();

    // Changed since it was installed.
    std::fs::write(&copy, format!("{moved}# more\n")).unwrap();
    sandbox.run("data verify --set dataset.name=gratings").failed(2, &["damaged or replaced since it was installed"]);
    sandbox.run("plugins remove gratings.dataset.yaml").succeeded();
    assert_eq!(std::fs::read_dir(sandbox.path("data-home/selfsame/plugins")).unwrap().count(), 0);
}

#[test]
fn what_a_description_decides_nobody_changes() {
    let folder = stripes().display().to_string();
    let text = format!("name: own\nreader: Npz\nfolder: {folder}\noptions:\n  layout: channels_last\n");
    let sandbox = sandbox(&text);
    let verify = |more: &str| sandbox.run(&format!("data verify --set dataset.name=own {more}"));
    let decided = "`dataset.options.layout` is decided by";
    verify("--set dataset.options.layout=channels_first").failed(2, &[decided, "own.dataset.yaml:5:3"]);
    let check = "config check --set dataset.name=own --set dataset.options.layout=channels_first";
    sandbox.run(check).failed(2, &[decided]);
    verify("--set dataset.dataset_dir=.").failed(2, &["`dataset.dataset_dir` is decided by", "own.dataset.yaml:3:1"]);
    verify("--set dataset.options.images=pictures").failed(3, &["no array `pictures`", "own.dataset.yaml"]);
    verify("--set dataset.options.imagse=x").failed(2, &["unknown key", "dataset.options.images"]);
    verify("").succeeded();
}

#[test]
fn a_description_that_cannot_be_is_named_with_line_and_key() {
    let folder = stripes().display().to_string();
    let good = format!("name: own\nreader: Npz\nfolder: {folder}\n");
    let cases = [
        (
            "name: own\nreader: Npz\nlicense: MIT\n".to_owned(),
            2,
            "`license` = MIT (",
            "3:1): unknown key; did you mean `licence`?",
        ),
        ("reader: Npz\n".to_owned(), 2, "the key `name` is missing", ""),
        ("name: own\n".to_owned(), 2, "the key `reader` is missing", ""),
        ("name: own\nreader: [Npz]\n".to_owned(), 2, "`reader` = [Npz] (", "2:1): expected text"),
        ("name: own\n  reader: Npz\n".to_owned(), 2, "own.dataset.yaml:2", "not valid YAML"),
        ("name: own\nreader: Nqz\n".to_owned(), 4, "no plugin provides the data set `Nqz`", "did you mean `Npz`?"),
        ("name: own\nreader: own\n".to_owned(), 4, "its reader `own` is no compiled data set", ""),
        (format!("{good}classes: [a]\n"), 3, "`classes` is a list of 1, but the files have 2", "yaml:4:1"),
        (format!("{good}task: multilabel\n"), 3, "`task` is multilabel, but the files have binary", "yaml:4:1"),
        (format!("{good}size: [16, 8]\n"), 3, "`size` is 16 × 8, but the files have 16 × 16", "yaml:4:1"),
        (format!("{good}mean: [0.5]\n"), 2, "`mean` and `std` go together", ""),
        (format!("{good}mean: [0.5, 1]\nstd: [1, 1]\n"), 3, "normalization mean [0.5, 1.0]", "expected 1 finite"),
        (
            format!("{good}recommended: {{augmentation: {{use_random_corp: true}}}}\n"),
            2,
            "use_random_corp",
            "data set own",
        ),
    ];
    for (text, code, part, other) in cases {
        sandbox(&text).run("data stats --set dataset.name=own").failed(code, &[part, other]);
    }
}
