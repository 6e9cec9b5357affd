//! The embeddings on the page: two maps with the image under the pointer, and nearest neighbours. No script: what is shown on
//! pointing is chosen by the style sheet.

use super::super::gallery::{COLUMNS, Drawn};
use super::escape;
use crate::train::gallery::{Gallery, Point, Query, Shown};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// Classes that are told apart by colour in a key; of more, the name stands at the point alone.
const NAMED: usize = 20;
/// Pixels of the longer side of a copy on the page.
const SIDE: f64 = 56.0;

/// The part of the page.
pub(super) fn gallery(Drawn { gallery, images }: &Drawn) -> String {
    let mut text = String::from("<h2>Embeddings</h2>\n");
    let pointing = if images.is_some() { " Point at one to see it." } else { "" };
    let _ = writeln!(
        text,
        "<p class=\"soft\">{} {} images as the encoder of epoch {} sees them; what lies close together is alike to it.{pointing}</p>",
        gallery.points.len(),
        escape(&gallery.split),
        gallery.epoch
    );
    let sheet = images.as_ref().map(|(png, size)| Sheet::new(png, *size, gallery));
    if let Some(sheet) = &sheet {
        text.push_str(&sheet.style);
    }
    text.push_str(&key(&gallery.classes));
    text.push_str("<div class=\"charts\">\n");
    text.push_str(&map("Nearby stays nearby (t-SNE)", gallery, |point| point.t_sne, sheet.as_ref()));
    text.push_str(&map("Principal components", gallery, |point| point.pca, sheet.as_ref()));
    text.push_str("</div>\n");
    if let Some(sheet) = &sheet {
        text.push_str(&neighbours(gallery, sheet));
    }
    text
}

/// All copies, as one background image of which each element shows a piece.
struct Sheet {
    style: String,
    width: f64,
    height: f64,
}

impl Sheet {
    fn new(png: &[u8], [width, height]: [u32; 2], gallery: &Gallery) -> Self {
        let count = gallery.points.len() + gallery.queries.iter().map(|query| query.neighbours.len()).sum::<usize>();
        let rows = count.div_ceil(COLUMNS).max(1);
        let (own_width, own_height) = (f64::from(width) / COLUMNS as f64, f64::from(height) / rows as f64);
        let scale = SIDE / own_width.max(own_height).max(1.0);
        let (width, height) = ((own_width * scale).round(), (own_height * scale).round());
        let style = format!(
            "<style>.copy,.map b::after{{width:{width}px;height:{height}px;background:url(data:image/png;base64,{}) var(--at)/{}px {}px}}</style>\n",
            STANDARD.encode(png),
            width * COLUMNS as f64,
            height * rows as f64
        );
        Self { style, width, height }
    }

    /// Where the copy of this number lies on the sheet.
    fn at(&self, copy: usize) -> String {
        let (column, row) = ((copy % COLUMNS) as f64, (copy / COLUMNS) as f64);
        format!("--at:{}px {}px", -column * self.width, -row * self.height)
    }
}

/// The colour of a class: hues far apart for neighbours in the list.
fn colour(class: Option<usize>) -> String {
    match class {
        Some(class) => format!("hsl({:.0} 65% 48%)", (210.0 + class as f64 * 137.508) % 360.0),
        None => "rgb(var(--mark))".to_owned(),
    }
}

fn key(classes: &[String]) -> String {
    if classes.is_empty() || classes.len() > NAMED {
        return String::new();
    }
    let entry = |(class, name): (usize, &String)| {
        format!("<span class=\"key\"><i style=\"background:{}\"></i>{}</span>", colour(Some(class)), escape(name))
    };
    format!("<p class=\"keys\">{}</p>\n", classes.iter().enumerate().map(entry).collect::<String>())
}

fn name(gallery: &Gallery, split: &str, Shown { index, class }: Shown) -> String {
    let class = class.and_then(|class| gallery.classes.get(class)).map_or(String::new(), |name| format!("{name}, "));
    escape(&format!("{class}{split} #{index}"))
}

