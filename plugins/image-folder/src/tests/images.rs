//! Formats, orientation, alpha, grey and colour, 16 bits.

use super::*;
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, GrayAlphaImage, ImageBuffer, ImageEncoder, LumaA, Rgba, RgbaImage};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use selfsame_plugin_api::Image;
use serde_json::json;

/// Reads one file of these bytes.
fn read(bytes: &[u8], options: Value) -> Result<Image, PluginError> {
    let folder = Folder::new();
    folder.write("image.png", bytes);
    Ok(folder.read(options)?.open(Split::Train)?.read(&[0])?.remove(0))
}

fn words(image: &Image) -> Vec<u16> {
    image.data.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// An uncompressed TIFF file of one strip; `photometric` 0 is white is zero, 1 black is zero, 2 RGB.
fn tiff(width: u32, height: u32, bits: u32, photometric: u32, orientation: u32, data: &[u8]) -> Vec<u8> {
    let channels = if photometric == 2 { 3 } else { 1 };
    let tags = [
        (256, width),
        (257, height),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, 8 + 2 + 10 * 12 + 4),
        (274, orientation),
        (277, channels),
        (278, height),
        (279, data.len() as u32),
    ];
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((tags.len() as u16).to_le_bytes());
    for (tag, value) in tags {
        bytes.extend((tag as u16).to_le_bytes());
        bytes.extend(4u16.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(data);
    bytes
}

/// EXIF with an orientation only.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    bytes.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn every_format_gives_its_pixels() {
    let colours = RgbImage::from_fn(3, 2, |x, y| Rgb([(x * 100) as u8, (y * 90) as u8, 7]));
    let planar = [0, 100, 200, 0, 100, 200, 0, 0, 0, 90, 90, 90, 7, 7, 7, 7, 7, 7];
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Bmp] {
        let image = read(&encoded(&colours.clone().into(), format), json!({})).unwrap();
        assert_eq!((image.channels, image.height, image.width, image.bit_depth), (3, 2, 3, 8), "{format:?}");
        assert_eq!(image.data, planar, "{format:?}");
    }
}

/// A JPEG file that Pillow 13 wrote: 16×8, pixel (x, y) is (15 x, 30 y, 2 x y), quality 60, chroma at half size.
const PILLOW_JPEG: &[u8] = include_bytes!("pillow.jpg");
/// Row 3 of what Pillow decodes it to; R, G and B of each pixel.
const PILLOW_ROW: &[u8] = include_bytes!("pillow_row.bin");

#[test]
fn a_jpeg_file_gives_pillows_pixels_within_three_levels() {
    let image = read(PILLOW_JPEG, json!({})).unwrap();
    assert_eq!((image.channels, image.height, image.width), (3, 8, 16));
    for channel in 0..3 {
        for x in 0..16 {
            let found = i32::from(image.data[channel * 128 + 3 * 16 + x]);
            let expected = i32::from(PILLOW_ROW[x * 3 + channel]);
            assert!((found - expected).abs() <= 3, "channel {channel}, column {x}: {found}, expected {expected}");
        }
    }
}

/// What is seen of the rows `abc` and `def` under each orientation of EXIF 2.32, section 4.6.4.
const SEEN: [(u8, [&str; 3]); 8] = [
    (1, ["abc", "def", ""]),
    (2, ["cba", "fed", ""]),
    (3, ["fed", "cba", ""]),
    (4, ["def", "abc", ""]),
    (5, ["ad", "be", "cf"]),
    (6, ["da", "eb", "fc"]),
    (7, ["fc", "eb", "da"]),
    (8, ["cf", "be", "ad"]),
];

#[test]
fn the_orientation_is_honoured_in_every_format_that_has_one() {
    for (orientation, rows) in SEEN {
        let expected = rows.concat();
        let width = rows[0].len();
        let check = |name: &str, bytes: &[u8], cell: usize| {
            let image = read(bytes, json!({ "channels": 1 })).unwrap();
            assert_eq!((image.width, image.height), (width * cell, 6 / width * cell), "{name} {orientation}");
            let letters: String = (0..6)
                .map(|at| {
                    let (row, column) = (at / width * cell + cell / 2, at % width * cell + cell / 2);
                    char::from(b'a' + (f32::from(image.data[row * image.width + column]) / 40.0).round() as u8)
                })
                .collect();
            assert_eq!(letters, expected, "{name} {orientation}");
        };
        let small: Vec<u8> = (0..6).map(|at| at * 40).collect();
        let mut png = Vec::new();
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&small, 3, 2, ExtendedColorType::L8).unwrap();
        check("PNG", &png, 1);
        check("TIFF", &tiff(3, 2, 8, 1, orientation.into(), &small), 1);
        let colours: Vec<u8> = small.iter().flat_map(|value| [*value; 3]).collect();
        let mut webp = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&colours, 3, 2, ExtendedColorType::Rgb8).unwrap();
        check("WebP", &webp, 1);
        let large: Vec<u8> = (0..48 * 32).map(|at| small[at / 48 / 16 * 3 + at % 48 / 16]).collect();
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&large, 48, 32, ExtendedColorType::L8).unwrap();
        check("JPEG", &jpeg, 16);
    }
}

