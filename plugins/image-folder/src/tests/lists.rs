//! CSV files and lists.

use super::*;
use selfsame_plugin_api::{ErrorKind, Task};
use serde_json::json;

fn four() -> Folder {
    Folder::with(&["x/a.png", "x/b.png", "y/c.png", "y/d.png"])
}

#[test]
fn a_column_gives_the_class_whatever_the_file_was_written_with() {
    let expected = ["x/a.png", "x/b.png", "y/c.png"];
    for text in [
        "path,label\nx/a.png,0\nx/b.png,1\ny/c.png,1\n",
        "\u{feff}path;label\r\nx/a.png;0.0\r\n\"x/b.png\";1.0\r\ny/c.png;\"1\"",
        "path\tnote\tlabel\nx/a.png\tone, two; three\t0\nx\\b.png\t\t1\n\ny/c.png\t\"a \"\"b\"\"\nc\"\t 1 \n",
        "label, path,\n0,x/a.png,\n1,x/b.png\n1,y/c.png,\n".replace("x/b.png\n", "x/b.png,\n").as_str(),
    ] {
        let folder = four();
        folder.write("list.csv", text);
        let options = json!({ "csv": "list.csv", "label_column": "label" });
        let card = folder.card(options.clone());
        assert_eq!((card.task, card.classes), (Task::Binary, vec!["0".into(), "1".into()]), "{text}");
        let samples = folder.samples(options, Split::Train);
        assert_eq!(samples.ids().unwrap(), expected);
        assert_eq!(classes(samples.as_ref()), [0, 1, 1]);
    }
}

#[test]
fn truth_values_are_numbers_where_a_column_or_the_options_have_both() {
    let folder = four();
    folder.write("list.csv", "path,label\nx/a.png,0\nx/b.png,TRUE\ny/c.png,False\ny/d.png,1.0\n");
    let mut options = json!({ "csv": "list.csv", "label_column": "label" });
    let read = |options: &Value| {
        let classes = folder.card(options.clone()).classes;
        (classes, super::classes(folder.samples(options.clone(), Split::Train).as_ref()))
    };
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    assert_eq!(read(&options), (names(&["0", "1"]), vec![0, 1, 0, 1]));
    folder.write("list.csv", "path,label\nx/a.png,False\nx/b.png,TRUE\ny/c.png,false\ny/d.png,true\n");
    assert_eq!(read(&options), (names(&["false", "true"]), vec![0, 1, 0, 1]));
    options["classes"] = json!([1, 0]);
    assert_eq!(read(&options), (names(&["1", "0"]), vec![1, 0, 1, 0]));
    options.as_object_mut().unwrap().remove("classes");
    options["positive_labels"] = json!([1]);
    assert_eq!(read(&options).1, [0, 1, 0, 1]);
}

#[test]
fn words_for_no_value_are_no_classes_unless_the_options_name_them() {
    for word in ["nan", "NaN", "NA", "N/A", "None", "null", "<NA>", ""] {
        let folder = four();
        folder.write("list.csv", format!("path,label\nx/a.png,0\nx/b.png,{word}\ny/c.png,1\ny/d.png,0\n"));
        let options = json!({ "csv": "list.csv", "label_column": "label" });
        folder.refused(options, &["list.csv: line 3", "`label` lacks a label", word, "missing to skip"]);
        let options = json!({ "csv": "list.csv", "label_column": "label", "missing": "skip" });
        assert_eq!(folder.card(options.clone()).classes, ["0", "1"], "{word}");
        let samples = folder.samples(options, Split::Train);
        assert_eq!(samples.ids().unwrap(), ["x/a.png", "y/c.png", "y/d.png"], "{word}");
        assert_eq!(classes(samples.as_ref()), [0, 1, 0]);
    }
    let folder = four();
    folder.write("list.csv", "path,label\nx/a.png,none\nx/b.png,mild\ny/c.png,none\ny/d.png,mild\n");
    let message = folder.refused(json!({ "csv": "list.csv", "label_column": "label" }), &["`none` stands for none"]);
    assert!(message.contains("dataset.options.classes"), "{message}");
    let named = json!({ "csv": "list.csv", "label_column": "label", "classes": ["none", "mild"] });
    assert_eq!(classes(folder.samples(named, Split::Train).as_ref()), [0, 1, 0, 1]);
    let separated = json!({
        "csv": "list.csv", "label_column": "label", "label_separator": "|", "negative_label": "none",
    });
    assert_eq!(classes(folder.samples(separated, Split::Train).as_ref()), [0, 1, 0, 1]);
}

#[test]
fn without_a_label_column_there_are_no_labels() {
    let folder = four();
    folder.write("list.csv", "path\nx/a.png\n");
    assert_eq!(folder.card(json!({ "csv": "list.csv" })).task, Task::None);
}

