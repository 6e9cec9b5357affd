//! Folders as users have them.

use super::writer::{LITTLE, Picture, RLE, element};
use super::{Silent, dataset, request};
use crate::coding::EXPLICIT_LITTLE;
use selfsame_plugin_api::{Cancelled, ErrorKind, Samples, Services, Split, Targets, Task};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::{TempDir, tempdir};

pub fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub fn image(patient: &'static str, level: i32) -> Vec<u8> {
    Picture { patient, ..Picture::grey(2, 2, 8, vec![level, 0, 0, 255]) }.file(LITTLE, &[])
}

const BOXES: &str =
    "patientId,x,y,width,height,Target\np1,264,152,213,379,1\np1,562,152,256,453,1\np0,,,,,0\np2,,,,,0\n";

/// The challenge's folder with three patients, images in `place`.
fn challenge(place: &str, labels: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (index, name) in ["p0", "p1", "p2"].iter().enumerate() {
        put(folder.path(), &format!("{place}{name}.dcm"), &image("x", index as i32 + 10));
    }
    for (name, text) in labels {
        put(folder.path(), name, text.as_bytes());
    }
    folder
}

pub fn opened(name: &str, folder: &Path, options: Value, split: Split) -> Box<dyn Samples> {
    let dataset = dataset(name, folder, options);
    dataset.prepare(&Silent).unwrap();
    dataset.open(split).unwrap()
}

pub fn refused(name: &str, folder: &Path, options: Value, parts: &[&str]) {
    let error = dataset(name, folder, options).prepare(&Silent).unwrap_err();
    for part in parts {
        assert!(error.message.contains(part), "`{part}` is not in `{error}`");
    }
}

fn all() -> Value {
    json!({ "test_fraction": 0 })
}

#[test]
fn the_challenge_is_found_in_every_layout() {
    let simple = "subject,label\np0,FALSE\np1,TRUE\np2,0\n";
    for place in ["", "stage_2_train_images/", "anything/"] {
        for labels in [("dataset.csv", simple), ("stage_2_train_labels.csv", BOXES)] {
            let folder = challenge(place, &[labels]);
            put(folder.path(), "stage_2_test_images/other.dcm", b"");
            let samples = opened("RSNAKaggle", folder.path(), all(), Split::Train);
            assert_eq!(samples.targets(), Targets::Classes(vec![0, 1, 0]), "{place} {labels:?}");
            assert_eq!(samples.groups().unwrap(), ["p0", "p1", "p2"]);
            assert_eq!(samples.ids().unwrap()[2], format!("{place}p2.dcm"));
            let images = samples.read(&[2, 0]).unwrap();
            assert_eq!((images[0].data[0], images[1].data[0]), (12, 10));
        }
    }
}

#[test]
fn the_challenges_three_classes_are_an_option() {
    let detailed = "patientId,class\np0,Normal\np1,Lung Opacity\np1,Lung Opacity\np2,No Lung Opacity / Not Normal\n";
    let folder = challenge("", &[("stage_2_train_labels.csv", BOXES), ("stage_2_detailed_class_info.csv", detailed)]);
    let dataset = dataset("RSNAKaggle", folder.path(), json!({ "labels": "detailed", "test_fraction": 0 }));
    dataset.prepare(&Silent).unwrap();
    let card = dataset.card().unwrap().unwrap();
    assert_eq!((card.task, card.classes.len(), card.nominal_size), (Task::Multiclass, 3, (2, 2)));
    assert_eq!(dataset.open(Split::Train).unwrap().targets(), Targets::Classes(vec![0, 2, 1]));
}

#[test]
fn rows_and_files_that_do_not_match_stop_or_are_left_out() {
    let folder = challenge("", &[("dataset.csv", "subject,label\np0,0\np1,1\ngone,1\n")]);
    refused("RSNAKaggle", folder.path(), all(), &["rows without a file: 1 (gone)", "files without a row: 1 (p2.dcm)"]);
    let options = json!({ "unmatched": "skip", "test_fraction": 0 });
    assert_eq!(opened("RSNAKaggle", folder.path(), options, Split::Train).len(), 2);
}

