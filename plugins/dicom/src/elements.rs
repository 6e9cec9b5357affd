//! The data elements of a DICOM file (PS3.5 §7), read from a slice whose every length is checked against the file.
//!
//! Values are slices of what was read, so no length that a file declares is ever allocated for.

use crate::bounds;

/// Group and element number in one number.
pub type Tag = u32;

pub const PIXEL_DATA: Tag = 0x7fe0_0010;
const ITEM: Tag = 0xfffe_e000;
const ITEM_END: Tag = 0xfffe_e00d;
const SEQUENCE_END: Tag = 0xfffe_e0dd;
const UNDEFINED: u32 = 0xffff_ffff;
/// Implicit VR leaves the type of a value to a dictionary; readers here know the type of each tag they ask for.
const UNKNOWN: [u8; 2] = *b"UN";

/// Byte order and whether value representations are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding {
    pub big_endian: bool,
    pub explicit: bool,
}

pub const IMPLICIT_LITTLE: Coding = Coding { big_endian: false, explicit: false };
pub const EXPLICIT_LITTLE: Coding = Coding { big_endian: false, explicit: true };
pub const EXPLICIT_BIG: Coding = Coding { big_endian: true, explicit: true };

impl Coding {
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// Why elements could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The slice ends within the file's bounds: more of the file must be read.
    Incomplete,
    /// The file is wrong.
    Damaged(String),
}

/// One value, or the items of a sequence.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    Bytes(&'a [u8]),
    Items(Vec<Elements<'a>>),
}

#[derive(Debug, Clone)]
struct Element<'a> {
    tag: Tag,
    representation: [u8; 2],
    value: Value<'a>,
}

/// Where the pixels stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pixels {
    /// Of the value, or of the first item when encapsulated; from the file's start.
    pub offset: u64,
    /// None: encapsulated in fragments.
    pub length: Option<u64>,
    /// Of the value representation `OW` and its like, which matters for big endian.
    pub representation: [u8; 2],
}

/// The elements of a data set or an item that anything here asks for.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    elements: Vec<Element<'a>>,
    pub coding: Coding,
}

impl<'a> Elements<'a> {
    fn find(&self, tag: Tag) -> Option<&Element<'a>> {
        self.elements.iter().find(|element| element.tag == tag)
    }

    /// The bytes of a value, none when it is empty.
    pub fn bytes(&self, tag: Tag) -> Option<&'a [u8]> {
        match self.find(tag)?.value {
            Value::Bytes(bytes) if !bytes.is_empty() => Some(bytes),
            _ => None,
        }
    }

    /// The value representation as the file writes it; none with implicit VR.
    pub fn representation(&self, tag: Tag) -> Option<[u8; 2]> {
        self.find(tag).map(|element| element.representation).filter(|&written| written != UNKNOWN)
    }

    /// The items of a sequence.
    pub fn items(&self, tag: Tag) -> &[Elements<'a>] {
        match self.find(tag).map(|element| &element.value) {
            Some(Value::Items(items)) => items,
            _ => &[],
        }
    }

    /// Trimmed text. Bytes that are not UTF-8 are read as Latin-1, so that different bytes stay different text.
    pub fn text(&self, tag: Tag) -> Option<String> {
        let bytes = self.bytes(tag)?;
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        };
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Numbers written as decimal strings.
    pub fn decimals(&self, tag: Tag) -> Result<Vec<f64>, String> {
        let Some(text) = self.text(tag) else { return Ok(Vec::new()) };
        let number = |part: &str| {
            let part = part.trim_matches(|c: char| c == '\0' || c.is_whitespace());
            part.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| {
                let (group, element) = (tag >> 16, tag & 0xffff);
                format!("({group:04x},{element:04x}) is `{}`, expected a number", shortened(part))
            })
        };
        text.split('\\').map(number).collect()
    }

    /// 16-bit numbers.
    pub fn shorts(&self, tag: Tag) -> Option<Vec<u16>> {
        Some(self.bytes(tag)?.chunks_exact(2).map(|pair| self.coding.u16([pair[0], pair[1]])).collect())
    }

    /// The first 16-bit number.
    pub fn short(&self, tag: Tag) -> Option<u16> {
        let &[first, second, ..] = self.bytes(tag)? else { return None };
        Some(self.coding.u16([first, second]))
    }
}

