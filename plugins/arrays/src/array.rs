//! The header of an array, and its values as labels or names.

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

/// Swaps the bytes of each value where they are big-endian.
pub fn little_endian(header: &Header, mut bytes: Vec<u8>) -> Vec<u8> {
    let unit = match header.kind {
        Kind::Characters(_) => 4,
        Kind::Bytes(_) => 1,
        kind => kind.size(),
    };
    if header.is_big_endian && unit > 1 {
        bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
    bytes
}

/// The whole numbers that an array holds, from little-endian bytes.
///
/// # Errors
/// Another kind, as the end of a sentence.
pub fn integers(header: &Header, bytes: &[u8]) -> Result<Vec<i64>, String> {
    let size = header.kind.size();
    let wide = |value: &[u8], fill: u8| {
        let mut whole = [fill; 8];
        whole[..size].copy_from_slice(value);
        i64::from_le_bytes(whole)
    };
    let values = bytes.chunks_exact(size.max(1));
    match header.kind {
        Kind::Bool | Kind::Unsigned(1 | 2 | 4 | 8) => Ok(values.map(|value| wide(value, 0)).collect()),
        Kind::Signed(1 | 2 | 4 | 8) => {
            let sign = |value: &[u8]| if value[size - 1] & 0x80 == 0 { 0 } else { 0xFF };
            Ok(values.map(|value| wide(value, sign(value))).collect())
        }
        _ => Err("expected whole numbers (`.astype(\"int64\")`)".into()),
    }
}

/// The values of an array as text: whole numbers, `U` and `S`.
///
/// # Errors
/// Another kind, as the end of a sentence.
pub fn texts(header: &Header, bytes: &[u8]) -> Result<Vec<String>, String> {
    let size = header.kind.size();
    if size == 0 {
        return Ok(vec![String::new(); header.shape.iter().product()]);
    }
    let values = bytes.chunks_exact(size);
    match header.kind {
        Kind::Characters(_) => values
            .map(|value| {
                let codes = value.as_chunks::<4>().0.iter().map(|code| u32::from_le_bytes(*code));
                let text: Option<String> = codes.take_while(|code| *code != 0).map(char::from_u32).collect();
                text.ok_or_else(|| "holds text that is not Unicode".to_owned())
            })
            .collect(),
        Kind::Bytes(_) => values
            .map(|value| {
                let end = value.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                String::from_utf8(value[..end].to_vec()).map_err(|_| "holds text that is not UTF-8".to_owned())
            })
            .collect(),
        _ => match integers(header, bytes) {
            Ok(values) => Ok(values.iter().map(i64::to_string).collect()),
            Err(_) => Err("expected texts or whole numbers".into()),
        },
    }
}
