//! Random draws as pure functions of what they are for.
//!
//! The scheme: ChaCha8 as a table of random words that is looked up, never advanced.
//!
//! | part of ChaCha | holds |
//! |---|---|
//! | key, 256 bits | run seed, epoch, view, operation (64 bits each) |
//! | stream, 64 bits | sample id |
//! | word position | 0 at first; an operation reads its words in a fixed order |
//!
//! So a sample's draws depend on nothing but (seed, epoch, view, operation, sample id): not on the batch that it is in,
//! nor on threads, nor on which other operations are on.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The part of the key that all samples of one view share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewKey {
    /// The run's seed.
    pub seed: u64,
    /// The epoch, from 0.
    pub epoch: u64,
    /// What the view is for.
    pub purpose: Purpose,
}

/// What a view is for: no two of them share their random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The view of this number, from 0, of an image in a batch of the encoder.
    View(u32),
    /// The view of an image in a batch of the online head's own.
    Head,
    /// The view of an image that a probe of a trained encoder learns from.
    Probe,
}

impl Purpose {
    /// Its word of the key; views have those below 2³².
    fn word(self) -> u64 {
        match self {
            Self::View(number) => number.into(),
            Self::Head => 1 << 32,
            Self::Probe => (1 << 32) + 1,
        }
    }
}

/// Draws for one operation on the samples of one view.
#[derive(Debug, Clone)]
pub struct Draws {
    // Never read from, so that a copy has not computed any words yet.
    fresh: ChaCha8Rng,
}

impl Draws {
    /// Draws of this operation; its name is part of the key, so it must not change.
    pub fn new(key: ViewKey, operation: &str) -> Self {
        Self { fresh: ChaCha8Rng::from_seed(chacha_key([key.seed, key.epoch, key.purpose.word(), fnv1a(operation)])) }
    }

    /// The draws of one sample, from their beginning.
    pub fn sample(&self, id: i64) -> Sample {
        let mut rng = self.fresh.clone();
        rng.set_stream(id as u64);
        Sample { rng }
    }
}

/// The draws for some views of each sample of a batch: the first view of all samples, then the second of all, and so on.
#[derive(Debug, Clone, Copy)]
pub struct BatchDraws<'a> {
    /// The samples, as they stand in the batch.
    pub ids: &'a [i64],
    /// What the views of one number have in common.
    pub keys: &'a [ViewKey],
}

impl BatchDraws<'_> {
    /// Each view's parameters of this operation; `draw` gets the view's position and its random numbers.
    pub fn each<T>(&self, operation: &str, draw: impl Fn(usize, &mut Sample) -> T) -> Vec<T> {
        self.samples(operation).enumerate().map(|(i, mut sample)| draw(i, &mut sample)).collect()
    }

    /// The random numbers of the views for which `chosen` says so.
    pub fn chosen(&self, operation: &str, chosen: &[bool]) -> Vec<Sample> {
        self.samples(operation).zip(chosen).filter(|(_, on)| **on).map(|(sample, _)| sample).collect()
    }

    fn samples(&self, operation: &str) -> impl Iterator<Item = Sample> {
        let draws = self.keys.iter().map(move |&key| Draws::new(key, operation));
        draws.flat_map(|draws| self.ids.iter().map(move |&id| draws.sample(id)))
    }
}

/// `len` numbers for each sample, one sample after the other, made by `fill` on all of libtorch's threads.
pub fn fields(samples: &mut [Sample], len: usize, fill: fn(&mut Sample, &mut [f32])) -> Vec<f32> {
    let mut numbers = vec![0.0; samples.len() * len];
    let share = samples.len().div_ceil((tch::get_num_threads() as usize).max(1)).max(1);
    std::thread::scope(|scope| {
        for (samples, numbers) in samples.chunks_mut(share).zip(numbers.chunks_mut((share * len).max(1))) {
            scope.spawn(move || {
                for (sample, numbers) in samples.iter_mut().zip(numbers.chunks_mut(len.max(1))) {
                    fill(sample, numbers);
                }
            });
        }
    });
    numbers
}

/// The draws of one operation on one sample, in a fixed order.
#[derive(Debug)]
pub struct Sample {
    rng: ChaCha8Rng,
}

impl Sample {
    /// Uniform in [0, 1), with 53 bits.
    pub fn unit(&mut self) -> f64 {
        unit(self.rng.next_u64())
    }

    /// Uniform in [`low`, `high`).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`; 0 never is, 1 always.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in 0..`n`; 0 for an empty range.
    pub fn below(&mut self, n: usize) -> usize {
        below(self.rng.next_u64(), n)
    }