#[test]
fn a_rotated_file_has_the_size_that_is_seen() {
    let folder = Folder::new();
    folder.write("a.tif", tiff(3, 2, 8, 1, 6, &[0; 6]));
    assert_eq!(folder.card(json!({})).nominal_size, (3, 2));
    let facts = folder.samples(json!({}), Split::Train).facts(0).unwrap();
    let expected =
        [("format", "Tiff"), ("size", "2×3"), ("bit depth", "8"), ("colour type", "grey"), ("orientation", "6")];
    for (name, value) in expected {
        assert_eq!(facts[name], value);
    }
}

#[test]
fn grey_files_are_repeated_and_grey_is_seen_in_colour_files() {
    let folder = Folder::with(&["a.png"]);
    folder.colour("b.png", [9, 9, 9]);
    assert_eq!(folder.card(json!({})).channels, 1);
    assert_eq!(folder.samples(json!({}), Split::Train).read(&[1]).unwrap()[0].data, [9; 4]);
    folder.colour("c.png", [10, 20, 30]);
    assert_eq!(folder.card(json!({})).channels, 3);
    let images = folder.samples(json!({}), Split::Train).read(&[0, 2]).unwrap();
    assert_eq!(images[0].data, [0; 12]);
    assert_eq!(images[1].data, [10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 30]);
    // 0.299·10 + 0.587·20 + 0.114·30 = 18.15
    assert_eq!(folder.samples(json!({ "channels": 1 }), Split::Train).read(&[2]).unwrap()[0].data, [18; 4]);
}

#[test]
fn a_file_that_does_not_fit_what_was_decided_is_an_error_with_its_name() {
    let folder = Folder::new();
    let grey = encoded(&GrayImage::new(1, 1).into(), ImageFormat::Png);
    for number in 0..600 {
        folder.write(&format!("{number:03}.png"), &grey);
    }
    // With 600 files, every second or third header is looked at; 001 is not.
    folder.colour("001.png", [1, 2, 3]);
    folder.image("003.png", DynamicImage::ImageLuma16(ImageBuffer::new(1, 1)), ImageFormat::Png);
    let samples = folder.samples(json!({}), Split::Train);
    for (index, parts) in [(1, ["001.png", "coloured", "channels"]), (3, ["003.png", "16 bits", "bit_depth"])] {
        let error = samples.read(&[index]).unwrap_err();
        assert!(parts.iter().all(|part| error.message.contains(part)), "{error}");
        assert!(error.message.contains(&format!("sample {index}")), "{error}");
    }
    let samples = folder.samples(json!({ "channels": 1, "bit_depth": 8 }), Split::Train);
    assert!(samples.read(&[1, 3]).is_ok());
}

#[test]
fn alpha_lies_over_black_in_files_too() {
    let grey = GrayAlphaImage::from_pixel(1, 1, LumaA([200, 128]));
    assert_eq!(read(&encoded(&grey.into(), ImageFormat::Png), json!({})).unwrap().data, [100]);
    let colour = RgbaImage::from_pixel(1, 1, Rgba([10, 20, 30, 51]));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        assert_eq!(read(&encoded(&colour.clone().into(), format), json!({})).unwrap().data, [2, 4, 6], "{format:?}");
    }
}

#[test]
fn sixteen_bits_are_kept_unless_eight_are_asked_for() {
    let wide = DynamicImage::ImageLuma16(ImageBuffer::from_raw(3, 1, vec![0u16, 4095, 65535]).unwrap());
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let image = read(&encoded(&wide, format), json!({})).unwrap();
        assert_eq!((image.bit_depth, words(&image)), (16, vec![0, 4095, 65535]), "{format:?}");
        // 4095 / 257 = 15.93
        let image = read(&encoded(&wide, format), json!({ "bit_depth": 8 })).unwrap();
        assert_eq!((image.bit_depth, image.data), (8, vec![0, 16, 255]), "{format:?}");
    }
    let narrow = encoded(&GrayImage::from_pixel(1, 1, Luma([2])).into(), ImageFormat::Png);
    assert_eq!(words(&read(&narrow, json!({ "bit_depth": 16 })).unwrap()), [514]);
}

#[test]
fn white_is_zero_is_turned_round() {
    let file = tiff(2, 1, 8, 0, 1, &[0, 255]);
    assert_eq!(read(&file, json!({})).unwrap().data, [255, 0]);
    let file = tiff(2, 1, 16, 0, 1, &[0, 0, 0xFF, 0xFF]);
    assert_eq!(words(&read(&file, json!({})).unwrap()), [65535, 0]);
}

