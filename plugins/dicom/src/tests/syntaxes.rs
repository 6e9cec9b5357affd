//! Every transfer syntax: files that the tests write, and fixtures of other makers with pydicom's samples.
//!
//! The fixtures are 24×20 pixels, written with pydicom 3.0.2 and encoded by imagecodecs 2026.3.6 (JPEG lossless:
//! `ljpeg_encode`, JPEG-LS: `jpegls_encode`, JPEG 2000: `jpeg2k_encode`, HTJ2K: `htj2k_encode`, JPEG: `jpeg8_encode`) and by pydicom's own RLE
//! encoder. Lossless ones hold `rough`; what lossy ones hold after pydicom's decoding stands in the `.raw` beside them.

use super::writer::{BASELINE, BIG, DEFLATED, IMPLICIT, JPEG_LS, LITTLE, Picture, RLE, element, head, rough};
use super::{frame, stored};
use crate::codec::Colours;
use crate::coding::{EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE};
use crate::options::{Color, RenderOptions, Voi};
use std::path::PathBuf;

const LOOK: RenderOptions = RenderOptions { voi: Voi::None, color: Color::Grey, bit_depth: 8 };

/// The stored samples of a file with these bytes.
fn samples(bytes: &[u8], frame: u32) -> Result<Vec<i32>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    std::fs::write(&path, bytes).unwrap();
    stored(&path, frame).map(|(_, _, stored)| stored.values.wide().into_owned())
}

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures").join(name)
}

/// What pydicom decoded, as little-endian numbers of `width` bytes.
fn expected(name: &str, width: usize) -> Vec<i32> {
    let bytes = std::fs::read(fixture(name)).unwrap();
    let number = |cell: &[u8]| cell.iter().rev().fold(0, |number, &byte| number << 8 | i32::from(byte));
    bytes.chunks_exact(width).map(number).collect()
}

pub fn largest_difference(one: &[i32], other: &[i32]) -> i32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).max().unwrap()
}

fn pictures() -> Vec<Picture> {
    let signed = |bits: u32| rough(9, 7, bits).iter().map(|value| value - (1 << (bits - 1))).collect();
    vec![
        Picture::grey(9, 7, 8, rough(9, 7, 8)),
        Picture::grey(9, 7, 12, rough(9, 7, 12)),
        Picture::grey(9, 7, 16, rough(9, 7, 16)),
        Picture::grey(9, 7, 32, rough(9, 7, 30)),
        Picture { signed: true, ..Picture::grey(9, 7, 12, signed(12)) },
        Picture { signed: true, ..Picture::grey(9, 7, 16, signed(16)) },
        Picture { samples: 3, photometric: "RGB", ..Picture::grey(3, 7, 8, rough(9, 7, 8)) },
    ]
}

#[test]
fn uncompressed_samples_are_read_in_every_byte_order() {
    for picture in pictures() {
        for syntax in [IMPLICIT, LITTLE, DEFLATED, BIG] {
            let read = samples(&picture.file(syntax, &[]), 0).unwrap();
            assert_eq!(read, picture.values, "{syntax}, {} bits, signed {}", picture.stored, picture.signed);
        }
    }
}

#[test]
fn a_file_without_preamble_is_known_by_its_first_element() {
    let picture = Picture::grey(9, 7, 12, rough(9, 7, 12));
    for syntax in [IMPLICIT, LITTLE, BIG] {
        let file = picture.file(syntax, &[]);
        let meta = 132 + 12 + 8 + syntax.len() + syntax.len() % 2;
        assert_eq!(samples(&file[meta..], 0).unwrap(), picture.values, "{syntax}");
    }
    assert_eq!(samples(b"\x89PNG\r\n\x1a\n0123456789", 0).unwrap_err(), "is not a DICOM file");
    assert_eq!(samples(b"", 0).unwrap_err(), "is not a DICOM file");
}

#[test]
fn a_file_may_begin_with_its_magic_word_or_its_meta_information() {
    let picture = Picture::grey(9, 7, 12, rough(9, 7, 12));
    for syntax in [IMPLICIT, LITTLE, DEFLATED, BIG] {
        let file = picture.file(syntax, &[]);
        assert_eq!(samples(&file[128..], 0).unwrap(), picture.values, "{syntax}");
        assert_eq!(samples(&file[132..], 0).unwrap(), picture.values, "{syntax}");
    }
}

/// Bytes in words of the other order: PS3.5 §8.1.1 and Annex A.3. Rows of odd length, so that frames begin and end
/// within words.
#[test]
fn bytes_in_big_endian_words_are_swapped_over_the_whole_value() {
    let values: Vec<i32> = (1..=81).collect();
    let film = Picture { samples: 3, photometric: "RGB", frames: 3, ..Picture::grey(3, 3, 8, values.clone()) };
    let mut file = film.attributes(EXPLICIT_BIG);
    let mut bytes: Vec<u8> = values.iter().map(|&value| value as u8).chain([0]).collect();
    bytes.chunks_exact_mut(2).for_each(|word| word.swap(0, 1));
    file.extend(element(EXPLICIT_BIG, 0x7fe0_0010, b"OW", &bytes));
    for frame in 0..3 {
        assert_eq!(samples(&file, frame).unwrap(), values[27 * frame as usize..][..27]);
    }
}

