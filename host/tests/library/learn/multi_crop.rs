//! Views of several sizes: two global ones, and two local ones of half the side.

use super::support::{TRAIN, elements, saved, small};
use selfsame::config::Config;
use selfsame::config::schema::MethodName;
use selfsame::method::{Method, Together, cached_gradient_step};
use selfsame::model::{BatchNorm1d, Layer, Linear, Network, Result, prefix_buffers, prefix_parameters};
use selfsame_encoder_api::{Buffer, Encoder, Parameter};
use tch::{Device, Kind, Tensor, no_grad};

const METHODS: [MethodName; 2] = [MethodName::Dino, MethodName::Lejepa];

/// The mean colour of an image of any size, linearly, to an embedding of length 6; with a counter of the batch norm's moves.
struct MeanColour {
    linear: Linear,
    norm: Option<BatchNorm1d>,
    count: Tensor,
}

impl Encoder for MeanColour {
    fn forward(&self, x: &Tensor, train: bool) -> selfsame_encoder_api::Result<Tensor> {
        let colour = x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float);
        let x = self.linear.forward(&colour).unwrap();
        if train {
            let _ = self.count.shallow_clone().f_add_scalar_(1).unwrap();
        }
        Ok(self.norm.as_ref().map_or(x.shallow_clone(), |norm| norm.forward(&x, train).unwrap()))
    }

    fn feature_dim(&self) -> usize {
        6
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = self.linear.parameters();
        parameters.extend(self.norm.iter().flat_map(|norm| prefix_parameters("norm", norm.parameters())));
        parameters
    }

    fn buffers(&self) -> Vec<Buffer> {
        let mut buffers = vec![Buffer { name: "count".into(), tensor: self.count.shallow_clone() }];
        buffers.extend(self.norm.iter().flat_map(|norm| prefix_buffers("norm", norm.buffers())));
        buffers
    }
}

fn encoder(batch_norm: bool) -> Box<dyn Encoder> {
    let linear = Linear::new(3, 6, Device::Cpu).unwrap();
    let norm = batch_norm.then(|| BatchNorm1d::new(6, Device::Cpu).unwrap());
    Box::new(MeanColour { linear, norm, count: Tensor::from(0_i64) })
}

fn method(config: &Config) -> Box<dyn Method> {
    let batch_norm = config.method.projection.batch_norm;
    let encoder = || -> Result<Box<dyn Encoder>> { Ok(encoder(batch_norm)) };
    config.train.self_supervision.method.create(&config.method, &encoder, Device::Cpu).unwrap()
}

fn views() -> Vec<Tensor> {
    [8, 8, 4, 4].map(|side| Tensor::randn([12, 3, side, side], (Kind::Float, Device::Cpu))).into()
}

#[test]
fn views_that_pass_together_come_out_as_if_each_passed_alone() {
    let network = Network::new(encoder(false), &[Layer::Linear(5)], Device::Cpu).unwrap();
    let views = views();
    let together = network.forward_together(&views, true, None).unwrap();
    assert_eq!(together.len(), 4);
    for (view, (h, z)) in views.iter().zip(&together) {
        let (alone_h, alone_z) = network.forward(view, true, None).unwrap();
        assert!(h.allclose(&alone_h, 1e-5, 1e-6, false) && z.allclose(&alone_z, 1e-5, 1e-6, false));
    }
}

#[test]
fn views_of_one_size_are_normalised_together() {
    for name in METHODS {
        let mut method = method(&small(name, true));
        no_grad(|| method.outputs(&views(), &TRAIN).unwrap());
        assert_eq!(elements(&saved(method.as_ref())["encoder.count"]), [2.0], "{name}: one pass a size");
    }
}

#[test]
fn the_student_sees_all_views_and_teacher_and_head_the_global_ones() {
    for (name, prototypes, targets) in [(MethodName::Dino, 20, 2), (MethodName::Lejepa, 8, 0)] {
        let mut method = method(&small(name, false));
        let views = views();
        let output = method.step(&views, &TRAIN).unwrap();
        let sizes: Vec<_> = output.seen.projections.iter().map(Tensor::size).collect();
        assert_eq!(sizes, vec![vec![12, prototypes]; 4], "{name}");
        assert_eq!(output.seen.targets.len(), targets, "{name}");
        let global = no_grad(|| method.encoder().forward(&Tensor::cat(&views[..2], 0), false).unwrap());
        assert!(output.features.allclose(&global, 1e-5, 1e-6, false), "{name}");
    }
}

#[test]
fn in_pieces_loss_and_gradients_are_those_of_the_whole_batch() {
    for name in METHODS {
        let config = small(name, false);
        let [mut whole, mut pieces] = [method(&config), method(&config)];
        no_grad(|| {
            let from = whole.parameters().into_iter().map(|p| p.tensor);
            let from = from.chain(whole.buffers().into_iter().map(|b| b.tensor));
            let into = pieces.parameters().into_iter().map(|p| p.tensor);
            let into = into.chain(pieces.buffers().into_iter().map(|b| b.tensor));
            from.zip(into).for_each(|(from, mut into)| into.copy_(&from));
        });
        let views = views();
        let expected = whole.step(&views, &TRAIN).unwrap();
        expected.loss.backward();
        let piece =
            |index: usize| -> Result<_> { Ok(views.iter().map(|view| view.narrow(0, 4 * index as i64, 4)).collect()) };
        let found = cached_gradient_step(pieces.as_mut(), 3, piece, &TRAIN, &mut Together::alone()).unwrap();
        assert!(found.loss.allclose(&expected.loss, 1e-5, 1e-5, false), "{name}");
        assert!(found.features.allclose(&expected.features, 1e-5, 1e-6, false), "{name}");
        for (p, q) in whole.parameters().iter().zip(pieces.parameters()) {
            assert!(p.tensor.grad().allclose(&q.tensor.grad(), 1e-4, 1e-5, false), "{name}, {}", p.name);
        }
    }
}
