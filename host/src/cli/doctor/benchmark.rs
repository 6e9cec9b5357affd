//! Training steps of a small network for a second, on the device that `train.device: auto` takes.

use super::Line;
use crate::device::{self, Selected};
use crate::error::Error;
use crate::native;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

const IMAGES: i64 = 32;
/// Height and width of the images, in pixels.
const SIDE: i64 = 32;
/// Channels before and after each convolution of 3 × 3.
const LAYERS: [[i64; 2]; 3] = [[3, 32], [32, 32], [32, 32]];
const AT_LEAST: Duration = Duration::from_secs(1);

pub(super) fn line() -> Line {
    let selected = match device::select("auto") {
        Ok(selected) => selected,
        Err(error) => return Line::bad("training", error.to_string(), "set train.device to `cpu`"),
    };
    let where_to = match selected.device {
        Device::Cuda(index) => format!("GPU {index}"),
        _ => "the CPU".to_owned(),
    };
    match steps_a_second(&selected) {
        Ok(steps) => {
            let operations = steps * operations() / 1e9;
            let images = steps * IMAGES as f64;
            let network = format!("three convolutions of {SIDE} × {SIDE} pixels");
            let found = format!(
                "`train.device: auto` means {where_to}: {images:.0} images/s through {network}, {operations:.0} GFLOP/s"
            );
            Line::good("training", found)
        }
        Err(error) => {
            Line::bad("training", format!("{where_to}: {error}"), "choose another device with `train.device`")
        }
    }
}

/// Multiplications and additions of a step: a backward pass takes twice those of a forward pass.
fn operations() -> f64 {
    let weights: i64 = LAYERS.iter().map(|[from, to]| 9 * from * to).sum();
    (3 * 2 * IMAGES * SIDE * SIDE * weights) as f64
}

fn steps_a_second(selected: &Selected) -> Result<f64, Error> {
    let real = (Kind::Float, selected.device);
    let images = Tensor::f_rand([IMAGES, LAYERS[0][0], SIDE, SIDE], real)?;
    let mut weights = LAYERS
        .iter()
        .map(|[from, to]| Tensor::f_zeros([*to, *from, 3, 3], real)?.f_uniform_(-0.05, 0.05)?.f_requires_grad_(true))
        .collect::<Result<Vec<_>, _>>()?;
    // The first steps choose kernels and fill caches.
    let mut steps = -2;
    let mut started = Instant::now();
    loop {
        step(&images, &mut weights, selected)?;
        steps += 1;
        if steps == 0 {
            started = Instant::now();
        }
        if steps > 0 && started.elapsed() >= AT_LEAST {
            return Ok(f64::from(steps) / started.elapsed().as_secs_f64());
        }
    }
}

fn step(images: &Tensor, weights: &mut [Tensor], selected: &Selected) -> Result<(), Error> {
    let mut x = native::to_channels_last(images)?;
    {
        let _autocast = native::autocast(selected.device, selected.bfloat16.then_some(Kind::BFloat16))?;
        for weight in weights.iter() {
            x = x.f_conv2d(weight, None::<Tensor>, [1, 1], [1, 1], [1, 1], 1)?.f_relu()?;
        }
    }
    let loss = x.f_to_kind(Kind::Float)?.f_square()?.f_mean(Kind::Float)?;
    loss.f_backward()?;
    let _no_grad = tch::no_grad_guard();
    // A tensor, since tch ends in a panic where an operation with a number fails.
    let rate = Tensor::from(0.01f32);
    for weight in weights.iter_mut() {
        let gradient = weight.f_grad()?;
        let _ = weight.f_sub_(&gradient.f_mul(&rate)?)?;
    }
    native::lists::drop_gradients(weights);
    // Waits for the device.
    loss.f_double_value(&[])?;
    Ok(())
}
