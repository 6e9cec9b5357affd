use super::*;
use crate::run::tensors::to_safetensors;
use selfsame_encoder_api::{Buffer, Parameter, ParameterKind, Result};
use selfsame_plugin_api::ErrorKind;
use tch::{Device, Kind};

const IMAGE: Size = Size { height: 8, width: 8 };

/// A convolution, a normalisation without arithmetic and a linear layer.
struct Fake {
    parameters: Vec<(&'static str, Tensor)>,
    buffers: Vec<(&'static str, Tensor)>,
}

impl Fake {
    fn new(channels: i64) -> Self {
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let parameters = vec![
            ("conv1.weight", zeros(&[2, channels, 3, 3])),
            ("bn1.weight", zeros(&[2])),
            ("layer1.weight", zeros(&[4, 2])),
        ];
        let counter = Tensor::zeros([0_i64; 0], (Kind::Int64, Device::Cpu));
        Self { parameters, buffers: vec![("bn1.running_mean", zeros(&[2])), ("bn1.num_batches_tracked", counter)] }
    }

    fn value(&self, name: &str) -> Tensor {
        encoder_value(self, name)
    }
}

fn encoder_value(encoder: &dyn Encoder, name: &str) -> Tensor {
    let found = crate::run::state::encoder_tensors(encoder).into_iter().find(|(own, _)| own == name);
    found.expect("the encoder has it").1
}

impl Encoder for Fake {
    fn forward(&self, x: &Tensor, _: bool) -> Result<Tensor> {
        Ok(x.f_conv2d(&self.parameters[0].1, None::<&Tensor>, 1, 0, 1, 1)?.f_flatten(1, -1)?)
    }

    fn feature_dim(&self) -> usize {
        2
    }

    fn parameters(&self) -> Vec<Parameter> {
        let parameter = |(name, tensor): &(&str, Tensor)| Parameter {
            name: (*name).into(),
            kind: ParameterKind::Weight,
            tensor: tensor.shallow_clone(),
        };
        self.parameters.iter().map(parameter).collect()
    }

    fn buffers(&self) -> Vec<Buffer> {
        let buffer = |(name, tensor): &(&str, Tensor)| Buffer { name: (*name).into(), tensor: tensor.shallow_clone() };
        self.buffers.iter().map(buffer).collect()
    }
}

/// Everything that [`Fake`] has, with values other than zero.
fn full(channels: i64) -> Vec<(String, Tensor)> {
    let ramp = |size: &[i64]| {
        let count: i64 = size.iter().product();
        (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.5 + 1.0).reshape(size)
    };
    vec![
        ("conv1.weight".into(), ramp(&[2, channels, 3, 3])),
        ("bn1.weight".into(), ramp(&[2])),
        ("bn1.running_mean".into(), ramp(&[2])),
        ("bn1.num_batches_tracked".into(), Tensor::from(9i64)),
        ("layer1.weight".into(), ramp(&[4, 2])),
    ]
}

fn weights(tensors: Vec<(String, Tensor)>) -> InitialWeights {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights.safetensors");
    std::fs::write(&path, to_safetensors(&tensors, &BTreeMap::new()).unwrap()).unwrap();
    InitialWeights::read(INIT, &path, None).unwrap()
}

fn prefixed(prefix: &str, tensors: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect()
}

/// Loading must fail for the configuration's sake and leave the encoder as it was.
fn refused(tensors: Vec<(String, Tensor)>) -> String {
    let encoder = Fake::new(3);
    let Error::Failed { kind, message } = weights(tensors).load_into(&encoder, IMAGE).unwrap_err() else { panic!() };
    assert_eq!(kind, ErrorKind::Configuration, "{message}");
    for (name, tensor) in crate::run::state::encoder_tensors(&encoder) {
        assert_eq!(tensor.count_nonzero(None::<i64>).int64_value(&[]), 0, "{name} was changed");
    }
    message
}

#[test]
fn every_tensor_is_taken_whatever_stands_before_its_name() {
    for prefix in ["", "module.", "backbone.", "encoder.", "model.", "module.encoder.", "model.module.backbone."] {
        let encoder = Fake::new(3);
        weights(prefixed(prefix, full(3))).load_into(&encoder, IMAGE).unwrap();
        for (name, expected) in full(3) {
            assert!(encoder.value(&name).equal(&expected), "{prefix}{name}");
        }
    }
}

#[test]
fn another_prefix_is_named_in_the_error_and_taken_where_it_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.safetensors");
    let mut tensors = prefixed("tower.image.", full(3));
    tensors.push(("tower.text.weight".into(), Tensor::from_slice(&[1.0f32])));
    std::fs::write(&path, to_safetensors(&tensors, &BTreeMap::new()).unwrap()).unwrap();
    let error = |prefix: Option<&str>| {
        InitialWeights::read(INIT, &path, prefix).unwrap().load_into(&Fake::new(3), IMAGE).unwrap_err().to_string()
    };
    let advice = "5 of them after `tower.image.`: set `train.self_supervision.init_prefix` to `tower.image.`";
    assert!(error(None).contains(advice), "{}", error(None));
    assert!(error(Some("tower.text")).contains(advice), "{}", error(Some("tower.text")));
    for prefix in ["tower.image.", "tower.image"] {
        let encoder = Fake::new(3);
        InitialWeights::read(INIT, &path, Some(prefix)).unwrap().load_into(&encoder, IMAGE).unwrap();
        for (name, expected) in full(3) {
            assert!(encoder.value(&name).equal(&expected), "{prefix}: {name}");
        }
    }
    let strange = refused(vec![("left.right".into(), Tensor::from_slice(&[1.0f32]))]);
    assert!(strange.contains("none of the encoder's names") && strange.contains("left.right"), "{strange}");
}

#[test]
fn classifiers_and_what_stands_beside_the_encoder_are_left_out_with_a_note() {
    let extra = |name: &str| (name.to_owned(), Tensor::from_slice(&[1.0f32]));
    let mut tensors = full(3);
    tensors.extend([extra("fc.weight"), extra("fc.bias"), extra("head.weight"), extra("classifier.0.bias")]);
    let own = crate::run::state::encoder_tensors(&Fake::new(3));
    let with_heads = weights(tensors);
    let fit = with_heads.fit(&own, Some("conv1.weight"), IMAGE).unwrap();
    assert_eq!(fit.values.len(), 5);
    assert_eq!(fit.notes, ["a classifier is not used: classifier.0.bias, fc.bias, fc.weight, head.weight"]);

    let mut tensors = prefixed("encoder.", full(3));
    tensors.extend([extra("projection.0.weight"), extra("encoder.fc.bias")]);
    let with_projection = weights(tensors);
    let fit = with_projection.fit(&own, Some("conv1.weight"), IMAGE).unwrap();
    assert_eq!(fit.found.prefix, "encoder.");
    assert_eq!(fit.notes.len(), 2);
    assert!(fit.notes[1].contains("`encoder.`") && fit.notes[1].contains("projection.0.weight"), "{:?}", fit.notes);
}

#[test]
fn a_missing_counter_is_no_fault_and_half_precision_is_widened() {
    let encoder = Fake::new(3);
    let mut tensors = full(3);
    tensors.retain(|(name, _)| !name.ends_with(COUNTER));
    for (_, tensor) in &mut tensors {
        *tensor = tensor.to_kind(Kind::Half);
    }
    weights(tensors).load_into(&encoder, IMAGE).unwrap();
    assert_eq!(encoder.value("bn1.num_batches_tracked").int64_value(&[]), 0);
    assert_eq!(encoder.value("layer1.weight").double_value(&[3, 1]), 4.5);
    assert_eq!(encoder.value("layer1.weight").kind(), Kind::Float);
}

#[test]
fn colour_weights_serve_grey_images_as_three_equal_channels_would() {
    let (grey, colour) = (Fake::new(1), Fake::new(3));
    weights(full(3)).load_into(&grey, IMAGE).unwrap();
    weights(full(3)).load_into(&colour, IMAGE).unwrap();
    let x = Tensor::linspace(-1, 1, 2 * 9, (Kind::Float, Device::Cpu)).reshape([2, 1, 3, 3]);
    let expected = colour.forward(&x.repeat([1, 3, 1, 1]), false).unwrap();
    let error = (grey.forward(&x, false).unwrap() - &expected).abs().max().double_value(&[]);
    assert!(error < 1e-4 * expected.abs().max().double_value(&[]), "{error}");
    let own = crate::run::state::encoder_tensors(&grey);
    let colours = weights(full(3));
    let notes = colours.fit(&own, Some("conv1.weight"), IMAGE).unwrap().notes;
    assert!(notes[0].contains("`conv1.weight`") && notes[0].contains("summed"), "{notes:?}");
}

#[test]
fn colour_weights_serve_any_number_of_channels() {
    // Six equal channels give what three would.
    let (six, colour) = (Fake::new(6), Fake::new(3));
    weights(full(3)).load_into(&six, IMAGE).unwrap();
    weights(full(3)).load_into(&colour, IMAGE).unwrap();
    let x = Tensor::linspace(-1, 1, 2 * 9, (Kind::Float, Device::Cpu)).reshape([2, 1, 3, 3]);
    let expected = colour.forward(&x.repeat([1, 3, 1, 1]), false).unwrap();
    let error = (six.forward(&x.repeat([1, 6, 1, 1]), false).unwrap() - &expected).abs().max().double_value(&[]);
    assert!(error < 1e-4 * expected.abs().max().double_value(&[]), "{error}");
    let own = crate::run::state::encoder_tensors(&six);
    let notes = weights(full(3)).fit(&own, Some("conv1.weight"), IMAGE).unwrap().notes;
    assert!(notes[0].contains("the images have 6") && notes[0].contains("in turn, times 3/6"), "{notes:?}");
}

#[test]
fn whatever_does_not_fit_is_named_and_nothing_is_loaded() {
    let mut tensors = full(3);
    tensors.retain(|(name, _)| name != "layer1.weight" && name != "bn1.running_mean");
    tensors.push(("layer2.weight".into(), Tensor::from_slice(&[1.0f32])));
    tensors[0].1 = Tensor::ones([2, 3, 7, 7], (Kind::Float, Device::Cpu));
    let message = refused(tensors);
    for part in [
        "it lacks layer1.weight, bn1.running_mean",
        "it holds layer2.weight",
        "conv1.weight (Float [2, 3, 7, 7], expected Float [2, 3, 3, 3])",
        "encoder.stem",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    // Colour images do not get along with grey weights.
    assert!(refused(full(1)).contains("conv1.weight"));
    // Twelve strange names are counted, not listed.
    let strange = (0..12).map(|number| (format!("block{number}.weight"), Tensor::from_slice(&[1.0f32])));
    assert!(refused(strange.collect()).contains("and 8 more"));
}

#[test]
fn a_position_embedding_of_another_size_is_resampled() {
    let mut encoder = Fake::new(3);
    let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
    encoder.parameters.push(("pos_embed", zeros(&[1, 5, 1])));
    let mut tensors = full(3);
    let mut values = vec![7.0f32];
    values.extend([3.0; 16]);
    tensors.push(("pos_embed".into(), Tensor::from_slice(&values).view([1, 17, 1])));
    let given = weights(tensors);
    given.load_into(&encoder, IMAGE).unwrap();
    let loaded = Vec::<f32>::try_from(encoder.value("pos_embed").view([5])).unwrap();
    assert!(
        loaded.iter().zip([7.0, 3.0, 3.0, 3.0, 3.0]).all(|(loaded, value)| (loaded - value).abs() < 1e-6),
        "{loaded:?}"
    );
    let own = crate::run::state::encoder_tensors(&encoder);
    let notes = given.fit(&own, None, IMAGE).unwrap().notes;
    assert!(notes[0].contains("from 4 × 4 to 2 × 2 patches"), "{notes:?}");
}

#[test]
fn values_that_are_not_finite_are_refused() {
    let mut tensors = full(3);
    tensors[1].1 = Tensor::from_slice(&[1.0f32, f32::NAN]);
    let error = weights(tensors).load_into(&Fake::new(3), IMAGE).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");
}

#[test]
fn files_of_other_formats_are_named_and_pickles_are_told_how_to_convert() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resnet18.pth");
    for magic in [&b"PK\x03\x04rest"[..], b"\x80\x02\x8a\x0al\xfc"] {
        std::fs::write(&path, magic).unwrap();
        let error = InitialWeights::read(INIT, &path, None).unwrap_err().to_string();
        for part in ["resnet18.pth", "python3 -c", "resnet18.safetensors", "weights_only=True"] {
            assert!(error.contains(part), "{error}");
        }
    }
    std::fs::write(&path, "text").unwrap();
    let error = InitialWeights::read(INIT, &path, None).unwrap_err().to_string();
    assert!(error.contains("resnet18.pth") && error.contains("safetensors") && !error.contains("python"), "{error}");
    let error = InitialWeights::read(INIT, &dir.path().join("absent"), None).unwrap_err().to_string();
    assert!(error.contains("absent") && error.contains("train.self_supervision.init"), "{error}");
}

#[test]
fn torchvisions_older_names_of_densenets_are_understood() {
    for (old, new) in [
        ("features.denseblock1.denselayer1.norm.1.weight", "features.denseblock1.denselayer1.norm1.weight"),
        (
            "module.features.denseblock3.denselayer12.conv.2.weight",
            "module.features.denseblock3.denselayer12.conv2.weight",
        ),
        ("features.denseblock1.denselayer1.norm1.bias", "features.denseblock1.denselayer1.norm1.bias"),
        ("layer1.0.conv.1.weight", "layer1.0.conv.1.weight"),
    ] {
        assert_eq!(layouts::renamed(old.into()), new);
    }
}
