//! From a decoder's interleaved samples to planar bytes: alpha, grey and colour, bit depth.

/// A channel value of a decoded image.
pub trait Sample: Copy {
    /// The largest value, white.
    const LARGEST: u32;
    /// As a number.
    fn number(self) -> u32;
    /// From a number up to the largest value.
    fn from_number(number: u32) -> Self;
}

impl Sample for u8 {
    const LARGEST: u32 = 255;

    fn number(self) -> u32 {
        self.into()
    }

    fn from_number(number: u32) -> Self {
        number as u8
    }
}

impl Sample for u16 {
    const LARGEST: u32 = 65535;

    fn number(self) -> u32 {
        self.into()
    }

    fn from_number(number: u32) -> Self {
        number as u16
    }
}

/// The form that all images of a data set get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// At least 1.
    pub channels: usize,
    /// 8 or 16.
    pub bit_depth: u8,
}

/// What the last number of a pixel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpha {
    /// A channel as the others.
    None,
    /// Alpha; the colours are as they are.
    Straight,
    /// Alpha, by which the colours were multiplied.
    Multiplied,
}

impl Alpha {
    /// Whether a pixel has it.
    pub fn is_stored(self) -> bool {
        self != Self::None
    }
}

/// Whether every pixel has three equal colours, as grey images always have. `stored` counts a pixel's values, alpha among
/// them.
pub fn is_grey<T: Sample>(samples: &[T], stored: usize) -> bool {
    let is_equal = |pixel: &[T]| pixel[0].number() == pixel[1].number() && pixel[1].number() == pixel[2].number();
    stored < 3 || samples.chunks_exact(stored).all(is_equal)
}

/// Planar bytes of grey or colours, 16-bit values little-endian. `samples` are interleaved, `stored` of them a pixel: one or three,
/// and alpha where there is one.
///
/// * Alpha: the image is laid over black.
/// * Colour to grey: luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded; exact where the colours are equal.
/// * Grey to colour: three equal channels.
/// * 8 to 16 bits: times 257; 16 to 8 bits: divided by 257 and rounded.
pub fn planar<T: Sample>(samples: &[T], stored: usize, alpha: Alpha, shape: Shape) -> Vec<u8> {
    let has_colours = stored - usize::from(alpha.is_stored()) == 3;
    let mut out = Vec::with_capacity(samples.len() / stored * shape.channels * usize::from(shape.bit_depth / 8));
    for channel in 0..shape.channels {
        let source = if has_colours { channel } else { 0 };
        let pixels = samples.chunks_exact(stored);
        // Each case is a loop of its own, without a decision for every pixel.
        match (has_colours && shape.channels == 1, alpha == Alpha::Straight) {
            (false, false) => push(&mut out, pixels.map(|pixel| pixel[source]), shape.bit_depth),
            (false, true) => push(&mut out, pixels.map(|pixel| over_black(pixel, source)), shape.bit_depth),
            (true, false) => push(&mut out, pixels.map(|pixel| luma([pixel[0], pixel[1], pixel[2]])), shape.bit_depth),
            (true, true) => {
                let laid = |pixel: &[T]| luma([over_black(pixel, 0), over_black(pixel, 1), over_black(pixel, 2)]);
                push(&mut out, pixels.map(laid), shape.bit_depth);
            }
        }
    }
    out
}

/// Planar bytes of all channels, in the depth that is asked for.
pub fn as_they_are<T: Sample>(samples: &[T], stored: usize, bit_depth: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(samples.len() * usize::from(bit_depth / 8));
    for channel in 0..stored {
        push(&mut out, samples.iter().skip(channel).step_by(stored).copied(), bit_depth);
    }
    out
}

fn luma<T: Sample>([red, green, blue]: [T; 3]) -> T {
    T::from_number((299 * red.number() + 587 * green.number() + 114 * blue.number() + 500) / 1000)
}

