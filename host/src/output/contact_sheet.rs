//! A contact sheet: one row an image, one column a version of it, with names, and a legend below.

use super::picture::{Colour, Picture, Text};

/// What a sheet shows.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The line on top.
    pub title: String,
    /// What each column shows.
    pub columns: Vec<Column>,
    /// The images.
    pub rows: Vec<Row>,
    /// Paragraphs below: a heading and words that follow it.
    pub legend: Vec<(String, String)>,
}

/// What stands above a column.
#[derive(Debug, Clone)]
pub struct Column {
    /// What it shows.
    pub name: String,
    /// A word about it, below.
    pub note: String,
}

impl Column {
    /// A column of this name.
    pub fn new(name: &str, note: &str) -> Self {
        Self { name: name.into(), note: note.into() }
    }

    /// As wide as its words, in pixels.
    fn width(&self) -> usize {
        let width = |words: &str, text: Text| words.chars().count() * text.letter();
        width(&self.name, Text::Strong).max(width(&self.note, Text::Plain))
    }
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
    let largest = tiles().map(Picture::side).max().unwrap_or(1);
    let magnified = (TILE / largest).max(1);
    // Every column is as wide as its largest tile needs, and at least as wide as its name; one magnification for all shows
    // which views are larger than others.
    let cell_of = |i: usize| sheet.rows.iter().filter_map(|row| row.tiles.get(i)).map(Picture::side).max().unwrap_or(1);
    let cells: Vec<usize> = (0..sheet.columns.len()).map(|i| cell_of(i) * magnified).collect();
    let longest = sheet.rows.iter().flat_map(|row| &row.label).map(|line| line.chars().count()).max().unwrap_or(0);
    let label = longest.min(LABEL);
    let labels = (label + 2) * Text::Plain.letter();
    let (mut lefts, mut right) = (Vec::new(), MARGIN + labels);
    for (column, &cell) in sheet.columns.iter().zip(&cells) {
        lefts.push(right);
        right += GAP + cell.max(column.width());
    }
    let width = MARGIN + right;
    let letters = (width - 2 * MARGIN) / Text::Plain.letter();
    let indent = sheet.legend.iter().map(|(heading, _)| heading.chars().count() + 2).max().unwrap_or(0);
    let legend: Vec<(&str, Vec<String>)> = sheet
        .legend
        .iter()
        .map(|(heading, words)| (heading.as_str(), wrapped(words, letters.saturating_sub(indent).max(20))))
        .collect();
    let lines: usize = legend.iter().map(|(_, lines)| lines.len()).sum();
    let head = MARGIN + Text::Large.line() + GAP + Text::Strong.line() + Text::Plain.line();
    let row_height = largest * magnified + GAP;
    let height = head + sheet.rows.len() * row_height + GAP + lines * Text::Plain.line() + MARGIN;

    let mut picture = Picture::new(width, height, PAPER);
    let large = (width - 2 * MARGIN) / Text::Large.letter();
    picture.write(&shortened(&sheet.title, large), MARGIN, MARGIN, Text::Large, INK);
    for (column, &left) in sheet.columns.iter().zip(&lefts) {
        let note = head - Text::Plain.line();
        picture.write(&column.name, left, note - Text::Strong.line(), Text::Strong, INK);
        picture.write(&column.note, left, note, Text::Plain, FAINT);
    }
    for (j, row) in sheet.rows.iter().enumerate() {
        let top = head + j * row_height;
        for (k, line) in row.label.iter().enumerate() {
            let (text, colour) = if k == 0 { (Text::Strong, INK) } else { (Text::Plain, FAINT) };
            picture.write(&shortened(line, label), MARGIN, top + k * text.line(), text, colour);
        }
        for ((tile, &cell), &left) in row.tiles.iter().zip(&cells).zip(&lefts) {
            picture.paste(&Picture::new(cell, cell, GROUND), left, top, 1);
            let middle = |length: usize| (cell - length * magnified) / 2;
            picture.paste(tile, left + middle(tile.width), top + middle(tile.height), magnified);
        }
    }
    let mut top = head + sheet.rows.len() * row_height + GAP;
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
        // The second column's tiles are half as large.
        let tile = |value: u8, side: usize| Picture::new(side, side / 2, [value; 3]);
        let row =
            |label: &str, [a, b]: [u8; 2]| Row { label: vec![label.into()], tiles: vec![tile(a, 64), tile(b, 32)] };
        let sheet = Sheet {
            title: "views".into(),
            columns: vec![Column::new("original", ""), Column::new("view 1", "32×16")],
            rows: vec![row("first", [1, 2]), row("second", [3, 4])],
            legend: vec![("view 1".into(), "words ".repeat(60))],
        };
        let picture = draw(&sheet);
        assert_eq!(picture.rgb.len(), 3 * picture.width * picture.height);
        for (value, area) in [(1, 64 * 32), (2, 32 * 16), (3, 64 * 32), (4, 32 * 16)] {
            let pixels = picture.rgb.chunks_exact(3).filter(|pixel| **pixel == [value; 3]).count();
            assert_eq!(pixels, 9 * area, "tile {value}");
        }
    }

    #[test]
    fn long_words_are_kept_short_and_lines_within_their_width() {
        assert_eq!(shortened("train/patient-0001.dcm", 12), "..t-0001.dcm");
        assert_eq!(shortened("short", 12), "short");
        assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
    }
}
