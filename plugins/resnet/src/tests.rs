use super::*;
use selfsame_encoder_api::ParameterKind;
use selfsame_encoder_tests::{
    assert_the_seed_decides_the_weights, build, configuration_error, digest, parameter_count, request, state_lines,
};
use tch::{Kind, Tensor};

mod torchvision;

#[test]
fn names_and_shapes_are_torchvisions() {
    // m = torchvision.models.resnet18(); m.fc = nn.Identity()
    // lines = [f"{k} {list(v.shape)}" for k, v in m.state_dict().items()]; sha256("\n".join(lines))
    let networks = [
        ("resnet18", 120, 11_176_512, "8beb0ace93bfeca926818a98ea8065bd9d9ef232d91a20eb1c401ff150826b3c"),
        ("resnet34", 216, 21_284_672, "f21dbcd4d119be2024349405634b5009a7dca5c5c3f9a860d5d1dd0dc876fb86"),
        ("resnet50", 318, 23_508_032, "1b9065f5083ba822bffbdcd70cc02d55a4be3ecc7cc20757722142f0b24d066c"),
        ("resnet101", 624, 42_500_160, "f343c7a7743c5ae4a92333435bf805ba3c0a807771602c50939f9c63bafeef71"),
    ];
    for (name, entries, parameters, expected) in networks {
        let encoder = build(create, &EncoderRequest { image_size: (224, 224), ..request(name) });
        let lines = state_lines(encoder.as_ref());
        assert_eq!(lines.len(), entries, "{name}");
        assert_eq!(parameter_count(encoder.as_ref()), parameters, "{name}");
        assert_eq!(digest(&lines), expected, "{name}: {lines:#?}");
    }
}

#[test]
fn the_small_networks_have_the_papers_layers() {
    for (name, parameters, entries) in [("resnet8", 77_392, 54), ("resnet20", 271_824, 126)] {
        let encoder = build(create, &request(name));
        assert_eq!(parameter_count(encoder.as_ref()), parameters, "{name}");
        assert_eq!(state_lines(encoder.as_ref()).len(), entries, "{name}");
        assert_eq!(encoder.feature_dim(), 64);
    }
    let lines = state_lines(build(create, &request("resnet8")).as_ref());
    assert_eq!(lines[0], "conv1.weight [16, 3, 3, 3]");
    assert_eq!(lines[6], "layer1.0.conv1.weight [16, 16, 3, 3]");
    assert!(lines.contains(&"layer3.0.downsample.0.weight [64, 32, 1, 1]".to_string()));
    assert!(!lines.iter().any(|line| line.starts_with("layer1.0.downsample")));
}

#[test]
fn initialisation_is_kaiming_normal_with_unit_scale_and_no_shift() {
    let encoder = build(create, &request("resnet18"));
    for parameter in encoder.parameters() {
        let tensor = &parameter.tensor;
        assert!(tensor.requires_grad() && tensor.is_leaf(), "{}", parameter.name);
        match parameter.kind {
            ParameterKind::Weight => {
                let shape = tensor.size();
                let expected = (2.0 / (shape[0] * shape[2] * shape[3]) as f64).sqrt();
                let (deviation, mean) =
                    (tensor.std(true).double_value(&[]), tensor.mean(Kind::Float).double_value(&[]));
                // Five standard errors of an estimate from `numel` samples.
                let tolerance = 5.0 * expected / (tensor.numel() as f64).sqrt();
                assert!((deviation - expected).abs() < tolerance, "{}: {deviation} {expected}", parameter.name);
                assert!(mean.abs() < tolerance, "{}: {mean}", parameter.name);
            }
            ParameterKind::Norm => assert_eq!(tensor, &Tensor::ones_like(tensor), "{}", parameter.name),
            _ => assert_eq!(tensor, &Tensor::zeros_like(tensor), "{}", parameter.name),
        }
    }
    for buffer in encoder.buffers() {
        let expected = if buffer.name.ends_with("running_var") { 1.0 } else { 0.0 };
        assert_eq!(buffer.tensor, buffer.tensor.full_like(expected), "{}", buffer.name);
        let kind = if buffer.name.ends_with("num_batches_tracked") { Kind::Int64 } else { Kind::Float };
        assert_eq!(buffer.tensor.kind(), kind);
    }
}

#[test]
fn the_global_seed_decides_the_weights() {
    assert_the_seed_decides_the_weights(create, &request("resnet8"));
}

