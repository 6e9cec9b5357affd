//! Images of class folders, wrapped as DICOM files with the same grey pixels.

use crate::dicom::{self, Stored};
use regex::Regex;
use std::fs;
use std::io;
use std::path::Path;

/// Wraps every image below `from`, in which `SPLIT/CLASS/NAME` are images, as `to/SPLIT/CLASS/NAME.dcm`, and lists them in
/// `to/labels.csv` (`id,label,split`). `patient` finds an image's patient in its path, as `ImageFolder`'s `group_pattern`
/// does; without it each image is a patient of its own. Colour becomes its luma (ITU-R BT.601, as the
/// data set `ImageFolder` does).
///
/// # Errors
/// Images that cannot be read, of more than 8 bits, or not in such folders; files that cannot be written.
pub fn wrap(from: &Path, to: &Path, patient: Option<&Regex>) -> io::Result<usize> {
    let mut list = String::from("id,label,split\n");
    let mut count = 0;
    for split in names(from)? {
        for class in names(&from.join(&split))? {
            let folder = to.join(&split).join(&class);
            fs::create_dir_all(&folder)?;
            for name in names(&from.join(&split).join(&class))? {
                let image = from.join(&split).join(&class).join(&name);
                let path = format!("{split}/{class}/{name}");
                let patient = match patient {
                    Some(pattern) => pattern.find(&path).map_or(path.as_str(), |found| found.as_str()),
                    None => &name,
                };
                let file = wrapped(&image, patient).map_err(|error| named(&image, &error))?;
                fs::write(folder.join(format!("{name}.dcm")), file)?;
                list += &format!("{split}/{class}/{name}.dcm,{class},{split}\n");
                count += 1;
            }
        }
    }
    fs::write(to.join("labels.csv"), list)?;
    Ok(count)
}

fn wrapped(image: &Path, patient: &str) -> io::Result<Vec<u8>> {
    let image = image::ImageReader::open(image)?.with_guessed_format()?.decode().map_err(io::Error::other)?;
    let levels = match &image {
        image::DynamicImage::ImageLuma8(grey) => grey.as_raw().clone(),
        image::DynamicImage::ImageRgb8(colours) => colours.pixels().map(|pixel| luma(pixel.0)).collect(),
        other => return Err(io::Error::other(format!("{:?} is neither 8-bit grey nor RGB", other.color()))),
    };
    let side = |length: u32| u16::try_from(length).map_err(io::Error::other);
    Ok(dicom::file(patient, (side(image.height())?, side(image.width())?), &Stored::Plain(&levels)))
}

fn luma(colours: [u8; 3]) -> u8 {
    let [red, green, blue] = colours.map(u32::from);
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
}

/// The names in a folder, sorted, without hidden ones.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| named(folder, &error))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}
