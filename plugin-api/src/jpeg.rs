//! Which colours a JPEG image holds, as far as its code says: one rule for every data set.

/// What three components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Red, green and blue.
    Rgb,
    /// Luminance and colour differences.
    YCbCr,
}

/// What stands before the first scan of an image (ITU-T T.81, Annex B).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// The components' ids.
    pub ids: Vec<u8>,
    /// The colour transformation of an Adobe segment.
    pub adobe: Option<u8>,
    /// Whether there is a JFIF segment.
    pub has_jfif: bool,
    /// Where the frame's segment begins.
    pub frame: usize,
}

impl Start {
    /// Reads the segments up to the first scan; none of something else than an image. What lies between segments is passed
    /// over, as decoders do (libjpeg's "extraneous bytes before marker").
    pub fn read(code: &[u8]) -> Option<Self> {
        let mut start = Self::default();
        let mut at = 2;
        loop {
            match *code.get(at..)? {
                [0xff, 0xff, ..] => at += 1,
                [0xff, 0xda, ..] => return (!start.ids.is_empty()).then_some(start),
                [0xff, 0xd9, ..] => return None,
                // Markers that stand alone, and a stuffed byte that is none.
                [0xff, 0x00 | 0x01 | 0xd0..=0xd8, ..] => at += 2,
                [0xff, marker, high, low, ..] => {
                    let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
                    start.take(marker, code.get(at + 4..end)?, at);
                    at = end;
                }
                [0xff] | [0xff, _] | [0xff, _, _] | [] => return None,
                [..] => at += 1,
            }
        }
    }

    fn take(&mut self, marker: u8, body: &[u8], at: usize) {
        match (marker, body) {
            (0xe0, [b'J', b'F', b'I', b'F', 0, ..]) => self.has_jfif = true,
            (0xee, [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..]) => self.adobe = Some(*transform),
            // Start of frame; DHT, JPG and DAC are no frames.
            (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, [_, _, _, _, _, _, components @ ..]) => {
                self.ids = components.chunks_exact(3).map(|component| component[0]).collect();
                self.frame = at;
            }
            _ => {}
        }
    }

    /// By the components' names, else by an Adobe segment, else by a JFIF segment; none where nothing of it decides.
    pub fn colours(&self) -> Option<Colours> {
        if has_rgb_ids(&self.ids) {
            return Some(Colours::Rgb);
        }
        match self.adobe {
            Some(0) => Some(Colours::Rgb),
            Some(_) => Some(Colours::YCbCr),
            None => self.has_jfif.then_some(Colours::YCbCr),
        }
    }
}

/// Whether components are called R, G and B, or r, g and b.
pub fn has_rgb_ids(ids: &[u8]) -> bool {
    ids.eq_ignore_ascii_case(b"RGB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(ids: &[u8], adobe: Option<u8>, has_jfif: bool) -> Vec<u8> {
        let mut code = vec![0xff, 0xd8];
        if has_jfif {
            code.extend(b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        }
        if let Some(transform) = adobe {
            code.extend(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0");
            code.push(transform);
        }
        code.extend([
            0xff,
            0xc4,
            0,
            4,
            9,
            9,
            0xff,
            0xff,
            0xc0,
            0,
            8 + 3 * ids.len() as u8,
            8,
            0,
            1,
            0,
            1,
            ids.len() as u8,
        ]);
        ids.iter().for_each(|id| code.extend([*id, 0x11, 0]));
        code.extend([0xff, 0xda, 0, 2]);
        code
    }

    #[test]
    fn bytes_between_segments_are_passed_over() {
        let whole = code(&[1, 2, 3], Some(0), false);
        let stray: [&[u8]; 4] = [&[0, 7, 9], &[0xff, 0], &[0xff, 0xd0, 3], &[0xff, 0xff, 0xff]];
        for bytes in stray {
            // After the start of image, and after the Adobe segment's 18 bytes.
            for place in [2, 18] {
                let mut code = whole.clone();
                code.splice(place..place, bytes.iter().copied());
                let start = Start::read(&code).unwrap_or_else(|| panic!("{bytes:?} at {place}"));
                assert_eq!((start.colours(), start.ids), (Some(Colours::Rgb), vec![1, 2, 3]), "{bytes:?} at {place}");
            }
        }
        assert_eq!(Start::read(&whole[..30]), None);
    }

    #[test]
    fn names_come_before_adobe_before_jfif() {
        use Colours::{Rgb, YCbCr};
        for (ids, adobe, has_jfif, expected) in [
            (*b"RGB", Some(1), true, Some(Rgb)),
            (*b"rgb", None, false, Some(Rgb)),
            ([1, 2, 3], Some(0), true, Some(Rgb)),
            ([1, 2, 3], Some(1), false, Some(YCbCr)),
            ([0, 1, 2], None, true, Some(YCbCr)),
            ([1, 2, 3], None, false, None),
            (*b"BGR", None, false, None),
        ] {
            let start = Start::read(&code(&ids, adobe, has_jfif)).unwrap();
            assert_eq!(start.colours(), expected, "{ids:?} {adobe:?} {has_jfif}");
            assert_eq!(start.ids, ids);
        }
        assert_eq!(Start::read(b"\xff\xd8\xff\xd9"), None);
        assert_eq!(Start::read(&code(b"RGB", None, true)[..30]), None);
        assert_eq!(Start::read(b""), None);
    }
}
