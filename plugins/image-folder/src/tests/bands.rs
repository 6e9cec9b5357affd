//! Images of other channels than grey and colours: TIFF files with further ones, in planes or in pages, and arrays of NumPy.

use super::*;
use serde_json::json;
use std::io::Cursor;
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, Gray32Float, GrayI16, RGB8, RGB16, RGB32Float};
use tiff::tags::ExtraSamples::{self, AssociatedAlpha, UnassociatedAlpha, Unspecified};
use tiff::tags::Tag;

/// A file of 2×2 pixels whose channels are those of `pixel`.
fn file<C: ColorType>(pixel: &[C::Inner], extra: &[ExtraSamples]) -> Vec<u8>
where
    C::Inner: Copy,
    [C::Inner]: tiff::encoder::TiffValue,
{
    pages::<C>(&[(&pixel.repeat(4), (2, 2))], extra, 1)
}

/// A page's values, and its width and height.
type Page<'a, C> = (&'a [<C as ColorType>::Inner], (u32, u32));

/// A file with these pages.
fn pages<C: ColorType>(pages: &[Page<C>], extra: &[ExtraSamples], orientation: u16) -> Vec<u8>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
    for (values, (width, height)) in pages {
        let mut image = encoder.new_image::<C>(*width, *height).unwrap();
        if !extra.is_empty() {
            image.extra_samples(extra).unwrap();
        }
        if orientation != 1 {
            image.encoder().write_tag(Tag::Orientation, orientation).unwrap();
        }
        image.write_data(values).unwrap();
    }
    bytes.into_inner()
}

/// A file of channels in tiles of 16×16 of their own (planar configuration 2), those at the edges filled up with 99.
fn tiled_planes(photometric: u16, (width, height): (u32, u32), planes: &[Vec<u8>]) -> Vec<u8> {
    let (across, down, side) = (width.div_ceil(16), height.div_ceil(16), 16);
    let mut tiles = Vec::new();
    for plane in planes {
        for tile in 0..across * down {
            let (top, left) = (tile / across * side, tile % across * side);
            let value = |at: u32| {
                let (y, x) = (top + at / side, left + at % side);
                if y < height && x < width { plane[(y * width + x) as usize] } else { 99 }
            };
            tiles.push((0..256).map(value).collect::<Vec<u8>>());
        }
    }
    let (channels, count) = (planes.len() as u32, tiles.len() as u32);
    let lists = 8 + 2 + 11 * 12 + 4;
    let (offsets, lengths) = (lists + 2 * channels, lists + 2 * channels + 4 * count);
    let data = lengths + 4 * count;
    let mut bytes = b"II*\0\x08\0\0\0\x0b\0".to_vec();
    for (tag, kind, values, value) in [
        (256, 4u16, 1, width),
        (257, 4, 1, height),
        (258, 3, channels, lists),
        (259, 3, 1, 1),
        (262, 3, 1, photometric.into()),
        (277, 3, 1, channels),
        (284, 3, 1, 2),
        (322, 4, 1, side),
        (323, 4, 1, side),
        (324, 4, count, offsets),
        (325, 4, count, lengths),
    ] {
        let words = [u16::to_le_bytes(tag), kind.to_le_bytes()].concat();
        bytes.extend([words, u32::to_le_bytes(values).to_vec(), value.to_le_bytes().to_vec()].concat());
    }
    bytes.extend([0; 4]);
    (0..channels).for_each(|_| bytes.extend(8u16.to_le_bytes()));
    (0..count).for_each(|tile| bytes.extend((data + 256 * tile).to_le_bytes()));
    (0..count).for_each(|_| bytes.extend(256u32.to_le_bytes()));
    tiles.iter().for_each(|tile| bytes.extend(tile));
    bytes
}

