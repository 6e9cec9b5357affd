//! RankMe's effective rank against singular values from elsewhere, and what it must be.

use super::support::{assert_close, elements, fixture, numbers, tensor};
use selfsame::probe::effective_rank;
use tch::{Kind, Tensor};

const DOUBLE: (Kind, tch::Device) = (Kind::Double, tch::Device::Cpu);

#[test]
fn it_equals_the_entropy_of_lapacks_singular_values() {
    for case in fixture("effective_rank")["cases"].as_array().unwrap() {
        let rank = effective_rank(&tensor(&case["features"])).unwrap();
        assert_eq!(rank.kind(), Kind::Double);
        assert_close(&elements(&rank), &numbers(&case["rank"]), 1e-6);
    }
}

#[test]
fn rows_beyond_the_first_512_are_not_looked_at() {
    let value =
        |i: usize, j: usize| (1.0 + (3 * i + 5 * j * j) as f64).sin() * if i < 512 { 1.0 } else { 100.0 * j as f64 };
    let rows: Vec<f64> = (0..600).flat_map(|i| (0..4).map(move |j| value(i, j))).collect();
    let rank = effective_rank(&Tensor::from_slice(&rows).reshape([600, 4])).unwrap();
    assert_close(&elements(&rank), &numbers(&fixture("effective_rank")["long"]), 1e-6);
}

#[test]
fn equal_directions_count_one_each_and_unequal_ones_less() {
    let rank = |lengths: &[f64]| elements(&effective_rank(&Tensor::from_slice(lengths).diag(0)).unwrap());
    assert_close(&rank(&[2.0; 5]), &[5.0], 1e-4);
    // exp of the entropy of (3/4, 1/4).
    assert_close(&rank(&[3.0, 1.0]), &[4.0 / 3.0_f64.powf(0.75)], 1e-4);
}

#[test]
fn features_on_one_line_or_at_one_point_have_rank_1() {
    let line = Tensor::randn([20, 1], DOUBLE).matmul(&Tensor::randn([1, 8], DOUBLE));
    assert_close(&elements(&effective_rank(&line).unwrap()), &[1.0], 1e-4);
    assert_close(&elements(&effective_rank(&Tensor::zeros([20, 8], DOUBLE)).unwrap()), &[1.0], 1e-4);
}

#[test]
fn the_scale_of_features_does_not_matter() {
    let z = Tensor::randn([20, 8], DOUBLE);
    let rank = elements(&effective_rank(&z).unwrap());
    assert_close(&elements(&effective_rank(&(&z * 1e-3)).unwrap()), &rank, 1e-6);
    assert!(rank[0] > 1.0 && rank[0] < 8.0);
}
