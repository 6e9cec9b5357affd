//! A DICOM file as a stream of bytes with its file meta information (PS3.10 §7.1) read.

use crate::attributes::Attributes;
use crate::bounds;
use crate::coding::{Coding, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Pixels};
use crate::frame;
use crate::guard::{self, Fault, Walked};
use dicom_core::header::DataElementHeader;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::EXPLICIT_VR_BIG_ENDIAN;
use flate2::read::DeflateDecoder;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What is read of a file at first; most headers fit.
const FIRST: u64 = 16 << 10;

/// Why a file yields no header.
#[derive(Debug)]
pub enum Refusal {
    /// Nothing in it speaks of DICOM.
    NotDicom,
    /// It could not be read, or is damaged.
    Failed(String),
}

impl Refusal {
    /// As the end of a sentence that begins with the file's name.
    pub fn why(self) -> String {
        match self {
            Refusal::NotDicom => "is not a DICOM file".into(),
            Refusal::Failed(why) => why,
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Refusal::Failed(error.to_string())
    }
}

/// Where a source's bytes are.
enum Bytes {
    File(File),
    Inflated(Vec<u8>),
}

/// The bytes that a data set's offsets refer to.
pub struct Source {
    bytes: Bytes,
    /// Where the bytes end.
    pub total: u64,
    /// UID of the transfer syntax; empty in a file without meta information.
    pub syntax: String,
    pub coding: Coding,
    /// Whether the data set is not written as its transfer syntax says.
    pub is_otherwise: bool,
    /// Where the data set begins.
    start: u64,
}

/// What was read of a data set.
pub struct Elements {
    /// The elements that were asked for.
    pub object: InMemDicomObject,
    pub pixels: Option<Pixels>,
    /// Whether some of them are written otherwise than the data set.
    pub is_mixed: bool,
    /// A character set that is not known.
    pub unknown_characters: Option<String>,
}

impl Source {
    /// Opens a file and finds out how it is written.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        // Opening a pipe would wait for its writer.
        if !path.metadata()?.is_file() {
            return Err(Refusal::Failed("is not a regular file".into()));
        }
        let file = File::open(path)?;
        let total = file.metadata()?.len();
        let mut head = vec![0; total.min(140) as usize];
        file.read_exact_at(&mut head, 0)?;
        let mut source = Self {
            bytes: Bytes::File(file),
            total,
            syntax: String::new(),
            coding: EXPLICIT_LITTLE,
            is_otherwise: false,
            start: 0,
        };
        source.start = match &head[..] {
            head if head.get(128..132) == Some(b"DICM") => 132,
            [b'D', b'I', b'C', b'M', ..] => 4,
            // The preamble was left out.
            [2, 0, _, 0, first, second, ..] if first.is_ascii_uppercase() && second.is_ascii_uppercase() => 0,
            _ => {
                // A preamble may lack its magic word, with and without the place of it.
                let mut places = [0, 128, 132].into_iter();
                let found =
                    guard::caught(|| Ok(places.find_map(|start| source.bare(start, head.get(start as usize..)?))));
                found.map_err(Refusal::Failed)?.ok_or(Refusal::NotDicom)?;
                return Ok(source);
            }
        };
        guard::caught(|| source.meta()).map_err(Refusal::Failed)?;
        if source.syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN && !source.is_plain() {
            source.inflate().map_err(Refusal::Failed)?;
        }
        let stated = source.coding;
        source.coding = source.as_written();
        source.is_otherwise |= source.syntax.is_empty() || source.coding != stated;
        Ok(source)
    }

    /// Whether a data set that should be deflated is not.
    fn is_plain(&mut self) -> bool {
        let head = self.read(self.start, 8).unwrap_or_default();
        self.is_otherwise = identifying(&head).is_some();
        self.is_otherwise
    }

