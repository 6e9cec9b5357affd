use super::*;
use selfsame_plugin_api::{ErrorKind, ParameterKind};
use sha2::{Digest, Sha256};
use std::sync::Mutex;
use tch::{Kind, Tensor};

mod torchvision;

/// libtorch's generator is global, so that only one test at a time may seed it and draw from it.
static GENERATOR: Mutex<()> = Mutex::new(());

fn request(name: &str) -> EncoderRequest {
    EncoderRequest {
        name: name.into(),
        channels: 3,
        image_size: (32, 32),
        stem: None,
        options: serde_json::Value::Null,
    }
}

fn build(request: &EncoderRequest) -> Box<dyn Encoder> {
    let _held = GENERATOR.lock().unwrap();
    tch::manual_seed(7);
    encoder(request, Device::Cpu).unwrap()
}

fn configuration_error(request: &EncoderRequest) -> String {
    let error = encoder(request, Device::Cpu).err().expect("this request is impossible");
    assert_eq!(error.kind, ErrorKind::Configuration);
    error.message
}

/// Each entry of the state dict in torchvision's order, as `name [shape]`.
fn state_lines(encoder: &dyn Encoder) -> Vec<String> {
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

fn parameter_count(encoder: &dyn Encoder) -> usize {
    encoder.parameters().iter().map(|parameter| parameter.tensor.numel()).sum()
}

#[test]
fn names_and_shapes_are_torchvisions() {
    // m = torchvision.models.densenet121(); m.classifier = nn.Identity()
    // lines = [f"{k} {list(v.shape)}" for k, v in m.state_dict().items()]; sha256("\n".join(lines))
    let expected = [
        ("densenet121", 725, 6_953_856, "2382ae86ab3ca4b03c7c93a279a6edc82e04994d755d772e262e915f166782bd"),
        ("densenet169", 1013, 12_484_480, "2be587be07d6ac22ab4aa68991dc92add7204693a97417083cd53ab15c78b50a"),
    ];
    for (name, entries, parameters, digest) in expected {
        let encoder = build(&EncoderRequest { image_size: (224, 224), ..request(name) });
        let lines = state_lines(encoder.as_ref());
        assert_eq!(lines.len(), entries, "{name}");
        assert_eq!(parameter_count(encoder.as_ref()), parameters, "{name}");
        let actual: String = Sha256::digest(lines.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(actual, digest, "{name}: {lines:#?}");
    }
}

#[test]
fn initialisation_is_kaiming_normal_with_unit_scale_and_no_shift() {
    for parameter in build(&request("densenet121")).parameters() {
        let tensor = &parameter.tensor;
        assert!(tensor.requires_grad() && tensor.is_leaf(), "{}", parameter.name);
        match parameter.kind {
            ParameterKind::Weight => {
                let shape = tensor.size();
                let expected = (2.0 / (shape[1] * shape[2] * shape[3]) as f64).sqrt();
                let deviation = tensor.std(true).double_value(&[]);
                // Five standard errors of an estimate from `numel` samples.
                let tolerance = 5.0 * expected / (tensor.numel() as f64).sqrt();
                assert!((deviation - expected).abs() < tolerance, "{}: {deviation} {expected}", parameter.name);
            }
            ParameterKind::Norm => assert_eq!(tensor, &Tensor::ones_like(tensor), "{}", parameter.name),
            _ => assert_eq!(tensor, &Tensor::zeros_like(tensor), "{}", parameter.name),
        }
    }
}

#[test]
fn the_global_seed_decides_the_weights() {
    let (first, second) = (build(&request("densenet121")), build(&request("densenet121")));
    for (a, b) in first.parameters().iter().zip(second.parameters()) {
        assert_eq!(a.tensor, b.tensor, "{}", a.name);
    }
    let _held = GENERATOR.lock().unwrap();
    tch::manual_seed(8);
    let third = encoder(&request("densenet121"), Device::Cpu).unwrap();
    assert_ne!(first.parameters()[0].tensor, third.parameters()[0].tensor);
}

#[test]
fn the_stem_follows_the_image_size_unless_asked_for() {
    let kernel = |size, stem| {
        let asked = EncoderRequest { image_size: size, stem, ..request("densenet121") };
        build(&asked).parameters()[0].tensor.size()[3]
    };
    assert_eq!(kernel((64, 200), None), 3);
    assert_eq!(kernel((65, 65), None), 7);
    assert_eq!(kernel((32, 32), Some(Stem::Imagenet)), 7);
    assert_eq!(kernel((224, 224), Some(Stem::Cifar)), 3);
}

#[test]
fn images_that_pooling_would_use_up_are_refused_and_the_smallest_ones_are_not() {
    for (stem, smallest) in [(Stem::Cifar, 8), (Stem::Imagenet, 29)] {
        let asked = |size| EncoderRequest { image_size: (size, 40), stem: Some(stem), ..request("densenet121") };
        let message = configuration_error(&asked(smallest - 1));
        assert!(message.contains(&format!("{smallest} × {smallest}")), "{message}");
        let x = Tensor::zeros([1, 3, smallest as i64, 40], (Kind::Float, Device::Cpu));
        assert!(build(&asked(smallest)).forward(&x, false).is_ok());
    }
}

#[test]
fn rejects_unknown_names_options_and_impossible_channels() {
    let message = configuration_error(&request("densenet120"));
    assert!(message.contains("`densenet120`") && message.contains("densenet121, densenet169"), "{message}");
    let message = configuration_error(&EncoderRequest { channels: 2, ..request("densenet121") });
    assert!(message.contains("not 2"), "{message}");
    let options = serde_json::json!({ "growth": 3 });
    assert!(configuration_error(&EncoderRequest { options, ..request("densenet121") }).contains("`growth`"));
}

#[test]
fn every_network_embeds_an_image_as_its_card_says() {
    for architecture in ARCHITECTURES {
        let encoder = build(&request(architecture.name));
        let x = Tensor::zeros([1, 3, 32, 32], (Kind::Float, Device::Cpu));
        let features = encoder.forward(&x, false).unwrap().size()[1];
        assert_eq!(features as usize, encoder.feature_dim());
        let card = card(architecture.name);
        let millions = format!("{:.1} million", parameter_count(encoder.as_ref()) as f64 / 1e6);
        assert!(card.summary.contains(&format!("{features} features")), "{}", card.summary);
        assert!(card.summary.contains(&millions), "{}: {millions}", card.summary);
    }
}