/// At most 40 characters of a value that goes into a message.
fn shortened(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Reads the elements that `wanted` names, up to the pixels. `bytes` is the file from `start` on, as far as it was read;
/// `total` is where the data ends.
pub fn read<'a>(
    bytes: &'a [u8],
    start: u64,
    total: u64,
    coding: Coding,
    wanted: &dyn Fn(Tag) -> bool,
) -> Result<(Elements<'a>, Option<Pixels>), Fault> {
    let end = total.saturating_sub(start);
    let mut reader = Reader { bytes, at: 0, start, end, coding, wanted, kept: 0 };
    let mut elements = Vec::new();
    let mut pixels = None;
    while reader.at < reader.end {
        // Some writers fill the end with zeros.
        if reader.end - reader.at < 8 {
            break;
        }
        let head = reader.head()?;
        if head.tag == PIXEL_DATA {
            let offset = start + reader.at;
            let length = (head.length != UNDEFINED).then_some(u64::from(head.length));
            if length.is_some_and(|length| length > reader.end - reader.at) {
                return Err(reader.beyond(head, reader.end - reader.at));
            }
            pixels = Some(Pixels { offset, length, representation: head.representation });
            break;
        }
        if let Some(element) = reader.value(head, reader.end, 0)? {
            elements.push(element);
        }
    }
    Ok((Elements { elements, coding }, pixels))
}

/// Reads the file meta group that starts at the beginning of `bytes`; answers it and its length.
pub fn read_meta(bytes: &[u8], total: u64) -> Result<(Elements<'_>, u64), Fault> {
    let mut reader =
        Reader { bytes, at: 0, start: 132, end: total, coding: EXPLICIT_LITTLE, wanted: &|_| true, kept: 0 };
    let mut elements = Vec::new();
    while reader.end - reader.at >= 8 {
        let before = reader.at;
        let group = reader.peek_group()?;
        if group != 2 {
            return Ok((Elements { elements, coding: EXPLICIT_LITTLE }, before));
        }
        let head = reader.head()?;
        elements.extend(reader.value(head, reader.end, 0)?);
    }
    Ok((Elements { elements, coding: EXPLICIT_LITTLE }, reader.at))
}

#[derive(Debug, Clone, Copy)]
struct Head {
    tag: Tag,
    representation: [u8; 2],
    length: u32,
}

struct Reader<'a, 'w> {
    bytes: &'a [u8],
    /// From `bytes`' beginning, as is `end`.
    at: u64,
    start: u64,
    end: u64,
    coding: Coding,
    wanted: &'w dyn Fn(Tag) -> bool,
    /// Elements and items so far.
    kept: usize,
}

