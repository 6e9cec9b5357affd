//! How one element's header is written, also where that is not as its data set's coding says.

use crate::coding::Coding;
use crate::guard::{Fault, shown};
use dicom_core::header::{DataElementHeader, Length, SequenceItemHeader};
use dicom_core::{Tag, VR};
use dicom_encoding::decode::{DecodeFrom, Error};

/// The ways to write a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With a value representation, and the length that is its own.
    Explicit,
    /// With the 16-bit length that writers give to representations which they do not know.
    Short,
    Implicit,
}

/// A header, and how it is written.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    pub header: DataElementHeader,
    pub form: Form,
    /// Bytes of the header itself.
    pub bytes: u64,
}

impl Head {
    /// How long the value is by this header; none where it ends with a delimiter.
    fn value(&self) -> Option<u64> {
        self.header.len.get().map(u64::from)
    }
}

/// A part of a file that headers are read from.
#[derive(Debug, Clone, Copy)]
pub struct Window<'b> {
    pub bytes: &'b [u8],
    /// Where `bytes` begin in the file.
    pub start: u64,
}

impl<'b> Window<'b> {
    /// The header at `at`, which must end before `end`. Where it cannot be what `coding` says, the first other form is taken
    /// behind whose value another element follows.
    ///
    /// # Errors
    /// More of the file is needed, or there is no header.
    pub fn head(&self, at: u64, end: u64, coding: Coding) -> Result<Head, Fault> {
        let usual = if coding.explicit { Form::Explicit } else { Form::Implicit };
        let stated = self.read(at, end, coding, usual);
        if matches!(stated, Err(Fault::Incomplete)) {
            return stated;
        }
        let written = self.bytes.get(at as usize + 4..at as usize + 8).unwrap_or_default();
        let is_odd = match (&stated, usual) {
            (Ok(head), _) if head.header.tag.group() == 0xfffe => false,
            // Anything may stand behind pixels; a length whose bytes are OB, OW or UN is odd, which none is.
            (Ok(head), Form::Implicit) if head.header.tag.group() == 0x7fe0 => {
                matches!(written, [b'O' | b'U', _, 0, 0]) && is_known(written)
            }
            (Ok(head), _) if head.header.tag.group() == 0x7fe0 && is_known(written) => false,
            (Ok(_), Form::Implicit) => is_known(written),
            (Ok(head), _) => {
                !is_known(written) || self.is_beyond(head, at, end) || (head.bytes == 12 && written[2..] != [0, 0])
            }
            (Err(_), _) => true,
        };
        if !is_odd {
            return stated;
        }
        let is_text = written.iter().take(2).all(u8::is_ascii_graphic);
        let forms = match (usual, is_text) {
            (Form::Implicit, _) => [Form::Explicit, Form::Implicit, Form::Short],
            (_, true) => [Form::Short, Form::Explicit, Form::Implicit],
            (_, false) => [Form::Implicit, Form::Short, Form::Explicit],
        };
        let may_be = |form: &Form| match form {
            Form::Explicit => true,
            // Big endian is explicit only (PS3.5 §A.3).
            Form::Implicit => !coding.big_endian,
            Form::Short => !is_known(written) || written[2..] != [0, 0],
        };
        for form in forms.into_iter().filter(may_be) {
            match self.read(at, end, coding, form) {
                Ok(head) if !self.is_beyond(&head, at, end) && self.is_followed(&head, at, end, coding)? => {
                    return Ok(head);
                }
                Err(Fault::Incomplete) => return Err(Fault::Incomplete),
                _ => {}
            }
        }
        stated
    }

    /// The item or delimiter at `at`, which takes eight bytes.
    ///
    /// # Errors
    /// As [`Window::head`].
    pub fn item(&self, at: u64, end: u64, coding: Coding) -> Result<SequenceItemHeader, Fault> {
        self.decode(at, end, coding, |decoder, rest| decoder.decode_item_header(rest).map(|item| (item, 8)))
            .map(|(item, _)| item)
    }

