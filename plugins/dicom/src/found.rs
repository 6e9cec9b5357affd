//! DICOM files of a folder that have pixels.

use crate::identity::Identity;
use crate::listing::few;
use crate::table::shown;
use selfsame_tables::files::printable;
use std::path::PathBuf;

/// One DICOM file with pixels.
#[derive(Debug, Clone)]
pub struct Found {
    /// Relative to the data set's folder.
    pub file: PathBuf,
    pub identity: Identity,
}

impl Found {
    /// The file's path in a form that can be printed, and that no other file has.
    pub fn name(&self) -> String {
        printable(&self.file)
    }
}

/// In words, what is wrong with some of the files that does not stop their pixels from being read.
pub fn contradictions(found: &[Found]) -> Vec<String> {
    let named = |note: &dyn Fn(&Identity) -> Option<String>| -> Vec<String> {
        let name = |found: &Found| Some(format!("{}{}", found.name(), note(&found.identity)?));
        found.iter().filter_map(name).collect()
    };
    let surplus = named(&|identity| Some(format!(": {}", identity.surplus.as_ref()?)));
    let otherwise = named(&|identity| identity.is_otherwise.then(String::new));
    let inverse = named(&|identity| identity.is_inverse.then(String::new));
    let twice = named(&|identity| identity.is_undone_twice.then(String::new));
    let characters = named(&|identity| Some(format!(": `{}`", shown(identity.unknown_characters.as_ref()?))));
    let notes = [
        (
            surplus,
            "files with more pixels than their headers say, whose rest is not read",
            "; check their Number of Frames, Rows, Columns, Bits Allocated and Samples per Pixel",
        ),
        (otherwise, "files that are not written as their transfer syntax says, read as their bytes are", ""),
        (
            inverse,
            "files of MONOCHROME2 with the Presentation LUT Shape INVERSE, which belongs to MONOCHROME1; they are not inverted",
            "; correct one of the two where their images are negatives",
        ),
        (
            twice,
            "files of YBR_FULL or YBR_FULL_422 whose JPEG 2000 code has a transformation of colours of its own, which are converted \
             once more, as in pydicom",
            "; correct Photometric Interpretation to RGB, YBR_RCT or YBR_ICT where their colours are wrong",
        ),
        (characters, "files of an unknown character set, whose texts are read as ASCII", ""),
    ];
    let notes = notes.into_iter().filter(|(files, ..)| !files.is_empty());
    notes.map(|(files, what, advice)| format!("{what}: {}{advice}", few(&files))).collect()
}