#[test]
fn separated_labels_are_several_classes_and_a_word_for_none() {
    let folder = four();
    let text = "Image Index,Finding Labels\na.png,Edema|Mass\nb.png,No Finding\nc.png,Mass\nd.png,Mass|Mass|Hernia\n";
    folder.write("list.csv", text);
    let mut options = json!({
        "csv": "list.csv", "path_column": "Image Index", "label_column": "Finding Labels", "label_separator": "|",
        "negative_label": "No Finding",
    });
    let card = folder.card(options.clone());
    let expected = vec!["Edema".to_string(), "Hernia".into(), "Mass".into()];
    assert_eq!((card.task, card.classes), (Task::Multilabel, expected));
    let samples = folder.samples(options.clone(), Split::Train);
    assert_eq!(samples.targets(), Targets::Multilabel(vec![1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 1]));
    options["classes"] = json!(["Mass", "Edema", "Hernia", "Nodule"]);
    let samples = folder.samples(options.clone(), Split::Train);
    let flags = vec![1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0];
    assert_eq!(samples.targets(), Targets::Multilabel(flags));
    options.as_object_mut().unwrap().remove("classes");
    options["positive_labels"] = json!(["Edema", "Hernia"]);
    assert_eq!(classes(folder.samples(options, Split::Train).as_ref()), [1, 0, 0, 1]);
}

#[test]
fn columns_of_flags_are_labels_and_other_values_need_a_meaning() {
    let folder = four();
    folder.write("list.csv", "path,Edema,Mass\nx/a.png,1.0,0\nx/b.png,,1\ny/c.png,-1.0,0\ny/d.png,True,FALSE\n");
    let mut options = json!({ "csv": "list.csv", "label_columns": ["Edema", "Mass"] });
    folder.refused(options.clone(), &["list.csv: line 3", "`Edema` is ``", "label_values"]);
    // The second is the word of earlier versions.
    for word in ["skip", "drop"] {
        options["label_values"] = json!({ "": 0, "-1": word });
        let samples = folder.samples(options.clone(), Split::Train);
        assert_eq!(samples.ids().unwrap(), ["x/a.png", "x/b.png", "y/d.png"]);
        assert_eq!(samples.targets(), Targets::Multilabel(vec![1, 0, 0, 1, 1, 0]));
    }
    options["label_values"] = json!({ "": 0, "-1": 1 });
    let samples = folder.samples(options.clone(), Split::Train);
    assert_eq!(samples.targets(), Targets::Multilabel(vec![1, 0, 0, 1, 1, 0, 1, 0]));
    options["label_columns"] = json!(["Edema"]);
    let card = folder.card(options.clone());
    assert_eq!((card.task, card.classes), (Task::Binary, vec!["not Edema".into(), "Edema".into()]));
    assert_eq!(classes(folder.samples(options.clone(), Split::Train).as_ref()), [1, 0, 1, 1]);
    options["label_values"] = json!({ "": "maybe" });
    folder.refused(options, &["label_values", "maybe", "0, 1 or skip"]);
}

#[test]
fn splits_come_from_a_column_from_files_or_from_lists() {
    let folder = four();
    let ids = |options: &Value| -> Vec<Vec<String>> {
        [Split::Train, Split::Test].map(|split| folder.ids(options.clone(), split)).into()
    };
    let expected = vec![vec!["x/a.png", "y/d.png"], vec!["x/b.png", "y/c.png"]];
    folder.write("list.csv", "path,fold,use\nx/a.png,train,1\nx/b.png,test,2\ny/c.png,Test,2\ny/d.png,training,3\n");
    let by_name = json!({ "csv": "list.csv", "split_column": "fold" });
    assert_eq!(ids(&by_name), expected);
    let by_value =
        json!({ "csv": "list.csv", "split_column": "use", "split_values": { "train": [1, 3], "test": "2" } });
    assert_eq!(ids(&by_value), expected);
    folder.write("one.csv", "path\nx/a.png\ny/d.png\n");
    folder.write("two.csv", "path\nx/b.png\ny/c.png\n");
    assert_eq!(ids(&json!({ "csv": { "train": "one.csv", "test": "two.csv" } })), expected);
    folder.write("one.txt", "a.png\r\ny/d.png\n\n");
    folder.write("two.txt", "b.png\nc.png");
    let lists = json!({ "train": "one.txt", "test": "two.txt" });
    assert_eq!(ids(&json!({ "split_lists": lists, "unlabelled": true })), expected);
    assert_eq!(ids(&json!({ "split_lists": { "test": "two.txt" }, "unlabelled": true })), expected);
    assert_eq!(ids(&json!({ "csv": "list.csv", "split_lists": lists })), expected);

    folder.refused(json!({ "csv": "list.csv", "split_column": "use" }), &["line 2", "`1`", "split_values"]);
    folder.write("two.txt", "b.png\na.png\n");
    folder.refused(json!({ "csv": "list.csv", "split_lists": lists }), &["`a.png`", "train and test"]);
    folder.write("two.txt", "b.png\nz.png\n");
    folder.refused(json!({ "csv": "list.csv", "split_lists": lists }), &["`z.png`", "missing"]);
}