    /// How the data set's first element is written.
    fn as_written(&self) -> Coding {
        let head = self.read(self.start, 6).unwrap_or_default();
        let &[low, high, _, _, first, second] = &head[..] else { return self.coding };
        let is_explicit = VR::from_binary([first, second]).is_some()
            || (self.coding.explicit && first.is_ascii_uppercase() && second.is_ascii_uppercase());
        match (is_explicit, low == 0 && high != 0) {
            (true, big_endian) => Coding { explicit: true, big_endian },
            (false, false) => IMPLICIT_LITTLE,
            (false, true) => self.coding,
        }
    }

    /// Replaces a deflated data set.
    fn inflate(&mut self) -> Result<(), String> {
        // zlib's header before the deflated bytes (RFC 1950), which does not belong there.
        if matches!(self.read(self.start, 2)?[..], [0x78, flags] if (0x7800 | u16::from(flags)) % 31 == 0) {
            self.start += 2;
        }
        let Bytes::File(file) = &self.bytes else { return Ok(()) };
        let inflater = || {
            let mut file = file;
            file.seek(SeekFrom::Start(self.start))?;
            Ok(DeflateDecoder::new(file).take(bounds::INFLATED + 1))
        };
        let damaged = |error: io::Error| format!("the deflated data set is damaged: {error}");
        // It is counted first, because a buffer that grows takes up to three times the bytes.
        let total = inflater().and_then(|mut bytes| io::copy(&mut bytes, &mut io::sink())).map_err(damaged)?;
        if total > bounds::INFLATED {
            return Err(format!("inflates to more than {} MiB", bounds::INFLATED >> 20));
        }
        let mut inflated = vec![0; total as usize];
        inflater().and_then(|mut bytes| bytes.read_exact(&mut inflated)).map_err(damaged)?;
        (self.bytes, self.total, self.start) = (Bytes::Inflated(inflated), total, 0);
        Ok(())
    }

    /// Reads the file meta information: the transfer syntax and where the data set begins.
    fn meta(&mut self) -> Result<(), String> {
        let is_syntax = |tag| tag == tags::TRANSFER_SYNTAX_UID;
        let walked = self.walk(self.start, EXPLICIT_LITTLE, is_syntax, |tag| tag.group() != 2)?;
        let object = parse(&walked, EXPLICIT_LITTLE)?;
        let syntax = Attributes::new(&object, true).text(tags::TRANSFER_SYNTAX_UID)?;
        self.syntax = syntax.unwrap_or_default();
        self.start = walked.end;
        self.coding = match self.syntax.as_str() {
            uids::IMPLICIT_VR_LITTLE_ENDIAN => IMPLICIT_LITTLE,
            syntax if syntax == EXPLICIT_VR_BIG_ENDIAN.uid() => EXPLICIT_BIG,
            _ => EXPLICIT_LITTLE,
        };
        Ok(())
    }

    /// Finds out how a data set without meta information is written, by its first elements, those of
    /// group 0008; none when it is none.
    fn bare(&mut self, start: u64, head: &[u8]) -> Option<()> {
        let coding = identifying(head)?;
        let walked = self.walk(start, coding, |_| false, |tag| tag.group() != 8).ok()?;
        self.start = start;
        self.coding = coding;
        walked.last.is_none_or(|(next, _)| next.tag.group() > 8).then_some(())
    }

