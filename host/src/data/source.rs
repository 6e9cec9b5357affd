//! One part of a data set, decoded and held in memory, on the host or on the device.

use selfsame_plugin_api::{Card, ErrorKind, PluginError, Samples, Targets, Task};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tch::{Device, Kind, Tensor};

/// A data set that cannot be used, with what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("data set {dataset}: {message}")]
pub struct DataError {
    /// The data set's name.
    pub dataset: String,
    /// Whose mistake it is.
    pub kind: ErrorKind,
    /// What is wrong, and what to do.
    pub message: String,
}

impl DataError {
    /// Files or samples that are not what was expected.
    pub fn data(dataset: &str, message: impl Into<String>) -> Self {
        Self { dataset: dataset.into(), kind: ErrorKind::Data, message: message.into() }
    }

    /// An error of the plugin, with the data set's name.
    pub fn plugin(dataset: &str, error: PluginError) -> Self {
        Self { dataset: dataset.into(), kind: error.kind, message: error.message }
    }
}

/// Samples in memory: pixels, labels, and the index that each sample has in the data set.
#[derive(Debug)]
pub struct Source {
    /// uint8 `[N, C, H, W]`.
    pixels: Tensor,
    /// int64 `[N]`, float32 `[N, classes]` for multilabel tasks, none without labels.
    labels: Option<Tensor>,
    /// The sample's index in the data set's split; random draws depend on it, not on the place in memory.
    ids: Vec<i64>,
}

impl Source {
    /// Reads the samples at `indices` with `workers` threads and puts them on `device`.
    ///
    /// # Errors
    /// A sample that cannot be read, or whose size differs from the first one's; more pixels than memory.
    pub fn load(
        card: &Card,
        samples: &dyn Samples,
        indices: &[usize],
        workers: usize,
        device: Device,
    ) -> Result<Self, DataError> {
        let size = image_size(card, samples, indices)?;
        let bytes = card.channels * size.0 * size.1;
        ensure_fits(&card.name, indices.len() * bytes)?;
        let pixels = match samples.block() {
            Some(block) if block.len() == samples.len() * bytes => gather(block, bytes, indices),
            _ => read_all(card, samples, indices, size, workers)?,
        };
        let shape = [indices.len() as i64, card.channels as i64, size.0 as i64, size.1 as i64];
        let pixels = Tensor::from_slice(&pixels).view(shape).to_device(device);
        let labels = labels_tensor(card, &samples.targets(), indices).map(|labels| labels.to_device(device));
        Ok(Self { pixels, labels, ids: indices.iter().map(|&index| index as i64).collect() })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Height and width of every image, in pixels.
    pub fn image_size(&self) -> (usize, usize) {
        (self.pixels.size()[2] as usize, self.pixels.size()[3] as usize)
    }

    /// Labels of all samples: int64 `[N]`, or float32 `[N, classes]` for multilabel tasks.
    pub fn labels(&self) -> Option<&Tensor> {
        self.labels.as_ref()
    }

    /// The batch at these places: uint8 `[B, C, H, W]` on `device`, labels (if any) and sample ids.
    pub fn batch(&self, places: &[usize], device: Device) -> Batch {
        let index: Vec<i64> = places.iter().map(|&place| place as i64).collect();
        let index = Tensor::from_slice(&index).to_device(self.pixels.device());
        Batch {
            images: Images::whole(self.pixels.index_select(0, &index).to_device(device)),
            labels: self.labels.as_ref().map(|labels| labels.index_select(0, &index).to_device(device)),
            ids: places.iter().map(|&place| self.ids[place]).collect(),
        }
    }
}

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

/// The size of the first image, which all others must have.
fn image_size(card: &Card, samples: &dyn Samples, indices: &[usize]) -> Result<(usize, usize), DataError> {
    let Some(&first) = indices.first() else { return Ok(card.nominal_size) };
    let images = samples.read(&[first]).map_err(|error| DataError::plugin(&card.name, error))?;
    Ok(images.first().map_or(card.nominal_size, |image| (image.height, image.width)))
}

fn gather(block: &[u8], bytes: usize, indices: &[usize]) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(indices.len() * bytes);
    for &index in indices {
        pixels.extend_from_slice(&block[index * bytes..(index + 1) * bytes]);
    }
    pixels
}

