//! How many bits a stored pixel value has.

use selfsame_plugin_api::Card;
use serde::{Deserialize, Serialize};
use std::fmt;
use tch::Kind;

/// Bits of a stored value: 8 or 16, which is how files and cards write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Depth {
    /// One byte.
    U8,
    /// Two bytes, little-endian.
    U16,
}

impl Depth {
    /// That of a data set's images, of which float32 ones are kept with 16 bits.
    #[must_use]
    pub fn of(card: &Card) -> Self {
        if card.bit_depth == 8 { Self::U8 } else { Self::U16 }
    }

    /// Bits of a value.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::U8 => 8,
            Self::U16 => 16,
        }
    }

    /// Bytes of a value.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bits() as usize / 8
    }

    /// The value that stands for 1.
    #[must_use]
    pub const fn full_scale(self) -> f64 {
        match self {
            Self::U8 => u8::MAX as f64,
            Self::U16 => u16::MAX as f64,
        }
    }

    /// The kind of tensors that hold the stored bytes as they are.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::U8 => Kind::Uint8,
            Self::U16 => Kind::Int16,
        }
    }

    /// The depth of pixels as views take them: uint8, or int32 for 16 bits.
    #[must_use]
    pub const fn of_pixels(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Uint8 => Some(Self::U8),
            Kind::Int => Some(Self::U16),
            _ => None,
        }
    }
}

impl From<Depth> for u8 {
    fn from(depth: Depth) -> Self {
        depth.bits()
    }
}

impl TryFrom<u8> for Depth {
    type Error = String;

    fn try_from(bits: u8) -> Result<Self, String> {
        match bits {
            8 => Ok(Self::U8),
            16 => Ok(Self::U16),
            _ => Err(format!("{bits} bits a value, expected 8 or 16")),
        }
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_depth_is_a_number_of_bits_in_files() {
        assert_eq!(serde_json::to_string(&[Depth::U8, Depth::U16]).unwrap(), "[8,16]");
        assert_eq!(serde_json::from_str::<Depth>("16").unwrap(), Depth::U16);
        let error = serde_json::from_str::<Depth>("12").unwrap_err().to_string();
        assert!(error.contains("12 bits a value, expected 8 or 16"), "{error}");
        assert_eq!((Depth::U8.full_scale(), Depth::U16.full_scale()), (255.0, 65_535.0));
        assert_eq!((Depth::U8.bytes(), Depth::U16.bytes()), (1, 2));
    }
}
