//! Compressed streams that ask for far more than they are long, and the legal ones that resemble them.

use super::syntaxes::{fixture, largest_difference};
use super::writer::{JPEG_2000, JPEG_LOSSLESS, Picture, rough};
use super::{frame, stored};
use crate::codec::Colours;
use crate::options::{Color, RenderOptions, Voi};
use std::fs;
use std::path::PathBuf;
use std::slice::from_ref;

/// A segment: its marker, its length, its content.
fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    [&[0xff, marker], &(content.len() as u16 + 2).to_be_bytes()[..], content].concat()
}

/// A SIZ segment (ISO/IEC 15444-1 §A.5.1) of an image with one component of 8 bits, cut in square tiles.
fn size(height: u32, width: u32, tile: u32) -> Vec<u8> {
    let mut content = vec![0, 0];
    for number in [width, height, 0, 0, tile, tile, 0, 0] {
        content.extend(number.to_be_bytes());
    }
    content.extend([0, 1, 7, 1, 1]);
    segment(0x51, &content)
}

/// A COD segment (§A.6.1): quality layers, binary logarithm of the code-blocks' side, and of the precincts' for each
/// resolution.
fn style(layers: u16, block: u8, precincts: &[u8]) -> Vec<u8> {
    let mut content = vec![u8::from(!precincts.is_empty()), 0];
    content.extend(layers.to_be_bytes());
    content.extend([0, precincts.len().saturating_sub(1) as u8, block - 2, block - 2, 0, 1]);
    content.extend(precincts.iter().map(|exponent| exponent << 4 | exponent));
    segment(0x52, &content)
}

/// A tile-part with segments in its header and 20 bytes of data, its length stated as `less` bytes too short.
fn part(segments: &[u8], less: u32) -> Vec<u8> {
    let length = 14 + segments.len() as u32 + 20 - less;
    let mut content = vec![0, 0];
    content.extend(length.to_be_bytes());
    content.extend([0, 1]);
    [&segment(0x90, &content)[..], segments, &[0xff, 0x93], &[0; 20]].concat()
}

/// A whole codestream.
fn stream(size: &[u8], segments: &[Vec<u8>], part: &[u8]) -> Vec<u8> {
    [&[0xff, 0x4f], size, &segments.concat(), &segment(0x5c, &[0x40, 0x40]), part, &[0xff, 0xd9]].concat()
}

/// A box of a JP2 file (Annex I.4).
fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
}

/// What reading such a file ends with.
fn refusal(rows: u16, columns: u16, syntax: &str, code: &[u8]) -> String {
    let picture = Picture { rows, columns, ..Picture::grey(1, 1, 8, vec![0]) };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    fs::write(&path, picture.file(syntax, &[code.to_vec()])).unwrap();
    stored(&path, 0).unwrap_err()
}

/// Streams of some hundred bytes that cost gigabytes once their decoder has begun, and what they are refused for.
pub fn greedy() -> Vec<(&'static str, u16, u16, &'static str, Vec<u8>)> {
    let plain = style(1, 6, &[]);
    let large = |segments: &[Vec<u8>], part: &[u8]| stream(&size(2000, 2000, 2000), segments, part);
    let mut files = vec![
        ("more than 1024", 256, 255, JPEG_2000, stream(&size(256, 255, 1), from_ref(&plain), &part(&[], 0))),
        ("4000000 blocks", 2000, 2000, JPEG_2000, large(&[style(1, 6, &[0])], &part(&[], 0))),
        ("250000 blocks", 2000, 2000, JPEG_2000, large(&[style(1, 2, &[])], &part(&[], 0))),
        // Of the tile-part alone, and of its component alone.
        ("4000000 blocks", 2000, 2000, JPEG_2000, large(from_ref(&plain), &part(&style(1, 6, &[0]), 0))),
        (
            "4000000 blocks",
            2000,
            2000,
            JPEG_2000,
            large(&[plain.clone(), segment(0x53, &[0, 1, 0, 4, 4, 0, 1, 0])], &part(&[], 0)),
        ),
        ("packets", 2000, 2000, JPEG_2000, large(&[style(65_535, 6, &[6])], &part(&[], 0))),
        // Beyond the end of the tile-part, where a decoder would look for the next one.
        ("ends in a header", 2000, 2000, JPEG_2000, large(from_ref(&plain), &part(&style(1, 6, &[0]), 30))),
        ("styles", 20, 24, JPEG_2000, stream(&size(20, 24, 24), &vec![plain.clone(); 5000], &part(&[], 0))),
    ];
    // Transformations of the stream's own, of which each tile gets a copy, and segments that a decoder looks into.
    for (marker, why) in [(0x74, "ff74"), (0x75, "ff75"), (0x77, "ff77"), (0x78, "ff78"), (0x30, "ff30")] {
        let own = segment(marker, &vec![1; 60_000]);
        files.push((why, 20, 24, JPEG_2000, stream(&size(20, 24, 24), &[plain.clone(), own], &part(&[], 0))));
    }
    // A small stream where nobody looks, before the one that is decoded.
    let small = stream(&size(20, 24, 24), from_ref(&plain), &part(&[], 0));
    let huge = stream(&size(16_000, 16_000, 16_000), &[plain], &part(&[], 0));
    let wrapped = [boxed(b"jP  ", &[13, 10, 0x87, 10]), boxed(b"free", &small), boxed(b"jp2c", &huge)].concat();
    files.push(("16000×16000", 20, 24, JPEG_2000, wrapped));
    files.push(("something other", 20, 24, JPEG_2000, [&[0; 4], &huge[..]].concat()));
    // A restart interval whose segment claims to reach over the true frame header, to a small one.
    let frame = |height: u16, width: u16| {
        let (height, width) = (height.to_be_bytes(), width.to_be_bytes());
        segment(0xc3, &[8, height[0], height[1], width[0], width[1], 1, 1, 0x11, 0])
    };
    let mut hidden = [frame(46_000, 46_000), segment(0xc4, &[[0, 1].as_slice(), &[0; 16]].concat())].concat();
    hidden.extend(segment(0xda, &[1, 1, 0, 1, 0, 0]));
    hidden.resize(50_000, 0);
    let claimed = [&[0xff, 0xd8, 0xff, 0xdd][..], &(hidden.len() as u16 + 4).to_be_bytes(), &[0, 0]].concat();
    let lie = [claimed, hidden, frame(20, 24), vec![0; 20]].concat();
    files.push(("46000×46000", 20, 24, JPEG_LOSSLESS, lie));
    files
}

