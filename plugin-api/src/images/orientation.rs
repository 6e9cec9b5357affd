//! EXIF's and TIFF's orientation (TIFF 6.0, tag 274): how stored rows and columns are seen.

/// An orientation, 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation(u8);

impl Orientation {
    /// As stored.
    pub const UPRIGHT: Self = Self(1);

    /// By its number; upright for numbers that the standard does not define.
    pub fn new(number: u64) -> Self {
        if (1..=8).contains(&number) {
            Self(number as u8)
        } else {
            Self::UPRIGHT
        }
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Height and width as seen.
    pub fn seen(self, (height, width): (usize, usize)) -> (usize, usize) {
        if self.0 > 4 {
            (width, height)
        } else {
            (height, width)
        }
    }

    /// Row and column in the file of those that are seen; `height` and `width` are the file's.
    pub fn source(self, (row, column): (usize, usize), (height, width): (usize, usize)) -> (usize, usize) {
        match self.0 {
            2 => (row, width - 1 - column),
            3 => (height - 1 - row, width - 1 - column),
            4 => (height - 1 - row, column),
            5 => (column, row),
            6 => (height - 1 - column, row),
            7 => (height - 1 - column, width - 1 - row),
            8 => (column, width - 1 - row),
            _ => (row, column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen of the rows `abc` and `def` under each orientation of EXIF 2.32, section 4.6.4.
    const SEEN: [&str; 8] = ["abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"];

    #[test]
    fn every_orientation_is_seen_as_the_standard_says() {
        for (number, expected) in (1..).zip(SEEN) {
            let orientation = Orientation::new(number);
            let (height, width) = orientation.seen((2, 3));
            let pixels = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
            let letter = |pixel| {
                let (row, column) = orientation.source(pixel, (2, 3));
                char::from(b"abcdef"[row * 3 + column])
            };
            assert_eq!(pixels.map(letter).collect::<String>(), expected, "{number}");
        }
    }
}
