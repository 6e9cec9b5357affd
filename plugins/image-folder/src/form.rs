//! The form that all images get, decided from some of the files where the user does not say.

use crate::entry::Entry;
use crate::options::Options;
use selfsame_plugin_api::images::{self, Form, Header, Shape};
use selfsame_plugin_api::{PluginError, Result, Services};
use std::collections::BTreeMap;

/// Files whose headers are read.
const LOOKED_AT: usize = 256;
/// Colour files that are decoded to see whether they are coloured.
const DECODED: usize = 32;

/// The form of all images, and their most common height and width.
///
/// The smallest form that loses nothing of the files looked at, which are spread over the whole data set: grey only when
/// none of them is coloured, 8 bits only when all have 8 bits. A file that is not looked at and does not fit is an error
/// when it is read.
///
/// # Errors
/// None of the files looked at can be read; the first one is named.
pub fn decide(entries: &[Entry], options: &Options, services: &dyn Services) -> Result<(Form, (usize, usize))> {
    let max_pixels = options.max_pixels.unwrap_or(images::MAX_PIXELS);
    let count = entries.len().min(LOOKED_AT);
    let looked_at: Vec<&Entry> = (0..count).map(|place| &entries[place * entries.len() / count]).collect();
    let mut headers: Vec<(&Entry, Header)> = Vec::with_capacity(count);
    let mut failure = None;
    for (done, entry) in looked_at.iter().enumerate() {
        services.items("image headers", done as u64, Some(count as u64))?;
        match images::header(&entry.path, max_pixels) {
            Ok(header) => headers.push((entry, header)),
            Err(cause) => failure = failure.or(Some((entry, cause))),
        }
    }
    if let (true, Some((entry, cause))) = (headers.is_empty(), failure) {
        let message = format!("none of {count} images looked at can be read; the first one, {}: {cause}", entry.id);
        return Err(PluginError::data(message));
    }
    let channels = match options.channels {
        Some(channels) => channels,
        None if is_coloured(&headers, max_pixels, services)? => 3,
        None => 1,
    };
    let has_16_bits = headers.iter().any(|(_, header)| header.bits > 8);
    let bit_depth = options.bit_depth.unwrap_or(if has_16_bits { 16 } else { 8 });
    let form = Form {
        shape: Shape { channels, bit_depth },
        channels_are_asked: options.channels.is_some(),
        depth_is_asked: options.bit_depth.is_some(),
        max_pixels,
    };
    Ok((form, most_common(headers.iter().map(|(_, header)| header.size))))
}

fn is_coloured(headers: &[(&Entry, Header)], max_pixels: u64, services: &dyn Services) -> Result<bool> {
    let could_be: Vec<_> = headers.iter().filter(|(_, header)| header.channels >= 3).collect();
    let count = could_be.len().min(DECODED);
    for place in 0..count {
        services.items("images decoded", place as u64, Some(count as u64))?;
        let (entry, _) = could_be[place * could_be.len() / count];
        // A file that cannot be decoded decides nothing; it fails where it is read.
        if images::is_grey(&entry.path, max_pixels) == Ok(false) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The size that occurs most often, the smallest of several.
pub fn most_common(sizes: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    sizes.for_each(|size| *counts.entry(size).or_default() += 1);
    counts.iter().rev().max_by_key(|(_, count)| **count).map_or((1, 1), |(size, _)| *size)
}
