//! The X-ray half as its users meet it: the shipped run files on films, from DICOM and from an image folder.

use image::GrayImage;
use safetensors::SafeTensors;
use selfsame_tests::dicom::{self, Stored};
use selfsame_tests::rsna::{Labels, write};
use selfsame_tests::wrap::wrap;
use selfsame_tests::{Sandbox, metrics, repository};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

/// Sizes that fit a test.
const SMALL: &str = "--set preprocess.resize=32 --set train.self_supervision.encoder_name=resnet8 \
                     --set train.batch_size=16 --set scheduler.epochs=2 --set scheduler.warmup_epochs=1 \
                     --set method.projection.hidden_dim=32 --set method.projection.output_dim=16 \
                     --set method.byol.predictor_hidden_dim=32 --set train.device=cpu --set knn.k=5";

/// The series of one metric.
fn series(run: &Path, name: &str) -> Vec<f64> {
    metrics(run).iter().filter_map(|line| line["metrics"][name].as_f64()).collect()
}

/// Overwrites what follows the header of each film and keeps its size and its time of change.
fn spoil_pixels(films: &Path) {
    const HEADER: usize = 700;
    for film in fs::read_dir(films).unwrap() {
        let path = film.unwrap().path();
        let (mut bytes, changed) = (fs::read(&path).unwrap(), path.metadata().unwrap().modified().unwrap());
        bytes[HEADER..].fill(0);
        fs::write(&path, bytes).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
    }
}

#[test]
fn the_shipped_byol_run_trains_on_films_and_a_second_run_decodes_none() {
    for labels in [Labels::Boxes, Labels::Subjects] {
        let sandbox = Sandbox::new();
        write(&sandbox.path("films"), 80, 96, labels, 0).unwrap();
        let config = repository().join("configs/rsna_byol.yaml");
        let arguments = format!("--config {} --set dataset.dataset_dir=films {SMALL}", config.display());
        sandbox.run(&format!("train {arguments} --output-dir first")).succeeded();
        assert_eq!(series(&sandbox.path("first"), "online/val/auroc").len(), 2, "one AUROC an epoch");
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(sandbox.path("first/run.json")).unwrap()).unwrap();
        assert_eq!(
            record["split_sizes"]["train"].as_u64().unwrap() + record["split_sizes"]["val"].as_u64().unwrap(),
            70
        );

        spoil_pixels(&sandbox.path("films/stage_2_train_images"));
        let verified = sandbox.run("data verify --set dataset.name=RSNAKaggle --set dataset.dataset_dir=films");
        assert_eq!(verified.code, Some(3), "no film can be decoded any more:\n{}", verified.stdout);
        sandbox.run(&format!("train {arguments} --output-dir second")).succeeded();
        let loss = "ssl/train/epoch_loss";
        assert_eq!(series(&sandbox.path("first"), loss), series(&sandbox.path("second"), loss));
    }
}

#[test]
fn the_shipped_simclr_run_trains_on_films() {
    let sandbox = Sandbox::new();
    write(&sandbox.path("films"), 60, 48, Labels::Boxes, 0).unwrap();
    let config = repository().join("configs/rsna_simclr.yaml");
    let arguments = format!("--config {} --set dataset.dataset_dir=films {SMALL}", config.display());
    sandbox.run(&format!("train {arguments} --output-dir run")).succeeded();
    assert_eq!(series(&sandbox.path("run"), "online/val/auroc").len(), 2);
}

/// Writes `count` noisy grey images below `folder`/SPLIT/CLASS, bright ones in the class `b`.
fn write_images(folder: &Path, count: usize) {
    for number in 0..count {
        let (split, class) = (["train", "test"][number / (count - 8)], ["a", "b"][number % 2]);
        // Two images of each patient of a class.
        let name = format!("{split}/{class}/person{}_{number:02}.png", number / 4);
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let noise = |x: u32, y: u32| ((x * 31 + y * 17 + number as u32 * 7).wrapping_mul(2_654_435_761) >> 25) as u8;
        GrayImage::from_fn(40, 48, |x, y| image::Luma([noise(x, y) + 100 * (number % 2) as u8])).save(path).unwrap();
    }
}

