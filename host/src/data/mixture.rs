//! Several data sets as one: which images an epoch consists of, in which order, and how they share a batch.

use super::{Batch, Images, Size, upload};
use crate::random;
use std::collections::BTreeMap;
use tch::{Kind, TchError, Tensor};

/// One image of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Which of the data sets, from 0.
    pub set: usize,
    /// Its place in that data set's [`Source`](super::Source).
    pub place: usize,
    /// How often the epoch may have held it before: a weighted data set may come up more than once.
    pub repeat: u64,
}

impl Pick {
    /// The sample id that random draws depend on, out of the sample's index in its own data set: different for each data
    /// set (up to 256) and each repetition, and the index itself for the first time in the first data set.
    pub fn sample_id(&self, index: i64) -> i64 {
        index | (self.set as i64) << 40 | (self.repeat as i64) << 48
    }
}

/// How the images of several data sets make up an epoch. A pure function of seed and epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mixture {
    sizes: Vec<usize>,
    /// Images of each data set in an epoch; none: every image once.
    shares: Option<Vec<usize>>,
}

impl Mixture {
    /// A mixture of data sets of these `sizes`. With `weights` (one above 0 for each), each fills its share of the epoch's
    /// images, rounded so that the epoch has as many images as all data sets together.
    pub fn new(sizes: Vec<usize>, weights: Option<&[f64]>) -> Self {
        let shares = weights.map(|weights| shares(sizes.iter().sum(), weights));
        Self { sizes, shares }
    }

    /// Images in an epoch.
    pub fn epoch_len(&self) -> usize {
        self.sizes.iter().sum()
    }

    /// Images of each data set in an epoch.
    pub fn shares(&self) -> &[usize] {
        self.shares.as_deref().unwrap_or(&self.sizes)
    }

    /// The images of an epoch (from 0) in the order of training.
    ///
    /// Without weights it is one shuffle of all images. With weights, each data set is gone through in shuffled cycles
    /// that continue from epoch to epoch, so that its images are used equally often to within one.
    pub fn epoch(&self, seed: u64, epoch: u64) -> Vec<Pick> {
        let picks = match &self.shares {
            None => self.all(),
            Some(shares) => (0..shares.len()).flat_map(|set| self.stretch(set, shares[set], seed, epoch)).collect(),
        };
        random::permutation(picks.len(), seed, "order", &[epoch]).into_iter().map(|position| picks[position]).collect()
    }

    /// Every image once, the same order each time; mixed, so that each batch holds every data set's images.
    pub fn once(&self, seed: u64) -> Vec<Pick> {
        let picks = self.all();
        if self.sizes.len() == 1 {
            return picks;
        }
        random::permutation(picks.len(), seed, "mixed validation", &[]).into_iter().map(|at| picks[at]).collect()
    }

    fn all(&self) -> Vec<Pick> {
        let of_set = |(set, &size): (usize, &usize)| (0..size).map(move |place| Pick { set, place, repeat: 0 });
        self.sizes.iter().enumerate().flat_map(of_set).collect()
    }

    /// The `share` images of one data set in one epoch.
    fn stretch(&self, set: usize, share: usize, seed: u64, epoch: u64) -> Vec<Pick> {
        let (size, share) = (self.sizes[set] as u64, share as u64);
        if size == 0 || share == 0 {
            return Vec::new();
        }
        let (start, end) = (epoch * share, (epoch + 1) * share);
        let (first, last) = (start / size, (end - 1) / size);
        let of_cycle = |cycle: u64| {
            let order = random::permutation(size as usize, seed, "mix", &[set as u64, cycle]);
            let from = start.saturating_sub(cycle * size);
            let to = size.min(end - cycle * size);
            let pick = |place| Pick { set, place, repeat: cycle - first };
            order[from as usize..to as usize].iter().copied().map(pick).collect::<Vec<_>>()
        };
        (first..=last).flat_map(of_cycle).collect()
    }
}

/// `total` in parts proportional to the weights, by largest remainders.
fn shares(total: usize, weights: &[f64]) -> Vec<usize> {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
    let exact: Vec<f64> = weights.iter().map(|weight| total as f64 * (weight / largest) / sum).collect();
    let mut shares: Vec<usize> = exact.iter().map(|share| *share as usize).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()));
    let missing = total.saturating_sub(shares.iter().sum());
    by_remainder.into_iter().take(missing).for_each(|set| shares[set] += 1);
    shares
}

