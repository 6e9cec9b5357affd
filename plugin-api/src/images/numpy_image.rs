//! An image in a NumPy array: `.npy`, or the one array of a `.npz` archive.

use super::form::Layout;
use super::pixels::Alpha;
use super::raw::Raw;
use super::values::{Kind, Values};
use crate::numpy::{self, Header};
use std::io::{Cursor, Read, Seek};
use zip::ZipArchive;

type Outcome<T> = Result<T, String>;

/// The array that is taken where an archive has several.
const NAME: &str = "image";

/// What the header says of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Of its values.
    pub kind: Kind,
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// Whether the array is `[C, H, W]`.
    channels_first: bool,
}

/// Reads the header.
///
/// # Errors
/// Another file, or an array that is no image.
pub fn header(file: impl Read + Seek, layout: Layout) -> Outcome<Form> {
    with(file, |reader| form(&array_header(reader)?, layout))
}

/// Reads the image, whose values may take `most` bytes.
///
/// # Errors
/// As [`header`], and values that are not all there.
pub fn read(bytes: &[u8], layout: Layout, most: u64) -> Outcome<Raw> {
    with(Cursor::new(bytes), |reader| {
        let header = array_header(reader)?;
        let Form { kind, shape, channels_first } = form(&header, layout)?;
        let expected = header.bytes().filter(|bytes| *bytes as u64 <= most);
        let expected = expected.ok_or_else(|| {
            format!(
                "its array {} takes more than {most} bytes; set dataset.options.max_pixels higher",
                header.dimensions()
            )
        })?;
        let mut bytes = Vec::with_capacity(expected);
        reader.take(expected as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() != expected {
            let found = bytes.len();
            return Err(format!("its array {} has {found} bytes or more, expected {expected}", header.dimensions()));
        }
        let values = Values::from_bytes(kind, numpy::ordered(header, bytes).1);
        Ok(match channels_first {
            true => Raw::from_planes(&values, Alpha::None, shape),
            false => Raw { values, stored: shape[0], alpha: Alpha::None, height: shape[1], width: shape[2] },
        })
    })
}

fn array_header(reader: &mut dyn Read) -> Outcome<Header> {
    numpy::header(reader).map_err(|error| format!("its array {error}"))
}

/// What an array of this header holds.
fn form(header: &Header, layout: Layout) -> Outcome<Form> {
    let kind = match header.kind {
        numpy::Kind::Unsigned(1) => Kind::U8,
        numpy::Kind::Unsigned(2) => Kind::U16,
        numpy::Kind::Unsigned(4) => Kind::U32,
        numpy::Kind::Signed(1) => Kind::I8,
        numpy::Kind::Signed(2) => Kind::I16,
        numpy::Kind::Signed(4) => Kind::I32,
        numpy::Kind::Float(2 | 4) => Kind::F32,
        numpy::Kind::Float(8) => Kind::F64,
        other => {
            let message = "expected integers of 8, 16 or 32 bits, float16, float32 or float64 (`.astype(…)`)";
            return Err(format!("its array holds {other:?}, {message}"));
        }
    };
    let channels_first = match (&header.shape[..], layout) {
        (&[first, _, last], Layout::Auto) if first == last => {
            return Err(format!(
                "its array is {}: set dataset.options.layout to channels_first or channels_last",
                header.dimensions()
            ))
        }
        (&[first, _, last], Layout::Auto) => first < last,
        (_, layout) => layout != Layout::ChannelsLast,
    };
    let shape = match header.shape[..] {
        [height, width] => [1, height, width],
        [channels, height, width] if channels_first => [channels, height, width],
        [height, width, channels] => [channels, height, width],
        _ => return Err(format!("its array is {}, expected [H, W], [C, H, W] or [H, W, C]", header.dimensions())),
    };
    if shape.contains(&0) {
        return Err(format!("its array is {}: there is no pixel", header.dimensions()));
    }
    Ok(Form { kind, shape, channels_first })
}

/// Looks into the array of a file.
fn with<T>(mut file: impl Read + Seek, look: impl FnOnce(&mut dyn Read) -> Outcome<T>) -> Outcome<T> {
    let mut first = [0; 2];
    file.read_exact(&mut first).and_then(|()| file.rewind()).map_err(|error| error.to_string())?;
    if &first != b"PK" {
        return look(&mut file);
    }
    let mut archive = ZipArchive::new(file).map_err(|error| error.to_string())?;
    let arrays: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.strip_suffix(".npy")?.to_owned())).collect();
    let name = match &arrays[..] {
        [one] => one,
        several => several.iter().find(|name| *name == NAME).ok_or_else(|| {
            format!(
                "it has {} arrays, {}; expected one, or one that is called `{NAME}`",
                several.len(),
                several.join(", ")
            )
        })?,
    };
    let mut entry = archive.by_name(&format!("{name}.npy")).map_err(|error| error.to_string())?;
    look(&mut entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(shape: &[usize]) -> Header {
        Header { kind: numpy::Kind::Unsigned(1), is_big_endian: false, is_column_major: false, shape: shape.to_vec() }
    }

    #[test]
    fn channels_are_the_shorter_axis_unless_stated() {
        use Layout::{Auto, ChannelsFirst, ChannelsLast};
        for (shape, layout, expected) in [
            (&[8, 9][..], Auto, [1, 8, 9]),
            (&[13, 64, 64], Auto, [13, 64, 64]),
            (&[64, 64, 13], Auto, [13, 64, 64]),
            (&[4, 3, 5], ChannelsLast, [5, 4, 3]),
            (&[5, 3, 4], ChannelsFirst, [5, 3, 4]),
        ] {
            assert_eq!(form(&header_of(shape), layout).unwrap().shape, expected, "{shape:?} {layout:?}");
        }
        for (shape, part) in [(&[4, 9, 4][..], "dataset.options.layout"), (&[4], "[C, H, W]"), (&[0, 4], "no pixel")] {
            assert!(form(&header_of(shape), Auto).unwrap_err().contains(part), "{shape:?}");
        }
    }
}