#[test]
fn channels_in_tiles_of_their_own_are_read() {
    for (photometric, channels, size) in [(1, 4, (40, 23)), (1, 6, (16, 16)), (2, 3, (17, 33)), (2, 5, (3, 2))] {
        let area = size.0 * size.1;
        let planes: Vec<Vec<u8>> =
            (0..channels).map(|plane| (0..area).map(|at| (at * 7 + plane * 31) as u8 % 97).collect()).collect();
        let shape = [channels as usize, size.1 as usize, size.0 as usize];
        let values: Vec<u16> = planes.iter().flatten().map(|value| (*value).into()).collect();
        let read = read("a.tif", tiled_planes(photometric, size, &planes), json!({}));
        assert!(read == (shape, 8, values), "{photometric} {channels} {size:?}");
    }
    // Cut off in the last tile.
    let folder = Folder::new();
    let bytes = tiled_planes(1, (20, 20), &vec![vec![1; 400]; 4]);
    folder.write("a.tif", &bytes[..bytes.len() - 250]);
    let error = folder.samples(json!({}), Split::Train).read(&[0]).unwrap_err();
    assert!(error.message.contains("a.tif") && !error.message.contains("panicked"), "{error}");
    folder.write("a.tif", tiled_planes(5, (20, 20), &vec![vec![1; 400]; 4]));
    folder.refused(json!({}), &["a.tif", "CMYK, 4 channels of 8 bits", "save it as grey or RGB", "tiles of their own"]);
}

/// The same array, said to be stored column by column.
fn column_major(array: Vec<u8>) -> Vec<u8> {
    let (from, to) = (b"'fortran_order': False", b"'fortran_order': True ");
    let at = array.windows(from.len()).position(|part| part == from).unwrap();
    [&array[..at], to, &array[at + from.len()..]].concat()
}

/// A file of one strip a channel (planar configuration 2), in either byte order.
fn planes(is_big: bool, width: u16, height: u16, planes: &[&[u8]]) -> Vec<u8> {
    let short = |value: u16| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
    let (count, entries) = (planes.len(), 10);
    let lists = 8 + 2 + entries * 12 + 4;
    let data = lists + count * (2 + 2 + 4 + 4);
    let size = planes[0].len();
    let mut bytes = Vec::new();
    bytes.extend(if is_big { b"MM" } else { b"II" });
    bytes.extend(short(42));
    bytes.extend(long(8));
    bytes.extend(short(entries as u16));
    let mut tag = |tag: u16, kind: u16, values: usize, value: [u8; 4]| {
        bytes.extend([short(tag), short(kind)].concat());
        bytes.extend(long(values as u32));
        bytes.extend(value);
    };
    let one = |value: u16| [short(value), [0; 2]].concat().try_into().unwrap();
    let at = |of: usize| long((lists + count * of) as u32);
    tag(256, 3, 1, one(width));
    tag(257, 3, 1, one(height));
    tag(258, 3, count, at(0));
    tag(259, 3, 1, one(1));
    tag(262, 3, 1, one(2));
    tag(273, 4, count, at(4));
    tag(277, 3, 1, one(count as u16));
    tag(279, 4, count, at(8));
    tag(284, 3, 1, one(2));
    tag(338, 3, 2, [short(0), short(0)].concat().try_into().unwrap());
    bytes.extend(long(0));
    bytes.extend(short(8).repeat(count));
    bytes.extend(short(1).repeat(count));
    bytes.extend((0..count).flat_map(|plane| long((data + plane * size) as u32)));
    bytes.extend(long(size as u32).repeat(count));
    bytes.extend(planes.concat());
    bytes
}

/// A `.npy` file, version 1.
fn array(kind: &str, shape: &str, values: impl AsRef<[u8]>) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.as_ref());
    bytes
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Channels, height, width, bits and values of the only image.
fn read(name: &str, bytes: impl AsRef<[u8]>, options: Value) -> ([usize; 3], u8, Vec<u16>) {
    let folder = Folder::new();
    folder.write(name, bytes);
    let card = folder.card(options.clone());
    let image = folder.samples(options, Split::Train).read(&[0]).unwrap().remove(0);
    assert_eq!((card.channels, card.bit_depth), (image.channels, image.bit_depth));
    let values = match image.bit_depth {
        8 => image.data.iter().map(|value| u16::from(*value)).collect(),
        _ => image.data.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two)).collect(),
    };
    ([image.channels, image.height, image.width], image.bit_depth, values)
}

#[test]
fn tiff_files_keep_every_channel() {
    let of_four = |channels: &[u16]| channels.iter().flat_map(|value| [*value; 4]).collect::<Vec<_>>();
    for (bytes, bits, channels) in [
        (file::<RGB8>(&[1, 2, 3, 4], &[Unspecified]), 8, &[1, 2, 3, 4][..]),
        (file::<RGB8>(&[1, 2, 3, 4, 5, 6], &[Unspecified; 3]), 8, &[1, 2, 3, 4, 5, 6]),
        (file::<RGB8>(&[1, 2, 3, 4, 5], &[UnassociatedAlpha, Unspecified]), 8, &[1, 2, 3, 4, 5]),
        (file::<RGB16>(&[1, 2, 3, 4000], &[Unspecified]), 16, &[1, 2, 3, 4000]),
        (file::<Gray8>(&[1, 2], &[Unspecified]), 8, &[1, 2]),
        (file::<Gray8>(&[1, 2, 3, 4, 5], &[Unspecified; 4]), 8, &[1, 2, 3, 4, 5]),
        (file::<Gray16>(&(1..=13).collect::<Vec<u16>>(), &[Unspecified; 12]), 16, &(1..=13).collect::<Vec<u16>>()),
    ] {
        assert_eq!(read("a.tif", bytes, json!({})), ([channels.len(), 2, 2], bits, of_four(channels)));
    }
}

