use super::*;
use selfsame_plugin_api::{Cancelled, Samples, Services, Split, Targets, Task};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use zip::write::SimpleFileOptions;

struct Quiet;

impl Services for Quiet {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> std::result::Result<(), Cancelled> {
        Ok(())
    }
}

/// An array as `numpy.save` writes it (format version 1.0).
fn npy(kind: &str, shape: &[usize], values: &[u8]) -> Vec<u8> {
    let lengths: String = shape.iter().map(|length| format!("{length},")).collect();
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({lengths}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), values].concat()
}

fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn idx(kind: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
    let lengths = shape.iter().flat_map(|length| length.to_be_bytes());
    [0, 0, kind, shape.len() as u8].into_iter().chain(lengths).chain(values.iter().copied()).collect()
}

fn prepared(name: &str, folder: &Path, options: Value) -> Result<Box<dyn Dataset>> {
    let create = if name == "Npz" { create_npz } else { create_idx };
    let dataset = create(&DatasetRequest {
        name: name.into(),
        dataset_dir: Some(folder.to_owned()),
        cache_dir: "unused".into(),
        options,
    })?;
    dataset.prepare(&Quiet)?;
    Ok(dataset)
}

fn pixels(samples: &dyn Samples, index: usize) -> Vec<u8> {
    samples.read(&[index]).unwrap().remove(0).data
}

