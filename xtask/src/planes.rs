//! CIFAR's images in about half of their bytes, without loss, as the kit for a GPU machine carries them.
//!
//! A colour plane (green, red less green, blue less green) is predicted pixel by pixel from its left and upper neighbours
//! (the median edge detector of JPEG-LS). What remains is kept in several streams, by how uneven the neighbourhood is,
//! since that tells how large it may be; each stream is coded by Huffman's codes alone, in the form of zlib. Within a stream,
//! what remains stands by place, and within a place by image: so that a decoder (`bench/kit/kit/unpack.py`) can do all
//! images of a place at once.

use anyhow::{Result, bail};
use zlib_rs::{DeflateConfig, ReturnCode, Strategy, compress_bound, compress_slice};

const SIDE: usize = 32;
const PIXELS: usize = SIDE * SIDE;
/// A record of CIFAR-10: the class, then three planes.
pub const RECORD: usize = 1 + 3 * PIXELS;
pub const PLANES: usize = 3;
/// The least unevenness of each stream but the first.
const BOUNDS: [u16; 11] = [1, 3, 5, 8, 11, 15, 20, 27, 36, 50, 75];

/// The planes of a batch file, and its classes in front: each plane is the number of images and the length of each
/// stream, as little-endian 32-bit numbers, and then the streams.
pub struct Coded {
    pub classes: Vec<u8>,
    pub planes: [Vec<u8>; PLANES],
}

/// Codes the records of a batch file.
pub fn encode(records: &[u8]) -> Result<Coded> {
    if records.is_empty() || !records.len().is_multiple_of(RECORD) {
        bail!("{} bytes are no records of CIFAR-10, which have {RECORD} bytes", records.len());
    }
    let records: Vec<&[u8]> = records.chunks_exact(RECORD).collect();
    let classes = records.iter().map(|record| record[0]).collect();
    let mut remaining = vec![0; records.len() * PIXELS];
    let mut planes = [(); PLANES].map(|()| Vec::new());
    for (number, coded) in planes.iter_mut().enumerate() {
        let images: Vec<[u8; PIXELS]> = records.iter().map(|record| plane(record, number)).collect();
        *coded = encode_plane(&images, number > 0, &mut remaining)?;
    }
    Ok(Coded { classes, planes })
}

/// Green, red less green, blue less green; the differences about 128.
fn plane(record: &[u8], number: usize) -> [u8; PIXELS] {
    let colour = |which: usize| &record[1 + which * PIXELS..][..PIXELS];
    let (green, other) = (colour(1), colour(if number == 2 { 2 } else { 0 }));
    std::array::from_fn(|place| match number {
        0 => green[place],
        _ => other[place].wrapping_sub(green[place]).wrapping_add(128),
    })
}

/// One plane of all images; `remaining` is what remained of the plane before, as a size, and becomes that of this one.
fn encode_plane(images: &[[u8; PIXELS]], after_another: bool, remaining: &mut [u8]) -> Result<Vec<u8>> {
    let mut streams = [(); BOUNDS.len() + 1].map(|()| Vec::new());
    for place in 0..PIXELS {
        for (image, size) in images.iter().zip(remaining[place * images.len()..].iter_mut()) {
            let (predicted, mut uneven) = prediction(image, place);
            if after_another {
                uneven += u16::from(*size);
            }
            let remains = image[place].wrapping_sub(predicted);
            *size = remains.min(remains.wrapping_neg());
            streams[BOUNDS.iter().filter(|&&bound| bound <= uneven).count()].push(remains);
        }
    }
    let mut coded = Vec::new();
    coded.extend(u32::try_from(images.len())?.to_le_bytes());
    let streams = streams.iter().map(|stream| compressed(stream)).collect::<Result<Vec<_>>>()?;
    for stream in &streams {
        coded.extend(u32::try_from(stream.len())?.to_le_bytes());
    }
    streams.iter().for_each(|stream| coded.extend(stream));
    Ok(coded)
}

