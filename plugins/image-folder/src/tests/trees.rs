//! Layouts without a CSV file.

use super::*;
use selfsame_plugin_api::{ErrorKind, Task};
use serde_json::json;

#[test]
fn a_folder_for_each_class_gives_classes_however_deep_the_images_lie() {
    let folder = Folder::with(&["cat/a.png", "cat/2024/b.png", "dog/c.png", "bird/d.png", "bird/.hidden.png"]);
    folder.write("cat/notes.txt", "BMI,age\n");
    folder.write("__MACOSX/cat/._a.png", "junk");
    let card = folder.card(json!({}));
    assert_eq!((card.task, card.classes.clone()), (Task::Multiclass, vec!["bird".into(), "cat".into(), "dog".into()]));
    assert_eq!((card.channels, card.bit_depth, card.nominal_size, card.splits), (1, 8, (2, 2), vec![Split::Train]));
    let samples = folder.samples(json!({}), Split::Train);
    assert_eq!(samples.ids().unwrap(), ["bird/d.png", "cat/2024/b.png", "cat/a.png", "dog/c.png"]);
    assert_eq!(classes(samples.as_ref()), [0, 1, 1, 2]);
    assert_eq!(samples.groups(), None);
    let images = samples.read(&[2, 0]).unwrap();
    assert_eq!((images[0].data.clone(), images[1].data.clone()), (vec![0; 4], vec![3; 4]));
}

#[test]
fn a_class_folder_without_an_image_is_refused_by_name() {
    let folder = Folder::with(&["ant/1.png", "dog/2.png", "dog/3.png"]);
    fs::create_dir(folder.root().join("cat")).unwrap();
    let refused =
        || folder.refused(json!({}), &["class folders without an image", ": `cat`.", "dataset.options.classes"]);
    refused();
    folder.write("cat/1.gif", b"GIF89a");
    folder.write("cat/deeper/1.txt", "no image");
    refused();
    assert_eq!(folder.card(json!({ "classes": ["ant", "dog"] })).classes, ["ant", "dog"]);
    assert_eq!(folder.card(json!({ "unlabelled": true })).task, Task::None);
    // Hidden folders are no classes, and folders in a class are none of their own.
    fs::rename(folder.root().join("cat"), folder.root().join(".cat")).unwrap();
    fs::create_dir(folder.root().join("dog/empty")).unwrap();
    assert_eq!(folder.card(json!({})).classes, ["ant", "dog"]);
    // The only class with images is not the only class.
    let one = Folder::with(&["dog/1.png"]);
    fs::create_dir(one.root().join("cat")).unwrap();
    one.refused(json!({}), &["without an image", "`cat`"]);
}

#[test]
fn a_class_folder_may_be_empty_in_one_split_but_not_in_all() {
    let folder =
        Folder::with(&["train/ant/1.png", "train/cat/2.png", "train/dog/3.png", "test/ant/4.png", "test/dog/5.png"]);
    fs::create_dir(folder.root().join("test/cat")).unwrap();
    fs::create_dir(folder.root().join("notes")).unwrap();
    assert_eq!(folder.card(json!({})).classes, ["ant", "cat", "dog"]);
    assert_eq!(classes(folder.samples(json!({}), Split::Test).as_ref()), [0, 2]);
    fs::create_dir(folder.root().join("train/bee")).unwrap();
    folder.refused(json!({}), &["without an image", ": `train/bee`."]);
}

#[test]
fn folders_named_after_splits_are_splits() {
    let folder = Folder::with(&["training/no/a.png", "Valid/no/b.png", "test/yes/c.png", "training/yes/d.png"]);
    let card = folder.card(json!({}));
    assert_eq!((card.task, card.splits), (Task::Binary, vec![Split::Train, Split::Val, Split::Test]));
    assert_eq!(folder.ids(json!({}), Split::Train), ["training/no/a.png", "training/yes/d.png"]);
    assert_eq!(classes(folder.samples(json!({}), Split::Test).as_ref()), [1]);
    let unlabelled = Folder::with(&["train/a.png", "train/b.png", "val/c.png"]);
    let card = unlabelled.card(json!({}));
    assert_eq!((card.task, card.splits), (Task::None, vec![Split::Train, Split::Val]));
}

#[test]
fn images_in_no_folder_or_in_folders_that_are_no_classes_have_no_labels() {
    let flat = Folder::with(&["a.png", "b.png"]);
    assert_eq!(flat.samples(json!({}), Split::Train).targets(), Targets::None);
    let deep = Folder::with(&["2023/05/a.png", "2024/b.png", "c.png"]);
    let card = deep.card(json!({ "unlabelled": true }));
    assert_eq!((card.task, card.classes.len()), (Task::None, 0));
    assert_eq!(deep.ids(json!({ "unlabelled": true }), Split::Train), ["2023/05/a.png", "2024/b.png", "c.png"]);
}

