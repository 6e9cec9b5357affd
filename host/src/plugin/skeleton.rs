//! The skeleton of a plugin's crate: a folder that compiles as it is.

use super::PluginFailure;
use crate::regular_file;
use selfsame_plugin_api::PluginError;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Component, Path, PathBuf};

/// What a plugin provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A data set of computed images.
    Dataset,
    /// A small convolutional encoder.
    Encoder,
}

/// Where a crate takes the SDK from.
#[derive(Debug, Clone, Copy)]
pub enum Api<'a> {
    /// The published crates of this program's version.
    Released,
    /// The folder of `selfsame-plugin-api`.
    Folder(&'a Path),
    /// A repository, and its revision; none: the newest.
    Git {
        /// Its address.
        url: &'a str,
        /// A commit, a branch or a tag that cargo takes as `rev`.
        rev: Option<&'a str>,
    },
}

/// A file's path in the folder, and its text.
type Template = (&'static str, &'static str);

const CONFORMANCE: Template = ("tests/conformance.rs", include_str!("../../templates/conformance.rs"));
const DATASET: [Template; 4] = [
    ("Cargo.toml", include_str!("../../templates/dataset/Cargo.toml")),
    ("README.md", include_str!("../../templates/dataset/README.md")),
    ("src/lib.rs", include_str!("../../templates/dataset/lib.rs")),
    CONFORMANCE,
];
const ENCODER: [Template; 4] = [
    ("Cargo.toml", include_str!("../../templates/encoder/Cargo.toml")),
    ("README.md", include_str!("../../templates/encoder/README.md")),
    ("src/lib.rs", include_str!("../../templates/encoder/lib.rs")),
    CONFORMANCE,
];

/// Writes the crate `name` into a new folder of that name below `parent`, and returns the folder.
///
/// # Errors
/// A name that no crate can have, a folder that is there already, and files that cannot be written.
pub fn create(parent: &Path, name: &str, kind: Kind, api: Api<'_>) -> Result<PathBuf, PluginFailure> {
    let lower = |c: char| c.is_ascii_lowercase();
    if !name.starts_with(lower) || name.len() > 64 || !name.chars().all(|c| lower(c) || "0123456789-_".contains(c)) {
        return Err(mistake(format!(
            "`{name}` cannot name a plugin: expected a lower-case letter, then lower-case letters, digits, `-` and `_`, at \
             most 64"
        )));
    }
    let folder = parent.join(name);
    let (api, api_note) = dependency(kind, api, &folder)?;
    let fill = |text: &str| {
        let library = name.replace('-', "_");
        let filled = text.replace("{{name}}", name).replace("{{library}}", &library);
        filled.replace("{{api}}", &api).replace("{{api_note}}", &api_note)
    };
    fs::create_dir(&folder).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            mistake(format!("{} is there already; choose another name, or remove it", folder.display()))
        }
        _ => unwritable(&folder, &error),
    })?;
    let write = |path: &Path, text: &str| {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    let files = match kind {
        Kind::Dataset => DATASET,
        Kind::Encoder => ENCODER,
    };
    for (file, text) in files {
        let path = folder.join(file);
        write(&path, &fill(text)).map_err(|error| unwritable(&path, &error))?;
    }
    let ignored = folder.join(".gitignore");
    write(&ignored, "/target\n").map_err(|error| unwritable(&ignored, &error))?;
    Ok(folder)
}

/// The value of the SDK's crate in `Cargo.toml`, and what the README says about it.
fn dependency(kind: Kind, api: Api<'_>, folder: &Path) -> Result<(String, String), PluginFailure> {
    // A JSON string is a TOML string too.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (source, note) = match api {
        Api::Folder(path) => {
            let sdk = sdk(path)?;
            let own = if kind == Kind::Encoder { sdk.join("encoder") } else { sdk };
            let own = relative(folder, &own).unwrap_or(own);
            (format!("path = {}", quoted(&own.to_string_lossy())), "the copy that `--api` named.".to_owned())
        }
        Api::Git { url, rev } => {
            let rev = rev.map(|rev| format!(", rev = {}", quoted(rev))).unwrap_or_default();
            (format!("git = {}{rev}", quoted(url)), "the repository that `--git` named.".to_owned())
        }
        Api::Released => {
            let version = env!("CARGO_PKG_VERSION");
            let note = format!(
                "version {version}, this program's own. To take it from a copy of selfsame's repository, write\n\
                 `{{ path = \"…/selfsame/plugin-api\" }}`, or `{{ git = \"URL\" }}` with the repository's address."
            );
            (format!("version = {}", quoted(version)), note)
        }
    };
    Ok((format!("{{ {source} }}"), note))
}

/// The folder of `selfsame-plugin-api`, once that is what it is.
fn sdk(path: &Path) -> Result<PathBuf, PluginFailure> {
    let refused =
        |reason: String| mistake(format!("{} is not the folder of `selfsame-plugin-api`: {reason}", path.display()));
    let folder = path.canonicalize().map_err(|error| refused(error.to_string()))?;
    let manifest = regular_file::read_text(&folder.join("Cargo.toml"));
    let manifest = manifest.map_err(|error| refused(format!("its Cargo.toml: {error}")))?;
    if !manifest.contains("name = \"selfsame-plugin-api\"") {
        return Err(refused("its Cargo.toml names another crate".into()));
    }
    Ok(folder)
}

/// `to` as seen from the new folder, where both lie in one tree below the root: that holds on other machines too.
fn relative(folder: &Path, to: &Path) -> Option<PathBuf> {
    let parent = folder.parent()?;
    let parent = if parent == Path::new("") { Path::new(".") } else { parent };
    let from = parent.canonicalize().ok()?.join(folder.file_name()?);
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    // The root alone is no tree of anybody's.
    if shared < 2 {
        return None;
    }
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    Some(up.chain(to.components().skip(shared)).collect())
}

fn mistake(message: String) -> PluginFailure {
    PluginError::configuration(message).into()
}

fn unwritable(path: &Path, error: &Error) -> PluginFailure {
    PluginError::data(format!("{}: cannot be written: {error}", path.display())).into()
}
