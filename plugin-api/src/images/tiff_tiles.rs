//! Channels that lie in tiles of their own (TIFF 6.0, planar configuration 2), which the decoder reads one by one only.

use super::tiff_file::values;
use super::values::{Kind, Values};
use std::io::{Read, Seek};
use tiff::decoder::Decoder;

/// The values of the current page, channel by channel.
///
/// # Errors
/// Why they cannot be read.
pub fn read<R: Read + Seek>(
    file: &mut Decoder<R>,
    kind: Kind,
    [channels, height, width]: [usize; 3],
) -> Result<Values, String> {
    let (tile_width, tile_height) = file.chunk_dimensions();
    let (tile_width, tile_height) = (tile_width as usize, tile_height as usize);
    if tile_width == 0 || tile_height == 0 {
        return Err("the TIFF file has tiles without a pixel".into());
    }
    let (across, down) = (width.div_ceil(tile_width), height.div_ceil(tile_height));
    // What of a tile is in the image.
    let kept_width = |column: usize| tile_width.min(width - column * tile_width);
    let (mut all, mut starts) = (Values::from_bytes(kind, Vec::new()), Vec::new());
    for tile in 0..channels * across * down {
        let number = u32::try_from(tile).map_err(|_| "the TIFF file has too many tiles")?;
        let (row, column) = (tile / across % down, tile % across);
        let rows = tile_height.min(height - row * tile_height);
        let (columns, stride) = (kept_width(column), file.chunk_data_dimensions(number).0 as usize);
        let read = values(file.read_chunk(number).map_err(|error| error.to_string())?)?;
        if columns > stride || read.len() < rows * stride {
            return Err(format!("tile {tile} of the TIFF file is too short"));
        }
        let places = (0..rows).flat_map(|y| (0..columns).map(move |x| y * stride + x));
        starts.push(all.len());
        if !all.append(read.at(places)) {
            return Err(format!("tile {tile} of the TIFF file has other values than the header says"));
        }
    }
    let place = |channel: usize, y: usize, x: usize| {
        let (row, column) = (y / tile_height, x / tile_width);
        let start = starts[(channel * down + row) * across + column];
        start + y % tile_height * kept_width(column) + x % tile_width
    };
    let place = &place;
    let places = (0..channels).flat_map(|c| (0..height).flat_map(move |y| (0..width).map(move |x| place(c, y, x))));
    Ok(all.at(places))
}
