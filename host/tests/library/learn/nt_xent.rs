use super::support::{assert_close, elements, fixture, numbers, tensor};
use selfsame::method::nt_xent;
use tch::{Kind, Tensor};

#[test]
fn value_and_gradient_equal_pytorchs_cross_entropy() {
    for case in fixture("nt_xent").as_array().unwrap() {
        let z = tensor(&case["z"]).set_requires_grad(true);
        let loss = nt_xent(&z, case["temperature"].as_f64().unwrap()).unwrap();
        loss.backward();
        assert_close(&elements(&loss), &numbers(&case["loss"]), 1e-5);
        assert_close(&elements(&z.grad()), &numbers(&case["gradient"]), 1e-4);
    }
}

#[test]
fn two_orthogonal_images_give_the_hand_worked_value() {
    // Both views of image 1 are (1, 0), of image 2 (0, 1): s = 1 for the positive and 0 for both negatives of a row,
    // so each row's loss is ln(e^(1/τ) + 2) − 1/τ.
    let z = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 3.0, 2.0, 0.0, 0.0, 1.0]).reshape([4, 2]);
    let loss = nt_xent(&z, 0.5).unwrap().double_value(&[]);
    assert_close(&[loss], &[(2.0_f64.exp() + 2.0).ln() - 2.0], 1e-6);
}

#[test]
fn one_image_has_nothing_to_be_told_apart_from() {
    // The only other row is the positive. Were a row its own negative, the loss would be above ln 2.
    let z = Tensor::from_slice(&[1.0_f32, 0.5, -1.0, 2.0]).reshape([2, 2]);
    assert_close(&elements(&nt_xent(&z, 0.1).unwrap()), &[0.0], 1e-6);
}

#[test]
fn lengths_of_projections_do_not_matter() {
    let z = tensor(&fixture("nt_xent")[1]["z"]);
    let scaled = &z * Tensor::arange_start(1, 9, (Kind::Float, z.device())).unsqueeze(1);
    assert_close(&elements(&nt_xent(&scaled, 0.2).unwrap()), &elements(&nt_xent(&z, 0.2).unwrap()), 1e-5);
}

#[test]
fn swapping_the_views_changes_nothing() {
    let z = tensor(&fixture("nt_xent")[1]["z"]);
    let swapped = z.roll([4], [0]);
    assert_close(&elements(&nt_xent(&swapped, 0.2).unwrap()), &elements(&nt_xent(&z, 0.2).unwrap()), 1e-6);
}

#[test]
fn bfloat16_and_a_tiny_temperature_stay_finite_in_float32() {
    let z = tensor(&fixture("nt_xent")[2]["z"]) * 1e4;
    let z = z.to_kind(Kind::BFloat16).set_requires_grad(true);
    let loss = nt_xent(&z, 0.001).unwrap();
    loss.backward();
    assert_eq!(loss.kind(), Kind::Float);
    assert!(loss.double_value(&[]).is_finite());
    assert!(elements(&z.grad()).iter().all(|g| g.is_finite()));
}

#[test]
fn rows_of_zeros_give_a_finite_gradient() {
    let z = Tensor::zeros([4, 3], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
    let loss = nt_xent(&z, 0.5).unwrap();
    loss.backward();
    assert_close(&elements(&loss), &[3.0_f64.ln()], 1e-6);
    assert!(elements(&z.grad()).iter().all(|g| g.is_finite()));
}

#[test]
fn rejects_an_odd_number_of_rows() {
    let z = Tensor::zeros([3, 2], (Kind::Float, tch::Device::Cpu));
    assert!(nt_xent(&z, 0.5).unwrap_err().to_string().contains("not 3"));
}
