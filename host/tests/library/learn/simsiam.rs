//! SimSiam's loss against its equation spelled out in float64, and what it must be.

use super::support::{assert_close, elements, fixture, leaf, numbers, tensor};
use selfsame::method::{byol_loss, negative_cosine};
use tch::{Kind, Tensor};

#[test]
fn value_and_gradients_equal_the_papers_equation_and_targets_get_none() {
    for case in fixture("simsiam").as_array().unwrap() {
        let [p1, p2, z1, z2] = ["p1", "p2", "z1", "z2"].map(|key| leaf(&case[key]));
        let loss = (negative_cosine(&p1, &z2).unwrap() + negative_cosine(&p2, &z1).unwrap()) * 0.5;
        loss.backward();
        assert_close(&elements(&loss), &numbers(&case["loss"]), 1e-9);
        for (p, expected) in [&p1, &p2].iter().zip(case["gradients"].as_array().unwrap()) {
            assert_close(&elements(&p.grad()), &numbers(expected), 1e-9);
        }
        assert!(!z1.grad().defined() && !z2.grad().defined());
    }
}

#[test]
fn it_goes_from_minus_1_to_1_whatever_the_lengths() {
    let p = Tensor::from_slice2(&[[3.0_f32, 0.0]]);
    for (z, expected) in [([7.0, 0.0], -1.0), ([0.0, 0.1], 0.0), ([-2.0, 0.0], 1.0)] {
        let z = Tensor::from_slice2(&[z.map(|v: f32| v)]);
        assert_close(&elements(&negative_cosine(&p, &z).unwrap()), &[expected], 1e-6);
    }
}

#[test]
fn it_is_byols_regression_up_to_scale() {
    let case = &fixture("simsiam")[2];
    let (p, z) = (tensor(&case["p1"]), tensor(&case["z2"]));
    let byol = byol_loss(&p, &z).unwrap();
    assert_close(&elements(&(negative_cosine(&p, &z).unwrap() * 2.0 + 2.0)), &elements(&byol), 1e-6);
}

#[test]
fn rows_of_zeros_give_a_finite_gradient() {
    let p = Tensor::zeros([2, 3], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
    negative_cosine(&p, &p).unwrap().backward();
    assert!(elements(&p.grad()).iter().all(|g| g.is_finite()));
}