#[test]
fn rows_are_filtered_by_the_values_of_columns() {
    let folder = four();
    folder.write(
        "list.csv",
        "path,View,n\nx/a.png,Frontal,1\nx/b.png,Lateral,1\ny/c.png,Frontal,2\nnone.png,Lateral,3\n",
    );
    let ids = |filters: Value| folder.ids(json!({ "csv": "list.csv", "where": filters }), Split::Train);
    assert_eq!(ids(json!({ "View": "Frontal" })), ["x/a.png", "y/c.png"]);
    assert_eq!(ids(json!({ "View": ["Frontal", "Lateral"], "n": 1 })), ["x/a.png", "x/b.png"]);
    let message =
        folder.refused(json!({ "csv": "list.csv", "where": { "Veiw": 1 } }), &["Veiw", "did you mean `View`"]);
    assert!(message.contains("path, View, n"), "{message}");
}

#[test]
fn images_are_found_by_name_below_other_folders_and_prefixes_are_stripped() {
    let folder = Folder::with(&["images_001/images/1.png", "images_002/images/2.png", "other/2.jpg"]);
    folder.write("list.csv", "path\n1.png\n2.png\n");
    let options = json!({ "csv": "list.csv" });
    assert_eq!(folder.ids(options.clone(), Split::Train), ["images_001/images/1.png", "images_002/images/2.png"]);
    folder.write("list.csv", "path\n1\n");
    assert_eq!(folder.ids(options.clone(), Split::Train), ["images_001/images/1.png"]);
    folder.write("list.csv", "path\n2\n");
    folder.refused(options.clone(), &["line 2", "name of 2 files", "2.jpg"]);
    folder.write("list.csv", "path\nSet-v1/other/2.jpg\n");
    folder.refused(options, &["Set-v1/other/2.jpg", "strip_prefix to `Set-v1/`"]);
    let options = json!({ "csv": "list.csv", "strip_prefix": ["Set-v0/", "Set-v1"] });
    assert_eq!(folder.ids(options, Split::Train), ["other/2.jpg"]);
}

#[test]
fn missing_and_repeated_images_are_listed() {
    let folder = four();
    folder.write("list.csv", "path\nx/a.png\nx/gone.png\nx/lost.png\n");
    folder.refused(json!({ "csv": "list.csv" }), &["2 of 3", "x/gone.png", "x/lost.png", "missing to skip"]);
    assert_eq!(folder.ids(json!({ "csv": "list.csv", "missing": "skip" }), Split::Train), ["x/a.png"]);
    // The word of earlier versions.
    assert_eq!(folder.ids(json!({ "csv": "list.csv", "missing": "drop" }), Split::Train), ["x/a.png"]);
    folder.refused(json!({ "csv": "list.csv", "missing": "error" }), &["2 of 3"]);
    folder.write("list.csv", "path\nx/a.png\na.png\nx/./b.png\nx//b.png\n");
    folder.refused(json!({ "csv": "list.csv" }), &["x/a.png (lines 2 and 3)", "x/b.png (lines 4 and 5)"]);
    folder.write("list.csv", "path\nnone.png\n");
    folder.refused(json!({ "csv": "list.csv", "missing": "skip" }), &["none.png", "dataset_dir"]);
}

#[test]
fn damaged_lists_are_refused_with_the_line() {
    let folder = four();
    let options = json!({ "csv": "list.csv", "label_column": "label" });
    for (text, parts) in [
        ("", &["empty"][..]),
        ("path,label\n", &["no rows"]),
        ("path,label\nx/a.png\n", &["line 2", "1 fields, expected 2"]),
        ("path,label\nx/a.png,1,2\n", &["line 2", "3 fields, expected 2"]),
        ("path,label\nx/a.png,\n", &["line 2", "`label` lacks a label", "where"]),
        ("path,label\n,1\n", &["line 2", "`path` is empty"]),
        ("path,lable\nx/a.png,1\n", &["no column `label`", "did you mean `lable`"]),
        ("path,label,label\nx/a.png,1,1\n", &["two columns `label`"]),
        ("path,label\nx/a.png,1\n", &["one class only"]),
    ] {
        folder.write("list.csv", text);
        folder.refused(options.clone(), parts);
    }
    folder.write("list.csv", b"path,label\nx/a.png,1\nx/b.png,\xff\n");
    folder.refused(options.clone(), &["list.csv", "line 3 is not UTF-8"]);
    folder.refused(json!({ "csv": "lst.csv" }), &["lst.csv", "could not read"]);
}