#[test]
fn wrong_challenge_folders_say_what_is_missing() {
    refused("RSNAKaggle", Path::new("/nowhere/at/all"), all(), &["/nowhere/at/all", "dataset.dataset_dir"]);
    let folder = challenge("", &[]);
    refused("RSNAKaggle", folder.path(), all(), &["dataset.csv", "stage_2_train_labels.csv"]);
    let wrong = |csv: &str, parts: &[&str]| {
        refused("RSNAKaggle", challenge("", &[("dataset.csv", csv)]).path(), all(), parts);
    };
    wrong("", &["dataset.csv", "is empty"]);
    wrong("id,label\np0,1\n", &["no column `subject`", "id, label"]);
    wrong("subject,label\np0,1\np1,maybe\n", &["line 3", "`maybe` is not a label"]);
    wrong("subject,label\np0,1\np0,0\n", &["line 3", "`p0` has another label"]);
    wrong("subject,label\np0,1,2\n", &["dataset.csv"]);
    let several = challenge("a/", &[("dataset.csv", "subject,label\np0,0\n")]);
    put(several.path(), "b/p0.dcm", b"");
    refused("RSNAKaggle", several.path(), all(), &["several folders", "/a", "/b"]);
    let nested = challenge("stage_2_train_images/stage_2_train_images/", &[("dataset.csv", "subject,label\np0,0\n")]);
    refused("RSNAKaggle", nested.path(), all(), &["/stage_2_train_images holds no .dcm file", "not deeper"]);
    let none = crate::create(&selfsame_plugin_api::DatasetRequest {
        dataset_dir: None,
        ..request("RSNAKaggle", folder.path(), all())
    });
    assert!(none.err().unwrap().message.contains("dataset.dataset_dir"));
}

#[test]
fn the_test_split_is_a_function_of_the_patients_alone() {
    let folder = tempdir().unwrap();
    let mut csv = String::from("subject,label\n");
    for index in 0..400 {
        put(folder.path(), &format!("s{index}.dcm"), &image("x", 1));
        csv += &format!("s{index},{}\n", index % 2);
    }
    put(folder.path(), "dataset.csv", csv.as_bytes());
    let groups = |fraction: f64, split| -> BTreeSet<String> {
        let samples = opened("RSNAKaggle", folder.path(), json!({ "test_fraction": fraction }), split);
        samples.groups().unwrap().into_iter().collect()
    };
    let (train, test, larger) = (groups(0.1, Split::Train), groups(0.1, Split::Test), groups(0.3, Split::Test));
    assert!(train.is_disjoint(&test) && train.len() + test.len() == 400);
    assert!((20..=60).contains(&test.len()), "{}", test.len());
    assert!(test.is_subset(&larger));
}

#[test]
fn any_tree_is_searched_by_content() {
    let folder = tempdir().unwrap();
    put(folder.path(), "deep/er/no-ending", &image("a", 1));
    put(folder.path(), "IM0001", &image("a", 2)[132 + 12 + 8 + 20..]);
    put(folder.path(), "b.dcm", &image("b", 3));
    put(folder.path(), "c.dcm", &image("", 4));
    put(folder.path(), "notes.txt", b"not an image at all");
    put(folder.path(), "empty", b"");
    let dataset = dataset("DicomFolder", folder.path(), Value::Null);
    dataset.prepare(&Silent).unwrap();
    let card = dataset.card().unwrap().unwrap();
    assert_eq!((card.task, card.splits.as_slice(), card.classes.len()), (Task::None, &[Split::Train][..], 0));
    let samples = dataset.open(Split::Train).unwrap();
    assert_eq!(samples.ids().unwrap(), ["IM0001", "b.dcm", "c.dcm", "deep/er/no-ending"]);
    assert_eq!(samples.groups().unwrap(), ["a", "b", "file c.dcm", "a"]);
    assert_eq!(samples.targets(), Targets::None);
    assert!(dataset.open(Split::Test).is_err());
}

