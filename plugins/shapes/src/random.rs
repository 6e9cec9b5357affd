//! Random numbers that depend on nothing but the seed, the purpose and the sample.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of random numbers; the same arguments give the same stream on every machine.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `index` within `purpose` of a data set with this seed.
    pub fn new(seed: u64, purpose: u64, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&purpose.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(index);
        Self(generator)
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        // 24 bits, what a float holds exactly.
        let unit = (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// Uniform in `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.0.next_u32()) * count as u64) >> 32) as usize
    }

    /// Nearly normal, mean 0, standard deviation 1: the sum of four bytes.
    pub fn noise(&mut self) -> f32 {
        let sum: u32 = self.0.next_u32().to_le_bytes().into_iter().map(u32::from).sum();
        // Four uniform bytes have mean 4 · 127.5 and variance 4 · (256² − 1) / 12.
        (sum as f32 - 510.0) / 147.8
    }
}