#[test]
fn zero_init_residual_makes_blocks_start_as_their_shortcut() {
    for (name, last) in [("resnet18", "bn2.weight"), ("resnet50", "bn3.weight")] {
        let options = serde_json::json!({ "zero_init_residual": true });
        let encoder = build(create, &EncoderRequest { options, ..request(name) });
        for parameter in encoder.parameters().iter().filter(|parameter| parameter.kind == ParameterKind::Norm) {
            let expected = if parameter.name.ends_with(last) { 0.0 } else { 1.0 };
            assert_eq!(parameter.tensor, parameter.tensor.full_like(expected), "{}", parameter.name);
        }
    }
}

#[test]
fn the_stem_follows_the_image_size_unless_asked_for() {
    let kernel = |size, stem| {
        let asked = EncoderRequest { image_size: size, stem, ..request("resnet18") };
        build(create, &asked).parameters()[0].tensor.size()[3]
    };
    assert_eq!(kernel((64, 200), None), 3);
    assert_eq!(kernel((65, 65), None), 7);
    assert_eq!(kernel((32, 32), Some(Stem::Imagenet)), 7);
    assert_eq!(kernel((224, 224), Some(Stem::Cifar)), 3);
    let small = EncoderRequest { image_size: (224, 224), ..request("resnet8") };
    assert_eq!(build(create, &small).parameters()[0].tensor.size()[3], 3);
}

#[test]
fn channels_last_inputs_and_weights_give_the_same_embedding() {
    let channels_last = |x: &Tensor| x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
    let encoder = build(create, &EncoderRequest { channels: 1, ..request("resnet8") });
    let x = Tensor::linspace(-2, 2, 2 * 32 * 32, (Kind::Float, Device::Cpu)).reshape([2, 1, 32, 32]).sin();
    let expected = encoder.forward(&x, false).unwrap();
    for parameter in encoder.parameters().iter_mut().filter(|parameter| parameter.kind == ParameterKind::Weight) {
        let value = channels_last(&parameter.tensor.detach());
        parameter.tensor.set_data(&value);
    }
    let actual = encoder.forward(&channels_last(&x), false).unwrap();
    assert!((actual - expected).abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn rejects_an_unknown_option_by_name() {
    let asked = EncoderRequest { options: serde_json::json!({ "depht": 3 }), ..request("resnet18") };
    let message = configuration_error(create, &asked);
    assert!(message.contains("`depht`") && message.contains("zero_init_residual"), "{message}");
    let asked = EncoderRequest { options: serde_json::json!({ "zero_init_residual": 3 }), ..request("resnet18") };
    assert!(configuration_error(create, &asked).contains("`zero_init_residual`"));
}

#[test]
fn rejects_a_stem_that_the_network_does_not_have() {
    for name in ["resnet8", "resnet20"] {
        let message = configuration_error(create, &EncoderRequest { stem: Some(Stem::Imagenet), ..request(name) });
        assert!(message.contains(name) && message.contains("encoder.stem"), "{message}");
    }
}

#[test]
fn rejects_unknown_names() {
    let message = configuration_error(create, &request("resnet19"));
    assert!(message.contains("`resnet19`") && message.contains("resnet18, resnet34"), "{message}");
}

#[test]
fn a_wrong_input_is_an_error_without_a_backtrace() {
    let encoder = build(create, &request("resnet8"));
    let x = Tensor::zeros([2, 5, 32, 32], (Kind::Float, Device::Cpu));
    let error = encoder.forward(&x, false).unwrap_err();
    assert!(error.to_string().contains("channels"), "{error}");
    assert!(!error.to_string().contains("Exception raised from"), "{error}");
}

#[test]
fn views_of_half_the_size_embed_as_well() {
    for architecture in ARCHITECTURES {
        let encoder = build(create, &request(architecture.name));
        let x = Tensor::linspace(-2, 2, 2 * 3 * 16 * 16, (Kind::Float, Device::Cpu)).reshape([2, 3, 16, 16]).sin();
        let embedded = encoder.forward(&x, true).unwrap();
        assert_eq!(embedded.size(), [2, encoder.feature_dim() as i64]);
        assert!(embedded.sum(Kind::Double).double_value(&[]).is_finite(), "{}", architecture.name);
    }
}

#[test]
fn every_network_embeds_an_image_as_its_card_says() {
    for architecture in ARCHITECTURES {
        let encoder = build(create, &request(architecture.name));
        let x = Tensor::zeros([1, 3, 32, 32], (Kind::Float, Device::Cpu));
        let features = encoder.forward(&x, false).unwrap().size()[1];
        let card = card(architecture.name);
        assert!(card.summary.contains(&format!("{features} features")), "{}", card.summary);
        let millions = parameter_count(encoder.as_ref()) as f64 / 1e6;
        let stated = if millions < 1.0 { format!("{millions:.2} million") } else { format!("{millions:.1} million") };
        assert!(card.summary.contains(&stated), "{}: {stated}", card.summary);
    }
}
