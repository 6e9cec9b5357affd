//! Photometric interpretations (PS3.3 §C.7.6.3.1.2).

use crate::table::shown;

/// What the samples of a pixel stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Photometric {
    Monochrome1,
    Monochrome2,
    Palette,
    Rgb,
    YbrFull,
    YbrFull422,
    YbrIct,
    YbrRct,
}

const NAMES: [(&str, Photometric); 8] = [
    ("MONOCHROME1", Photometric::Monochrome1),
    ("MONOCHROME2", Photometric::Monochrome2),
    ("PALETTE COLOR", Photometric::Palette),
    ("RGB", Photometric::Rgb),
    ("YBR_FULL", Photometric::YbrFull),
    ("YBR_FULL_422", Photometric::YbrFull422),
    ("YBR_ICT", Photometric::YbrIct),
    ("YBR_RCT", Photometric::YbrRct),
];

impl Photometric {
    /// From the attribute's text, in any case.
    ///
    /// # Errors
    /// An interpretation that is not read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let known = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|&(_, photometric)| photometric).ok_or_else(|| {
            format!(
                "has the photometric interpretation `{}`, which is not read; convert it to one of {}",
                shown(text),
                NAMES.map(|(name, _)| name).join(", ")
            )
        })
    }

    /// Samples per pixel.
    pub fn samples(self) -> u32 {
        if self.is_grey() || self == Self::Palette { 1 } else { 3 }
    }

    /// Whether windows apply.
    pub fn is_grey(self) -> bool {
        matches!(self, Self::Monochrome1 | Self::Monochrome2)
    }
}
