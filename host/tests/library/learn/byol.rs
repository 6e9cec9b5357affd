//! BYOL's two networks over several steps.

use super::support::{TRAIN, assert_close, elements, method, optimizer, saved, small, update, views};
use selfsame::config::schema::MethodName;
use selfsame::method::{ByolEmbedding, StepContext, byol_loss, rising_momentum};
use std::collections::BTreeMap;
use tch::{Kind, Tensor, no_grad};

const STEPS: u64 = 8;

fn at(step: u64) -> StepContext {
    StepContext { step, total_steps: STEPS, ..TRAIN }
}

/// Names of the online network's tensors that the target has as well.
fn shared(all: &BTreeMap<String, Tensor>) -> Vec<String> {
    let online = |name: &&String| name.starts_with("encoder.") || name.starts_with("projection.");
    all.keys().filter(online).cloned().collect()
}

#[test]
fn tau_rises_from_its_base_to_1_by_half_a_cosine() {
    let values: Vec<f64> = (0..=4).map(|k| rising_momentum(0.99, &StepContext { total_steps: 4, ..at(k) })).collect();
    // 1 − 0.01 · (cos(πk/4) + 1)/2
    assert_close(&values, &[0.99, 0.991464466, 0.995, 0.998535534, 1.0], 1e-9);
}

#[test]
fn the_target_starts_equal_gets_no_gradient_and_ends_where_the_formula_says() {
    let mut config = small(MethodName::Byol, true);
    config.method.byol.tau_base = 0.7;
    let mut method = method(&config);
    let mut optimizer = optimizer(&config, method.as_ref());
    let start = saved(method.as_ref());
    let mut expected = BTreeMap::new();
    for name in shared(&start) {
        assert_eq!(start[&name], start[&format!("target.{name}")], "{name}");
        expected.insert(name.clone(), elements(&start[&name]));
    }
    for step in 0..STEPS {
        optimizer.zero_grad();
        let before = saved(method.as_ref());
        let output = method.step(&views(), &at(step)).unwrap();
        output.loss.backward();
        for buffer in method.buffers().iter().filter(|b| b.name.starts_with("target.")) {
            assert!(!buffer.tensor.requires_grad() && !buffer.tensor.grad().defined(), "{}", buffer.name);
            assert_eq!(buffer.tensor, before[&buffer.name], "its own batches leave {} alone", buffer.name);
        }
        let (name, logged) = &output.metrics[0];
        assert_eq!(*name, "tau");
        assert_close(&elements(logged), &[rising_momentum(0.7, &at(step))], 1e-12);
        update(&mut optimizer, 0.02);
        method.after_step(&output.seen, &at(step)).unwrap();
        let now = saved(method.as_ref());
        for (name, target) in &mut expected {
            let (online, t) = (elements(&now[name]), rising_momentum(0.7, &at(step)));
            match name.ends_with("count") {
                true => *target = online,
                false => target.iter_mut().zip(online).for_each(|(a, o)| *a = t * *a + (1.0 - t) * o),
            }
        }
    }
    let end = saved(method.as_ref());
    for (name, target) in &expected {
        assert_close(&elements(&end[&format!("target.{name}")]), target, 1e-5);
    }
    assert_ne!(end["encoder.weight"], end["target.encoder.weight"]);
    assert_eq!(elements(&end["target.encoder.norm.count"]), [2.0 * STEPS as f64], "one forward a view");
}

#[test]
fn the_loss_is_the_sum_of_both_directions_each_against_the_other_view() {
    let method = method(&small(MethodName::Byol, false));
    let [q1, q2, t1, t2] = std::array::from_fn(|_| Tensor::randn([5, 8], (Kind::Float, tch::Device::Cpu)));
    let expected = byol_loss(&q1, &t2).unwrap() + byol_loss(&q2, &t1).unwrap();
    let loss = method.loss(&[q1, q2], &[t1, t2], &at(0)).unwrap();
    assert_close(&elements(&loss.value), &elements(&expected), 1e-6);
}

#[test]
fn both_networks_normalise_each_view_by_its_own_batch() {
    // Right at the start both networks are equal, so the projections of the second view are those of a training forward of
    // that view alone, without the first.
    let mut method = method(&small(MethodName::Byol, true));
    let views = views();
    let second = &views[1];
    let targets = method.targets(&views, &at(0)).unwrap().projections;
    let again = method.targets(&[second.zeros_like(), second.shallow_clone()], &at(0)).unwrap().projections;
    assert_eq!(elements(&targets[1]), elements(&again[1]));
}

#[test]
fn the_validation_loss_is_taken_against_the_target_in_eval_mode() {
    let config = small(MethodName::Byol, true);
    let mut method = method(&config);
    // A target that differs from the online network in nothing but its running statistics.
    for buffer in method.buffers() {
        if buffer.name == "target.encoder.norm.running_mean" {
            let _ = no_grad(|| buffer.tensor.shallow_clone().fill_(0.5));
        }
    }
    let context = StepContext { train: false, ..at(0) };
    let views = views();
    let shifted = elements(&method.step(&views, &context).unwrap().loss);
    for buffer in method.buffers() {
        if buffer.name == "target.encoder.norm.running_mean" {
            let _ = no_grad(|| buffer.tensor.shallow_clone().fill_(0.0));
        }
    }
    assert_ne!(elements(&method.step(&views, &context).unwrap().loss), shifted);
}

#[test]
fn the_configured_network_is_evaluated_and_feeds_the_head() {
    for (embedding, prefix) in [(ByolEmbedding::Online, ""), (ByolEmbedding::Target, "target.")] {
        let mut config = small(MethodName::Byol, false);
        config.method.byol.embedding = embedding;
        let mut method = method(&config);
        let mut optimizer = optimizer(&config, method.as_ref());
        method.step(&views(), &at(0)).unwrap().loss.backward();
        update(&mut optimizer, 0.1);
        let all = saved(method.as_ref());
        assert_ne!(all["encoder.weight"], all["target.encoder.weight"]);
        assert_eq!(method.encoder().parameters()[0].tensor.detach(), all[&format!("{prefix}encoder.weight")]);
        let views = views();
        let output = method.step(&views, &at(1)).unwrap();
        let embedded = no_grad(|| method.encoder().forward(&views[1], true).unwrap());
        assert_eq!(elements(&output.features.narrow(0, 12, 12)), elements(&embedded));
        assert!(method.embedding().contains(if prefix.is_empty() { "online" } else { "target" }));
    }
}
