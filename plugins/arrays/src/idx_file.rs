//! IDX files: two zero bytes, a code for the kind of values, the number of dimensions, their lengths, the values; all
//! big-endian (http://yann.lecun.com/exdb/mnist).

use flate2::read::MultiGzDecoder;
use selfsame_plugin_api::numpy::{self, Header, Kind};
use selfsame_plugin_api::{PluginError, Result, files};
use std::io::{BufReader, Read};
use std::path::Path;

/// Reads the header; the values follow in the reader. A name that ends in `.gz` is unpacked.
///
/// # Errors
/// A file that cannot be read or is no IDX file, by its path.
pub fn open(path: &Path) -> Result<(Header, Box<dyn Read>)> {
    let file = BufReader::new(files::open(path)?);
    let mut reader: Box<dyn Read> = match path.extension().is_some_and(|ending| ending == "gz") {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let header = header(&mut reader).map_err(|message| wrong(path, &message))?;
    Ok((header, reader))
}

/// All values and their header, ordered.
///
/// # Errors
/// As [`open`], and another number of values than the header says.
pub fn read(path: &Path) -> Result<(Header, Vec<u8>)> {
    let (header, reader) = open(path)?;
    let expected = header.bytes().ok_or_else(|| wrong(path, "its sizes are larger than any memory"))?;
    let mut bytes = Vec::new();
    let read = reader.take(expected as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| files::failure("read", path, &error))?;
    if bytes.len() != expected {
        let message =
            format!("{} bytes or more behind the header, expected {expected} for {:?}", bytes.len(), header.shape);
        return Err(wrong(path, &message));
    }
    Ok(numpy::ordered(header, bytes))
}

fn header(reader: &mut impl Read) -> std::result::Result<Header, String> {
    let mut number = || {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map(|()| bytes).map_err(|error| format!("its header is cut off: {error}"))
    };
    let [0, 0, code, dimensions] = number()? else {
        return Err("no IDX file: it does not begin with two zero bytes".into());
    };
    let kind = match code {
        0x08 => Kind::Unsigned(1),
        0x09 => Kind::Signed(1),
        0x0B => Kind::Signed(2),
        0x0C => Kind::Signed(4),
        0x0D => Kind::Float(4),
        0x0E => Kind::Float(8),
        other => return Err(format!("no IDX file: it has values of the unknown kind 0x{other:02X}")),
    };
    let shape: std::result::Result<Vec<usize>, String> =
        (0..dimensions).map(|_| Ok(u32::from_be_bytes(number()?) as usize)).collect();
    Ok(Header { kind, is_big_endian: true, is_column_major: false, shape: shape? })
}

fn wrong(path: &Path, message: &str) -> PluginError {
    PluginError::data(format!("{}: {message}", path.display()))
}