    fn read(&self, at: u64, end: u64, coding: Coding, form: Form) -> Result<Head, Fault> {
        let explicit = form != Form::Implicit;
        let coding = Coding { explicit, big_endian: coding.big_endian && explicit };
        let (mut header, mut bytes) = self.decode(at, end, coding, |decoder, rest| {
            decoder.decode_header(rest).map(|(head, size)| (head, size as u64))
        })?;
        if form == Form::Short {
            let length = self.bytes.get(at as usize + 6..at as usize + 8).unwrap_or(&[0, 0]);
            header = DataElementHeader::new(header.tag, header.vr, Length(coding.u16([length[0], length[1]]).into()));
            bytes = 8;
        }
        Ok(Head { header, form, bytes })
    }

    /// Decodes what must end before `end`; `read` returns it and its length.
    fn decode<T>(
        &self,
        at: u64,
        end: u64,
        coding: Coding,
        read: impl FnOnce(&dyn DecodeFrom<&'b [u8]>, &mut &'b [u8]) -> Result<(T, u64), Error>,
    ) -> Result<(T, u64), Fault> {
        let mut rest = self.bytes.get(at as usize..).unwrap_or_default();
        let is_cut = rest.len() < 12 && (self.bytes.len() as u64) < end;
        let damaged = |why: String| Err(Fault::Damaged(format!("{why} at byte {}", self.start + at)));
        let decoder = coding.syntax().decoder_for().ok_or_else(|| Fault::Damaged("has no decoder".into()))?;
        match read(&*decoder, &mut rest) {
            Ok((head, length)) if length <= end - at => Ok((head, length)),
            _ if is_cut => Err(Fault::Incomplete),
            Ok(_) => damaged("an element ends outside of its sequence".into()),
            Err(error) => damaged(format!("no element: {error}")),
        }
    }

    fn is_beyond(&self, head: &Head, at: u64, end: u64) -> bool {
        at + head.bytes + head.value().unwrap_or(0) > end
    }

    /// Whether something that belongs there follows behind the value: the end, a delimiter, or an element with a larger tag.
    fn is_followed(&self, head: &Head, at: u64, end: u64, coding: Coding) -> Result<bool, Fault> {
        let next = at + head.bytes + head.value().unwrap_or(0);
        if next == end {
            return Ok(true);
        }
        // What is left of the item is no header, whatever follows the item.
        let Some(left) = end.checked_sub(next + 8) else { return Ok(false) };
        let Some(bytes) = self.bytes.get(next as usize..next as usize + 8) else { return Err(Fault::Incomplete) };
        let tag = Tag(coding.u16([bytes[0], bytes[1]]), coding.u16([bytes[2], bytes[3]]));
        let is_item = tag == Tag(0xfffe, 0xe000);
        if head.value().is_none() {
            return Ok(is_item || tag == Tag(0xfffe, 0xe0dd));
        }
        let is_end = matches!(tag, Tag(0xfffe, 0xe00d | 0xe0dd));
        let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let may_be_implicit = !coding.big_endian && (length == u32::MAX || u64::from(length) <= left);
        Ok(is_end || (tag > head.header.tag && tag.group() < 0xfffe && (is_known(&bytes[4..]) || may_be_implicit)))
    }
}

/// Whether bytes begin with a value representation of the standard.
fn is_known(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, ..] if VR::from_binary([*first, *second]).is_some())
}

/// `(0028,0010) declares …`, where a value ends after `end`.
///
/// # Errors
/// It does.
pub fn bound(tag: Tag, length: u32, at: u64, end: u64, start: u64) -> Result<u64, Fault> {
    let left = end.saturating_sub(at);
    if u64::from(length) <= left {
        return Ok(at + u64::from(length));
    }
    let at = start + at;
    Err(Fault::Damaged(format!("{} declares {length} bytes, but {left} are left at byte {at}", shown(tag))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::EXPLICIT_LITTLE;

    /// A header of an unknown representation, a value of six bytes, and what would be the next header.
    const BYTES: [u8; 22] = *b"\x29\0\x10\x10ZZ\x06\0abcdef\x29\0\x11\x10LO\0\0";

    #[test]
    fn what_stands_behind_an_item_is_not_taken_for_an_element_in_it() {
        let window = Window { bytes: &BYTES, start: 0 };
        let form = |end| window.head(0, end, EXPLICIT_LITTLE).map(|head| head.form).ok();
        assert_eq!([14, 22].map(form), [Some(Form::Short); 2]);
        for end in 15..22 {
            assert_ne!(form(end), Some(Form::Short), "{end}");
        }
    }
}
