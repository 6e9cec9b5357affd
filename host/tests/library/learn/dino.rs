//! DINO's loss against its equations spelled out in float64, and what it must be.

use super::support::{assert_close, elements, fixture, leaf, numbers, tensor};
use selfsame::method::{centre_of, dino_loss};
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
        let loss = dino_loss(&student, &teacher, &centre, student_t, teacher_t).unwrap();
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
        dino_loss(&views, &[t.shallow_clone()], &no_centre(5), 0.1, 0.05).unwrap().double_value(&[])
    };
    let least = entropy(&(&t / 0.05));
    assert_close(&[loss(&agreeing)], &[least], 1e-9);
    for _ in 0..5 {
        assert!(loss(&(&agreeing + randn([6, 5]) * 0.1)) > least);
    }
}

#[test]
fn no_view_is_compared_with_itself() {
    let student = [randn([4, 3]), randn([4, 3])].map(|s| s.set_requires_grad(true));
    dino_loss(&student, &[randn([4, 3])], &no_centre(3), 0.1, 0.1).unwrap().backward();
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
    let without = dino_loss(&student, &teacher, &no_centre(6), 0.2, 0.1).unwrap();
    assert_close(&elements(&dino_loss(&student, &shifted, &shift, 0.2, 0.1).unwrap()), &elements(&without), 1e-9);
    assert!((dino_loss(&student, &shifted, &no_centre(6), 0.2, 0.1).unwrap() - without).abs().double_value(&[]) > 1e-3);
}

#[test]
fn outputs_of_any_size_stay_finite_in_float32() {
    let big = || (randn([2, 8]) * 1e4).to_kind(Kind::Float).set_requires_grad(true);
    let (student, centre) = ([big(), big()], no_centre(8).to_kind(Kind::Float));
    let loss = dino_loss(&student, &[big()], &centre, 0.1, 0.04).unwrap();
    loss.backward();
    assert!(loss.double_value(&[]).is_finite());
    assert!(elements(&student[1].grad()).iter().all(|g| g.is_finite()));
}

#[test]
fn views_that_make_no_pair_are_refused() {
    let views = |n: usize| (0..n).map(|_| randn([2, 3])).collect::<Vec<_>>();
    for (student, teacher) in [(1, 1), (2, 0), (2, 3)] {
        let error = dino_loss(&views(student), &views(teacher), &no_centre(3), 0.1, 0.1).unwrap_err().to_string();
        assert!(error.contains(&format!("not {teacher} and {student}")), "{error}");
    }
}
