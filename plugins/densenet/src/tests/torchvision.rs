//! Cases compared with torchvision 0.26 on PyTorch 2.11, computed in float64.
//!
//! Weights and inputs come from [`noise`]. The numbers are elements 0, 1, 2 and the last one of each tensor:
//! ```python
//! m = torchvision.models.densenet121(); m.classifier = nn.Identity()   # and for the 3×3 stem:
//! m.features.conv0 = nn.Conv2d(c, 64, 3, 1, 1, bias=False); m.features.pool0 = nn.Identity()
//! fill(m.double()); x = noise(2 * c * size * size, 5000).view(2, c, size, size) * 3.4
//! eval = m.eval()(x); train = m.train()(x); (train * train).sum().backward()   # then m.features.conv0.weight.grad
//! ```

use super::*;
use selfsame_encoder_api::Stem;
use selfsame_encoder_tests::{assert_close, build, fill, noise, request};
use tch::Kind;

struct Case {
    name: &'static str,
    channels: usize,
    size: usize,
    stem: Stem,
    eval: [f64; 4],
    train: [f64; 4],
    conv0_gradient: [f64; 4],
    running_mean: [f64; 4],
    running_var: [f64; 4],
}

#[rustfmt::skip]
const CASES: [Case; 3] = [
    Case {
        name: "densenet121", channels: 3, size: 32, stem: Stem::Cifar,
        eval: [0.116153681, 0.176880041, 0.121091922, 1.29893319], train: [0.31894905, 0.318691483, 0.551751767, 0.53536635],
        conv0_gradient: [0.959103304, -2.40543829, 3.34229394, -5.86073344],
        running_mean: [0.0428282177, -0.0453786381, 0.0853809598, 0.0739191525], running_var: [0.607629089, 1.24911103, 1.03741539, 1.02995607],
    },
    Case {
        name: "densenet121", channels: 1, size: 64, stem: Stem::Imagenet,
        eval: [0.22852672, 0.0660082122, 0.13922437, 1.69875861], train: [1.00376616, 0.385386172, 0.00877470345, 0.640121447],
        conv0_gradient: [-11.9883614, -15.5413183, 4.92752158, 7.602522],
        running_mean: [0.0441495094, -0.0408423169, 0.0914016163, 0.0895955224], running_var: [0.615429799, 1.23759262, 1.05991141, 1.01031663],
    },
    Case {
        name: "densenet169", channels: 3, size: 32, stem: Stem::Cifar,
        eval: [2.41081096, 1.55516782, 0.012111091, 0.974211014], train: [0.605721733, 0.377291353, 0.518053736, 0.366780602],
        conv0_gradient: [-0.628888949, 18.4057828, -9.59178108, -17.7278812],
        running_mean: [0.0425605569, 0.096392258, -0.0110327713, -0.0347517308], running_var: [0.814440235, 1.16730057, 1.02066547, 0.615174876],
    },
];

#[test]
fn agrees_with_torchvision_in_both_modes_and_in_gradients_and_statistics() {
    for case in CASES {
        let image_size = (case.size, case.size);
        let stem = Some(case.stem);
        let asked = EncoderRequest { channels: case.channels, image_size, stem, ..request(case.name) };
        let encoder = build(create, &asked);
        fill(encoder.as_ref(), 24.0, |shape| shape[1] * shape[2] * shape[3]);
        let of = |what: &str| format!("{} {what}", case.name);
        let (channels, size) = (case.channels as i64, case.size as i64);
        let x = (noise(2 * case.channels * case.size * case.size, 5000) * 3.4).reshape([2, channels, size, size]);

        let embedded = encoder.forward(&x, false).unwrap();
        assert_eq!(embedded.size(), [2, encoder.feature_dim() as i64]);
        assert_close(&of("eval"), &embedded, case.eval);

        let embedded = encoder.forward(&x, true).unwrap();
        assert_close(&of("train"), &embedded, case.train);
        (&embedded * &embedded).sum(Kind::Double).backward();
        let conv0 = &encoder.parameters()[0];
        assert_eq!(conv0.name, "features.conv0.weight");
        assert_close(&of("gradient"), &conv0.tensor.grad(), case.conv0_gradient);

        let find = |end: &str| {
            let name = format!("features.norm5.{end}");
            encoder.buffers().into_iter().find(|buffer| buffer.name == name).unwrap().tensor
        };
        assert_close(&of("running_mean"), &find("running_mean"), case.running_mean);
        assert_close(&of("running_var"), &find("running_var"), case.running_var);
        assert_eq!(find("num_batches_tracked").int64_value(&[]), 1);
    }
}
