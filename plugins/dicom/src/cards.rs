//! Facts about the data sets.

use crate::layout::Layout;
use crate::options::{self, Labels, Look, Rsna};
use crate::source::Source;
use selfsame_plugin_api::{Card, DatasetRequest, OptionSpec, PluginError, Result, Split, Task};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Name of the challenge's data set.
pub const RSNA: &str = "RSNAKaggle";
/// Name of the data set of any DICOM files.
pub const FOLDER: &str = "DicomFolder";
/// Classes of the challenge's detailed file, in the order of their labels.
pub const DETAILED_CLASSES: [&str; 3] = ["Normal", "No Lung Opacity / Not Normal", "Lung Opacity"];

/// The options, of either data set, that do not say how a file becomes pixels.
const SAMPLE_OPTIONS: [&str; 9] = [
    "csv",
    "id_column",
    "id_kind",
    "label_column",
    "split_column",
    "group_column",
    "unmatched",
    "labels",
    "test_fraction",
];

/// The card that is known without reading; none of a foreign name.
pub fn card(name: &str) -> Card {
    if name == RSNA { rsna() } else { folder() }
}

fn rsna() -> Card {
    let summary = "26 684 frontal chest X-rays of the RSNA Pneumonia Detection Challenge, with or without an opacity.";
    blank(RSNA, summary, options::rsna())
        .images(1, 8, (1024, 1024))
        .classes(["Normal", "Opacity"])
        .splits([Split::Train, Split::Test])
        .licence("the challenge's own terms (non-commercial); the images are not distributed with this program")
        .citation(
            "G. Shih et al., Augmenting the National Institutes of Health Chest Radiograph Dataset with Expert \
             Annotations of Possible Pneumonia, Radiology: Artificial Intelligence 1(1), 2019",
        )
}

fn folder() -> Card {
    let summary = "Any folder of DICOM files, with labels from a CSV file or without, grouped by patient.";
    blank(FOLDER, summary, options::folder()).images(1, 8, (512, 512)).surveys()
}

fn blank(name: &str, summary: &str, options: Vec<OptionSpec>) -> Card {
    let mut card = Card::new(name, summary).licence("the files' own").recommended(json!({ "augmentation": {
        "use_random_crop": true,
        "random_crop": { "scale": [0.4, 1.0] },
        "use_random_horizontal_flip": true,
        "use_random_color": true,
        "random_color": { "brightness": 0.2, "contrast": 0.2 }
    } }));
    let names = options.iter().map(|option| option.name.clone());
    card.sample_options = names.filter(|name| SAMPLE_OPTIONS.contains(&name.as_str())).collect();
    card.options = options;
    card
}

/// The challenge's card for the files that are there.
pub fn rsna_found(options: &Rsna, first: Option<&Path>) -> Card {
    let mut card = with_look(rsna(), &options.look, first);
    if options.labels == Labels::Detailed {
        card.classes = DETAILED_CLASSES.map(String::from).to_vec();
        card.task = Task::Multiclass;
    }
    if options.test_fraction == 0.0 {
        card.splits = vec![Split::Train];
    }
    card
}

/// A folder's card for the files that are there.
pub fn folder_found(classes: &[String], splits: Vec<Split>, look: &Look, first: Option<&Path>) -> Card {
    let mut card = with_look(folder(), look, first);
    card.classes = classes.to_vec();
    card.task = match classes.len() {
        0 => Task::None,
        2 => Task::Binary,
        _ => Task::Multiclass,
    };
    card.splits = splits;
    card
}

fn with_look(mut card: Card, look: &Look, first: Option<&Path>) -> Card {
    card.channels = look.channels();
    card.bit_depth = look.pixels.bit_depth;
    // A first file that cannot be read is named when it is read for its pixels.
    if let Some(size) = first.and_then(size) {
        card.nominal_size = size;
    }
    card
}

fn size(path: &Path) -> Option<(usize, usize)> {
    let source = Source::open(path).ok()?;
    let layout = Layout::of(&source).ok()?;
    Some((layout.rows, layout.columns))
}

/// `dataset.dataset_dir`, which these data sets cannot do without.
///
/// # Errors
/// It is not set.
pub fn need_folder(request: &DatasetRequest, what: &str) -> Result<PathBuf> {
    request.dataset_dir.clone().ok_or_else(|| {
        let name = &request.name;
        PluginError::configuration(format!("{name} is not downloaded: set dataset.dataset_dir to {what}"))
    })
}