#[test]
fn trees_with_two_meanings_are_refused_with_what_to_do() {
    Folder::with(&["a/1.png", "b/2.png", "loose.png"]).refused(json!({}), &["loose.png", "unlabelled"]);
    Folder::with(&["images/1.png", "images/2.png"]).refused(json!({}), &["one folder, `images`", "unlabelled"]);
    Folder::with(&["train/a/1.png", "extra/b/2.png"]).refused(json!({}), &["`train`", "`extra`", "classes"]);
    let each_its_own: Vec<String> = (0..6).map(|i| format!("{i}/x.png")).collect();
    let paths: Vec<&str> = each_its_own.iter().map(String::as_str).collect();
    Folder::with(&paths).refused(json!({}), &["6 images have 6 different classes", "unlabelled"]);
    Folder::with(&["test/a/1.png", "val/b/1.png"]).refused(json!({}), &["no training image"]);
}

#[test]
fn folders_named_after_splits_beside_others_are_refused_unless_classes_names_them() {
    for split in ["test", "TEST", "val", "testing", "dev", "train"] {
        let (below, flat) = (format!("{split}/cat/3.png"), format!("{split}/3.png"));
        for path in [&below, &flat] {
            let folder = Folder::with(&["cat/1.png", "dog/2.png", path]);
            let named = format!("`{split}`");
            let parts = [named.as_str(), "beside them lie `cat`, `dog`", "`train`", "classes"];
            folder.refused(json!({}), &parts);
            folder.refused(json!({ "unlabelled": true }), &parts);
        }
    }
    Folder::with(&["1.png", "test/2.png"]).refused(json!({ "unlabelled": true }), &["`test`", "images in no folder"]);
    let folder = Folder::with(&["invalid/1.png", "valid/2.png"]);
    folder.refused(json!({}), &["`valid`", "`invalid`", "classes"]);
    assert_eq!(folder.card(json!({ "classes": ["invalid", "valid"] })).classes, ["invalid", "valid"]);
    let folder = Folder::with(&["train/1.png", "car/2.png"]);
    assert_eq!(folder.card(json!({ "classes": ["train", "car"] })).classes, ["train", "car"]);
}

#[test]
fn splits_below_other_folders_are_refused_and_the_folder_to_name_is_said() {
    for (paths, parts) in [
        (
            &["images/train/a/1.png", "images/test/b/2.png"][..],
            &["`images/test`, `images/train`", "dataset_dir to ", "/images,"][..],
        ),
        (&["x/y/train/1.png", "x/y/2.png"], &["`x/y/train`", "/x/y,"]),
        (&["cat/train/1.png", "cat/test/2.png", "dog/test/3.png"], &["`cat/test`", "`dog/test`", "holds the splits"]),
        (&["images/train/1.png", "masks/train/1.png"], &["`images/train`, `masks/train`", "holds the splits"]),
    ] {
        let folder = Folder::with(paths);
        folder.refused(json!({}), parts);
        let message = folder.refused(json!({ "unlabelled": true }), parts);
        assert!(!message.contains("unlabelled"), "{message}");
    }
    let folder = Folder::with(&["images/train/a/1.png", "images/test/b/2.png"]);
    folder.write("test.txt", "images/test/b/2.png");
    let options = json!({ "unlabelled": true, "split_lists": { "test": "test.txt" } });
    assert_eq!(folder.ids(options, Split::Train), ["images/train/a/1.png"]);
}

#[test]
fn a_test_split_without_labels_is_told_from_loose_images() {
    let folder = Folder::with(&["train/cat/1.png", "train/dog/2.png", "test/3.png"]);
    let message = folder.refused(json!({}), &["test/3.png", "no class folder", "`cat`, `dog`", "unlabelled"]);
    assert!(!message.contains("beside"), "{message}");
    assert_eq!(folder.ids(json!({ "unlabelled": true }), Split::Train), ["train/cat/1.png", "train/dog/2.png"]);
    let folder = Folder::with(&["train/cat/1.png", "train/dog/2.png", "train/3.png"]);
    folder.refused(json!({}), &["beside class folders", "train/3.png"]);
}

