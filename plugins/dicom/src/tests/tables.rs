//! Tables of labels, splits and groups.

use super::folders::{image, opened, put, refused};
use super::{Silent, dataset};
use selfsame_plugin_api::{Split, Targets};
use serde_json::json;
use tempfile::{TempDir, tempdir};

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
    refused("DicomFolder", folder.path(), options, &["list.csv: line 4", "y/2.dcm"]);
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
    refused("DicomFolder", folder.path(), options, &["list.csv: line 3", "the group is ``"]);
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

/// Four files and a table of their labels.
fn four(labels: [&str; 4]) -> TempDir {
    let folder = tempdir().unwrap();
    let rows = labels.iter().enumerate().map(|(at, label)| {
        put(folder.path(), &format!("{at}.dcm"), &image("x", at as i32));
        format!("{at}.dcm,{label}\n")
    });
    let csv = format!("id,label\n{}", rows.collect::<String>());
    put(folder.path(), "list.csv", csv.as_bytes());
    folder
}

#[test]
fn one_label_is_one_class_however_it_is_written() {
    for (labels, expected) in [
        (["0", "1.0", "0.0", "1"], ["0", "1"]),
        (["0", " 1", "-0.0", "1.000e+00"], ["0", "1"]),
        (["False", "TRUE", "false", "true"], ["false", "true"]),
        (["0", "TRUE", "False", "1.0"], ["0", "1"]),
        (["2.0", "10", "2", "10.0"], ["2", "10"]),
        (["fit", "sick ", "fit", "sick"], ["fit", "sick"]),
    ] {
        let folder = four(labels);
        let options = json!({ "csv": "list.csv", "label_column": "label", "test_fraction": 0 });
        let dataset = dataset("DicomFolder", folder.path(), options);
        dataset.prepare(&Silent).unwrap();
        assert_eq!(dataset.card().unwrap().unwrap().classes, expected, "{labels:?}");
        let targets = dataset.open(Split::Train).unwrap().targets();
        assert_eq!(targets, Targets::Classes(vec![0, 1, 0, 1]), "{labels:?}");
    }
}

#[test]
fn words_for_no_value_are_no_classes_and_stop_or_are_left_out() {
    for word in ["nan", "NaN", "NA", "N/A", "None", "null", "<NA>", ""] {
        let folder = four(["0", word, "1", "0"]);
        let options = json!({ "csv": "list.csv", "label_column": "label", "test_fraction": 0 });
        let shown = if word.is_empty() { "empty".to_owned() } else { format!("`{word}`") };
        let counted = format!("rows without a label: 1 (line 3: {shown})");
        let parts = [counted.as_str(), "another name", "unmatched to skip"];
        refused("DicomFolder", folder.path(), options.clone(), &parts);
        let mut lenient = options;
        lenient["unmatched"] = "skip".into();
        let samples = opened("DicomFolder", folder.path(), lenient, Split::Train);
        assert_eq!(samples.ids().unwrap(), ["0.dcm", "2.dcm", "3.dcm"], "{word}");
        assert_eq!(samples.targets(), Targets::Classes(vec![0, 1, 0]), "{word}");
    }
    let folder = four(["nan", "nan", "0", "0"]);
    let options = json!({ "csv": "list.csv", "label_column": "label", "unmatched": "skip" });
    refused("DicomFolder", folder.path(), options, &["`label` has one class only, `0`"]);
}

#[test]
fn the_challenges_labels_follow_the_same_rule() {
    let folder = four(["", "", "", ""]);
    let options = |unmatched: &str| json!({ "test_fraction": 0, "unmatched": unmatched });
    let csv = |rows: &str| put(folder.path(), "dataset.csv", format!("subject,label\n{rows}").as_bytes());
    csv("0,0.00\n1,1.0e+00\n2,False\n3, TRUE\n");
    let targets = |unmatched| opened("RSNAKaggle", folder.path(), options(unmatched), Split::Train).targets();
    assert_eq!(targets("stop"), Targets::Classes(vec![0, 1, 0, 1]));
    csv("0,0\n1,nan\n2,1\n3,\n");
    let parts = ["rows without a label: 2 (line 3: `nan`, line 5: empty)", "unmatched to skip"];
    refused("RSNAKaggle", folder.path(), options("stop"), &parts);
    assert_eq!(targets("skip"), Targets::Classes(vec![0, 1]));
}

#[test]
fn one_table_is_read_however_a_program_writes_it() {
    let folder = four(["0", "1", "0", "1"]);
    let options = json!({ "csv": "list.csv", "label_column": "label", "test_fraction": 0 });
    for text in [
        "\u{feff}id;label\r\n0.dcm;0\r\n1.dcm;1\r\n2.dcm;0\r\n3.dcm;1\r\n",
        "id\tnote\tlabel\n0.dcm\ta, b; c\t0\n\n1.dcm\t\t1\n2.dcm\t\t0\n   \n3.dcm\t\t1\n",
        "id,label,\n0.dcm,0,\n1.dcm,1\n2.dcm,0,,\n3.dcm,1,\n,,\n",
    ] {
        put(folder.path(), "list.csv", text.as_bytes());
        let samples = opened("DicomFolder", folder.path(), options.clone(), Split::Train);
        assert_eq!(samples.targets(), Targets::Classes(vec![0, 1, 0, 1]), "{text}");
    }
    for (name, text) in [
        (
            "stage_2_train_labels.csv",
            "patientId;x;y;width;height;Target\r\n0;;;;;0\r\n1;2;2,5;3;4;1\r\n2;;;;;0\r\n3;1;1;1;1;1\r\n",
        ),
        ("dataset.csv", "subject\tlabel\t\n0\tFALSE\n1\tTRUE\n2\t0\n3\t1\n"),
    ] {
        put(folder.path(), name, text.as_bytes());
        let samples = opened("RSNAKaggle", folder.path(), json!({ "test_fraction": 0 }), Split::Train);
        assert_eq!(samples.targets(), Targets::Classes(vec![0, 1, 0, 1]), "{text}");
    }
}

#[test]
fn a_table_that_cannot_be_read_is_named_with_its_line_and_the_option() {
    let folder = four(["0", "1", "0", "1"]);
    let options = json!({ "csv": "list.csv", "label_column": "kind" });
    let parts = ["option `label_column`", "list.csv has no column `kind`", "(its columns: id, label)"];
    refused("DicomFolder", folder.path(), options.clone(), &parts);
    for (bytes, part) in [
        (&b"id,kind\n0.dcm,0\n1.dcm\n"[..], "list.csv: line 3 has 1 fields, expected 2"),
        (b"id;kind\n0.dcm;0;1\n", "list.csv: line 2 has 3 fields, expected 2"),
        (b"id,kind\n0.dcm,0\n1.dcm,\xff\n", "list.csv: line 3 is not UTF-8"),
        (b"\xff\xfei\0d\0\n\0", "list.csv: this is UTF-16; save the file as UTF-8"),
        (b"id,kind\n", "list.csv: there are no rows"),
    ] {
        put(folder.path(), "list.csv", bytes);
        refused("DicomFolder", folder.path(), options.clone(), &[part]);
    }
}
