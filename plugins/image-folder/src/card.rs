//! Facts about the data set, before and after its files have been looked at.

use crate::catalogue::Catalogue;
use crate::decode::Form;
use crate::options;
use selfsame_plugin_api::{Card, Split, Task};
use serde_json::json;

/// What is known without reading.
pub fn before_reading(name: &str) -> Card {
    Card {
        name: name.into(),
        summary: "Your own images: a folder per class, a folder without classes, or a CSV list".into(),
        classes: Vec::new(),
        task: Task::None,
        channels: 3,
        bit_depth: 8,
        nominal_size: (224, 224),
        normalization: None,
        splits: vec![Split::Train],
        licence: "that of your images".into(),
        citation: "none: your own images".into(),
        options: options::known(),
        recommended: json!({ "augmentation": {
            "use_random_crop": true,
            "random_crop": { "scale": [0.2, 1.0] },
            "use_random_horizontal_flip": true,
            "use_random_color": true,
            "random_color": { "brightness": 0.4, "contrast": 0.4 }
        } }),
    }
}

/// What the files say.
pub fn after_reading(name: &str, catalogue: &Catalogue, form: &Form, nominal_size: (usize, usize)) -> Card {
    let (images, classes) = (catalogue.entries.len(), &catalogue.labelling.classes);
    let labels = match catalogue.labelling.task {
        Task::None => "without labels".to_string(),
        Task::Binary | Task::Multiclass => format!("in {} classes", classes.len()),
        Task::Multilabel => format!("with {} labels", classes.len()),
    };
    Card {
        summary: format!("{images} images {labels}"),
        classes: classes.clone(),
        task: catalogue.labelling.task,
        channels: form.shape.channels,
        bit_depth: form.shape.bit_depth,
        nominal_size,
        splits: catalogue.splits(),
        ..before_reading(name)
    }
}
