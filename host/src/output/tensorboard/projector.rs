//! What TensorBoard's embedding projector reads: `projector_config.pbtxt` in a run's folder, embeddings and names as tables in its
//! folder `projector`, and the small copies that the page shows, where there are such.

use crate::error::Error;
use crate::output::gallery::COLUMNS;
use crate::run::files::GALLERY_IMAGES;
use crate::storage::{Disk, Naming, write_atomically};
use crate::train::gallery::Gallery;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The name that TensorBoard looks for.
const CONFIG: &str = "projector_config.pbtxt";
const EMBEDDINGS: &str = "projector/embeddings.tsv";
const LABELS: &str = "projector/labels.tsv";

/// Writes the images on the map with their embeddings.
///
/// # Errors
/// Files that cannot be written.
pub(in crate::output) fn write(run_dir: &Path, gallery: &Gallery) -> Result<(), Error> {
    let folder = run_dir.join("projector");
    fs::create_dir_all(&folder).naming("create", &folder)?;
    for (file, text) in [(EMBEDDINGS, embeddings(gallery)), (LABELS, labels(gallery)), (CONFIG, config(gallery))] {
        write_atomically(&Disk, &run_dir.join(file), text.as_bytes())?;
    }
    Ok(())
}

/// A line for each image, five digits a number.
fn embeddings(Gallery { points, features, .. }: &Gallery) -> String {
    let mut text = String::new();
    for row in features.chunks((features.len() / points.len().max(1)).max(1)) {
        for (at, value) in row.iter().enumerate() {
            let _ = write!(text, "{}{value:.4e}", if at == 0 { "" } else { "\t" });
        }
        text.push('\n');
    }
    text
}

/// Of each image its index in its split, and its class.
fn labels(Gallery { points, classes, .. }: &Gallery) -> String {
    let mut text = "sample\tclass\n".to_owned();
    for point in points {
        let class = point.image.class.and_then(|class| classes.get(class)).map_or("-", String::as_str);
        let _ = writeln!(text, "{}\t{}", point.image.index, class.replace(['\t', '\n', '\r'], " "));
    }
    text
}

fn config(Gallery { epoch, split, thumbnails, .. }: &Gallery) -> String {
    let sprite = thumbnails.as_ref().map(|small| {
        let (width, height) = (small.width, small.height);
        format!("  sprite {{\n    image_path: \"{GALLERY_IMAGES}\"\n    single_image_dim: {width}\n    single_image_dim: {height}\n  }}\n")
    });
    format!(
        "# {COLUMNS} copies in a row of the sprite.\nembeddings {{\n  tensor_name: \"{split} after {epoch} epochs\"\n  tensor_path: \"{EMBEDDINGS}\"\n  \
         metadata_path: \"{LABELS}\"\n{}}}\n",
        sprite.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::gallery::tests::example;

    #[test]
    fn each_image_has_a_row_of_numbers_and_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut gallery = example();
        gallery.classes[1] = "a\tdog".into();
        write(dir.path(), &gallery).unwrap();
        let read = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
        assert_eq!(read(EMBEDDINGS), "0.0000e0\t5.0000e-1\n1.0000e0\t-2.5000e-1\n1.2346e4\t3.0000e0\n");
        assert_eq!(read(LABELS), "sample\tclass\n4\t<cat>\n7\ta dog\n9\ta dog\n");
        let config = read(CONFIG);
        assert!(
            config.contains("tensor_name: \"val after 8 epochs\"") && config.contains("single_image_dim: 2\n"),
            "{config}"
        );
        write(dir.path(), &Gallery { thumbnails: None, ..gallery }).unwrap();
        assert!(!read(CONFIG).contains("sprite {"), "{}", read(CONFIG));
    }
}
