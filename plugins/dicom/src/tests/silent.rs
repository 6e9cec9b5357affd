//! What must not pass without a word: pictures without any difference, labels, lists that nearly fit, strange names.

use super::folders::{image, opened, put, refused};
use super::streams::code;
use super::syntaxes::fixture;
use super::writer::{JPEG_2000, LITTLE, Picture};
use super::{Silent, dataset};
use crate::found::{Found, contradictions};
use crate::identity::Identity;
use crate::source::Source;
use selfsame_plugin_api::{Split, Targets};
use serde_json::json;
use tempfile::tempdir;

/// dcm4che#1513, Weasis#52, panimg#75.
#[test]
fn pictures_that_come_out_constant_are_counted_with_the_attribute_that_makes_them_so() {
    let window =
        |center: &str, width: &str| vec![(0x0028_1050, *b"DS", center.into()), (0x0028_1051, *b"DS", width.into())];
    let row = |values: &[i32]| Picture::grey(1, values.len() as u16, 16, values.to_vec());
    let lut = |tag, level: u16| (tag, vec![(0x0028_3002, vec![2, 0, 8]), (0x0028_3006, vec![level, level])]);
    let padding = vec![(0x0028_0120, *b"US", vec![1]), (0x0028_0121, *b"US", vec![9])];
    let colour = Picture { samples: 3, photometric: "RGB", ..Picture::grey(1, 2, 8, vec![7; 6]) };
    for (picture, expected) in [
        (Picture { texts: window("40", "400"), ..row(&[20_000, 60_000]) }, Some("Window Center and Window Width")),
        (
            Picture { texts: window("40", "400"), photometric: "MONOCHROME1", ..row(&[20_000, 60_000]) },
            Some("Window Center and Window Width"),
        ),
        (Picture { tables: vec![lut(0x0028_3010, 7)], ..row(&[0, 1]) }, Some("VOI LUT Sequence")),
        (Picture { tables: vec![lut(0x0028_3000, 7)], ..row(&[0, 1]) }, Some("Modality LUT Sequence")),
        (Picture { shorts: padding, ..row(&[1, 9]) }, Some("Pixel Padding Value")),
        (row(&[5, 5]), Some("Pixel Data")),
        (colour, Some("Pixel Data")),
        (Picture { texts: window("0", "1"), ..row(&[5, 9]) }, None),
        (row(&[5, 9]), None),
    ] {
        let folder = tempdir().unwrap();
        put(folder.path(), "a.dcm", &picture.file(LITTLE, &[]));
        let samples = opened("DicomFolder", folder.path(), json!({}), Split::Train);
        samples.read(&[0]).unwrap();
        let fact = samples.facts(0).unwrap().get("equal pixels as shown").cloned();
        let cause = fact.as_deref().map(|fact| fact.split(';').next().unwrap_or_default().to_owned());
        assert_eq!(cause, expected.map(|cause| format!("because of {cause}")));
        assert!(fact.is_none_or(|fact| fact.contains("; correct it") || fact.contains("; leave the file out")));
    }
    // Windows of the options, whatever the file's own: a width of 0 stops nobody.
    let folder = tempdir().unwrap();
    put(folder.path(), "a.dcm", &Picture { texts: window("40", "0"), ..row(&[20_000, 60_000]) }.file(LITTLE, &[]));
    let samples = opened("DicomFolder", folder.path(), json!({ "windows": [[40, 400], [50, 10]] }), Split::Train);
    assert_eq!(samples.read(&[0]).unwrap()[0].data, [255; 4]);
    assert_eq!(
        samples.facts(0).unwrap()["equal pixels as shown"],
        "because of dataset.options.windows; choose a window that its values lie in"
    );
}

#[test]
fn columns_that_are_no_labels_are_called_so() {
    let folder = tempdir().unwrap();
    put(folder.path(), "a.dcm", &image("ann", 1));
    put(folder.path(), "b.dcm", &image("bob", 2));
    let options = json!({ "csv": "list.csv", "label_column": "finding" });
    for (first, second, part) in [
        ("nan", "", "no row has a label in `finding`"),
        ("1.0", "1", "`finding` has one class only, `1`; expected at least two"),
    ] {
        put(folder.path(), "list.csv", format!("id,finding\na,{first}\nb,{second}\n").as_bytes());
        refused("DicomFolder", folder.path(), options.clone(), &["list.csv: ", part]);
    }
    let missing = json!({ "csv": "lists/list.csv", "label_column": "finding" });
    refused(
        "DicomFolder",
        folder.path(),
        missing,
        &["/lists/list.csv: could not read the list", "dataset.options.csv is `lists/list.csv`"],
    );
}

