//! What must not pass without a word: lists that nearly fit, names that cannot be written, folders one level too deep, colours
//! of JPEG files.

use super::*;
use serde_json::json;

#[test]
fn lists_that_nearly_fit_say_how_they_differ_from_the_files() {
    for (listed, part) in [
        ("X/A.PNG", "`X/A.PNG` and `x/a.png` differ in upper and lower case"),
        ("7", "`7` and `0007` differ in leading zeros"),
        ("films/a.png", "`films/a.png` and `x/a.png` differ in the folders before the name"),
    ] {
        let folder = Folder::with(&["x/a.png", "x/0007.png"]);
        folder.write("list.csv", format!("path\n{listed}\n"));
        folder.refused(json!({ "csv": "list.csv" }), &["1 of 1 listed images are not there", part]);
    }
    let folder = Folder::with(&["x/a.png"]);
    folder.write("data/list.csv", "path\nx/a.png\n");
    let parts = ["could not read the list", "it is in ", "/data: is that the data set's folder?"];
    folder.refused(json!({ "csv": "list.csv" }), &parts);
    folder.write("other.csv.zip", "PK");
    folder.refused(json!({ "csv": "other.csv" }), &["could not read the list", "unpack ", "other.csv.zip"]);
}

#[test]
fn lists_of_splits_that_nearly_fit_are_named_with_their_option() {
    let folder = Folder::with(&["x/a.png", "x/b.png", "x/0007.png"]);
    let options = |list: &str| json!({ "unlabelled": true, "split_lists": { "test": list } });
    for (line, part) in [
        ("x/A.png", "`x/A.png` and `x/a.png` differ in upper and lower case"),
        ("7.png", "`7.png` and `0007.png` differ in leading zeros"),
        ("D:\\x\\a.png", "differ in the folders before the name: the list has `D:/` too much"),
    ] {
        folder.write("test.txt", line);
        folder.refused(options("test.txt"), &["/test.txt (dataset.options.split_lists.test): 1 of the listed", part]);
    }
    folder.write("test.txt", ".\\x\\a.png\r\nb.png\r\n");
    assert_eq!(folder.ids(options("test.txt"), Split::Test), ["x/a.png", "x/b.png"]);
    // A list is named where it lies.
    folder.write("lists/deep.csv", "path\nx/gone.png\n");
    let deep = json!({ "csv": "deep.csv", "folders": ["other", "lists"] });
    folder.refused(deep, &["/lists/deep.csv: 1 of 1 listed images are not there"]);
    folder.refused(
        options("no.txt"),
        &["/no.txt: could not read the list", "dataset.options.split_lists.test is `no.txt`"],
    );
    let lists = json!({ "csv": { "train": "no.csv" } });
    folder.refused(lists, &["/no.csv: could not read the list", "(dataset.options.csv.train is `no.csv`)"]);
}

#[test]
fn folders_whose_names_say_that_there_is_no_label_are_no_classes_unless_the_options_name_them() {
    for word in ["nan", "NA", "None", "null"] {
        let file = format!("{word}/c.png");
        let folder = Folder::with(&["cat/a.png", "dog/b.png", &file, "dog/d.png"]);
        folder.refused(
            json!({}),
            &["1 image in folders whose names stand for no label", word, "dataset.options.classes"],
        );
        let skipped = json!({ "missing": "skip" });
        assert_eq!(folder.card(skipped.clone()).classes, ["cat", "dog"], "{word}");
        assert_eq!(folder.ids(skipped, Split::Train), ["cat/a.png", "dog/b.png", "dog/d.png"], "{word}");
        let named = json!({ "classes": [word, "cat", "dog"] });
        assert_eq!(folder.card(named.clone()).classes, [word, "cat", "dog"]);
        assert_eq!(folder.ids(named, Split::Train).len(), 4);
        assert_eq!(folder.ids(json!({ "unlabelled": true }), Split::Train).len(), 4);
    }
}

#[test]
fn labels_that_are_numbers_are_in_their_order() {
    let folder = Folder::with(&["a.png", "b.png", "c.png", "d.png"]);
    folder.write("list.csv", "path,label\na.png,10.5\nb.png,-2\nc.png,2.5\nd.png,10.5\n");
    let card = folder.card(json!({ "csv": "list.csv", "label_column": "label" }));
    assert_eq!(card.classes, ["-2", "2.5", "10.5"]);
}

