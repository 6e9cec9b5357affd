//! Uncompressed pixels whose length is not the one that their header says.

use super::folders::{opened, put};
use super::frame;
use super::writer::{BIG, DEFLATED, IMPLICIT, LITTLE, Picture};
use crate::found::{Found, contradictions};
use crate::identity::Identity;
use crate::options::{Color, RenderOptions, Voi};
use crate::source::Source;
use selfsame_plugin_api::Split;
use serde_json::json;

const LOOK: RenderOptions = RenderOptions { voi: Voi::None, color: Color::Rgb, bit_depth: 8 };

/// Red, green and blue of a frame of a file with these bytes.
fn shown(bytes: &[u8], number: u32) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    std::fs::write(&path, bytes).unwrap();
    frame(&path, number, LOOK).map(|image| image.data)
}

/// Three samples a pixel.
fn colour(photometric: &'static str, columns: u16, values: Vec<i32>) -> Picture {
    Picture { samples: 3, photometric, ..Picture::grey(2, columns, 8, values) }
}

/// Of 2×4 pixels.
fn samples(count: i32) -> Vec<i32> {
    (0..count).map(|at| (at * 37 + 11) % 256).collect()
}

/// pydicom/deid#134: programs that decompress leave YBR_FULL_422 in the header.
#[test]
fn ybr_full_422_with_three_bytes_a_pixel_is_ybr_full() {
    for syntax in [IMPLICIT, LITTLE, DEFLATED, BIG] {
        for (frames, planar) in [(1, false), (2, false), (2, true), (4, false)] {
            let picture = |photometric| {
                let values = samples(24 * frames as i32);
                Picture { frames, planar, ..colour(photometric, 4, values) }.file(syntax, &[])
            };
            for number in 0..frames {
                let expected = shown(&picture("YBR_FULL"), number).unwrap();
                assert_eq!(
                    shown(&picture("YBR_FULL_422"), number).unwrap(),
                    expected,
                    "{syntax}, {number} of {frames}"
                );
            }
        }
    }
}

#[test]
fn true_ybr_full_422_is_read_with_and_without_padding() {
    // Two luminances and their colour differences: 16 bytes for 2×4 pixels, where YBR_FULL has 24.
    let pairs = samples(16);
    let full: Vec<i32> =
        pairs.chunks(4).flat_map(|four| [four[0], four[2], four[3], four[1], four[2], four[3]]).collect();
    let expected = shown(&colour("YBR_FULL", 4, full).file(LITTLE, &[]), 0).unwrap();
    for padding in [0, 2, 6] {
        let mut values = pairs.clone();
        values.extend(vec![9; padding]);
        assert_eq!(shown(&colour("YBR_FULL_422", 4, values).file(LITTLE, &[]), 0).unwrap(), expected, "{padding}");
    }
    // More whole frames than the header counts.
    let three = colour("YBR_FULL_422", 4, pairs.repeat(3)).file(LITTLE, &[]);
    assert_eq!(shown(&three, 0).unwrap(), expected);
}

#[test]
fn lengths_that_fit_neither_interpretation_are_refused_with_both() {
    let error = shown(&colour("YBR_FULL_422", 4, samples(28)).file(LITTLE, &[]), 0).unwrap_err();
    assert!(error.contains("28 bytes of pixels, expected 16") && error.contains("24 as YBR_FULL"), "{error}");
    // A third of the colour differences is not there.
    for photometric in ["RGB", "YBR_FULL"] {
        let error = shown(&colour(photometric, 4, samples(16)).file(LITTLE, &[]), 0).unwrap_err();
        assert!(error.contains("16 bytes of pixels, expected 24"), "{error}");
    }
    let error = shown(&colour("YBR_FULL_422", 3, samples(18)).file(LITTLE, &[]), 0).unwrap_err();
    assert!(error.contains("even width"), "{error}");
}

#[test]
fn files_that_hold_whole_frames_more_than_their_headers_say_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let grey = |values: usize| Picture::grey(2, 4, 8, vec![7; values]).file(LITTLE, &[]);
    put(folder.path(), "right.dcm", &grey(8));
    put(folder.path(), "padded.dcm", &grey(10));
    put(folder.path(), "odd.dcm", &Picture::grey(1, 1, 8, vec![7]).file(LITTLE, &[]));
    put(folder.path(), "422.dcm", &colour("YBR_FULL_422", 4, samples(24)).file(LITTLE, &[]));
    let found = |names: &[&str]| {
        let found = |name: &&str| {
            let source = Source::open(&folder.path().join(name)).unwrap();
            Found { file: name.into(), identity: Identity::of(&source).unwrap().unwrap() }
        };
        contradictions(&names.iter().map(found).collect::<Vec<_>>())
    };
    assert_eq!(found(&["right.dcm", "padded.dcm", "odd.dcm", "422.dcm"]), [""; 0]);
    put(folder.path(), "three.dcm", &grey(24));
    let message = found(&["right.dcm", "three.dcm"]).concat();
    for part in ["1 (three.dcm: 24 bytes of pixels, 8 by its header)", "Number of Frames"] {
        assert!(message.contains(part), "`{part}` is not in {message}");
    }
    assert_eq!(opened("DicomFolder", folder.path(), json!({}), Split::Train).len(), 5);
}

#[test]
fn a_file_that_is_cut_in_its_pixels_is_damaged_whatever_the_pixels_are() {
    for level in [0, 0x2020, 0x4f4f] {
        for syntax in [IMPLICIT, LITTLE, BIG] {
            let mut file = Picture::grey(192, 256, 16, vec![level; 192 * 256]).file(syntax, &[]);
            file.truncate(file.len() - 100);
            let error = shown(&file, 0).unwrap_err();
            assert!(error.contains("(7fe0,0010) declares 98304 bytes"), "{syntax}, {level}: {error}");
        }
    }
}