#[test]
fn a_slope_of_0_is_refused_wherever_it_stands() {
    let slope = vec![(0x0028_1053, *b"DS", "0".into()), (0x0028_1052, *b"DS", "7".into())];
    let row = Picture::grey(1, 2, 16, vec![1, 2]);
    for picture in [
        Picture { texts: slope.clone(), ..row.clone() },
        Picture { nested: vec![(0x5200_9229, 0x0028_9145, slope.clone())], ..row.clone() },
        Picture { nested: vec![(0x5200_9230, 0x0028_9145, slope)], ..row },
    ] {
        let folder = tempdir().unwrap();
        put(folder.path(), "a.dcm", &picture.file(LITTLE, &[]));
        let error = opened("DicomFolder", folder.path(), json!({}), Split::Train).read(&[0]).unwrap_err();
        assert!(error.message.contains("a.dcm has a Rescale Slope of 0"), "{error}");
    }
}

#[test]
fn lists_that_nearly_fit_say_how_they_differ_from_the_files() {
    let folder = tempdir().unwrap();
    put(folder.path(), "sub/a.dcm", &image("ann", 1));
    put(folder.path(), "sub/0007.dcm", &image("bob", 2));
    let options = json!({ "csv": "list.csv", "label_column": "label", "test_fraction": 0 });
    for (first, second, part) in [
        ("sub/A.DCM", "sub/0007.dcm", "`sub/A.DCM` and `sub/a.dcm` differ in upper and lower case"),
        ("a", "7", "`7` and `0007` differ in leading zeros"),
        ("/data/sub/a.dcm", "sub/0007.dcm", "differ in the folders before the name: the list has `/data/` too much"),
    ] {
        put(folder.path(), "list.csv", format!("id,label\n{first},0\n{second},1\n").as_bytes());
        refused("DicomFolder", folder.path(), options.clone(), &["rows without a file: 1", part]);
    }
    // An id longer than what messages show of it.
    let long = format!("sub/{}.dcm", "film".repeat(30));
    put(folder.path(), &long, &image("cat", 3));
    let rows = format!("id,label\n{},0\nsub/a.dcm,1\nsub/0007.dcm,1\n", long.to_uppercase());
    put(folder.path(), "list.csv", rows.as_bytes());
    refused(
        "DicomFolder",
        folder.path(),
        options.clone(),
        &["rows without a file: 1", "differ in upper and lower case"],
    );
    std::fs::remove_file(folder.path().join(&long)).unwrap();
    for list in [
        "id;label\nsub\\a.dcm;0\n.\\sub\\0007.dcm;TRUE\n",
        "sep=;\nid;label;\n\"sub/a.dcm\"; \"0.0\";\n   \nsub/0007.dcm;1;\n",
    ] {
        put(folder.path(), "list.csv", list.as_bytes());
        let samples = opened("DicomFolder", folder.path(), options.clone(), Split::Train);
        assert_eq!(samples.targets(), Targets::Classes(vec![1, 0]), "{list}");
    }
    put(folder.path(), "list.csv", b"id,label,who\nsub/a.dcm,0,ann\nsub/0007.dcm,1,nan\n");
    let grouped = json!({ "csv": "list.csv", "label_column": "label", "group_column": "who" });
    refused("DicomFolder", folder.path(), grouped, &["list.csv: line 3: the group is `nan`, expected a patient"]);
    put(folder.path(), "list.csv", b"id,label,split\nsub/a.dcm,0,Training\nsub/0007.dcm,1,dev\n");
    let split = json!({ "csv": "list.csv", "label_column": "label", "split_column": "split" });
    assert_eq!(opened("DicomFolder", folder.path(), split, Split::Val).len(), 1);
}

/// monai-deploy-app-sdk#290.
#[test]
fn a_shape_that_contradicts_the_interpretation_is_named() {
    let folder = tempdir().unwrap();
    for (shape, photometric, is_named) in
        [("INVERSE", "MONOCHROME2", true), ("INVERSE", "MONOCHROME1", false), ("IDENTITY", "MONOCHROME2", false)]
    {
        let texts = vec![(0x2050_0020, *b"CS", shape.into())];
        let picture = Picture { texts, photometric, ..Picture::grey(1, 2, 8, vec![0, 51]) };
        put(folder.path(), "a.dcm", &picture.file(LITTLE, &[]));
        let source = Source::open(&folder.path().join("a.dcm")).unwrap();
        let found = Found { file: "a.dcm".into(), identity: Identity::of(&source).unwrap().unwrap() };
        let said = contradictions(&[found]).concat();
        assert_eq!(said.contains("Presentation LUT Shape INVERSE"), is_named, "{said}");
    }
}