#[test]
fn files_without_a_patient_stay_together_by_study_or_series() {
    let folder = tempdir().unwrap();
    let slice = |patient: &'static str, texts: &[(u32, &str)]| {
        let texts = texts.iter().map(|(tag, uid)| (*tag, *b"UI", (*uid).to_owned())).collect();
        Picture { patient, texts, ..Picture::grey(1, 1, 8, vec![0]) }.file(LITTLE, &[])
    };
    const STUDY: u32 = 0x0020_000d;
    const SERIES: u32 = 0x0020_000e;
    put(folder.path(), "a", &slice("", &[(STUDY, "1.2"), (SERIES, "1.2.3")]));
    put(folder.path(), "b", &slice("  ", &[(STUDY, "1.2"), (SERIES, "1.2.4")]));
    put(folder.path(), "c", &slice("", &[(SERIES, "1.5")]));
    put(folder.path(), "d", &slice("\0", &[(SERIES, "1.5")]));
    put(folder.path(), "e", &slice("", &[]));
    put(folder.path(), "f", &slice("ann", &[(STUDY, "1.2")]));
    let samples = opened("DicomFolder", folder.path(), Value::Null, Split::Train);
    let expected = ["study 1.2", "study 1.2", "series 1.5", "series 1.5", "file e", "ann"];
    assert_eq!(samples.groups().unwrap(), expected);
}

/// A real file (pydicom's `rtdose_rle_1frame.dcm`) has its Patient ID with the value representation UN.
#[test]
fn a_patient_of_unknown_representation_is_read_and_stops_nobody() {
    let folder = tempdir().unwrap();
    let texts = vec![(0x0008_0005, *b"CS", "ISO_IR 192".into()), (0x0010_0020, *b"UN", "Jürgen".into())];
    let mut file = Picture { texts, ..Picture::grey(1, 1, 8, vec![0]) };
    file.patient = "";
    put(folder.path(), "a", &file.file(LITTLE, &[]));
    let samples = opened("DicomFolder", folder.path(), Value::Null, Split::Train);
    assert_eq!(samples.groups().unwrap(), ["Jürgen"]);
}

#[test]
fn floating_point_pixels_are_pixels_that_are_refused_by_name() {
    for (tag, shown) in [(0x7fe0_0008, "(7fe0,0008)"), (0x7fe0_0009, "(7fe0,0009)")] {
        let folder = tempdir().unwrap();
        let mut file = Picture::grey(1, 1, 32, vec![0]).file(LITTLE, &[]);
        let pixels = element(EXPLICIT_LITTLE, 0x7fe0_0010, b"OW", &[0; 4]).len();
        file.truncate(file.len() - pixels);
        file.extend(element(EXPLICIT_LITTLE, tag, b"UN", &[0; 8]));
        put(folder.path(), "map", &file);
        let samples = opened("DicomFolder", folder.path(), Value::Null, Split::Train);
        let error = samples.read(&[0]).unwrap_err();
        assert!(error.message.contains(&format!("/map has floating-point pixels {shown}")), "{error}");
    }
}

#[test]
fn the_fingerprint_tells_folders_apart_whose_files_look_alike() {
    let prints: Vec<_> = [1, 2]
        .map(|level| {
            let folder = tempdir().unwrap();
            put(folder.path(), "1.dcm", &image("x", level));
            // As an archive leaves it.
            let file = fs::File::options().write(true).open(folder.path().join("1.dcm")).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)).unwrap();
            opened("DicomFolder", folder.path(), Value::Null, Split::Train).fingerprint().unwrap()
        })
        .into();
    assert_ne!(prints[0], prints[1]);
}

#[test]
fn frames_are_samples_by_option() {
    let folder = tempdir().unwrap();
    let mut film = Picture::grey(1, 2, 8, vec![0, 1, 0, 2, 0, 3]);
    film.frames = 3;
    put(folder.path(), "film", &film.file(LITTLE, &[]));
    put(folder.path(), "single", &image("x", 1));
    let ids =
        |frames: &str| opened("DicomFolder", folder.path(), json!({ "frames": frames, "voi": "none" }), Split::Train);
    assert_eq!(ids("middle").ids().unwrap(), ["film#1", "single"]);
    assert_eq!(ids("middle").read(&[0]).unwrap()[0].data, [0, 2]);
    assert_eq!(ids("all").ids().unwrap(), ["film#0", "film#1", "film#2", "single"]);
    assert_eq!(ids("all").read(&[2]).unwrap()[0].data, [0, 3]);
}

/// A host that keeps what it was told to count.
#[derive(Default)]
struct Counting(Mutex<Vec<(String, u64)>>);

impl Services for Counting {
    fn progress(&self, what: &str, _done: u64, _total: Option<u64>) -> Result<(), Cancelled> {
        assert!(!what.contains("headers"), "{what} as bytes");
        Ok(())
    }

