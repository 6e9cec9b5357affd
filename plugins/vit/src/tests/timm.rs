//! Cases compared with timm 1.0.31 on PyTorch 2.11, computed in float64.
//!
//! Weights and inputs come from [`noise`]. The numbers are elements 0, 1, 2 and the last one of each tensor:
//! ```python
//! m = timm.create_model("vit_tiny_patch16_224", patch_size=patch, img_size=size, in_chans=c, num_classes=0,
//!                       global_pool=pool, dynamic_img_size=True)
//! torch.Tensor.float = torch.Tensor.double  # timm resamples positions in float32 otherwise
//! h, w = given; fill(m.double()); x = noise(2 * c * h * w, 5000).view(2, c, h, w) * 3.4
//! out = m.eval()(x); (out * out * noise(out.numel(), 6000).view(out.shape)).sum().backward()
//! ```

use super::*;
use selfsame_encoder_tests::{assert_close, build, fill, noise, request};
use tch::Kind;

struct Case {
    name: &'static str,
    channels: usize,
    /// What the position embedding is made for.
    size: (usize, usize),
    /// What the images have.
    given: (usize, usize),
    pool: &'static str,
    out: [f64; 4],
    gradients: [(&'static str, [f64; 4]); 4],
}

#[rustfmt::skip]
const CASES: [Case; 5] = [
    Case {
        name: "vit_tiny_patch4_32", channels: 3, size: (32, 32), given: (32, 32), pool: "token",
        out: [0.14617181, 0.510954471, -0.875808175, -1.60075276],
        gradients: [
            ("patch_embed.proj.weight", [0.249192416, 0.408778208, 0.739671994, 0.371025772]),
            ("blocks.0.attn.qkv.weight", [0.00341688049, 0.206905075, 0.139332608, 0.0890967461]),
            ("cls_token", [1.9508132, -1.68900041, -0.354070119, -0.776947397]),
            ("pos_embed", [1.9508132, -1.68900041, -0.354070119, -0.0367853579]),
        ],
    },
    Case {
        name: "vit_tiny_patch16_224", channels: 1, size: (48, 64), given: (48, 64), pool: "avg",
        out: [-0.127028234, 1.73761689, -0.510105545, -2.41011115],
        gradients: [
            ("patch_embed.proj.weight", [-0.826084787, 1.167121, -0.375702374, 0.13145706]),
            ("blocks.0.attn.qkv.weight", [0.113223727, 0.0744429575, 0.176413159, -1.60140936]),
            ("cls_token", [-1.03524208, -0.487543329, 1.331513, -0.0933776166]),
            ("pos_embed", [-1.03524208, -0.487543329, 1.331513, -0.315536013]),
        ],
    },
    Case {
        name: "vit_small_patch4_32", channels: 3, size: (16, 16), given: (16, 16), pool: "token",
        out: [1.09089935, -0.892396396, -0.0419068611, -1.07609613],
        gradients: [
            ("patch_embed.proj.weight", [-0.75616954, 0.259327208, -0.529879751, -0.0509579631]),
            ("blocks.0.attn.qkv.weight", [-0.198856976, -0.334212032, 0.10287382, 0.590194998]),
            ("cls_token", [0.741827179, 1.07140179, -2.281785, -1.05356288]),
            ("pos_embed", [0.741827179, 1.07140179, -2.281785, 0.0516639742]),
        ],
    },
    Case {
        name: "vit_tiny_patch4_32", channels: 3, size: (32, 32), given: (16, 16), pool: "token",
        out: [-0.317692085, 1.81737376, -0.891781966, -0.597259654],
        gradients: [
            ("patch_embed.proj.weight", [0.214215148, -1.04056823, 0.102093148, -0.800677988]),
            ("blocks.0.attn.qkv.weight", [0.099101391, -0.563785389, -0.278632897, -0.261118042]),
            ("cls_token", [-1.02819812, -4.50629723, 0.543782292, 0.794742245]),
            ("pos_embed", [-1.02819812, -4.50629723, 0.543782292, -0.0629858394]),
        ],
    },
    Case {
        name: "vit_tiny_patch16_224", channels: 1, size: (48, 64), given: (80, 32), pool: "avg",
        out: [-0.376084307, 0.507083885, 0.195096969, -0.777292722],
        gradients: [
            ("patch_embed.proj.weight", [-0.376495329, -0.627053826, -0.873526123, 0.517985085]),
            ("blocks.0.attn.qkv.weight", [-0.136343453, -0.174023144, -0.0708432479, 0.598707697]),
            ("cls_token", [-0.0440063464, 0.61491435, -0.0124541, 0.445670229]),
            ("pos_embed", [-0.0440063464, 0.61491435, -0.0124541, -0.0508059265]),
        ],
    },
];

#[test]
fn agrees_with_timm_in_embeddings_and_gradients() {
    for case in CASES {
        let options = serde_json::json!({ "pool": case.pool });
        let asked = EncoderRequest { channels: case.channels, image_size: case.size, options, ..request(case.name) };
        let encoder = build(create, &asked);
        fill(encoder.as_ref(), 12.0, |shape| shape[1..].iter().product());
        let of = |what: &str| format!("{} {:?} {what}", case.name, case.given);
        let (height, width) = case.given;
        let shape = [2, case.channels as i64, height as i64, width as i64];
        let x = (noise(2 * case.channels * height * width, 5000) * 3.4).reshape(shape);

        let embedded = encoder.forward(&x, false).unwrap();
        assert_close(&of("out"), &embedded, case.out);
        let weights = noise(embedded.numel(), 6000).reshape(embedded.size());
        (&embedded * &embedded * weights).sum(Kind::Double).backward();
        for (name, expected) in case.gradients {
            let parameters = encoder.parameters();
            let parameter = parameters.iter().find(|parameter| parameter.name == name).expect(name);
            assert_close(&of(name), &parameter.tensor.grad(), expected);
        }
    }
}
