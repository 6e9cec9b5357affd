//! A picture to draw on: rectangles, images and words, written as PNG.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use std::io::{Error, Result};

/// Red, green and blue.
pub type Colour = [u8; 3];

/// Pixels of 8 bits, row by row, red, green and blue of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `3 · width · height` bytes.
    pub rgb: Vec<u8>,
}

/// The letters' size and weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// For titles.
    Large,
    /// For everything else.
    Plain,
    /// Plain size, bold.
    Strong,
}

impl Text {
    fn style(self) -> (FontWeight, RasterHeight) {
        match self {
            Text::Large => (FontWeight::Bold, RasterHeight::Size20),
            Text::Plain => (FontWeight::Regular, RasterHeight::Size16),
            Text::Strong => (FontWeight::Bold, RasterHeight::Size16),
        }
    }

    /// Width of a letter in pixels; all are of one width.
    pub fn letter(self) -> usize {
        let (weight, height) = self.style();
        get_raster_width(weight, height)
    }

    /// Height of a line in pixels.
    pub fn line(self) -> usize {
        self.style().1.val() + 4
    }
}

impl Picture {
    /// The longer side.
    pub fn side(&self) -> usize {
        self.width.max(self.height)
    }

    /// One colour everywhere.
    pub fn new(width: usize, height: usize, colour: Colour) -> Self {
        Self { width, height, rgb: colour.repeat(width * height) }
    }

    /// Blends a pixel with a colour, which covers it by `share` of 255; beyond the picture nothing happens.
    fn blend(&mut self, x: usize, y: usize, colour: Colour, share: u8) {
        if x >= self.width || y >= self.height {
            return;
        }
        let start = 3 * (y * self.width + x);
        for (value, new) in self.rgb[start..start + 3].iter_mut().zip(colour) {
            let (old, new, share) = (u32::from(*value), u32::from(new), u32::from(share));
            *value = ((old * (255 - share) + new * share + 127) / 255) as u8;
        }
    }

    /// Draws another picture with its upper left corner at (`left`, `top`), each of its pixels as a square of
    /// `magnified`.
    pub fn paste(&mut self, other: &Picture, left: usize, top: usize, magnified: usize) {
        for y in 0..other.height * magnified {
            for x in 0..other.width * magnified {
                let from = 3 * ((y / magnified) * other.width + x / magnified);
                let colour = [other.rgb[from], other.rgb[from + 1], other.rgb[from + 2]];
                self.blend(left + x, top + y, colour, 255);
            }
        }
    }

    /// A copy whose sides are a `factor`-th, rounded up; each pixel is the mean of those that it covers.
    pub fn shrunk(&self, factor: usize) -> Self {
        let (width, height) = (self.width.div_ceil(factor), self.height.div_ceil(factor));
        let mut rgb = Vec::with_capacity(3 * width * height);
        for (y, x, channel) in (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (y, x, c)))) {
            let rows = y * factor..((y + 1) * factor).min(self.height);
            let columns = x * factor..((x + 1) * factor).min(self.width);
            let count = rows.len() * columns.len();
            let values =
                rows.flat_map(|row| columns.clone().map(move |column| 3 * (row * self.width + column) + channel));
            let sum: usize = values.map(|at| usize::from(self.rgb[at])).sum();
            rgb.push(((sum + count / 2) / count) as u8);
        }
        Self { width, height, rgb }
    }

    /// Writes a line of words; letters that the font lacks become `?`.
    pub fn write(&mut self, words: &str, left: usize, top: usize, text: Text, colour: Colour) {
        let (weight, height) = text.style();
        for (i, letter) in words.chars().enumerate() {
            let Some(letter) = get_raster(letter, weight, height).or_else(|| get_raster('?', weight, height)) else {
                continue;
            };
            for (y, row) in letter.raster().iter().enumerate() {
                for (x, share) in row.iter().enumerate() {
                    self.blend(left + i * text.letter() + x, top + y, colour, *share);
                }
            }
        }
    }

    /// The picture as the bytes of a PNG file.
    ///
    /// # Errors
    /// A picture that is too large for the format.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let too_large = |_| Error::other("the picture is too large");
        let (width, height) = (self.width.try_into().map_err(too_large)?, self.height.try_into().map_err(too_large)?);
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.rgb)?;
        Ok(png)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_copy_has_the_means() {
        let grey = |levels: &[u8], width| Picture {
            width,
            height: levels.len() / width,
            rgb: levels.iter().flat_map(|level| [*level, 0, 255]).collect(),
        };
        let picture = grey(&[10, 20, 7, 30, 41, 8, 100, 200, 50], 3);
        assert_eq!(picture.shrunk(1), picture);
        // (10 + 20 + 30 + 41) / 4 = 25.25, (7 + 8) / 2 = 7.5, (100 + 200) / 2, and the corner.
        assert_eq!(picture.shrunk(2), grey(&[25, 8, 150, 50], 2));
    }

    #[test]
    fn a_picture_reads_back_from_its_png() {
        let mut picture = Picture::new(30, 24, [255, 255, 255]);
        let tile = Picture { width: 2, height: 1, rgb: vec![255, 0, 0, 0, 0, 255] };
        picture.paste(&tile, 25, 3, 3);
        picture.write("é", 1, 1, Text::Plain, [0, 0, 0]);
        let decoder = png::Decoder::new(std::io::Cursor::new(picture.to_png().unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut rgb).unwrap();
        assert_eq!(rgb, picture.rgb);
        let pixel = |x: usize, y: usize| &picture.rgb[3 * (y * 30 + x)..][..3];
        assert_eq!((pixel(25, 3), pixel(27, 5), pixel(28, 5)), (&[255, 0, 0][..], &[255, 0, 0][..], &[0, 0, 255][..]));
        assert_eq!(pixel(27, 6), [255, 255, 255]);
        assert!((0..20).any(|y| (0..10).any(|x| pixel(x, y)[0] < 100)), "there is a letter");
    }
}