/// What nobody asks for need not be understood, only passed.
#[test]
fn sequences_that_dicom_rs_would_misread_are_passed_over() {
    let picture = Picture::grey(9, 7, 8, rough(9, 7, 8));
    let mut file = picture.attributes(EXPLICIT_LITTLE);
    let item = |coding| head(coding, 0xfffe_e000, b"UN", u32::MAX);
    let ends = [head(EXPLICIT_LITTLE, 0xfffe_e00d, b"UN", 0), head(EXPLICIT_LITTLE, 0xfffe_e0dd, b"UN", 0)].concat();
    // Of unknown representation: implicit inside.
    file.extend([head(EXPLICIT_LITTLE, 0x0029_1010, b"UN", u32::MAX), item(EXPLICIT_LITTLE)].concat());
    file.extend([element(IMPLICIT_LITTLE, 0x0029_1011, b"LO", b"private"), ends.clone()].concat());
    // An icon with fragments of its own.
    file.extend([head(EXPLICIT_LITTLE, 0x0088_0200, b"SQ", u32::MAX), item(EXPLICIT_LITTLE)].concat());
    file.extend(head(EXPLICIT_LITTLE, 0x7fe0_0010, b"OB", u32::MAX));
    file.extend(element(EXPLICIT_LITTLE, 0xfffe_e000, b"OB", &[1, 2, 3, 4]));
    file.extend([head(EXPLICIT_LITTLE, 0xfffe_e0dd, b"UN", 0), ends].concat());
    file.extend(element(EXPLICIT_LITTLE, 0x7fe0_0010, b"OB", &picture.cells(EXPLICIT_LITTLE)));
    assert_eq!(samples(&file, 0).unwrap(), picture.values);
}

#[test]
fn rle_is_undone_exactly() {
    for picture in pictures() {
        let read = samples(&picture.file(RLE, &[picture.rle()]), 0).unwrap();
        assert_eq!(read, picture.values, "{} bits, {} samples", picture.stored, picture.samples);
    }
    let flat = Picture::grey(40, 40, 8, vec![5; 1600]);
    assert_eq!(samples(&flat.file(RLE, &[flat.rle()]), 0).unwrap(), flat.values);
}

#[test]
fn colours_plane_by_plane_become_pixel_by_pixel() {
    let planar =
        Picture { samples: 3, planar: true, photometric: "RGB", ..Picture::grey(1, 2, 8, vec![1, 2, 3, 4, 5, 6]) };
    assert_eq!(samples(&planar.file(LITTLE, &[]), 0).unwrap(), [1, 3, 5, 2, 4, 6]);
}

#[test]
fn unused_high_bits_are_not_part_of_a_sample() {
    let mut picture = Picture::grey(1, 2, 16, vec![0x7123, 0x0fff]);
    picture.stored = 12;
    let mut file = picture.file(LITTLE, &[]);
    let end = file.len();
    file[end - 4..].copy_from_slice(&[0x23, 0x71, 0xff, 0xff]);
    assert_eq!(samples(&file, 0).unwrap(), [0x123, 0xfff]);
}

#[test]
fn bits_at_the_top_of_their_cells_are_read_and_a_header_that_only_says_so_is_not_believed() {
    let mut picture = Picture::grey(1, 2, 16, vec![0x123, 0xfff]);
    picture.stored = 12;
    let mut file = picture.file(LITTLE, &[]);
    let high = [0x28, 0, 2, 1, b'U', b'S', 2, 0];
    let at = file.windows(8).position(|part| part == high).unwrap();
    file[at + 8] = 15;
    assert_eq!(samples(&file, 0).unwrap(), [0x123, 0xfff]);
    let end = file.len();
    file[end - 4..].copy_from_slice(&[0x30, 0x12, 0xf0, 0xff]);
    assert_eq!(samples(&file, 0).unwrap(), [0x123, 0xfff]);
}

#[test]
fn each_frame_is_read_by_its_number() {
    let mut picture = Picture::grey(2, 2, 16, vec![1, 2, 3, 4, 5, 6, 7, 8]);
    picture.frames = 2;
    assert_eq!(samples(&picture.file(LITTLE, &[]), 1).unwrap(), [5, 6, 7, 8]);
    let error = samples(&picture.file(LITTLE, &[]), 2).unwrap_err();
    assert!(error.contains("has 2 frames"), "{error}");
    let single = |values: Vec<i32>| Picture::grey(2, 2, 16, values).rle();
    let code = [single(vec![1, 2, 3, 4]), single(vec![5, 6, 7, 8])];
    assert_eq!(samples(&picture.file(RLE, &code), 1).unwrap(), [5, 6, 7, 8]);
}

#[test]
fn fragments_of_one_frame_are_joined() {
    let picture = Picture::grey(9, 7, 16, rough(9, 7, 16));
    let code = picture.rle();
    let (first, second) = code.split_at(100);
    assert_eq!(samples(&picture.file(RLE, &[first.into(), second.into()]), 0).unwrap(), picture.values);
}

