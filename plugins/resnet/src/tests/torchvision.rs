//! Cases compared with torchvision 0.26 on PyTorch 2.11, computed in float64.
//!
//! Weights and inputs come from [`noise`]. The numbers are elements 0, 1, 2 and the last one of each tensor:
//! ```python
//! m = torchvision.models.resnet18(); m.fc = nn.Identity()   # and for the 3×3 stem:
//! m.conv1 = nn.Conv2d(c, 64, 3, 1, 1, bias=False); m.maxpool = nn.Identity()
//! fill(m.double()); x = noise(2 * c * size * size, 5000).view(2, c, size, size) * 3.4
//! eval = m.eval()(x); train = m.train()(x); (train * train).sum().backward()   # then m.conv1.weight.grad
//! ```
//! `resnet8` and `resnet20` are torchvision's `BasicBlock` stacked as in the paper.

use super::*;
use selfsame_encoder_tests::{assert_close, build, fill, noise, request};
use tch::Kind;

struct Case {
    name: &'static str,
    channels: usize,
    size: usize,
    eval: [f64; 4],
    train: [f64; 4],
    conv1_gradient: [f64; 4],
    last_norm: &'static str,
    running_mean: [f64; 4],
    running_var: [f64; 4],
}

#[rustfmt::skip]
const CASES: [Case; 7] = [
    Case {
        name: "resnet18", channels: 3, size: 96,
        eval: [1.09938092, 0.51787896, 1.40077264, 4.29127087], train: [1.2832353, 0.858560869, 0.426010037, 0.63234667],
        conv1_gradient: [8.22751357, -9.07769039, -35.6209471, -41.364964],
        last_norm: "layer4.1.bn2",
        running_mean: [0.00160501491, 0.0456143031, 0.0217249853, 0.00684875762], running_var: [0.594097072, 0.860876696, 1.15154563, 0.67528392],
    },
    Case {
        name: "resnet18", channels: 1, size: 32,
        eval: [0.460217655, 0.490412049, 0.431648141, 3.14137451], train: [1.12163686, 0.51826703, 0.31962434, 0.77885481],
        conv1_gradient: [-41.0432249, -38.478992, 4.39470443, 23.3930363],
        last_norm: "layer4.1.bn2",
        running_mean: [0.00561712834, 0.042952896, 0.0293747108, 0.00728803194], running_var: [0.587852877, 0.866709708, 1.18951319, 0.728656098],
    },
    Case {
        name: "resnet34", channels: 3, size: 32,
        eval: [42.3075968, 35.7360897, 31.6079637, 35.8568243], train: [1.23827449, 0.98524529, 1.17142367, 0.772439071],
        conv1_gradient: [88.3039569, -94.0501698, -55.8946031, -179.359762],
        last_norm: "layer4.2.bn2",
        running_mean: [0.024908304, -0.0330865749, 0.0728087385, -0.0405424932], running_var: [0.634852985, 1.0427431, 0.843523835, 1.02427366],
    },
    Case {
        name: "resnet50", channels: 3, size: 32,
        eval: [41.593618, 7.93589222, 0.289110102, 36.1581674], train: [0.979511685, 1.87132917, 1.4057264, 1.05250557],
        conv1_gradient: [2737.75718, 312.00089, -485.962237, 1701.42341],
        last_norm: "layer4.2.bn3",
        running_mean: [0.0385883885, -0.0435606777, -0.0241870172, 0.0575009683], running_var: [0.801837555, 0.500695114, 0.682273687, 0.961670633],
    },
    Case {
        name: "resnet101", channels: 3, size: 96,
        eval: [11658.7285, 502446.655, 304838.337, 6360.9683], train: [1.72091368, 0.708925022, 0.608816117, 1.08995062],
        conv1_gradient: [-4733.58355, -23985.9713, 21227.1755, 14980.585],
        last_norm: "layer4.2.bn3",
        running_mean: [-0.0533048149, 0.0580398123, 0.0956876015, 0.080729642], running_var: [1.02739445, 1.13380469, 0.881092203, 0.921779423],
    },
    Case {
        name: "resnet8", channels: 3, size: 32,
        eval: [0.340917438, 0.0469365314, 0.0423337633, 0.582137414], train: [0.509384148, 0.664509307, 0.446647397, 0.490821759],
        conv1_gradient: [-0.802547929, -0.593110882, 0.401968182, 0.00549654334],
        last_norm: "layer3.0.downsample.1",
        running_mean: [0.0685244525, -0.10278031, -0.0750214402, 0.0206374885], running_var: [0.588697593, 1.31285209, 0.764118668, 1.25383154],
    },
    Case {
        name: "resnet20", channels: 3, size: 32,
        eval: [14.2343537, 7.31322665, 0.486151473, 7.17595331], train: [1.10671685, 1.2444709, 0.828682143, 1.14180899],
        conv1_gradient: [-13.9162757, 2.39734415, -2.21244059, -0.0940074147],
        last_norm: "layer3.2.bn2",
        running_mean: [0.0429384337, 0.0360867931, -0.0769561475, -0.0415575107], running_var: [1.07152903, 1.05130236, 0.508745633, 1.10104348],
    },
];

#[test]
fn agrees_with_torchvision_in_both_modes_and_in_gradients_and_statistics() {
    for case in CASES {
        let asked =
            EncoderRequest { channels: case.channels, image_size: (case.size, case.size), ..request(case.name) };
        let encoder = build(create, &asked);
        fill(encoder.as_ref(), 24.0, |shape| shape[0] * shape[2] * shape[3]);
        let of = |what: &str| format!("{} {what}", case.name);
        let (channels, size) = (case.channels as i64, case.size as i64);
        let x = (noise(2 * case.channels * case.size * case.size, 5000) * 3.4).reshape([2, channels, size, size]);

        let embedded = encoder.forward(&x, false).unwrap();
        assert_eq!(embedded.size(), [2, encoder.feature_dim() as i64]);
        assert_close(&of("eval"), &embedded, case.eval);

        let embedded = encoder.forward(&x, true).unwrap();
        assert_close(&of("train"), &embedded, case.train);
        (&embedded * &embedded).sum(Kind::Double).backward();
        let conv1 = &encoder.parameters()[0];
        assert_eq!(conv1.name, "conv1.weight");
        assert_close(&of("gradient"), &conv1.tensor.grad(), case.conv1_gradient);

        let find = |end: &str| {
            let name = format!("{}.{end}", case.last_norm);
            encoder.buffers().into_iter().find(|buffer| buffer.name == name).unwrap().tensor
        };
        assert_close(&of("running_mean"), &find("running_mean"), case.running_mean);
        assert_close(&of("running_var"), &find("running_var"), case.running_var);
        assert_eq!(find("num_batches_tracked").int64_value(&[]), 1);
    }
}
