//! Images in arrays: npz files as NumPy writes them, and IDX files as MNIST's.

mod array;
mod dataset;
mod idx;
mod idx_file;
mod names;
mod npz;
mod part;

#[cfg(test)]
mod tests;

use dataset::ArrayDataset;
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Result, export_plugin};
use serde_json::json;

export_plugin! {
    datasets: {
        "Npz" => (npz_card, create_npz),
        "Idx" => (idx_card, create_idx),
    },
}

fn npz_card(name: &str) -> Card {
    card(name, "Your own images as arrays in npz files of NumPy").options::<npz::Options>()
}

fn idx_card(name: &str) -> Card {
    card(name, "Your own images in IDX files, as MNIST's").options::<idx::Options>()
}

fn card(name: &str, summary: &str) -> Card {
    Card::new(name, summary)
        .images(1, 8, (28, 28))
        .licence("that of your images")
        .citation("none: your own images")
        .recommended(json!({ "augmentation": {
            "use_random_crop": true,
            "random_crop": { "scale": [0.2, 1.0] },
            "use_random_color": true,
            "random_color": { "brightness": 0.4, "contrast": 0.4 },
        } }))
}

fn create_npz(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    let options: npz::Options = request.options()?;
    let (classes, card) = (options.classes.clone(), npz_card(&request.name));
    Ok(Box::new(ArrayDataset::new(request, card, classes, npz::Npz(options))?))
}

fn create_idx(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    let options: idx::Options = request.options()?;
    let (classes, card) = (options.classes.clone(), idx_card(&request.name));
    Ok(Box::new(ArrayDataset::new(request, card, classes, idx::Idx(options))?))
}
