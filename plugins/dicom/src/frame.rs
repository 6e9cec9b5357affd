//! The bytes of one frame (PS3.5 §8 and Annex A.4).

use crate::bounds;
use crate::coding::Pixels;
use crate::layout::Layout;
use crate::length;
use crate::source::Source;
use dicom_core::VR;
use std::sync::OnceLock;

const ITEM: [u8; 4] = [0xfe, 0xff, 0x00, 0xe0];
const SEQUENCE_END: [u8; 4] = [0xfe, 0xff, 0xdd, 0xe0];

/// Reads the uncompressed bytes of a frame, and how they are laid out.
pub fn native(source: &Source, layout: &Layout, pixels: Pixels, frame: u32) -> Result<(Vec<u8>, Layout), String> {
    let Some(length) = pixels.length else { return Err("has fragments of pixels, expected plain ones".into()) };
    let layout = length::fitted(layout, length)?;
    let size = length::frame_bytes(&layout);
    let begin = size * u64::from(frame);
    if !(layout.allocated == 8 && source.coding.big_endian && pixels.representation == VR::OW) {
        return Ok((source.read(pixels.offset + begin, size)?, layout));
    }
    // 8-bit cells in words: the bytes of each word are swapped, and a frame may begin and end within one.
    let (first, last) = (begin & !1, (begin + size).next_multiple_of(2).min(length));
    let mut bytes = source.read(pixels.offset + first, last - first)?;
    bytes.chunks_exact_mut(2).for_each(|word| word.swap(0, 1));
    bytes.drain(..(begin - first) as usize);
    bytes.truncate(size as usize);
    Ok((bytes, layout))
}

#[derive(Debug, Clone, Copy)]
struct Fragment {
    offset: u64,
    length: u64,
}

/// Where a file's fragments are, and its basic offset table.
#[derive(Debug)]
pub struct Fragments {
    table: Vec<u32>,
    fragments: Vec<Fragment>,
    /// Behind the last one and its delimiter.
    end: u64,
    /// Which of them begin a frame, as far as the offset table says so, once that was asked.
    told: OnceLock<Vec<usize>>,
    /// Which of them begin an image.
    starts: Vec<usize>,
}

/// Where the pixels end.
///
/// # Errors
/// As [`Fragments::find`].
pub fn end(source: &Source, pixels: Pixels) -> Result<u64, String> {
    match pixels.length {
        Some(length) => Ok(pixels.offset + length),
        None => Ok(Fragments::find(source, pixels)?.end),
    }
}

/// Bytes by which the beginning of an image is known.
const MARK: u64 = 8;

/// Whether code begins as that of an image does: JPEG and JPEG-LS, JPEG 2000 with and without its wrapper, RLE.
fn is_start(code: &[u8]) -> bool {
    let starts: [&[u8]; 3] = [&[0xff, 0xd8, 0xff], &[0xff, 0x4f, 0xff, 0x51], &[0, 0, 0, 12, b'j', b'P', b' ', b' ']];
    starts.iter().any(|start| code.starts_with(start)) || matches!(code, [1..=15, 0, 0, 0, 64, 0, 0, 0, ..])
}

/// Reads the compressed code of a frame, its fragments joined.
pub fn encapsulated(source: &Source, fragments: &Fragments, layout: &Layout, frame: u32) -> Result<Vec<u8>, String> {
    let own = fragments.of_frame(layout.frames as usize, frame as usize)?;
    let samples = layout.count() as u64;
    let length: u64 = own.iter().map(|fragment| fragment.length).sum();
    let most = samples * u64::from(layout.allocated / 8) * bounds::CODE_FACTOR + bounds::CODE_EXTRA;
    if length > most {
        return Err(format!("has {length} bytes of code for a frame of {samples} samples; at most {most} are read"));
    }
    if samples > bounds::FREE_SAMPLES && samples > length.saturating_mul(bounds::SAMPLES_PER_BYTE) {
        return Err(format!("has {length} bytes of code for {samples} samples, too few to be an image"));
    }
    if let [whole] = own {
        return source.read(whole.offset, whole.length);
    }
    let mut code = Vec::new();
    for fragment in own {
        code.extend(source.read(fragment.offset, fragment.length)?);
    }
    Ok(code)
}

