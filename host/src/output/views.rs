//! Images beside their random views, for the run's page: `views.json` in the run's folder.

use super::contact_sheet::Sheet;
use super::picture::Picture;
use crate::error::Error;
use crate::regular_file;
use crate::run::files::VIEWS_FILE;
use crate::storage::{Disk, Naming, remove_if_there, write_atomically};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Rows of a sheet that the page has.
const ROWS: usize = 4;
/// Pixels of a copy's longer side, at most.
const SIDE: usize = 128;

/// What the page shows of a contact sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShownSheet {
    /// Which images they are.
    pub title: String,
    /// The name and the size of each column's pictures.
    pub columns: Vec<(String, String)>,
    /// The images: a name, and a picture for each column.
    pub rows: Vec<(String, Vec<Thumbnail>)>,
    /// What the columns show, in words.
    pub legend: Vec<(String, String)>,
}

/// A small copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Thumbnail {
    /// Pixels of the longer side of what it is a copy of.
    pub side: usize,
    /// Its width and height.
    pub size: [usize; 2],
    /// A PNG file in base64 (RFC 4648 §4).
    pub png: String,
}

impl Thumbnail {
    fn of(picture: &Picture) -> std::io::Result<Self> {
        let side = picture.side();
        let picture = picture.shrunk(side.div_ceil(SIDE));
        Ok(Self { side, size: [picture.width, picture.height], png: STANDARD.encode(picture.to_png()?) })
    }
}

/// Writes what the page shows of a sheet; without one, that of an earlier attempt is removed.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write(run_dir: &Path, sheet: Option<&Sheet>) -> Result<(), Error> {
    let path = run_dir.join(VIEWS_FILE);
    let Some(Sheet { title, columns, rows, legend }) = sheet else {
        return Ok(remove_if_there(&path)?);
    };
    let mut shown = ShownSheet {
        title: title.clone(),
        columns: columns.iter().map(|column| (column.name.clone(), column.note.clone())).collect(),
        rows: Vec::new(),
        legend: legend.clone(),
    };
    for row in rows.iter().take(ROWS) {
        let copies = row.tiles.iter().map(Thumbnail::of).collect::<std::io::Result<_>>().naming("write", &path)?;
        shown.rows.push((row.label.join(" "), copies));
    }
    let json = serde_json::to_string(&shown).map_err(|error| Error::data(format!("{}: {error}", path.display())))?;
    Ok(write_atomically(&Disk, &path, json.as_bytes())?)
}

/// What a run has of it; none where it has none.
///
/// # Errors
/// A file that cannot be read or holds something else.
pub(super) fn read(run_dir: &Path) -> Result<Option<ShownSheet>, Error> {
    let path = run_dir.join(VIEWS_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let wrong = |what: &dyn std::fmt::Display| Error::data(format!("{}: {what}; remove the file", path.display()));
    let text = regular_file::read_text(&path).naming("read", &path)?;
    let shown: ShownSheet = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let base64 = |copy: &Thumbnail| copy.png.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    if let Some((name, _)) = shown.rows.iter().find(|(_, copies)| !copies.iter().all(base64)) {
        return Err(wrong(&format!("`{name}` has a picture that is not in base64")));
    }
    Ok(Some(shown))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::contact_sheet::{Column, Row};
    use super::*;

    /// An image of 300 × 150 and its view of 2 × 1.
    pub fn example() -> Sheet {
        let tile = |width, height| Picture::new(width, height, [200, 100, 0]);
        Sheet {
            title: "<films> / train".into(),
            columns: vec![Column::new("evaluation", "300×150"), Column::new("view 1", "2×1")],
            rows: vec![Row { label: vec!["#7".into()], tiles: vec![tile(300, 150), tile(2, 1)] }; 6],
            legend: vec![("views".into(), "crop <0.2–1>".into())],
        }
    }

    #[test]
    fn copies_of_a_few_rows_are_kept_small_and_go_where_they_are_not_wanted() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        write(dir.path(), Some(&example())).unwrap();
        let shown = read(dir.path()).unwrap().unwrap();
        assert_eq!(shown.rows.len(), ROWS);
        let (name, copies) = &shown.rows[0];
        assert_eq!((name.as_str(), copies[0].size, copies[1].size), ("#7", [100, 50], [2, 1]));
        let png = STANDARD.decode(&copies[1].png).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut rgb).unwrap();
        assert_eq!(rgb, [200, 100, 0, 200, 100, 0]);
        write(dir.path(), None).unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        write(dir.path(), None).unwrap();
    }

    #[test]
    fn a_file_of_something_else_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(VIEWS_FILE);
        std::fs::write(&path, "[]").unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("views.json"));
        write(dir.path(), Some(&example())).unwrap();
        let text = std::fs::read_to_string(&path).unwrap().replacen("iVBOR", "\\\"><b>", 1);
        std::fs::write(&path, text).unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("not in base64"));
    }
}