fn map(title: &str, gallery: &Gallery, place: fn(&Point) -> [f64; 2], sheet: Option<&Sheet>) -> String {
    let places: Vec<[f64; 2]> = gallery.points.iter().map(place).collect();
    let range = |axis: usize| {
        let values = places.iter().map(|place| place[axis]).filter(|value| value.is_finite());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        move |value: f64| if high > low { 2.0 + 96.0 * (value - low) / (high - low) } else { 50.0 }
    };
    let (x, y) = (range(0), range(1));
    let mut points = String::new();
    for (at, (point, [left, bottom])) in gallery.points.iter().zip(&places).enumerate() {
        if !(left.is_finite() && bottom.is_finite()) {
            continue;
        }
        let copy = sheet.map_or(String::new(), |sheet| format!(";{}", sheet.at(at)));
        let (left, top, colour) = (x(*left), 100.0 - y(*bottom), colour(point.image.class));
        let side = if left > 50.0 { " class=\"right\"" } else { "" };
        let title = name(gallery, &gallery.split, point.image);
        let _ = write!(
            points,
            "<b{side} tabindex=\"0\" title=\"{title}\" style=\"left:{left:.1}%;top:{top:.1}%;background:{colour}{copy}\"></b>"
        );
    }
    let seen = if sheet.is_some() { " seen" } else { "" };
    format!("<figure><figcaption>{title}</figcaption>\n<div class=\"map{seen}\">{points}</div></figure>\n")
}

/// A line for each query: its copy, then its neighbours, those of another class marked.
fn neighbours(gallery: &Gallery, sheet: &Sheet) -> String {
    let mut copy = gallery.points.len();
    let mut lines = String::new();
    for Query { point, neighbours } in &gallery.queries {
        let query = gallery.points[*point].image;
        let mut line = cell(&name(gallery, &gallery.split, query), &sheet.at(*point), "query", "");
        for (neighbour, similarity) in neighbours {
            let kind = match (query.class, neighbour.class) {
                (Some(one), Some(other)) if one != other => "other",
                _ => "",
            };
            line.push_str(&cell(
                &name(gallery, "train", *neighbour),
                &sheet.at(copy),
                kind,
                &format!("{similarity:.2}"),
            ));
            copy += 1;
        }
        let _ = writeln!(lines, "<div class=\"line\">{line}</div>");
    }
    let marked = if gallery.classes.is_empty() { "" } else { ", those of another class with a red edge" };
    format!(
        "<h3>Nearest neighbours</h3>\n<p class=\"soft\">At the left a {} image, then the training images that are most similar to it \
         by the cosine of their embeddings{marked}.</p>\n<div class=\"lines\">\n{lines}</div>\n",
        escape(&gallery.split)
    )
}

fn cell(name: &str, at: &str, kind: &str, below: &str) -> String {
    format!("<span class=\"cell {kind}\" title=\"{name}\"><i class=\"copy\" style=\"{at}\"></i>{below}</span>")
}

#[cfg(test)]
mod tests {
    use super::super::super::gallery::{read, tests::example, write};
    use super::*;

    #[test]
    fn points_and_neighbours_show_their_own_copies_and_foreign_names_are_escaped() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &example()).unwrap();
        let html = gallery(&read(dir.path()).unwrap().unwrap());
        assert_eq!(html.matches("<b").count(), 6, "three points on two maps");
        // Five copies of 56 × 28 in a row: the second point's is the second one, its neighbours are the fourth and fifth.
        for part in [
            "--at:-56px -0px",
            "--at:-168px -0px",
            "--at:-224px -0px",
            "cell other",
            "&lt;cat&gt;, val #4",
            "0.95",
            "encoder of epoch 8",
        ] {
            assert!(html.contains(part), "`{part}` is not in {html}");
        }
        assert_eq!(html.matches("cell other").count(), 1);
        assert!(!html.contains("<cat>") && html.matches("base64,").count() == 1);
        write(dir.path(), &Gallery { thumbnails: None, ..example() }).unwrap();
        let html = gallery(&read(dir.path()).unwrap().unwrap());
        assert!(html.contains("map\"") && !html.contains("base64") && !html.contains("Nearest neighbours"));
    }
}
