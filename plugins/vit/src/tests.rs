use super::*;
use selfsame_encoder_api::ParameterKind;
use selfsame_encoder_tests::{
    assert_the_seed_decides_the_weights, build, configuration_error, digest, parameter_count, request, state_lines,
};
use tch::{Kind, Tensor};

mod timm;

#[test]
fn names_and_shapes_are_timms() {
    // m = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    // lines = [f"{k} {list(v.shape)}" for k, v in m.state_dict().items()]; sha256("\n".join(lines))
    let networks = [
        ("vit_tiny_patch16_224", 5_524_416, "a904832542443184f2885650f1b24a42f34b11ae53703b584a7c3332728c8ae7"),
        ("vit_small_patch16_224", 21_665_664, "9c4ed151f8a130d8e3a77382507dd932880dd620b0e15169997d762580b4c9a5"),
    ];
    for (name, parameters, expected) in networks {
        let encoder = build(create, &EncoderRequest { image_size: (224, 224), ..request(name) });
        let lines = state_lines(encoder.as_ref());
        assert_eq!(parameter_count(encoder.as_ref()), parameters, "{name}");
        assert_eq!(digest(&lines), expected, "{name}: {lines:#?}");
        assert!(encoder.buffers().is_empty());
    }
}

#[test]
fn initialisation_is_timms() {
    for parameter in build(create, &request("vit_tiny_patch4_32")).parameters() {
        let (name, tensor) = (&parameter.name, &parameter.tensor);
        assert!(tensor.requires_grad() && tensor.is_leaf(), "{name}");
        // The standard deviation of U(−b, b) is b / √3; 48 = 3 · 4² pixels of a patch.
        let uniform = 1.0 / (3.0 * 48_f64).sqrt();
        let expected = match name.as_str() {
            "cls_token" => 1e-6,
            "patch_embed.proj.weight" | "patch_embed.proj.bias" => uniform,
            _ if parameter.kind == ParameterKind::Norm => {
                assert_eq!(tensor, &Tensor::ones_like(tensor), "{name}");
                continue;
            }
            _ if parameter.kind == ParameterKind::Bias => {
                assert_eq!(tensor, &Tensor::zeros_like(tensor), "{name}");
                continue;
            }
            _ => 0.02,
        };
        let deviation = tensor.std(true).double_value(&[]);
        // Five standard errors of an estimate from `numel` samples.
        let tolerance = 5.0 * expected / (tensor.numel() as f64).sqrt();
        assert!((deviation - expected).abs() < tolerance, "{name}: {deviation} {expected}");
        if name.starts_with("patch_embed") {
            assert!(tensor.abs().max().double_value(&[]) <= 1.0 / 48_f64.sqrt(), "{name}");
        }
    }
}

#[test]
fn tokens_and_positions_are_embeddings_and_only_matrices_are_weights() {
    for parameter in build(create, &request("vit_tiny_patch4_32")).parameters() {
        let name = &parameter.name;
        let expected = match name.as_str() {
            "cls_token" | "pos_embed" => ParameterKind::Embedding,
            _ if name.ends_with("bias") => ParameterKind::Bias,
            _ if name.contains("norm") => ParameterKind::Norm,
            _ => ParameterKind::Weight,
        };
        assert_eq!(parameter.kind, expected, "{name}");
    }
}

#[test]
fn the_global_seed_decides_the_weights() {
    assert_the_seed_decides_the_weights(create, &request("vit_tiny_patch4_32"));
}

#[test]
fn the_position_embedding_has_the_size_of_the_images() {
    let asked = EncoderRequest { image_size: (48, 64), ..request("vit_tiny_patch16_224") };
    assert_eq!(build(create, &asked).parameters()[1].tensor.size(), [1, 1 + 3 * 4, 192]);
    let message = configuration_error(create, &EncoderRequest { image_size: (48, 60), ..asked });
    assert!(message.contains("16 × 16") && message.contains("48 × 60"), "{message}");
}

#[test]
fn rejects_unknown_names_and_options_stems() {
    let name = "vit_tiny_patch4_32";
    let message = configuration_error(create, &request("vit_huge"));
    assert!(message.contains("`vit_huge`") && message.contains(name), "{message}");
    let stem = Some(selfsame_encoder_api::Stem::Cifar);
    assert!(configuration_error(create, &EncoderRequest { stem, ..request(name) }).contains("encoder.stem"));
    let options = |options| EncoderRequest { options, ..request(name) };
    let message = configuration_error(create, &options(serde_json::json!({ "pol": "avg" })));
    assert!(message.contains("`pol`") && message.contains("pool"), "{message}");
    let message = configuration_error(create, &options(serde_json::json!({ "pool": "max" })));
    assert!(message.contains("`pool`") && message.contains("token"), "{message}");
}

#[test]
fn images_of_another_size_are_refused_by_name_when_patches_do_not_tile_them() {
    let encoder = build(create, &request("vit_tiny_patch4_32"));
    for (height, width) in [(34, 32), (32, 2), (0, 32)] {
        let x = Tensor::zeros([2, 3, height, width], (Kind::Float, Device::Cpu));
        let message = encoder.forward(&x, false).unwrap_err().to_string();
        assert!(message.contains("`vit_tiny_patch4_32`"), "{message}");
        assert!(message.contains("4 × 4") && message.contains(&format!("{height} × {width}")), "{message}");
    }
}

#[test]
fn every_network_embeds_an_image_as_its_card_says() {
    for architecture in ARCHITECTURES {
        let side = if architecture.patch == 4 { 32 } else { 224 };
        let encoder = build(create, &EncoderRequest { image_size: (side, side), ..request(architecture.name) });
        let x = Tensor::zeros([1, 3, side as i64, side as i64], (Kind::Float, Device::Cpu));
        let features = encoder.forward(&x, false).unwrap().size()[1];
        assert_eq!(features as usize, encoder.feature_dim());
        let card = card(architecture.name);
        let millions = format!("{:.1} million", parameter_count(encoder.as_ref()) as f64 / 1e6);
        assert!(card.summary.contains(&format!("{features} features")), "{}", card.summary);
        assert!(card.summary.contains(&millions), "{}: {millions}", card.summary);
    }
}
