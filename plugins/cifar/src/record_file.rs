//! One file of the data set, in either form.

use crate::binary;
use crate::failure::Failure;
use crate::published::{Form, Published};
use crate::python;
use crate::records::Records;
use selfsame_plugin_api::files;
use std::io::{self, Read};
use std::path::Path;

/// Larger files are refused unread: eight times the largest published one.
const LARGEST: u64 = 8 * 160_000_000;

/// Reads one file and checks its structure and its labels.
pub fn load(published: &Published, form: Form, path: &Path) -> Result<Records, Failure> {
    let failed = |error: io::Error| files::failure("read", path, &error);
    let mut file = files::open(path)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > LARGEST {
        return Err(Failure::Content(format!("{}: {size} bytes, expected at most {LARGEST}", path.display())));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let records = match form {
        Form::Binary => binary::parse(published, &bytes),
        Form::Python => python::parse(published, &bytes),
    };
    records.map_err(|cause| Failure::Content(format!("{}: {cause}", path.display())))
}
