//! A contact sheet: one row an image, one column a version of it, with names, and a legend below.

use super::picture::{Colour, Picture, Text};

/// What a sheet shows.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The line on top.
    pub title: String,
    /// What each column shows.
    pub columns: Vec<String>,
    /// The images.
    pub rows: Vec<Row>,
    /// Paragraphs below: a heading and words that follow it.
    pub legend: Vec<(String, String)>,
}

/// One image in all its versions.
#[derive(Debug, Clone)]
pub struct Row {
    /// Lines beside it, the first one the most important.
    pub label: Vec<String>,
    /// One picture a column.
    pub tiles: Vec<Picture>,
}

const PAPER: Colour = [250, 250, 248];
const INK: Colour = [25, 25, 28];
const FAINT: Colour = [105, 105, 112];
/// Behind every tile, so that a black or white border of an image shows where the image ends.
const GROUND: Colour = [176, 190, 205];

const MARGIN: usize = 16;
const GAP: usize = 8;
/// Tiles are magnified to about this side, in pixels.
const TILE: usize = 192;
/// The most letters of a label beside a row.
const LABEL: usize = 22;

/// Draws a sheet; its size follows from what it shows.
pub fn draw(sheet: &Sheet) -> Picture {
    let tiles = || sheet.rows.iter().flat_map(|row| &row.tiles);
    let side = tiles().map(|tile| tile.width.max(tile.height)).max().unwrap_or(1);
    let magnified = (TILE / side).max(1);
    // A column is at least as wide as its name.
    let name = sheet.columns.iter().map(|name| name.chars().count()).max().unwrap_or(0) * Text::Strong.letter();
    let (cell, column) = (side * magnified, (side * magnified).max(name));
    let longest = sheet.rows.iter().flat_map(|row| &row.label).map(|line| line.chars().count()).max().unwrap_or(0);
    let label = longest.min(LABEL);
    let labels = (label + 2) * Text::Plain.letter();
    let width = 2 * MARGIN + labels + sheet.columns.len() * (column + GAP);
    let letters = (width - 2 * MARGIN) / Text::Plain.letter();
    let indent = sheet.legend.iter().map(|(heading, _)| heading.chars().count() + 2).max().unwrap_or(0);
    let legend: Vec<(&str, Vec<String>)> = sheet
        .legend
        .iter()
        .map(|(heading, words)| (heading.as_str(), wrapped(words, letters.saturating_sub(indent).max(20))))
        .collect();
    let lines: usize = legend.iter().map(|(_, lines)| lines.len()).sum();
    let head = MARGIN + Text::Large.line() + GAP + Text::Strong.line();
    let height = head + sheet.rows.len() * (cell + GAP) + GAP + lines * Text::Plain.line() + MARGIN;

    let mut picture = Picture::new(width, height, PAPER);
    let large = (width - 2 * MARGIN) / Text::Large.letter();
    picture.write(&shortened(&sheet.title, large), MARGIN, MARGIN, Text::Large, INK);
    let left = |i: usize| MARGIN + labels + i * (column + GAP);
    for (i, name) in sheet.columns.iter().enumerate() {
        picture.write(name, left(i), head - Text::Strong.line(), Text::Strong, INK);
    }
    let ground = Picture::new(cell, cell, GROUND);
    for (j, row) in sheet.rows.iter().enumerate() {
        let top = head + j * (cell + GAP);
        for (k, line) in row.label.iter().enumerate() {
            let (text, colour) = if k == 0 { (Text::Strong, INK) } else { (Text::Plain, FAINT) };
            picture.write(&shortened(line, label), MARGIN, top + k * text.line(), text, colour);
        }
        for (i, tile) in row.tiles.iter().enumerate() {
            picture.paste(&ground, left(i), top, 1);
            let middle = |length: usize| (cell - length * magnified) / 2;
            picture.paste(tile, left(i) + middle(tile.width), top + middle(tile.height), magnified);
        }
    }
    let mut top = head + sheet.rows.len() * (cell + GAP) + GAP;
    for (heading, lines) in legend {
        picture.write(heading, MARGIN, top, Text::Strong, INK);
        for line in lines {
            picture.write(&line, MARGIN + indent * Text::Plain.letter(), top, Text::Plain, INK);
            top += Text::Plain.line();
        }
    }
    picture
}

/// The text's end where it is too long, since names of files differ there.
fn shortened(text: &str, letters: usize) -> String {
    let count = text.chars().count();
    if count <= letters {
        text.into()
    } else {
        format!("..{}", text.chars().skip(count + 2 - letters).collect::<String>())
    }
}

/// Words on lines of at most so many letters.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let length = lines[last].chars().count();
        if length > 0 && length + 1 + word.chars().count() > letters {
            lines.push(word.into());
        } else {
            let space = if length > 0 { " " } else { "" };
            lines[last] += &format!("{space}{word}");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_stands_in_its_cell() {
        let tile = |value: u8| Picture::new(64, 32, [value; 3]);
        let row = |label: &str, values: [u8; 2]| Row { label: vec![label.into()], tiles: values.map(tile).to_vec() };
        let sheet = Sheet {
            title: "views".into(),
            columns: vec!["original".into(), "view 1".into()],
            rows: vec![row("first", [1, 2]), row("second", [3, 4])],
            legend: vec![("view 1".into(), "words ".repeat(60))],
        };
        let picture = draw(&sheet);
        assert_eq!(picture.rgb.len(), 3 * picture.width * picture.height);
        for value in 1..=4 {
            let pixels = picture.rgb.chunks_exact(3).filter(|pixel| **pixel == [value; 3]).count();
            assert_eq!(pixels, 9 * 64 * 32, "tile {value}");
        }
    }

    #[test]
    fn long_words_are_kept_short_and_lines_within_their_width() {
        assert_eq!(shortened("train/patient-0001.dcm", 12), "..t-0001.dcm");
        assert_eq!(shortened("short", 12), "short");
        assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
    }
}