/// Legal streams of 2000×2000 pixels, each near one of the bounds.
pub fn thirsty() -> Vec<Vec<u8>> {
    [
        (64, style(1, 6, &[])),
        (2000, style(1, 6, &[3])),
        (2000, style(1, 3, &[])),
        (2000, style(65_535, 6, &[8])),
        (64, style(65, 6, &[3])),
    ]
    .map(|(tile, style)| stream(&size(2000, 2000, tile), &[style], &part(&[], 0)))
    .into()
}

#[test]
fn streams_that_ask_for_far_more_than_they_are_long_are_refused_before_their_decoder_runs() {
    for (why, rows, columns, syntax, code) in greedy() {
        let error = refusal(rows, columns, syntax, &code);
        assert!(error.contains(why) && !error.contains("damaged"), "`{error}` does not speak of {why}");
    }
}

/// So that the test above cannot pass because its streams are wrong in another way.
#[test]
fn a_stream_of_the_same_making_reaches_its_decoder() {
    for (segments, part) in [
        (vec![style(1, 6, &[])], part(&[], 0)),
        (vec![style(3, 6, &[7, 7])], part(&style(1, 5, &[4, 5]), 0)),
        (vec![style(1, 6, &[]), segment(0x64, b"\0\x01a comment")], part(&[], 0)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let code = stream(&size(20, 24, 8), &segments, &part);
        fs::write(&path, Picture { rows: 20, columns: 24, ..Picture::grey(1, 1, 8, vec![0]) }.file(JPEG_2000, &[code]))
            .unwrap();
        stored(&path, 0).unwrap();
    }
}

/// The code of a fixture with one fragment.
pub fn code(path: PathBuf) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    let begin = file.windows(4).position(|four| four == [0xff, 0x4f, 0xff, 0x51]).unwrap();
    file[begin..file.len() - 8].to_vec()
}

#[test]
fn a_codestream_in_a_jp2_file_is_the_one_that_is_decoded() {
    let picture = Picture::grey(20, 24, 16, rough(20, 24, 16));
    let bare = code(fixture("jpeg2000_16.dcm"));
    let decoy = stream(&size(16_000, 16_000, 16_000), &[], &[]);
    let begin = [boxed(b"jP  ", &[13, 10, 0x87, 10]), boxed(b"free", &decoy)].concat();
    let open = [&[0, 0, 0, 0], &b"jp2c"[..], &bare].concat();
    let long = [&[0, 0, 0, 1], &b"jp2c"[..], &(bare.len() as u64 + 16).to_be_bytes(), &bare].concat();
    for wrapped in [boxed(b"jp2c", &bare), open, long] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        fs::write(&path, picture.file(JPEG_2000, &[[&begin[..], &wrapped].concat()])).unwrap();
        assert_eq!(*stored(&path, 0).unwrap().2.values.wide(), picture.values);
    }
}

/// The fixture has tiles and precincts of 16×16, code-blocks of 8×8 and no colour transformation; Pillow 13.0.0 wrote it.
/// It holds `rough`, its complement, and `rough` upside down, as luminance and colour differences; the `.raw` beside it
/// is what pydicom makes of them in red, green and blue.
#[test]
fn luminance_and_colour_differences_in_jpeg_2000_become_rgb() {
    let path = fixture("jpeg2000_ybr_full.dcm");
    let (_, _, read) = stored(&path, 0).unwrap();
    assert_eq!(read.colours, Colours::YbrFull);
    let rough = rough(20, 24, 8);
    let upside_down = rough.chunks(24).rev().flatten();
    let pixels: Vec<i32> = rough.iter().zip(upside_down).flat_map(|(&one, &two)| [one, 255 - one, two]).collect();
    assert_eq!(*read.values.wide(), pixels);
    let expected: Vec<i32> = fs::read(fixture("jpeg2000_ybr_full.raw")).unwrap().into_iter().map(i32::from).collect();
    let planar: Vec<i32> = (0..3).flat_map(|channel| expected.iter().skip(channel).step_by(3).copied()).collect();
    let look = RenderOptions { voi: Voi::None, color: Color::Rgb, bit_depth: 8 };
    let levels: Vec<i32> = frame(&path, 0, look).unwrap().data.into_iter().map(i32::from).collect();
    assert!(largest_difference(&levels, &planar) <= 1, "{}", largest_difference(&levels, &planar));
}