#[test]
fn no_row_is_lost_after_a_stray_quote() {
    let names: Vec<String> = (0..8).map(|i| format!("{i}.png")).collect();
    let folder = Folder::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let list = |notes: [&str; 8]| -> String {
        let rows = notes.iter().enumerate().map(|(i, note)| format!("{i}.png,{},{note}\n", i % 2));
        format!("path,label,note\n{}", rows.collect::<String>())
    };
    let options = json!({ "csv": "list.csv", "label_column": "label" });
    for notes in [
        ["", "", "", "", "\"unclear", "", "", ""],
        ["", "", "", "", "\"unclear", "", "\"unclear", ""],
        ["", "", "", "", "\"unclear", "", "", "\"seen\""],
    ] {
        folder.write("list.csv", list(notes));
        folder.refused(options.clone(), &["list.csv: line 6", "quote", "close it"]);
    }
    folder
        .write("list.csv", list(["", "", "", "", "\"unclear,\n\"\"maybe\"\"\r\n5.png,1,x\"", "3\" wide", "", "\"\""]));
    assert_eq!(folder.ids(options, Split::Train), names);
}

#[test]
fn a_line_break_in_a_cell_that_is_used_is_refused() {
    let folder = four();
    folder.write("list.csv", "path,label,fold,who,note\nx/a.png,0,train,1,\"a\nb\"\nx/b.png,1,train,2,\nP,L,S,G,\n");
    let written = folder.root().join("list.csv");
    let text = fs::read_to_string(&written).unwrap();
    let options = json!({
        "csv": "list.csv", "label_column": "label", "split_column": "fold", "group_column": "who",
        "where": { "who": [1, 2, 3] },
    });
    for (place, column) in [("P", "path"), ("L", "label"), ("S", "fold"), ("G", "who")] {
        let row = "y/c.png,1,test,3".split(',').zip(["P", "L", "S", "G"]);
        let row: Vec<String> =
            row.map(|(cell, own)| if own == place { format!("\"{cell}\nmore\"") } else { cell.into() }).collect();
        folder.write("list.csv", text.replace("P,L,S,G", &row.join(",")));
        folder.refused(options.clone(), &["list.csv: line 5", &format!("`{column}` holds a line break")]);
    }
    folder.write("list.csv", text.replace("P,L,S,G", "y/c.png,1,test,3"));
    assert_eq!(folder.ids(options, Split::Train), ["x/a.png", "x/b.png"]);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = four();
    let path = folder.root().join("list");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    for options in [json!({ "csv": "list" }), json!({ "split_lists": { "test": "list" } })] {
        folder.refused(options, &["list: this is no regular file"]);
    }
    // Nor among images.
    let image = folder.root().join("x/pipe.png");
    fs::rename(path, image).unwrap();
    assert_eq!(folder.card(json!({})).summary, "4 images in 2 classes");
    folder.write("list.csv", "path\nx/a.png\nx/pipe.png\n");
    folder.refused(json!({ "csv": "list.csv" }), &["1 of 2", "x/pipe.png"]);
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let folder = four();
    for (options, parts) in [
        (json!({ "label_column": "a" }), &["`label_column` needs the option `csv`"][..]),
        (json!({ "csv": "a", "label_separator": "|" }), &["`label_separator` needs the option `label_column`"]),
        (json!({ "csv": "a", "label_column": "a", "label_columns": ["b"] }), &["not both"]),
        (json!({ "classes": ["a", "b"], "positive_labels": ["a"] }), &["not both"]),
        (json!({ "csv": { "train": "a" }, "split_column": "b" }), &["csv", "split_column"]),
        (json!({ "csv": { "trian": "a" } }), &["csv", "`train`, `val` and `test`"]),
        (json!({ "classes": ["a", "a"] }), &["`a` twice"]),
        (json!({ "missing": "leave" }), &["missing", "leave", "`stop` or `skip`"]),
        (json!({ "channels": 2 }), &["`channels` does not go with any image", "has 1 channel"]),
        (json!({ "bit_depth": 12 }), &["bit_depth", "8 or 16"]),
        (json!({ "max_pixels": 0 }), &["max_pixels"]),
        (json!({ "lable_column": "a" }), &["lable_column", "label_column"]),
    ] {
        let error = folder.read(options.clone()).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Configuration, "{options}: {error}");
        folder.refused(options, parts);
    }
}
