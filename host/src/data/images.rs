//! Raw images of one batch.

use tch::Tensor;

/// Raw images of one batch on a common canvas.
#[derive(Debug)]
pub struct Images {
    /// uint8, or int32 with 16-bit values (0 to 65535); `[B, C, H, W]`.
    pub pixels: Tensor,
    /// Height and width of each image, which stands in the upper left corner of its canvas; none: all fill it.
    pub sizes: Option<Vec<(usize, usize)>>,
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
