//! Images in Parquet files: a column of encoded images, and columns with what is known of them.

mod columns;
mod dataset;
mod found;
mod options;
mod rows;
mod samples;

#[cfg(test)]
mod tests;

use crate::form::OfPixels;
use dataset::Parquet;
use options::Options;
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, OptionSpec, Result, option_specs};

/// What is known without reading.
pub fn card(name: &str) -> Card {
    let mut card = crate::card::before_reading(name).options::<Options>();
    let of_pixels = option_specs::<OfPixels>();
    let is_of_samples = |option: &&OptionSpec| {
        option.name != "image_column" && !of_pixels.iter().any(|other| other.name == option.name)
    };
    card.sample_options = card.options.iter().filter(is_of_samples).map(|option| option.name.clone()).collect();
    card.surveys = false;
    card.summary = "Your own images as a column of Parquet files".into();
    card
}

/// Makes the data set.
///
/// # Errors
/// Unknown options and values out of range, by name; no folder.
pub fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(Parquet::new(request, request.options()?)?))
}
