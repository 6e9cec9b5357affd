use super::*;
use selfsame_encoder_api::ParameterKind;
use selfsame_encoder_tests::{
    assert_the_seed_decides_the_weights, build, configuration_error, digest, parameter_count, request, state_lines,
};
use tch::{Kind, Tensor};

mod torchvision;

#[test]
fn names_and_shapes_are_torchvisions() {
    // m = torchvision.models.densenet121(); m.classifier = nn.Identity()
    // lines = [f"{k} {list(v.shape)}" for k, v in m.state_dict().items()]; sha256("\n".join(lines))
    let networks = [
        ("densenet121", 725, 6_953_856, "2382ae86ab3ca4b03c7c93a279a6edc82e04994d755d772e262e915f166782bd"),
        ("densenet169", 1013, 12_484_480, "2be587be07d6ac22ab4aa68991dc92add7204693a97417083cd53ab15c78b50a"),
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
fn initialisation_is_kaiming_normal_with_unit_scale_and_no_shift() {
    for parameter in build(create, &request("densenet121")).parameters() {
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
    assert_the_seed_decides_the_weights(create, &request("densenet121"));
}

#[test]
fn the_stem_follows_the_image_size_unless_asked_for() {
    let kernel = |size, stem| {
        let asked = EncoderRequest { image_size: size, stem, ..request("densenet121") };
        build(create, &asked).parameters()[0].tensor.size()[3]
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
        let message = configuration_error(create, &asked(smallest - 1));
        assert!(message.contains(&format!("{smallest} × {smallest}")), "{message}");
        let x = Tensor::zeros([1, 3, smallest as i64, 40], (Kind::Float, Device::Cpu));
        assert!(build(create, &asked(smallest)).forward(&x, false).is_ok());
    }
}

#[test]
fn rejects_unknown_names_and_options() {
    let message = configuration_error(create, &request("densenet120"));
    assert!(message.contains("`densenet120`") && message.contains("densenet121, densenet169"), "{message}");
    let options = serde_json::json!({ "growth": 3 });
    assert!(configuration_error(create, &EncoderRequest { options, ..request("densenet121") }).contains("`growth`"));
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
        assert_eq!(features as usize, encoder.feature_dim());
        let card = card(architecture.name);
        let millions = format!("{:.1} million", parameter_count(encoder.as_ref()) as f64 / 1e6);
        assert!(card.summary.contains(&format!("{features} features")), "{}", card.summary);
        assert!(card.summary.contains(&millions), "{}: {millions}", card.summary);
    }
}