#[test]
fn alpha_beside_grey_lies_over_black_unless_two_channels_are_asked_for() {
    // 200 · 128 / 255 = 100.39.
    let bytes = file::<Gray8>(&[200, 128], &[UnassociatedAlpha]);
    assert_eq!(read("a.tif", &bytes, json!({})), ([1, 2, 2], 8, vec![100; 4]));
    assert_eq!(read("a.tif", &bytes, json!({ "channels": 2 })).2, [[200; 4], [128; 4]].concat());
    let picture = image::RgbaImage::from_pixel(1, 1, image::Rgba([10, 20, 30, 51]));
    let png = encoded(&picture.into(), ImageFormat::Png);
    assert_eq!(read("a.png", &png, json!({})).2, [2, 4, 6]);
    assert_eq!(read("a.png", &png, json!({ "channels": 4 })), ([4, 1, 1], 8, vec![10, 20, 30, 51]));
    assert_eq!(read("a.png", &png, json!({ "bands": [4] })).2, [51]);
}

#[test]
fn planes_and_pages_are_channels() {
    let values: [&[u8]; 5] = [&[1, 2, 3, 4, 5, 6], &[11, 12, 13, 14, 15, 16], &[21; 6], &[31; 6], &[41; 6]];
    let all: Vec<u16> = values.concat().into_iter().map(u16::from).collect();
    for is_big in [false, true] {
        let bytes = planes(is_big, 3, 2, &values);
        assert_eq!(read("a.tif", bytes, json!({})), ([5, 2, 3], 8, all.clone()));
    }
    // A page of another size is no channel: a smaller copy, a label.
    let size = (3, 2);
    let bytes = pages::<Gray8>(&[(values[0], size), (values[1], size), (&[9], (1, 1)), (values[2], size)], &[], 1);
    let asked = json!({ "pages": "channels" });
    assert_eq!(read("a.tif", &bytes, asked.clone()), ([3, 2, 3], 8, all[..18].to_vec()));
    assert_eq!(read("a.tif", &bytes, json!({ "bands": [2], "pages": "channels" })).2, all[6..12]);
    assert_eq!(read("a.tif", &bytes, json!({})), ([1, 2, 3], 8, all[..6].to_vec()));
    let wide: [&[u16]; 2] = [&[1000; 6], &[2000; 6]];
    let bytes = pages::<Gray16>(&[(wide[0], size), (wide[1], size)], &[], 1);
    assert_eq!(read("a.tif", bytes, asked.clone()), ([2, 2, 3], 16, wide.concat()));
    let folder = Folder::new();
    folder.write("a.tif", pages::<RGB8>(&[(&[0; 18], size), (&[0; 18], size)], &[], 1));
    folder.refused(asked, &["a.tif", "on each page", "dataset.options.pages"]);
}

#[test]
fn the_orientation_of_many_channels_is_honoured() {
    // Rows `123` and `456` turned to the right: 4 1, 5 2, 6 3.
    let pixels: Vec<u8> = (1..=6).flat_map(|value| [value, 10 * value]).collect();
    let bytes = pages::<Gray8>(&[(&pixels, (3, 2))], &[Unspecified], 6);
    let expected: [u16; 6] = [4, 1, 5, 2, 6, 3];
    let shown: Vec<u16> = expected.into_iter().chain(expected.map(|value| 10 * value)).collect();
    assert_eq!(read("a.tif", bytes, json!({})), ([2, 3, 2], 8, shown));
}

