//! How much a file may ask for. A file that asks for more is refused before anything is allocated for it.

/// Largest header (everything before the pixels) that is read, in bytes.
pub const HEADER: u64 = 64 << 20;

/// Largest inflated size of a file whose data set is deflated, in bytes.
pub const INFLATED: u64 = 512 << 20;

/// Largest frame: rows × columns × samples per pixel.
pub const SAMPLES: u64 = 1 << 26;

/// Frames up to this many samples are decoded from however little code; larger ones must have
/// [`SAMPLES_PER_BYTE`] at most.
pub const FREE_SAMPLES: u64 = 1 << 24;

/// Most samples that one byte of compressed code may stand for in a large frame.
pub const SAMPLES_PER_BYTE: u64 = 512;

/// Most frames of one file.
pub const FRAMES: u32 = 1 << 16;

/// Most fragments of one file's pixel data.
pub const FRAGMENTS: usize = 1 << 18;

/// Most bytes of the elements of one header that are kept.
pub const KEPT: usize = 16 << 20;

/// Most elements, items and texts of one header that are kept; an item takes more than a kilobyte once it is read.
pub const ELEMENTS: usize = 1 << 18;

/// Elements of one data set that cannot be walked and end at a delimiter that is searched for: each costs a walk of all the rest.
pub const RESUMPTIONS: usize = 16;

/// Deepest nesting of sequences.
pub const DEPTH: usize = 12;

/// Largest frame of compressed code, in bytes: this many times the samples' own bytes, and [`CODE_EXTRA`].
pub const CODE_FACTOR: u64 = 4;
pub const CODE_EXTRA: u64 = 1 << 20;

/// Most scans of one JPEG image.
pub const SCANS: usize = 64;

/// Most tiles of one JPEG 2000 image; a decoder keeps about twelve kilobytes for each.
pub const TILES: usize = 1 << 10;

/// Most coding styles of one JPEG 2000 image: one for each component of each tile.
pub const STYLES: usize = 4 * TILES;

/// Most code-blocks and precincts of one JPEG 2000 image, several hundred bytes each: so many, and one for
/// [`SAMPLES_PER_BLOCK`].
pub const FREE_BLOCKS: u64 = 1 << 16;
pub const SAMPLES_PER_BLOCK: u64 = 256;

/// Most packets of one JPEG 2000 image.
pub const PACKETS: u64 = 1 << 22;
