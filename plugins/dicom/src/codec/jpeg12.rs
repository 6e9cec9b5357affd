//! JPEG Extended of 12 bits and one component (ITU-T T.81, process 4), which no crate in use decodes.

use crate::header::Layout;
use std::f32::consts::{FRAC_1_SQRT_2, PI};

const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Decodes a stream whose frame header was compared with the layout.
///
/// # Errors
/// Segments that are missing, impossible or cut.
pub fn decode(code: &[u8], layout: &Layout) -> Result<Vec<u16>, String> {
    let mut tables = Tables::default();
    let mut at = 2;
    loop {
        let &[0xff, marker, high, low, ..] = code.get(at..).unwrap_or_default() else {
            return Err("its segments end before the scan".into());
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = code.get(at + 4..at + 2 + length).ok_or("a segment is longer than the stream")?;
        at += 2 + length;
        match marker {
            0xdb => tables.quantization(body)?,
            0xc4 => tables.huffman(body)?,
            0xdd => tables.interval = body.first_chunk().map_or(0, |&two| usize::from(u16::from_be_bytes(two))),
            0xc1 => tables.frame = body.get(8).copied(),
            0xda => return tables.scan(body, &code[at..], layout),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Tables {
    /// In zigzag order.
    steps: [Option<[f32; 64]>; 4],
    /// Of DC, then of AC coefficients.
    codes: [[Option<Huffman>; 4]; 2],
    /// Blocks between restarts; 0: none.
    interval: usize,
    /// The component's quantization table.
    frame: Option<u8>,
}

impl Tables {
    fn quantization(&mut self, mut body: &[u8]) -> Result<(), String> {
        while let Some((&head, rest)) = body.split_first() {
            let width = if head >> 4 == 0 { 1 } else { 2 };
            let cells = rest.get(..64 * width).ok_or("a quantization table is cut")?;
            let mut steps = [0.0; 64];
            for (step, cell) in steps.iter_mut().zip(cells.chunks_exact(width)) {
                *step = cell.iter().fold(0.0, |value, &byte| value * 256.0 + f32::from(byte));
            }
            *self.steps.get_mut(usize::from(head & 15)).ok_or("a quantization table has no place")? = Some(steps);
            body = &rest[64 * width..];
        }
        Ok(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Result<(), String> {
        while let Some((&head, rest)) = body.split_first() {
            let counts: &[u8; 16] = rest.first_chunk().ok_or("a Huffman table is cut")?;
            let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let values = rest.get(16..16 + total).ok_or("a Huffman table is cut")?;
            let kind = self.codes.get_mut(usize::from(head >> 4)).ok_or("a Huffman table has no class")?;
            *kind.get_mut(usize::from(head & 15)).ok_or("a Huffman table has no place")? =
                Some(Huffman { counts: *counts, values: values.to_vec() });
            body = &rest[16 + total..];
        }
        Ok(())
    }

    /// One component: its blocks follow each other in rows, whatever its sampling factors say (§A.2.2).
    fn scan(&self, body: &[u8], code: &[u8], layout: &Layout) -> Result<Vec<u16>, String> {
        let &[1, _, selectors, ..] = body else { return Err("its scan has not one component".into()) };
        let find = |kind: usize, index: u8| self.codes[kind].get(usize::from(index)).and_then(Option::as_ref);
        let dc = find(0, selectors >> 4).ok_or("its DC table is missing")?;
        let ac = find(1, selectors & 15).ok_or("its AC table is missing")?;
        let steps = self.frame.and_then(|index| *self.steps.get(usize::from(index))?);
        let steps = steps.ok_or("its quantization table is missing")?;
        let cosines = cosines();
        let mut bits = Bits { code, at: 0, held: 0, count: 0 };
        let (across, down) = (layout.columns.div_ceil(8), layout.rows.div_ceil(8));
        let mut levels = vec![0; layout.rows * layout.columns];
        let mut last = 0i32;
        for block in 0..across * down {
            if self.interval > 0 && block > 0 && block % self.interval == 0 {
                bits.restart()?;
                last = 0;
            }
            let mut coefficients = [0.0; 64];
            let size = dc.next(&mut bits)?;
            last = bits.signed(size)?.wrapping_add(last);
            coefficients[0] = last as f32 * steps[0];
            let mut index = 1;
            while index < 64 {
                let (run, size) = match ac.next(&mut bits)? {
                    0 => break,
                    symbol => (usize::from(symbol >> 4), symbol & 15),
                };
                index += run;
                let (&place, step) = ZIGZAG.get(index).zip(steps.get(index)).ok_or("a block has too many values")?;
                coefficients[place] = bits.signed(size)? as f32 * step;
                index += 1;
            }
            let (top, left) = (block / across * 8, block % across * 8);
            for (y, row) in inverse(&coefficients, &cosines).chunks_exact(8).enumerate() {
                let line = (top + y) * layout.columns;
                if top + y < layout.rows {
                    for (x, value) in row.iter().enumerate().take(layout.columns - left) {
                        levels[line + left + x] = (value + 2048.0).round().clamp(0.0, 4095.0) as u16;
                    }
                }
            }
        }
        Ok(levels)
    }
}

/// `c(u) cos((2x + 1) u π / 16) / 2` as `[x][u]` (§A.3.3).
fn cosines() -> [[f32; 8]; 8] {
    std::array::from_fn(|x| {
        std::array::from_fn(|u| {
            let scale = if u == 0 { FRAC_1_SQRT_2 } else { 1.0 };
            scale / 2.0 * ((2 * x + 1) as f32 * u as f32 * PI / 16.0).cos()
        })
    })
}

fn inverse(coefficients: &[f32; 64], cosines: &[[f32; 8]; 8]) -> [f32; 64] {
    let mut rows = [0.0; 64];
    for v in 0..8 {
        for x in 0..8 {
            rows[8 * v + x] = (0..8).map(|u| cosines[x][u] * coefficients[8 * v + u]).sum();
        }
    }
    let mut block = [0.0; 64];
    for y in 0..8 {
        for x in 0..8 {
            block[8 * y + x] = (0..8).map(|v| cosines[y][v] * rows[8 * v + x]).sum();
        }
    }
    block
}

struct Huffman {
    /// Codes of each length from 1 to 16 bits.
    counts: [u8; 16],
    values: Vec<u8>,
}

impl Huffman {
    /// The next symbol (§F.2.2.3).
    fn next(&self, bits: &mut Bits<'_>) -> Result<u8, String> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for &count in &self.counts {
            code = code << 1 | bits.take(1)?;
            let count = i32::from(count);
            if code - first < count {
                let place = usize::try_from(index + code - first).map_err(|error| error.to_string())?;
                return self.values.get(place).copied().ok_or_else(|| "a code has no value".into());
            }
            index += count;
            first = (first + count) << 1;
        }
        Err("a code is in no table".into())
    }
}

/// Bits of entropy-coded data, stuffing removed.
struct Bits<'c> {
    code: &'c [u8],
    at: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, wanted: u32) -> Result<i32, String> {
        while self.count < wanted {
            let byte = *self.code.get(self.at).ok_or("its scan is cut")?;
            if byte == 0xff {
                if self.code.get(self.at + 1) != Some(&0) {
                    return Err("its scan is cut by a marker".into());
                }
                self.at += 1;
            }
            self.at += 1;
            self.held = self.held << 8 | u32::from(byte);
            self.count += 8;
        }
        self.count -= wanted;
        Ok((self.held >> self.count & ((1 << wanted) - 1)) as i32)
    }

    /// A value of `size` bits (§F.2.2.1, EXTEND).
    fn signed(&mut self, size: u8) -> Result<i32, String> {
        if size == 0 {
            return Ok(0);
        }
        if size > 16 {
            return Err("a value is too wide".into());
        }
        let value = self.take(size.into())?;
        Ok(if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value })
    }

    fn restart(&mut self) -> Result<(), String> {
        (self.held, self.count) = (0, 0);
        match self.code.get(self.at..self.at + 2) {
            Some(&[0xff, 0xd0..=0xd7]) => self.at += 2,
            _ => return Err("a restart marker is missing".into()),
        }
        Ok(())
    }
}
