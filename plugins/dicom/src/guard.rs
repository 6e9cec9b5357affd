//! What stands between a file and dicom-rs, which allocates what a file declares and recurses as deep as it nests.
//!
//! A data set is walked with dicom-rs's own element headers, values skipped. Every length is compared with the file, and
//! only elements that somebody asks for are handed on, so that a strange private element stops nobody.

use crate::bounds;
use crate::coding::Coding;
use dicom_core::header::{DataElementHeader, Header, SequenceItemHeader};
use dicom_core::{Tag, VR};
use dicom_encoding::decode::{DecodeFrom, Error};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a data set could not be walked.
#[derive(Debug)]
pub enum Fault {
    /// The slice ends within the file's bounds: more of the file must be read.
    Incomplete,
    /// The file is wrong.
    Damaged(String),
}

/// What a walk found.
#[derive(Debug)]
pub struct Walked {
    /// The elements that were asked for, as they stand in the file.
    pub kept: Vec<u8>,
    /// Where the walk ended, from the file's start.
    pub end: u64,
    /// The header of the element that ended it and where its value begins, from the file's start.
    pub last: Option<(DataElementHeader, u64)>,
}

/// Walks the elements of a data set up to the first for which `is_last` holds, and keeps those that `is_wanted`.
/// `bytes` is the file from `start` on, as far as it was read; `total` is where the data ends.
///
/// # Errors
/// More of the file is needed, or a length, a nesting or a number is beyond the file or the bounds.
pub fn walk(
    bytes: &[u8],
    start: u64,
    total: u64,
    coding: Coding,
    is_wanted: impl Fn(Tag) -> bool,
    is_last: impl Fn(Tag) -> bool,
) -> Result<Walked, Fault> {
    let end = total.saturating_sub(start);
    let mut walk = Walk { bytes, start, end, at: 0, coding, entries: 0 };
    let mut kept = Vec::new();
    // Some writers fill the end with zeros.
    while end - walk.at >= 8 {
        let before = walk.at;
        let header = walk.header(end)?;
        if is_last(header.tag) {
            return Ok(Walked { kept, end: start + before, last: Some((header, start + walk.at)) });
        }
        let is_kept = is_wanted(header.tag);
        walk.value(header, end, 0, is_kept)?;
        if is_kept {
            kept.extend_from_slice(&bytes[before as usize..walk.at as usize]);
        }
        if kept.len() > bounds::KEPT {
            return Err(Fault::Damaged(format!("has more than {} MiB of attributes", bounds::KEPT >> 20)));
        }
    }
    Ok(Walked { kept, end: start + walk.at, last: None })
}

struct Walk<'b> {
    bytes: &'b [u8],
    start: u64,
    /// From `bytes`' beginning, as is `at`.
    end: u64,
    at: u64,
    coding: Coding,
    /// Elements, items and texts that are kept.
    entries: usize,
}

impl<'b> Walk<'b> {
    fn damaged<T>(&self, why: &str) -> Result<T, Fault> {
        Err(Fault::Damaged(format!("{why} at byte {}", self.start + self.at)))
    }

    /// Decodes one header that must end before `end`; `read` returns it and its length.
    fn decode<T>(
        &mut self,
        end: u64,
        read: impl FnOnce(&dyn DecodeFrom<&'b [u8]>, &mut &'b [u8]) -> Result<(T, usize), Error>,
    ) -> Result<T, Fault> {
        let mut rest = self.bytes.get(self.at as usize..).unwrap_or_default();
        let is_cut = rest.len() < 12 && (self.bytes.len() as u64) < self.end;
        let decoder = self.coding.syntax().decoder_for().ok_or_else(|| Fault::Damaged("has no decoder".into()))?;
        match read(&*decoder, &mut rest) {
            Ok((header, length)) if length as u64 <= end - self.at => {
                self.at += length as u64;
                Ok(header)
            }
            Err(_) if is_cut => Err(Fault::Incomplete),
            Ok(_) => self.damaged("an element ends outside of its sequence"),
            Err(error) => self.damaged(&format!("no element: {error}")),
        }
    }

    fn header(&mut self, end: u64) -> Result<DataElementHeader, Fault> {
        self.decode(end, |decoder, rest| decoder.decode_header(rest))
    }

