//! The form that all images get, decided from some of the files where the user does not say.

use crate::entry::Entry;
use crate::values::Ranges;
use schemars::JsonSchema;
use selfsame_plugin_api::images::{self, Form, Header, Kind, Layout, Pages, Shape};
use selfsame_plugin_api::{PluginError, Result, Services};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Files whose headers are read.
const LOOKED_AT: usize = 256;
/// Files that are decoded to see whether they are coloured, or how bright those of 16 bits are.
const DECODED: usize = 32;
/// Of 65535, what the brightest of images that are nearly black have.
const DARK: f64 = 8191.0;
/// The most channels that are believed.
const MOST_CHANNELS: usize = 4096;
/// The largest number of pixels that can be asked for; a pixel takes up to 8 bytes while it is decoded.
const MOST_PIXELS: u64 = 1 << 32;

/// What the user says about how files become pixels: options of every data set of image files.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OfPixels {
    /// Channels of all images: 1 (grey), 3 (colour), or the number that all have; without it, 1 when the images looked at are
    /// grey, 3 when they are coloured, else what they have.
    pub channels: Option<usize>,
    /// The channels that are taken, numbered from 1, in this order, as [4, 3, 2]; without it, all.
    pub bands: Vec<usize>,
    /// Bits of all images; without it, 16 when there are images with 16 bits or `value_range` is set, else 8.
    #[schemars(extend("enum" = [8, 16]))]
    pub bit_depth: Option<u8>,
    /// The values that become black and white, [lowest, highest], or a list of such pairs, one for each channel; needed by
    /// float16, float32, float64, signed and 32-bit values.
    pub value_range: Ranges,
    /// Where channels of NumPy arrays stand; auto is at the shorter one of the first and the last axis.
    pub layout: Layout,
    /// Whether the first of a TIFF file's pages is the image, or each page one of its channels.
    pub pages: Pages,
    /// Pixels (width × height) of the largest image that is accepted.
    #[schemars(range(min = 1, max = 4_294_967_296_u64))]
    pub max_pixels: u64,
}

impl Default for OfPixels {
    fn default() -> Self {
        Self {
            channels: None,
            bands: Vec::new(),
            bit_depth: None,
            value_range: Ranges::default(),
            layout: Layout::default(),
            pages: Pages::default(),
            max_pixels: images::MAX_PIXELS,
        }
    }
}

impl OfPixels {
    /// The form as far as it is asked for; channels and depth that are not are 1 and 8.
    ///
    /// # Errors
    /// A value that cannot be, or options that do not go together.
    pub fn form(&self) -> Result<Form> {
        let wrong = |message: String| Err(PluginError::configuration(message));
        let bands = &self.bands;
        if let Some(channels) = self.channels.filter(|channels| !(1..=MOST_CHANNELS).contains(channels)) {
            return wrong(format!("option `channels` = {channels}, expected 1 to {MOST_CHANNELS}"));
        }
        if let Some(band) = bands.iter().find(|band| !(1..=MOST_CHANNELS).contains(*band)) {
            return wrong(format!("option `bands` names channel {band}, expected 1 to {MOST_CHANNELS}"));
        }
        if let (Some(channels), false) = (self.channels, bands.is_empty() || self.channels == Some(bands.len())) {
            return wrong(format!("option `channels` = {channels}, and `bands` names {}; leave one out", bands.len()));
        }
        if let Some(depth) = self.bit_depth.filter(|depth| ![8, 16].contains(depth)) {
            return wrong(format!("option `bit_depth` = {depth}, expected 8 or 16"));
        }
        let pixels = self.max_pixels;
        if !(1..=MOST_PIXELS).contains(&pixels) {
            return wrong(format!("option `max_pixels` = {pixels}, expected 1 to {MOST_PIXELS}"));
        }
        let channels = self.channels.or(Some(bands.len()).filter(|count| *count > 0));
        let value_range = self.value_range.checked()?;
        let bit_depth = self.bit_depth.or(if value_range.is_empty() { None } else { Some(16) });
        Ok(Form {
            shape: Shape { channels: channels.unwrap_or(1), bit_depth: bit_depth.unwrap_or(8) },
            channels_are_asked: channels.is_some(),
            depth_is_asked: bit_depth.is_some(),
            max_pixels: pixels,
            bands: bands.clone(),
            value_range,
            layout: self.layout,
            pages: self.pages,
        })
    }
}

/// A file that was looked at.
pub struct Looked {
    /// What it is called.
    pub id: String,
    /// What it says.
    pub header: Header,
}