    fn items(&self, what: &str, done: u64, _total: Option<u64>) -> Result<(), Cancelled> {
        self.0.lock().unwrap().push((what.into(), done));
        Ok(())
    }
}

#[test]
fn headers_are_counted_as_files_and_not_as_bytes() {
    let folder = tempdir().unwrap();
    put(folder.path(), "a", &image("x", 1));
    let services = Counting::default();
    dataset("DicomFolder", folder.path(), Value::Null).prepare(&services).unwrap();
    let last = services.0.into_inner().unwrap().pop().unwrap();
    assert!(last.0.contains("headers") && last.1 == 1, "{last:?}");
}

#[test]
fn headers_that_several_threads_read_keep_the_order_of_their_files() {
    let folder = tempdir().unwrap();
    let patient = |at: usize| ["ann", "bob", "cid"][at % 3];
    for at in 0..200 {
        put(folder.path(), &format!("{at:03}.dcm"), &image(patient(at), 1));
    }
    for at in [7, 90, 150] {
        put(folder.path(), &format!("{at:03}.dcm"), &image("x", 1)[..200]);
    }
    let message = dataset("DicomFolder", folder.path(), Value::Null).prepare(&Silent).unwrap_err().message;
    let places: Vec<_> = ["3 damaged", "/007.dcm", "/090.dcm", "/150.dcm"].map(|part| message.find(part)).into();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{message}");
    let samples = opened("DicomFolder", folder.path(), json!({ "damaged": "skip" }), Split::Train);
    let whole = (0..200).filter(|at| ![7, 90, 150].contains(at));
    let (ids, groups): (Vec<_>, Vec<_>) = whole.map(|at| (format!("{at:03}.dcm"), patient(at).to_owned())).unzip();
    assert_eq!((samples.ids().unwrap(), samples.groups().unwrap()), (ids, groups));
}

/// A host that stops while headers are read.
struct Stopping;

impl Services for Stopping {
    fn progress(&self, _what: &str, _done: u64, _total: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }

    fn items(&self, _what: &str, _done: u64, _total: Option<u64>) -> Result<(), Cancelled> {
        Err(Cancelled)
    }
}

