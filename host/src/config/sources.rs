//! What a configuration is read from.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The largest configuration file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Everything that a configuration is read from, the weakest first: recommendations, files, variables, flags.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// What plugins recommend.
    pub recommended: Vec<Recommended>,
    /// The files of `--config`, in order.
    pub files: Vec<PathBuf>,
    /// Names and values of the environment; those that do not start with `SELFSAME_` are passed over.
    pub env: Vec<(String, String)>,
    /// The values of `--set`, such as `train.batch_size=64`, in order.
    pub sets: Vec<String>,
    /// What the files hold.
    pub texts: Texts,
}

/// A text, or why it cannot be read.
type Text = Result<Rc<str>, String>;

/// The texts of files, each read once: some are pipes, and one may be named by several others.
#[derive(Debug, Clone, Default)]
pub struct Texts(Rc<RefCell<BTreeMap<PathBuf, Text>>>);

impl Texts {
    /// The text of a file, or why it cannot be read.
    pub(super) fn read(&self, path: &Path) -> Text {
        let read = || -> Result<Rc<str>, Error> {
            let mut text = String::new();
            let read = File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
            match read as u64 > MAX_BYTES {
                true => Err(Error::other(format!("it is longer than {MAX_BYTES} bytes"))),
                false => Ok(text.into()),
            }
        };
        let mut known = self.0.borrow_mut();
        known.entry(path.to_owned()).or_insert_with(|| read().map_err(|error| error.to_string())).clone()
    }
}

/// The values that a plugin recommends for one of its data sets or encoders.
#[derive(Debug, Clone)]
pub struct Recommended {
    /// What the values are for and who says so, such as `data set CIFAR10 (plugin selfsame-plugin-cifar)`.
    pub origin: String,
    /// The values, nested like the schema.
    pub values: serde_json::Value,
}
