//! One part of a data set, ready for batches.

use super::decode::Damaged;
use super::error::DataError;
use super::flat::Flat;
use super::images::{Batch, Images};
use super::packed::Packed;
use super::prefetch::Batches;
use super::size::Size;
use super::upload::upload;
use selfsame_plugin_api::{Card, Targets, Task};
use std::sync::Arc;
use tch::{Device, Kind, TchError, Tensor};

/// Samples: pixels, labels, and the index that each sample has in the data set.
pub struct Source {
    /// The data set's name, for errors.
    pub(super) dataset: String,
    pub(super) pixels: Pixels,
    /// What all images fit in.
    pub(super) size: Size,
    /// int64 `[N]`, float32 `[N, classes]` for multilabel tasks, none without labels.
    pub(super) labels: Option<Tensor>,
    /// The sample's index in the data set's split; random draws depend on it, not on the place in memory.
    pub(super) ids: Vec<i64>,
    pub(super) damaged: Vec<Damaged>,
    pub(super) flat: Vec<Flat>,
    pub(super) uniform: bool,
}

pub(super) enum Pixels {
    /// All of one size, `[N, C, H, W]`: uint8, or int16 that carries the bits of 16-bit values.
    Tensor(Tensor),
    /// Of unequal sizes, or too many for the memory.
    Packed(Arc<Packed>),
}

impl Source {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The size of every image; where they differ, of the canvas that all of them fit on.
    pub fn image_size(&self) -> Size {
        self.size
    }

    /// Whether all images have the same size.
    pub fn is_uniform(&self) -> bool {
        self.uniform
    }

    /// Labels of all samples: int64 `[N]`, or float32 `[N, classes]` for multilabel tasks.
    pub fn labels(&self) -> Option<&Tensor> {
        self.labels.as_ref()
    }

    /// The index in the data set's split of the sample at this place.
    pub fn sample_id(&self, place: usize) -> i64 {
        self.ids[place]
    }

    /// The size of the image at this place.
    pub fn size(&self, place: usize) -> Size {
        match &self.pixels {
            Pixels::Tensor(_) => self.size,
            Pixels::Packed(packed) => packed.size(place),
        }
    }

    /// Samples that were asked for and left out, because they cannot be read.
    pub fn damaged(&self) -> &[Damaged] {
        &self.damaged
    }

    /// Images that have one value in each channel, by their indices in the data set's split.
    pub fn flat(&self) -> &[Flat] {
        &self.flat
    }

    /// The batch at these places: images `[B, C, H, W]` on `device`, labels (if any) and sample ids.
    ///
    /// # Errors
    /// Pixels on disk that can be read neither from the packed cache nor from the data set.
    pub fn batch(&self, places: &[usize], device: Device) -> Result<Batch, DataError> {
        let images = match &self.pixels {
            Pixels::Tensor(pixels) => {
                Images::whole(gather(pixels, places, device).map_err(|error| self.memory(&error))?)
            }
            Pixels::Packed(packed) => packed.gather(places)?,
        };
        self.assemble(images, places, device)
    }

    /// The batches at these places, in this order; those that are gathered from memory or disk image by image are gathered
    /// ahead in the background.
    pub fn batches(&self, plan: Vec<Vec<usize>>, device: Device) -> Batches<'_> {
        Batches::new(self, plan, device)
    }

    /// What can be gathered in the background.
    pub(super) fn packed(&self) -> Option<&Arc<Packed>> {
        match &self.pixels {
            Pixels::Packed(packed) => Some(packed),
            Pixels::Tensor(_) => None,
        }
    }

    /// Adds labels and ids, and moves all to `device`.
    ///
    /// # Errors
    /// A device without room.
    pub(super) fn assemble(&self, images: Images, places: &[usize], device: Device) -> Result<Batch, DataError> {
        let labels = self.labels.as_ref().map(|labels| upload(&select(labels, places)?, device)).transpose();
        Ok(Batch {
            images: Images {
                pixels: upload(&images.pixels, device).map_err(|error| self.memory(&error))?,
                sizes: images.sizes,
            },
            labels: labels.map_err(|error| self.memory(&error))?,
            ids: places.iter().map(|&place| self.ids[place]).collect(),
        })
    }

    fn memory(&self, error: &TchError) -> DataError {
        DataError::memory(&self.dataset, error)
    }
}

/// Images at these places on `device`; 16-bit ones as int32.
fn gather(pixels: &Tensor, places: &[usize], device: Device) -> Result<Tensor, TchError> {
    let images = upload(&select(pixels, places)?, device)?;
    match images.kind() {
        Kind::Int16 => images.f_to_kind(Kind::Int)?.f_bitwise_and(0xffff),
        _ => Ok(images),
    }
}

fn select(rows: &Tensor, places: &[usize]) -> Result<Tensor, TchError> {
    let index: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    rows.f_index_select(0, &upload(&Tensor::f_from_slice(&index)?, rows.device())?)
}

/// Labels of the samples at `indices`.
pub(super) fn labels(card: &Card, targets: &Targets, indices: &[usize]) -> Option<Tensor> {
    match targets {
        Targets::None => None,
        Targets::Classes(classes) => {
            let labels: Vec<i64> = indices.iter().map(|&index| classes[index]).collect();
            (card.task != Task::None).then(|| Tensor::from_slice(&labels))
        }
        Targets::Multilabel(flags) => {
            let classes = card.classes.len();
            let labels: Vec<u8> =
                indices.iter().flat_map(|&index| &flags[index * classes..][..classes]).copied().collect();
            Some(Tensor::from_slice(&labels).view([indices.len() as i64, classes as i64]).to_kind(Kind::Float))
        }
    }
}