#[test]
fn the_same_pixels_train_the_same_encoder_from_an_image_folder_and_from_dicom() {
    let sandbox = Sandbox::new();
    write_images(&sandbox.path("images"), 40);
    // `group_pattern` of `chest_folder.yaml`.
    let patient = regex::Regex::new(r"^\w+/\w+/(?:person\d+|(?:NORMAL2-)?IM-\d+|.+)").unwrap();
    assert_eq!(wrap(&sandbox.path("images"), &sandbox.path("wrapped"), Some(&patient)).unwrap(), 40);
    let config = repository().join("configs/chest_folder.yaml");
    // `chest_folder.yaml` names the classes and options of another folder.
    let folder = "--set dataset.dataset_dir=images --set dataset.options.classes=[a,b]";
    let files = sandbox.write(
        "wrapped.yaml",
        "dataset:\n  name: DicomFolder\n  dataset_dir: wrapped\n  options: {csv: labels.csv, label_column: label, \
         split_column: split, voi: none}\n",
    );
    let own = fs::read_to_string(&config).unwrap();
    let (head, rest) = own.split_once("\ndataset:\n").expect("a data set");
    let recipe = sandbox.write("recipe.yaml", &format!("{head}\n{}", &rest[rest.find("\n\n").unwrap()..]));
    let train = |source: &str, run: &str| {
        sandbox.run(&format!("train {source} {SMALL} --output-dir {run}")).succeeded();
        sandbox.run(&format!("evaluate {run} --protocol knn")).succeeded();
    };
    train(&format!("--config {} {folder}", config.display()), "from-images");
    train(&format!("--config {} --config {}", recipe.display(), files.display()), "from-dicom");
    for name in ["ssl/train/epoch_loss", "online/val/auroc"] {
        let of = |run: &str| series(&sandbox.path(run), name);
        assert_eq!(of("from-images"), of("from-dicom"), "{name}");
    }
    let encoder = |run: &str| fs::read(sandbox.path(run).join("encoder.safetensors")).unwrap();
    let (one, other) = (encoder("from-images"), encoder("from-dicom"));
    // The metadata, which differ, name the data set.
    let tensors = |bytes| SafeTensors::deserialize(bytes).unwrap().tensors().into_iter().collect::<BTreeMap<_, _>>();
    let (one, other) = (tensors(&one), tensors(&other));
    assert!(one.keys().eq(other.keys()));
    for (name, tensor) in &one {
        assert!(tensor.data() == other[name].data(), "{name} differs");
    }
}

#[test]
fn no_patient_stands_on_both_sides_of_a_split() {
    let sandbox = Sandbox::new();
    let mut list = String::from("patient,label\n");
    fs::create_dir_all(sandbox.path("films")).unwrap();
    for patient in 0..48 {
        list += &format!("p{patient},{}\n", patient % 2);
        for film in 0..1 + patient % 5 {
            let levels: Vec<u8> =
                (0..256).map(|at| ((at * (patient + 3) + film * 17) % 251 / (1 + patient % 2)) as u8).collect();
            let bytes = dicom::file(&format!("p{patient}"), (16, 16), &Stored::Plain(&levels));
            fs::write(sandbox.path(&format!("films/{:03}-{film}.dcm", patient * 7 % 48)), bytes).unwrap();
        }
    }
    sandbox.write("films/labels.csv", &list);
    sandbox.write(
        "films.yaml",
        "dataset:\n  name: DicomFolder\n  dataset_dir: films\n  options: {csv: labels.csv, label_column: label}\n",
    );
    let mut validation = BTreeSet::new();
    for seed in 0..4 {
        let set = format!("--set train.seed={seed} --set data.val_fraction=0.25 --set scheduler.epochs=1");
        sandbox.run(&format!("train --config films.yaml {SMALL} {set} --output-dir {seed}")).succeeded();
        sandbox.run(&format!("embed {seed} --split all --out {seed}.npy")).succeeded();
        let table = fs::read_to_string(sandbox.path(&format!("{seed}.csv"))).unwrap();
        let mut lines = table.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
        let mut split_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in lines {
            let cells: Vec<&str> = line.split(',').collect();
            split_of.entry(cells[at("group")].into()).or_default().insert(cells[at("split")].into());
        }
        assert_eq!(split_of.len(), 48);
        assert!(split_of.values().all(|splits| splits.len() == 1), "{split_of:?}");
        let held: Vec<_> =
            split_of.iter().filter(|(_, splits)| splits.contains("val")).map(|(id, _)| id.clone()).collect();
        assert!(!held.is_empty(), "nobody is held out");
        validation.insert(held);
    }
    assert!(validation.len() > 1, "the seed does not change the cut");
}
