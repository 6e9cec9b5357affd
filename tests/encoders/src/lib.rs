//! What the tests of the shipped encoders share: requests, and weights that Python can make too.

mod reference;

pub use reference::{assert_close, fill, noise};

use selfsame_encoder_api::selfsame_plugin_api::{ErrorKind, PluginError};
use selfsame_encoder_api::{Encoder, EncoderRequest, ParameterKind, Result};
use sha2::{Digest, Sha256};
use std::sync::Mutex;
use tch::{Device, Tensor};

/// A plugin's function that makes encoders.
pub type Create = fn(&EncoderRequest, Device) -> Result<Box<dyn Encoder>>;

/// libtorch's generator is global, so that only one test at a time may seed it and draw from it.
static GENERATOR: Mutex<()> = Mutex::new(());

/// The encoder of this name for colour images of 32 × 32, with its defaults.
pub fn request(name: &str) -> EncoderRequest {
    let options = serde_json::Value::Null;
    EncoderRequest { name: name.into(), channels: 3, image_size: (32, 32), stem: None, options }
}

/// The encoder as asked for, on the CPU, from one seed.
pub fn build(create: Create, request: &EncoderRequest) -> Box<dyn Encoder> {
    seeded(create, request, 7)
}

fn seeded(create: Create, request: &EncoderRequest, seed: i64) -> Box<dyn Encoder> {
    let _held = GENERATOR.lock().unwrap();
    tch::manual_seed(seed);
    create(request, Device::Cpu).unwrap()
}

/// The message of the refusal.
pub fn configuration_error(create: Create, request: &EncoderRequest) -> String {
    let error = PluginError::from(create(request, Device::Cpu).err().expect("this request is impossible"));
    assert_eq!(error.kind, ErrorKind::Configuration);
    error.message
}

/// Asserts that equal seeds give equal weights and another seed gives others.
pub fn assert_the_seed_decides_the_weights(create: Create, request: &EncoderRequest) {
    let (first, second, third) = (seeded(create, request, 7), seeded(create, request, 7), seeded(create, request, 8));
    for (a, b) in first.parameters().iter().zip(second.parameters()) {
        assert_eq!(a.tensor, b.tensor, "{}", a.name);
    }
    assert_ne!(first.parameters()[0].tensor, third.parameters()[0].tensor);
}

/// All trainable numbers.
pub fn parameter_count(encoder: &dyn Encoder) -> usize {
    encoder.parameters().iter().map(|parameter| parameter.tensor.numel()).sum()
}

/// Each entry of the state dict as `name [shape]`, in PyTorch's order: the buffers of a normalisation after its bias.
pub fn state_lines(encoder: &dyn Encoder) -> Vec<String> {
    let line = |name: &str, tensor: &Tensor| format!("{name} {:?}", tensor.size());
    let mut buffers = encoder.buffers().into_iter();
    let mut lines = Vec::new();
    for parameter in encoder.parameters() {
        lines.push(line(&parameter.name, &parameter.tensor));
        if parameter.kind == ParameterKind::Bias {
            lines.extend(buffers.by_ref().take(3).map(|buffer| line(&buffer.name, &buffer.tensor)));
        }
    }
    assert!(buffers.next().is_none());
    lines
}

/// SHA-256 of the lines, in hexadecimal.
pub fn digest(lines: &[String]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(lines.join("\n")))
}
