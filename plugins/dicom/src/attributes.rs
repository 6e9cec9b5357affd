//! Values of a data set that dicom-rs has read, with errors that name the tag.

use crate::coding::IMPLICIT_LITTLE;
use crate::guard;
use crate::table::shown;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::HasLength;
use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_encoding::text::SpecificCharacterSet;
use dicom_object::InMemDicomObject;
use std::borrow::Cow;

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

    /// The value representation as the file writes it; none with implicit VR and where the file calls it unknown.
    pub fn representation(self, tag: Tag) -> Option<VR> {
        let element = self.object.get(tag).filter(|_| self.is_explicit);
        element.map(|element| element.header().vr).filter(|&written| written != VR::UN)
    }

    fn value(self, tag: Tag) -> Result<Option<Cow<'a, PrimitiveValue>>, String> {
        let Some(element) = self.object.get(tag).filter(|element| !element.is_empty()) else { return Ok(None) };
        match element.value().primitive() {
            Some(value) if element.header().vr == VR::UN => {
                self.known(tag, &value.to_bytes()).map(Cow::Owned).map(Some)
            }
            Some(value) => Ok(Some(Cow::Borrowed(value))),
            None => Err(format!("has a sequence in {}, expected a value", guard::shown(tag))),
        }
    }

    /// A value of the value representation UN, read with the one that the dictionary has for its tag. Whatever the data
    /// set's coding, its bytes are those of implicit VR little endian (PS3.5 §6.2.2).
    fn known(self, tag: Tag, bytes: &[u8]) -> Result<PrimitiveValue, String> {
        let name = guard::shown(tag);
        if StandardDataDictionary.by_tag(tag).is_some_and(|entry| entry.vr().relaxed() == VR::SQ) {
            return Err(format!("has a sequence of the value representation UN in {name}, expected a value"));
        }
        let head = [tag.group().to_le_bytes(), tag.element().to_le_bytes()].concat();
        let element = [&head[..], &(bytes.len() as u32).to_le_bytes(), bytes].concat();
        let written = if tag == tags::SPECIFIC_CHARACTER_SET { None } else { self.text(tags::SPECIFIC_CHARACTER_SET)? };
        let characters = written.and_then(|code| SpecificCharacterSet::from_code(&code)).unwrap_or_default();
        let read = InMemDicomObject::read_dataset_with_ts_cs(&element[..], &IMPLICIT_LITTLE.syntax(), characters);
        let value = read.ok().and_then(|object| object.get(tag)?.value().primitive().cloned());
        value.ok_or_else(|| format!("has {name} of the value representation UN, which is damaged"))
    }

    /// The items of a sequence.
    ///
    /// # Errors
    /// A value instead of items, as a sequence of the value representation UN is.
    pub fn items(self, tag: Tag) -> Result<impl ExactSizeIterator<Item = Attributes<'a>>, String> {
        let element = self.object.get(tag).filter(|element| !element.is_empty());
        let items = match element.map(|element| (element.items(), element.header().vr)) {
            None => &[],
            Some((Some(items), _)) => items,
            Some((None, written)) => {
                let (tag, written) = (guard::shown(tag), written.to_string());
                return Err(format!("has {tag} of the value representation {written}, expected a sequence (SQ)"));
            }
        };
        Ok(items.iter().map(move |object| Attributes { object, ..self }))
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
        numbers.ok_or_else(|| format!("{} is `{}`, expected a number", guard::shown(tag), shown(&text)))
    }

    /// 16-bit numbers; of signed ones, their bits.
    pub fn shorts(self, tag: Tag) -> Result<Vec<u16>, String> {
        let Some(value) = self.value(tag)? else { return Ok(Vec::new()) };
        match &*value {
            PrimitiveValue::U16(numbers) => Ok(numbers.to_vec()),
            PrimitiveValue::I16(numbers) => Ok(numbers.iter().map(|&number| number as u16).collect()),
            // Some writers choose another representation.
            other => {
                let wrong = || format!("has something other than 16-bit numbers in {}", guard::shown(tag));
                let numbers = other.to_multi_int::<i64>().map_err(|_| wrong())?;
                let bits =
                    |number| u16::try_from(number).or_else(|_| i16::try_from(number).map(|number| number as u16));
                numbers.into_iter().map(bits).collect::<Result<_, _>>().map_err(|_| wrong())
            }
        }
    }

    /// The first 16-bit number.
    pub fn short(self, tag: Tag) -> Result<Option<u16>, String> {
        Ok(self.shorts(tag)?.first().copied())
    }

    /// The bytes of a table, words with the low byte first.
    pub fn bytes(self, tag: Tag) -> Result<Vec<u8>, String> {
        match self.value(tag)?.as_deref() {
            None => Ok(Vec::new()),
            Some(PrimitiveValue::U8(bytes)) => Ok(bytes.to_vec()),
            Some(_) => Ok(self.shorts(tag)?.into_iter().flat_map(u16::to_le_bytes).collect()),
        }
    }
}
