use super::support::{assert_close, elements, fixture, numbers, tensor};
use selfsame::config::schema::{LrScaling, OptimizerConfig, OptimizerName, SchedulerConfig};
use selfsame::model::{ParameterGroup, Rate};
use selfsame::optim::{self, DecaySchedule, Groups, Optimizer, Rates, Schedule};
use selfsame_encoder_api::{Parameter, ParameterKind};
use serde_json::Value;
use std::collections::BTreeMap;
use tch::Tensor;

const NAMES: [&str; 6] = ["sgd", "nesterov", "adam", "adamw", "lars", "lars-clipped"];

fn config(name: &str) -> OptimizerConfig {
    OptimizerConfig {
        name: match name {
            "adam" => OptimizerName::Adam,
            "adamw" => OptimizerName::Adamw,
            "lars" | "lars-clipped" => OptimizerName::Lars,
            _ => OptimizerName::Sgd,
        },
        nesterov: name == "nesterov",
        clip_trust_ratio: name == "lars-clipped",
        betas: [0.8, 0.95],
        eps: 1e-6,
        trust_coefficient: 0.02,
        ..OptimizerConfig::default()
    }
}

/// What every step here goes by, beside its learning rate.
fn rates(lr: f64) -> Rates {
    Rates { lr, weight_decay: 0.05 }
}

fn parameter(name: &str, kind: ParameterKind, value: &Tensor) -> Parameter {
    Parameter { name: name.into(), kind, tensor: value.copy().set_requires_grad(true) }
}

/// The fixture's weight and bias, the latter under another kind where asked.
fn parameters(data: &Value, other: ParameterKind) -> Vec<Parameter> {
    vec![
        parameter("fc.weight", ParameterKind::Weight, &tensor(&data["weight"])),
        parameter("fc.other", other, &tensor(&data["bias"])),
    ]
}

fn handles(parameters: &[Parameter]) -> Vec<Tensor> {
    parameters.iter().map(|p| p.tensor.shallow_clone()).collect()
}

/// One step of the fixture: its gradients (through a backward pass, as in training) and its learning rate.
fn step(optimizer: &mut dyn Optimizer, tensors: &[Tensor], data: &Value, i: usize) {
    optimizer.zero_grad();
    let gradients = data["gradients"][i].as_array().unwrap();
    for (t, g) in tensors.iter().zip(gradients) {
        (t * tensor(g)).sum(tch::Kind::Float).backward();
    }
    optimizer.step(rates(data["rates"][i].as_f64().unwrap())).unwrap();
}

#[test]
fn five_steps_equal_pytorchs_and_the_formula_of_lars() {
    let data = fixture("optimizers");
    for name in NAMES {
        for other in [ParameterKind::Bias, ParameterKind::Norm, ParameterKind::Embedding] {
            let parameters = parameters(&data, other);
            let tensors = handles(&parameters);
            let mut optimizer = optim::create(&config(name), parameters).unwrap();
            for (i, expected) in data["traces"][name].as_array().unwrap().iter().enumerate() {
                step(optimizer.as_mut(), &tensors, &data, i);
                assert_close(&elements(&tensors[0]), &numbers(&expected[0]), 1e-6);
                assert_close(&elements(&tensors[1]), &numbers(&expected[1]), 1e-6);
            }
        }
    }
}

#[test]
fn restored_state_continues_bit_for_bit() {
    let data = fixture("optimizers");
    for name in NAMES {
        let all = parameters(&data, ParameterKind::Bias);
        let tensors = handles(&all);
        let mut straight = optim::create(&config(name), all).unwrap();
        (0..3).for_each(|i| step(straight.as_mut(), &tensors, &data, i));
        let saved: BTreeMap<_, _> = straight.state().into_iter().map(|(n, t)| (n, t.copy())).collect();

        let kinds = [("fc.weight", ParameterKind::Weight), ("fc.other", ParameterKind::Bias)];
        let all: Vec<_> = kinds.iter().zip(&tensors).map(|(&(n, k), t)| parameter(n, k, &t.detach())).collect();
        let copies = handles(&all);
        let mut resumed = optim::create(&config(name), all).unwrap();
        resumed.load_state(&saved).unwrap();
        for i in 3..5 {
            step(straight.as_mut(), &tensors, &data, i);
            step(resumed.as_mut(), &copies, &data, i);
        }
        for (a, b) in tensors.iter().zip(&copies) {
            assert_eq!(elements(a), elements(b), "{name}");
        }
    }
}

