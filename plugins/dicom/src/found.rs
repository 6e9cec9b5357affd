//! DICOM files of a folder that have pixels.

use crate::identity::Identity;
use crate::listing::few;
use std::path::PathBuf;

/// One DICOM file with pixels.
#[derive(Debug, Clone)]
pub struct Found {
    /// Relative to the data set's folder.
    pub file: PathBuf,
    pub identity: Identity,
}

/// Which files hold more pixels than their headers speak of, if any does.
pub fn partly_read(found: &[Found]) -> Option<String> {
    let surplus =
        |Found { file, identity }: &Found| Some(format!("{}: {}", file.display(), identity.surplus.as_ref()?));
    let files: Vec<_> = found.iter().filter_map(surplus).collect();
    (!files.is_empty()).then(|| {
        format!(
            "files with more pixels than their headers say, whose rest is not read: {}; check their Number of Frames, \
             Bits Allocated and Samples per Pixel",
            few(&files)
        )
    })
}
