//! What stands between a file and dicom-rs, which allocates what a file declares and recurses as deep as it nests.
//!
//! A data set is walked with dicom-rs's own element headers, values skipped. Every length is compared with the file, and
//! only elements that somebody asks for are handed on, written anew in one coding, so that a strange private element stops
//! nobody.

use crate::bounds;
use crate::coding::{Coding, IMPLICIT_LITTLE};
use crate::element::{Form, Head, Window, bound};
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::{DataElementHeader, SequenceItemHeader};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_encoding::text::SpecificCharacterSet;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);

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
    /// The elements that were asked for, in the data set's coding; sequences and items end with delimiters.
    pub kept: Vec<u8>,
    /// Where the walk ended, from the file's start.
    pub end: u64,
    /// The header of the element that ended it and where its value begins, from the file's start.
    pub last: Option<(DataElementHeader, u64)>,
    /// Whether an element of the standard is written otherwise than in the data set's coding.
    pub is_mixed: bool,
    /// A character set that is not known. It is not kept, since dicom-rs would say so for each file.
    pub unknown_characters: Option<String>,
}

/// Walks the elements of a data set up to the first for which `is_last` holds, and keeps those that `is_wanted`, in items
/// too. `bytes` is the file from `start` on, as far as it was read; `total` is where the data ends.
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
    let window = Window { bytes, start };
    let mut walk = Walk {
        window,
        at: 0,
        outer: coding,
        coding,
        is_wanted: &is_wanted,
        kept: Vec::new(),
        entries: 0,
        resumptions: 0,
        is_mixed: false,
        unknown_characters: None,
    };
    // Some writers fill the end with zeros.
    while end - walk.at >= 8 {
        let before = walk.at;
        let head = walk.head(end)?;
        if is_last(head.header.tag) {
            let last = Some((head.header, start + walk.at));
            return Ok(walk.end(before, last));
        }
        let is_kept = is_wanted(head.header.tag);
        walk.top(head, end, is_kept)?;
        if walk.kept.len() > bounds::KEPT {
            return Err(Fault::Damaged(format!("has more than {} MiB of attributes", bounds::KEPT >> 20)));
        }
    }
    let at = walk.at;
    Ok(walk.end(at, None))
}

struct Walk<'b> {
    window: Window<'b>,
    /// From the window's beginning.
    at: u64,
    /// The data set's, in which elements are kept.
    outer: Coding,
    /// Where the walk is.
    coding: Coding,
    is_wanted: &'b dyn Fn(Tag) -> bool,
    kept: Vec<u8>,
    /// Elements, items and texts that are kept.
    entries: usize,
    /// Elements that ended at a delimiter which was searched for.
    resumptions: usize,
    is_mixed: bool,
    unknown_characters: Option<String>,
}

