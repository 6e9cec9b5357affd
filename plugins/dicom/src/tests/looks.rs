//! From stored samples to grey. Numbers are pydicom 3.0.2's (`apply_windowing`, `apply_voi`, `apply_modality_lut`,
//! `convert_color_space`), NumPy's (`percentile`) and Pillow's (conversion to `L`), divided by their range.

use super::frame;
use super::writer::{LITTLE, Picture};
use crate::options::{Color, RenderOptions, Voi};
use crate::presentation::{Function, Window};

fn shown_with(picture: &Picture, look: RenderOptions) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    std::fs::write(&path, picture.file(LITTLE, &[])).unwrap();
    frame(&path, 0, look).map(|image| image.data)
}

fn shown(picture: &Picture, voi: Voi) -> Vec<u8> {
    shown_with(picture, RenderOptions { voi, color: Color::Grey, bit_depth: 8 }).unwrap()
}

fn row(bits: u16, values: &[i32]) -> Picture {
    Picture::grey(1, values.len() as u16, bits, values.to_vec())
}

const CENTER: (u32, [u8; 2]) = (0x0028_1050, *b"DS");
const WIDTH: (u32, [u8; 2]) = (0x0028_1051, *b"DS");

fn windowed(values: &[i32], center: &str, width: &str) -> Picture {
    let texts = vec![(CENTER.0, CENTER.1, center.into()), (WIDTH.0, WIDTH.1, width.into())];
    Picture { texts, ..row(16, values) }
}

#[test]
fn windows_have_the_values_of_the_standard() {
    let values = [-200., -161., -160., -100., 0., 39., 40., 41., 100., 239., 240., 300.];
    let cases = [
        (Function::Linear, [0., 0., 0., 0.150376, 0.401003, 0.498747, 0.501253, 0.503759, 0.651629, 1., 1., 1.]),
        (Function::LinearExact, [0., 0., 0., 0.15, 0.4, 0.4975, 0.5, 0.5025, 0.65, 0.9975, 1., 1.]),
        (
            Function::Sigmoid,
            [
                0.083173, 0.118157, 0.119203, 0.197816, 0.401312, 0.4975, 0.5, 0.5025, 0.645656, 0.879743, 0.880797,
                0.930862,
            ],
        ),
    ];
    for (function, expected) in cases {
        let window = Window { center: 40.0, width: 400.0, function };
        for (value, expected) in values.into_iter().zip(expected) {
            assert!((window.grey(value) - expected).abs() < 1e-6, "{function:?} of {value}");
        }
    }
    let step = Window { center: 128.0, width: 1.0, function: Function::Linear };
    assert_eq!([127.0, 127.5, 128.0].map(|value| step.grey(value)), [0.0, 0.0, 1.0]);
}

#[test]
fn a_window_applies_after_slope_and_intercept() {
    let mut picture = windowed(&[824, 1024, 1063, 1064, 1264, 2000], "40\\500", "400\\9");
    picture.texts.extend([(0x0028_1052, *b"DS", "-1024".into()), (0x0028_1053, *b"DS", "1".into())]);
    // -200, 0, 39, 40, 240 and 976 in Hounsfield units.
    assert_eq!(shown(&picture, Voi::Window), [0, 102, 127, 128, 255, 255]);
}

