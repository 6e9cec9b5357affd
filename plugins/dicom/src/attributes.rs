//! Values of a data set that dicom-rs has read, with errors that name the tag.

use crate::guard::shown;
use dicom_core::header::HasLength;
use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;

/// The elements of a data set or of an item.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    object: &'a InMemDicomObject,
    /// Whether the file writes value representations.
    is_explicit: bool,
}

impl<'a> Attributes<'a> {
    /// Of a data set that is written in this way.
    pub fn new(object: &'a InMemDicomObject, is_explicit: bool) -> Self {
        Self { object, is_explicit }
    }

    /// Whether there is a value.
    pub fn has(self, tag: Tag) -> bool {
        self.object.get(tag).is_some_and(|element| !element.is_empty())
    }

    /// The value representation as the file writes it; none with implicit VR.
    pub fn representation(self, tag: Tag) -> Option<VR> {
        self.object.get(tag).filter(|_| self.is_explicit).map(|element| element.header().vr)
    }

    fn value(self, tag: Tag) -> Result<Option<&'a PrimitiveValue>, String> {
        let Some(element) = self.object.get(tag).filter(|element| !element.is_empty()) else { return Ok(None) };
        match element.value().primitive() {
            Some(value) if element.header().vr != VR::UN => Ok(Some(value)),
            Some(_) => Err(format!("has {} of the value representation UN, which is not read", shown(tag))),
            None => Err(format!("has a sequence in {}, expected a value", shown(tag))),
        }
    }

    /// The items of a sequence.
    pub fn items(self, tag: Tag) -> impl ExactSizeIterator<Item = Attributes<'a>> {
        let items = self.object.get(tag).and_then(|element| element.items()).unwrap_or_default();
        items.iter().map(move |object| Attributes { object, ..self })
    }

    /// Trimmed text; none when nothing is left of it.
    pub fn text(self, tag: Tag) -> Result<Option<String>, String> {
        let Some(value) = self.value(tag)? else { return Ok(None) };
        let text = value.to_str();
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// Numbers written as decimal strings.
    pub fn decimals(self, tag: Tag) -> Result<Vec<f64>, String> {
        let Some(value) = self.value(tag)? else { return Ok(Vec::new()) };
        let Some(text) = self.text(tag)? else { return Ok(Vec::new()) };
        let numbers = value.to_multi_float64().ok().filter(|numbers| numbers.iter().all(|number| number.is_finite()));
        numbers.ok_or_else(|| format!("{} is `{}`, expected a number", shown(tag), shortened(&text)))
    }

    /// 16-bit numbers; of signed ones, their bits.
    pub fn shorts(self, tag: Tag) -> Result<Vec<u16>, String> {
        let Some(value) = self.value(tag)? else { return Ok(Vec::new()) };
        match value {
            PrimitiveValue::U16(numbers) => Ok(numbers.to_vec()),
            PrimitiveValue::I16(numbers) => Ok(numbers.iter().map(|&number| number as u16).collect()),
            _ => Err(format!("has something other than 16-bit numbers in {}", shown(tag))),
        }
    }

    /// The first 16-bit number.
    pub fn short(self, tag: Tag) -> Result<Option<u16>, String> {
        Ok(self.shorts(tag)?.first().copied())
    }

    /// The bytes of a table, words with the low byte first.
    pub fn bytes(self, tag: Tag) -> Result<Vec<u8>, String> {
        match self.value(tag)? {
            None => Ok(Vec::new()),
            Some(PrimitiveValue::U8(bytes)) => Ok(bytes.to_vec()),
            Some(_) => Ok(self.shorts(tag)?.into_iter().flat_map(u16::to_le_bytes).collect()),
        }
    }
}

/// At most 40 characters of a value that goes into a message.
fn shortened(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_control() { '?' } else { c }).collect()
}
