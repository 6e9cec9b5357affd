//! DINO's loss against its equations spelled out in float64, and what it must be.

use super::support::{assert_close, elements, fixture, leaf, numbers, tensor};
use selfsame::method::{centre_of, centred, dino_loss, sinkhorn_knopp};
use serde_json::Value;
use tch::{Kind, Tensor};

fn leaves(views: &Value) -> Vec<Tensor> {
    views.as_array().unwrap().iter().map(leaf).collect()
}

fn randn(shape: [i64; 2]) -> Tensor {
    Tensor::randn(shape, (Kind::Double, tch::Device::Cpu))
}

fn no_centre(dim: i64) -> Tensor {
    Tensor::zeros([dim], (Kind::Double, tch::Device::Cpu))
}

/// The loss with targets by the centre.
fn centred_loss(student: &[Tensor], teacher: &[Tensor], centre: &Tensor, temperatures: [f64; 2]) -> Tensor {
    dino_loss(student, &centred(teacher, centre, temperatures[1]).unwrap(), temperatures[0]).unwrap()
}

/// The mean entropy of the rows' softmax.
fn entropy(logits: &Tensor) -> f64 {
    let p = logits.softmax(-1, None);
    -(&p * p.log()).sum_dim_intlist(-1, false, None).mean(None).double_value(&[])
}

#[test]
fn value_and_gradients_equal_the_papers_equations_and_the_teacher_gets_none() {
    for case in fixture("dino").as_array().unwrap() {
        let (student, teacher, centre) = (leaves(&case["student"]), leaves(&case["teacher"]), leaf(&case["centre"]));
        let temperature = |key: &str| case[key].as_f64().unwrap();
        let (student_t, teacher_t) = (temperature("student_temperature"), temperature("teacher_temperature"));
        let loss = centred_loss(&student, &teacher, &centre, [student_t, teacher_t]);
        loss.backward();
        assert_close(&elements(&loss), &numbers(&case["loss"]), 1e-9);
        for (view, expected) in student.iter().zip(case["gradients"].as_array().unwrap()) {
            assert_close(&elements(&view.grad()), &numbers(expected), 1e-9);
        }
        assert!(teacher.iter().chain([&centre]).all(|t| !t.grad().defined()));
    }
}

#[test]
fn the_batchs_centre_is_the_mean_over_images_and_views() {
    for case in fixture("dino").as_array().unwrap() {
        let centre = centre_of(&leaves(&case["teacher"])).unwrap();
        assert!(!centre.requires_grad());
        assert_close(&elements(&centre), &numbers(&case["batch_centre"]), 1e-12);
    }
}

#[test]
fn a_student_that_agrees_with_the_teacher_is_left_with_the_teachers_entropy() {
    let t = randn([6, 5]) * 0.1;
    // Student and teacher have temperatures 0.1 and 0.05.
    let agreeing = &t * 2.0;
    let loss = |s: &Tensor| {
        let views = [s.shallow_clone(), s.shallow_clone(), s.shallow_clone()];
        centred_loss(&views, &[t.shallow_clone()], &no_centre(5), [0.1, 0.05]).double_value(&[])
    };
    let least = entropy(&(&t / 0.05));
    assert_close(&[loss(&agreeing)], &[least], 1e-9);
    for _ in 0..5 {
        assert!(loss(&(&agreeing + randn([6, 5]) * 0.1)) > least);
    }
}

#[test]
fn sinkhorn_and_knopps_targets_equal_the_plain_algorithms_in_every_view() {
    for case in fixture("dino").as_array().unwrap() {
        let teacher = leaves(&case["teacher"]);
        let targets = sinkhorn_knopp(&teacher, case["teacher_temperature"].as_f64().unwrap()).unwrap();
        assert_eq!(targets.len(), teacher.len());
        assert!(targets.iter().zip(&teacher).all(|(p, t)| !p.requires_grad() && p.size() == t.size()));
        let all: Vec<f64> = targets.iter().flat_map(elements).collect();
        assert_close(&all, &numbers(&case["sinkhorn_knopp"]), 1e-9);
    }
}

/// Where the teacher gives every image nearly one output, a mean that lags lets all of them fall to one prototype.
#[test]
fn every_prototype_keeps_its_share_of_the_batch_whatever_the_outputs_share() {
    let shared = Tensor::from_slice(&[5.0, -3.0, 0.0, 1.0]);
    let teacher = [0, 1].map(|_| randn([64, 4]) * 0.1 + &shared);
    let share = |targets: &[Tensor]| elements(&Tensor::cat(targets, 0).mean_dim(0, false, None));
    assert!(share(&centred(&teacher, &no_centre(4), 0.1).unwrap())[0] > 0.99);
    for share in share(&sinkhorn_knopp(&teacher, 0.1).unwrap()) {
        assert!((share - 0.25).abs() < 0.02, "{share}");
    }
}

#[test]
fn no_view_is_compared_with_itself() {
    let student = [randn([4, 3]), randn([4, 3])].map(|s| s.set_requires_grad(true));
    centred_loss(&student, &[randn([4, 3])], &no_centre(3), [0.1, 0.1]).backward();
    let length = |s: &Tensor| s.grad().norm().double_value(&[]);
    assert_close(&[length(&student[0])], &[0.0], 1e-12);
    assert!(length(&student[1]) > 1e-3);
}

#[test]
fn the_centre_moves_the_teachers_outputs_alone() {
    let case = &fixture("dino")[1];
    let (student, teacher) = (leaves(&case["student"]), leaves(&case["teacher"]));
    let shift = tensor(&case["centre"]).to_kind(Kind::Double);
    let shifted: Vec<Tensor> = teacher.iter().map(|t| t + &shift).collect();
    let loss = |teacher: &[Tensor], centre: &Tensor| centred_loss(&student, teacher, centre, [0.2, 0.1]);
    let without = loss(&teacher, &no_centre(6));
    assert_close(&elements(&loss(&shifted, &shift)), &elements(&without), 1e-9);
    assert!((loss(&shifted, &no_centre(6)) - without).abs().double_value(&[]) > 1e-3);
}

#[test]
fn outputs_of_any_size_stay_finite_in_float32() {
    let big = || (randn([2, 8]) * 1e4).to_kind(Kind::Float).set_requires_grad(true);
    let (teacher, centre) = ([big()], no_centre(8).to_kind(Kind::Float));
    for targets in [centred(&teacher, &centre, 0.04).unwrap(), sinkhorn_knopp(&teacher, 0.04).unwrap()] {
        let student = [big(), big()];
        let loss = dino_loss(&student, &targets, 0.1).unwrap();
        loss.backward();
        assert!(loss.double_value(&[]).is_finite());
        assert!(elements(&student[1].grad()).iter().all(|g| g.is_finite()));
    }
}

#[test]
fn views_that_make_no_pair_are_refused() {
    let views = |n: usize| (0..n).map(|_| randn([2, 3])).collect::<Vec<_>>();
    for (student, teacher) in [(1, 1), (2, 0), (2, 3)] {
        let error = dino_loss(&views(student), &views(teacher), 0.1).unwrap_err().to_string();
        assert!(error.contains(&format!("not {teacher} and {student}")), "{error}");
    }
}