#[test]
fn each_window_of_the_options_is_a_channel_whatever_the_file_says() {
    let mut picture = windowed(&[824, 1024, 1063, 1064, 1264, 2000], "1", "2");
    picture.texts.extend([(0x0028_1052, *b"DS", "-1024".into()), (0x0028_1053, *b"DS", "1".into())]);
    let read = |options, picture: &Picture| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.dcm"), picture.file(LITTLE, &[])).unwrap();
        let samples = super::folders::opened("DicomFolder", folder.path(), options, selfsame_plugin_api::Split::Train);
        samples.read(&[0]).map(|images| (images[0].channels, images[0].data.clone())).map_err(|error| error.message)
    };
    // In Hounsfield units -200, 0, 39, 40, 240 and 976: for the first window as above, for the others by the formula of
    // PS3.3 §C.11.2.1.2, ((x - (c - 0.5)) / (w - 1) + 0.5) · 255.
    let expected = [0, 102, 127, 128, 255, 255, 196, 230, 236, 236, 255, 255, 43, 71, 76, 77, 105, 209];
    let all = [[40, 400], [-600, 1500], [400, 1800]];
    for count in 1..=3 {
        let options = serde_json::json!({ "windows": all[..count] });
        assert_eq!(read(options, &picture).unwrap(), (count, expected[..6 * count].to_vec()));
    }
    let twice = serde_json::json!({ "windows": [all[2], all[0], all[2], all[1]], "bit_depth": 16 });
    let (channels, data) = read(twice, &picture).unwrap();
    let sixteen: Vec<u16> = data.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
    assert_eq!((channels, sixteen.len(), &sixteen[..6]), (4, 24, &sixteen[12..18]));
    // (-200 - 399.5) / 1799 + 0.5 = 0.166759, of 65 535.
    assert_eq!((sixteen[0], sixteen[5], sixteen[11]), (10929, 53769, 65535));
    // MONOCHROME1 is inverted behind the window, padding is black in every channel.
    let inverted = Picture { photometric: "MONOCHROME1", ..picture.clone() };
    let options = serde_json::json!({ "windows": all[1..] });
    let negative: Vec<u8> = expected[6..].iter().map(|level| 255 - level).collect();
    assert_eq!(read(options.clone(), &inverted).unwrap(), (2, negative));
    let padded = Picture { shorts: vec![(0x0028_0120, *b"US", vec![2000])], ..picture.clone() };
    assert_eq!(read(options.clone(), &padded).unwrap().1, [196, 230, 236, 236, 255, 0, 43, 71, 76, 77, 105, 0]);
    let colour = Picture { samples: 3, photometric: "RGB", ..Picture::grey(1, 1, 8, vec![1, 2, 3]) };
    assert!(
        read(options, &colour).unwrap_err().contains("has colours, which dataset.options.windows says nothing about")
    );
    for (options, part) in [
        (serde_json::json!({ "windows": [] }), "`windows` has 0 windows, expected 1 to 16"),
        (serde_json::json!({ "windows": vec![[1, 2]; 17] }), "`windows` has 17 windows, expected 1 to 16"),
        (serde_json::json!({ "windows": [[40, 400, 1]] }), "windows"),
        (serde_json::json!({ "windows": [[40, 400]], "voi": "minmax" }), "`windows` or `voi`, not both"),
        (serde_json::json!({ "windows": [[40, 400], [0, 0], [1, 2]] }), "`windows` has a width of 0"),
        (
            serde_json::json!({ "windows": [[40, 400], [0, 9], [1, 2]], "color": "rgb" }),
            "`windows` or `color`, not both",
        ),
    ] {
        let request = super::request("DicomFolder", std::path::Path::new("x"), options);
        let Err(error) = crate::create(&request) else { panic!("{part}") };
        assert!(error.message.contains(part), "{error}");
    }
}

#[test]
fn monochrome1_is_inverted() {
    let picture = Picture { photometric: "MONOCHROME1", ..row(8, &[0, 51, 255]) };
    for voi in [Voi::Window, Voi::Minmax, Voi::None] {
        assert_eq!(shown(&picture, voi), [255, 204, 0], "{voi:?}");
    }
}

#[test]
fn without_a_window_grey_reaches_from_minimum_to_maximum() {
    assert_eq!(shown(&row(12, &[1000, 1500, 2000]), Voi::Window), [0, 128, 255]);
    assert_eq!(shown(&windowed(&[1000, 1500, 2000], "1", "2"), Voi::Minmax), [0, 128, 255]);
    assert_eq!(shown(&row(12, &[0, 2048, 4095]), Voi::None), [0, 128, 255]);
}

#[test]
fn a_constant_image_is_black() {
    for voi in [Voi::Window, Voi::Percentile, Voi::Minmax] {
        for photometric in ["MONOCHROME1", "MONOCHROME2"] {
            assert_eq!(shown(&Picture { photometric, ..row(8, &[1; 9]) }, voi), [0; 9], "{voi:?}, {photometric}");
        }
    }
}