fn read_all(
    card: &Card,
    samples: &dyn Samples,
    indices: &[usize],
    size: (usize, usize),
    workers: usize,
) -> Result<Vec<u8>, DataError> {
    const CHUNK: usize = 64;
    let bytes = card.channels * size.0 * size.1;
    let mut pixels = vec![0u8; indices.len() * bytes];
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<(usize, DataError)>> = Mutex::new(None);
    let slots: Vec<Mutex<&mut [u8]>> = pixels.chunks_mut(CHUNK * bytes).map(Mutex::new).collect();
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                loop {
                    let chunk = next.fetch_add(1, Ordering::Relaxed);
                    if chunk >= slots.len() || lock(&failed).as_ref().is_some_and(|(first, _)| *first < chunk) {
                        return;
                    }
                    let wanted = &indices[chunk * CHUNK..indices.len().min((chunk + 1) * CHUNK)];
                    if let Err(error) = read_chunk(card, samples, wanted, size, &mut lock(&slots[chunk])) {
                        let mut failed = lock(&failed);
                        if failed.as_ref().is_none_or(|(first, _)| chunk < *first) {
                            *failed = Some((chunk, error));
                        }
                    }
                }
            });
        }
    });
    drop(slots);
    match failed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        Some((_, error)) => Err(error),
        None => Ok(pixels),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn read_chunk(
    card: &Card,
    samples: &dyn Samples,
    indices: &[usize],
    size: (usize, usize),
    out: &mut [u8],
) -> Result<(), DataError> {
    let bytes = card.channels * size.0 * size.1;
    let images = samples.read(indices).map_err(|error| DataError::plugin(&card.name, error))?;
    for ((image, index), slot) in images.iter().zip(indices).zip(out.chunks_mut(bytes)) {
        let found = (image.channels, image.height, image.width, image.bit_depth);
        let expected = (card.channels, size.0, size.1, 8);
        if found != expected {
            return Err(DataError::data(
                &card.name,
                format!(
                    "sample {index} has {} channels, {}×{} pixels and {} bits; expected {} channels, {}×{} pixels and \
                     {} bits, as its first sample has. All images of a data set must have one size and 8 bits; \
                     resize or convert the files",
                    found.0, found.1, found.2, found.3, expected.0, expected.1, expected.2, expected.3
                ),
            ));
        }
        slot.copy_from_slice(&image.data);
    }
    Ok(())
}

fn labels_tensor(card: &Card, targets: &Targets, indices: &[usize]) -> Option<Tensor> {
    match targets {
        Targets::None => None,
        Targets::Classes(classes) => {
            let labels: Vec<i64> = indices.iter().map(|&index| classes[index]).collect();
            (card.task != Task::None).then(|| Tensor::from_slice(&labels))
        }
        Targets::Multilabel(flags) => {
            let classes = card.classes.len();
            let labels = gather(flags, classes, indices);
            Some(Tensor::from_slice(&labels).view([indices.len() as i64, classes as i64]).to_kind(Kind::Float))
        }
    }
}

/// Refuses what would drive the machine out of memory, before it does.
fn ensure_fits(dataset: &str, bytes: usize) -> Result<(), DataError> {
    let Some(available) = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| available_bytes(&text)) else {
        return Ok(());
    };
    // The block and its tensor exist side by side for a moment.
    if bytes.saturating_mul(2) > available {
        return Err(DataError::data(
            dataset,
            format!(
                "its pixels need {:.1} GB while loading, and {:.1} GB of memory are free. Keep fewer samples \
                 (`data.limit.train`) or use a machine with more memory",
                2.0 * bytes as f64 / 1e9,
                available as f64 / 1e9
            ),
        ));
    }
    Ok(())
}

fn available_bytes(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use selfsame_plugin_api::{Image, Split};

    struct Ramp {
        bad: Option<usize>,
    }

    impl Samples for Ramp {
        fn len(&self) -> usize {
            500
        }
        fn targets(&self) -> Targets {
            Targets::Classes((0..500).map(|i| i % 2).collect())
        }
        fn read(&self, indices: &[usize]) -> selfsame_plugin_api::Result<Vec<Image>> {
            let image = |&i: &usize| {
                let width = if self.bad == Some(i) { 3 } else { 2 };
                Image { channels: 1, height: 1, width, bit_depth: 8, data: vec![(i % 251) as u8; width] }
            };
            Ok(indices.iter().map(image).collect())
        }
    }

    fn card() -> Card {
        Card {
            name: "ramp".into(),
            summary: String::new(),
            classes: vec!["even".into(), "odd".into()],
            task: Task::Binary,
            channels: 1,
            bit_depth: 8,
            nominal_size: (1, 2),
            normalization: None,
            splits: vec![Split::Train],
            licence: String::new(),
            citation: String::new(),
            options: Vec::new(),
            recommended: serde_json::Value::Null,
        }
    }

    #[test]
    fn the_number_of_workers_does_not_change_what_is_read() {
        let indices: Vec<usize> = (0..300).rev().collect();
        let load = |workers| Source::load(&card(), &Ramp { bad: None }, &indices, workers, Device::Cpu).unwrap();
        let (one, four) = (load(1), load(4));
        assert_eq!(one.pixels, four.pixels);
        let batch = four.batch(&[0, 299], Device::Cpu);
        assert_eq!(batch.ids, [299, 0]);
        assert_eq!(Vec::<u8>::try_from(batch.images.pixels.flatten(0, -1)).unwrap(), [48, 48, 0, 0]);
        assert_eq!(Vec::<i64>::try_from(batch.labels.unwrap()).unwrap(), [1, 0]);
    }

    #[test]
    fn a_sample_of_another_size_is_named() {
        let indices: Vec<usize> = (0..300).collect();
        let error = Source::load(&card(), &Ramp { bad: Some(130) }, &indices, 3, Device::Cpu).unwrap_err();
        assert!(error.to_string().contains("sample 130 has 1 channels, 1×3 pixels"), "{error}");
    }
}
