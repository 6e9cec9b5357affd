//! Mean and standard deviation of each channel.

use super::depth::Depth;
use selfsame_plugin_api::Image;

/// Sums over the pixels of some images; integers, so that no order of adding matters.
#[derive(Debug)]
pub struct Moments {
    depth: Depth,
    pixels: u64,
    sums: Vec<u128>,
    squares: Vec<u128>,
    range: (u16, u16),
}

impl Moments {
    /// Of no image yet.
    pub fn new(channels: usize, depth: Depth) -> Self {
        Self { depth, pixels: 0, sums: vec![0; channels], squares: vec![0; channels], range: (u16::MAX, 0) }
    }

    /// Adds an image of that number of channels and depth.
    pub fn add(&mut self, image: &Image) {
        let bytes = self.depth.bytes();
        let area = image.height * image.width;
        self.pixels += area as u64;
        for (channel, plane) in image.data.chunks_exact(area * bytes).enumerate() {
            let (mut sum, mut squares, mut range) = (0u64, 0u128, self.range);
            for value in plane.chunks_exact(bytes) {
                let value = value.iter().rev().fold(0u16, |value, byte| value << 8 | u16::from(*byte));
                sum += u64::from(value);
                squares += u128::from(u64::from(value).pow(2));
                range = (range.0.min(value), range.1.max(value));
            }
            self.sums[channel] += u128::from(sum);
            self.squares[channel] += squares;
            self.range = range;
        }
    }

    /// Adds what another one has seen.
    pub fn merge(&mut self, other: Self) {
        self.range = (self.range.0.min(other.range.0), self.range.1.max(other.range.1));
        self.pixels += other.pixels;
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, more)| *sum += more);
        self.squares.iter_mut().zip(other.squares).for_each(|(sum, more)| *sum += more);
    }

    /// Smallest and largest stored value of any pixel; none without images.
    pub fn range(&self) -> Option<(u16, u16)> {
        (self.pixels > 0).then_some(self.range)
    }

    /// Of each channel, of values scaled to 0–1; empty without images.
    pub fn mean(&self) -> Vec<f64> {
        self.scaled(|channel| self.plain_mean(channel))
    }

    /// Standard deviation of each channel, of values scaled to 0–1; empty without images.
    pub fn std(&self) -> Vec<f64> {
        let variance =
            |channel: usize| self.squares[channel] as f64 / self.pixels as f64 - self.plain_mean(channel).powi(2);
        self.scaled(|channel| variance(channel).max(0.0).sqrt())
    }

    fn plain_mean(&self, channel: usize) -> f64 {
        self.sums[channel] as f64 / self.pixels as f64
    }

    fn scaled(&self, of: impl Fn(usize) -> f64) -> Vec<f64> {
        let channels = if self.pixels > 0 { self.sums.len() } else { 0 };
        (0..channels).map(|channel| of(channel) / self.depth.full_scale()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_channels_of_two_images_by_hand() {
        let image = |data: &[u8]| Image { channels: 2, height: 1, width: 2, bit_depth: 8, data: data.to_vec() };
        let mut moments = Moments::new(2, Depth::U8);
        assert_eq!((moments.range(), moments.mean(), moments.std()), (None, vec![], vec![]));
        moments.add(&image(&[0, 51, 255, 255]));
        let mut other = Moments::new(2, Depth::U8);
        other.add(&image(&[102, 51, 255, 255]));
        moments.merge(other);
        // 0, 0.2, 0.4, 0.2: deviations 0.2, 0, 0.2, 0.
        let near = |found: Vec<f64>, expected: [f64; 2]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        };
        near(moments.mean(), [0.2, 1.0]);
        near(moments.std(), [0.02f64.sqrt(), 0.0]);
        assert_eq!(moments.range(), Some((0, 255)));
        let mut deep = Moments::new(1, Depth::U16);
        deep.add(&Image { channels: 1, height: 1, width: 1, bit_depth: 16, data: vec![0x34, 0x12] });
        assert_eq!(deep.range(), Some((0x1234, 0x1234)));
    }
}
