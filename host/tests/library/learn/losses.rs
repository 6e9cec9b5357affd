//! Barlow Twins, VICReg and BYOL's regression against PyTorch in float64, written from the papers' equations.

use super::support::{TRAIN, assert_close, elements, fixture, leaf, numbers, small, tensor};
use selfsame::config::schema::MethodName;
use selfsame::method::{Method, barlow_twins_loss, byol_loss, vicreg_terms};
use serde_json::Value;
use tch::Tensor;

/// Checks a loss and its gradients against a fixture's; the arithmetic is float64 here, as there.
fn check(name: &str, loss: impl Fn(&Tensor, &Tensor) -> Tensor) {
    for case in fixture("losses").as_array().unwrap() {
        let (z1, z2) = (leaf(&case["z1"]), leaf(&case["z2"]));
        let value = loss(&z1, &z2);
        value.backward();
        assert_close(&elements(&value), &numbers(&case[name]["loss"]), 1e-9);
        for (z, expected) in [z1, z2].iter().zip(case[name]["gradients"].as_array().unwrap()) {
            assert_close(&elements(&z.grad()), &numbers(expected), 1e-9);
        }
    }
}

#[test]
fn byols_value_and_gradient_equal_the_distance_of_unit_vectors() {
    check("byol", |q, t| byol_loss(q, &t.detach()).unwrap());
}

#[test]
fn barlow_twins_value_and_gradients_equal_pytorchs() {
    check("barlow_twins", |a, b| barlow_twins_loss(a, b, 0.005).unwrap());
}

#[test]
fn vicregs_value_and_gradients_equal_pytorchs() {
    check("vicreg", |a, b| {
        let [invariance, variance, covariance] = vicreg_terms(a, b).unwrap();
        invariance * 25.0 + variance * 25.0 + covariance
    });
}

#[test]
fn vicregs_terms_equal_pytorchs() {
    for case in fixture("losses").as_array().unwrap() {
        let terms = vicreg_terms(&tensor(&case["z1"]), &tensor(&case["z2"])).unwrap();
        let found: Vec<f64> = terms.iter().flat_map(elements).collect();
        assert_close(&found, &numbers(&case["vicreg"]["terms"]), 1e-5);
    }
}

#[test]
fn byols_regression_goes_from_0_to_4_whatever_the_lengths() {
    let q = Tensor::from_slice2(&[[3.0_f32, 0.0]]);
    for (t, expected) in [([7.0, 0.0], 0.0), ([0.0, 0.1], 2.0), ([-2.0, 0.0], 4.0)] {
        let t = Tensor::from_slice2(&[t.map(|v: f32| v)]);
        assert_close(&elements(&byol_loss(&q, &t).unwrap()), &[expected], 1e-6);
    }
}

#[test]
fn equal_uncorrelated_columns_cost_barlow_twins_nothing() {
    // Columns (1, 1, −1, −1) and (1, −1, 1, −1) have correlation 0 with each other and 1 with themselves.
    let z = Tensor::from_slice2(&[[1.0_f64, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]);
    assert_close(&elements(&barlow_twins_loss(&z, &z, 0.5).unwrap()), &[0.0], 1e-8);
    // Against its negative the diagonal is −1: (1 + 1)² for each of two columns.
    assert_close(&elements(&barlow_twins_loss(&z, &-&z, 0.5).unwrap()), &[8.0], 1e-3);
}

#[test]
fn methods_weigh_their_terms_as_configured() {
    let case: &Value = &fixture("losses")[1];
    let pair = [tensor(&case["z1"]), tensor(&case["z2"])];
    let loss = |method: &dyn Method| elements(&method.loss(&pair, &[], &TRAIN).unwrap().value)[0];

    let mut config = small(MethodName::BarlowTwins, false);
    assert_close(&[loss(super::support::method(&config).as_ref())], &numbers(&case["barlow_twins"]["loss"]), 1e-5);
    config.method.barlow_twins.loss_scale = 0.1;
    let expected = numbers(&case["barlow_twins"]["loss"])[0] * 0.1;
    assert_close(&[loss(super::support::method(&config).as_ref())], &[expected], 1e-5);

    let mut config = small(MethodName::Vicreg, false);
    assert_close(&[loss(super::support::method(&config).as_ref())], &numbers(&case["vicreg"]["loss"]), 1e-5);
    (config.method.vicreg.invariance, config.method.vicreg.variance, config.method.vicreg.covariance) = (2.0, 3.0, 5.0);
    let terms = numbers(&case["vicreg"]["terms"]);
    let expected = 2.0 * terms[0] + 3.0 * terms[1] + 5.0 * terms[2];
    assert_close(&[loss(super::support::method(&config).as_ref())], &[expected], 1e-5);
}
