//! Raw images of one batch.

use super::size::Size;
use tch::Tensor;

/// Raw images of one batch on a common canvas.
#[derive(Debug)]
pub struct Images {
    /// uint8, or int32 with 16-bit values (0 to 65535); `[B, C, H, W]`.
    pub pixels: Tensor,
    /// The size of each image, which stands in the upper left corner of its canvas; none: all fill it.
    pub sizes: Option<Vec<Size>>,
}

impl Images {
    /// Images that all fill the canvas.
    pub fn whole(pixels: Tensor) -> Self {
        Self { pixels, sizes: None }
    }
}

/// A batch of raw images.
#[derive(Debug)]
pub struct Batch {
    /// The images.
    pub images: Images,
    /// int64 `[B]`, or float32 `[B, classes]` for multilabel tasks.
    pub labels: Option<Tensor>,
    /// Index of each sample in the data set's split.
    pub ids: Vec<i64>,
}

impl Batch {
    /// The batch in pieces of `size` samples, at least 1, in order; the last one may be smaller. Pixels are shared.
    pub fn parts(&self, size: usize) -> Vec<Batch> {
        let part = |(index, ids): (usize, &[i64])| {
            let (start, len) = (index * size, ids.len());
            let narrow = |tensor: &Tensor| tensor.narrow(0, start as i64, len as i64);
            Batch {
                images: Images {
                    pixels: narrow(&self.images.pixels),
                    sizes: self.images.sizes.as_ref().map(|sizes| sizes[start..start + len].to_vec()),
                },
                labels: self.labels.as_ref().map(narrow),
                ids: ids.to_vec(),
            }
        };
        self.ids.chunks(size.max(1)).enumerate().map(part).collect()
    }
}