#[test]
fn a_file_for_each_split_is_read_with_labels_groups_and_names() {
    let folder = tempfile::tempdir().unwrap();
    // Two images of 1 × 2 pixels with three channels, channels last.
    let images = npy("|u1", &[2, 1, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let labels = npy("<i8", &[2], &[0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    let groups = npy("<U2", &[2], &[b"a\0\0\0\0\0\0\0".as_slice(), b"b\0\0\0c\0\0\0"].concat());
    let ids = npy("|S1", &[2], b"xy");
    npz(
        &folder.path().join("train.npz"),
        &[("images", images.clone()), ("labels", labels), ("groups", groups), ("ids", ids)],
    );
    npz(&folder.path().join("test.npz"), &[("images", images)]);
    let dataset = prepared("Npz", folder.path(), json!({})).unwrap();
    let card = dataset.card().unwrap().unwrap();
    assert_eq!((card.channels, card.nominal_size, card.task), (3, (1, 2), Task::Multiclass));
    assert_eq!(card.classes, ["0", "1", "2"]);
    assert_eq!(card.splits, [Split::Train, Split::Test]);
    let train = dataset.open(Split::Train).unwrap();
    assert_eq!(pixels(train.as_ref(), 1), [7, 10, 8, 11, 9, 12]);
    assert_eq!(train.targets(), Targets::Classes(vec![0, 2]));
    assert_eq!(
        (train.groups().unwrap(), train.ids().unwrap()),
        (vec!["a".into(), "bc".into()], vec!["x".into(), "y".into()])
    );
    assert_eq!(dataset.open(Split::Test).unwrap().targets(), Targets::None);
}

#[test]
fn one_file_may_hold_all_splits_as_those_of_medmnist() {
    let folder = tempfile::tempdir().unwrap();
    let array = |values: &[u8]| npy("|u1", &[2, 1, 1], values);
    let flags = |values: &[u8]| npy("|b1", &[2, 2], values);
    let arrays = [
        ("train_images", array(&[1, 2])),
        ("train_labels", flags(&[0, 1, 1, 1])),
        ("val_images", array(&[3, 4])),
        ("val_labels", flags(&[0, 0, 0, 1])),
    ];
    npz(&folder.path().join("all.npz"), &arrays);
    let dataset = prepared("Npz", folder.path(), json!({ "file": "all.npz", "classes": ["wet", "cold"] })).unwrap();
    let card = dataset.card().unwrap().unwrap();
    assert_eq!((card.task, card.splits.as_slice()), (Task::Multilabel, [Split::Train, Split::Val].as_slice()));
    let val = dataset.open(Split::Val).unwrap();
    assert_eq!((val.targets(), pixels(val.as_ref(), 0)), (Targets::Multilabel(vec![0, 0, 0, 1]), vec![3]));
}

#[test]
fn wide_values_come_out_little_endian() {
    let folder = tempfile::tempdir().unwrap();
    npz(&folder.path().join("train.npz"), &[("x", npy(">u2", &[1, 2, 1, 1], &[1, 2, 3, 4]))]);
    let options = json!({ "images": "x", "layout": "channels_first" });
    let dataset = prepared("Npz", folder.path(), options).unwrap();
    let card = dataset.card().unwrap().unwrap();
    assert_eq!((card.channels, card.bit_depth, card.nominal_size), (2, 16, (1, 1)));
    assert_eq!(pixels(dataset.open(Split::Train).unwrap().as_ref(), 0), [2, 1, 4, 3]);
}

#[test]
fn idx_files_are_read_zipped_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", idx(8, &[2, 1, 2], &[1, 2, 3, 4]));
    write("train-labels-idx1-ubyte", idx(8, &[2], &[1, 0]));
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(&idx(8, &[1, 1, 2], &[5, 6])).unwrap();
    write("t10k-images-idx3-ubyte.gz", zipped.finish().unwrap());
    let dataset = prepared("Idx", folder.path(), json!({ "classes": ["no", "yes", "maybe"] })).unwrap();
    let card = dataset.card().unwrap().unwrap();
    assert_eq!((card.task, card.classes.len(), card.nominal_size), (Task::Multiclass, 3, (1, 2)));
    let train = dataset.open(Split::Train).unwrap();
    assert_eq!((train.targets(), pixels(train.as_ref(), 1)), (Targets::Classes(vec![1, 0]), vec![3, 4]));
    assert_eq!(pixels(dataset.open(Split::Test).unwrap().as_ref(), 0), [5, 6]);
}

#[test]
fn what_is_wrong_is_named_with_its_file() {
    let images = || npy("|u1", &[2, 1, 1], &[1, 2]);
    type Arrays = [(&'static str, Vec<u8>)];
    let cases: &[(&Arrays, Value, &str)] = &[
        (&[("pictures", images())], json!({}), "train.npz has no array `images`; it has `pictures`"),
        (&[("images", npy("<f8", &[1, 1, 1], &[0; 8]))], json!({}), "train.npz: `images` has values of kind Float(8)"),
        (&[("images", npy("|u1", &[4], &[0; 4]))], json!({}), "`images` is [4], expected [N, H, W]"),
        (&[("images", npy("|u1", &[0, 2, 2], &[]))], json!({}), "there is no image"),
        (&[("images", images()), ("labels", npy("|u1", &[3], &[0; 3]))], json!({}), "there are 3 labels for 2 images"),
        (&[("images", images()), ("labels", npy("|i1", &[2], &[0, 255]))], json!({}), "`labels` has -1 for image 1"),
        (&[("images", images()), ("labels", npy("|u1", &[2, 2], &[0, 3, 0, 0]))], json!({}), "has 3 for image 0"),
        (&[("images", images()), ("labels", npy("<f4", &[2], &[0; 8]))], json!({}), "`labels` expected whole numbers"),
        (
            &[("images", images()), ("labels", npy("|u1", &[2], &[0, 2]))],
            json!({ "classes": ["a", "b"] }),
            "its labels go up to 2, and `classes` names 2",
        ),
        (&[("images", images())], json!({ "labels": "y" }), "has no array `y`"),
        (&[("images", b"text".to_vec())], json!({}), "`images` failed to fill whole buffer"),
    ];
    for (arrays, options, part) in cases {
        let folder = tempfile::tempdir().unwrap();
        npz(&folder.path().join("train.npz"), arrays);
        let message = prepared("Npz", folder.path(), options.clone()).err().unwrap().message;
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "test"] {
        let path = folder.path().join(format!("{split}.npz"));
        npz(&path, &[("images", images()), ("groups", npy("|u1", &[2], &[7, split.len() as u8]))]);
    }
    let message = prepared("Npz", folder.path(), json!({})).err().unwrap().message;
    assert!(message.contains("1 groups (patients) stand in more than one split: `7`"), "{message}");
    let folder = tempfile::tempdir().unwrap();
    for (bytes, part) in [
        (idx(8, &[2, 1, 2], &[1, 2, 3]), "3 bytes or more behind the header, expected 4"),
        (idx(8, &[2, 1, 2], &[1; 9]), "5 bytes or more behind the header, expected 4"),
        (idx(8, &[u32::MAX; 3], &[1]), "larger than any memory"),
        (b"PK..".to_vec(), "no IDX file"),
        (vec![0, 0, 8], "its header is cut off"),
    ] {
        fs::write(folder.path().join("train-images-idx3-ubyte"), bytes).unwrap();
        let dataset = prepared("Idx", folder.path(), json!({}));
        let message = dataset.and_then(|dataset| dataset.open(Split::Train).map(drop)).err().unwrap().message;
        assert!(message.contains("train-images-idx3-ubyte") && message.contains(part), "{message}");
    }
    let message = prepared("Idx", &folder.path().join("absent"), json!({})).err().unwrap().message;
    assert!(message.contains("absent/train-images-idx3-ubyte"), "{message}");
}