impl Fragments {
    /// The fragments of one of so many frames: by their number, else by the offset table, else by their first bytes.
    fn of_frame(&self, frames: usize, frame: usize) -> Result<&[Fragment], String> {
        let (table, fragments) = (&self.table, &self.fragments);
        if fragments.is_empty() {
            return Err("has no fragment of pixels".into());
        }
        if frames == 1 {
            return Ok(fragments);
        }
        if fragments.len() < frames {
            return Err(format!("has {frames} frames by its header, but only {} fragments of pixels", fragments.len()));
        }
        if fragments.len() == frames {
            return Ok(&fragments[frame..=frame]);
        }
        let is_told = table.len() == frames;
        let starts = if is_told { self.told() } else { &self.starts };
        let begin = starts.get(frame).copied();
        let end = if frame + 1 == frames { Some(fragments.len()) } else { starts.get(frame + 1).copied() };
        match begin.zip(end) {
            Some((begin, end)) if begin < end && starts.len() == frames => Ok(&fragments[begin..end]),
            _ if is_told => Err(format!("has an offset table whose entry for frame {frame} is no fragment")),
            _ => Err(format!(
                "has {frames} frames in {} fragments, {} of which begin an image, and an offset table of {}: which \
                 fragment belongs to which frame is not known",
                fragments.len(),
                starts.len(),
                table.len()
            )),
        }
    }

    /// Which fragments begin a frame by the offset table.
    fn told(&self) -> &[usize] {
        self.told.get_or_init(|| {
            let first = self.fragments.first().map_or(0, |fragment| fragment.offset);
            let place = |&offset: &u32| {
                let offset = first + u64::from(offset);
                self.fragments.binary_search_by_key(&offset, |fragment| fragment.offset).ok()
            };
            self.table.iter().map_while(place).collect()
        })
    }

    /// How many images there are, as far as that can be told.
    pub fn images(&self) -> usize {
        if self.fragments.len() < 2 { self.fragments.len() } else { self.starts.len() }
    }

    /// The first fragment's first bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn head(&self, source: &Source) -> Result<Vec<u8>, String> {
        const HEAD: u64 = 1 << 10;
        self.fragments.first().map_or(Ok(Vec::new()), |first| source.read(first.offset, first.length.min(HEAD)))
    }

    /// Searches for the basic offset table and all fragments behind it, from the first item on.
    ///
    /// # Errors
    /// Something other than an item, a length that is beyond the file, or more than the bounds allow.
    pub fn find(source: &Source, pixels: Pixels) -> Result<Self, String> {
        let mut at = pixels.offset;
        let mut table = None;
        let (mut fragments, mut starts) = (Vec::new(), Vec::new());
        // Fewer bytes are no item, where the delimiter was left out.
        while source.total - at >= 8 {
            // With the first bytes behind it, so that no fragment is read a second time only to see what it begins with.
            let head = source.read(at, (source.total - at).min(8 + MARK))?;
            let (head, code) = head.split_at(8);
            at += 8;
            let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
            if head[..4] == SEQUENCE_END || (head == [0; 8] && table.is_some()) {
                break;
            }
            if head[..4] != ITEM {
                return Err(format!("has something other than a fragment of pixels at byte {}", at - 8));
            }
            if length > source.total - at {
                return Err(format!(
                    "declares a fragment of {length} bytes at byte {at}, but {} are left",
                    source.total - at
                ));
            }
            if table.is_some() {
                let code = &code[..code.len().min(length as usize)];
                if is_start(code) {
                    starts.push(fragments.len());
                }
                fragments.push(Fragment { offset: at, length });
            } else if length > 4 * u64::from(bounds::FRAMES) {
                return Err(format!("has an offset table of {length} bytes, for more frames than are read"));
            } else {
                let bytes = source.read(at, length)?;
                let entry = |four: &[u8]| u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                table = Some(bytes.chunks_exact(4).map(entry).collect());
            }
            if fragments.len() > bounds::FRAGMENTS {
                return Err(format!("has more than {} fragments", bounds::FRAGMENTS));
            }
            at += length;
        }
        Ok(Self { table: table.unwrap_or_default(), fragments, end: at, told: OnceLock::new(), starts })
    }
}