#[test]
fn a_parameter_without_a_gradient_is_left_alone() {
    let data = fixture("optimizers");
    for name in NAMES {
        let all = parameters(&data, ParameterKind::Weight);
        let tensors = handles(&all);
        let mut optimizer = optim::create(&config(name), all).unwrap();
        tensors[0].sum(tch::Kind::Float).backward();
        optimizer.step(rates(0.1)).unwrap();
        assert_ne!(elements(&tensors[0]), elements(&tensor(&data["weight"])), "{name}");
        assert_eq!(elements(&tensors[1]), elements(&tensor(&data["bias"])), "{name}");
    }
}

#[test]
fn zero_weights_and_zero_gradients_do_not_break_lars() {
    for (value, gradient, expected) in [(0.0, 2.0, -0.2), (3.0, 0.0, 3.0 - 0.1 * 0.05 * 3.0)] {
        let p = parameter("w", ParameterKind::Weight, &Tensor::from_slice(&[value as f32]));
        let handle = p.tensor.shallow_clone();
        let mut optimizer = optim::create(&config("lars"), vec![p]).unwrap();
        (&handle * gradient).sum(tch::Kind::Float).backward();
        optimizer.step(rates(0.1)).unwrap();
        assert_close(&elements(&handle), &[expected], 1e-6);
    }
}

#[test]
fn a_learning_rate_of_zero_moves_nothing() {
    let data = fixture("optimizers");
    for name in NAMES {
        let all = parameters(&data, ParameterKind::Bias);
        let tensors = handles(&all);
        let mut optimizer = optim::create(&config(name), all).unwrap();
        tensors.iter().for_each(|t| (t * 0.0).sum(tch::Kind::Float).backward());
        optimizer.step(rates(0.0)).unwrap();
        assert_eq!(elements(&tensors[0]), elements(&tensor(&data["weight"])), "{name}");
    }
}

#[test]
fn gradients_are_clipped_by_their_norm_together_as_pytorch_does() {
    let data = fixture("clipping");
    for case in data["cases"].as_array().unwrap() {
        let given = data["gradients"].as_array().unwrap();
        let zero = |g: &Value| parameter("p", ParameterKind::Weight, &tensor(g).zeros_like());
        let mut parameters: Vec<_> = given.iter().map(zero).collect();
        parameters.push(parameter("unreached", ParameterKind::Weight, &Tensor::from(1.0_f32)));
        for (p, g) in parameters.iter().zip(given) {
            (&p.tensor * tensor(g)).sum(tch::Kind::Float).backward();
        }
        let norm = optim::clip_gradients(&parameters, case["limit"].as_f64().unwrap()).unwrap();
        assert_close(&elements(&norm), &numbers(&case["norm"]), 1e-6);
        for (p, expected) in parameters.iter().zip(case["clipped"].as_array().unwrap()) {
            assert_close(&elements(&p.tensor.grad()), &numbers(expected), 1e-6);
        }
    }
    assert_eq!(elements(&optim::clip_gradients(&[], 1.0).unwrap()), [0.0]);
}

#[test]
fn an_optimiser_without_parameters_steps() {
    NAMES.iter().for_each(|name| optim::create(&config(name), Vec::new()).unwrap().step(rates(0.1)).unwrap());
}

#[test]
fn rejects_state_that_does_not_fit_and_changes_nothing() {
    let data = fixture("optimizers");
    let mut optimizer = optim::create(&config("sgd"), parameters(&data, ParameterKind::Bias)).unwrap();
    let ones = |optimizer: &dyn Optimizer| -> BTreeMap<String, Tensor> {
        optimizer.state().into_iter().map(|(n, t)| (n, t.ones_like())).collect()
    };
    let mut missing = ones(optimizer.as_ref());
    missing.remove("momentum.fc.weight");
    let mut misshapen = ones(optimizer.as_ref());
    misshapen.insert("momentum.fc.weight".into(), Tensor::from_slice(&[1.0_f32]));
    let mut unknown = ones(optimizer.as_ref());
    unknown.insert("exp_avg.fc.weight".into(), Tensor::from_slice(&[1.0_f32]));
    for (saved, said) in [
        (missing, "`momentum.fc.weight` is missing"),
        (misshapen, "`momentum.fc.weight` has shape [1], expected [3, 4]"),
        (unknown, "`exp_avg.fc.weight` is unknown"),
    ] {
        let error = optimizer.load_state(&saved).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(optimizer.state().iter().all(|(_, t)| elements(t).iter().all(|v| *v == 0.0)));
    }
}

