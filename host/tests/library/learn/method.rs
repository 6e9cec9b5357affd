use super::support::{Flat, TRAIN, elements, method, optimizer, saved, small, update, views};
use selfsame::config::schema::{LinearHeadConfig, MethodName, ProjectionConfig};
use selfsame::method::{Seen, StepContext};
use selfsame::model::{Head, Linear};
use selfsame::probe::LinearHead;
use selfsame_encoder_api::{Encoder, ParameterKind};
use selfsame_plugin_api::Task;
use tch::{Device, Kind, Tensor};

#[test]
fn training_reduces_the_loss_of_every_method() {
    for name in MethodName::ALL {
        let config = small(name, true);
        let mut method = method(&config);
        let mut optimizer = optimizer(&config, method.as_ref());
        let views = views();
        let mut losses = Vec::new();
        for step in 0..60 {
            let context = StepContext { step, ..TRAIN };
            optimizer.zero_grad();
            let output = method.step(&views, &context).unwrap();
            output.loss.backward();
            update(&mut optimizer, 0.01);
            method.after_step(&output.seen, &context).unwrap();
            losses.push(output.loss.double_value(&[]));
        }
        // A queue is easy as long as it holds random keys.
        let most = losses[..20].iter().copied().fold(f64::MIN, f64::max);
        let last = losses[50..].iter().sum::<f64>() / 10.0;
        assert!(last < 0.9 * most, "{name}: from {most} to {last}");
    }
}

#[test]
fn every_parameter_gets_a_gradient_and_a_prefixed_name() {
    for name in MethodName::ALL {
        let mut method = method(&small(name, true));
        method.step(&views(), &TRAIN).unwrap().loss.backward();
        let names: Vec<_> = method.parameters().into_iter().map(|p| p.name).collect();
        assert_eq!(names[..2], ["encoder.weight", "encoder.bias"]);
        let parts = ["encoder.", "projection.", "predictor."];
        assert!(names.iter().all(|name| parts.iter().any(|part| name.starts_with(part))), "{names:?}");
        assert!(method.parameters().iter().all(|p| p.tensor.grad().defined()), "{name}");
        assert!(method.buffers().iter().all(|b| !b.tensor.grad().defined()), "{name}");
        assert_eq!(saved(method.as_ref()).len(), method.parameters().len() + method.buffers().len(), "{name}");
    }
}

#[test]
fn heads_are_named_by_position_as_in_pytorch() {
    let names = |layers, batch_norm| -> Vec<String> {
        let config = ProjectionConfig { layers, hidden_dim: 4, output_dim: 2, batch_norm };
        let head = Head::new(3, &config.head(), Device::Cpu).unwrap();
        let parameters = head.parameters().into_iter().map(|p| p.name).filter(|name| name.ends_with("weight"));
        parameters.chain(head.buffers().into_iter().map(|b| b.name).filter(|name| name.ends_with("mean"))).collect()
    };
    assert_eq!(names(1, true), ["0.weight"]);
    assert_eq!(names(2, false), ["0.weight", "2.weight"]);
    assert_eq!(names(2, true), ["0.weight", "1.weight", "3.weight", "1.running_mean"]);
    let three = ["0.weight", "1.weight", "3.weight", "4.weight", "6.weight", "1.running_mean", "4.running_mean"];
    assert_eq!(names(3, true), three);
}

#[test]
fn features_are_the_encoders_own_embedding_of_the_views_that_it_sees() {
    for name in MethodName::ALL {
        let mut method = method(&small(name, false));
        let views = views();
        let output = method.step(&views, &TRAIN).unwrap();
        assert!(output.loss.requires_grad() && !output.features.requires_grad());
        let seen = if name == MethodName::MocoV2 { 1 } else { 2 };
        assert_eq!(output.features.size(), [12 * seen, 6], "{name}");
        let last = method.encoder().forward(&views[seen as usize - 1], false).unwrap();
        assert!(output.features.narrow(0, 12 * (seen - 1), 12).allclose(&last, 1e-5, 1e-6, false), "{name}");
    }
}

#[test]
fn the_validation_loss_leaves_no_trace() {
    for name in MethodName::ALL {
        let mut method = method(&small(name, true));
        let before = saved(method.as_ref());
        let context = StepContext { train: false, ..TRAIN };
        let views = views();
        let first = method.step(&views, &context).unwrap();
        let second = method.step(&views, &context).unwrap();
        assert!(!first.loss.requires_grad());
        assert_eq!(elements(&first.loss), elements(&second.loss));
        assert_eq!(before, saved(method.as_ref()), "{name}");
    }
}

#[test]
fn losses_under_bfloat16_are_float32_and_near_those_without() {
    for name in MethodName::ALL {
        let config = small(name, true);
        let mut method = method(&config);
        let views = views();
        let full = method.step(&views, &TRAIN).unwrap();
        let output = method.step(&views, &StepContext { autocast: Some(Kind::BFloat16), ..TRAIN }).unwrap();
        assert_eq!((output.loss.kind(), output.features.kind()), (Kind::Float, Kind::Float), "{name}");
        let (a, b) = (full.loss.double_value(&[]), output.loss.double_value(&[]));
        assert!((a - b).abs() < 0.1 * a.abs().max(1.0), "{name}: {a} and {b}");
        output.loss.backward();
        assert!(method.parameters().iter().all(|p| elements(&p.tensor.grad()).iter().all(|g| g.is_finite())), "{name}");
    }
}

