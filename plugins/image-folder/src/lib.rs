//! Files of encoded images as data sets: any folder (a folder per class, no classes, or a CSV list), and Parquet files.

mod card;
mod catalogue;
mod csv_list;
mod dataset;
mod entry;
mod file_index;
mod flat;
mod form;
mod groups;
mod labels;
mod options;
mod parquet;
mod samples;
mod splits;
mod survey;
mod tree;
mod values;

#[cfg(test)]
mod tests;

use dataset::ImageFolder;
use selfsame_plugin_api::{Dataset, DatasetRequest, Result, export_plugin};

fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(ImageFolder::new(request)?))
}

export_plugin! {
    datasets: {
        "ImageFolder" => (card::before_reading, create),
        "Parquet" => (parquet::card, parquet::create),
    },
}
