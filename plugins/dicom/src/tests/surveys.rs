//! What folders of DICOM files are told to be, and that the options which are suggested read them.

use super::folders::{image, put};
use super::{Silent, dataset};
use selfsame_plugin_api::{Split, Survey};
use serde_json::{Map, Value, json};
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// Six files of three patients, one after the other, in two folders.
fn films() -> TempDir {
    let folder = tempdir().unwrap();
    for (index, patient) in ["p0", "p0", "p1", "p1", "p2", "p2"].into_iter().enumerate() {
        put(folder.path(), &format!("{}/f{index}.dcm", ["ill", "well"][index % 2]), &image(patient, index as i32));
    }
    folder
}

/// A survey, whose options read the folder, with these options.
fn surveyed(folder: &Path) -> (Survey, Value) {
    let survey = dataset("DicomFolder", folder, json!({})).survey(&Silent).unwrap().unwrap();
    let options: Map<String, Value> =
        survey.options.iter().map(|option| (option.name.clone(), option.value.clone())).collect();
    if survey.images > 0 {
        let read = dataset("DicomFolder", folder, json!(options));
        read.prepare(&Silent).unwrap();
        assert!(!read.open(Split::Train).unwrap().is_empty());
    }
    (survey, json!(options))
}

#[test]
fn files_without_a_list_have_no_labels_and_their_folders_are_named() {
    let folder = films();
    put(folder.path(), "notes.txt", b"nothing");
    let (survey, options) = surveyed(folder.path());
    assert_eq!((survey.images, options), (6, json!({})));
    assert!(survey.notes.concat().contains("`ill`, `well` are not read as classes"), "{:?}", survey.notes);
    assert_eq!(surveyed(tempdir().unwrap().path()).0.images, 0);
}

#[test]
fn a_list_of_files_or_patients_gives_labels() {
    let folder = films();
    put(folder.path(), "list.csv", b"Patient,Pneumonia,split\np0,yes,train\np1,no,train\np2,no,test\np9,yes,test\n");
    let (_, options) = surveyed(folder.path());
    let expected = json!({"csv": "list.csv", "id_column": "Patient", "label_column": "Pneumonia",
                          "split_column": "split", "unmatched": "skip"});
    assert_eq!(options, expected);
    // Files are better than patients where a list has both; the patients are groups then.
    let rows: String = (0..6).map(|i| format!("p{},{}/f{i}.dcm,{}\n", i / 2, ["ill", "well"][i % 2], i % 2)).collect();
    put(folder.path(), "list.csv", format!("patient_id,file,target\n{rows}").as_bytes());
    let (_, options) = surveyed(folder.path());
    let expected =
        json!({"csv": "list.csv", "id_column": "file", "label_column": "target", "group_column": "patient_id"});
    assert_eq!(options, expected);
}

#[test]
fn splits_that_patients_have_in_common_cost_no_labels() {
    let folder = films();
    let rows: String = (0..6).map(|i| format!("f{i},{},{}\n", i % 2, ["train", "test"][i % 2])).collect();
    put(folder.path(), "list.csv", format!("name,label,split\n{rows}").as_bytes());
    let (survey, options) = surveyed(folder.path());
    assert_eq!(options, json!({"csv": "list.csv", "id_column": "name", "label_column": "label"}));
    assert!(survey.notes.concat().contains("the column `split` is not used"), "{:?}", survey.notes);
}

#[test]
fn damaged_headers_are_counted_and_skipped() {
    let folder = films();
    let whole = image("p7", 3);
    put(folder.path(), "ill/cut.dcm", &whole[..whole.len() / 2]);
    let (survey, options) = surveyed(folder.path());
    assert_eq!((survey.images, &options["damaged"]), (6, &json!("skip")));
    assert!(survey.notes.concat().contains("cut.dcm"), "{:?}", survey.notes);
}