#[test]
fn padding_is_black_and_counts_for_nothing() {
    let mut picture = row(16, &[60000, 100, 150, 200, 60000]);
    picture.shorts.push((0x0028_0120, *b"US", vec![60000]));
    assert_eq!(shown(&picture, Voi::Minmax), [0, 0, 128, 255, 0]);
    picture.photometric = "MONOCHROME1";
    assert_eq!(shown(&picture, Voi::Minmax), [0, 255, 128, 0, 0]);
    let mut range = Picture { signed: true, ..row(16, &[-2000, -1990, 0, 100]) };
    range.shorts.extend([(0x0028_0120, *b"SS", vec![-2000_i16 as u16]), (0x0028_0121, *b"SS", vec![-1980_i16 as u16])]);
    assert_eq!(shown(&range, Voi::Minmax), [0, 0, 0, 255]);
    let mut all = row(16, &[7, 7]);
    all.shorts.push((0x0028_0120, *b"US", vec![7]));
    assert_eq!(shown(&all, Voi::Window), [0, 0]);
}

#[test]
fn percentiles_are_those_of_numpy() {
    let values: Vec<i32> = (0..50).map(|x| x * x % 977).collect();
    // numpy.percentile(values, [0.5, 99.5]) = [0.245, 960.51]
    let expected: Vec<u8> = values
        .iter()
        .map(|&v| ((f64::from(v) - 0.245) / (960.51 - 0.245) * 255.0).clamp(0.0, 255.0).round() as u8)
        .collect();
    assert_eq!(shown(&row(16, &values), Voi::Percentile), expected);
    // Nearly constant: the percentiles are equal, the extremes are not.
    let mut nearly = vec![5; 999];
    nearly.push(9);
    assert_eq!(shown(&row(16, &nearly), Voi::Percentile).iter().filter(|&&level| level == 255).count(), 1);
}

#[test]
fn lookup_tables_come_before_windows() {
    let mut picture = windowed(&[0, 9, 10, 11, 12, 13, 14, 200], "40", "400");
    picture.tables.push((0x0028_3010, vec![(0x0028_3002, vec![4, 10, 8]), (0x0028_3006, vec![0, 100, 200, 255])]));
    assert_eq!(shown(&picture, Voi::Window), [0, 0, 0, 100, 200, 255, 255, 255]);
    let mut picture = row(8, &[0, 10, 11, 12, 13, 255]);
    picture.tables.push((0x0028_3000, vec![(0x0028_3002, vec![4, 10, 16]), (0x0028_3006, vec![64536, 5, 70, 900])]));
    // Modality units 64536, 64536, 5, 70, 900, 900.
    assert_eq!(shown(&picture, Voi::Minmax), [255, 255, 0, 0, 4, 4]);
}

#[test]
fn sixteen_bits_keep_sixteen_bits() {
    let look = RenderOptions { voi: Voi::None, color: Color::Grey, bit_depth: 16 };
    let data = shown_with(&row(16, &[0, 1, 258, 65535]), look).unwrap();
    assert_eq!(data, [0, 0, 1, 0, 2, 1, 255, 255]);
}

#[test]
fn colour_becomes_luminance_or_stays_by_option() {
    let colours = vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 200, 30, 255, 255, 255];
    let picture = Picture { samples: 3, photometric: "RGB", ..Picture::grey(1, 5, 8, colours) };
    assert_eq!(shown(&picture, Voi::Window), [76, 150, 29, 124, 255]);
    let rgb = RenderOptions { voi: Voi::Window, color: Color::Rgb, bit_depth: 8 };
    assert_eq!(shown_with(&picture, rgb).unwrap(), [255, 0, 0, 10, 255, 0, 255, 0, 200, 255, 0, 0, 255, 30, 255]);
    assert_eq!(shown_with(&row(8, &[0, 255]), rgb).unwrap(), [0, 255, 0, 255, 0, 255]);
}

#[test]
fn luminance_and_colour_differences_become_rgb() {
    let values = vec![81, 90, 240, 145, 54, 34, 41, 240, 110, 128, 128, 128];
    let picture = Picture { samples: 3, photometric: "YBR_FULL", ..Picture::grey(1, 4, 8, values) };
    let rgb = RenderOptions { voi: Voi::Window, color: Color::Rgb, bit_depth: 8 };
    let expected = [238, 13, 16, 128, 14, 238, 15, 128, 14, 14, 239, 128];
    assert_eq!(shown_with(&picture, rgb).unwrap(), expected);
}

