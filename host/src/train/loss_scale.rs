//! The factor that keeps float16 gradients from vanishing (Micikevicius et al. 2018, section 3.2).

use crate::error::Error;
use crate::native::lists::{foreach_mul_, foreach_norm};
use selfsame_encoder_api::Parameter;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Good steps after which the factor doubles; as PyTorch's `GradScaler` has it.
const PATIENCE: u32 = 2000;

/// Below this factor the gradients are no longer saved by it: some 30 steps in a row have overflowed.
const SMALLEST: f64 = 1.0 / 16384.0;

/// What the loss is multiplied with. Halved where a gradient overflows, doubled after 2 000 steps in which none does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    /// A power of two.
    pub factor: f64,
    /// Steps since it changed last.
    good: u32,
}

impl Default for LossScale {
    fn default() -> Self {
        Self { factor: 65536.0, good: 0 }
    }
}

impl LossScale {
    /// Divides the gradients by the factor, and changes it where it must be. Returns whether all gradients are finite; where not,
    /// the weights must stay as they are. Waits for the device.
    ///
    /// # Errors
    /// Gradients that are not finite whatever the factor; what libtorch refuses.
    pub fn unscale(&mut self, parameters: &[Parameter]) -> Result<bool, Error> {
        let _no_grad = tch::no_grad_guard();
        let gradients = parameters.iter().map(|parameter| parameter.tensor.f_grad());
        let gradients = gradients.collect::<Result<Vec<_>, _>>()?;
        let mut gradients: Vec<Tensor> = gradients.into_iter().filter(Tensor::defined).collect();
        foreach_mul_(&mut gradients, 1.0 / self.factor)?;
        let norms = foreach_norm(&gradients)?;
        let is_finite = norms.is_empty() || Tensor::f_stack(&norms, 0)?.f_isfinite()?.f_all()?.f_int64_value(&[])? == 1;
        self.note(is_finite);
        if self.factor < SMALLEST {
            return Err(Error::configuration(format!(
                "`train.precision` is fp16, and gradients are not finite although the loss is multiplied by no more than {:e}; set \
                 `train.precision=fp32`, or bf16 on GPUs from compute capability 8.0",
                2.0 * self.factor
            )));
        }
        Ok(is_finite)
    }

    fn note(&mut self, is_finite: bool) {
        self.good += 1;
        if !is_finite {
            *self = Self { factor: self.factor / 2.0, good: 0 };
        } else if self.good == PATIENCE {
            *self = Self { factor: self.factor * 2.0, good: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selfsame_encoder_api::ParameterKind;

    fn parameter(gradient: f32) -> Parameter {
        let tensor = Tensor::from_slice(&[1.0f32, 2.0]).set_requires_grad(true);
        (&tensor * f64::from(gradient)).sum(tch::Kind::Float).backward();
        Parameter { name: "weight".into(), kind: ParameterKind::Weight, tensor }
    }

    #[test]
    fn gradients_are_divided_and_an_overflow_is_seen_and_halves_the_factor() {
        let mut scale = LossScale::default();
        let parameters = [parameter(65536.0), parameter(3.0 * 65536.0)];
        assert!(scale.unscale(&parameters).unwrap());
        assert_eq!(Vec::<f32>::try_from(parameters[1].tensor.grad()).unwrap(), [3.0, 3.0]);
        assert!(!scale.unscale(&[parameter(1.0), parameter(f32::INFINITY)]).unwrap());
        assert!(!scale.unscale(&[parameter(f32::NAN)]).unwrap());
        assert_eq!(scale, LossScale { factor: 16384.0, good: 0 });
        assert!(scale.unscale(&[]).unwrap());
    }

    #[test]
    fn gradients_that_always_overflow_end_the_run_with_what_to_set() {
        let mut scale = LossScale::default();
        let steps =
            (1..).find_map(|step| scale.unscale(&[parameter(f32::NAN)]).err().map(|error| (step, error))).unwrap();
        assert_eq!(steps.0, 31);
        assert!(steps.1.to_string().contains("no more than 6.1035"), "{}", steps.1);
        assert!(steps.1.to_string().contains("`train.precision=fp32`"), "{}", steps.1);
    }

    #[test]
    fn the_factor_doubles_after_two_thousand_good_steps_in_a_row() {
        let mut scale = LossScale::default();
        (0..1999).for_each(|_| scale.note(true));
        scale.note(false);
        (0..1999).for_each(|_| scale.note(true));
        assert_eq!(scale.factor, 32768.0);
        scale.note(true);
        assert_eq!(scale, LossScale { factor: 65536.0, good: 0 });
    }
}