/// The form of all images, and their most common height and width.
///
/// The smallest form that loses nothing of the files looked at, which are spread over the whole data set: grey only when
/// none of them is coloured, 8 bits only when all have 8 bits. A file that is not looked at and does not fit is an error
/// when it is read.
///
/// # Errors
/// None of the files looked at can be read, or they have different channels; files are named.
pub fn decide(entries: &[Entry], asked: &OfPixels, services: &dyn Services) -> Result<(Form, (usize, usize))> {
    let form = asked.form()?;
    let count = entries.len().min(LOOKED_AT);
    let looked_at: Vec<&Entry> = (0..count).map(|place| &entries[place * entries.len() / count]).collect();
    let mut looked: Vec<(&Entry, Looked)> = Vec::with_capacity(count);
    let mut failure = None;
    for (done, entry) in looked_at.iter().enumerate() {
        services.items("image headers", done as u64, Some(count as u64))?;
        match images::header(&entry.path, &form) {
            Ok(header) => looked.push((entry, Looked { id: entry.id.clone(), header })),
            Err(cause) => failure = failure.or(Some((entry, cause))),
        }
    }
    if let (true, Some((entry, cause))) = (looked.is_empty(), failure) {
        let message = format!("none of {count} images looked at can be read; the first one, {}: {cause}", entry.id);
        return Err(PluginError::data(message));
    }
    // What the first one lacks, all lack.
    if let (Some((first, _)), true) = (looked.first(), all_need_a_range(&form, looked.iter().map(|(_, looked)| looked)))
        && let Err(cause) = images::read(&first.path, &form)
    {
        return Err(PluginError::data(format!("{}: {cause}", first.id)));
    }
    let is_coloured = !form.channels_are_asked && is_coloured(&looked, &form, services)?;
    if form.value_range.is_empty() {
        let wide: Vec<&Entry> =
            looked.iter().filter(|(_, looked)| looked.header.kind == Kind::U16).map(|(entry, _)| *entry).collect();
        let some = (0..wide.len().min(DECODED)).map(|place| wide[place * wide.len() / wide.len().min(DECODED)]);
        warn_of_dark(some.filter_map(|entry| images::extent(&entry.path, &form).ok().flatten()));
    }
    let looked: Vec<Looked> = looked.into_iter().map(|(_, looked)| looked).collect();
    let form = settled(form, &looked, is_coloured)?;
    Ok((form, most_common(looked.iter().map(|looked| looked.header.size))))
}

/// Says where images of 16 bits, whose lowest and highest values these are, are all nearly black: those of 12 bits, say.
pub fn warn_of_dark(extents: impl Iterator<Item = (f64, f64)>) {
    let highest: Vec<f64> = extents.map(|(_, highest)| highest).collect();
    let (count, highest) = (highest.len(), highest.into_iter().fold(0.0, f64::max));
    if count == 0 || highest > DARK {
        return;
    }
    // The largest number of as many bits.
    let white = ((highest as u64 + 1).next_power_of_two() - 1).max(1);
    tracing::warn!(
        "the images of 16 bits that were looked at have values up to {highest} of 65535, so that they are nearly black; where \
         {white} is white, set dataset.options.value_range to [0, {white}]"
    );
}

/// Whether no image can be read without a range of values.
pub fn all_need_a_range<'a>(form: &Form, mut looked: impl Iterator<Item = &'a Looked>) -> bool {
    form.value_range.is_empty() && looked.all(|looked| !looked.header.kind.has_its_range())
}

/// The form with what the files decide.
///
/// # Errors
/// Files of different channels, of which two are named, and channels that are asked for and none of them has.
pub fn settled(mut form: Form, looked: &[Looked], is_coloured: bool) -> Result<Form> {
    let is_unusual = |looked: &&Looked| ![1, 3].contains(&looked.header.colours());
    let unusual = looked.iter().find(is_unusual).filter(|_| !form.channels_are_asked);
    if let Some(Looked { id, header }) = unusual {
        let channels = header.channels;
        if let Some(other) = looked.iter().find(|other| other.header.channels != channels) {
            return Err(PluginError::data(format!(
                "{id} has {channels} channels and {} has {}; all images of a data set need the same ones, which \
                 dataset.options.bands chooses: [1, 2, 3] for example",
                other.id, other.header.channels
            )));
        }
        form.shape.channels = channels;
    } else if !form.channels_are_asked {
        form.shape.channels = if is_coloured { 3 } else { 1 };
    }
    if let Some(first) = looked.first().filter(|_| !looked.iter().any(|looked| fits(&form, &looked.header))) {
        let (option, has) = (if form.bands.is_empty() { "channels" } else { "bands" }, first.header.channels);
        return Err(PluginError::configuration(format!(
            "option `{option}` does not go with any image looked at; {} has {has} channel{}",
            first.id,
            if has == 1 { "" } else { "s" }
        )));
    }
    let (ranges, channels) = (form.value_range.len(), form.shape.channels);
    if ranges > 1 && ranges != channels {
        let message = format!("option `value_range` has {ranges} ranges, and the images have {channels} channels");
        return Err(PluginError::configuration(message));
    }
    if !form.depth_is_asked && looked.iter().any(|looked| looked.header.bits() > 8) {
        form.shape.bit_depth = 16;
    }
    let with_pages: Vec<&Looked> = looked.iter().filter(|looked| looked.header.pages > 1).collect();
    if let (Some(first), Pages::First) = (with_pages.first(), form.pages) {
        tracing::warn!(
            "{} of {} images looked at are TIFF files with several pages ({} has {}), of which the first one is read; where \
             pages are channels, set dataset.options.pages to channels",
            with_pages.len(),
            looked.len(),
            first.id,
            first.header.pages
        );
    }
    Ok(form)
}

/// Whether an image of this header has the channels that are asked for, or can be given them.
fn fits(form: &Form, header: &Header) -> bool {
    let (wanted, has) = (form.shape.channels, header.channels);
    match &form.bands[..] {
        [] => has == wanted || ([1, 3].contains(&wanted) && [1, 3].contains(&header.colours())),
        bands => bands.iter().all(|band| *band <= has),
    }
}

fn is_coloured(looked: &[(&Entry, Looked)], form: &Form, services: &dyn Services) -> Result<bool> {
    let could_be: Vec<_> = looked.iter().filter(|(_, looked)| looked.header.colours() == 3).collect();
    let count = could_be.len().min(DECODED);
    for place in 0..count {
        services.items("images decoded", place as u64, Some(count as u64))?;
        let (entry, _) = could_be[place * could_be.len() / count];
        // A file that cannot be decoded decides nothing; it fails where it is read.
        if images::is_grey(&entry.path, form) == Ok(false) {
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