#[test]
fn palettes_are_looked_up() {
    let mut picture = Picture { photometric: "PALETTE COLOR", ..row(8, &[0, 1, 2]) };
    for (tag, values) in [(0x1101, [0, 255, 0]), (0x1102, [0, 0, 128]), (0x1103, [0, 0, 255])] {
        picture.shorts.push((0x0028_0000 | tag, *b"US", vec![3, 0, 8]));
        picture.shorts.push((0x0028_0000 | (tag + 0x100), *b"OW", values.to_vec()));
    }
    let rgb = RenderOptions { voi: Voi::Window, color: Color::Rgb, bit_depth: 8 };
    assert_eq!(shown_with(&picture, rgb).unwrap(), [0, 255, 0, 0, 0, 128, 0, 0, 255]);
}

/// A palette whose three tables hold the same.
fn palette(values: &[i32], bits: u16, entries: u16, words: &[u16]) -> Picture {
    let mut picture = Picture { photometric: "PALETTE COLOR", ..row(8, values) };
    for colour in 1..=3 {
        picture.shorts.push((0x0028_1100 | colour, *b"US", vec![entries, 0, bits]));
        picture.shorts.push((0x0028_1200 | colour, *b"OW", words.to_vec()));
    }
    picture
}

/// pydicom 3.0.2: `apply_color_lut` returns bytes where there are as many bytes as entries, and else 16-bit words, whatever
/// the descriptor says.
#[test]
fn the_data_of_a_table_says_whether_its_entries_have_8_or_16_bits() {
    let words = [0, 0x4000, 0x8000, 0xffff];
    for stated in [8, 16] {
        assert_eq!(shown(&palette(&[0, 1, 2, 3], stated, 4, &words), Voi::Window), [0, 64, 128, 255], "{stated}");
        let bytes = [0x4000, 0xff80];
        assert_eq!(shown(&palette(&[0, 1, 2, 3], stated, 4, &bytes), Voi::Window), [0, 64, 128, 255], "{stated}");
    }
    // 8-bit entries in padded words.
    assert_eq!(shown(&palette(&[0, 1, 2, 3], 8, 4, &[0, 64, 128, 255]), Voi::Window), [0, 64, 128, 255]);
    // A dark colour beside a bright one has the same scale: 0.299 * 255 red and 0.587 * 128 / 257 green.
    let mut uneven = palette(&[0, 1], 8, 2, &[0, 0xffff]);
    uneven.shorts.retain(|element| element.0 & 0xff00 == 0x1100 || element.0 & 0xff == 1);
    uneven.shorts.extend([(0x0028_1202, *b"OW", vec![0, 128]), (0x0028_1203, *b"OW", vec![0, 0])]);
    assert_eq!(shown(&uneven, Voi::Window), [0, 76]);
}

#[test]
fn a_lookup_table_never_wraps_around() {
    let table = |bits: u16, values: [u16; 4]| {
        let mut picture = row(8, &[0, 1, 2, 3]);
        picture.tables.push((0x0028_3010, vec![(0x0028_3002, vec![4, 0, bits]), (0x0028_3006, values.to_vec())]));
        picture
    };
    // Sixteen bits, as words of that size are; 300 / 257 and 511 / 257.
    assert_eq!(shown(&table(8, [0, 300, 511, 65535]), Voi::Window), [0, 1, 2, 255]);
    assert_eq!(shown(&table(12, [0, 1024, 2048, 4095]), Voi::Window), [0, 64, 128, 255]);
    let beyond = table(12, [0, 4095, 4096, 65535]);
    let error = shown_with(&beyond, RenderOptions { voi: Voi::Window, color: Color::Grey, bit_depth: 8 }).unwrap_err();
    assert!(error.contains("reach 65535, which 12 bits cannot express; set dataset.options.voi"), "{error}");
    assert_eq!(shown(&beyond, Voi::Minmax), [0, 85, 170, 255]);
}

