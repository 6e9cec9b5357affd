//! The numbers of an image as its file holds them.

/// What the numbers of an image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    U8,
    /// Unsigned, two bytes.
    U16,
    /// Unsigned, four bytes.
    U32,
    /// Signed, one byte.
    I8,
    /// Signed, two bytes.
    I16,
    /// Signed, four bytes.
    I32,
    /// Floating-point, four bytes.
    F32,
    /// Floating-point, eight bytes.
    F64,
}

impl Kind {
    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// Bits of a number.
    pub fn bits(self) -> u8 {
        match self {
            Self::U8 | Self::I8 => 8,
            Self::U16 | Self::I16 => 16,
            Self::U32 | Self::I32 | Self::F32 => 32,
            Self::F64 => 64,
        }
    }

    /// Whether black is 0 and white the largest number; of others, a range has to say which these are.
    pub fn has_its_range(self) -> bool {
        matches!(self, Self::U8 | Self::U16)
    }
}

/// Numbers of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// See [`Kind`].
    U8(Vec<u8>),
    /// See [`Kind`].
    U16(Vec<u16>),
    /// See [`Kind`].
    U32(Vec<u32>),
    /// See [`Kind`].
    I8(Vec<i8>),
    /// See [`Kind`].
    I16(Vec<i16>),
    /// See [`Kind`].
    I32(Vec<i32>),
    /// See [`Kind`].
    F32(Vec<f32>),
    /// See [`Kind`].
    F64(Vec<f64>),
}

/// The same expression for the numbers of every kind.
macro_rules! each {
    ($values:expr, $numbers:ident => $expression:expr) => {
        match $values {
            Values::U8($numbers) => $expression,
            Values::U16($numbers) => $expression,
            Values::U32($numbers) => $expression,
            Values::I8($numbers) => $expression,
            Values::I16($numbers) => $expression,
            Values::I32($numbers) => $expression,
            Values::F32($numbers) => $expression,
            Values::F64($numbers) => $expression,
        }
    };
}

/// The numbers at places that an expression gives, of the same kind.
macro_rules! rearranged {
    ($values:expr, $numbers:ident => $expression:expr) => {
        match $values {
            Values::U8($numbers) => Values::U8($expression),
            Values::U16($numbers) => Values::U16($expression),
            Values::U32($numbers) => Values::U32($expression),
            Values::I8($numbers) => Values::I8($expression),
            Values::I16($numbers) => Values::I16($expression),
            Values::I32($numbers) => Values::I32($expression),
            Values::F32($numbers) => Values::F32($expression),
            Values::F64($numbers) => Values::F64($expression),
        }
    };
}

fn wide(number: impl Into<f64>) -> f64 {
    number.into()
}

