//! Values as they are computed with: little-endian, row by row, and of a width that has arithmetic.

use super::{Header, Kind};
use half::f16;

/// The array as NumPy writes it where nothing else is asked: values little-endian, the last dimension the fastest, and float16
/// widened to float32, which changes no value. The header says the same of them.
pub fn ordered(mut header: Header, mut bytes: Vec<u8>) -> (Header, Vec<u8>) {
    let unit = match header.kind {
        Kind::Characters(_) => 4,
        Kind::Bytes(_) => 1,
        kind => kind.size(),
    };
    if header.is_big_endian && unit > 1 {
        bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
    if header.is_column_major {
        bytes = by_rows(&bytes, header.kind.size(), &header.shape);
    }
    if header.kind == Kind::Float(2) {
        let wide = |value: &[u8; 2]| f16::from_le_bytes(*value).to_f32().to_le_bytes();
        bytes = bytes.as_chunks::<2>().0.iter().flat_map(wide).collect();
        header.kind = Kind::Float(4);
    }
    (Header { is_big_endian: false, is_column_major: false, ..header }, bytes)
}

/// Values of `size` bytes, of which the first dimension is the fastest, with the last dimension the fastest.
fn by_rows(bytes: &[u8], size: usize, shape: &[usize]) -> Vec<u8> {
    if size == 0 || shape.len() < 2 || bytes.is_empty() {
        return bytes.to_vec();
    }
    // How far apart neighbours of each dimension are, in values.
    let steps: Vec<usize> = shape
        .iter()
        .scan(1, |step, length| {
            let own = *step;
            *step *= length;
            Some(own)
        })
        .collect();
    let mut out = Vec::with_capacity(bytes.len());
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    for _ in 0..bytes.len() / size {
        out.extend_from_slice(&bytes[at * size..(at + 1) * size]);
        // The next index, as an odometer counts.
        for dimension in (0..shape.len()).rev() {
            index[dimension] += 1;
            at += steps[dimension];
            if index[dimension] < shape[dimension] {
                break;
            }
            at -= steps[dimension] * shape[dimension];
            index[dimension] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: Kind, shape: &[usize]) -> Header {
        Header { kind, is_big_endian: false, is_column_major: false, shape: shape.to_vec() }
    }

    #[test]
    fn arrays_that_are_stored_column_by_column_are_those_that_were_saved() {
        // numpy.asfortranarray(numpy.arange(6, dtype='u1').reshape(2, 3)), and the same of 24 reshaped to (2, 3, 4).
        let cube: Vec<u8> = vec![0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23];
        for (shape, stored) in [(&[2, 3][..], vec![0, 3, 1, 4, 2, 5]), (&[2, 3, 4], cube), (&[3], vec![0, 1, 2])] {
            let column_major = Header { is_column_major: true, ..header(Kind::Unsigned(1), shape) };
            let count = stored.len() as u8;
            let (found, bytes) = ordered(column_major, stored);
            assert_eq!((found, bytes), (header(Kind::Unsigned(1), shape), (0..count).collect()), "{shape:?}");
        }
        // Values of several bytes stay whole, and are turned first: numpy.asfortranarray([[1, 2], [3, 4]], dtype='>u2').
        let big = Header { is_big_endian: true, is_column_major: true, ..header(Kind::Unsigned(2), &[2, 2]) };
        assert_eq!(ordered(big, vec![0, 1, 0, 3, 0, 2, 0, 4]).1, [1, 0, 2, 0, 3, 0, 4, 0]);
    }

    #[test]
    fn float16_is_float32() {
        // numpy.array([1, -2, 65504, 6e-8, numpy.inf, 0.1], dtype='f2').tobytes(), and what numpy.float32 makes of it.
        let halves = [0x3C00_u16, 0xC000, 0x7BFF, 0x0001, 0x7C00, 0x2E66];
        let wide = [1.0, -2.0, 65504.0, 5.960_464_5e-8, f32::INFINITY, 0.099_975_586];
        for is_big_endian in [false, true] {
            let bytes =
                halves.iter().flat_map(|half| if is_big_endian { half.to_be_bytes() } else { half.to_le_bytes() });
            let (found, bytes) = ordered(Header { is_big_endian, ..header(Kind::Float(2), &[6]) }, bytes.collect());
            assert_eq!(found, header(Kind::Float(4), &[6]));
            assert_eq!(bytes, wide.iter().flat_map(|value: &f32| value.to_le_bytes()).collect::<Vec<_>>());
        }
    }
}