#[test]
fn a_window_that_cannot_be_is_refused_until_another_way_to_grey_is_chosen() {
    let look = |voi| RenderOptions { voi, color: Color::Grey, bit_depth: 8 };
    let mut table = row(16, &[0, 1000, 2000]);
    table.tables.push((0x0028_3010, vec![(0x0028_3002, vec![4, 0, 16]), (0x0028_3006, vec![1])]));
    let function = |name: &str, width| {
        let mut picture = windowed(&[0, 1000, 2000], "40", width);
        picture.texts.push((0x0028_1056, *b"CS", name.into()));
        picture
    };
    let wrong = [
        (windowed(&[0, 1000, 2000], "40", "0"), "window width of 0, expected at least 1"),
        (function("SIGMOID", "0"), "window width of 0, expected more than 0"),
        (function("STEP", "1"), "VOI LUT Function `STEP`"),
        (windowed(&[0, 1000, 2000], "forty", "400"), "(0028,1050) is `forty`"),
        (table, "2 bytes for 4 entries"),
    ];
    for (picture, part) in wrong {
        let error = shown_with(&picture, look(Voi::Window)).unwrap_err();
        assert!(error.contains(part), "{error}");
        assert!(error.ends_with("; set dataset.options.voi to percentile or minmax"), "{error}");
        for voi in [Voi::Percentile, Voi::Minmax] {
            assert_eq!(shown(&picture, voi), [0, 128, 255], "{voi:?}: {part}");
        }
        assert_eq!(shown(&picture, Voi::None), [0, 4, 8], "{part}");
    }
    // Windows do not apply to colour, so a wrong one stops no colour image.
    let mut colour = Picture { samples: 3, photometric: "RGB", ..Picture::grey(1, 1, 8, vec![255, 255, 255]) };
    colour.texts = windowed(&[], "40", "0").texts;
    assert_eq!(shown(&colour, Voi::Window), [255]);
}

#[test]
fn a_slope_of_zero_is_refused_by_name_wherever_it_stands_and_however_grey_is_chosen() {
    let refused = |picture: &Picture| {
        for voi in [Voi::Window, Voi::Percentile, Voi::Minmax, Voi::None] {
            let error = shown_with(picture, RenderOptions { voi, color: Color::Grey, bit_depth: 8 }).unwrap_err();
            assert!(error.contains("a Rescale Slope of 0, which makes all pixels equal"), "{error}");
        }
    };
    let slope = |picture: &mut Picture, slope: &str| picture.texts.push((0x0028_1053, *b"DS", slope.into()));
    let plain = row(16, &[0, 1000, 2000]);
    for written in ["0", "0.0 ", "-0", "0e3"] {
        for mut picture in [plain.clone(), windowed(&[0, 1000, 2000], "40", "400")] {
            slope(&mut picture, written);
            refused(&picture);
        }
    }
    for groups in [0x5200_9229, 0x5200_9230] {
        let mut picture = plain.clone();
        picture.nested.push((groups, 0x0028_9145, vec![(0x0028_1053, *b"DS", "0".into())]));
        refused(&picture);
    }
    let mut small = plain.clone();
    slope(&mut small, "1e-9");
    assert_eq!(shown(&small, Voi::Minmax), [0, 128, 255]);
    // It does not apply to colour.
    let mut colour = Picture { samples: 3, photometric: "RGB", ..Picture::grey(1, 1, 8, vec![255, 255, 255]) };
    slope(&mut colour, "0");
    assert_eq!(shown(&colour, Voi::Window), [255]);
}

/// dcm4che#1513: what programs write where nobody chose a window.
#[test]
fn a_window_of_centre_0_and_width_1_counts_as_none() {
    for (photometric, expected) in [("MONOCHROME2", [0, 128, 255]), ("MONOCHROME1", [255, 128, 0])] {
        let picture = Picture { photometric, ..windowed(&[1000, 1500, 2000], "0", "1") };
        assert_eq!(shown(&picture, Voi::Window), expected, "{photometric}");
    }
    // A threshold elsewhere is one.
    assert_eq!(shown(&windowed(&[0, 1, 2], "1", "1"), Voi::Window), [0, 255, 255]);
}

#[test]
fn images_that_are_shown_without_any_difference_are_known() {
    let constant = |picture: &Picture, bit_depth, color| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        std::fs::write(&path, picture.file(LITTLE, &[])).unwrap();
        frame(&path, 0, RenderOptions { voi: Voi::Window, color, bit_depth }).unwrap().is_flat()
    };
    let outside = windowed(&[20_000, 30_000, 60_000], "40", "400");
    let red = Picture { samples: 3, photometric: "RGB", ..Picture::grey(1, 2, 8, vec![255, 0, 0, 255, 0, 0]) };
    let mut blue = red.clone();
    blue.values[5] = 9;
    for bit_depth in [8, 16] {
        assert!(constant(&outside, bit_depth, Color::Grey));
        assert!(!constant(&windowed(&[20, 40, 60], "40", "400"), bit_depth, Color::Grey));
        assert!(constant(&red, bit_depth, Color::Rgb));
        assert!(!constant(&blue, bit_depth, Color::Rgb));
    }
}

