//! A decoded image, and how it gets the form of its data set.

use super::form::{Form, Range};
use super::orientation::Orientation;
use super::pixels::{self, Alpha, Sample};
use super::values::Values;
use crate::Image;

type Outcome<T> = Result<T, String>;

/// An image as its file holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// The channels of the first pixel, then those of the second.
    pub values: Values,
    /// Numbers of a pixel, alpha among them.
    pub stored: usize,
    /// Whether the last of them is alpha.
    pub alpha: Alpha,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Raw {
    /// From numbers that lie channel by channel, `[C, H, W]`.
    pub fn from_planes(values: &Values, alpha: Alpha, [channels, height, width]: [usize; 3]) -> Self {
        let pixels = height * width;
        let places = (0..pixels).flat_map(|pixel| (0..channels).map(move |channel| channel * pixels + pixel));
        Self { values: values.at(places), stored: channels, alpha, height, width }
    }

    /// As it is seen.
    #[must_use]
    pub fn turned(self, orientation: Orientation) -> Self {
        if orientation == Orientation::UPRIGHT {
            return self;
        }
        let (height, width) = orientation.seen((self.height, self.width));
        let pixels = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let places = pixels.flat_map(|pixel| {
            let (row, column) = orientation.source(pixel, (self.height, self.width));
            let first = (row * self.width + column) * self.stored;
            first..first + self.stored
        });
        Self { values: self.values.at(places), height, width, ..self }
    }

    /// Whether it has no colours.
    pub fn is_grey(&self) -> bool {
        match (&self.values, self.stored - usize::from(self.alpha.is_stored())) {
            (Values::U8(values), 3) => pixels::is_grey(values, self.stored),
            (Values::U16(values), 3) => pixels::is_grey(values, self.stored),
            (_, colours) => colours < 3,
        }
    }

    /// Whether all its pixels are equal.
    pub fn is_flat(&self) -> bool {
        self.values.are_all_one(self.stored)
    }

    /// As the data set's images are.
    ///
    /// # Errors
    /// What does not fit.
    pub fn image(mut self, form: &Form) -> Outcome<Image> {
        if !form.bands.is_empty() {
            self = self.chosen(&form.bands)?;
        }
        let is_ranged = !form.value_range.is_empty();
        if is_ranged {
            self = self.in_range(&form.value_range)?;
        }
        let data = match &self.values {
            Values::U8(values) => self.shaped(values, form),
            Values::U16(values) => self.shaped(values, form),
            values => {
                let (name, extent) = (values.kind().name(), values.extent());
                let extent =
                    extent.map_or_else(String::new, |(low, high)| format!(" (this image has {low} to {high})"));
                Err(format!(
                    "its values are {name}; set dataset.options.value_range to the two that become black and white, \
                     [lowest, highest]{extent}"
                ))
            }
        }?;
        let (channels, bit_depth) = (form.shape.channels, form.shape.bit_depth);
        Ok(Image { channels, height: self.height, width: self.width, bit_depth, data })
    }

    /// With these of its channels only, numbered from 1.
    fn chosen(self, bands: &[usize]) -> Outcome<Self> {
        let stored = self.stored;
        if let Some(band) = bands.iter().find(|band| !(1..=stored).contains(*band)) {
            return Err(format!("it has {stored} channels, and dataset.options.bands names channel {band}"));
        }
        let pixels = 0..self.height * self.width;
        let places = pixels.flat_map(|pixel| bands.iter().map(move |band| pixel * stored + band - 1));
        Ok(Self { values: self.values.at(places), stored: bands.len(), alpha: Alpha::None, ..self })
    }

    fn in_range(self, ranges: &[Range]) -> Outcome<Self> {
        let colours = self.stored - usize::from(self.alpha.is_stored());
        if ranges.len() > 1 && ranges.len() != colours {
            return Err(format!(
                "it has {colours} channels, and dataset.options.value_range has {} ranges; write one for each channel, or \
                 one for all",
                ranges.len()
            ));
        }
        // Alpha goes from 0 to its largest value.
        let opaque = if self.values.kind().bits() == 8 { 255.0 } else { 65_535.0 };
        let range = |channel: usize| match channel < colours {
            true => ranges[channel % ranges.len()].ends(),
            false => (0.0, opaque),
        };
        match self.values.levels(self.stored, range) {
            Ok(levels) => Ok(Self { values: Values::U16(levels), ..self }),
            Err(place) => {
                let (pixel, channel) = (place / self.stored, place % self.stored + 1);
                let (row, column) = (pixel / self.width, pixel % self.width);
                Err(format!(
                    "channel {channel} holds a value that is not finite, in row {row}, column {column} (from 0); replace \
                     such values in the file"
                ))
            }
        }
    }

    fn shaped<T: Sample>(&self, samples: &[T], form: &Form) -> Outcome<Vec<u8>> {
        let (wanted, stored) = (form.shape.channels, self.stored);
        let colours = stored - usize::from(self.alpha.is_stored());
        let is_picture = [1, 3].contains(&colours) && [1, 3].contains(&wanted) && form.bands.is_empty();
        if wanted == 1 && is_picture && !form.channels_are_asked && !self.is_grey() {
            return Err(
                "it is coloured, but the data set's first images are grey; set dataset.options.channels to 3 to \
                        keep the colours or to 1 to make all images grey"
                    .into(),
            );
        }
        if form.shape.bit_depth == 8 && !form.depth_is_asked && T::LARGEST > 255 {
            return Err(
                "it has 16 bits, but the data set's first images have 8; set dataset.options.bit_depth to 16 or 8"
                    .into(),
            );
        }
        match is_picture {
            true => Ok(pixels::planar(samples, stored, self.alpha, form.shape)),
            false if stored == wanted => Ok(pixels::as_they_are(samples, stored, form.shape.bit_depth)),
            false if form.channels_are_asked => Err(format!(
                "it has {stored} channels, expected {wanted}; dataset.options.bands chooses channels, [3, 2, 1] for example, \
                 and without dataset.options.channels all are taken"
            )),
            false => Err(format!(
                "it has {stored} channels, but the data set's first images have {wanted}; all need the same ones, which \
                 dataset.options.bands chooses where they have more"
            )),
        }
    }
}
