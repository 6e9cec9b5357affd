//! A first layer that was learned on red, green and blue, for images of other channels.

use tch::{Kind, TchError, Tensor};

/// Weights `[O, C, h, w]` for `channels` channels of those for colours, `[O, 3, h, w]`.
///
/// One channel gets the sum of the three, which gives what three equal channels would. More get the colours' in turn, red, green,
/// blue, red, …, times 3/C, so that C equal channels give what three would (as timm's `in_chans` does).
///
/// # Errors
/// libtorch's.
pub(super) fn of_colours(weights: &Tensor, channels: i64) -> Result<Tensor, TchError> {
    if channels == 1 {
        return weights.f_sum_dim_intlist([1].as_slice(), true, Kind::Float);
    }
    let turns = weights.f_repeat([1, (channels + 2) / 3, 1, 1])?.f_narrow(1, 0, channels)?;
    // Of 2, 4, 5, 7, … channels some colours have one more than others; their whole is the same.
    turns.f_to_kind(Kind::Float)?.f_mul_scalar(3.0 / channels as f64)
}

/// What is said of it.
pub(super) fn note(name: &str, channels: i64) -> String {
    match channels {
        1 => format!(
            "`{name}` takes 3 channels and the images have 1: its weights are summed over the channels, which gives what three \
             equal channels would"
        ),
        _ => format!(
            "`{name}` takes 3 channels and the images have {channels}: theirs get the weights of red, green and blue in turn, \
             times 3/{channels}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_get_the_colours_in_turn() {
        let weights = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 10.0, 20.0, 30.0]).view([2, 3, 1, 1]);
        let of = |channels| Vec::<f32>::try_from(of_colours(&weights, channels).unwrap().flatten(0, -1)).unwrap();
        assert_eq!(of(1), [6.0, 60.0]);
        assert_eq!(of(2), [1.5, 3.0, 15.0, 30.0]);
        assert_eq!(of(6), [0.5, 1.0, 1.5, 0.5, 1.0, 1.5, 5.0, 10.0, 15.0, 5.0, 10.0, 15.0]);
        assert_eq!(of(4)[..4], [0.75, 1.5, 2.25, 0.75]);
    }
}
