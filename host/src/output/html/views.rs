//! Training images on the page, each beside the random views that the method compares.

use super::super::views::{ShownSheet, Thumbnail};
use super::escape;
use std::fmt::Write as _;

/// Pixels of the longest side of a copy on the page.
const SIDE: usize = 80;

/// The part of the page.
pub(super) fn views(ShownSheet { title, columns, rows, legend }: &ShownSheet) -> String {
    let largest = rows.iter().flat_map(|(_, copies)| copies).map(|copy| copy.side).max().unwrap_or(1).max(1);
    let is_of_one_size = columns.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let mut lines = String::new();
    for (name, copies) in rows {
        lines.push_str("<div class=\"line\">");
        for ((column, size), copy) in columns.iter().zip(copies) {
            let below = if is_of_one_size { escape(column) } else { format!("{}<br>{}", escape(column), escape(size)) };
            let _ = write!(lines, "<span class=\"cell\">{}{below}</span>", image(copy, largest, &escape(name)));
        }
        lines.push_str("</div>\n");
    }
    let words = |(heading, words): &(String, String)| {
        format!("<p class=\"soft\"><b>{}</b> {}</p>\n", escape(heading), escape(words))
    };
    format!(
        "<h2>Views</h2>\n<p class=\"soft\">Images of {}, and what the first epoch makes of them.</p>\n\
         <div class=\"lines\">\n{lines}</div>\n{}",
        escape(title),
        legend.iter().map(words).collect::<String>()
    )
}

fn image(Thumbnail { side, size: [width, height], png }: &Thumbnail, largest: usize, name: &str) -> String {
    let scale = SIDE as f64 * *side as f64 / largest as f64 / (*width).max(*height).max(1) as f64;
    let shown = |length: &usize| (*length as f64 * scale).round().max(1.0);
    format!(
        "<img class=\"view\" alt=\"{name}\" title=\"{name}\" width=\"{}\" height=\"{}\" src=\"data:image/png;base64,{png}\">",
        shown(width),
        shown(height)
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::views::{read, tests::example, write};
    use super::*;

    #[test]
    fn views_stand_in_proportion_and_foreign_names_are_escaped() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), Some(&example())).unwrap();
        let html = views(&read(dir.path()).unwrap().unwrap());
        for part in
            ["width=\"80\" height=\"40\"", "&lt;films&gt; / train", "view 1<br>2×1", "crop &lt;0.2–1&gt;", "alt=\"#7\""]
        {
            assert!(html.contains(part), "`{part}` is not in {html}");
        }
        // Two of 300 columns, shown 80 wide.
        assert_eq!(html.matches("width=\"1\" height=\"1\"").count(), 4);
        assert!(!html.contains("<films>"));
    }
}
