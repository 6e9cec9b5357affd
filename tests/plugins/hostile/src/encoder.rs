use crate::{Options, meet::meet, options};
use selfsame_encoder_api::{
    Buffer, Encoder, EncoderCard, EncoderRequest, Parameter, ParameterKind, Result, parse_options,
    tch::{Device, Kind, Tensor, no_grad},
};
use std::sync::atomic::{AtomicU8, Ordering};

pub fn card(name: &str) -> EncoderCard {
    let mut card = EncoderCard::new(name, "A bias-free linear layer with three outputs, and faults.").licence("MIT");
    card.options = options();
    card
}

pub fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
    let Options { fault } = parse_options(&request.options, &options())?;
    meet(&fault, "create");
    let pixels = (request.channels * request.image_size.0 * request.image_size.1) as i64;
    let weight = match fault.as_str() {
        "seedless" => Tensor::f_full([3, pixels], MADE.fetch_add(1, Ordering::Relaxed) as f64, (Kind::Float, device))?,
        _ => Tensor::f_randn([3, pixels], (Kind::Float, device))?,
    };
    let weight = weight.f_set_requires_grad(true)?;
    let calls = Tensor::f_zeros([], (Kind::Int64, device))?;
    Ok(Box::new(Tiny { fault, weight, calls }))
}

/// Encoders made so far.
static MADE: AtomicU8 = AtomicU8::new(1);

/// `x.flatten(1) · weightᵀ`.
struct Tiny {
    fault: String,
    weight: Tensor,
    calls: Tensor,
}

impl Tiny {
    fn embed(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_flatten(1, -1)?.f_matmul(&self.weight.f_tr()?)?)
    }

    /// A parameter that `forward` does not use.
    fn spare(&self) -> Tensor {
        self.weight.detach().copy().set_requires_grad(true)
    }
}

impl Encoder for Tiny {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        meet(&self.fault, "forward");
        if train || self.fault == "buffers" {
            let _ = no_grad(|| self.calls.shallow_clone().f_add_scalar_(1))?;
        }
        match self.fault.as_str() {
            // The plain methods of tch panic on C++ errors, the `f_` ones return them.
            "shape" => Ok(x.flatten(1, -1).matmul(&Tensor::zeros([7, 7], (Kind::Float, x.device())))),
            "shape:returned" => Ok(x.f_matmul(&Tensor::f_zeros([7, 7], (Kind::Float, x.device()))?)?),
            "wrong:dim" => Ok(Tensor::f_zeros([x.size()[0], 2], (Kind::Float, x.device()))?),
            "detach" => Ok(self.embed(x)?.f_detach()?),
            "inplace" => Ok(self.embed(&x.shallow_clone().f_mul_scalar_(0.5)?)?),
            "double" => Ok(self.embed(x)?.f_to_kind(Kind::Double)?),
            "half" => Ok(self.embed(x)?.f_to_kind(Kind::Half)?),
            "int" => Ok(self.embed(x)?.f_to_kind(Kind::Int64)?),
            "nan" => Ok(self.embed(x)?.f_mul_scalar(f64::NAN)?),
            "inf" => Ok(self.embed(x)?.f_div_scalar(0.0)?),
            "random" => Ok(self.embed(x)?.f_add(&Tensor::f_rand([3], (Kind::Float, x.device()))?)?),
            "batch" => {
                let embedded = self.embed(x)?;
                Ok(embedded.f_sub(&embedded.f_mean_dim(0_i64, true, None)?)?)
            }
            _ => Ok(self.embed(x)?),
        }
    }

    fn feature_dim(&self) -> usize {
        meet(&self.fault, "feature_dim");
        if self.fault == "huge" { usize::MAX } else { 3 }
    }

    fn parameters(&self) -> Vec<Parameter> {
        meet(&self.fault, "parameters");
        let parameter = || Parameter {
            name: match self.fault.as_str() {
                "name:empty" => "",
                "name:dots" => "fc..weight",
                "name:edge" => ".weight",
                "name:control" => "fc.\x1b[2J\nweight",
                "name:odd" => "a b/ü:0.weight",
                _ => "fc.weight",
            }
            .into(),
            kind: ParameterKind::Weight,
            tensor: match self.fault.as_str() {
                "wrong:leaf" => self.weight.detach(),
                "copies" => self.weight.detach().copy().set_requires_grad(true),
                _ => self.weight.shallow_clone(),
            },
        };
        match self.fault.as_str() {
            "no_parameters" => Vec::new(),
            // As a module and as a tensor in it.
            "name:inside" => {
                vec![parameter(), Parameter { name: "fc.weight.inner".into(), tensor: self.spare(), ..parameter() }]
            }
            "wrong:names" => vec![parameter(), parameter()],
            "unused" | "frozen" => {
                vec![parameter(), Parameter { name: "spare.weight".into(), tensor: self.spare(), ..parameter() }]
            }
            _ => vec![parameter()],
        }
    }

    fn is_frozen(&self, name: &str) -> bool {
        match self.fault.as_str() {
            "frozen" => name == "spare.weight",
            other => other == "frozen:reached",
        }
    }

    fn buffers(&self) -> Vec<Buffer> {
        meet(&self.fault, "buffers");
        vec![Buffer { name: "calls".into(), tensor: self.calls.shallow_clone() }]
    }
}
