//! How large an image is.

use selfsame_plugin_api::{Card, Image};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Height and width in pixels, ordered by height first; files and `Debug` have them as the pair (height, width).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(usize, usize)", into = "(usize, usize)")]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// A square.
    #[must_use]
    pub const fn square(side: usize) -> Self {
        Self { height: side, width: side }
    }

    /// What a data set calls its images' usual size.
    #[must_use]
    pub fn nominal(card: &Card) -> Self {
        card.nominal_size.into()
    }

    /// Number of pixels.
    #[must_use]
    pub const fn area(self) -> usize {
        self.height * self.width
    }

    /// Whether height and width are equal.
    #[must_use]
    pub const fn is_square(self) -> bool {
        self.height == self.width
    }

    /// The shorter side.
    #[must_use]
    pub fn shorter(self) -> usize {
        self.height.min(self.width)
    }

    /// The longer side.
    #[must_use]
    pub fn longer(self) -> usize {
        self.height.max(self.width)
    }

    /// Whether neither side is longer than that of `frame`.
    #[must_use]
    pub const fn fits(self, frame: Self) -> bool {
        self.height <= frame.height && self.width <= frame.width
    }
}

impl From<(usize, usize)> for Size {
    fn from((height, width): (usize, usize)) -> Self {
        Self { height, width }
    }
}

impl From<Size> for (usize, usize) {
    fn from(size: Size) -> Self {
        (size.height, size.width)
    }
}

impl From<&Image> for Size {
    fn from(image: &Image) -> Self {
        Self { height: image.height, width: image.width }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.height, self.width)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&(self.height, self.width), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_height_before_width_in_files_and_messages() {
        let size = Size { height: 48, width: 32 };
        assert_eq!(serde_json::to_string(&size).unwrap(), "[48,32]");
        assert_eq!(serde_json::from_str::<Size>("[48,32]").unwrap(), size);
        assert_eq!((format!("{size}"), format!("{size:?}")), ("48×32".into(), "(48, 32)".into()));
    }
}
