//! TIFF files with other bands than grey and colours.

use super::*;
use serde_json::json;
use std::io::Cursor;
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::{ColorType, Gray8, RGB8, RGB16};
use tiff::tags::ExtraSamples::{self, AssociatedAlpha, UnassociatedAlpha, Unspecified};

/// A file of 2×2 pixels whose bands all hold `pixel`.
fn file<C: ColorType>(pixel: &[C::Inner], extra: &[ExtraSamples]) -> Vec<u8>
where
    C::Inner: Copy,
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
    let mut image = encoder.new_image::<C>(2, 2).unwrap();
    if !extra.is_empty() {
        image.extra_samples(extra).unwrap();
    }
    image.write_data(&pixel.repeat(4)).unwrap();
    bytes.into_inner()
}

#[test]
fn bands_beside_grey_rgb_and_alpha_are_refused_by_name() {
    for (bytes, part) in [
        (file::<RGB8>(&[1, 2, 3, 4], &[Unspecified]), "4 bands, 1 more than RGB"),
        (file::<RGB8>(&[1, 2, 3, 4, 5, 6], &[Unspecified; 3]), "6 bands, 3 more than RGB"),
        (file::<RGB8>(&[1, 2, 3, 4, 5], &[UnassociatedAlpha, Unspecified]), "5 bands, 2 more than RGB"),
        (file::<RGB16>(&[1, 2, 3, 4], &[Unspecified]), "4 bands, 1 more than RGB"),
        (file::<Gray8>(&[1, 2], &[Unspecified]), "2 bands, 1 more than grey"),
        (file::<Gray8>(&[1, 2], &[UnassociatedAlpha]), "2 bands, 1 more than grey"),
        (file::<Gray8>(&[1, 2, 3, 4, 5], &[Unspecified; 4]), "5 bands, 4 more than grey"),
    ] {
        let folder = Folder::with(&["a.png"]);
        folder.write("b.tif", bytes);
        let samples = folder.samples(json!({ "channels": 3, "bit_depth": 8 }), Split::Train);
        let error = samples.read(&[1]).unwrap_err();
        for part in ["b.tif", part, "grey, RGB, and RGB with alpha are read"] {
            assert!(error.message.contains(part), "`{part}` is not in: {error}");
        }
        let alone = Folder::new();
        fs::copy(folder.root().join("b.tif"), alone.root().join("b.tif")).unwrap();
        alone.refused(json!({}), &["b.tif", part]);
    }
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