    /// Fills with numbers uniform in (−1, 1), from 8 bits each.
    pub fn fill_symmetric(&mut self, numbers: &mut [f32]) {
        for eight in numbers.chunks_mut(8) {
            for (number, byte) in eight.iter_mut().zip(self.rng.next_u64().to_le_bytes()) {
                *number = (f32::from(byte) + 0.5) / 128.0 - 1.0;
            }
        }
    }

    /// Fills with standard normal numbers.
    pub fn fill_normal(&mut self, numbers: &mut [f32]) {
        numbers.iter_mut().for_each(|number| *number = StandardNormal.sample(&mut self.rng));
    }
}

fn chacha_key(words: [u64; 4]) -> [u8; 32] {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    key
}

/// FNV-1a, which turns an operation's name into a part of the key.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn unit(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// The word scaled to 0..n (Lemire's multiplication); its bias is below n / 2⁶⁴.
fn below(word: u64, n: usize) -> usize {
    ((u128::from(word) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ViewKey = ViewKey { seed: 1, epoch: 2, purpose: Purpose::View(0) };

    fn first(key: ViewKey, purpose: &str, id: i64) -> u64 {
        Draws::new(key, purpose).sample(id).unit().to_bits()
    }

    #[test]
    fn a_draw_depends_on_every_part_of_its_key() {
        let base = first(KEY, "crop", 5);
        assert_eq!(base, first(KEY, "crop", 5));
        let others = [
            first(ViewKey { seed: 2, ..KEY }, "crop", 5),
            first(ViewKey { epoch: 3, ..KEY }, "crop", 5),
            first(ViewKey { purpose: Purpose::View(1), ..KEY }, "crop", 5),
            first(KEY, "flip", 5),
            first(KEY, "crop", 6),
            first(KEY, "crop", -5),
        ];
        assert!(others.iter().all(|&other| other != base));
    }

    #[test]
    fn no_two_purposes_share_their_draws() {
        let purposes = (0..64).chain([u32::MAX]).map(Purpose::View).chain([Purpose::Head, Purpose::Probe]);
        let drawn: Vec<_> = purposes.map(|purpose| first(ViewKey { purpose, ..KEY }, "crop", 5)).collect();
        assert_eq!(drawn.iter().collect::<std::collections::BTreeSet<_>>().len(), drawn.len());
    }

    #[test]
    fn a_sample_draws_the_same_in_any_order() {
        let draws = Draws::new(KEY, "crop");
        let forward: Vec<f64> = (0..10).map(|id| draws.sample(id).unit()).collect();
        let mut backward: Vec<f64> = (0..10).rev().map(|id| draws.sample(id).unit()).collect();
        backward.reverse();
        assert_eq!(forward, backward);
    }

    #[test]
    fn units_are_uniform() {
        let draws = Draws::new(KEY, "test");
        let units: Vec<f64> = (0..20_000).map(|id| draws.sample(id).unit()).collect();
        assert!(units.iter().all(|u| (0.0..1.0).contains(u)));
        let n = units.len() as f64;
        let mean = units.iter().sum::<f64>() / n;
        let second = units.iter().map(|u| u * u).sum::<f64>() / n;
        // Standard errors: 0.0020 and 0.0021.
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        assert!((second - 1.0 / 3.0).abs() < 0.01, "{second}");
    }

    #[test]
    fn chances_of_nothing_and_everything_are_exact() {
        let draws = Draws::new(KEY, "test");
        assert!((0..1000).all(|id| !draws.sample(id).chance(0.0) && draws.sample(id).chance(1.0)));
    }

    #[test]
    fn integers_below_n_all_come_up() {
        let draws = Draws::new(KEY, "test");
        let mut counts = [0; 7];
        (0..7000).for_each(|id| counts[draws.sample(id).below(7)] += 1);
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
        assert_eq!(draws.sample(0).below(0), 0);
        assert_eq!(draws.sample(0).below(1), 0);
    }
    #[test]
    fn the_scheme_is_the_one_that_earlier_runs_used() {
        // From another implementation of ChaCha8; a change here makes old checkpoints continue differently.
        let mut sample = Draws::new(KEY, "crop").sample(5);
        let two_to_53 = (1u64 << 53) as f64;
        assert_eq!(
            [sample.unit() * two_to_53, sample.unit() * two_to_53],
            [2_927_112_658_816_501.0, 4_545_768_030_764_996.0]
        );
    }
}
