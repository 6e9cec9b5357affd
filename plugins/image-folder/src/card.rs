//! Facts about the data set, before and after its files have been looked at.

use crate::catalogue::Catalogue;
use crate::form::OfPixels;
use crate::options::Options;
use selfsame_plugin_api::images::Form;
use selfsame_plugin_api::{Card, Task, option_specs};
use serde_json::json;

/// What is known without reading.
pub fn before_reading(name: &str) -> Card {
    let mut card = Card::new(name, "Your own images: a folder per class, a folder without classes, or a CSV list")
        .images(3, 8, (224, 224))
        .surveys()
        .licence("that of your images")
        .citation("none: your own images")
        .recommended(json!({ "augmentation": {
            "use_random_crop": true,
            "random_crop": { "scale": [0.2, 1.0] },
            "use_random_horizontal_flip": true,
            "use_random_color": true,
            "random_color": { "brightness": 0.4, "contrast": 0.4 }
        } }))
        .options::<Options>();
    let of_pixels = option_specs::<OfPixels>();
    let names = card.options.iter().map(|option| option.name.clone());
    card.sample_options = names.filter(|name| !of_pixels.iter().any(|option| option.name == *name)).collect();
    card
}

/// What the files say.
pub fn after_reading(name: &str, catalogue: &Catalogue, form: &Form, nominal_size: (usize, usize)) -> Card {
    let (images, classes) = (catalogue.entries.len(), &catalogue.labelling.classes);
    let labels = match catalogue.labelling.task {
        Task::None => "without labels".to_string(),
        Task::Binary | Task::Multiclass => format!("in {} classes", classes.len()),
        Task::Multilabel => format!("with {} labels", classes.len()),
    };
    let mut card = before_reading(name)
        .images(form.shape.channels, form.shape.bit_depth, nominal_size)
        .classes(classes.clone())
        .splits(catalogue.splits());
    card.summary = format!("{images} images {labels}");
    card.task = catalogue.labelling.task;
    card
}