impl<'a> Reader<'a, '_> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.end);
        let Some(end) = end else {
            return Err(Fault::Damaged(format!("ends within an element at byte {}", self.start + self.at)));
        };
        let slice = usize::try_from(end).ok().and_then(|end| self.bytes.get(self.at as usize..end));
        let slice = slice.ok_or(Fault::Incomplete)?;
        self.at = end;
        Ok(slice)
    }

    fn short(&mut self) -> Result<u16, Fault> {
        let bytes = self.take(2)?;
        Ok(self.coding.u16([bytes[0], bytes[1]]))
    }

    fn long(&mut self) -> Result<u32, Fault> {
        let bytes = self.take(4)?;
        Ok(self.coding.u32([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn peek_group(&mut self) -> Result<u16, Fault> {
        let group = self.short()?;
        self.at -= 2;
        Ok(group)
    }

    fn head(&mut self) -> Result<Head, Fault> {
        let tag = u32::from(self.short()?) << 16 | u32::from(self.short()?);
        if !self.coding.explicit || tag >> 16 == 0xfffe {
            return Ok(Head { tag, representation: UNKNOWN, length: self.long()? });
        }
        let written = self.take(2)?;
        let representation = [written[0], written[1]];
        if !representation.iter().all(u8::is_ascii_uppercase) {
            let (at, group, element) = (self.start + self.at - 6, tag >> 16, tag & 0xffff);
            let message = format!("({group:04x},{element:04x}) at byte {at} has no value representation");
            return Err(Fault::Damaged(message));
        }
        const SHORT: [&[u8; 2]; 19] = [
            b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL",
            b"SS", b"ST", b"TM", b"UI",
        ];
        let is_short = SHORT.contains(&&representation) || matches!(&representation, b"UL" | b"US");
        let length = if is_short {
            u32::from(self.short()?)
        } else {
            self.take(2)?;
            self.long()?
        };
        Ok(Head { tag, representation, length })
    }

    fn beyond(&self, head: Head, left: u64) -> Fault {
        let (group, element) = (head.tag >> 16, head.tag & 0xffff);
        Fault::Damaged(format!(
            "({group:04x},{element:04x}) declares {} bytes at byte {}, but {left} are left",
            head.length,
            self.start + self.at
        ))
    }

    /// The value behind `head`, which must end before `end`; none when nobody wants it.
    fn value(&mut self, head: Head, end: u64, depth: usize) -> Result<Option<Element<'a>>, Fault> {
        let wanted = (self.wanted)(head.tag);
        self.kept += usize::from(wanted);
        if self.kept > bounds::ELEMENTS {
            return Err(Fault::Damaged(format!("the header has more than {} elements", bounds::ELEMENTS)));
        }
        let is_sequence = &head.representation == b"SQ" || head.length == UNDEFINED;
        if head.length != UNDEFINED {
            let left = end.saturating_sub(self.at);
            if u64::from(head.length) > left {
                return Err(self.beyond(head, left));
            }
            // With implicit VR a sequence is known by its first item.
            let is_sequence =
                wanted && (is_sequence || (!self.coding.explicit && head.length >= 8 && self.starts_with_item()?));
            if !is_sequence {
                let bytes = self.take(u64::from(head.length))?;
                let (tag, representation) = (head.tag, head.representation);
                return Ok(wanted.then_some(Element { tag, representation, value: Value::Bytes(bytes) }));
            }
        }
        let items = self.items(head, end, depth)?;
        let (tag, representation) = (head.tag, head.representation);
        Ok(wanted.then_some(Element { tag, representation, value: Value::Items(items) }))
    }

    fn starts_with_item(&mut self) -> Result<bool, Fault> {
        let before = self.at;
        let tag = u32::from(self.short()?) << 16 | u32::from(self.short()?);
        self.at = before;
        Ok(tag == ITEM)
    }

    fn items(&mut self, head: Head, end: u64, depth: usize) -> Result<Vec<Elements<'a>>, Fault> {
        if depth >= bounds::DEPTH {
            return Err(Fault::Damaged(format!("sequences are nested more than {} deep", bounds::DEPTH)));
        }
        let outer = self.coding;
        // A sequence of unknown representation is written with implicit VR (PS3.5 §6.2.2).
        if self.coding.explicit && &head.representation == b"UN" {
            self.coding.explicit = false;
        }
        let end = if head.length == UNDEFINED { end } else { self.at + u64::from(head.length) };
        let mut items = Vec::new();
        while self.at < end {
            let item = self.head()?;
            match item.tag {
                SEQUENCE_END if head.length == UNDEFINED => break,
                ITEM => {
                    let item = self.item(item, end, depth)?;
                    // Items that nobody asks for are only walked through.
                    if (self.wanted)(head.tag) {
                        self.kept += 1;
                        items.push(item);
                    }
                }
                other => {
                    let (group, element, at) = (other >> 16, other & 0xffff, self.start + self.at);
                    let message = format!("({group:04x},{element:04x}) before byte {at}, expected an item");
                    return Err(Fault::Damaged(message));
                }
            }
        }
        self.coding = outer;
        Ok(items)
    }

    fn item(&mut self, item: Head, end: u64, depth: usize) -> Result<Elements<'a>, Fault> {
        let is_undefined = item.length == UNDEFINED;
        if !is_undefined && u64::from(item.length) > end.saturating_sub(self.at) {
            return Err(self.beyond(item, end.saturating_sub(self.at)));
        }
        let end = if is_undefined { end } else { self.at + u64::from(item.length) };
        let mut elements = Vec::new();
        while self.at < end {
            let head = self.head()?;
            if head.tag == ITEM_END && is_undefined {
                break;
            }
            elements.extend(self.value(head, end, depth + 1)?);
        }
        Ok(Elements { elements, coding: self.coding })
    }
}