#[test]
fn values_of_other_kinds_need_a_range() {
    // (0.5 + 1) / 2 = 0.75 → 49151.25; 0 → 32767.5; both ends; outside.
    let expected = [0, 32_768, 49_151, 65_535, 65_535];
    let values = [-1.0, 0.0, 0.5, 1.0, 7.0];
    let tiff = pages::<Gray32Float>(&[(&values, (5, 1))], &[], 1);
    let range = json!({ "value_range": [-1, 1] });
    assert_eq!(read("a.tif", &tiff, range.clone()), ([1, 1, 5], 16, expected.to_vec()));
    // Of 8 bits: / 257 and rounded.
    let narrow = json!({ "value_range": [-1, 1], "bit_depth": 8 });
    assert_eq!(read("a.tif", &tiff, narrow), ([1, 1, 5], 8, vec![0, 128, 191, 255, 255]));
    assert_eq!(read("a.npy", array("<f4", "(1, 5)", floats(&values)), range).2, expected);
    let signed = pages::<GrayI16>(&[(&[-1000, 0, 3000], (3, 1))], &[], 1);
    assert_eq!(read("a.tif", &signed, json!({ "value_range": [-1000, 3000] })).2, [0, 16_384, 65_535]);
    // Unsigned values are stretched where a range is given: twelve bits, an eighth of a reflectance.
    let twelve = encoded(
        &image::DynamicImage::ImageLuma16(image::ImageBuffer::from_raw(2, 1, vec![0, 4095]).unwrap()),
        ImageFormat::Png,
    );
    assert_eq!(read("a.png", &twelve, json!({})).2, [0, 4095]);
    assert_eq!(read("a.png", &twelve, json!({ "value_range": [0, 4095] })).2, [0, 65_535]);
    // A range for each channel, of those that are chosen.
    let colours = file::<RGB32Float>(&[0.5, 5.0, -50.0], &[]);
    let each = json!({ "value_range": [[0, 1], [0, 10], [-100, 0]] });
    assert_eq!(read("a.tif", &colours, each), ([3, 2, 2], 16, vec![32_768; 12]));
    let chosen = json!({ "bands": [3, 1], "value_range": [[-100, 0], [0, 2]] });
    assert_eq!(read("a.tif", &colours, chosen).2, [[32_768; 4], [16_384; 4]].concat());
    for (bytes, parts) in [
        (&tiff, ["a.tif", "float32", "value_range", "(this image has -1 to 7)"]),
        (&signed, ["a.tif", "int16", "value_range", "(this image has -1000 to 3000)"]),
    ] {
        let folder = Folder::new();
        folder.write("a.tif", bytes);
        folder.refused(json!({}), &parts);
    }
    let folder = Folder::new();
    folder.write("a.npy", array("<f4", "(1, 3)", floats(&[0.0, f32::NAN, 1.0])));
    let error = folder.samples(json!({ "value_range": [0, 1] }), Split::Train).read(&[0]).unwrap_err();
    assert!(error.message.contains("a.npy: channel 1") && error.message.contains("row 0, column 1"), "{error}");
}

#[test]
fn arrays_of_numpy_are_images_where_there_are_no_others() {
    let values: Vec<u8> = (0..24).collect();
    let planar: Vec<u16> = (0..24).collect();
    let interleaved: Vec<u16> = (0..2).flat_map(|channel| (0..12).map(move |pixel| 2 * pixel + channel)).collect();
    assert_eq!(read("a.npy", array("|u1", "(2, 3, 4)", &values), json!({})), ([2, 3, 4], 8, planar.clone()));
    assert_eq!(read("a.npy", array("|u1", "(3, 4, 2)", &values), json!({})), ([2, 3, 4], 8, interleaved));
    let last = json!({ "layout": "channels_last" });
    assert_eq!(read("a.npy", array("|u1", "(2, 3, 4)", &values), last).0, [4, 2, 3]);
    let big: Vec<u8> = [1u16, 500, 3, 4].iter().flat_map(|value| value.to_be_bytes()).collect();
    assert_eq!(read("a.npy", array(">u2", "(2, 2)", big), json!({})), ([1, 2, 2], 16, vec![1, 500, 3, 4]));
    // numpy.asfortranarray(numpy.arange(24, dtype='u1').reshape(2, 3, 4))
    let columns = [0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23];
    let by_columns = column_major(array("|u1", "(2, 3, 4)", columns));
    assert_eq!(read("a.npy", &by_columns, json!({})), ([2, 3, 4], 8, planar.clone()));
    // numpy.array([[-1, 0, 0.5], [1, 7, 0.1]], dtype='f2'); 0.1 is 0.0999755859375 there, (1 + that) / 2 · 65535 = 36 043.4.
    let halves: Vec<u8> =
        [0xBC00_u16, 0, 0x3800, 0x3C00, 0x4700, 0x2E66].iter().flat_map(|half| half.to_le_bytes()).collect();
    let half = array("<f2", "(2, 3)", &halves);
    let range = json!({ "value_range": [-1, 1] });
    assert_eq!(read("a.npy", &half, range), ([1, 2, 3], 16, vec![0, 32_768, 49_151, 65_535, 65_535, 36_043]));
    let folder = Folder::new();
    folder.write("a.npy", half);
    folder.refused(json!({}), &["a.npy", "float32", "value_range", "(this image has -1 to 7)"]);
    let folder = Folder::new();
    for class in ["a", "b"] {
        folder.write(&format!("{class}/1.npy"), array("|u1", "(2, 3, 4)", &values));
    }
    assert_eq!(folder.ids(json!({}), Split::Train), ["a/1.npy", "b/1.npy"]);
    // Beside a picture, an array is something else.
    folder.grey("a/1.png", 1);
    folder.grey("b/1.png", 2);
    assert_eq!(folder.ids(json!({}), Split::Train), ["a/1.png", "b/1.png"]);
}

