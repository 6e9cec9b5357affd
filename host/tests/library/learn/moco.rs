//! InfoNCE with a queue and over a batch against its equations spelled out in float64, and hand-worked cases.

use super::support::{assert_close, elements, fixture, leaf, numbers, tensor};
use selfsame::method::{batch_loss, queue_loss};
use tch::{Kind, Tensor};

#[test]
fn mocos_value_and_gradient_equal_the_papers_equation_and_keys_get_none() {
    for case in fixture("moco")["queue"].as_array().unwrap() {
        let [queries, keys, queue] = ["queries", "keys", "queue"].map(|key| leaf(&case[key]));
        let loss = queue_loss(&queries, &keys, &queue, case["temperature"].as_f64().unwrap()).unwrap();
        loss.backward();
        assert_close(&elements(&loss), &numbers(&case["loss"]), 1e-9);
        assert_close(&elements(&queries.grad()), &numbers(&case["gradients"]), 1e-9);
        assert!(!keys.grad().defined() && !queue.grad().defined());
    }
}

#[test]
fn moco_v3s_value_and_gradient_equal_the_papers_algorithm_and_keys_get_none() {
    for case in fixture("moco")["batch"].as_array().unwrap() {
        let [queries, keys] = ["queries", "keys"].map(|key| leaf(&case[key]));
        let loss = batch_loss(&queries, &keys, case["temperature"].as_f64().unwrap()).unwrap();
        loss.backward();
        assert_close(&elements(&loss), &numbers(&case["loss"]), 1e-9);
        assert_close(&elements(&queries.grad()), &numbers(&case["gradients"]), 1e-9);
        assert!(!keys.grad().defined());
    }
}

#[test]
fn an_orthogonal_queue_gives_the_hand_worked_value() {
    // s = 1 for the key and 0 for each of two old keys: the loss is −ln( e^(1/τ) / (e^(1/τ) + 2) ).
    let query = Tensor::from_slice2(&[[2.0_f32, 0.0, 0.0]]);
    let queue = Tensor::from_slice2(&[[0.0_f32, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    let loss = queue_loss(&query, &(&query * 3.0), &queue, 0.5).unwrap();
    assert_close(&elements(&loss), &[(2.0 * (-2.0_f64).exp()).ln_1p()], 1e-6);
}

#[test]
fn with_an_empty_queue_there_is_nothing_to_tell_a_key_from() {
    let case = &fixture("moco")["queue"][2];
    let (queries, keys) = (tensor(&case["queries"]), tensor(&case["keys"]));
    let queue = Tensor::zeros([0, 5], (Kind::Float, tch::Device::Cpu));
    assert_close(&elements(&queue_loss(&queries, &keys, &queue, 0.07).unwrap()), &[0.0], 1e-6);
}

#[test]
fn two_orthogonal_images_give_moco_v3_the_hand_worked_value() {
    // s = 1 for the key and 0 for the other image's: 2τ · ln(1 + e^(−1/τ)).
    let z = Tensor::from_slice2(&[[1.0_f32, 0.0], [0.0, 3.0]]);
    assert_close(&elements(&batch_loss(&z, &z, 0.5).unwrap()), &[(-2.0_f64).exp().ln_1p()], 1e-6);
}

#[test]
fn queries_that_are_all_alike_can_only_guess() {
    let z = Tensor::ones([8, 3], (Kind::Float, tch::Device::Cpu));
    assert_close(&elements(&batch_loss(&z, &z, 0.2).unwrap()), &[0.4 * 8.0_f64.ln()], 1e-6);
}

#[test]
fn lengths_of_queries_and_keys_do_not_matter() {
    let case = &fixture("moco")["queue"][2];
    let [queries, keys, queue] = ["queries", "keys", "queue"].map(|key| tensor(&case[key]));
    let (long, short) = (&queries * 50.0, &keys * 0.02);
    let found = queue_loss(&long, &short, &queue, 0.2).unwrap();
    assert_close(&elements(&found), &elements(&queue_loss(&queries, &keys, &queue, 0.2).unwrap()), 1e-5);
    let found = batch_loss(&long, &short, 0.2).unwrap();
    assert_close(&elements(&found), &elements(&batch_loss(&queries, &keys, 0.2).unwrap()), 1e-5);
}