#[test]
fn a_listed_name_of_a_file_that_is_no_image_is_called_so() {
    let folder = Folder::with(&["x/a.png"]);
    folder.write("x/b.gif", "GIF89a");
    for name in ["b.gif", "b"] {
        folder.write("list.csv", format!("path\na\n{name}\n"));
        let part = format!("`{name}` is there, but is no image that is read");
        folder.refused(json!({ "csv": "list.csv" }), &["1 of 2 listed images are not there", &part]);
    }
}

/// torchxrayvision#145: the full-size films are unpacked in four folders, and their lists speak of a fifth.
#[test]
fn the_preset_reads_both_releases_of_chexpert() {
    let preset = include_str!("../../../../configs/datasets/chexpert.yaml");
    let quoted = |key: &str| -> Vec<String> {
        let (_, rest) = preset.split_once(key).unwrap();
        let lines = rest.lines().skip(1).take_while(|line| line.starts_with("      - "));
        lines.map(|line| line.trim().trim_start_matches("- ").to_string()).collect()
    };
    let (_, prefixes) = preset.split_once("strip_prefix: [").unwrap();
    let prefixes: Vec<&str> = prefixes.split(']').next().unwrap().split(", ").collect();
    let options = json!({
        "csv": { "train": "train.csv", "test": "valid.csv" }, "path_column": "Path",
        "strip_prefix": prefixes, "folders": quoted("    folders:"), "label_columns": ["Edema"], "label_values": { "": 0 },
    });
    let batch = "CheXpert-v1.0 batch";
    for (name, places, list_in) in [
        (
            "CheXpert-v1.0-small",
            ["train/p1/a.jpg", "train/p2/a.jpg", "valid/p9/a.jpg"].map(String::from),
            String::new(),
        ),
        (
            "CheXpert-v1.0",
            [
                format!("{batch} 2 (train 1)/p1/a.jpg"),
                format!("{batch} 4 (train 3)/p2/a.jpg"),
                format!("{batch} 1 (validate & csv)/valid/p9/a.jpg"),
            ],
            format!("{batch} 1 (validate & csv)/"),
        ),
    ] {
        let folder = Folder::with(&places.each_ref().map(String::as_str));
        let rows = format!("Path,Edema\n{name}/train/p1/a.jpg,1.0\n{name}/train/p2/a.jpg,nan\n");
        folder.write(&format!("{list_in}train.csv"), rows);
        folder.write(&format!("{list_in}valid.csv"), format!("Path,Edema\n{name}/valid/p9/a.jpg,0.0\n"));
        let mut expected = places[..2].to_vec();
        expected.sort();
        assert_eq!(folder.ids(options.clone(), Split::Train), expected, "{name}");
        assert_eq!(folder.ids(options.clone(), Split::Test), places[2..], "{name}");
    }
}

#[test]
fn words_for_no_value_are_no_patients_and_mean_what_empty_flags_do() {
    let folder = Folder::with(&["a.png", "b.png"]);
    folder.write("list.csv", "path,who,sick\na.png,7,1\nb.png,nan,NA\n");
    let options = json!({ "csv": "list.csv", "group_column": "who" });
    folder.refused(options, &["list.csv: line 3", "`who` is `nan`, expected the patient"]);
    let options = |values: Value| json!({ "csv": "list.csv", "label_columns": ["sick"], "label_values": values });
    folder.refused(options(json!({})), &["line 3", "`sick` is `NA`"]);
    assert_eq!(classes(folder.samples(options(json!({ "": 0 })), Split::Train).as_ref()), [1, 0]);
    assert_eq!(classes(folder.samples(options(json!({ "": 0, "NA": 1 })), Split::Train).as_ref()), [1, 1]);
}

