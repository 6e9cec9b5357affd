//! The pages of a TIFF file (TIFF 6.0, section 2), counted from their directories alone.

use std::collections::HashSet;
use std::io::{Read, Result, Seek, SeekFrom};

/// More pages are no channels.
pub const MOST_PAGES: usize = 4096;
/// Entries of all directories together that are looked at. A page of a stack has some twenty; directories that lie over each other
/// can have any number, whatever the length of the file.
const MOST_ENTRIES: usize = 1 << 17;
/// Bytes of an entry of a directory: tag, kind, count, value.
const ENTRY: usize = 12;
const NEW_SUBFILE_TYPE: u16 = 254;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;

/// What a directory says of its page.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Page {
    /// Bits: a smaller copy of another page, one page of several, a mask.
    kind: u32,
    size: (u32, u32),
}

impl Page {
    /// Whether it is neither a smaller copy nor a mask.
    fn is_whole(self) -> bool {
        self.kind & 5 == 0
    }
}

/// How many pages have the first one's size and are no smaller copies or masks: at most [`MOST_PAGES`], and those whose directories
/// can be read. 1 for a file that is none of TIFF.
pub fn count(file: &mut (impl Read + Seek)) -> usize {
    let mut pages = Pages { file, is_big: false, left: MOST_ENTRIES };
    let Ok(Some(mut next)) = pages.first() else { return 1 };
    let (mut size, mut count, mut seen) = (None, 0, HashSet::new());
    // Directories may lead in a circle.
    while next != 0 && seen.len() < MOST_PAGES && seen.insert(next) {
        let Ok(Some((page, following))) = pages.page(next) else { break };
        let size = *size.get_or_insert(page.size);
        count += usize::from(count == 0 || (page.is_whole() && page.size == size));
        next = following;
    }
    count.max(1)
}

struct Pages<'a, F> {
    file: &'a mut F,
    is_big: bool,
    /// Entries that may still be looked at.
    left: usize,
}

impl<F: Read + Seek> Pages<'_, F> {
    /// Where the first directory is; none in other files.
    fn first(&mut self) -> Result<Option<u32>> {
        let mut start = [0; 8];
        self.file.rewind()?;
        self.file.read_exact(&mut start)?;
        self.is_big = start.starts_with(b"MM\0*");
        let is_tiff = self.is_big || start.starts_with(b"II*\0");
        Ok(is_tiff.then(|| self.long(&start[4..])))
    }

    /// The page whose directory is at `at`, and where the next one is, 0 after the last; none where there is more than is looked at.
    fn page(&mut self, at: u32) -> Result<Option<(Page, u32)>> {
        self.file.seek(SeekFrom::Start(at.into()))?;
        let mut count = [0; 2];
        self.file.read_exact(&mut count)?;
        let count = usize::from(self.short(&count));
        let Some(left) = self.left.checked_sub(count.max(1)) else { return Ok(None) };
        self.left = left;
        let mut entries = vec![0; count * ENTRY + 4];
        self.file.read_exact(&mut entries)?;
        let (entries, next) = entries.split_at(count * ENTRY);
        let mut page = Page::default();
        for entry in entries.chunks_exact(ENTRY) {
            // A short stands at the beginning of the field, in either byte order.
            let value = match self.short(&entry[2..]) {
                3 => self.short(&entry[8..]).into(),
                _ => self.long(&entry[8..]),
            };
            match self.short(entry) {
                NEW_SUBFILE_TYPE => page.kind = value,
                WIDTH => page.size.0 = value,
                HEIGHT => page.size.1 = value,
                _ => {}
            }
        }
        Ok(Some((page, self.long(next))))
    }

    fn short(&self, bytes: &[u8]) -> u16 {
        let bytes = [bytes[0], bytes[1]];
        if self.is_big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn long(&self, bytes: &[u8]) -> u32 {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if self.is_big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A file with these pages: kind, width, height, and so many further entries each.
    fn file(is_big: bool, pages: &[(u32, u32, u32)], more: u16) -> Vec<u8> {
        let short = |value: u16| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u32| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut bytes = if is_big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        bytes.extend(long(8));
        for (number, (kind, width, height)) in (1..).zip(pages) {
            bytes.extend(short(3 + more));
            for (tag, value) in [(NEW_SUBFILE_TYPE, *kind), (WIDTH, *width)] {
                bytes.extend([&short(tag)[..], &short(4), &long(1), &long(value)].concat());
            }
            // Of two bytes, which stand first.
            bytes.extend([&short(HEIGHT)[..], &short(3), &long(1), &short(*height as u16), &[0, 0]].concat());
            bytes.extend([0; ENTRY].repeat(more.into()));
            let next = if number == pages.len() { 0 } else { bytes.len() as u32 + 4 };
            bytes.extend(long(next));
        }
        bytes
    }

    fn counted(bytes: Vec<u8>) -> usize {
        count(&mut Cursor::new(bytes))
    }

    #[test]
    fn whole_pages_of_the_first_ones_size_are_counted() {
        for is_big in [false, true] {
            assert_eq!(counted(file(is_big, &[(0, 7, 5)], 0)), 1);
            // A smaller copy, a mask and another size are no channels; one page of several is.
            let pages = [(0, 7, 5), (1, 7, 5), (2, 7, 5), (4, 7, 5), (0, 5, 7), (0, 7, 5)];
            assert_eq!(counted(file(is_big, &pages, 9)), 3);
        }
        assert_eq!(counted(b"II*\0".to_vec()), 1);
        assert_eq!(counted(b"\x89PNG\r\n\x1a\n and more".to_vec()), 1);
        let mut cut = file(false, &[(0, 7, 5), (0, 7, 5)], 0);
        cut.truncate(cut.len() - 1);
        assert_eq!(counted(cut), 1);
    }

    #[test]
    fn hostile_directories_are_looked_at_for_a_bounded_time() {
        // 8192 pages; and eight of 65 535 entries each, of which two are looked at.
        assert_eq!(counted(file(false, &[(0, 7, 5); 8192], 0)), MOST_PAGES);
        assert_eq!(counted(file(false, &[(0, 7, 5); 8], u16::MAX - 3)), 2);
        // A circle.
        let mut circle = file(false, &[(0, 7, 5)], 0);
        let end = circle.len() - 4;
        circle[end..].copy_from_slice(&8_u32.to_le_bytes());
        assert_eq!(counted(circle), 1);
        // Thousands of long directories that lie over each other.
        let mut over: Vec<u8> = file(false, &[(0, 7, 5)], u16::MAX - 3);
        let end = over.len() - 4;
        over[end..].copy_from_slice(&10_u32.to_le_bytes());
        assert!(counted(over) <= 2);
    }
}
