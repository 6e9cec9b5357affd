//! Samples whose pixels all lie in memory.

use crate::{Image, PluginError, Result, Samples, Targets};

/// One split in memory: pixels of one size, with labels, groups and names as there are.
///
/// ```
/// use selfsame_plugin_api::{InMemory, Samples};
///
/// // Two grey images of 2 × 3 pixels.
/// let samples = InMemory::new(vec![0, 50, 100, 150, 200, 250, 1, 2, 3, 4, 5, 6], 8, [1, 2, 3])?
///     .with_classes(vec![0, 1])
///     .with_groups(vec!["patient 1".into(), "patient 2".into()]);
/// assert_eq!(samples.read(&[1])?[0].data, [1, 2, 3, 4, 5, 6]);
/// # Ok::<(), selfsame_plugin_api::PluginError>(())
/// ```
///
/// The host copies 8-bit images as one block, so that the card's nominal size must be that of the images.
#[derive(Debug, Clone)]
pub struct InMemory {
    pixels: Vec<u8>,
    bit_depth: u8,
    /// Channels, height, width.
    shape: [usize; 3],
    len: usize,
    targets: Targets,
    groups: Option<Vec<String>>,
    ids: Option<Vec<String>>,
}

impl InMemory {
    /// `pixels` are `[N, channels, height, width]`, each value of 8, 16 or 32 bits (see [`Image`]) and little-endian;
    /// `shape` is channels, height and width.
    ///
    /// # Errors
    /// Pixels that are no whole number of images.
    pub fn new(pixels: Vec<u8>, bit_depth: u8, shape: [usize; 3]) -> Result<Self> {
        let [channels, height, width] = shape;
        let bytes = [channels, height, width].iter().try_fold(usize::from(bit_depth / 8), |n, m| n.checked_mul(*m));
        match bytes {
            Some(bytes @ 1..) if pixels.len().is_multiple_of(bytes) => Ok(Self {
                len: pixels.len() / bytes,
                pixels,
                bit_depth,
                shape,
                targets: Targets::None,
                groups: None,
                ids: None,
            }),
            _ => Err(PluginError::data(format!(
                "{} bytes are no whole number of images of {channels} × {height} × {width} with {bit_depth} bits",
                pixels.len()
            ))),
        }
    }

    /// One class a sample.
    #[must_use]
    pub fn with_classes(self, classes: Vec<i64>) -> Self {
        Self { targets: Targets::Classes(classes), ..self }
    }

    /// Labels of any kind.
    #[must_use]
    pub fn with_targets(self, targets: Targets) -> Self {
        Self { targets, ..self }
    }

    /// One group a sample; see [`Samples::groups`].
    #[must_use]
    pub fn with_groups(self, groups: Vec<String>) -> Self {
        Self { groups: Some(groups), ..self }
    }

    /// One name a sample; see [`Samples::ids`].
    #[must_use]
    pub fn with_ids(self, ids: Vec<String>) -> Self {
        Self { ids: Some(ids), ..self }
    }
}

impl Samples for InMemory {
    fn len(&self) -> usize {
        self.len
    }

    fn targets(&self) -> Targets {
        self.targets.clone()
    }

    fn groups(&self) -> Option<Vec<String>> {
        self.groups.clone()
    }

    fn ids(&self) -> Option<Vec<String>> {
        self.ids.clone()
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let [channels, height, width] = self.shape;
        let bytes = self.pixels.len() / self.len.max(1);
        let image = |&index: &usize| {
            let data = self.pixels.get(index * bytes..(index + 1) * bytes).ok_or_else(|| {
                PluginError::contract(format!("sample {index} was asked for, but there are {}", self.len))
            })?;
            Ok(Image { channels, height, width, bit_depth: self.bit_depth, data: data.to_vec() })
        };
        indices.iter().map(image).collect()
    }

    fn block(&self) -> Option<&[u8]> {
        (self.bit_depth == 8).then_some(&self.pixels)
    }
}

/// `[N, height, width, channels]` as `[N, channels, height, width]`, of values of `bytes` bytes each; `plane` is
/// height × width.
pub fn planar(interleaved: &[u8], plane: usize, channels: usize, bytes: usize) -> Vec<u8> {
    if channels == 1 {
        return interleaved.to_vec();
    }
    let mut out = Vec::with_capacity(interleaved.len());
    for image in interleaved.chunks_exact(plane * channels * bytes) {
        for channel in 0..channels {
            for pixel in image.chunks_exact(channels * bytes) {
                out.extend_from_slice(&pixel[channel * bytes..(channel + 1) * bytes]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_and_given_as_a_block() {
        let samples = InMemory::new((0..12).collect(), 8, [1, 2, 3]).unwrap().with_ids(vec!["a".into(), "b".into()]);
        assert_eq!((samples.len(), samples.block().unwrap().len()), (2, 12));
        let image = samples.read(&[1, 0]).unwrap().remove(0);
        assert_eq!((image.height, image.width, image.data), (2, 3, vec![6, 7, 8, 9, 10, 11]));
        assert!(samples.read(&[2]).unwrap_err().message.contains("sample 2 was asked for, but there are 2"));
        let wide = InMemory::new((0..12).collect(), 16, [3, 1, 1]).unwrap();
        assert_eq!((wide.len(), wide.block()), (2, None));
    }

    #[test]
    fn pixels_that_are_no_whole_number_of_images_are_refused() {
        for (bytes, depth, shape) in [(5, 8, [1, 2, 3]), (6, 16, [1, 2, 3]), (6, 8, [0, 2, 3]), (6, 4, [1, 2, 3])] {
            let message = InMemory::new(vec![0; bytes], depth, shape).unwrap_err().message;
            assert!(message.contains("no whole number of images"), "{message}");
        }
        assert!(InMemory::new(vec![0; 8], 32, [usize::MAX, 2, 3]).is_err());
        assert_eq!(InMemory::new(Vec::new(), 8, [1, 2, 3]).unwrap().len(), 0);
    }

    #[test]
    fn interleaved_pixels_become_planes() {
        assert_eq!(planar(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 2, 3, 1), [1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12]);
        assert_eq!(planar(&[1, 2, 3, 4, 5, 6, 7, 8], 2, 2, 2), [1, 2, 5, 6, 3, 4, 7, 8]);
    }
}