impl Walk<'_> {
    fn end(self, at: u64, last: Option<(DataElementHeader, u64)>) -> Walked {
        let Self { window, kept, is_mixed, unknown_characters, .. } = self;
        Walked { kept, end: window.start + at, last, is_mixed, unknown_characters }
    }

    fn damaged<T>(&self, why: &str) -> Result<T, Fault> {
        Err(Fault::Damaged(format!("{why} at byte {}", self.window.start + self.at)))
    }

    fn head(&mut self, end: u64) -> Result<Head, Fault> {
        let head = self.window.head(self.at, end, self.coding)?;
        self.at += head.bytes;
        let is_other = head.form != Form::Short && (head.form == Form::Explicit) != self.coding.explicit;
        // Sequences of unknown representation are written in either way, and private elements in any.
        let group = head.header.tag.group();
        self.is_mixed |= is_other && self.coding == self.outer && group != 0xfffe && group.is_multiple_of(2);
        Ok(head)
    }

    fn skip_to(&mut self, end: u64) -> Result<(), Fault> {
        if end > self.window.bytes.len() as u64 {
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

    /// Writes a header into what is kept.
    fn keep(&mut self, Tag(group, element): Tag, written: VR, length: u32) {
        let coding = self.outer;
        let short = |number: u16| if coding.big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
        self.kept.extend(short(group));
        self.kept.extend(short(element));
        if coding.explicit && group != 0xfffe {
            self.kept.extend(written.to_bytes());
            if is_short(written) {
                self.kept.extend(short(length as u16));
                return;
            }
            self.kept.extend([0, 0]);
        }
        self.kept.extend(if coding.big_endian { length.to_be_bytes() } else { length.to_le_bytes() });
    }

    /// Passes the value of an element that is in no sequence. One that nobody needs and that cannot be walked ends at the
    /// first delimiter behind which an element follows.
    fn top(&mut self, head: Head, end: u64, is_kept: bool) -> Result<(), Fault> {
        let (begin, coding) = (self.at, self.coding);
        match self.value(head, end, 0, is_kept) {
            Err(Fault::Damaged(why)) if !is_kept && head.header.len.get().is_none() => {
                self.resumptions += 1;
                if self.resumptions > bounds::RESUMPTIONS {
                    let (most, tag) = (bounds::RESUMPTIONS, shown(head.header.tag));
                    let what =
                        format!("has more than {most} elements that cannot be walked through, the last of them {tag}");
                    return Err(Fault::Damaged(format!("{what}: {why}")));
                }
                (self.at, self.coding) = (begin, coding);
                self.resume(head.header.tag, end)?.then_some(()).ok_or(Fault::Damaged(why))
            }
            other => other,
        }
    }

    /// Goes on behind the first sequence delimiter that an element with a larger tag than `tag` follows, if there is one.
    fn resume(&mut self, tag: Tag, end: u64) -> Result<bool, Fault> {
        let mut delimiter =
            if self.coding.big_endian { vec![0xff, 0xfe, 0xe0, 0xdd] } else { vec![0xfe, 0xff, 0xdd, 0xe0] };
        delimiter.extend([0; 4]);
        let bytes = self.window.bytes;
        let rest = bytes.get(self.at as usize..).unwrap_or_default();
        for place in rest.windows(8).enumerate().filter(|(_, eight)| *eight == delimiter).map(|(place, _)| place) {
            let behind = self.at + place as u64 + 8;
            let is_followed = match self.window.head(behind, end, self.coding) {
                _ if end - behind < 8 => true,
                Ok(next) => next.header.tag > tag,
                Err(Fault::Incomplete) => return Err(Fault::Incomplete),
                Err(Fault::Damaged(_)) => false,
            };
            if is_followed {
                self.at = behind;
                return Ok(true);
            }
        }
        if (bytes.len() as u64) < end { Err(Fault::Incomplete) } else { Ok(false) }
    }

    /// Passes the value behind a header, which must end before `end`.
    fn value(&mut self, head: Head, end: u64, depth: usize, is_kept: bool) -> Result<(), Fault> {
        self.count(is_kept.into())?;
        let Head { header, form, .. } = head;
        let start = self.window.start;
        let own_end = header.len.get().map(|length| bound(header.tag, length, self.at, end, start)).transpose()?;
        let (at, kept, coding) = (self.at, self.kept.len(), self.coding);
        match own_end {
            None => self.sequence(&header, None, end, depth, is_kept),
            Some(own_end) if is_kept && header.vr == VR::SQ => {
                self.sequence(&header, Some(own_end), end, depth, is_kept)
            }
            // What is no sequence is refused where its content would be needed.
            Some(own_end) if is_kept && header.vr == VR::UN && is_named_sequence(header.tag) => {
                match self.sequence(&header, Some(own_end), end, depth, is_kept) {
                    Err(Fault::Damaged(_)) => {
                        (self.at, self.coding) = (at, coding);
                        self.kept.truncate(kept);
                        self.plain(&header, form, own_end, is_kept)
                    }
                    other => other,
                }
            }
            Some(own_end) => self.plain(&header, form, own_end, is_kept),
        }
    }

    fn sequence(
        &mut self,
        header: &DataElementHeader,
        own_end: Option<u64>,
        end: u64,
        depth: usize,
        is_kept: bool,
    ) -> Result<(), Fault> {
        if depth >= bounds::DEPTH {
            return Err(Fault::Damaged(format!("sequences are nested more than {} deep", bounds::DEPTH)));
        }
        if is_kept {
            self.keep(header.tag, VR::SQ, u32::MAX);
        }
        let outer = self.coding;
        // A sequence of unknown representation is written with implicit VR (PS3.5 §6.2.2), which dicom-rs does not know.
        if outer.explicit && header.vr == VR::UN {
            self.coding = IMPLICIT_LITTLE;
        }
        self.items(header.tag, own_end, end, depth, is_kept)?;
        self.coding = outer;
        if is_kept {
            self.keep(SEQUENCE_END, VR::UN, 0);
        }
        Ok(())
    }

    /// Passes a value that is no sequence.
    fn plain(&mut self, header: &DataElementHeader, form: Form, own_end: u64, is_kept: bool) -> Result<(), Fault> {
        let begin = self.at as usize;
        self.skip_to(own_end)?;
        if !is_kept {
            return Ok(());
        }
        let value = &self.window.bytes[begin..own_end as usize];
        if header.tag == tags::SPECIFIC_CHARACTER_SET {
            let text = String::from_utf8_lossy(value);
            let first =
                text.split('\\').next().unwrap_or_default().trim_matches(|c: char| c == '\0' || c.is_whitespace());
            if SpecificCharacterSet::from_code(first).is_none() {
                // Nothing before the first backslash is the default set, which others extend (PS3.3 §C.12.1.1.2).
                self.unknown_characters = Some(first.to_owned()).filter(|name| !name.is_empty());
                return Ok(());
            }
        }
        // Without a representation of its own, it is read by the dictionary's.
        let written = if form == Form::Implicit { VR::UN } else { header.vr };
        self.keep(header.tag, written, value.len() as u32);
        self.kept.extend(value);
        // Each part of a text becomes a text of its own.
        let is_text = !matches!(header.vr, VR::OB | VR::OW | VR::US | VR::SS);
        let parts = value.iter().filter(|&&byte| byte == b'\\').count();
        self.count(if is_text { parts } else { 0 })
    }

    fn items(&mut self, tag: Tag, own_end: Option<u64>, end: u64, depth: usize, is_kept: bool) -> Result<(), Fault> {
        let end = own_end.unwrap_or(end);
        let is_code = tag == tags::PIXEL_DATA;
        while own_end != Some(self.at) {
            let item = self.window.item(self.at, end, self.coding)?;
            self.at += 8;
            match item {
                SequenceItemHeader::Item { len } => {
                    let start = self.window.start;
                    let item_end = len.get().map(|length| bound(tag, length, self.at, end, start)).transpose()?;
                    match item_end {
                        Some(item_end) if is_code => self.skip_to(item_end)?,
                        item_end => self.item(item_end, end, depth, is_kept)?,
                    }
                }
                SequenceItemHeader::SequenceDelimiter if own_end.is_none() => break,
                _ => return self.damaged(&format!("{} has a delimiter without its beginning", shown(tag))),
            }
        }
        Ok(())
    }

    /// Passes an item that ends at `own_end`, or with its delimiter before `end`.
    fn item(&mut self, own_end: Option<u64>, end: u64, depth: usize, is_kept: bool) -> Result<(), Fault> {
        self.count(is_kept.into())?;
        if is_kept {
            self.keep(ITEM, VR::UN, u32::MAX);
        }
        while own_end != Some(self.at) {
            let end = own_end.unwrap_or(end);
            let head = self.head(end)?;
            let tag = head.header.tag;
            match tag {
                ITEM_END if own_end.is_none() => break,
                Tag(0xfffe, _) => return self.damaged("a delimiter without its beginning"),
                _ => self.value(head, end, depth + 1, is_kept && (self.is_wanted)(tag))?,
            }
        }
        if is_kept {
            self.keep(ITEM_END, VR::UN, 0);
        }
        Ok(())
    }
}

/// Whether the dictionary has a sequence for this tag.
fn is_named_sequence(tag: Tag) -> bool {
    StandardDataDictionary.by_tag(tag).is_some_and(|entry| entry.vr().relaxed() == VR::SQ)
}

/// Whether lengths of a value representation have 16 bits (PS3.5 §7.1.2).
fn is_short(written: VR) -> bool {
    use VR::{AE, AS, AT, CS, DA, DS, DT, FD, FL, IS, LO, LT, PN, SH, SL, SS, ST, TM, UI, UL, US};
    matches!(
        written,
        AE | AS | AT | CS | DA | DS | DT | FL | FD | IS | LO | LT | PN | SH | SL | SS | ST | TM | UI | UL | US
    )
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