    /// Where a value of a declared length ends, if that is not after `end`.
    fn bound(&self, tag: Tag, length: u32, end: u64) -> Result<u64, Fault> {
        let left = end - self.at;
        if u64::from(length) <= left {
            return Ok(self.at + u64::from(length));
        }
        self.damaged(&format!("{} declares {length} bytes, but {left} are left", shown(tag)))
    }

    fn skip_to(&mut self, end: u64) -> Result<(), Fault> {
        if end > self.bytes.len() as u64 {
            return Err(Fault::Incomplete);
        }
        self.at = end;
        Ok(())
    }

    fn count(&mut self, entries: usize) -> Result<(), Fault> {
        self.entries += entries;
        if self.entries > bounds::ELEMENTS {
            return Err(Fault::Damaged(format!("the header has more than {} elements and values", bounds::ELEMENTS)));
        }
        Ok(())
    }

    /// Passes the value behind `header`, which must end before `end`.
    fn value(&mut self, header: DataElementHeader, end: u64, depth: usize, is_kept: bool) -> Result<(), Fault> {
        self.count(is_kept.into())?;
        let own_end = match header.len.get() {
            Some(length) => Some(self.bound(header.tag, length, end)?),
            None => None,
        };
        match own_end {
            Some(end) if !is_kept || header.vr != VR::SQ => {
                let begin = self.at as usize;
                self.skip_to(end)?;
                // Each part of a text becomes a text of its own.
                let is_text = is_kept && !matches!(header.vr, VR::OB | VR::OW | VR::US | VR::SS);
                let parts = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\\').count();
                return self.count(if is_text { parts(&self.bytes[begin..end as usize]) } else { 0 });
            }
            _ => {}
        }
        if depth >= bounds::DEPTH {
            return Err(Fault::Damaged(format!("sequences are nested more than {} deep", bounds::DEPTH)));
        }
        let outer = self.coding;
        // A sequence of unknown representation is written with implicit VR (PS3.5 §6.2.2), which dicom-rs does not know.
        if outer.explicit && header.vr == VR::UN {
            if is_kept {
                return self.damaged(&format!("{} is a sequence of the value representation UN", shown(header.tag)));
            }
            self.coding.explicit = false;
        }
        let is_code = header.is_encapsulated_pixeldata();
        loop {
            if own_end == Some(self.at) {
                break;
            }
            let end = own_end.unwrap_or(end);
            match self.decode(end, |decoder, rest| decoder.decode_item_header(rest).map(|item| (item, 8)))? {
                SequenceItemHeader::Item { len } => match len.get() {
                    Some(length) if is_code => self.skip_to(self.bound(header.tag, length, end)?)?,
                    Some(length) => self.item(Some(self.bound(header.tag, length, end)?), end, depth, is_kept)?,
                    None => self.item(None, end, depth, is_kept)?,
                },
                SequenceItemHeader::SequenceDelimiter if own_end.is_none() => break,
                _ => return self.damaged(&format!("{} has a delimiter without its beginning", shown(header.tag))),
            }
        }
        self.coding = outer;
        Ok(())
    }

    /// Passes an item that ends at `own_end`, or with its delimiter before `end`.
    fn item(&mut self, own_end: Option<u64>, end: u64, depth: usize, is_kept: bool) -> Result<(), Fault> {
        self.count(is_kept.into())?;
        while own_end != Some(self.at) {
            let end = own_end.unwrap_or(end);
            let header = self.header(end)?;
            match header.tag {
                Tag(0xfffe, 0xe00d) if own_end.is_none() => break,
                Tag(0xfffe, _) => return self.damaged("a delimiter without its beginning"),
                _ => self.value(header, end, depth + 1, is_kept)?,
            }
        }
        Ok(())
    }
}

/// A tag as the standard writes it.
pub fn shown(Tag(group, element): Tag) -> String {
    format!("({group:04x},{element:04x})")
}

/// Runs code of other people on a file of anybody's: a panic becomes an error.
///
/// # Errors
/// Those of `run`, and its panic.
pub fn caught<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let text = |payload: &(dyn Any + Send)| match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => String::new(),
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        Err(format!("made its decoder panic ({}); the file is most likely damaged", text(&*payload)))
    })
}