#[test]
fn images_of_different_channels_are_refused_with_both_names() {
    let folder = Folder::with(&["a.png"]);
    folder.write("b.tif", file::<Gray8>(&[1, 2, 3, 4, 5], &[Unspecified; 4]));
    folder.refused(json!({}), &["b.tif has 5 channels", "a.png has 1", "dataset.options.bands"]);
    let asked = folder.samples(json!({ "channels": 5 }), Split::Train);
    assert_eq!(asked.read(&[1]).unwrap()[0].data.len(), 20);
    let error = asked.read(&[0]).unwrap_err();
    assert!(error.message.contains("a.png: it has 1 channels, expected 5"), "{error}");
    let bands = folder.samples(json!({ "bands": [5, 2] }), Split::Train);
    assert_eq!(bands.read(&[1]).unwrap()[0].data, [5, 5, 5, 5, 2, 2, 2, 2]);
    let error = bands.read(&[0]).unwrap_err();
    assert!(error.message.contains("a.png: it has 1 channels") && error.message.contains("channel 5"), "{error}");
}

#[test]
fn options_of_channels_that_cannot_be_are_named() {
    let folder = Folder::with(&["a.png"]);
    for (options, parts) in [
        (json!({ "channels": 0 }), ["`channels` = 0", "1 to 4096"]),
        (json!({ "bands": [0] }), ["`bands` names channel 0", "1 to 4096"]),
        (json!({ "bands": [1, 2], "channels": 3 }), ["`channels` = 3", "`bands` names 2"]),
        (json!({ "value_range": [1, 0] }), ["`value_range`", "the smaller one first"]),
        (json!({ "value_range": [[0, 1], [0, 2]] }), ["2 ranges", "1 channels"]),
        (json!({ "layout": "first" }), ["layout", "channels_first"]),
        (json!({ "pages": "all" }), ["pages", "channels"]),
    ] {
        folder.refused(options, &parts);
    }
}

#[test]
fn what_a_tiff_file_holds_beside_grey_and_rgb_is_refused_by_name_where_it_is_not_read() {
    let mut white = file::<Gray8>(&[1, 2], &[Unspecified]);
    let at = white.windows(12).position(|entry| entry[..4] == [6, 1, 3, 0]).unwrap();
    white[at + 8] = 0;
    let folder = Folder::new();
    folder.write("a.tif", white);
    folder.refused(json!({}), &["a.tif", "2 channels", "white is zero"]);
}

#[test]
fn colours_that_were_multiplied_by_alpha_are_not_multiplied_again() {
    for (extra, expected) in [(UnassociatedAlpha, [2, 4, 6]), (AssociatedAlpha, [10, 20, 30])] {
        let folder = Folder::new();
        folder.write("a.tif", file::<RGB8>(&[10, 20, 30, 51], &[extra]));
        let image = folder.samples(json!({}), Split::Train).read(&[0]).unwrap().remove(0);
        assert_eq!(image.data, expected.map(|value| [value; 4]).concat(), "{extra:?}");
    }
    let folder = Folder::new();
    folder.write("a.tif", file::<RGB16>(&[1000, 2000, 3000, 6553], &[AssociatedAlpha]));
    let image = folder.samples(json!({}), Split::Train).read(&[0]).unwrap().remove(0);
    assert_eq!((image.bit_depth, image.data[..2].to_vec()), (16, 1000u16.to_le_bytes().to_vec()));
}
