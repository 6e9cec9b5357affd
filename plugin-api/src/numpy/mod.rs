//! Arrays as NumPy writes them into `.npy` files, and into the `.npz` archives made of these.

mod npy;
mod order;

pub use npy::header;
pub use order::ordered;

/// What the values of an array are; two-byte numbers and longer ones may be big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// NumPy's `bool`.
    Bool,
    /// Unsigned integers of so many bytes.
    Unsigned(usize),
    /// Signed integers of so many bytes.
    Signed(usize),
    /// Floating-point numbers of so many bytes.
    Float(usize),
    /// So many characters of UTF-32 (`U`).
    Characters(usize),
    /// So many bytes of text (`S`).
    Bytes(usize),
}

/// What an array is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Of each value.
    pub kind: Kind,
    /// Whether values of several bytes begin with the largest one.
    pub is_big_endian: bool,
    /// Whether the first dimension is the fastest (Fortran's order), and not the last.
    pub is_column_major: bool,
    /// Length of each dimension.
    pub shape: Vec<usize>,
}

impl Kind {
    /// Bytes of a value.
    pub fn size(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Unsigned(size) | Self::Signed(size) | Self::Float(size) | Self::Bytes(size) => size,
            Self::Characters(count) => 4 * count,
        }
    }
}

impl Header {
    /// Bytes of the whole array.
    pub fn bytes(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.kind.size(), |bytes, length| bytes.checked_mul(*length))
    }

    /// `[60000, 28, 28]`
    pub fn dimensions(&self) -> String {
        format!("{:?}", self.shape)
    }
}
