//! Exponential moving averages of a network's weights and running statistics.

use super::{Error, Result};
use crate::native::lists::{foreach_copy_, foreach_lerp_};
use selfsame_encoder_api::{Buffer, Parameter};
use tch::Tensor;

/// One network that follows another.
pub struct Ema {
    source: Vec<Tensor>,
    average: Vec<Tensor>,
    /// Tensors that have no average, such as counters.
    counters: (Vec<Tensor>, Vec<Tensor>),
}

impl Ema {
    /// Lets `average` follow `source`, which it equals from now on. Its parameters no longer require gradients.
    ///
    /// # Errors
    /// Networks whose tensors have other names or shapes.
    pub fn new(source: (Vec<Parameter>, Vec<Buffer>), mut average: (Vec<Parameter>, Vec<Buffer>)) -> Result<Self> {
        for parameter in &mut average.0 {
            let _ = parameter.tensor.f_requires_grad_(false)?;
        }
        let (source, average) = (named(source), named(average));
        let mut ema = Self { source: Vec::new(), average: Vec::new(), counters: Default::default() };
        if source.len() != average.len() {
            let (n, m) = (source.len(), average.len());
            return Err(Error::Input(format!("a network of {n} tensors cannot be averaged into one of {m}")));
        }
        for ((name, from), (other, into)) in source.into_iter().zip(average) {
            if name != other || from.size() != into.size() || from.kind() != into.kind() {
                return Err(Error::Input(format!("`{name}` cannot be averaged into `{other}`: they are not alike")));
            }
            let float = from.is_floating_point();
            let (sources, averages) = match float {
                true => (&mut ema.source, &mut ema.average),
                false => (&mut ema.counters.0, &mut ema.counters.1),
            };
            sources.push(from);
            averages.push(into);
        }
        ema.update(0.0)?;
        Ok(ema)
    }

    /// a ← decay · a + (1 − decay) · s for every float tensor a of the average and s of the source; counters are copied.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn update(&mut self, decay: f64) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        foreach_lerp_(&mut self.average, &self.source, 1.0 - decay)?;
        foreach_copy_(&mut self.counters.1, &self.counters.0)?;
        Ok(())
    }
}

fn named((parameters, buffers): (Vec<Parameter>, Vec<Buffer>)) -> Vec<(String, Tensor)> {
    let parameters = parameters.into_iter().map(|parameter| (parameter.name, parameter.tensor));
    parameters.chain(buffers.into_iter().map(|buffer| (buffer.name, buffer.tensor))).collect()
}
