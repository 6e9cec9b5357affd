//! A DICOM file as a stream of bytes with its file meta information (PS3.10 §7.1) read.

use crate::bounds;
use crate::elements::{self, Coding, EXPLICIT_BIG, EXPLICIT_LITTLE, Elements, Fault, IMPLICIT_LITTLE, Pixels, Tag};
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// What is read of a file at first; most headers fit.
const FIRST: u64 = 16 << 10;
const SYNTAX: Tag = 0x0002_0010;

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

trait Stream: Read + Seek + Send {}
impl<T: Read + Seek + Send> Stream for T {}

/// The bytes that a data set's offsets refer to.
pub struct Source {
    stream: Box<dyn Stream>,
    /// Where the bytes end.
    pub total: u64,
    /// UID of the transfer syntax; empty in a file without meta information.
    pub syntax: String,
    pub coding: Coding,
    /// Where the data set begins.
    start: u64,
}

impl Source {
    /// Opens a file and finds out how it is written.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let mut file = File::open(path)?;
        let total = file.metadata()?.len();
        let mut head = vec![0; total.min(132) as usize];
        file.read_exact(&mut head)?;
        if head.get(128..132) != Some(b"DICM") {
            return Self::bare(file, total, &head);
        }
        let (syntax, start) = meta(&mut file, total).map_err(Refusal::Failed)?;
        let coding = match syntax.as_str() {
            "1.2.840.10008.1.2" => IMPLICIT_LITTLE,
            "1.2.840.10008.1.2.2" => EXPLICIT_BIG,
            _ => EXPLICIT_LITTLE,
        };
        if syntax != DEFLATED {
            return Ok(Self { stream: Box::new(file), total, syntax, coding, start });
        }
        file.seek(SeekFrom::Start(start))?;
        let mut inflated = Vec::new();
        // The decoder's own buffer is small; the sum is bounded by `take`.
        let count = DeflateDecoder::new(file)
            .take(bounds::INFLATED + 1)
            .read_to_end(&mut inflated)
            .map_err(|error| Refusal::Failed(format!("the deflated data set is damaged: {error}")))?;
        if count as u64 > bounds::INFLATED {
            let message = format!("inflates to more than {} MiB", bounds::INFLATED >> 20);
            return Err(Refusal::Failed(message));
        }
        let total = inflated.len() as u64;
        Ok(Self { stream: Box::new(Cursor::new(inflated)), total, syntax, coding, start: 0 })
    }

    /// A data set without preamble and meta information, known by its first element.
    fn bare(file: File, total: u64, head: &[u8]) -> Result<Self, Refusal> {
        let &[a, b, c, d, e, f, g, h, ..] = head else { return Err(Refusal::NotDicom) };
        let is_named = e.is_ascii_uppercase() && f.is_ascii_uppercase();
        let (coding, group) = match (a, b) {
            (8, 0) => (if is_named { EXPLICIT_LITTLE } else { IMPLICIT_LITTLE }, u16::from_le_bytes([c, d])),
            (0, 8) if is_named => (EXPLICIT_BIG, u16::from_be_bytes([c, d])),
            _ => return Err(Refusal::NotDicom),
        };
        // Identifying elements come first, and they are short.
        let length = u32::from_le_bytes([e, f, g, h]);
        if group > 0x0100 || (coding == IMPLICIT_LITTLE && length > 1024) {
            return Err(Refusal::NotDicom);
        }
        Ok(Self { stream: Box::new(file), total, syntax: String::new(), coding, start: 0 })
    }

    /// Reads the elements that `wanted` names and hands them to `then`, with the place of the pixels.
    pub fn header<T>(
        &mut self,
        wanted: &dyn Fn(Tag) -> bool,
        then: impl FnOnce(&Elements<'_>, Option<Pixels>) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut length = FIRST;
        loop {
            let bytes = self.read(self.start, length.min(self.total - self.start))?;
            match elements::read(&bytes, self.start, self.total, self.coding, wanted) {
                Ok((elements, pixels)) => return then(&elements, pixels),
                Err(Fault::Damaged(why)) => return Err(why),
                Err(Fault::Incomplete) if length >= bounds::HEADER => {
                    return Err(format!("the header is larger than {} MiB", bounds::HEADER >> 20));
                }
                Err(Fault::Incomplete) => length = (length * 8).min(bounds::HEADER),
            }
        }
    }

    /// Reads `length` bytes at `offset`; both were checked against [`Source::total`].
    pub fn read(&mut self, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        let is_within = offset.checked_add(length).is_some_and(|end| end <= self.total);
        if !is_within {
            return Err(format!("{length} bytes at byte {offset} are beyond the end ({} bytes)", self.total));
        }
        let wrong = |error: io::Error| error.to_string();
        self.stream.seek(SeekFrom::Start(offset)).map_err(wrong)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|error| error.to_string())?];
        self.stream.read_exact(&mut bytes).map_err(wrong)?;
        Ok(bytes)
    }
}

/// The transfer syntax and where the data set begins.
fn meta(file: &mut File, total: u64) -> Result<(String, u64), String> {
    let mut length = FIRST;
    loop {
        file.seek(SeekFrom::Start(132)).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        match elements::read_meta(&bytes, total - 132) {
            Ok((meta, used)) => {
                let syntax = meta.text(SYNTAX).ok_or("the file meta information names no transfer syntax")?;
                return Ok((syntax, 132 + used));
            }
            Err(Fault::Damaged(why)) => return Err(why),
            Err(Fault::Incomplete) if length >= bounds::HEADER => {
                return Err("the file meta information is too large".into());
            }
            Err(Fault::Incomplete) => length = (length * 8).min(bounds::HEADER),
        }
    }
}
