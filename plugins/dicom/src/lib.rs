//! DICOM files as data sets: the RSNA Pneumonia Detection Challenge, and any folder.
//!
//! A file is read in steps, each of which trusts nothing that the one before did not check: [`source`] (how it is
//! written), [`guard`] and [`element`] (lengths against the file), dicom-rs with [`attributes`] (values), [`header`], [`identity`],
//! [`layout`] and [`presentation`] (against the bounds), [`opened`] (kept for the file's other frames), [`frame`] (bytes of
//! one frame), [`codec`] (stored samples), [`voi`] and [`render`] (what a viewer shows).

mod attributes;
mod bounds;
mod cards;
mod codec;
mod coding;
mod constant;
mod element;
mod folder;
mod found;
mod frame;
mod guard;
mod header;
mod identity;
mod ids;
mod labels;
mod layout;
mod length;
mod listing;
mod lut;
mod opened;
mod options;
mod photometric;
mod presentation;
mod render;
mod rsna;
mod samples;
mod scan;
mod source;
mod survey;
mod table;
mod unmatched;
mod voi;

#[cfg(test)]
mod tests;

use selfsame_plugin_api::{Dataset, DatasetRequest, PluginError, Result, export_plugin};

fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    match request.name.as_str() {
        cards::RSNA => Ok(Box::new(rsna::RsnaKaggle::new(request)?)),
        cards::FOLDER => Ok(Box::new(folder::DicomFolder::new(request)?)),
        other => {
            let message = format!("data set `{other}` is not one of this plugin's: {}, {}", cards::RSNA, cards::FOLDER);
            Err(PluginError::configuration(message))
        }
    }
}

export_plugin! {
    datasets: {
        "RSNAKaggle" => (cards::card, create),
        "DicomFolder" => (cards::card, create),
    },
}
