//! `dataset.options` of both data sets.

use schemars::JsonSchema;
use selfsame_plugin_api::{PluginError, Result, read_options};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// Which files are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checksum {
    /// Only the published files, by digest.
    #[default]
    Official,
    /// Any file with the right record structure.
    None,
}

/// Where the archive comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The publisher.
    Official,
    /// An address below `http://` or `https://`, of a folder or an archive.
    Http(String),
    /// A folder or an archive on this machine.
    File(PathBuf),
}

/// The options, checked.
#[derive(Debug, Clone)]
pub struct Options {
    pub source: Source,
    pub checksum: Checksum,
}

/// The options as written.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
pub struct Raw {
    /// Address (http://, https:// or file://) of a folder that holds the binary archive, or of the archive itself; without
    /// it, the publisher's.
    mirror: Option<String>,
    /// `official` accepts the published files alone, `none` is for files that are deliberately others (sizes and record
    /// structure are still checked).
    checksum: Checksum,
}

impl Options {
    /// Reads `dataset.options`.
    pub fn parse(options: &Value) -> Result<Self> {
        let raw: Raw = read_options(options)?;
        let source = match raw.mirror {
            None => Source::Official,
            Some(mirror) => parse_mirror(&mirror)?,
        };
        Ok(Self { source, checksum: raw.checksum })
    }
}

fn parse_mirror(mirror: &str) -> Result<Source> {
    let wrong = |why: &str| {
        PluginError::configuration(format!(
            "option `mirror` = `{mirror}`: {why}; write http://…, https://… or file:///absolute/path"
        ))
    };
    if mirror.starts_with("http://") || mirror.starts_with("https://") {
        return Ok(Source::Http(mirror.to_string()));
    }
    let rest = mirror.strip_prefix("file://").ok_or_else(|| wrong("not an address that can be read"))?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(wrong("the path of a file:// address is absolute"));
    }
    let path = percent_decode(path).ok_or_else(|| wrong("`%` must be followed by two hexadecimal digits of UTF-8"))?;
    Ok(Source::File(path.into()))
}

/// Undoes the percent-encoding of RFC 3986, section 2.1.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok().filter(|d| !d.starts_with('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use selfsame_plugin_api::ErrorKind;
    use serde_json::json;

    #[test]
    fn defaults_to_the_publisher_and_its_checksums() {
        let options = Options::parse(&Value::Null).unwrap();
        assert_eq!((options.source, options.checksum), (Source::Official, Checksum::Official));
    }

    #[test]
    fn reads_mirrors() {
        let source = |mirror: &str| Options::parse(&json!({ "mirror": mirror })).map(|options| options.source);
        assert_eq!(source("https://host/dir").unwrap(), Source::Http("https://host/dir".into()));
        assert_eq!(source("file:///a%20b/c").unwrap(), Source::File("/a b/c".into()));
        assert_eq!(source("file://localhost/a").unwrap(), Source::File("/a".into()));
        for wrong in ["/plain/path", "ftp://host/x", "file://host/x", "file:///a%2", "file:///%+1"] {
            let error = source(wrong).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Configuration);
            assert!(error.message.contains(wrong) && error.message.contains("mirror"), "{error}");
        }
    }

    #[test]
    fn rejects_unknown_options_and_values() {
        let error = Options::parse(&json!({ "mirorr": "x" })).unwrap_err();
        assert!(error.message.contains("mirorr") && error.message.contains("checksum, mirror"), "{error}");
        let error = Options::parse(&json!({ "checksum": "md5" })).unwrap_err();
        assert!(error.message.contains("checksum") && error.message.contains("official"), "{error}");
    }
}
