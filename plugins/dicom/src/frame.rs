//! The bytes of one frame (PS3.5 §8 and Annex A.4).

use crate::bounds;
use crate::coding::Pixels;
use crate::layout::Layout;
use crate::length;
use crate::source::Source;
use dicom_core::VR;

const ITEM: [u8; 4] = [0xfe, 0xff, 0x00, 0xe0];
const SEQUENCE_END: [u8; 4] = [0xfe, 0xff, 0xdd, 0xe0];

/// Reads the uncompressed bytes of a frame, and how they are laid out.
pub fn native(source: &Source, layout: &Layout, pixels: Pixels, frame: u32) -> Result<(Vec<u8>, Layout), String> {
    let Some(length) = pixels.length else { return Err("has fragments where its transfer syntax has none".into()) };
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
    /// The fragments of one of so many frames.
    fn of_frame(&self, frames: usize, frame: usize) -> Result<&[Fragment], String> {
        let (table, fragments) = (&self.table, &self.fragments);
        let first = fragments.first().ok_or("has no fragment of pixels")?.offset;
        if frames == 1 {
            return Ok(fragments);
        }
        if fragments.len() == frames {
            return Ok(&fragments[frame..=frame]);
        }
        if table.len() != frames {
            return Err(format!(
                "has {frames} frames in {} fragments and an offset table of {}: which fragment belongs to which frame is \
                 not known",
                fragments.len(),
                table.len()
            ));
        }
        let find = |&offset: &u32| {
            fragments.binary_search_by_key(&(first + u64::from(offset)), |fragment| fragment.offset).ok()
        };
        let begin = table.get(frame).and_then(find);
        let end = table.get(frame + 1).map_or(Some(fragments.len()), find);
        match (begin, end) {
            (Some(begin), Some(end)) if begin < end => Ok(&fragments[begin..end]),
            _ => Err(format!("has an offset table whose entry for frame {frame} is no fragment")),
        }
    }

    /// Searches for the basic offset table and all fragments behind it, from the first item on.
    ///
    /// # Errors
    /// Plain pixels, something other than an item, a length that is beyond the file, or more than the bounds allow.
    pub fn find(source: &Source, pixels: Pixels) -> Result<Self, String> {
        if pixels.length.is_some() {
            return Err("has plain pixels where its transfer syntax has fragments".into());
        }
        let mut at = pixels.offset;
        let mut table = None;
        let mut fragments = Vec::new();
        while at < source.total {
            let head = source.read(at, 8)?;
            at += 8;
            let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
            if head[..4] == SEQUENCE_END {
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
        Ok(Self { table: table.unwrap_or_default(), fragments })
    }
}
