//! Batches that pass the network in pieces.

use super::support::{assert_close, elements, method, saved, small, views};
use selfsame::config::Config;
use selfsame::config::schema::MethodName;
use selfsame::method::{DinoCentring, Method, StepContext, StepOutput, Together, cached_gradient_step, loss_in_pieces};
use selfsame::model::Result;
use tch::{Tensor, no_grad};

const TRAIN: StepContext = StepContext { step: 3, ..super::support::TRAIN };

fn rows(views: &[Tensor], from: i64, rows: i64) -> Vec<Tensor> {
    views.iter().map(|view| view.narrow(0, from, rows)).collect()
}

/// The batch in pieces of these sizes.
fn in_pieces(method: &mut dyn Method, views: &[Tensor], sizes: &[i64]) -> StepOutput {
    let from = |index: usize| sizes[..index].iter().sum();
    let prepare = |index: usize| -> Result<_> { Ok(rows(views, from(index), sizes[index])) };
    cached_gradient_step(method, sizes.len(), prepare, &TRAIN, &mut Together::alone()).unwrap()
}

/// Two methods with equal weights; copied, since other tests draw from the same global generator as their initialisation.
fn twins(config: &Config) -> [Box<dyn Method>; 2] {
    let twins = [method(config), method(config)];
    no_grad(|| {
        for (p, mut q) in twins[0].parameters().into_iter().zip(twins[1].parameters()) {
            q.tensor.copy_(&p.tensor);
        }
        for (b, mut c) in twins[0].buffers().into_iter().zip(twins[1].buffers()) {
            c.tensor.copy_(&b.tensor);
        }
    });
    twins
}

#[test]
fn without_batch_norm_loss_and_gradients_are_those_of_the_whole_batch() {
    let mut balanced = small(MethodName::Dino, false);
    balanced.method.dino.centring = DinoCentring::SinkhornKnopp;
    for config in MethodName::ALL.map(|name| small(name, false)).iter().chain([&balanced]) {
        let (name, views) = (config.train.self_supervision.method, views());
        for sizes in [&[4_i64, 4, 4][..], &[6, 6], &[5, 4, 3], &[12]] {
            let [mut whole, mut pieces] = twins(config);
            let expected = whole.step(&views, &TRAIN).unwrap();
            expected.loss.backward();
            let found = in_pieces(pieces.as_mut(), &views, sizes);
            assert!((&found.loss - &expected.loss).abs().double_value(&[]) < 1e-5, "{name}");
            for (p, q) in whole.parameters().iter().zip(pieces.parameters()) {
                let difference = (p.tensor.grad() - q.tensor.grad()).abs().max().double_value(&[]);
                let scale = p.tensor.grad().abs().max().double_value(&[]).max(1.0);
                assert!(difference <= 1e-6 * scale, "{name}, {}: {difference}", p.name);
            }
            assert!(
                found.features.allclose(&expected.features, 1e-5, 1e-6, false),
                "{name}: in the order of the views"
            );
            assert_eq!(found.metrics.len(), expected.metrics.len());
            whole.after_step(&expected.seen, &TRAIN).unwrap();
            pieces.after_step(&found.seen, &TRAIN).unwrap();
            for (a, b) in whole.followers().iter().zip(pieces.followers()) {
                assert!(a.tensor.allclose(&b.tensor, 1e-5, 1e-6, false), "{name}, {}: follows the whole batch", a.name);
            }
        }
    }
}

#[test]
fn running_statistics_move_once_for_each_piece() {
    for name in MethodName::ALL {
        let views = views();
        let [mut once, mut pieces] = twins(&small(name, true));
        for from in [0, 6] {
            no_grad(|| once.outputs(&rows(&views, from, 6), &TRAIN).unwrap());
        }
        in_pieces(pieces.as_mut(), &views, &[6, 6]);
        assert_eq!(saved(once.as_ref()), saved(pieces.as_ref()), "{name}");
    }
}

#[test]
fn the_validation_loss_in_pieces_is_that_of_the_whole_batch_and_leaves_no_trace() {
    let context = StepContext { train: false, ..TRAIN };
    for name in MethodName::ALL {
        let views = views();
        let mut method = method(&small(name, true));
        let before = saved(method.as_ref());
        let whole = method.step(&views, &context).unwrap().loss;
        let pieces = |index: usize| -> Result<_> { Ok(rows(&views, 5 * index as i64, [5, 5, 2][index])) };
        let loss = loss_in_pieces(method.as_mut(), 3, pieces, &context, &Together::alone()).unwrap();
        assert!(!loss.requires_grad());
        assert_close(&elements(&loss), &elements(&whole), 1e-5);
        assert_eq!(saved(method.as_ref()), before, "{name}");
    }
}