#[test]
fn reading_headers_stops_when_the_host_says_so() {
    let folder = tempdir().unwrap();
    for at in 0..100 {
        put(folder.path(), &format!("{at}.dcm"), &image("x", 1));
    }
    let error = dataset("DicomFolder", folder.path(), Value::Null).prepare(&Stopping).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[test]
fn damaged_headers_stop_or_are_left_out() {
    let folder = tempdir().unwrap();
    put(folder.path(), "good", &image("x", 1));
    put(folder.path(), "bad", &image("x", 1)[..200]);
    refused("DicomFolder", folder.path(), Value::Null, &["1 damaged", "/bad", "skip"]);
    let samples = opened("DicomFolder", folder.path(), json!({ "damaged": "skip" }), Split::Train);
    assert_eq!(samples.ids().unwrap(), ["good"]);
}

#[test]
fn the_earlier_word_for_skip_is_still_read() {
    let folder = challenge("", &[("dataset.csv", "subject,label\np0,0\np1,1\ngone,1\n")]);
    let options = json!({ "unmatched": "leave_out", "test_fraction": 0 });
    assert_eq!(opened("RSNAKaggle", folder.path(), options, Split::Train).len(), 2);
    put(folder.path(), "bad.dcm", &image("x", 1)[..200]);
    let options = json!({ "damaged": "leave_out" });
    assert_eq!(
        opened("DicomFolder", folder.path(), options, Split::Train).ids().unwrap(),
        ["p0.dcm", "p1.dcm", "p2.dcm"]
    );
}

#[test]
fn a_cut_file_without_preamble_is_damaged_and_not_foreign() {
    let folder = tempdir().unwrap();
    put(folder.path(), "good", &image("x", 1));
    let whole = image("x", 1);
    put(folder.path(), "bad", &whole[132 + 12 + 8 + 20..whole.len() - 3]);
    // Begins as DICOM might, and goes on as it may not.
    put(folder.path(), "foreign", b"\x08\0\x05\0\x02\0\0\0ab\x01\0\x02\0\xff\xff\xff\x7fsome other format's bytes");
    refused("DicomFolder", folder.path(), Value::Null, &["1 damaged", "/bad (7fe0,0010)", "skip"]);
}

#[test]
fn pipes_are_passed_over_and_never_waited_for() {
    let folder = tempdir().unwrap();
    put(folder.path(), "good", &image("x", 1));
    let pipe = folder.path().join("pipe.dcm");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(opened("DicomFolder", folder.path(), Value::Null, Split::Train).ids().unwrap(), ["good"]);
    assert_eq!(super::stored(&pipe, 0).unwrap_err(), "is not a regular file");
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    refused("DicomFolder", folder.path(), Value::Null, &["1 damaged", "/link"]);
    put(folder.path(), "a/one.dcm", &image("x", 1));
    put(folder.path(), "dataset.csv", b"subject,label\none,0\npipe,1\n");
    std::fs::rename(&pipe, folder.path().join("a/pipe.dcm")).unwrap();
    refused("RSNAKaggle", folder.path(), all(), &["rows without a file: 1 (pipe)"]);
}

/// Whatever a file's header and its fragments cost, they cost it once.
#[test]
fn readers_share_the_last_file_of_several_frames() {
    let folder = tempdir().unwrap();
    let mut film = Picture::grey(1, 2, 8, vec![0, 1, 0, 2]);
    film.frames = 2;
    put(folder.path(), "film", &film.file(LITTLE, &[]));
    put(folder.path(), "single", &image("x", 1));
    let last = crate::opened::Last::default();
    let open = |name: &str| last.open(&folder.path().join(name)).unwrap();
    let first = open("film");
    assert!(!Arc::ptr_eq(&open("single"), &open("single")));
    assert!(Arc::ptr_eq(&open("film"), &first));
}

#[test]
fn facts_are_read_without_pixels_and_the_fingerprint_changes_with_files_and_options() {
    let folder = tempdir().unwrap();
    let picture = Picture::grey(3, 2, 12, vec![0, 1, 2, 3, 4, 5]);
    let strange = Picture { texts: vec![(0x0008_0070, *b"LO", "A\x1b[31mB\x07".into())], ..picture.clone() };
    put(folder.path(), "a", &strange.file(RLE, &[vec![0; 4]]));
    let open = |options: Value| opened("DicomFolder", folder.path(), options, Split::Train);
    let samples = open(Value::Null);
    let facts = samples.facts(0).unwrap();
    assert_eq!(facts["transfer syntax"], "RLE Lossless (1.2.840.10008.1.2.5)");
    assert_eq!((facts["bits stored"].as_str(), facts["size"].as_str()), ("12", "3×2"));
    assert_eq!((facts["modality"].as_str(), facts["manufacturer"].as_str()), ("DX", "A?[31mB?"));
    let first = samples.fingerprint().unwrap();
    assert_eq!(open(Value::Null).fingerprint().unwrap(), first);
    assert_ne!(open(json!({ "voi": "minmax" })).fingerprint().unwrap(), first);
    put(folder.path(), "a", &picture.file(LITTLE, &[]));
    assert_ne!(open(Value::Null).fingerprint().unwrap(), first);
}

#[test]
fn wrong_options_are_named() {
    let wrong = |name: &str, options: Value, parts: &[&str]| {
        let error = crate::create(&request(name, Path::new("."), options)).err().unwrap();
        for part in parts {
            assert!(error.message.contains(part), "`{part}` is not in `{error}`");
        }
    };
    wrong("RSNAKaggle", json!({ "voi": "bright" }), &["voi", "bright", "percentile"]);
    wrong("RSNAKaggle", json!({ "bit_depth": 12 }), &["bit_depth", "12", "8 or 16"]);
    wrong("RSNAKaggle", json!({ "test_fraction": 1.5 }), &["test_fraction", "1.5", "0 to 0.9"]);
    wrong("DicomFolder", json!({ "damaged": "drop" }), &["damaged", "drop", "`stop` or `skip`"]);
    wrong("DicomFolder", json!({ "label_column": "x" }), &["label_column", "csv"]);
    wrong("DicomFolder", json!({ "group_column": "x" }), &["group_column", "csv"]);
    wrong("DicomFolder", json!({ "csv": "x", "id_kind": "number" }), &["id_kind", "number", "file_stem"]);
    wrong("DicomFolder", json!({ "cvs": "x" }), &["cvs", "csv"]);
    wrong("Other", Value::Null, &["Other", "RSNAKaggle, DicomFolder"]);
}
