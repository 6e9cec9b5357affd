use super::*;
use selfsame_plugin_api::{Cancelled, ErrorKind, Services, Split, Targets, Task};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

struct Quiet;

impl Services for Quiet {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> std::result::Result<(), Cancelled> {
        Ok(())
    }
}

/// Written by pyarrow; see `make_parquet.py` beside them.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn prepared(folder: &Path, options: Value) -> Result<Box<dyn Dataset>> {
    let dataset = create(&DatasetRequest {
        name: "Parquet".into(),
        dataset_dir: Some(folder.to_owned()),
        cache_dir: "unused".into(),
        options,
    })?;
    dataset.prepare(&Quiet)?;
    Ok(dataset)
}

#[test]
fn files_of_hugging_face_are_read_as_they_are() {
    let dataset = prepared(&fixture("hub"), json!({})).unwrap();
    let card = dataset.card().unwrap().unwrap();
    assert_eq!(
        (card.classes.as_slice(), card.task),
        (["cat", "dog", "eel"].map(String::from).as_slice(), Task::Multiclass)
    );
    assert_eq!((card.channels, card.bit_depth, card.nominal_size), (3, 8, (3, 4)));
    assert_eq!(card.splits, [Split::Train, Split::Test]);
    let train = dataset.open(Split::Train).unwrap();
    assert_eq!(train.targets(), Targets::Classes(vec![0, 2, 1]));
    assert_eq!(train.ids().unwrap()[2], "data/train-00000-of-00001.parquet#2");
    for (index, expected) in [(2, [2, 4, 6]), (0, [0, 0, 0]), (1, [1, 2, 3])] {
        let image = train.read(&[index]).unwrap().remove(0);
        let planes: Vec<u8> = expected.iter().flat_map(|value| [*value; 12]).collect();
        assert_eq!((image.height, image.width, image.data), (3, 4, planes));
    }
    let test = dataset.open(Split::Test).unwrap();
    assert_eq!((test.targets(), test.read(&[1]).unwrap()[0].data[0]), (Targets::Classes(vec![0, 2]), 4));
    assert_eq!(test.facts(0).unwrap()["format"], "Png");
    assert_ne!(test.fingerprint(), train.fingerprint());
}

#[test]
fn every_row_is_found_in_any_order_and_from_several_threads() {
    let options = json!({ "image_column": "scan", "label_column": "finding" });
    let dataset = prepared(&fixture("rows"), options).unwrap();
    let train = dataset.open(Split::Train).unwrap();
    let card = dataset.card().unwrap().unwrap();
    assert_eq!(
        (train.len(), card.channels, card.classes.as_slice()),
        (150, 1, ["no", "yes"].map(String::from).as_slice())
    );
    let read_all = |step: usize| {
        for at in 0..150 {
            let index = at * step % 150;
            match train.read(&[index]) {
                Ok(images) => assert_eq!(images[0].data, [index as u8; 12]),
                Err(error) => {
                    assert_eq!(index, 7);
                    assert!(error.message.contains("all.parquet: row 7: there is no image"), "{error}");
                }
            }
        }
    };
    // Forwards, backwards, and in leaps.
    std::thread::scope(|scope| {
        [1, 149, 67, 101].map(|step| scope.spawn(move || read_all(step))).map(|one| one.join().unwrap())
    });
}

#[test]
fn splits_and_groups_come_from_columns() {
    let options = json!({ "image_column": "scan", "split_column": "fold", "group_column": "patient" });
    let dataset = prepared(&fixture("rows"), options).unwrap();
    let test = dataset.open(Split::Test).unwrap();
    assert_eq!((test.len(), test.groups().unwrap()[1].as_str()), (30, "p11"));
    assert_eq!(test.read(&[2]).unwrap()[0].data[0], 10);
    assert_eq!(dataset.card().unwrap().unwrap().task, Task::None);
}

#[test]
fn what_is_wrong_is_named() {
    let rows = fixture("rows");
    let empty = tempfile::tempdir().unwrap();
    let half = tempfile::tempdir().unwrap();
    std::fs::write(half.path().join("train-a.parquet"), "").unwrap();
    std::fs::write(half.path().join("other.parquet"), "").unwrap();
    let text = tempfile::tempdir().unwrap();
    std::fs::write(text.path().join("a.parquet"), "text").unwrap();
    let cases: &[(&Path, Value, ErrorKind, &str)] = &[
        (&rows, json!({}), ErrorKind::Configuration, "has no column `image` with one value a row"),
        (
            &rows,
            json!({ "image_column": "finding", "label_column": "find" }),
            ErrorKind::Configuration,
            "did you mean `finding`?",
        ),
        (
            &rows,
            json!({ "image_column": "scan", "split_column": "patient" }),
            ErrorKind::Data,
            "#0 is of the split `p1`",
        ),
        (
            &rows,
            json!({ "image_column": "scan", "label_column": "finding", "classes": ["a"] }),
            ErrorKind::Data,
            "is labelled `no`",
        ),
        (
            &rows,
            json!({ "files": { "train": "b*.parquet" } }),
            ErrorKind::Configuration,
            "is called `b*.parquet` (train)",
        ),
        (
            &rows,
            json!({ "image_column": "scan", "channels": 4 }),
            ErrorKind::Configuration,
            "`channels` does not go with any image looked at",
        ),
        (empty.path(), json!({}), ErrorKind::Data, "there is no Parquet file"),
        (half.path(), json!({}), ErrorKind::Data, "1 of 2 files do not say in their names which split"),
        (text.path(), json!({}), ErrorKind::Data, "a.parquet: "),
        (&rows.join("absent"), json!({}), ErrorKind::Data, "absent"),
    ];
    for (folder, options, kind, part) in cases {
        let error = prepared(folder, options.clone()).err().unwrap();
        assert!(error.message.contains(part) && error.kind == *kind, "`{part}` is not in: {error:?}");
    }
}
