//! Computed images in the ways in which data sets hold them. `host/benches/boundary.rs` compiles this file in, and measures it
//! beside the plugin.

use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Image, Result, Samples, Services, Split, Targets};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Images of a block.
const BLOCK: usize = 64;
/// Blocks that are kept.
const KEPT: usize = 2;

#[derive(serde::Deserialize, schemars::JsonSchema, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// In memory as one block, as `CIFAR10`.
    Block,
    /// In memory, and copied out by `read`.
    Stored,
    /// Made when it is read, in about the time in which a small PNG file is decoded.
    Drawn,
    /// Decoded together with its neighbours, as rows of a Parquet file.
    Rows,
    /// Of 2048 × 2048 pixels of 16 bits.
    Film,
}

#[derive(serde::Deserialize, schemars::JsonSchema, Clone)]
#[serde(default)]
pub struct Options {
    /// Training samples.
    pub count: usize,
    /// How they are held.
    pub kind: Kind,
}

impl Default for Options {
    fn default() -> Self {
        Self { count: 50_000, kind: Kind::Block }
    }
}

pub fn card(name: &str) -> Card {
    Card::new(name, "Computed images.").images(3, 8, (32, 32)).splits([Split::Train]).options::<Options>()
}

pub fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(Plain(request.options()?)))
}

struct Plain(Options);

impl Dataset for Plain {
    fn prepare(&self, _: &dyn Services) -> Result<()> {
        Ok(())
    }

    fn card(&self) -> Result<Option<Card>> {
        Ok((self.0.kind == Kind::Film).then(|| card("plain").images(1, 16, (2048, 2048))))
    }

    fn open(&self, _: Split) -> Result<Box<dyn Samples>> {
        let Options { count, kind } = self.0;
        let is_stored = matches!(kind, Kind::Block | Kind::Stored);
        let pixels = if is_stored { (0..count).flat_map(|index| drawn(index, SMALL, 0)).collect() } else { Vec::new() };
        Ok(Box::new(Part { count, kind, pixels, rows: Mutex::default() }))
    }
}

type Rows = (usize, Arc<Vec<Vec<u8>>>);

struct Part {
    count: usize,
    kind: Kind,
    pixels: Vec<u8>,
    rows: Mutex<VecDeque<Rows>>,
}

/// Bytes of an image of 3 × 32 × 32.
const SMALL: usize = 3 * 32 * 32;
/// Steps of a byte's arithmetic, for about 20 µs a small image.
const WORK: u32 = 12;

/// The bytes of an image; every byte takes `work` steps.
fn drawn(index: usize, bytes: usize, work: u32) -> Vec<u8> {
    let byte = |at: usize| {
        let mut state = (index * bytes + at) as u32 | 1;
        for _ in 0..work {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
        }
        state as u8
    };
    (0..bytes).map(byte).collect()
}

impl Part {
    fn bytes(&self, index: usize) -> Vec<u8> {
        match self.kind {
            Kind::Block | Kind::Stored => self.pixels[index * SMALL..][..SMALL].to_vec(),
            Kind::Drawn => drawn(index, SMALL, WORK),
            Kind::Rows => self.row(index),
            Kind::Film => drawn(index, 2 * 2048 * 2048, 1),
        }
    }

    fn row(&self, index: usize) -> Vec<u8> {
        let mut kept = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let block = index / BLOCK;
        let rows = match kept.iter().find(|(number, _)| *number == block) {
            Some((_, rows)) => rows.clone(),
            None => {
                let end = self.count.min((block + 1) * BLOCK);
                let rows = Arc::new((block * BLOCK..end).map(|index| drawn(index, SMALL, WORK)).collect::<Vec<_>>());
                kept.push_back((block, rows.clone()));
                if kept.len() > KEPT {
                    kept.pop_front();
                }
                rows
            }
        };
        rows[index % BLOCK].clone()
    }
}

impl Samples for Part {
    fn len(&self) -> usize {
        self.count
    }

    fn targets(&self) -> Targets {
        Targets::None
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let (channels, side, bit_depth) = if self.kind == Kind::Film { (1, 2048, 16) } else { (3, 32, 8) };
        let image = |&index: &usize| Image { channels, height: side, width: side, bit_depth, data: self.bytes(index) };
        Ok(indices.iter().map(image).collect())
    }

    fn block(&self) -> Option<&[u8]> {
        (self.kind == Kind::Block).then_some(&self.pixels)
    }
}