/// One batch of an epoch, by data set.
#[derive(Debug, Clone)]
pub struct MixedPicks {
    picks: Vec<Pick>,
    /// Where in the batch each data set's picks are.
    positions: BTreeMap<usize, Vec<usize>>,
}

impl MixedPicks {
    /// The batch of these picks, in their order.
    pub fn new(picks: Vec<Pick>) -> Self {
        let mut positions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (position, pick) in picks.iter().enumerate() {
            positions.entry(pick.set).or_default().push(position);
        }
        Self { picks, positions }
    }

    /// The data sets that any pick is of, in ascending order.
    pub fn sets(&self) -> impl Iterator<Item = usize> + '_ {
        self.positions.keys().copied()
    }

    /// The places of one data set's picks; none where no pick is of it.
    pub fn places(&self, set: usize) -> Option<Vec<usize>> {
        let positions = self.positions.get(&set)?;
        Some(positions.iter().map(|&position| self.picks[position].place).collect())
    }

    /// The batch out of each data set's images at its [`places`](Self::places), in the order of [`sets`](Self::sets).
    ///
    /// Images of different sizes share a canvas of the largest height and width, and 8-bit images beside 16-bit ones are
    /// scaled to 16 bits. Labels are kept only where all picks are of one data set, since another's mean something else.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn assemble(&self, mut parts: Vec<Batch>) -> Result<Batch, TchError> {
        for (part, positions) in parts.iter_mut().zip(self.positions.values()) {
            let of_pick = |(&at, &index): (&usize, &i64)| self.picks[at].sample_id(index);
            part.ids = positions.iter().zip(&part.ids).map(of_pick).collect();
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let order: Vec<usize> = self.positions.values().flatten().copied().collect();
        let images = arrange(parts.iter().map(|part| &part.images).collect(), &order)?;
        let mut ids = vec![0; order.len()];
        order.iter().zip(parts.iter().flat_map(|part| &part.ids)).for_each(|(&position, &id)| ids[position] = id);
        Ok(Batch { images, labels: None, ids })
    }
}

