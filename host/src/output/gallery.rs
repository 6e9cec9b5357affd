//! What the embeddings look like, in the run's folder: `gallery.json`, and `gallery.png` with small copies of the images in rows of
//! [`COLUMNS`].

use super::picture::Picture;
use crate::error::Error;
use crate::regular_file;
use crate::run::files::{GALLERY_FILE, GALLERY_IMAGES};
use crate::storage::{Disk, Naming, remove_if_there, write_atomically};
use crate::train::gallery::{Gallery, Thumbnails};
use std::path::Path;

/// Copies in a row.
pub(super) const COLUMNS: usize = 24;

/// What the page draws.
pub(super) struct Drawn {
    /// Map and neighbours.
    pub gallery: Gallery,
    /// `gallery.png`, its width and height; none where there is to be none.
    pub images: Option<(Vec<u8>, [u32; 2])>,
}

/// Writes both files; without images, one of an earlier attempt is removed.
///
/// # Errors
/// Files that cannot be written.
pub(super) fn write(run_dir: &Path, gallery: &Gallery) -> Result<(), Error> {
    let (path, images) = (run_dir.join(GALLERY_FILE), run_dir.join(GALLERY_IMAGES));
    match &gallery.thumbnails {
        Some(thumbnails) => {
            let png = sheet(thumbnails).to_png().naming("write", &images)?;
            write_atomically(&Disk, &images, &png)?;
        }
        None => remove_if_there(&images)?,
    }
    let json = serde_json::to_string(gallery).map_err(|error| Error::data(format!("{}: {error}", path.display())))?;
    Ok(write_atomically(&Disk, &path, json.as_bytes())?)
}

/// All copies on one sheet.
fn sheet(Thumbnails { width, height, rgb }: &Thumbnails) -> Picture {
    let count = rgb.len() / (3 * width * height).max(1);
    let mut sheet = Picture::new(COLUMNS * width, count.div_ceil(COLUMNS).max(1) * height, [255; 3]);
    for (at, copy) in rgb.chunks_exact((3 * width * height).max(1)).enumerate() {
        let copy = Picture { width: *width, height: *height, rgb: copy.to_vec() };
        sheet.paste(&copy, at % COLUMNS * width, at / COLUMNS * height, 1);
    }
    sheet
}

/// What a run has of it; none where it has none, as before the end of training.
///
/// # Errors
/// Files that cannot be read or hold something else.
pub(super) fn read(run_dir: &Path) -> Result<Option<Drawn>, Error> {
    let (path, images) = (run_dir.join(GALLERY_FILE), run_dir.join(GALLERY_IMAGES));
    if !path.exists() {
        return Ok(None);
    }
    let wrong = |what: &dyn std::fmt::Display| Error::data(format!("{}: {what}; remove the file", path.display()));
    let text = regular_file::read_text(&path).naming("read", &path)?;
    let gallery: Gallery = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let count = gallery.points.len();
    if let Some(query) = gallery.queries.iter().find(|query| query.point >= count) {
        return Err(wrong(&format!("it has {count} points, and neighbours of point {}", query.point)));
    }
    let images = match images.exists() {
        true => {
            let png = regular_file::read(&images).naming("read", &images)?;
            let size = size(&png).ok_or_else(|| Error::data(format!("{}: no PNG file", images.display())))?;
            Some((png, size))
        }
        false => None,
    };
    Ok(Some(Drawn { gallery, images }))
}

/// Width and height of a PNG file (its specification, §11.2.1).
fn size(png: &[u8]) -> Option<[u32; 2]> {
    let number = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    if !png.starts_with(b"\x89PNG\r\n\x1a\n") {
        return None;
    }
    Some([number(16)?, number(20)?])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::train::gallery::{Point, Query, Shown};

    /// Three images of two classes, one with a neighbour of the other class.
    pub fn example() -> Gallery {
        let image = |index, class| Shown { index, class: Some(class) };
        let point = |index, class, place| Point { image: image(index, class), pca: place, t_sne: place };
        Gallery {
            epoch: 8,
            split: "val".into(),
            classes: vec!["<cat>".into(), "dog".into()],
            points: vec![point(4, 0, [0.0, 1.0]), point(7, 1, [2.0, 3.0]), point(9, 1, [-1.0, 0.5])],
            queries: vec![Query { point: 1, neighbours: vec![(image(30, 1), 0.95), (image(31, 0), 0.5)] }],
            features: vec![0.0, 0.5, 1.0, -0.25, 12345.678, 3.0],
            thumbnails: Some(Thumbnails { width: 2, height: 1, rgb: (0..30).collect() }),
        }
    }

    #[test]
    fn what_is_written_is_read_and_pictures_go_where_they_are_not_wanted() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().is_none());
        let gallery = example();
        write(dir.path(), &gallery).unwrap();
        let drawn = read(dir.path()).unwrap().unwrap();
        assert_eq!(drawn.gallery, Gallery { thumbnails: None, features: Vec::new(), ..gallery.clone() });
        let (png, size) = drawn.images.unwrap();
        assert_eq!(size, [2 * COLUMNS as u32, 1]);
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut rgb).unwrap();
        assert_eq!(rgb[..30], (0..30).collect::<Vec<u8>>());
        write(dir.path(), &Gallery { thumbnails: None, ..gallery }).unwrap();
        assert!(read(dir.path()).unwrap().unwrap().images.is_none());
        std::fs::write(dir.path().join(GALLERY_FILE), "{}").unwrap();
        assert!(read(dir.path()).err().unwrap().to_string().contains("gallery.json"));
    }
}
