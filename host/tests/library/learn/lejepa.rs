//! LeJEPA's two terms against the paper's formulas with complex numbers in float64, and what they must be.

use super::support::{assert_close, elements, fixture, leaf, numbers};
use selfsame::method::{lejepa_prediction, sigreg};
use std::f64::consts::PI;
use tch::{Kind, Tensor};

const DOUBLE: (Kind, tch::Device) = (Kind::Double, tch::Device::Cpu);

/// Random columns of length 1.
fn directions(dim: i64, count: i64) -> Tensor {
    let a = Tensor::randn([dim, count], DOUBLE);
    &a / a.norm_scalaropt_dim(2, [0], true)
}

#[test]
fn sigregs_value_and_gradient_equal_the_characteristic_functions_distance() {
    for case in fixture("lejepa")["sigreg"].as_array().unwrap() {
        let (z, directions) = (leaf(&case["z"]), leaf(&case["directions"]));
        let value = sigreg(&z, &directions).unwrap();
        value.backward();
        assert_close(&elements(&value), &numbers(&case["loss"]), 1e-9);
        assert_close(&elements(&z.grad()), &numbers(&case["gradients"]), 1e-9);
        assert!(!directions.grad().defined());
    }
}

#[test]
fn predictions_value_and_gradients_equal_the_papers_equation() {
    for case in fixture("lejepa")["prediction"].as_array().unwrap() {
        let views: Vec<Tensor> = case["views"].as_array().unwrap().iter().map(leaf).collect();
        let global = case["global"].as_u64().unwrap() as usize;
        let loss = lejepa_prediction(&views[..global], &views).unwrap();
        loss.backward();
        assert_close(&elements(&loss), &numbers(&case["loss"]), 1e-9);
        for (view, expected) in views.iter().zip(case["gradients"].as_array().unwrap()) {
            assert_close(&elements(&view.grad()), &numbers(expected), 1e-9);
        }
    }
}

#[test]
fn a_standard_normal_sample_is_near_its_expectation_whatever_its_size() {
    // E|φ̂ − φ|² = (1 − φ²)/N, so that the statistic's expectation is ∫ (1 − e^(−t²))·e^(−t²/2) dt = √(2π) − √(2π/3).
    let expected = (2.0 * PI).sqrt() - (2.0 * PI / 3.0).sqrt();
    for rows in [64, 2000] {
        let value = sigreg(&Tensor::randn([rows, 64], DOUBLE), &directions(64, 512)).unwrap().double_value(&[]);
        assert!((value - expected).abs() < 0.4, "{rows}: {value} is far from {expected}");
    }
}

#[test]
fn a_collapsed_sample_costs_what_the_integral_says() {
    // ∫ (1 − e^(−t²/2))²·e^(−t²/2) dt = √(2π) − 2√π + √(2π/3), times N.
    let expected = 50.0 * ((2.0 * PI).sqrt() - 2.0 * PI.sqrt() + (2.0 * PI / 3.0).sqrt());
    let value = sigreg(&Tensor::zeros([50, 8], DOUBLE), &directions(8, 5)).unwrap();
    assert_close(&elements(&value), &[expected], 1e-5);
}

#[test]
fn samples_that_are_not_standard_normal_cost_more() {
    let (z, directions) = (Tensor::randn([2000, 16], DOUBLE), directions(16, 256));
    let value = |z: &Tensor| sigreg(z, &directions).unwrap().double_value(&[]);
    let normal = value(&z);
    let first = z.narrow(1, 0, 1).expand_as(&z);
    let (shifted, wide, narrow) = (value(&(&z + 1.0)), value(&(&z * 2.0)), value(&(&z * 0.5)));
    for other in [shifted, wide, narrow, value(&first)] {
        assert!(other > 10.0 * normal, "{other} against {normal}");
    }
}

#[test]
fn a_step_against_the_gradient_opens_a_collapsed_sample() {
    let z = (Tensor::randn([64, 4], DOUBLE) * 0.01).set_requires_grad(true);
    let value = sigreg(&z, &directions(4, 64)).unwrap();
    value.backward();
    let stepped = z.detach() - z.grad();
    let spread = |z: &Tensor| z.std(true).double_value(&[]);
    assert!(spread(&stepped) > spread(&z.detach()));
}

#[test]
fn three_numbers_give_the_hand_worked_distance() {
    // μ = (0 + 2)/2 = 1; (1 + 1 + 9)/3.
    let views = [0.0, 2.0, 4.0].map(|v| Tensor::from_slice2(&[[v]]));
    assert_close(&elements(&lejepa_prediction(&views[..2], &views).unwrap()), &[11.0 / 3.0], 1e-12);
}

#[test]
fn moving_all_views_together_changes_no_distance() {
    // Nothing is held fixed, so that the gradients of an image's views sum to 0.
    let views = [0, 1, 2].map(|_| Tensor::randn([4, 3], DOUBLE).set_requires_grad(true));
    lejepa_prediction(&views[..2], &views).unwrap().backward();
    let sum = views.iter().map(Tensor::grad).reduce(|a, b| a + b).unwrap();
    assert_close(&elements(&sum), &[0.0; 12], 1e-12);
}

#[test]
fn no_views_are_refused() {
    let views = [Tensor::zeros([2, 3], DOUBLE)];
    assert!(lejepa_prediction(&[], &views).unwrap_err().to_string().contains("there are none"));
}
