//! Every random draw as a pure function of the run's seed and of what the draw is for.
//!
//! The generator is ChaCha8 (Bernstein 2008), whose output is fixed by its definition, so that a resumed run, another
//! worker count or a later version of a library draws the same numbers.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A generator for one `purpose` of the run with this `seed`, told apart further by `parts` (an epoch, a step).
pub fn generator(seed: u64, purpose: &str, parts: &[u64]) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update((purpose.len() as u64).to_le_bytes());
    hash.update(purpose.as_bytes());
    for part in parts {
        hash.update(part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// A seed for a foreign generator (libtorch's), derived as in [`generator`].
pub fn derive_seed(seed: u64, purpose: &str, parts: &[u64]) -> u64 {
    use rand::Rng;
    generator(seed, purpose, parts).next_u64()
}

/// A permutation of `0..n`, the order of samples in one epoch.
pub fn permutation(n: usize, seed: u64, purpose: &str, parts: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut generator(seed, purpose, parts));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_every_index_once_and_depends_on_every_argument() {
        let order = permutation(100, 1, "order", &[0]);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order, permutation(100, 1, "order", &[0]));
        for other in [
            permutation(100, 2, "order", &[0]),
            permutation(100, 1, "split", &[0]),
            permutation(100, 1, "order", &[1]),
            permutation(100, 1, "order", &[]),
        ] {
            assert_ne!(order, other);
        }
    }

    #[test]
    fn draws_stay_the_same_across_versions() {
        assert_eq!(permutation(8, 1, "order", &[0]), PERMUTATION);
    }
    const PERMUTATION: [usize; 8] = [4, 6, 2, 7, 1, 3, 5, 0];
}