/// What the pixel is expected to be, and how uneven its neighbourhood is.
fn prediction(image: &[u8; PIXELS], place: usize) -> (u8, u16) {
    let (row, column) = (place / SIDE, place % SIDE);
    let (left, up, corner) = match (row, column) {
        (0, 0) => (128, 128, 128),
        (0, _) => (image[place - 1], image[place - 1], image[place - 1]),
        (_, 0) => (image[place - SIDE], image[place - SIDE], image[place - SIDE]),
        _ => (image[place - 1], image[place - SIDE], image[place - SIDE - 1]),
    };
    let (least, most) = (left.min(up), left.max(up));
    let predicted = if corner >= most {
        least
    } else if corner <= least {
        most
    } else {
        // Between `least` and `most`.
        left.wrapping_add(up).wrapping_sub(corner)
    };
    (predicted, u16::from(left.abs_diff(corner)) + u16::from(up.abs_diff(corner)))
}

fn compressed(stream: &[u8]) -> Result<Vec<u8>> {
    // Matches cost more than they save here.
    let config = DeflateConfig { strategy: Strategy::HuffmanOnly, ..DeflateConfig::new(9) };
    let mut output = vec![0; compress_bound(stream.len())];
    let (written, code) = compress_slice(&mut output, stream, config);
    if code != ReturnCode::Ok {
        bail!("zlib ends with {code:?}");
    }
    let length = written.len();
    output.truncate(length);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// The way back, image by image.
    fn decode(coded: &Coded) -> Vec<u8> {
        let count = coded.classes.len();
        let mut records: Vec<[u8; RECORD]> = vec![[0; RECORD]; count];
        let mut sizes = vec![0u16; count * PIXELS];
        for (number, plane) in coded.planes.iter().enumerate() {
            let numbers: Vec<usize> = plane[..4 * (BOUNDS.len() + 2)]
                .chunks(4)
                .map(|n| u32::from_le_bytes(n.try_into().unwrap()) as usize)
                .collect();
            assert_eq!(numbers[0], count);
            let mut rest = &plane[4 * numbers.len()..];
            let mut streams = Vec::new();
            for length in &numbers[1..] {
                let mut bytes = Vec::new();
                flate2::read::ZlibDecoder::new(&rest[..*length]).read_to_end(&mut bytes).unwrap();
                streams.push(bytes.into_iter());
                rest = &rest[*length..];
            }
            let mut images = vec![[0u8; PIXELS]; count];
            for place in 0..PIXELS {
                for (n, image) in images.iter_mut().enumerate() {
                    let (predicted, uneven) = prediction(image, place);
                    let size = &mut sizes[place * count + n];
                    let uneven = uneven + if number > 0 { *size } else { 0 };
                    let remains = streams[BOUNDS.iter().filter(|&&b| b <= uneven).count()].next().unwrap();
                    *size = u16::from(remains.min(remains.wrapping_neg()));
                    image[place] = predicted.wrapping_add(remains);
                }
            }
            assert!(streams.iter_mut().all(|stream| stream.next().is_none()), "a stream is longer than the images");
            for ((record, image), class) in records.iter_mut().zip(&images).zip(&coded.classes) {
                record[0] = *class;
                let colour = [1, 0, 2][number];
                for (place, value) in image.iter().enumerate() {
                    let green = if number > 0 { record[1 + PIXELS + place].wrapping_sub(128) } else { 0 };
                    record[1 + colour * PIXELS + place] = value.wrapping_add(green);
                }
            }
        }
        records.concat()
    }

    #[test]
    fn images_come_back_to_the_byte_and_smooth_ones_are_small() {
        // A plain image, a slope with a grain, and noise.
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let mut records = Vec::new();
        for kind in 0..30u8 {
            records.push(kind % 10);
            for place in 0..3 * PIXELS {
                let (row, column) = (place % PIXELS / SIDE, place % SIDE);
                records.push(match kind % 3 {
                    0 => 200 + kind,
                    1 => (row * 5 + column * 3) as u8 / 2 + noise() % 4,
                    _ => noise(),
                });
            }
        }
        let coded = encode(&records).unwrap();
        assert!(decode(&coded) == records, "other images");
        let smooth = encode(&records[RECORD..2 * RECORD]).unwrap();
        assert!(smooth.planes.iter().map(Vec::len).sum::<usize>() < 3 * PIXELS * 2 / 3);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let error = encode(&[0; RECORD + 1]).err().unwrap().to_string();
        assert!(error.contains("3074 bytes are no records of CIFAR-10"), "{error}");
    }
}
