//! DICOM files written by the tests themselves, after PS3.5 and PS3.10.

use crate::coding::{Coding, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;

/// Group and element number in one number.
type Tag = u32;

pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const LITTLE: &str = "1.2.840.10008.1.2.1";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub const BIG: &str = "1.2.840.10008.1.2.2";
pub const RLE: &str = "1.2.840.10008.1.2.5";
pub const BASELINE: &str = "1.2.840.10008.1.2.4.50";
pub const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
pub const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";
pub const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";

/// One element, in explicit VR unless the coding is implicit.
pub fn element(coding: Coding, tag: Tag, representation: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut padded = value.to_vec();
    if padded.len() % 2 == 1 {
        padded.push(if representation == b"UI" || representation == b"OB" { 0 } else { b' ' });
    }
    let mut bytes = head(coding, tag, representation, padded.len() as u32);
    bytes.extend(padded);
    bytes
}

pub fn head(coding: Coding, tag: Tag, representation: &[u8; 2], length: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(short(coding, (tag >> 16) as u16));
    bytes.extend(short(coding, tag as u16));
    let is_long = matches!(representation, b"OB" | b"OW" | b"SQ" | b"UN");
    if coding.explicit && tag >> 16 != 0xfffe {
        bytes.extend(representation);
        if !is_long {
            bytes.extend(short(coding, length as u16));
            return bytes;
        }
        bytes.extend([0, 0]);
    }
    bytes.extend(if coding.big_endian { length.to_be_bytes() } else { length.to_le_bytes() });
    bytes
}

pub fn short(coding: Coding, value: u16) -> [u8; 2] {
    if coding.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// Elements of 16-bit numbers.
type Shorts = Vec<(Tag, Vec<u16>)>;

/// Elements of text with their value representations.
type Texts = Vec<(Tag, [u8; 2], String)>;

/// An image to be written.
#[derive(Clone)]
pub struct Picture {
    pub rows: u16,
    pub columns: u16,
    pub samples: u16,
    pub allocated: u16,
    pub stored: u16,
    pub signed: bool,
    pub planar: bool,
    pub photometric: &'static str,
    pub frames: u32,
    pub patient: &'static str,
    /// Further elements with tags below the pixels', values as text.
    pub texts: Texts,
    /// Further elements whose values are 16-bit numbers.
    pub shorts: Vec<(Tag, [u8; 2], Vec<u16>)>,
    /// Sequences of one item of 16-bit numbers.
    pub tables: Vec<(Tag, Shorts)>,
    /// Functional groups of one item, the macro in it, and its texts.
    pub nested: Vec<(Tag, Tag, Texts)>,
    /// `[frames, rows, columns, samples]`, or `[frames, samples, rows, columns]` when planar.
    pub values: Vec<i32>,
}

impl Picture {
    pub fn grey(rows: u16, columns: u16, bits: u16, values: Vec<i32>) -> Self {
        Self {
            rows,
            columns,
            samples: 1,
            allocated: if bits > 16 { 32 } else { bits.div_ceil(8) * 8 },
            stored: bits,
            signed: false,
            planar: false,
            photometric: "MONOCHROME2",
            frames: 1,
            patient: "someone",
            texts: Vec::new(),
            shorts: Vec::new(),
            tables: Vec::new(),
            nested: Vec::new(),
            values,
        }
    }

    /// The cells as bytes.
    pub fn cells(&self, coding: Coding) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &value in &self.values {
            let masked = value as u32 & (u32::MAX >> (32 - self.stored));
            let wide = if coding.big_endian { masked.to_be_bytes() } else { masked.to_le_bytes() };
            let count = usize::from(self.allocated / 8);
            bytes.extend(if coding.big_endian { &wide[4 - count..] } else { &wide[..count] });
        }
        bytes
    }

    /// Everything before the pixels.
    pub fn attributes(&self, coding: Coding) -> Vec<u8> {
        let number = |value: u16| short(coding, value).to_vec();
        let text = |text: &str| text.as_bytes().to_vec();
        let mut elements = vec![
            (0x0008_0016, *b"UI", text("1.2.840.10008.5.1.4.1.1.7")),
            (0x0008_0018, *b"UI", text("1.2.3.4")),
            (0x0008_0060, *b"CS", text("DX")),
            (0x0010_0020, *b"LO", text(self.patient)),
            (0x0028_0002, *b"US", number(self.samples)),
            (0x0028_0004, *b"CS", text(self.photometric)),
            (0x0028_0006, *b"US", number(self.planar.into())),
            (0x0028_0008, *b"IS", text(&self.frames.to_string())),
            (0x0028_0010, *b"US", number(self.rows)),
            (0x0028_0011, *b"US", number(self.columns)),
            (0x0028_0100, *b"US", number(self.allocated)),
            (0x0028_0101, *b"US", number(self.stored)),
            (0x0028_0102, *b"US", number(self.stored - 1)),
            (0x0028_0103, *b"US", number(self.signed.into())),
        ];
        elements.extend(self.texts.iter().map(|(tag, written, value)| (*tag, *written, text(value))));
        let numbers = |values: &[u16]| values.iter().flat_map(|&value| short(coding, value)).collect::<Vec<_>>();
        elements.extend(self.shorts.iter().map(|(tag, written, values)| (*tag, *written, numbers(values))));
        let item = |content: Vec<u8>| [head(coding, 0xfffe_e000, b"UN", content.len() as u32), content].concat();
        for (tag, values) in &self.tables {
            let content = values.iter().flat_map(|(tag, values)| element(coding, *tag, b"US", &numbers(values)));
            elements.push((*tag, *b"SQ", item(content.collect())));
        }
        for (group, inner, texts) in &self.nested {
            let content =
                texts.iter().flat_map(|(tag, written, value)| element(coding, *tag, written, value.as_bytes()));
            let inner = element(coding, *inner, b"SQ", &item(content.collect()));
            elements.push((*group, *b"SQ", item(inner)));
        }
        elements.sort_by_key(|element| element.0);
        elements.iter().flat_map(|(tag, written, value)| element(coding, *tag, written, value)).collect()
    }

    /// A whole file in a transfer syntax; `code` is one compressed frame each, for syntaxes that have them.
    pub fn file(&self, syntax: &str, code: &[Vec<u8>]) -> Vec<u8> {
        let coding = match syntax {
            IMPLICIT => IMPLICIT_LITTLE,
            BIG => EXPLICIT_BIG,
            _ => EXPLICIT_LITTLE,
        };
        let mut set = self.attributes(coding);
        if code.is_empty() {
            let representation = if self.allocated == 8 { b"OB" } else { b"OW" };
            set.extend(element(coding, 0x7fe0_0010, representation, &self.cells(coding)));
        } else {
            set.extend(head(coding, 0x7fe0_0010, b"OB", u32::MAX));
            for fragment in [Vec::new()].iter().chain(code) {
                set.extend(element(coding, 0xfffe_e000, b"OB", fragment));
            }
            set.extend(head(coding, 0xfffe_e0dd, b"UN", 0));
        }
        if syntax == DEFLATED {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&set).unwrap();
            set = encoder.finish().unwrap();
        }
        let mut file = vec![0; 128];
        file.extend(b"DICM");
        let uid = element(EXPLICIT_LITTLE, 0x0002_0010, b"UI", syntax.as_bytes());
        file.extend(element(EXPLICIT_LITTLE, 0x0002_0000, b"UL", &(uid.len() as u32).to_le_bytes()));
        file.extend(uid);
        file.extend(set);
        file
    }

    /// One frame in RLE (PS3.5 Annex G): literal and repeated runs as an encoder would choose them.
    pub fn rle(&self) -> Vec<u8> {
        let bytes = usize::from(self.allocated / 8);
        let cells = self.cells(EXPLICIT_BIG);
        let mut segments = Vec::new();
        for sample in 0..usize::from(self.samples) {
            for byte in 0..bytes {
                let plane: Vec<u8> = cells
                    .iter()
                    .skip(sample * bytes + byte)
                    .step_by(bytes * usize::from(self.samples))
                    .copied()
                    .collect();
                segments.push(pack(&plane));
            }
        }
        let mut header = vec![segments.len() as u32];
        let mut at = 64;
        for segment in &segments {
            header.push(at);
            at += segment.len() as u32;
        }
        header.resize(16, 0);
        header.into_iter().flat_map(u32::to_le_bytes).chain(segments.concat()).collect()
    }
}

/// PackBits.
fn pack(plane: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut at = 0;
    while at < plane.len() {
        let run = plane[at..].iter().take(128).take_while(|&&byte| byte == plane[at]).count();
        if run >= 3 {
            packed.extend([(257 - run) as u8, plane[at]]);
            at += run;
        } else {
            let rest = &plane[at..plane.len().min(at + 128)];
            let count = rest.windows(3).position(|three| three[0] == three[1] && three[1] == three[2]);
            let count = count.unwrap_or(rest.len()).max(1);
            packed.push(count as u8 - 1);
            packed.extend(&rest[..count]);
            at += count;
        }
    }
    if packed.len() % 2 == 1 {
        packed.push(0);
    }
    packed
}

/// A rough image that compresses badly: `(7y² + 3x² + 11xy) mod 2^bits`, as the fixtures have it.
pub fn rough(rows: i32, columns: i32, bits: u32) -> Vec<i32> {
    let value = |y: i32, x: i32| (7 * y * y + 3 * x * x + 11 * x * y) % (1 << bits);
    (0..rows).flat_map(|y| (0..columns).map(move |x| value(y, x))).collect()
}