    /// The elements of the data set that `is_wanted`, and the place of the pixels. What stands behind the pixels is read
    /// only where something that an image cannot do without does not stand before them.
    ///
    /// # Errors
    /// A header that is damaged, or beyond the bounds.
    pub fn elements(
        &self,
        is_wanted: impl Fn(Tag) -> bool,
        is_pixels: impl Fn(Tag) -> bool,
    ) -> Result<Elements, String> {
        const NEEDED: [Tag; 4] = [tags::PHOTOMETRIC_INTERPRETATION, tags::ROWS, tags::COLUMNS, tags::BITS_ALLOCATED];
        let walked = self.walk(self.start, self.coding, &is_wanted, &is_pixels)?;
        let pixels = walked.last.map(|last| self.pixels(last)).transpose()?;
        let mut object = parse(&walked, self.coding)?;
        let lacks = |object: &InMemDicomObject| NEEDED.iter().any(|&tag| object.get(tag).is_none());
        if let Some(end) = pixels.filter(|_| lacks(&object)).and_then(|pixels| frame::end(self, pixels).ok()) {
            // Anything may stand behind the last element.
            let behind =
                self.walk(end, self.coding, &is_wanted, |_| false).and_then(|walked| parse(&walked, self.coding));
            behind.into_iter().flatten().for_each(|element| drop(object.put(element)));
        }
        let Walked { is_mixed, unknown_characters, .. } = walked;
        Ok(Elements { object, pixels, is_mixed, unknown_characters })
    }

    fn pixels(&self, (header, offset): (DataElementHeader, u64)) -> Result<Pixels, String> {
        let length = header.len.get().map(u64::from);
        let left = self.total - offset;
        match length.filter(|&length| length > left) {
            None => Ok(Pixels { tag: header.tag, offset, length, representation: header.vr }),
            Some(length) => {
                let tag = guard::shown(header.tag);
                Err(format!("{tag} declares {length} bytes at byte {offset}, but {left} are left"))
            }
        }
    }

    /// Walks a data set, reading as much of the file as that takes.
    fn walk(
        &self,
        start: u64,
        coding: Coding,
        is_wanted: impl Fn(Tag) -> bool,
        is_last: impl Fn(Tag) -> bool,
    ) -> Result<Walked, String> {
        let mut length = FIRST;
        loop {
            let bytes = self.read(start, length.min(self.total - start))?;
            match guard::walk(&bytes, start, self.total, coding, &is_wanted, &is_last) {
                Ok(walked) => return Ok(walked),
                Err(Fault::Damaged(why)) => return Err(why),
                Err(Fault::Incomplete) if length >= bounds::HEADER => {
                    return Err(format!("the header is larger than {} MiB", bounds::HEADER >> 20));
                }
                Err(Fault::Incomplete) => length = (length * 8).min(bounds::HEADER),
            }
        }
    }

    /// Reads `length` bytes at `offset`.
    pub fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        let Some(end) = offset.checked_add(length).filter(|&end| end <= self.total) else {
            return Err(format!("{length} bytes at byte {offset} are beyond the end ({} bytes)", self.total));
        };
        match &self.bytes {
            Bytes::Inflated(bytes) => Ok(bytes[offset as usize..end as usize].to_vec()),
            Bytes::File(file) => {
                let mut bytes = vec![0; length as usize];
                file.read_exact_at(&mut bytes, offset).map_err(|error| error.to_string())?;
                Ok(bytes)
            }
        }
    }
}

/// How a data set is written that begins with an identifying element, as those do that begin a file; none of other bytes.
fn identifying(head: &[u8]) -> Option<Coding> {
    let &[a, b, c, d, e, f, g, h, ..] = head else { return None };
    let is_named = e.is_ascii_uppercase() && f.is_ascii_uppercase();
    let (coding, element) = match (a, b) {
        (8, 0) => (if is_named { EXPLICIT_LITTLE } else { IMPLICIT_LITTLE }, u16::from_le_bytes([c, d])),
        (0, 8) if is_named => (EXPLICIT_BIG, u16::from_be_bytes([c, d])),
        _ => return None,
    };
    // They are short.
    let length = u32::from_le_bytes([e, f, g, h]);
    (element <= 0x0100 && (coding != IMPLICIT_LITTLE || length <= 1024)).then_some(coding)
}

/// Reads what a walk kept.
fn parse(walked: &Walked, coding: Coding) -> Result<InMemDicomObject, String> {
    InMemDicomObject::read_dataset_with_ts(&walked.kept[..], &coding.syntax())
        .map_err(|error| format!("has a damaged header: {}", chain(&error)))
}

/// An error and its causes.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