#[test]
fn the_order_of_classes_can_be_given_and_numbers_have_theirs() {
    let folder = Folder::with(&["covid/1.png", "normal/2.png"]);
    let options = json!({ "classes": ["normal", "covid"] });
    assert_eq!(classes(folder.samples(options, Split::Train).as_ref()), [1, 0]);
    folder.refused(json!({ "classes": ["normal", "covit"] }), &["covid/1.png", "did you mean `covit`"]);
    let numbers = Folder::with(&["10/a.png", "2/a.png", "2/b.png", "1/a.png", "1/b.png", "10/b.png"]);
    assert_eq!(numbers.card(json!({})).classes, ["1", "2", "10"]);
}

#[test]
fn chosen_folders_can_be_the_positive_class() {
    let folder = Folder::with(&["bacteria/1.png", "healthy/2.png", "virus/3.png"]);
    let options = json!({ "positive_labels": ["bacteria", "virus"] });
    let card = folder.card(options.clone());
    assert_eq!((card.task, card.classes[1].as_str()), (Task::Binary, "bacteria|virus"));
    assert_eq!(classes(folder.samples(options, Split::Train).as_ref()), [1, 0, 1]);
    folder.refused(json!({ "positive_labels": ["viruses"] }), &["viruses", "did you mean `virus`"]);
}

#[test]
fn patients_are_found_in_paths() {
    let folder = Folder::with(&["no/p1_a.png", "yes/p1_b.png", "yes/p22_a.png"]);
    let samples = folder.samples(json!({ "group_pattern": r"(p\d+)_" }), Split::Train);
    assert_eq!(samples.groups().unwrap(), ["p1", "p1", "p22"]);
    folder.refused(json!({ "group_pattern": r"p2\d" }), &["2 paths", "no/p1_a.png"]);
    folder.refused(json!({ "group_pattern": "(" }), &["group_pattern", "regular expression"]);
}

#[test]
fn an_empty_or_missing_folder_is_named() {
    let folder = Folder::new();
    folder.refused(json!({}), &[folder.root().to_str().unwrap(), "no images"]);
    let missing = DatasetRequest {
        name: "ImageFolder".into(),
        dataset_dir: Some("/does/not/exist".into()),
        cache_dir: "/unused".into(),
        options: json!({}),
    };
    let error = ImageFolder::new(&missing).unwrap().prepare(&Patient).unwrap_err();
    assert!(error.message.contains("/does/not/exist") && error.kind == ErrorKind::Data, "{error}");
    let error = ImageFolder::new(&DatasetRequest { dataset_dir: None, ..missing }).err().unwrap();
    assert!(error.message.contains("dataset.dataset_dir") && error.kind == ErrorKind::Configuration, "{error}");
}

#[test]
fn images_with_strange_endings_are_found_by_content() {
    let folder = Folder::with(&["a/1.png", "b/2.png"]);
    fs::rename(folder.root().join("b/2.png"), folder.root().join("b/2.dat")).unwrap();
    fs::rename(folder.root().join("a/1.png"), folder.root().join("a/1.jpg")).unwrap();
    folder.image("b/3", GrayImage::from_pixel(2, 2, Luma([3])), ImageFormat::Bmp);
    folder.write("b/BMI.txt", "BMI,age,weight,height\n");
    let samples = folder.samples(json!({}), Split::Train);
    assert_eq!(samples.ids().unwrap(), ["a/1.jpg", "b/2.dat", "b/3"]);
    let images = samples.read(&[0, 1, 2]).unwrap();
    assert_eq!((images[1].data.clone(), images[2].data.clone()), (vec![1; 4], vec![3; 4]));
}

#[test]
fn links_that_lead_nowhere_or_in_a_circle_are_named_with_what_to_do() {
    let folder = Folder::with(&["a/1.png", "b/2.png"]);
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, folder.root().join(name)).unwrap();
    // As an editor leaves them; hidden files are left out.
    link("somebody@somewhere.12345", "a/.#1.png");
    link("../b/2.png", "a/3.png");
    assert_eq!(folder.ids(json!({}), Split::Train), ["a/1.png", "a/3.png", "b/2.png"]);
    link("gone.png", "b/4.png");
    folder.refused(json!({}), &["b/4.png leads nowhere", "remove it"]);
    fs::remove_file(folder.root().join("b/4.png")).unwrap();
    link("..", "b/5");
    folder.refused(json!({}), &["b/5 leads in a circle", "remove it"]);
}

#[test]
fn the_fingerprint_follows_the_files_and_the_form() {
    let folder = Folder::with(&["a.png", "b.png"]);
    let fingerprint = |options: Value| folder.samples(options, Split::Train).fingerprint().unwrap();
    let first = fingerprint(json!({}));
    assert_eq!(first, fingerprint(json!({})));
    assert_ne!(first, fingerprint(json!({ "channels": 3 })));
    folder.image("a.png", GrayImage::new(3, 3), ImageFormat::Png);
    assert_ne!(first, fingerprint(json!({})));
}