/// A channel of a pixel whose last value is alpha.
fn over_black<T: Sample>(pixel: &[T], channel: usize) -> T {
    let alpha = pixel[pixel.len() - 1].number();
    T::from_number((pixel[channel].number() * alpha + T::LARGEST / 2) / T::LARGEST)
}

fn push<T: Sample>(out: &mut Vec<u8>, values: impl Iterator<Item = T>, bit_depth: u8) {
    let numbers = values.map(T::number);
    match (T::LARGEST, bit_depth) {
        (255, 8) => out.extend(numbers.map(|number| number as u8)),
        (_, 8) => out.extend(numbers.map(|number| ((number + 128) / 257) as u8)),
        (255, _) => out.extend(numbers.flat_map(|number| ((number * 257) as u16).to_le_bytes())),
        _ => out.extend(numbers.flat_map(|number| (number as u16).to_le_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(channels: usize, bit_depth: u8) -> Shape {
        Shape { channels, bit_depth }
    }

    #[test]
    fn colour_is_planar_and_grey_is_repeated() {
        assert_eq!(planar(&[1u8, 2, 3, 4, 5, 6], 3, Alpha::None, shape(3, 8)), [1, 4, 2, 5, 3, 6]);
        assert_eq!(planar(&[7u8, 9], 1, Alpha::None, shape(3, 8)), [7, 9, 7, 9, 7, 9]);
    }

    #[test]
    fn grey_from_colour_is_luma_of_bt_601() {
        // 0.299·200 + 0.587·100 + 0.114·50 = 124.2; pure red 76.245, green 149.685, blue 29.07.
        let colours = [200u8, 100, 50, 255, 0, 0, 0, 255, 0, 0, 0, 255, 33, 33, 33];
        assert_eq!(planar(&colours, 3, Alpha::None, shape(1, 8)), [124, 76, 150, 29, 33]);
    }

    #[test]
    fn alpha_lies_over_black() {
        // 200 · 128 / 255 = 100.39; fully opaque and fully transparent pixels keep and lose their value.
        assert_eq!(planar(&[200u8, 128, 200, 255, 200, 0], 2, Alpha::Straight, shape(1, 8)), [100, 200, 0]);
        let colours = [10u8, 20, 30, 255, 10, 20, 30, 51];
        assert_eq!(planar(&colours, 4, Alpha::Straight, shape(3, 8)), [10, 2, 20, 4, 30, 6]);
        assert_eq!(planar(&colours, 4, Alpha::Multiplied, shape(3, 8)), [10, 10, 20, 20, 30, 30]);
        assert_eq!(as_they_are(&colours, 4, 8), [10, 10, 20, 20, 30, 30, 255, 51]);
    }

    #[test]
    fn depths_keep_black_white_and_order() {
        let words = |bytes: Vec<u8>| -> Vec<u16> {
            bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
        };
        assert_eq!(words(planar(&[0u8, 1, 255], 1, Alpha::None, shape(1, 16))), [0, 257, 65535]);
        assert_eq!(words(planar(&[0u16, 300, 65535], 1, Alpha::None, shape(1, 16))), [0, 300, 65535]);
        // 300 / 257 = 1.17, 386 / 257 = 1.502.
        assert_eq!(planar(&[0u16, 300, 386, 65535], 1, Alpha::None, shape(1, 8)), [0, 1, 2, 255]);
        let all: Vec<u8> = (0..=255).collect();
        let wide: Vec<u16> = words(planar(&all, 1, Alpha::None, shape(1, 16)));
        assert_eq!(planar(&wide, 1, Alpha::None, shape(1, 8)), all);
    }

    #[test]
    fn grey_is_seen_in_colour_files() {
        assert!(is_grey(&[5u8, 5, 5, 9, 9, 9], 3) && is_grey(&[5u8, 5, 5, 1], 4) && is_grey(&[1u8, 2], 1));
        assert!(!is_grey(&[5u8, 5, 5, 9, 9, 8], 3));
    }
}
