//! A data set in this process, whose every pixel follows from the sample and the place.

use selfsame::config::schema::{CachePlace, OnError};
use selfsame::data::{Damaged, DataError, Loader, Source};
use selfsame_plugin_api::{Cancelled, Card, Image, PluginError, Result, Samples, Services, Split, Targets};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tch::{Device, Tensor};

/// `count` samples; sample `i` belongs to class `i % 2` and is called `file-i`.
pub struct Fake {
    pub count: usize,
    pub bit_depth: u8,
    /// Whether heights and widths differ.
    pub unequal: bool,
    pub fingerprint: Option<String>,
    pub bad: BTreeSet<usize>,
    /// What one sample takes.
    pub delay: Duration,
    /// Every index that was read, in no order.
    pub reads: Mutex<Vec<usize>>,
    pub block: Option<Vec<u8>>,
}

impl Fake {
    pub fn new(count: usize) -> Self {
        Self {
            count,
            bit_depth: 8,
            unequal: true,
            fingerprint: Some("first".into()),
            bad: BTreeSet::new(),
            delay: Duration::ZERO,
            reads: Mutex::default(),
            block: None,
        }
    }

    /// Height and width of a sample.
    pub fn size(&self, index: usize) -> (usize, usize) {
        if self.unequal { (2 + index % 3, 3 + index % 4) } else { (3, 2) }
    }

    /// The value of a pixel; channel, row and column.
    pub fn value(&self, index: usize, (c, y, x): (usize, usize, usize)) -> u16 {
        let value = (index * 977 + c * 331 + y * 57 + x * 11 + 1) as u16;
        if self.bit_depth == 16 { value.wrapping_mul(199) } else { value % 251 + 1 }
    }

    pub fn image(&self, index: usize) -> Image {
        let (height, width) = self.size(index);
        let places = (0..2).flat_map(|c| (0..height).flat_map(move |y| (0..width).map(move |x| (c, y, x))));
        let data = places.flat_map(|place| {
            let bytes = self.value(index, place).to_le_bytes();
            if self.bit_depth == 16 { bytes.to_vec() } else { vec![bytes[0]] }
        });
        Image { channels: 2, height, width, bit_depth: self.bit_depth, data: data.collect() }
    }

    /// How many samples were read since the last call.
    pub fn take_reads(&self) -> usize {
        std::mem::take(&mut *self.reads.lock().unwrap()).len()
    }
}

impl Samples for Fake {
    fn len(&self) -> usize {
        self.count
    }

    fn targets(&self) -> Targets {
        Targets::Classes((0..self.count as i64).map(|i| i % 2).collect())
    }

    fn ids(&self) -> Option<Vec<String>> {
        Some((0..self.count).map(|index| format!("file-{index}")).collect())
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        std::thread::sleep(self.delay * indices.len() as u32);
        if let Some(bad) = indices.iter().find(|index| self.bad.contains(index)) {
            return Err(PluginError::data(format!("file-{bad}: the header is cut off")));
        }
        self.reads.lock().unwrap().extend(indices);
        Ok(indices.iter().map(|&index| self.image(index)).collect())
    }

    fn fingerprint(&self) -> Option<String> {
        self.fingerprint.clone()
    }

    fn block(&self) -> Option<&[u8]> {
        self.block.as_deref()
    }
}

/// Lets `left` reports pass and then wants to stop.
pub struct Patience {
    pub left: AtomicUsize,
}

impl Default for Patience {
    fn default() -> Self {
        Self { left: AtomicUsize::new(usize::MAX) }
    }
}

impl Services for Patience {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> std::result::Result<(), Cancelled> {
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => Ok(()),
            Err(_) => Err(Cancelled),
        }
    }
}

/// A card whose nominal size makes chunks of one to a few samples.
pub fn card(fake: &Fake) -> Card {
    let size = if fake.unequal { (2000, 2000) } else { (3, 2) };
    Card::new("fake", "").images(2, fake.bit_depth, size).classes(["even", "odd"])
}

/// How a test loads.
pub struct Setup<'a> {
    pub cache_dir: &'a Path,
    pub place: CachePlace,
    pub on_error: OnError,
    pub left_out: Vec<Damaged>,
    pub workers: usize,
    pub side: Option<usize>,
    pub services: Patience,
}

impl<'a> Setup<'a> {
    pub fn new(cache_dir: &'a Path) -> Self {
        Self {
            cache_dir,
            place: CachePlace::Host,
            on_error: OnError::Stop,
            left_out: Vec::new(),
            workers: 2,
            side: None,
            services: Patience::default(),
        }
    }

    pub fn load(&self, fake: &Arc<Fake>, indices: &[usize]) -> std::result::Result<Source, DataError> {
        let card = card(fake);
        let samples: Arc<dyn Samples> = fake.clone();
        let loader = Loader {
            card: &card,
            side: self.side,
            cache_dir: self.cache_dir.to_owned(),
            place: self.place,
            device: Device::Cpu,
            on_error: self.on_error,
            workers: self.workers,
            services: &self.services,
        };
        loader.load(Split::Train, &samples, indices, &self.left_out)
    }
}

/// Fails the test unless the source holds exactly these samples, in this order.
#[track_caller]
pub fn assert_holds(source: &Source, fake: &Fake, indices: &[usize]) {
    assert_eq!(source.len(), indices.len());
    for (place, &index) in indices.iter().enumerate() {
        let batch = source.batch(&[place], Device::Cpu).unwrap();
        assert_eq!(batch.ids, [index as i64]);
        assert_eq!(Vec::<i64>::try_from(batch.labels.unwrap()).unwrap(), [index as i64 % 2]);
        let (height, width) = fake.size(index);
        let pixels = &batch.images.pixels;
        assert_eq!(pixels.size(), [1, 2, height as i64, width as i64], "sample {index}");
        let expected: Vec<i32> = (0..2)
            .flat_map(|c| (0..height).flat_map(move |y| (0..width).map(move |x| (c, y, x))))
            .map(|at| i32::from(fake.value(index, at)))
            .collect();
        assert_eq!(values(pixels), expected, "sample {index}");
    }
}

pub fn values(pixels: &Tensor) -> Vec<i32> {
    Vec::<i32>::try_from(pixels.to_kind(tch::Kind::Int).contiguous().flatten(0, -1)).unwrap()
}
