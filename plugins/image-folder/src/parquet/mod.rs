//! Images in Parquet files: a column of encoded images, and columns with what is known of them.

mod columns;
mod dataset;
mod found;
mod options;
mod rows;
mod samples;

#[cfg(test)]
mod tests;

use dataset::Parquet;
use options::Options;
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Result};

/// What is known without reading.
pub fn card(name: &str) -> Card {
    let mut card = crate::card::before_reading(name).options::<Options>();
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
