//! JPEG streams, segments and headers that contradict each other about colour.

use super::stored;
use super::syntaxes::largest_difference;
use super::writer::{BASELINE, Picture};
use crate::codec::Colours;

/// A smooth image of 16×16 pixels whose three samples are stored as they are, with the components' ids changed to `ids`,
/// with a JFIF and an Adobe segment or without.
fn stream(ids: [u8; 3], jfif: bool, adobe: Option<u8>) -> (Vec<i32>, Vec<u8>) {
    let values: Vec<i32> = (0..256).flat_map(|at| [200 - at / 16 * 5, 60 + at % 16 * 4, 30 + at / 16 * 3]).collect();
    let bytes: Vec<u8> = values.iter().map(|&value| value as u8).collect();
    let mut code = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut code, 98);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    encoder.encode(&bytes, 16, 16, jpeg_encoder::ColorType::Ycbcr).unwrap();
    let mut changed = code[..2].to_vec();
    if let Some(transform) = adobe {
        changed.extend([0xff, 0xee, 0, 14]);
        changed.extend(b"Adobe\0\x64\0\0\0\0");
        changed.push(transform);
    }
    let mut at = 2;
    while code[at] == 0xff && at + 4 < code.len() {
        let (marker, length) = (code[at + 1], usize::from(u16::from_be_bytes([code[at + 2], code[at + 3]])));
        let mut segment = code[at..at + 2 + length].to_vec();
        at += 2 + length;
        let places = match marker {
            0xc0 => [10, 13, 16],
            0xda => [5, 7, 9],
            0xe0 if !jfif => continue,
            _ => {
                changed.extend(segment);
                continue;
            }
        };
        places.iter().zip(ids).for_each(|(&place, id)| segment[place] = id);
        changed.extend(segment);
        if marker == 0xda {
            changed.extend(&code[at..]);
            break;
        }
    }
    (values, changed)
}

/// The rule of docs/dicom.md, from the first that decides to the last.
#[test]
fn colours_of_a_jpeg_stream_are_told_by_its_components_then_adobe_then_jfif_then_the_header() {
    use Colours::{Rgb, YbrFull};
    let (rgb, small, plain) = (*b"RGB", *b"rgb", [1, 2, 3]);
    for (ids, jfif, adobe, header, expected) in [
        (rgb, false, None, "YBR_FULL_422", Rgb),
        (small, false, None, "YBR_FULL_422", Rgb),
        (rgb, false, None, "RGB", Rgb),
        (rgb, true, None, "YBR_FULL_422", Rgb),
        (plain, true, Some(0), "YBR_FULL_422", Rgb),
        (plain, false, Some(1), "RGB", YbrFull),
        (plain, true, None, "RGB", YbrFull),
        (plain, false, None, "RGB", Rgb),
        (plain, false, None, "YBR_FULL_422", YbrFull),
        (*b"BGR", false, None, "YBR_FULL_422", YbrFull),
    ] {
        let (values, code) = stream(ids, jfif, adobe);
        let picture = Picture { samples: 3, photometric: header, ..Picture::grey(16, 16, 8, values.clone()) };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        std::fs::write(&path, picture.file(BASELINE, &[code])).unwrap();
        let (_, _, read) = stored(&path, 0).unwrap();
        let case = format!("{ids:?}, JFIF {jfif}, Adobe {adobe:?}, {header}");
        assert_eq!(read.colours, expected, "{case}");
        // The samples themselves are the stream's, whatever they mean.
        let difference = largest_difference(&read.values.wide(), &values);
        assert!(difference <= 4, "{difference}: {case}");
    }
}