/// A progressive file with a thumbnail in a segment, and a baseline one with restart markers; both with fill bytes.
fn whole_jpegs() -> [Vec<u8>; 2] {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let noise: DynamicImage = RgbImage::from_fn(48, 40, |_, _| Rgb(random.random())).into();
    let thumbnail = encoded(&noise, ImageFormat::Jpeg);
    [true, false].map(|is_progressive| {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
        encoder.set_progressive(is_progressive);
        match is_progressive {
            true => encoder.add_app_segment(2, thumbnail.clone()).unwrap(),
            false => encoder.set_restart_interval(2),
        }
        encoder.encode(noise.as_bytes(), 48, 40, jpeg_encoder::ColorType::Rgb).unwrap();
        bytes.splice(2..2, [0xFF, 0xFF]);
        bytes
    })
}

#[test]
fn what_follows_a_jpeg_image_does_not_matter() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for whole in whole_jpegs() {
        let expected = read(&whole, json!({})).unwrap().data;
        for _ in 0..20 {
            let mut film = vec![0; 20_000];
            random.fill_bytes(&mut film);
            // A scan without an end marker behind it.
            film.extend([0xFF, 0xDA, 0]);
            let image = read(&[whole.as_slice(), &film].concat(), json!({})).unwrap();
            assert_eq!(image.data, expected);
        }
        // Two images in one file, the second one cut.
        assert_eq!(read(&[&whole, &whole[..whole.len() / 2]].concat(), json!({})).unwrap().data, expected);
    }
}

#[test]
fn a_jpeg_image_that_ends_early_is_refused_wherever_it_is_cut() {
    for whole in whole_jpegs() {
        let folder = Folder::with(&["a.png"]);
        for end in 4..whole.len() {
            folder.write(&format!("cut/{end:06}.jpg"), &whole[..end]);
        }
        let samples = folder.samples(json!({ "unlabelled": true, "channels": 3 }), Split::Train);
        assert!(samples.len() > 1000, "{} files", samples.len());
        for index in 1..samples.len() {
            assert!(samples.read(&[index]).is_err(), "{} of {} bytes", index + 3, whole.len());
        }
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    let folder = Folder::with(&["a.png"]);
    let mut dicom = vec![0; 128];
    dicom.extend(b"DICM\x02\0\0\0UL\x04\0");
    folder.write("b.png", &dicom);
    folder.write("c.tif", b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0");
    folder.write("d.tif", b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10");
    folder.write("e.dcm", &dicom);
    let samples = folder.samples(json!({}), Split::Train);
    assert_eq!(samples.len(), 4);
    for (index, parts) in [(1, ["b.png", "DicomFolder"]), (2, ["c.tif", "BigTIFF"]), (3, ["d.tif", "BigTIFF"])] {
        let error = samples.read(&[index]).unwrap_err();
        assert!(parts.iter().all(|part| error.message.contains(part)), "{error}");
    }
    folder.write("list.csv", "path\ne.dcm\n");
    folder.refused(json!({ "csv": "list.csv" }), &["e.dcm", "DicomFolder"]);
    let folder = Folder::new();
    folder.write("a/1.dcm", &dicom);
    folder.write("a/2", &dicom);
    folder.refused(json!({}), &[folder.root().to_str().unwrap(), "2 DICOM files", "DicomFolder"]);
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let whole = encoded(&GrayImage::from_fn(40, 40, |x, y| Luma([(x * y) as u8])).into(), ImageFormat::Jpeg);
    let folder = Folder::with(&["a.png"]);
    folder.write("b.png", &whole[..whole.len() - 60]);
    folder.write("c.png", "not an image");
    folder.write("d.png", "");
    folder.write("e.gif", b"GIF89a\x01\0\x01\0\0\0\0;");
    folder.write("f.png", &encoded(&GrayImage::new(40, 40).into(), ImageFormat::Png)[..50]);
    folder.write("g.tif", tiff(64, 64, 8, 1, 1, &[0; 64]));
    let samples = folder.samples(json!({}), Split::Train);
    assert_eq!(samples.len(), 6, "a GIF is not among the formats");
    for (index, parts) in [
        (1, ["sample 1", "b.png", "truncated"]),
        (2, ["sample 2", "c.png", "no PNG, JPEG, TIFF, WebP, BMP or NumPy"]),
        (3, ["sample 3", "d.png", "empty"]),
        (4, ["sample 4", "f.png", ""]),
        (5, ["sample 5", "g.tif", ""]),
    ] {
        let error = samples.read(&[0, index]).unwrap_err();
        assert!(parts.iter().all(|part| error.message.contains(part)), "{error}");
    }
    let float = DynamicImage::ImageRgb32F(ImageBuffer::new(1, 1));
    let folder = Folder::with(&["a.png"]);
    folder.image("b.tif", float, ImageFormat::Tiff);
    let error = folder.samples(json!({ "bit_depth": 8 }), Split::Train).read(&[1]).unwrap_err();
    assert!(
        error.message.contains("b.tif") && error.message.contains("float32") && error.message.contains("value_range"),
        "{error}"
    );
}
