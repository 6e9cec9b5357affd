//! Images of any sizes, in memory or on disk, gathered onto a common canvas.

use super::decode::{Decoder, Silent};
use super::depth::Depth;
use super::error::DataError;
use super::images::Images;
use super::size::Size;
use super::store::{Place, Store};
use selfsame_plugin_api::{Card, Image, Samples};
use std::borrow::Cow;
use std::sync::Arc;
use tch::Tensor;

/// Images of the samples of a source, in its order.
pub struct Packed {
    channels: usize,
    depth: Depth,
    sizes: Vec<Size>,
    bytes: Bytes,
}

enum Bytes {
    /// All images one after another, and where each starts.
    Memory {
        pixels: Vec<u8>,
        starts: Vec<usize>,
    },
    Disk(Box<OnDisk>),
}

/// An entry of the packed cache, with the samples that it was made from.
pub(super) struct OnDisk {
    pub store: Store,
    pub card: Card,
    /// Decodes an image again whose stored bytes are damaged.
    pub samples: Arc<dyn Samples>,
    pub side: Option<usize>,
    /// Sample and place of each image.
    pub places: Vec<(usize, Place)>,
}

impl OnDisk {
    /// The image at `position`.
    pub fn read(&self, position: usize) -> Result<Vec<u8>, DataError> {
        let (sample, place) = &self.places[position];
        let mut bytes = vec![0; self.store.bytes(place)];
        if self.store.read(place, &mut bytes)? {
            return Ok(bytes);
        }
        let image = self.decode_again(*sample)?;
        if Size::from(&image) != place.size {
            let message = format!("sample {sample} has another size than when it was first read; start the run again");
            return Err(DataError::data(&self.card.name, message));
        }
        Ok(image.data)
    }

    fn decode_again(&self, sample: usize) -> Result<Image, DataError> {
        let folder = self.store.folder().display();
        tracing::warn!("packed cache {folder}: sample {sample} is damaged there, and decoded again");
        let what = String::new();
        let samples = self.samples.as_ref();
        let decoder = Decoder { card: &self.card, samples, side: self.side, workers: 1, services: &Silent, what };
        decoder.read_again(sample)
    }
}

impl Packed {
    /// Images in memory.
    pub(super) fn in_memory(card: &Card, sizes: Vec<Size>, pixels: Vec<u8>) -> Self {
        let (mut end, depth) = (0, Depth::of(card));
        let starts = sizes
            .iter()
            .map(|size| {
                let start = end;
                end += card.channels * size.area() * depth.bytes();
                start
            })
            .collect();
        Self { channels: card.channels, depth, sizes, bytes: Bytes::Memory { pixels, starts } }
    }

    /// Images in the packed cache.
    pub(super) fn on_disk(entry: OnDisk) -> Self {
        let sizes = entry.places.iter().map(|(_, place)| place.size).collect();
        let (channels, depth) = (entry.card.channels, Depth::of(&entry.card));
        Self { channels, depth, sizes, bytes: Bytes::Disk(Box::new(entry)) }
    }

    /// The size of the image at this position.
    pub(super) fn size(&self, position: usize) -> Size {
        self.sizes[position]
    }

    /// The images at these positions on the smallest canvas that they fit on: uint8, or int32 for 16 bits; zeros beyond.
    ///
    /// # Errors
    /// Stored images that can be read neither from the cache nor from the data set.
    pub fn gather(&self, positions: &[usize]) -> Result<Images, DataError> {
        let sizes: Vec<_> = positions.iter().map(|&position| self.sizes[position]).collect();
        let canvas = canvas(&sizes);
        let shape = [positions.len(), self.channels, canvas.height, canvas.width].map(|length| length as i64);
        let pixels = match self.depth {
            Depth::U16 => {
                let value = |two: &[u8]| i32::from(u16::from_le_bytes([two[0], two[1]]));
                let place = |from: &[u8], to: &mut [i32]| {
                    from.chunks_exact(2).zip(to).for_each(|(two, slot)| *slot = value(two));
                };
                Tensor::from_slice(&self.place(positions, canvas, place)?)
            }
            Depth::U8 => {
                Tensor::from_slice(&self.place(positions, canvas, |from, to: &mut [u8]| to.copy_from_slice(from))?)
            }
        };
        let unequal = sizes.iter().any(|size| *size != canvas);
        Ok(Images { pixels: pixels.view(shape), sizes: unequal.then_some(sizes) })
    }

    /// Copies each image onto its canvas, row by row.
    fn place<T: Default + Clone>(
        &self,
        positions: &[usize],
        canvas: Size,
        copy: impl Fn(&[u8], &mut [T]),
    ) -> Result<Vec<T>, DataError> {
        let area = canvas.area();
        let mut out = vec![T::default(); positions.len() * self.channels * area];
        for (&position, target) in positions.iter().zip(out.chunks_exact_mut(self.channels * area)) {
            let Size { height, width } = self.sizes[position];
            let row = width * self.depth.bytes();
            let image = self.image(position, height * row * self.channels)?;
            for (from, plane) in image.chunks_exact(height * row).zip(target.chunks_exact_mut(area)) {
                for (from, to) in from.chunks_exact(row).zip(plane.chunks_exact_mut(canvas.width)) {
                    copy(from, &mut to[..width]);
                }
            }
        }
        Ok(out)
    }

    fn image(&self, position: usize, length: usize) -> Result<Cow<'_, [u8]>, DataError> {
        match &self.bytes {
            Bytes::Memory { pixels, starts } => Ok(Cow::Borrowed(&pixels[starts[position]..][..length])),
            Bytes::Disk(entry) => Ok(Cow::Owned(entry.read(position)?)),
        }
    }
}

/// The smallest canvas for these sizes.
pub(super) fn canvas(sizes: &[Size]) -> Size {
    let side = |of: fn(&Size) -> usize| sizes.iter().map(of).max().unwrap_or(0);
    Size { height: side(|size| size.height), width: side(|size| size.width) }
}
