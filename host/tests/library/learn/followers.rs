//! What follows along: key encoders, queues, centres; and what a method does before its update.

use super::support::{TRAIN, assert_close, elements, method, optimizer, saved, small, update, views};
use selfsame::config::schema::MethodName;
use selfsame::method::{DinoCentring, Method, Seen, StepContext, rising_momentum};
use selfsame::model::{Rate, normalized};
use tch::{Device, Kind, Tensor};

/// The momentum at a step.
type Momentum = fn(u64) -> f64;

fn at(step: u64) -> StepContext {
    StepContext { step, ..TRAIN }
}

fn follower(method: &dyn Method, name: &str) -> Tensor {
    method.followers().into_iter().find(|buffer| buffer.name == name).unwrap().tensor.copy()
}

/// What the whole batch gave as targets.
fn targets(targets: Vec<Tensor>) -> Seen {
    Seen { projections: Vec::new(), targets }
}

#[test]
fn the_queue_holds_the_latest_keys_and_loses_the_oldest() {
    // Twelve keys a step into thirty places: the third batch takes places 24 to 29 and 0 to 5.
    let mut method = method(&small(MethodName::MocoV2, false));
    let start = follower(method.as_ref(), "queue");
    assert_eq!(start.size(), [30, 8]);
    assert_close(&elements(&start.square().sum_dim_intlist([1_i64].as_slice(), false, Kind::Float)), &[1.0; 30], 1e-5);
    let keys: Vec<_> = (0..3).map(|_| Tensor::randn([12, 8], (Kind::Float, Device::Cpu))).collect();
    for (step, keys) in keys.iter().enumerate() {
        method.after_step(&targets(vec![keys.shallow_clone()]), &at(step as u64)).unwrap();
    }
    let [first, second, third] = [0, 1, 2].map(|step| normalized(&keys[step]).unwrap());
    let expected = [third.narrow(0, 6, 6), first.narrow(0, 6, 6), second, third.narrow(0, 0, 6)];
    assert_eq!(elements(&follower(method.as_ref(), "queue")), elements(&Tensor::cat(&expected, 0)));
}

#[test]
fn a_full_queue_is_started_again_at_its_first_place() {
    let mut method = method(&small(MethodName::MocoV2, false));
    let keys = Tensor::randn([15, 8], (Kind::Float, Device::Cpu));
    let before = follower(method.as_ref(), "queue");
    method.after_step(&targets(vec![keys.shallow_clone()]), &at(2)).unwrap();
    let after = follower(method.as_ref(), "queue");
    assert_eq!(elements(&after.narrow(0, 0, 15)), elements(&normalized(&keys).unwrap()));
    assert_eq!(elements(&after.narrow(0, 15, 15)), elements(&before.narrow(0, 15, 15)));
}

#[test]
fn a_queue_below_a_batch_is_refused_by_its_key() {
    let mut config = small(MethodName::MocoV2, false);
    config.method.moco_v2.queue_size = 63;
    let refused = MethodName::MocoV2.refusals(&config.method, 64);
    assert_eq!((refused[0].key, refused[0].value.as_str()), ("method.moco_v2.queue_size", "63"));
    assert!(MethodName::MocoV2.refusals(&config.method, 63).is_empty());
}

#[test]
fn key_encoders_and_teachers_follow_by_their_momentum() {
    let momenta: [(MethodName, &str, Momentum); 3] = [
        (MethodName::MocoV2, "key", |_| 0.6),
        (MethodName::MocoV3, "key", |step| rising_momentum(0.6, &at(step))),
        (MethodName::Dino, "teacher", |step| rising_momentum(0.6, &at(step))),
    ];
    for (name, prefix, momentum) in momenta {
        let mut config = small(name, true);
        config.method.moco_v2.momentum = 0.6;
        config.method.moco_v3.momentum = 0.6;
        config.method.dino.momentum = 0.6;
        config.method.dino.freeze_last_layer_epochs = 0.0;
        let mut method = method(&config);
        let mut optimizer = optimizer(&config, method.as_ref());
        for step in [0, 30] {
            let before = saved(method.as_ref());
            optimizer.zero_grad();
            let output = method.step(&views(), &at(step)).unwrap();
            output.loss.backward();
            update(&mut optimizer, 0.05);
            method.after_step(&output.seen, &at(step)).unwrap();
            let after = saved(method.as_ref());
            for (tensor, value) in after.iter().filter(|(tensor, _)| tensor.starts_with(prefix)) {
                let source = &after[tensor.strip_prefix(prefix).unwrap().trim_start_matches('.')];
                let expected = match tensor.ends_with("count") {
                    true => source.copy(),
                    false => &before[tensor] * momentum(step) + source * (1.0 - momentum(step)),
                };
                assert!(value.allclose(&expected, 1e-5, 1e-6, false), "{name}: {tensor}");
            }
        }
    }
}