#[test]
fn jpeg_baseline_is_within_its_own_loss() {
    let smooth: Vec<i32> = (0..32 * 32).map(|at| at / 32 * 4 + at % 32 * 3).collect();
    let bytes: Vec<u8> = smooth.iter().map(|&value| value as u8).collect();
    let mut code = Vec::new();
    jpeg_encoder::Encoder::new(&mut code, 95).encode(&bytes, 32, 32, jpeg_encoder::ColorType::Luma).unwrap();
    let picture = Picture::grey(32, 32, 8, smooth);
    let read = samples(&picture.file(BASELINE, &[code]), 0).unwrap();
    assert!(largest_difference(&read, &picture.values) <= 3);
}

#[test]
fn jpeg_ls_is_undone_exactly() {
    let picture = Picture::grey(9, 7, 12, rough(9, 7, 12));
    let values: Vec<u16> = picture.values.iter().map(|&value| value as u16).collect();
    let mut code = Vec::new();
    ::jpegls::encode(&values, 7, 9, &mut code).unwrap();
    assert_eq!(samples(&picture.file(JPEG_LS, &[code]), 0).unwrap(), picture.values);
}

#[test]
fn lossless_files_of_other_encoders_decode_exactly() {
    let lossless = [
        ("jpeg_lossless_sv1_8", 8),
        ("jpeg_lossless_sv1_16", 16),
        ("jpegls_8", 8),
        ("jpegls_12", 12),
        ("jpeg2000_16", 16),
        ("htj2k_16", 16),
    ];
    for (name, bits) in lossless {
        let (_, _, stored) = stored(&fixture(&format!("{name}.dcm")), 0).unwrap();
        assert_eq!(*stored.values.wide(), rough(20, 24, bits), "{name}");
    }
    let (_, _, signed) = stored(&fixture("jpeg2000_signed.dcm"), 0).unwrap();
    assert_eq!(*signed.values.wide(), rough(20, 24, 16).iter().map(|value| value - 32768).collect::<Vec<_>>());
    let (_, _, first) = stored(&fixture("rle_2_frames.dcm"), 0).unwrap();
    let (_, _, second) = stored(&fixture("rle_2_frames.dcm"), 1).unwrap();
    let rough = rough(20, 24, 16);
    assert_eq!(*first.values.wide(), rough);
    assert_eq!(*second.values.wide(), rough.chunks(24).rev().flatten().copied().collect::<Vec<_>>());
}

#[test]
fn reversible_colour_of_jpeg_2000_is_rgb_after_decoding() {
    for name in ["jpeg2000_rgb.dcm", "htj2k_rgb.dcm"] {
        let (_, _, read) = stored(&fixture(name), 0).unwrap();
        assert_eq!(read.colours, Colours::Rgb);
        let rough = rough(20, 24, 8);
        let pairs: Vec<[i32; 2]> = read.values.wide().chunks(3).map(|pixel| [pixel[0], pixel[1]]).collect();
        assert_eq!(pairs, rough.iter().map(|&value| [value, 255 - value]).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn lossy_files_are_within_one_level_of_pydicom() {
    let lossy = [
        ("jpeg_baseline_8", 1),
        ("jpeg_extended_12", 2),
        ("jpegls_near_12", 2),
        ("jpeg2000_lossy_12", 2),
        ("htj2k_lossy_8", 1),
    ];
    for (name, width) in lossy {
        let (_, _, stored) = stored(&fixture(&format!("{name}.dcm")), 0).unwrap();
        let difference = largest_difference(&stored.values.wide(), &expected(&format!("{name}.raw"), width));
        assert!(difference <= 1, "{name}: {difference}");
    }
}

/// One level of luminance and of each colour difference are up to two of red, green and blue.
#[test]
fn lossy_colour_is_within_one_level_of_pydicom_in_grey_and_two_in_colour() {
    let path = fixture("jpeg_baseline_colour.dcm");
    let pixels: Vec<i32> = expected("jpeg_baseline_colour.raw", 1);
    let planar: Vec<i32> = (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3).copied()).collect();
    let levels = |color| {
        let image = frame(&path, 0, RenderOptions { color, ..LOOK }).unwrap();
        image.data.into_iter().map(i32::from).collect::<Vec<_>>()
    };
    assert!(largest_difference(&levels(Color::Rgb), &planar) <= 2);
    let grey: Vec<i32> =
        pixels.chunks(3).map(|p| (19_595 * p[0] + 38_470 * p[1] + 7_471 * p[2] + 0x8000) >> 16).collect();
    assert!(largest_difference(&levels(Color::Grey), &grey) <= 1);
}

#[test]
fn a_foreign_transfer_syntax_is_named() {
    let picture = Picture::grey(2, 2, 8, vec![0; 4]);
    let error = samples(&picture.file("1.2.840.10008.1.2.4.110", &[vec![0; 4]]), 0).unwrap_err();
    assert!(error.contains("1.2.840.10008.1.2.4.110") && error.contains("not read"), "{error}");
}