impl Values {
    /// What they are.
    pub fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::U16(_) => Kind::U16,
            Self::U32(_) => Kind::U32,
            Self::I8(_) => Kind::I8,
            Self::I16(_) => Kind::I16,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::F64(_) => Kind::F64,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        each!(self, numbers => numbers.len())
    }

    /// From little-endian bytes.
    pub fn from_bytes(kind: Kind, bytes: Vec<u8>) -> Self {
        macro_rules! read {
            ($number:ty) => {
                bytes
                    .chunks_exact(size_of::<$number>())
                    .map(|of| <$number>::from_le_bytes(of.try_into().unwrap_or_default()))
                    .collect()
            };
        }
        match kind {
            Kind::U8 => Self::U8(bytes),
            Kind::U16 => Self::U16(read!(u16)),
            Kind::U32 => Self::U32(read!(u32)),
            Kind::I8 => Self::I8(read!(i8)),
            Kind::I16 => Self::I16(read!(i16)),
            Kind::I32 => Self::I32(read!(i32)),
            Kind::F32 => Self::F32(read!(f32)),
            Kind::F64 => Self::F64(read!(f64)),
        }
    }

    /// The numbers at these places, in their order.
    pub fn at(&self, places: impl Iterator<Item = usize>) -> Self {
        rearranged!(self, numbers => places.map(|place| numbers[place]).collect())
    }

    /// These numbers, then others of the same kind; false where they are of another one.
    #[must_use]
    pub fn append(&mut self, more: Self) -> bool {
        match (self, more) {
            (Self::U8(all), Self::U8(more)) => all.extend(more),
            (Self::U16(all), Self::U16(more)) => all.extend(more),
            (Self::U32(all), Self::U32(more)) => all.extend(more),
            (Self::I8(all), Self::I8(more)) => all.extend(more),
            (Self::I16(all), Self::I16(more)) => all.extend(more),
            (Self::I32(all), Self::I32(more)) => all.extend(more),
            (Self::F32(all), Self::F32(more)) => all.extend(more),
            (Self::F64(all), Self::F64(more)) => all.extend(more),
            _ => return false,
        }
        true
    }

    /// Whether each of the pixels, of `stored` numbers, is equal to the first one.
    pub fn are_all_one(&self, stored: usize) -> bool {
        each!(self, numbers => numbers.chunks_exact(stored).all(|pixel| pixel == &numbers[..stored]))
    }

    /// The lowest and the highest number; none where one is not finite, or where there is none.
    pub fn extent(&self) -> Option<(f64, f64)> {
        each!(self, numbers => {
            let mut extent = (f64::INFINITY, f64::NEG_INFINITY);
            for number in numbers {
                let number = wide(*number);
                if !number.is_finite() {
                    return None;
                }
                extent = (extent.0.min(number), extent.1.max(number));
            }
            (extent.0 <= extent.1).then_some(extent)
        })
    }

    /// 16-bit levels: the lower end of a range is 0, its upper end 65535, and what lies outside is the nearer end. The numbers are
    /// `stored` a pixel, and `range` has that of each of them.
    ///
    /// # Errors
    /// The place of a number that is not finite.
    pub fn levels(&self, stored: usize, range: impl Fn(usize) -> (f64, f64)) -> Result<Vec<u16>, usize> {
        let ranges: Vec<(f64, f64)> = (0..stored).map(range).collect();
        each!(self, numbers => {
            let mut levels = Vec::with_capacity(numbers.len());
            for (place, number) in numbers.iter().enumerate() {
                let (lowest, highest) = ranges[place % stored];
                let share = (wide(*number) - lowest) / (highest - lowest);
                if !share.is_finite() {
                    return Err(place);
                }
                levels.push((share.clamp(0.0, 1.0) * 65_535.0).round() as u16);
            }
            Ok(levels)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_levels_of_their_range() {
        // (−0.5 + 1)/2 = 0.25 → 16383.75; both ends, and what lies outside.
        let values = Values::F32(vec![-1.0, -0.5, 0.0, 1.0, 9.0, -9.0]);
        assert_eq!(values.levels(1, |_| (-1.0, 1.0)).unwrap(), [0, 16_384, 32_768, 65_535, 65_535, 0]);
        // Each channel has its own range.
        let values = Values::I16(vec![-1000, 0, 1000, 100]);
        assert_eq!(
            values.levels(2, |channel| [(-1000.0, 1000.0), (0.0, 100.0)][channel]).unwrap(),
            [0, 0, 65_535, 65_535]
        );
        assert_eq!(Values::F64(vec![0.0, f64::NAN]).levels(1, |_| (0.0, 1.0)), Err(1));
        assert_eq!(Values::F64(vec![f64::INFINITY]).levels(1, |_| (0.0, 1.0)), Err(0));
    }

    #[test]
    fn bytes_are_read_as_their_kind() {
        assert_eq!(Values::from_bytes(Kind::I16, vec![0xFF, 0xFF, 1, 0]), Values::I16(vec![-1, 1]));
        assert_eq!(Values::from_bytes(Kind::F32, 1.5f32.to_le_bytes().to_vec()), Values::F32(vec![1.5]));
        assert_eq!(Values::I8(vec![-3, 4]).extent(), Some((-3.0, 4.0)));
        assert_eq!(Values::F32(vec![f32::NAN]).extent(), None);
        assert_eq!(Values::U8(vec![]).extent(), None);
    }
}