#[test]
fn the_centre_is_the_moving_average_of_the_teachers_outputs() {
    let mut config = small(MethodName::Dino, false);
    config.method.dino.centre_momentum = 0.75;
    let mut method = method(&config);
    let outputs = || Tensor::randn([12, 20], (Kind::Float, Device::Cpu));
    let (first, second) = ([outputs(), outputs()], [outputs(), outputs()]);
    let mut expected = vec![0.0; 20];
    for (step, teacher) in [&first, &second].into_iter().enumerate() {
        let mean = elements(&Tensor::cat(teacher, 0).mean_dim([0_i64].as_slice(), false, Kind::Float));
        expected.iter_mut().zip(mean).for_each(|(centre, mean)| *centre = 0.75 * *centre + 0.25 * mean);
        let seen = targets(teacher.iter().map(Tensor::shallow_clone).collect());
        method.after_step(&seen, &at(step as u64)).unwrap();
    }
    assert_close(&elements(&follower(method.as_ref(), "centre")), &expected, 1e-5);
}

#[test]
fn without_a_mean_to_take_away_the_centre_stays_as_it_was() {
    let mut config = small(MethodName::Dino, false);
    config.method.dino.centring = DinoCentring::SinkhornKnopp;
    let mut method = method(&config);
    let outputs = Tensor::randn([12, 20], (Kind::Float, Device::Cpu));
    method.after_step(&targets(vec![outputs]), &at(0)).unwrap();
    assert_close(&elements(&follower(method.as_ref(), "centre")), &[0.0; 20], 0.0);
}

#[test]
fn dinos_last_layer_rests_in_the_first_epochs_alone() {
    let mut config = small(MethodName::Dino, false);
    config.method.dino.freeze_last_layer_epochs = 1.5;
    let mut method = method(&config);
    for (step, rests) in [(0, true), (14, true), (15, false)] {
        method.step(&views(), &at(step)).unwrap().loss.backward();
        method.before_update(&at(step)).unwrap();
        let without: Vec<_> = method.parameters().into_iter().filter(|p| !p.tensor.grad().defined()).collect();
        let names: Vec<_> = without.iter().map(|parameter| parameter.name.as_str()).collect();
        // Linear, GELU, linear, GELU, linear, L2, and at place 6 the prototypes.
        assert_eq!(names, if rests { vec!["projection.6.weight_v"] } else { Vec::new() }, "step {step}");
    }
}

#[test]
fn dinos_teacher_warms_up_by_epoch() {
    let mut config = small(MethodName::Dino, false);
    let dino = &mut config.method.dino;
    (dino.warmup_teacher_temperature, dino.teacher_temperature) = (0.02, 0.06);
    dino.teacher_temperature_warmup_epochs = 2.0;
    let mut method = method(&config);
    for (step, expected) in [(0, 0.02), (5, 0.03), (10, 0.04), (20, 0.06), (59, 0.06)] {
        let output = method.step(&views(), &at(step)).unwrap();
        let (_, logged) = output.metrics.iter().find(|(name, _)| *name == "teacher_temperature").unwrap();
        assert_close(&elements(logged), &[expected], 1e-9);
    }
}

#[test]
fn simsiams_predictor_learns_at_the_peak_where_configured() {
    for (constant, rate) in [(true, Rate::Constant), (false, Rate::Scheduled)] {
        let mut config = small(MethodName::Simsiam, true);
        config.method.simsiam.constant_predictor_lr = constant;
        let groups = method(&config).parameter_groups();
        let of = |prefix: &str| groups.iter().find(|group| group.parameters[0].name.starts_with(prefix)).unwrap().rate;
        assert_eq!((of("encoder."), of("predictor.")), (Rate::Scheduled, rate));
    }
}

#[test]
fn a_normalised_projection_head_ends_in_batch_norm_without_scale_and_shift() {
    for name in [MethodName::Simsiam, MethodName::MocoV3] {
        let names: Vec<_> = method(&small(name, true)).parameters().into_iter().map(|p| p.name).collect();
        let head: Vec<_> = names.iter().filter_map(|name| name.strip_prefix("projection.")).collect();
        assert_eq!(head, ["0.weight", "1.weight", "1.bias", "3.weight", "4.weight", "4.bias", "6.weight"], "{name}");
    }
}

#[test]
fn lejepas_directions_follow_from_seed_and_step_alone() {
    let mut method = method(&small(MethodName::Lejepa, false));
    let views = views();
    let mut loss = |context: StepContext| elements(&method.step(&views, &context).unwrap().loss)[0];
    let first = loss(at(3));
    assert_ne!(loss(at(4)), first);
    assert_ne!(loss(StepContext { seed: 2, ..at(3) }), first);
    assert_eq!(loss(at(3)), first);
    let validation = |step| StepContext { train: false, ..at(step) };
    assert_eq!(loss(validation(3)), loss(validation(4)), "the validation loss is measured the same way in every epoch");
}
