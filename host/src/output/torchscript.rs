//! An encoder as a TorchScript file: network and weights in one, for programs that have libtorch and no plugin.

use crate::error::Error;
use crate::model;
use crate::storage::{Disk, Naming, write_atomically};
use rustix::fs::{MemfdFlags, memfd_create};
use selfsame_encoder_api::Encoder;
use selfsame_plugin_api::ErrorKind;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::{fs, io};
use tch::{CModule, Device, Kind, Tensor, no_grad};

/// Images in the batch that is traced; the check takes another number.
const TRACED: i64 = 2;
const CHECKED: i64 = 3;
/// The largest difference of an embedding, relative to the largest value, that rounding explains.
const TOLERANCE: f64 = 1e-5;

/// Traces the encoder in evaluation mode on the CPU, for images of `[channels, height, width]`, and writes the file in one
/// step: a module whose `forward` takes `[B, C, H, W]` (float32, normalised) for any B and returns `[B, D]`. The weights
/// are constants in it.
///
/// # Errors
/// An encoder whose trace does not return what it returns itself, for another batch; files that cannot be written.
pub fn export_torchscript(path: &Path, encoder: &dyn Encoder, input: [usize; 3]) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(folder).naming("write to", folder)?;
    // A trace cannot hold a tensor that requires gradients.
    for parameter in encoder.parameters() {
        let _ = parameter.tensor.f_set_requires_grad(false)?;
    }
    let batch = |images: i64| -> Result<Tensor, Error> {
        let [channels, height, width] = input.map(|side| side as i64);
        let count = images * channels * height * width;
        let ramp = Tensor::f_arange(count, (Kind::Float, Device::Cpu))?;
        Ok(ramp.f_mul_scalar(0.37)?.f_sin()?.f_reshape([images, channels, height, width])?)
    };
    let module = no_grad(|| trace(encoder, batch(TRACED)?))?;
    // libtorch's writer ends the process where a disk is full, so it writes into memory.
    let memory = memfd_create("torchscript", MemfdFlags::CLOEXEC).map_err(io::Error::from).naming("write", path)?;
    let unfinished = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    module.save(&unfinished)?;
    no_grad(|| check(&unfinished, encoder, &batch(CHECKED)?))?;
    let bytes = fs::read(&unfinished).naming("write", path)?;
    Ok(write_atomically(&Disk, path, &bytes)?)
}

fn trace(encoder: &dyn Encoder, images: Tensor) -> Result<CModule, Error> {
    let mut failure = None;
    let mut forward = |inputs: &[Tensor]| match encoder.forward(&inputs[0], false) {
        Ok(embedding) => vec![embedding],
        Err(error) => {
            failure = Some(error);
            Vec::new()
        }
    };
    let module = CModule::create_by_tracing("Encoder", "forward", &[images], &mut forward);
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(module?),
    }
}

/// Compares what the file returns with what the encoder returns, for a batch that was not traced.
fn check(path: &Path, encoder: &dyn Encoder, images: &Tensor) -> Result<(), Error> {
    let expected = encoder.forward(images, false)?;
    let deviation = CModule::load(path).and_then(|module| {
        let answer = module.forward_ts(&[images])?;
        answer.f_sub(&expected)?.f_abs()?.f_max()?.f_div(&expected.f_abs()?.f_max()?.f_clamp_min(1e-30)?)
    });
    match deviation {
        Ok(deviation) if deviation.double_value(&[]) <= TOLERANCE => Ok(()),
        Ok(deviation) => Err(untraceable(&format!("embeddings differ by {:.1e}", deviation.double_value(&[])))),
        Err(error) => Err(untraceable(&model::Error::from(error).to_string())),
    }
}

fn untraceable(what: &str) -> Error {
    let message = format!(
        "this encoder cannot be exported as TorchScript: traced with {TRACED} images it does not compute the same for \
         {CHECKED} ({what}). Its `forward` may read the batch's size into plain numbers; `--format safetensors` works"
    );
    Error::Failed { kind: ErrorKind::Plugin, message }
}