#[test]
fn names_that_are_no_utf_8_stay_apart() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::with(&["a/first.png", "b/second.png"]);
    for byte in [0xe8, 0xe9] {
        let name = [b"a/film", &[byte][..], b".png"].concat();
        let path = folder.root().join(std::ffi::OsStr::from_bytes(&name));
        fs::copy(folder.root().join("a/first.png"), path).unwrap();
    }
    assert_eq!(
        folder.ids(json!({}), Split::Train),
        ["a/film\\xE8.png", "a/film\\xE9.png", "a/first.png", "b/second.png"]
    );
    // A list names them as they are printed: by path, behind a prefix, and by name alone.
    for (list, strip) in [
        ("path\na/film\\xE8.png\nb/second.png\n", ""),
        ("path\n/old/a/film\\xe8.png\n/old/b/second.png\n", "/old/"),
        ("path\nfilm\\xE8.png\nsecond.png\n", ""),
        ("path\nfilm\\xE8\nsecond\n", ""),
    ] {
        folder.write("list.csv", list);
        let mut options = json!({ "csv": "list.csv" });
        if !strip.is_empty() {
            options["strip_prefix"] = json!(strip);
        }
        assert_eq!(folder.ids(options, Split::Train), ["a/film\\xE8.png", "b/second.png"], "{list}");
    }
    folder.write("list.csv", "path\na/film\\xE7.png\nb/second.png\n");
    folder.refused(json!({ "csv": "list.csv" }), &["a/film\\xE7.png"]);
    // On a system with backslashes, it is a folder.
    folder.grey("a/xE8/deep.png", 3);
    folder.write("list.csv", "path\na\\xE8\\deep.png\nb\\second.png\n");
    assert_eq!(folder.ids(json!({ "csv": "list.csv" }), Split::Train), ["a/xE8/deep.png", "b/second.png"]);
}

#[test]
fn class_folders_one_level_too_deep_are_named() {
    let folder = Folder::with(&["pets/cat/a.png", "pets/dog/b.png"]);
    let root = folder.root().join("pets").display().to_string();
    folder.refused(
        json!({}),
        &["all images lie in one folder, `pets`", "`cat`, `dog`", &format!("dataset_dir to {root}.")],
    );
    let message = Folder::with(&["pets/a.png", "pets/dog/b.png"]).refused(json!({}), &["one folder, `pets`"]);
    assert!(!message.contains("dataset_dir"), "{message}");
}

/// Of 16×16 pixels, `values` stored as they are; its components called `ids`, without a JFIF segment.
fn jpeg(values: &[u8], ids: [u8; 3]) -> Vec<u8> {
    let mut code = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut code, 98);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    encoder.encode(values, 16, 16, jpeg_encoder::ColorType::Ycbcr).unwrap();
    let (mut changed, mut at) = (code[..2].to_vec(), 2);
    while code[at + 1] != 0xda {
        let (marker, length) = (code[at + 1], usize::from(u16::from_be_bytes([code[at + 2], code[at + 3]])));
        let mut segment = code[at..at + 2 + length].to_vec();
        at += segment.len();
        match marker {
            0xe0 => continue,
            0xc0 => [10, 13, 16].iter().zip(ids).for_each(|(&place, id)| segment[place] = id),
            _ => {}
        }
        changed.extend(segment);
    }
    let scan = changed.len();
    changed.extend(&code[at..]);
    [5, 7, 9].iter().zip(ids).for_each(|(&place, id)| changed[scan + place] = id);
    changed
}

/// The rule that docs/dicom.md has for DICOM's streams; without names and segments, JPEG files are YCbCr.
#[test]
fn components_of_a_jpeg_file_that_are_called_red_green_and_blue_are_so() {
    let values: Vec<u8> =
        (0..256u32).flat_map(|at| [200 - at / 16 * 5, 60 + at % 16 * 4, 30 + at / 16 * 3]).map(|v| v as u8).collect();
    for (ids, is_rgb) in [(*b"RGB", true), (*b"rgb", true), ([1, 2, 3], false), ([0, 1, 2], false)] {
        let folder = Folder::new();
        folder.write("image.jpg", jpeg(&values, ids));
        let image = folder.samples(json!({ "channels": 3 }), Split::Train).read(&[0]).unwrap().remove(0);
        let far = (0..768).map(|at| image.data[at].abs_diff(values[at % 256 * 3 + at / 256])).max().unwrap();
        assert_eq!(far <= 4, is_rgb, "{ids:?}: {far}");
    }
}
