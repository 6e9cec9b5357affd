//! float32 images of plugins, which the host keeps with 16 bits: steps of 1/65535, finer than what cameras and detectors
//! resolve, at half the memory.

use selfsame_plugin_api::{Card, Image};

/// What cards and images call float32.
const FLOAT: u8 = 32;

/// The card of the images as the host keeps them.
pub(super) fn held(mut card: Card) -> Card {
    if card.bit_depth == FLOAT {
        card.bit_depth = 16;
    }
    card
}

/// The image as the host keeps it.
///
/// # Errors
/// A value that is not in 0–1, as the end of a sentence.
pub(super) fn held_image(image: Image) -> Result<Image, String> {
    if image.bit_depth != FLOAT {
        return Ok(image);
    }
    let mut data = Vec::with_capacity(image.data.len() / 2);
    for bytes in image.data.as_chunks::<4>().0 {
        let value = f32::from_le_bytes(*bytes);
        if !(0.0..=1.0).contains(&value) {
            return Err(format!("holds the value {value}, expected 0 to 1"));
        }
        data.extend(((f64::from(value) * f64::from(u16::MAX)).round() as u16).to_le_bytes());
    }
    Ok(Image { bit_depth: 16, data, ..image })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(values: &[f32]) -> Image {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Image { channels: 1, height: 1, width: values.len(), bit_depth: FLOAT, data }
    }

    #[test]
    fn a_value_becomes_the_nearest_of_16_bits() {
        let held = held_image(image(&[0.0, 1.0, 0.5, 1.0 / 65_535.0])).unwrap();
        let values: Vec<u16> = held.data.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two)).collect();
        assert_eq!((held.bit_depth, values), (16, vec![0, 65_535, 32_768, 1]));
        for (value, shown) in [(-0.5, "-0.5"), (1.5, "1.5"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
            let error = held_image(image(&[0.0, value])).unwrap_err();
            assert_eq!(error, format!("holds the value {shown}, expected 0 to 1"));
        }
    }
}
