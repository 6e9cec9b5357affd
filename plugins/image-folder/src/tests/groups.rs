//! No patient on both sides of a split.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const SPLITS: [Split; 3] = [Split::Train, Split::Val, Split::Test];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_patient_stands_in_two_splits(rows in prop::collection::vec((0u8..8, 0usize..3), 1..40)) {
        let folder = Folder::new();
        let bytes = encoded(&GrayImage::new(1, 1).into(), ImageFormat::Png);
        let mut csv = String::from("path,patient,split\n");
        for (number, (patient, split)) in rows.iter().enumerate() {
            folder.write(&format!("{number}.png"), &bytes);
            csv += &format!("{number}.png,{patient},{}\n", SPLITS[*split].name());
        }
        folder.write("list.csv", csv);
        let mut options = json!({ "csv": "list.csv", "split_column": "split", "group_column": "patient" });
        let last_of = |patient: u8| rows.iter().filter(|row| row.0 == patient).map(|row| row.1).max().unwrap();
        let is_shared = rows.iter().any(|(patient, split)| *split != last_of(*patient));
        let has_train = rows.iter().any(|(patient, _)| last_of(*patient) == 0);
        match folder.read(options.clone()) {
            Ok(_) => prop_assert!(!is_shared && has_train),
            Err(error) => prop_assert_eq!(is_shared, error.message.contains("more than one split"), "{}", error),
        }
        options["group_overlap"] = json!("skip");
        let Ok(dataset) = folder.read(options) else {
            prop_assert!(!has_train);
            return Ok(());
        };
        let mut kept = 0;
        for split in dataset.card().unwrap().unwrap().splits {
            let groups = dataset.open(split).unwrap().groups().unwrap();
            kept += groups.len();
            for group in groups {
                prop_assert_eq!(SPLITS[last_of(group.parse().unwrap())], split);
            }
        }
        prop_assert_eq!(kept, rows.iter().filter(|(patient, split)| *split == last_of(*patient)).count());
    }
}

#[test]
fn patients_in_two_splits_are_named() {
    let folder = Folder::with(&["train/a/p1_1.png", "test/a/p1_2.png", "train/b/p2_1.png", "test/b/p3.png"]);
    folder.refused(json!({ "group_pattern": r"p\d" }), &["1 groups", "`p1`", "group_overlap"]);
    let options = json!({ "group_pattern": r"p\d", "group_overlap": "skip" });
    assert_eq!(folder.ids(options, Split::Train), ["train/b/p2_1.png"]);
    // The word of earlier versions.
    let options = json!({ "group_pattern": r"p\d", "group_overlap": "drop" });
    assert_eq!(folder.ids(options, Split::Train), ["train/b/p2_1.png"]);
}