#[test]
fn photometric_interpretations_are_read_in_any_case() {
    assert_eq!(shown(&Picture { photometric: "monochrome1", ..row(8, &[0, 51, 255]) }, Voi::None), [255, 204, 0]);
    let values = vec![81, 90, 240, 145, 54, 34];
    let written = |photometric| Picture { samples: 3, photometric, ..Picture::grey(1, 2, 8, values.clone()) };
    assert_eq!(shown(&written("ybr_full "), Voi::None), shown(&written("YBR_FULL"), Voi::None));
}

#[test]
fn values_of_unknown_representation_are_read_by_the_dictionary() {
    let plain = windowed(&[824, 1024, 1063, 1064, 1264, 2000], "1064", "400");
    let expected = shown(&plain, Voi::Window);
    let mut unknown = plain.clone();
    unknown.texts.iter_mut().for_each(|element| element.1 = *b"UN");
    assert_eq!(shown(&unknown, Voi::Window), expected);
    let mut padded = Picture { signed: true, ..row(16, &[-2000, 0, 50, 100]) };
    padded.shorts.push((0x0028_0120, *b"UN", vec![-2000_i16 as u16]));
    assert_eq!(shown(&padded, Voi::Minmax), [0, 0, 128, 255]);
    // A sequence that dicom-rs does not look into is not taken for none.
    let mut sequence = plain;
    sequence.texts.push((0x0028_3010, *b"UN", "bytes of a table".into()));
    let error =
        shown_with(&sequence, RenderOptions { voi: Voi::Window, color: Color::Grey, bit_depth: 8 }).unwrap_err();
    assert!(error.contains("(0028,3010) of the value representation UN, expected a sequence"), "{error}");
    assert_eq!(shown(&sequence, Voi::None), shown(&unknown, Voi::None));
    // Its parts count as those of other texts do.
    unknown.texts.push((0x0008_0070, *b"UN", "\\".repeat(1 << 19)));
    let error = shown_with(&unknown, RenderOptions { voi: Voi::Window, color: Color::Grey, bit_depth: 8 }).unwrap_err();
    assert!(error.contains("elements and values"), "{error}");
}

#[test]
fn impossible_attributes_are_refused_by_name() {
    let refused = |picture: Picture, part: &str| {
        let error =
            shown_with(&picture, RenderOptions { voi: Voi::Window, color: Color::Grey, bit_depth: 8 }).unwrap_err();
        assert!(error.contains(part), "{error}");
    };
    refused(Picture { rows: 0, ..row(8, &[0]) }, "0 rows");
    refused(Picture { rows: 60000, columns: 60000, ..row(8, &[0]) }, "at most");
    refused(Picture { samples: 2, ..row(8, &[0, 0]) }, "2 samples per pixel, but MONOCHROME2 has 1");
    refused(Picture { samples: 3, ..row(8, &[0, 0, 0]) }, "3 samples per pixel, but MONOCHROME2 has 1");
    refused(Picture { photometric: "RGB", ..row(8, &[0]) }, "1 samples per pixel, but RGB has 3");
    refused(Picture { allocated: 1, stored: 1, ..row(8, &[0]) }, "1 for Bits Allocated, expected 8, 16 or 32; convert");
    for photometric in ["HSV", "YBR_PARTIAL_422", "CMYK", "RUBBISH"] {
        for samples in [1, 3] {
            let picture = Picture { photometric, samples, ..Picture::grey(1, 1, 8, vec![0; samples.into()]) };
            refused(picture, &format!("photometric interpretation `{photometric}`, which is not read; convert it to"));
        }
    }
    refused(Picture { photometric: "", ..row(8, &[0]) }, "no Photometric Interpretation");
    let mut segmented = Picture { photometric: "PALETTE COLOR", ..row(8, &[0]) };
    segmented.shorts.push((0x0028_1221, *b"OW", vec![0, 1, 0]));
    refused(segmented, "segmented palette, which is not read; convert it to RGB");
    refused(Picture { rows: 9, ..row(8, &[0]) }, "expected 9");
    refused(Picture { frames: 1_000_000, ..row(8, &[0]) }, "1000000 frames");
}
