//! Tables of labels, splits and groups.

use super::folders::{image, opened, put, refused};
use selfsame_plugin_api::{Split, Targets};
use serde_json::json;
use tempfile::tempdir;

#[test]
fn labels_are_found_by_path_name_instance_or_patient() {
    let folder = tempdir().unwrap();
    put(folder.path(), "x/1.dcm", &image("ann", 1));
    put(folder.path(), "y/2.dcm", &image("bob", 2));
    put(folder.path(), "y/3.dcm", &image("bob", 3));
    let classes = |csv: &str| {
        put(folder.path(), "list.csv", csv.as_bytes());
        let options = json!({ "csv": "list.csv", "label_column": "kind", "test_fraction": 0 });
        opened("DicomFolder", folder.path(), options, Split::Train).targets()
    };
    let expected = Targets::Classes(vec![1, 0, 0]);
    assert_eq!(classes("id,kind\nx/1.dcm,sick\ny/2.dcm,fit\ny/3.dcm,fit\n"), expected);
    assert_eq!(classes("id,kind\n./x/1.dcm,sick\ny/2.dcm,fit\n./y/3.dcm,fit\n"), expected);
    assert_eq!(classes("id,kind\n1.dcm,sick\n2.dcm,fit\n3.dcm,fit\n"), expected);
    assert_eq!(classes("id,kind\n1,sick\n2,fit\n3,fit\n"), expected);
    assert_eq!(classes("id,kind\nann,sick\nbob,fit\n"), expected);
    assert_eq!(classes("id,kind\nann,10\nbob,9\n"), expected);
    let options = json!({ "csv": "list.csv", "label_column": "kind" });
    put(folder.path(), "list.csv", b"id,kind\nann,sick\nbob,fit\n3.dcm,sick\n");
    refused("DicomFolder", folder.path(), options.clone(), &["(id_kind: patient)", "rows without a file: 1 (3.dcm)"]);
    put(folder.path(), "list.csv", b"id,kind\nann,sick\nbob,fit\nbob,sick\n");
    refused("DicomFolder", folder.path(), options, &["list.csv, line 4", "y/2.dcm"]);
}

#[test]
fn ids_that_name_different_files_by_two_kinds_are_refused_until_the_kind_is_said() {
    let folder = tempdir().unwrap();
    for (name, patient) in [("1.dcm", "3"), ("2.dcm", "1"), ("3.dcm", "2")] {
        put(folder.path(), name, &image(patient, 1));
    }
    put(folder.path(), "list.csv", b"patient,label\n1,sick\n2,well\n3,sick\n");
    let options = |kind: &str| {
        let mut options = json!({ "csv": "list.csv", "label_column": "label", "test_fraction": 0 });
        if !kind.is_empty() {
            options["id_kind"] = kind.into();
        }
        options
    };
    let parts = ["line 2: `1` is the file name without ending of 1.dcm and the patient id of 2.dcm", "id_kind"];
    refused("DicomFolder", folder.path(), options(""), &parts);
    let labels = |kind: &str| opened("DicomFolder", folder.path(), options(kind), Split::Train).targets();
    assert_eq!(labels("patient"), Targets::Classes(vec![0, 0, 1]));
    assert_eq!(labels("file_stem"), Targets::Classes(vec![0, 1, 0]));
    // Also where a row has no file at all, so that no kind fits the whole table.
    put(folder.path(), "list.csv", b"patient,label\n1,sick\n2,well\n3,sick\ngone,sick\n");
    refused("DicomFolder", folder.path(), options(""), &parts);
    // All of a patient's files or one of them.
    put(folder.path(), "list.csv", b"patient,label\n1,sick\n2,well\n");
    put(folder.path(), "1.dcm", &image("1", 1));
    put(folder.path(), "2.dcm", &image("1", 1));
    refused(
        "DicomFolder",
        folder.path(),
        options(""),
        &["`1` is the file name without ending of 1.dcm", "2 (1.dcm, 2.dcm)"],
    );
}

#[test]
fn the_kind_of_id_that_fits_every_row_is_taken() {
    let folder = tempdir().unwrap();
    for (name, patient) in [("1/1.dcm", "1"), ("2/1.dcm", "2"), ("2/2.dcm", "2")] {
        put(folder.path(), name, &image(patient, 1));
    }
    let options = json!({ "csv": "list.csv", "label_column": "label", "test_fraction": 0 });
    put(folder.path(), "list.csv", b"patient,label\n1,sick\n2,well\n");
    let samples = opened("DicomFolder", folder.path(), options.clone(), Split::Train);
    assert_eq!(samples.targets(), Targets::Classes(vec![0, 1, 1]));
    put(folder.path(), "list.csv", b"file,label\n1.dcm,sick\n2.dcm,well\n");
    refused(
        "DicomFolder",
        folder.path(),
        options,
        &["`1.dcm` is the file name of 2 (1/1.dcm, 2/1.dcm)", "relative paths"],
    );
}

#[test]
fn groups_of_the_table_come_before_those_of_the_files() {
    let folder = tempdir().unwrap();
    for name in ["1", "2", "3"] {
        put(folder.path(), name, &image("anonymous", 1));
    }
    let options = json!({ "csv": "list.csv", "group_column": "who", "split_column": "part" });
    put(folder.path(), "list.csv", b"id,who,part\n1,ann,train\n2,ann,train\n3,bob,test\n");
    let groups = |split| opened("DicomFolder", folder.path(), options.clone(), split).groups().unwrap();
    assert_eq!((groups(Split::Train), groups(Split::Test)), (vec!["ann".into(), "ann".into()], vec!["bob".into()]));
    put(folder.path(), "list.csv", b"id,who,part\n1,ann,train\n2,bob,train\n3,bob,test\n");
    refused("DicomFolder", folder.path(), options.clone(), &["patient `bob`", "train and test"]);
    put(folder.path(), "list.csv", b"id,who,part\n1,ann,train\n2,,train\n3,bob,test\n");
    refused("DicomFolder", folder.path(), options, &["list.csv, line 3", "the group is empty"]);
}

#[test]
fn a_patient_in_two_splits_of_the_table_is_an_error() {
    let folder = tempdir().unwrap();
    put(folder.path(), "1.dcm", &image("ann", 1));
    put(folder.path(), "2.dcm", &image("ann", 2));
    let options = json!({ "csv": "list.csv", "split_column": "part" });
    put(folder.path(), "list.csv", b"id,part\n1,train\n2,test\n");
    refused("DicomFolder", folder.path(), options.clone(), &["patient `ann`", "train and test"]);
    put(folder.path(), "2.dcm", &image("bob", 2));
    assert_eq!(opened("DicomFolder", folder.path(), options.clone(), Split::Test).ids().unwrap(), ["2.dcm"]);
    put(folder.path(), "list.csv", b"id,part\n1,train\n2,later\n");
    refused("DicomFolder", folder.path(), options, &["line 3", "`later` is not a split"]);
}
