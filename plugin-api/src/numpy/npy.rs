//! The header of an npy array (NumPy's format, versions 1 to 3).

use super::{Header, Kind};
use std::io::Read;

/// Longer headers are no arrays of images.
const LONGEST: usize = 1 << 16;

/// Reads the header; the values follow in `reader`.
///
/// # Errors
/// What it is not, as the end of a sentence.
pub fn header<R: Read + ?Sized>(reader: &mut R) -> Result<Header, String> {
    let mut start = [0; 8];
    let mut fill = |bytes: &mut [u8]| reader.read_exact(bytes).map_err(|error| error.to_string());
    fill(&mut start)?;
    if &start[..6] != b"\x93NUMPY" {
        return Err("is no array of NumPy".into());
    }
    let length = match start[6] {
        1 => {
            let mut length = [0; 2];
            fill(&mut length)?;
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            fill(&mut length)?;
            u32::from_le_bytes(length) as usize
        }
        version => return Err(format!("has version {version} of NumPy's format, expected 1 to 3")),
    };
    if length > LONGEST {
        return Err(format!("has a header of {length} bytes"));
    }
    let mut text = vec![0; length];
    fill(&mut text)?;
    parse(&String::from_utf8_lossy(&text))
}

/// `{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }`
fn parse(text: &str) -> Result<Header, String> {
    let after = |key: &str| {
        let rest = text.split_once(&format!("'{key}'")).map(|(_, rest)| rest.trim_start_matches([' ', ':']));
        rest.ok_or_else(|| format!("has a header without `{key}`"))
    };
    let is_column_major = after("fortran_order")?.starts_with("True");
    let shape = after("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(inside, _)| inside);
    let lengths = shape.unwrap_or_default().split(',').map(str::trim).filter(|length| !length.is_empty());
    let shape: Result<Vec<usize>, _> = lengths.map(str::parse).collect();
    let shape = shape.map_err(|_| "has a header whose shape is no list of numbers".to_owned())?;
    let kind = after("descr")?.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map(|(inside, _)| inside);
    let Some(kind) = kind else {
        return Err("holds records, expected plain numbers or texts".into());
    };
    let unknown = || format!("has values of kind `{kind}`, which are not read");
    if !kind.is_ascii() || kind.len() < 3 {
        return Err(unknown());
    }
    let (order, letter, count) = (&kind[..1], &kind[1..2], kind[2..].parse().map_err(|_| unknown())?);
    let is_right = |size: usize| [1, 2, 4, 8].contains(&size);
    let read = match letter {
        "b" => Kind::Bool,
        "u" if is_right(count) => Kind::Unsigned(count),
        "i" if is_right(count) => Kind::Signed(count),
        "f" if is_right(count) => Kind::Float(count),
        "U" => Kind::Characters(count),
        "S" => Kind::Bytes(count),
        "O" => return Err("holds Python objects; save texts as `numpy.array([…], dtype=str)`".into()),
        _ => return Err(unknown()),
    };
    Ok(Header { kind: read, is_big_endian: order == ">", is_column_major, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_numpy_are_understood() {
        // As `numpy.save` 2.1 writes them.
        let header = parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2, 1), }    \n").unwrap();
        let expected =
            Header { kind: Kind::Float(4), is_big_endian: false, is_column_major: false, shape: vec![3, 2, 1] };
        assert_eq!(header, expected);
        let text = "{'descr': '<f2', 'fortran_order': True, 'shape': (3, 2), }";
        let expected = Header { kind: Kind::Float(2), is_column_major: true, shape: vec![3, 2], ..expected };
        assert_eq!(parse(text).unwrap(), expected);
        let header = parse("{'descr': '>i2', 'fortran_order': False, 'shape': (7,), }").unwrap();
        assert_eq!((header.kind, header.is_big_endian, header.shape), (Kind::Signed(2), true, vec![7]));
        assert_eq!(parse("{'descr': '|u1', 'fortran_order': False, 'shape': (), }").unwrap().shape.len(), 0);
        assert_eq!(
            parse("{'descr': '<U12', 'fortran_order': False, 'shape': (5,), }").unwrap().kind,
            Kind::Characters(12)
        );
        for (text, part) in [
            ("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "`|O`"),
            ("{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }", "`<c8`"),
            ("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (3,), }", "records"),
            ("{'fortran_order': False, 'shape': (3,), }", "without `descr`"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}
