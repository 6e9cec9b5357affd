//! What folders of each kind are told to be, and that the options which are suggested read them.

use super::{Folder, Patient};
use crate::survey::survey;
use selfsame_plugin_api::Split;
use serde_json::{Map, Value, json};

/// Images, folder below the root, options and notes of a survey; the folder is read with what it suggests.
fn surveyed(folder: &Folder) -> (usize, String, Value, String) {
    let survey = survey(folder.root(), &Patient).unwrap();
    let options: Map<String, Value> =
        survey.options.iter().map(|option| (option.name.clone(), option.value.clone())).collect();
    assert!(survey.options.iter().all(|option| !option.reason.is_empty() && !option.reason.ends_with('.')));
    let root = survey.folder.clone().unwrap_or_else(|| folder.root().to_owned());
    if survey.images > 0 {
        let request = selfsame_plugin_api::DatasetRequest {
            name: "ImageFolder".into(),
            dataset_dir: Some(root.clone()),
            cache_dir: root.join("unused"),
            options: json!(options),
        };
        let dataset = crate::create(&request).unwrap();
        dataset.prepare(&Patient).unwrap();
        assert!(!dataset.open(Split::Train).unwrap().is_empty());
    }
    let below = root.strip_prefix(folder.root()).unwrap().display().to_string();
    (survey.images, below, json!(options), survey.notes.join("\n"))
}

#[test]
fn trees_are_told_to_be_classes_where_they_can_be() {
    let many = |names: &[&str], count: usize| -> Vec<String> {
        names.iter().flat_map(|name| (0..count).map(move |i| format!("{name}/{i}.png"))).collect()
    };
    for (paths, below, options, note) in [
        (many(&["cat", "dog"], 4), "", json!({}), ""),
        (many(&["train/cat", "train/dog", "test/cat", "test/dog"], 3), "", json!({}), ""),
        // One folder after the other before anything stands side by side.
        (many(&["export/2026/cat", "export/2026/dog"], 3), "export/2026", json!({}), ""),
        (many(&["export"], 5), "export", json!({}), ""),
        // Images beside folders are no classes.
        ([many(&["cat", "dog"], 3), vec!["loose.png".into()]].concat(), "", json!({"unlabelled": true}), "loose.png"),
        // Splits that lie below a folder beside another one.
        (
            many(&["films/train/ill", "films/train/well", "films/test/ill", "films/test/well", "samples"], 3),
            "films",
            json!({}),
            "3 images beside",
        ),
    ] {
        let folder = Folder::with(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        let (images, found, chosen, notes) = surveyed(&folder);
        assert_eq!((found.as_str(), &chosen), (below, &options), "{paths:?}\n{notes}");
        assert!(notes.contains(note) && notes.is_empty() == note.is_empty(), "{notes}");
        assert!(images == paths.len() || !note.is_empty());
    }
}

#[test]
fn a_folder_without_images_is_no_error() {
    let folder = Folder::new();
    folder.write("a.txt", "nothing");
    assert_eq!(surveyed(&folder).0, 0);
}

#[test]
fn patients_in_paths_are_kept_together() {
    let of = |person: usize, film: usize, class: &str| format!("{class}/person{person}_{film}.png");
    let mut paths: Vec<String> =
        (0..6).flat_map(|p| (0..2).map(move |film| of(p, film, ["ill", "well"][p % 2]))).collect();
    paths.push("ill/unknown.png".into());
    let folder = Folder::with(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    let (_, _, options, _) = surveyed(&folder);
    let groups = folder.samples(options, Split::Train).groups().unwrap();
    let different: std::collections::BTreeSet<_> = groups.iter().collect();
    assert_eq!((groups.len(), different.len()), (13, 7), "{groups:?}");
    assert!(groups.contains(&"person3".to_owned()) && groups.contains(&"ill/unknown.png".to_owned()), "{groups:?}");
    // Names that begin anew in each split mean other people there.
    let splits: Vec<String> =
        ["train", "test"].iter().flat_map(|split| paths.iter().map(move |path| format!("{split}/{path}"))).collect();
    let folder = Folder::with(&splits.iter().map(String::as_str).collect::<Vec<_>>());
    let (_, _, options, _) = surveyed(&folder);
    let groups = folder.samples(options, Split::Test).groups().unwrap();
    assert!(groups.iter().any(|group| group == "test/well/person3"), "{groups:?}");
}

#[test]
fn lists_are_used_where_they_say_something() {
    let images: Vec<String> = (0..8).map(|i| format!("films/all/{i}.png")).collect();
    let folder = || Folder::with(&images.iter().map(String::as_str).collect::<Vec<_>>());
    let rows = |cells: &dyn Fn(usize) -> String| (0..8).map(cells).collect::<String>();
    // Paths that begin in a folder below.
    let listed = folder();
    listed.write("list.csv", format!("path,label\n{}", rows(&|i| format!("all/{i}.png,{}\n", i % 2))));
    let expected = json!({"csv": "list.csv", "path_column": "path", "label_column": "label", "folders": ["films"]});
    assert_eq!(surveyed(&listed).2, expected);
    // Several labels in a cell, and one word for none.
    let several = folder();
    let labels = ["No Finding", "Mass", "Mass|Edema", "Edema"];
    several.write("list.csv", format!("file;Finding Labels\n{}", rows(&|i| format!("{i}.png;{}\n", labels[i % 4]))));
    let (_, _, options, _) = surveyed(&several);
    assert_eq!((&options["label_separator"], &options["negative_label"]), (&json!("|"), &json!("No Finding")));
    assert_eq!(several.card(options).classes, ["Edema", "Mass"]);
    // A column of 0 and 1 for each label.
    let flags = folder();
    flags.write("list.csv", format!("file,Edema,Mass\n{}", rows(&|i| format!("{i},{},{}\n", i % 2, i / 4))));
    assert_eq!(surveyed(&flags).2["label_columns"], json!(["Edema", "Mass"]));
    // Names alone say nothing of labels.
    let names = folder();
    names.write("list.csv", format!("file,bytes\n{}", rows(&|i| format!("{i}.png,{}\n", 100 + i))));
    let (_, below, options, notes) = surveyed(&names);
    assert_eq!((below.as_str(), options), ("films/all", json!({})));
    assert!(notes.contains("list.csv names the files, but none of its columns"), "{notes}");
    // A list that cannot be used is named with the reason, and not used.
    let broken = folder();
    broken.write("list.csv", format!("file,label\n{}0.png,1\n", rows(&|i| format!("{i}.png,{}\n", i % 2))));
    let (_, _, options, notes) = surveyed(&broken);
    assert_eq!(options, json!({}));
    assert!(notes.contains("list.csv is not used") && notes.contains("0.png"), "{notes}");
}