/// cornerstoneWADOImageLoader#308: programs that write JPEG 2000 leave the header of what it was.
#[test]
fn colours_that_are_undone_by_the_decoder_and_by_the_header_are_named() {
    let folder = tempdir().unwrap();
    for (name, photometric, is_named) in [
        ("jpeg2000_rgb", "YBR_FULL_422", true),
        ("htj2k_rgb", "YBR_FULL", true),
        ("jpeg2000_rgb", "YBR_RCT", false),
        ("jpeg2000_rgb", "RGB", false),
        ("jpeg2000_ybr_full", "YBR_FULL", false),
    ] {
        let picture = Picture { samples: 3, photometric, ..Picture::grey(20, 24, 8, Vec::new()) };
        put(folder.path(), "a.dcm", &picture.file(JPEG_2000, &[code(fixture(&format!("{name}.dcm")))]));
        let source = Source::open(&folder.path().join("a.dcm")).unwrap();
        let found = Found { file: "a.dcm".into(), identity: Identity::of(&source).unwrap().unwrap() };
        let said = contradictions(&[found]).concat();
        assert_eq!(said.contains("which are converted once more"), is_named, "{name}, {photometric}: {said}");
    }
}

#[test]
fn the_challenges_labels_are_found_where_they_were_left() {
    let folder = tempdir().unwrap();
    put(folder.path(), "stage_2_train_images/p0.dcm", &image("x", 1));
    put(folder.path(), "stage_2_train_labels.csv.zip", b"PK");
    refused("RSNAKaggle", folder.path(), json!({}), &["; unpack ", "stage_2_train_labels.csv.zip"]);
    let folder = tempdir().unwrap();
    put(folder.path(), "rsna/stage_2_train_labels.csv", b"patientId,Target\np0,1\n");
    refused(
        "RSNAKaggle",
        folder.path(),
        json!({}),
        &["; it is in ", "/rsna: is that", "set dataset.dataset_dir to it"],
    );
}

#[test]
fn names_that_are_no_utf_8_stay_apart_and_other_files_are_listed_by_kind() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempdir().unwrap();
    for byte in [0xe8, 0xe9] {
        let name = [b"film", &[byte][..], b".dcm"].concat();
        std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(&name)), image("ann", 1)).unwrap();
    }
    let samples = opened("DicomFolder", folder.path(), json!({}), Split::Train);
    assert_eq!(samples.ids().unwrap(), ["film\\xE8.dcm", "film\\xE9.dcm"]);
    // Names, of which one is written as the other is printed, stay apart in lists as well.
    put(folder.path(), "film\\xE8.dcm", &image("ann", 1));
    put(folder.path(), "list.csv", b"id,label\nfilm\\xE8.dcm,0\nfilm\\xE9.dcm,1\nfilm\\x5CxE8.dcm,1\n");
    for kind in ["path", "file_name"] {
        let options = json!({ "csv": "list.csv", "label_column": "label", "id_kind": kind, "test_fraction": 0 });
        let samples = opened("DicomFolder", folder.path(), options, Split::Train);
        assert_eq!(samples.ids().unwrap(), ["film\\x5CxE8.dcm", "film\\xE8.dcm", "film\\xE9.dcm"]);
        assert_eq!(samples.targets(), Targets::Classes(vec![1, 0, 1]), "{kind}");
    }
    put(folder.path(), "dataset.csv", b"subject,label\nfilm\\xE8,0\nfilm\\xE9.DCM,1\nfilm\\x5CxE8,1\n");
    let samples = opened("RSNAKaggle", folder.path(), json!({ "test_fraction": 0 }), Split::Train);
    assert_eq!(samples.groups().unwrap(), ["film\\x5CxE8", "film\\xE8", "film\\xE9"]);
    assert_eq!(samples.targets(), Targets::Classes(vec![1, 0, 1]));
    let other = tempdir().unwrap();
    ["a.zip", "b.zip", "c.png"].iter().for_each(|name| put(other.path(), name, b"something else"));
    refused(
        "DicomFolder",
        other.path(),
        json!({}),
        &["none of 3 files", "3 are not DICOM: 2 .zip, 1 .png", "; unpack"],
    );
}

#[test]
fn a_link_that_leads_in_a_circle_is_named() {
    let folder = tempdir().unwrap();
    put(folder.path(), "one/a.dcm", &image("ann", 1));
    std::os::unix::fs::symlink("..", folder.path().join("one/back")).unwrap();
    let error = dataset("DicomFolder", folder.path(), json!({})).prepare(&Silent).unwrap_err();
    assert!(error.message.contains("one/back leads in a circle; remove it"), "{error}");
}
