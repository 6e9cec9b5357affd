//! Lookup tables (PS3.3 §C.11.1.1, C.11.2.1.1 and C.7.6.3.1.5).

/// A table from whole numbers to values of [`Lut::bits`] bits, none of which is beyond them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lut {
    first: i64,
    /// Bits of a table's value.
    pub bits: u32,
    values: Vec<u16>,
}

impl Lut {
    /// From a descriptor (number of entries, first mapped value, bits) and the table's bytes, words with the low byte
    /// first. Where descriptor and data disagree whether entries have 8 or 16 bits, the data decides: as many bytes as
    /// entries are 8 bits, and words beyond 255 are 16.
    ///
    /// # Errors
    /// A descriptor that is incomplete or does not fit the bytes, values beyond 9 to 15 bits.
    pub fn new(descriptor: &[u16], data: &[u8], is_signed: bool) -> Result<Self, String> {
        let &[entries, first, bits, ..] = descriptor else {
            return Err(format!("its descriptor has {} values, expected 3", descriptor.len()));
        };
        let entries = if entries == 0 { 1 << 16 } else { usize::from(entries) };
        let first = if is_signed { i64::from(first as i16) } else { i64::from(first) };
        if !(8..=16).contains(&bits) {
            return Err(format!("its values have {bits} bits, expected 8 to 16"));
        }
        // Two 8-bit entries may share a word, padded to an even length. One entry of two bytes can be either.
        let is_packed = data.len() == entries + entries % 2 && (bits == 8 || entries > 1);
        let values: Vec<u16> = if is_packed {
            data[..entries].iter().map(|&byte| byte.into()).collect()
        } else {
            data.chunks_exact(2).take(entries).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
        };
        if values.len() != entries {
            return Err(format!("it has {} bytes for {entries} entries", data.len()));
        }
        let largest = values.iter().copied().max().unwrap_or(0);
        let bits = match bits {
            _ if is_packed => 8,
            8 if largest > 255 => 16,
            stated => u32::from(stated),
        };
        if u32::from(largest) >> bits != 0 {
            return Err(format!("its values reach {largest}, which {bits} bits cannot express"));
        }
        Ok(Self { first, bits, values })
    }

    /// The table's value; beyond its ends the first and the last hold.
    pub fn get(&self, value: i64) -> u16 {
        let index = (value - self.first).clamp(0, self.values.len() as i64 - 1);
        self.values[index as usize]
    }

    /// The largest value that its bits can express.
    pub fn ceiling(&self) -> f64 {
        f64::from((1u32 << self.bits) - 1)
    }
}
