//! What a JPEG 2000 codestream (ISO/IEC 15444-1 Annex A) will make its decoder allocate, found out before it runs.
//!
//! A decoder keeps a record for each tile, precinct, code-block and packet, and some hundred bytes of headers can ask for
//! hundreds of millions of them. So all headers are walked, those of the tile-parts too, and only segments that are known
//! here are let through: nothing is read by the decoder that was not read here.

use crate::bounds;

const CODESTREAM: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
/// The signature box that begins a JP2 file (Annex I.5.1).
const WRAPPER: [u8; 8] = [0, 0, 0, 12, b'j', b'P', b' ', b' '];

const COD: u8 = 0x52;
const COC: u8 = 0x53;
const SOT: u8 = 0x90;
const SOD: u8 = 0x93;
/// CAP and CPF, which name the high-throughput block coder (ISO/IEC 15444-15), and TLM, PLM, QCD, QCC, RGN, POC, PPM, CRG and
/// COM; they cost no more than they are long.
const IN_MAIN_HEADER: [u8; 11] = [0x50, 0x59, 0x55, 0x57, 0x5c, 0x5d, 0x5e, 0x5f, 0x60, 0x63, 0x64];
/// PLT, QCD, QCC, RGN, POC, PPT and COM.
const IN_TILE_HEADER: [u8; 7] = [0x58, 0x5c, 0x5d, 0x5e, 0x5f, 0x61, 0x64];

/// The codestream in a frame's code: all of it, or the one that a JP2 file wraps, which DICOM does not ask for (PS3.5
/// §A.4.4) but some writers leave in.
pub fn unwrapped(code: &[u8]) -> Option<&[u8]> {
    let mut rest = code;
    while rest.starts_with(&WRAPPER) || rest.len() < code.len() {
        let (length, kind, short) = (number(rest, 0)?, rest.get(4..8)?, rest.get(8..)?);
        let (content, end) = match length {
            0 => (short, rest.len()),
            1 if number(rest, 8)? == 0 => (rest.get(16..)?, number(rest, 12)? as usize),
            _ => (short, length as usize),
        };
        let header = rest.len() - content.len();
        if kind == b"jp2c" {
            return content.get(..end.checked_sub(header)?).filter(|code| code.starts_with(&CODESTREAM));
        }
        rest = rest.get(end.max(header)..)?;
    }
    code.starts_with(&CODESTREAM).then_some(code)
}