/// All images on one canvas; the i-th of them goes to position `order[i]`.
fn arrange(parts: Vec<&Images>, order: &[usize]) -> Result<Images, TchError> {
    let side = |dim: usize| parts.iter().map(|part| part.pixels.size()[dim]).max().unwrap_or_default();
    let (height, width) = (side(2), side(3));
    let deep = parts.iter().any(|part| part.pixels.kind() == Kind::Int);
    let mut pixels = Vec::with_capacity(parts.len());
    let mut sizes = Vec::with_capacity(order.len());
    let mut one_size = true;
    for part in parts {
        let [count, _, own_height, own_width] = part.pixels.size()[..] else {
            return Err(TchError::Torch(format!("images of shape {:?}", part.pixels.size())));
        };
        one_size &= part.sizes.is_none() && (own_height, own_width) == (height, width);
        match &part.sizes {
            Some(own) => sizes.extend_from_slice(own),
            None => {
                let own = Size { height: own_height as usize, width: own_width as usize };
                sizes.extend(std::iter::repeat_n(own, count as usize));
            }
        }
        let depth = match deep && part.pixels.kind() == Kind::Uint8 {
            // 255 · 257 = 65535.
            true => part.pixels.f_to_kind(Kind::Int)?.f_mul_scalar(257)?,
            false => part.pixels.shallow_clone(),
        };
        pixels.push(depth.f_constant_pad_nd([0, width - own_width, 0, height - own_height])?);
    }
    let mut from = vec![0_i64; order.len()];
    order.iter().enumerate().for_each(|(at, &position)| from[position] = at as i64);
    let pixels = Tensor::f_cat(&pixels, 0)?;
    let index = upload(&Tensor::f_from_slice(&from)?, pixels.device())?;
    let sizes = (!one_size).then(|| from.iter().map(|&at| sizes[at as usize]).collect());
    Ok(Images { pixels: pixels.f_index_select(0, &index)?, sizes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn counts(picks: &[Pick], set: usize, size: usize) -> Vec<usize> {
        let mut counts = vec![0; size];
        picks.iter().filter(|pick| pick.set == set).for_each(|pick| counts[pick.place] += 1);
        counts
    }

    #[test]
    fn one_data_set_is_gone_through_in_the_epochs_order() {
        let picks = Mixture::new(vec![50], None).epoch(3, 7);
        let places: Vec<usize> = picks.iter().map(|pick| pick.place).collect();
        assert_eq!(places, random::permutation(50, 3, "order", &[7]));
        assert!(picks.iter().all(|pick| pick.sample_id(pick.place as i64) == pick.place as i64));
    }

    #[test]
    fn without_weights_every_image_comes_exactly_once() {
        let mixture = Mixture::new(vec![30, 7, 12], None);
        let picks = mixture.epoch(1, 2);
        assert_eq!((picks.len(), mixture.epoch_len(), mixture.shares()), (49, 49, [30, 7, 12].as_slice()));
        for (set, size) in [30, 7, 12].into_iter().enumerate() {
            assert_eq!(counts(&picks, set, size), vec![1; size]);
        }
        assert_eq!(picks, mixture.epoch(1, 2));
        assert_ne!(picks, mixture.epoch(1, 3));
        assert_ne!(picks, mixture.epoch(2, 2));
        // Mixed, not one after the other.
        assert!(picks[..15].iter().any(|pick| pick.set != picks[0].set));
    }

    #[test]
    fn weights_are_shares_of_the_epoch_and_cycles_run_on_across_epochs() {
        let mixture = Mixture::new(vec![90, 10], Some(&[1.0, 3.0]));
        assert_eq!(mixture.shares(), [25, 75]);
        let mut used = [vec![0; 90], vec![0; 10]];
        for epoch in 0..8 {
            let picks = mixture.epoch(5, epoch);
            assert_eq!(picks.len(), 100);
            for (set, used) in used.iter_mut().enumerate() {
                let counts = counts(&picks, set, used.len());
                used.iter_mut().zip(counts).for_each(|(used, count)| *used += count);
                let (least, most) = (used.iter().min().unwrap(), used.iter().max().unwrap());
                assert!(most - least <= 1, "set {set} after epoch {epoch}: {used:?}");
            }
            // Random draws of a repeated image differ.
            let mut ids: Vec<i64> = picks.iter().map(|pick| pick.sample_id(pick.place as i64)).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), 100);
        }
        assert_eq!(used[0].iter().sum::<usize>(), 200);
        assert_eq!(used[1], [60; 10]);
    }

    #[test]
    fn shares_add_up_to_the_epoch() {
        assert_eq!(shares(100, &[1.0, 1.0, 1.0]), [34, 33, 33]);
        assert_eq!(shares(10, &[0.5, 0.25, 0.25]), [5, 3, 2]);
        assert_eq!(shares(7, &[1e-9, 1.0]), [0, 7]);
        assert_eq!(shares(96, &[1e308, 1e308]), [48, 48]);
    }

    #[test]
    fn a_batch_holds_each_image_at_its_pick_on_a_common_canvas() {
        let pick = |set, place, repeat| Pick { set, place, repeat };
        let picks = [pick(1, 4, 0), pick(0, 2, 0), pick(1, 4, 1), pick(0, 9, 0)];
        let read = |set: usize, places: &[usize]| {
            // The first data set has 8-bit images of 1×2, the second one 16-bit images of 2×1; each shows its place.
            let (size, kind) = if set == 0 { ([1, 1, 1, 2], Kind::Uint8) } else { ([1, 1, 2, 1], Kind::Int) };
            let image = |&place: &usize| Tensor::full(size, place as i64, (kind, Device::Cpu));
            let images = Images::whole(Tensor::cat(&places.iter().map(image).collect::<Vec<_>>(), 0));
            Batch { images, labels: None, ids: places.iter().map(|&place| place as i64).collect() }
        };
        let batch = |picks: &[Pick]| {
            let mixed = MixedPicks::new(picks.to_vec());
            let parts = mixed.sets().map(|set| read(set, &mixed.places(set).unwrap()));
            mixed.assemble(parts.collect()).unwrap()
        };
        let found = batch(&picks);
        assert_eq!(found.ids, [4 | 1 << 40, 2, 4 | 1 << 40 | 1 << 48, 9]);
        assert_eq!(found.images.sizes, Some([(2, 1), (1, 2), (2, 1), (1, 2)].map(Size::from).to_vec()));
        let pixels = Vec::<i32>::try_from(found.images.pixels.flatten(0, -1)).unwrap();
        assert_eq!(pixels, [4, 0, 4, 0, 514, 514, 0, 0, 4, 0, 4, 0, 2313, 2313, 0, 0]);

        let single = batch(&picks[1..2]);
        assert_eq!((single.images.pixels.size(), single.images.sizes), (vec![1, 1, 1, 2], None));
    }
}
