//! Images all of whose pixels are equal as they are answered, and what makes them so.

use selfsame_plugin_api::images::Form;
use selfsame_plugin_api::{EQUAL_PIXELS, Image};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The places of such images among those that were read.
#[derive(Default)]
pub struct Flat(Mutex<BTreeSet<usize>>);

impl Flat {
    /// Takes note of an image that was read.
    pub fn note(&self, index: usize, image: &Image) {
        if image.is_flat() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
        }
    }

    /// The fact about an image, where it was read and is one; `is_flat` says whether its file's own pixels are all equal.
    pub fn fact(
        &self,
        index: usize,
        form: &Form,
        is_flat: impl FnOnce() -> Result<bool, String>,
    ) -> Option<(String, String)> {
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&index) {
            return None;
        }
        let cause = match (is_flat(), form.value_range.is_empty()) {
            (Ok(true), _) => "because of the file's own pixels; leave the file out",
            (_, false) => {
                "because of dataset.options.value_range, between whose ends none of its values lie; give the lowest and the \
                 highest value that means something"
            }
            (_, true) => "because of alpha, or of dataset.options.bands; leave the file out, or choose other channels",
        };
        Some((EQUAL_PIXELS.to_owned(), cause.to_owned()))
    }
}