fn schedule(warmup_epochs: f64, fraction: f64, scaling: LrScaling) -> Schedule {
    let config = SchedulerConfig { epochs: 4, warmup_epochs, final_lr_fraction: fraction };
    Schedule::new(&config, 0.4, scaling, 512, 25)
}

#[test]
fn the_schedule_equals_pytorchs_warmup_and_cosine() {
    let schedule = schedule(0.4, 0.1, LrScaling::None);
    let rates: Vec<f64> = (0..schedule.total_steps()).map(|s| schedule.lr(s)).collect();
    assert_close(&rates, &numbers(&fixture("schedule")), 1e-12);
}

#[test]
fn the_schedule_meets_its_corners() {
    let plain = schedule(0.0, 0.0, LrScaling::None);
    assert_eq!(plain.lr(0), 0.4);
    assert_close(&[plain.lr(50), plain.lr(100), plain.lr(1000)], &[0.2, 0.0, 0.0], 1e-12);
    let scaled = schedule(1.0, 0.25, LrScaling::Linear);
    assert_close(&[scaled.lr(0), scaled.lr(24), scaled.lr(25), scaled.lr(100)], &[0.8 / 25.0, 0.8, 0.8, 0.2], 1e-12);
    let only_warmup = schedule(4.0, 0.0, LrScaling::None);
    assert_close(&[only_warmup.lr(0), only_warmup.lr(99)], &[0.004, 0.4], 1e-12);
}

#[test]
fn weight_decay_goes_to_its_last_value_by_half_a_cosine() {
    let of = |last| OptimizerConfig { weight_decay: 0.04, final_weight_decay: last, ..OptimizerConfig::default() };
    let still = DecaySchedule::new(&of(None), 8);
    assert_eq!([still.at(0), still.at(5), still.at(8)], [0.04; 3]);
    let rising = DecaySchedule::new(&of(Some(0.4)), 8);
    // 0.4 − 0.36 · (1 + cos(πs/8))/2
    let expected = [0.04, 0.092_720_8, 0.22, 0.347_279_2, 0.4, 0.4];
    assert_close(&[0, 2, 4, 6, 8, 9].map(|step| rising.at(step)), &expected, 1e-6);
}

#[test]
fn each_group_learns_at_its_own_rate_and_is_restored_by_name() {
    let config = OptimizerConfig { momentum: 0.0, ..OptimizerConfig::default() };
    let start = Tensor::from_slice(&[1.0_f32]);
    let make = || {
        let [a, b] = ["a", "b"].map(|name| parameter(name, ParameterKind::Bias, &start));
        let handles = [a.tensor.shallow_clone(), b.tensor.shallow_clone()];
        let groups =
            vec![ParameterGroup::scheduled(vec![a]), ParameterGroup { parameters: vec![b], rate: Rate::Constant }];
        (Groups::new(&config, groups).unwrap(), handles)
    };
    let (mut groups, [a, b]) = make();
    (&a + &b).sum(tch::Kind::Float).backward();
    groups.step(rates(0.1), 0.5).unwrap();
    assert_close(&elements(&a), &[0.9], 1e-6);
    assert_close(&elements(&b), &[0.5], 1e-6);
    let names: Vec<_> = groups.state().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["momentum.a", "momentum.b"]);

    let saved: BTreeMap<_, _> = groups.state().into_iter().collect();
    let (mut other, _) = make();
    other.load_state(&saved).unwrap();
    assert!(other.state().iter().all(|(name, tensor)| elements(tensor) == elements(&saved[name])));
    let unknown = BTreeMap::from([("momentum.c".to_owned(), start.copy())]);
    assert!(other.load_state(&unknown).unwrap_err().to_string().contains("`momentum.c` is unknown"));
    assert!(other.load_state(&BTreeMap::new()).unwrap_err().to_string().contains("`momentum.a` is missing"));
}