/// Whether the beginning of a codestream says that its first three components were transformed from colours (§A.6.1, G.2),
/// which its decoder undoes.
pub fn transforms_colours(code: &[u8]) -> bool {
    let mut at = 2;
    // The code of a wrapped stream, whose boxes may be longer than what is there, begins where SIZ does.
    let code = code.windows(4).position(|four| four == CODESTREAM).map_or(&[][..], |begin| &code[begin..]);
    while let Some([0xff, marker, high, low, body @ ..]) = code.get(at..) {
        match (*marker, body) {
            (COD, [_, _, _, _, transformation, ..]) => return *transformation == 1,
            (SOT, _) => return false,
            _ => at += 2 + usize::from(u16::from_be_bytes([*high, *low])),
        }
    }
    false
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

fn pair(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// A codestream whose SIZ segment was read.
pub struct Codestream<'c> {
    code: &'c [u8],
    pub height: usize,
    pub width: usize,
    pub components: usize,
    /// Where each column of tiles begins and ends, then each row.
    columns: Vec<(u64, u64)>,
    rows: Vec<(u64, u64)>,
    /// Where the segments behind SIZ begin.
    at: usize,
}

/// The most that any of a stream's segments asks for.
struct Most {
    /// Segments that say how samples are divided.
    styles: usize,
    layers: u64,
    /// Of all tiles and components.
    precincts: u64,
    /// Places for the packets of one layer of one tile, as decoders count them: components × resolutions × the precincts
    /// of the resolution that has most.
    places: u64,
}

impl<'c> Codestream<'c> {
    /// Reads the SIZ segment (§A.5.1).
    ///
    /// # Errors
    /// It is damaged, or asks for more tiles than the bounds allow.
    pub fn new(code: &'c [u8]) -> Result<Self, String> {
        let cut = "has JPEG 2000 code without a size";
        let length = usize::from(pair(code, 4).ok_or(cut)?);
        let body = code.get(6..4 + length).ok_or(cut)?;
        let field = |index: usize| number(body, 2 + 4 * index).map(u64::from).ok_or(cut);
        let (right, bottom, left, top) = (field(0)?, field(1)?, field(2)?, field(3)?);
        let columns = tiles(left, right, field(6)?, field(4)?);
        let rows = tiles(top, bottom, field(7)?, field(5)?);
        let (columns, rows) =
            columns
                .zip(rows)
                .filter(|(columns, rows)| columns.len() * rows.len() <= bounds::TILES)
                .ok_or_else(|| format!("has JPEG 2000 code without tiles, or of more than {}", bounds::TILES))?;
        let components = usize::from(pair(body, 34).ok_or(cut)?);
        let steps = body.get(36..).filter(|rest| rest.len() == 3 * components).ok_or(cut)?;
        if steps.chunks(3).any(|component| component[1..] != [1, 1]) {
            return Err("has JPEG 2000 code whose components have sizes of their own".into());
        }
        let (height, width) = ((bottom - top) as usize, (right - left) as usize);
        Ok(Self { code, height, width, components, columns, rows, at: 4 + length })
    }

    /// Walks all headers.
    ///
    /// # Errors
    /// A segment that is not read, a length that cannot be, or more precincts, code-blocks or packets than the bounds
    /// allow.
    pub fn check(&self) -> Result<(), String> {
        let mut most = Most { styles: 0, layers: 1, precincts: 0, places: 0 };
        let mut at = self.segments(self.at, self.code.len(), &IN_MAIN_HEADER, SOT, &mut most)?;
        while let Some([0xff, SOT, 0, 10, rest @ ..]) = self.code.get(at..) {
            let length = number(rest, 2).ok_or("has JPEG 2000 code that ends in a header")? as usize;
            // The last tile-part may leave its length to the stream's; a cut one is decoded as far as it goes.
            let end = if length == 0 { self.code.len() } else { self.code.len().min(at + length) };
            self.segments(at + 12, end, &IN_TILE_HEADER, SOD, &mut most)?;
            at = end;
        }
        Ok(())
    }

    /// Passes the segments from `at` on and returns where the marker `last` stands, before `end`.
    fn segments(&self, mut at: usize, end: usize, known: &[u8], last: u8, most: &mut Most) -> Result<usize, String> {
        loop {
            let header = self.code.get(at..end).unwrap_or_default();
            match header {
                [0xff, marker, ..] if *marker == last => return Ok(at),
                [0xff, marker, high, low, ..] if known.contains(marker) || matches!(*marker, COD | COC) => {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    let body = header.get(4..2 + length).ok_or("has JPEG 2000 code that ends in a header")?;
                    match (*marker, body) {
                        (COD, [style, _, top, bottom, _, rest @ ..]) => {
                            most.layers = most.layers.max(u16::from_be_bytes([*top, *bottom]).into());
                            self.style(style & 1 == 1, rest, most)?;
                        }
                        // The component's number is one byte long where there are fewer than 257.
                        (COC, [_, style, rest @ ..]) => self.style(style & 1 == 1, rest, most)?,
                        (COD | COC, _) => return Err("has JPEG 2000 code that ends in a header".into()),
                        _ => {}
                    }
                    at += 2 + length;
                }
                [0xff, marker, ..] => {
                    return Err(format!("has JPEG 2000 code with the segment ff{marker:02x}, which is not read"));
                }
                _ => return Err("has JPEG 2000 code that ends in a header".into()),
            }
        }
    }

    /// Counts what a coding style (§A.6.1) divides the samples into, as if it were that of all tiles and components.
    fn style(&self, has_precincts: bool, style: &[u8], most: &mut Most) -> Result<(), String> {
        let &[levels @ 0..=32, width @ 0..=8, height @ 0..=8, _, _, ref sizes @ ..] = style else {
            return Err("has JPEG 2000 code with a coding style that cannot be".into());
        };
        most.styles += 1;
        if most.styles > bounds::STYLES {
            return Err(format!("has JPEG 2000 code with more than {} coding styles", bounds::STYLES));
        }
        let (mut precincts, mut blocks, mut largest) = (0, 0, 0);
        for resolution in 0..=levels {
            let size = if has_precincts { sizes.get(usize::from(resolution)).copied() } else { Some(0xff) };
            let size = size.ok_or("has JPEG 2000 code that ends in a header")?;
            let along = |tiles, exponent: u8| cells(tiles, levels - resolution, exponent);
            let (columns, rows) = (along(&self.columns, size & 15), along(&self.rows, size >> 4));
            precincts += columns.0 * rows.0;
            largest = largest.max(columns.1 * rows.1);
            // The lowest resolution is one band; each other one is three, of half its width and height. A block of a
            // band ends where its precinct does.
            let (bands, half) = if resolution == 0 { (1, 0) } else { (3, 1) };
            let columns = along(&self.columns, (size & 15).min(width + 2 + half));
            let rows = along(&self.rows, (size >> 4).min(height + 2 + half));
            blocks += bands * columns.0 * rows.0;
        }
        let components = self.components as u64;
        let samples = (self.height * self.width * self.components) as u64;
        let allowed = bounds::FREE_BLOCKS + samples / bounds::SAMPLES_PER_BLOCK;
        if blocks * components > allowed {
            return Err(format!("has JPEG 2000 code in {} blocks; at most {allowed} are read", blocks * components));
        }
        most.precincts = most.precincts.max(precincts * components);
        most.places = most.places.max(largest * components * u64::from(levels + 1));
        let packets = most.layers * most.precincts.max(most.places);
        if packets > bounds::PACKETS {
            return Err(format!("has JPEG 2000 code of {packets} packets; at most {} are read", bounds::PACKETS));
        }
        Ok(())
    }
}

/// Where the tiles of a size that are counted from `origin` begin and end between `begin` and `end`; none when there are
/// none, or too many.
fn tiles(begin: u64, end: u64, origin: u64, size: u64) -> Option<Vec<(u64, u64)>> {
    if begin >= end || origin > begin || origin + size <= begin || (end - origin).div_ceil(size) > bounds::TILES as u64
    {
        return None;
    }
    let count = (end - origin).div_ceil(size);
    Some((0..count).map(|tile| ((origin + tile * size).max(begin), (origin + (tile + 1) * size).min(end))).collect())
}

/// How many cells of 2^`exponent` samples the tiles have along one side after some halvings: all of them together, and
/// the one with most.
fn cells(tiles: &[(u64, u64)], halvings: u8, exponent: u8) -> (u64, u64) {
    let count = |&(begin, end): &(u64, u64)| {
        let (begin, end) = (begin.div_ceil(1 << halvings), end.div_ceil(1 << halvings));
        if begin < end { end.div_ceil(1 << exponent) - (begin >> exponent) } else { 0 }
    };
    tiles.iter().map(count).fold((0, 0), |(sum, most), count| (sum + count, most.max(count)))
}