#[test]
fn the_averaged_encoder_follows_the_formula_and_is_the_one_evaluated() {
    let mut config = small(MethodName::Simclr, true);
    config.train.encoder_ema_decay = Some(0.6);
    let mut method = method(&config);
    let mut optimizer = optimizer(&config, method.as_ref());
    let mut expected = saved(method.as_ref());
    let average = |name: &str| name.replacen("encoder.", "average.", 1);
    for step in 0..9 {
        let (context, views) = (StepContext { step, ..TRAIN }, views());
        optimizer.zero_grad();
        let output = method.step(&views, &context).unwrap();
        let frozen = tch::no_grad(|| method.encoder().forward(&views[0], false).unwrap());
        assert_eq!(elements(&output.features.narrow(0, 0, 12)), elements(&frozen), "the head sees what is evaluated");
        output.loss.backward();
        update(&mut optimizer, 0.05);
        method.after_step(&output.seen, &context).unwrap();
        // (1 + k) / (10 + k) is 0.1, 0.18 and so on, and above 0.6 from step 13 on.
        let decay = (1.0 + step as f64) / (10.0 + step as f64);
        let now = saved(method.as_ref());
        for (name, value) in now.iter().filter(|(name, _)| name.starts_with("encoder.")) {
            let old = expected[&average(name)].copy();
            let new = if name.ends_with("count") { value.copy() } else { old * decay + value * (1.0 - decay) };
            expected.insert(average(name), new);
        }
        for (name, value) in now.iter().filter(|(name, _)| name.starts_with("average.")) {
            assert!(value.allclose(&expected[name], 1e-5, 1e-6, false), "{name} after step {step}");
        }
    }
    let late = StepContext { step: 100, total_steps: 200, ..TRAIN };
    let before = saved(method.as_ref());
    method.after_step(&Seen::default(), &late).unwrap();
    let after = saved(method.as_ref());
    let expected = &before["average.weight"] * 0.6 + &before["encoder.weight"] * 0.4;
    assert!(after["average.weight"].allclose(&expected, 1e-5, 1e-6, false));
    assert_eq!(elements(&method.encoder().parameters()[0].tensor), elements(&after["average.weight"]));
    assert!(method.parameters().iter().all(|p| !p.name.starts_with("average.")));
}

#[test]
fn batch_norm_moves_its_running_statistics_as_pytorch_does() {
    // PyTorch: running ← 0.9·running + 0.1·batch, with the unbiased variance of the batch.
    let norm = selfsame::model::BatchNorm1d::new(1, Device::Cpu).unwrap();
    let x = Tensor::from_slice(&[1.0_f32, 2.0, 6.0]).unsqueeze(1);
    let y = norm.forward(&x, true).unwrap();
    let running: Vec<f64> = norm.buffers().iter().flat_map(|b| elements(&b.tensor)).collect();
    super::support::assert_close(&running, &[0.3, 0.9 + 0.1 * 7.0], 1e-6);
    // The batch itself is normalised by mean 3 and the biased variance 14/3.
    let sd = (14.0_f64 / 3.0).sqrt();
    super::support::assert_close(&elements(&y), &[-2.0 / sd, -1.0 / sd, 3.0 / sd], 1e-5);
}

#[test]
fn linear_layers_start_within_pytorchs_bounds() {
    let layer = Linear::new(400, 300, Device::Cpu).unwrap();
    for parameter in layer.parameters() {
        let values = elements(&parameter.tensor);
        let largest = values.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        assert!(largest <= 0.05 + 1e-6 && largest > 0.045, "{}: {largest}", parameter.name);
        // The variance of U(−b, b) is b²/3.
        let variance = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        assert!((variance / (0.05 * 0.05 / 3.0) - 1.0).abs() < 0.3, "{}: {variance}", parameter.name);
    }
}

#[test]
fn kinds_of_the_head_follow_what_a_parameter_is() {
    let config = ProjectionConfig { layers: 2, hidden_dim: 4, output_dim: 2, batch_norm: true };
    let head = Head::new(3, &config.head(), Device::Cpu).unwrap();
    let kinds: Vec<_> = head.parameters().iter().map(|p| p.kind).collect();
    use ParameterKind::{Bias, Norm, Weight};
    assert_eq!(kinds, [Weight, Bias, Norm, Bias, Weight, Bias]);
}

#[test]
fn the_linear_head_leaves_the_encoder_alone() {
    let encoder = Flat::new(false);
    let mut head = LinearHead::new(&LinearHeadConfig::default(), Task::Multiclass, 6, 3, None, Device::Cpu).unwrap();
    let features = encoder.forward(&views()[0], true).unwrap();
    assert!(features.requires_grad());
    head.train_step(&features, &(Tensor::arange(12, (Kind::Int64, Device::Cpu)).remainder(3))).unwrap();
    assert!(encoder.parameters().iter().all(|p| !p.tensor.grad().defined()));
    assert!(head.parameters().iter().all(|p| p.tensor.grad().defined()));
}

#[test]
fn errors_of_libtorch_come_without_a_backtrace() {
    let layer = Linear::new(3, 2, Device::Cpu).unwrap();
    let error = layer.forward(&Tensor::zeros([2, 5], (Kind::Float, Device::Cpu))).unwrap_err().to_string();
    assert!(error.starts_with("libtorch: ") && !error.contains("Exception raised"), "{error}");
}
