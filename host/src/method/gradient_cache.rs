//! Batches that pass the network in pieces, with the loss of the whole batch (Gao et al. 2021, GradCache).

use super::together::{Gathered, Together};
use super::{Loss, Method, Outputs, Seen, StepContext, StepOutput};
use crate::model::{Error, Result, Snapshot};
use crate::native::c10d::Reducer;
use crate::stopwatch::{self, Stage};
use tch::{Kind, Tensor};

/// Adds the gradient of a batch's loss to the method's parameters, with the activations of one micro-batch in memory at a
/// time.
///
/// First, every micro-batch passes the network without a graph, and the loss of all projections together gives the
/// gradient of each projection. Then every micro-batch passes it again, with a graph through which its share of that
/// gradient flows back. By the chain rule the sum is the gradient of the batch in one piece, as long as each image's
/// projection depends on that image alone. Batch norm breaks this: it normalises by micro-batch.
///
/// `prepare` returns the views of the micro-batch with this index in 0..`micro_batches`, and seeds libtorch's generator. It
/// is called twice for each and must do the same both times. Running statistics move in the second pass alone.
///
/// Of several processes, each passes its own rows of every micro-batch, all compute the loss of all rows, and `together` adds
/// up the gradients.
///
/// # Errors
/// What `prepare` returns, and what the encoder's plugin or libtorch refuses.
pub fn cached_gradient_step<E: From<Error>>(
    method: &mut dyn Method,
    micro_batches: usize,
    mut prepare: impl FnMut(usize) -> Result<Vec<Tensor>, E>,
    context: &StepContext,
    together: &mut Together,
) -> Result<StepOutput, E> {
    let mut statistics = Snapshot::new(method.running_statistics())?;
    let gathered = gather(method, micro_batches, &mut prepare, context, together)?;
    statistics.restore()?;
    drop(statistics);
    let leaves = Leaves::of(method, gathered, context)?;
    let mut row = 0;
    for index in 0..micro_batches {
        let views = prepare(index)?;
        stopwatch::enter(Stage::Forward).map_err(Error::from)?;
        let Outputs { projections, .. } = {
            let _synchronised = together.synchronised(context)?;
            method.outputs(&views, context)?
        };
        let first = together.first_row(index).unwrap_or(row);
        row = first + leaves.send_back(&projections, first, together.last(index, micro_batches))?;
    }
    leaves.output().map_err(E::from)
}

/// A training step of several processes whose batch passes the network in one piece, each process's rows in its own: as
/// [`cached_gradient_step`], with one pass.
///
/// # Errors
/// What the encoder's plugin or libtorch refuses.
pub fn shared_step(
    method: &mut dyn Method,
    views: &[Tensor],
    context: &StepContext,
    together: &mut Together,
) -> Result<StepOutput> {
    stopwatch::enter(Stage::Forward)?;
    let (outputs, by_others) = {
        let _synchronised = together.synchronised(context)?;
        (method.outputs(views, context)?, method.targets(views, context)?)
    };
    let projections = outputs.projections.iter().map(Tensor::f_detach).collect::<Result<_, _>>()?;
    let targets = outputs.targets.into_iter().chain(by_others.projections).collect();
    let features = by_others.features.unwrap_or(outputs.features);
    let leaves = Leaves::of(method, together.gathered(projections, targets, features)?, context)?;
    let first = together.first_row(0).unwrap_or(0);
    leaves.send_back(&outputs.projections, first, together.last(0, 1))?;
    leaves.output()
}

/// The loss times [`StepContext::loss_scale`].
///
/// # Errors
/// Anything libtorch refuses.
pub fn scaled(loss: &Tensor, context: &StepContext) -> Result<Tensor> {
    match context.loss_scale {
        1.0 => Ok(loss.shallow_clone()),
        scale => Ok(loss.f_mul_scalar(scale)?),
    }
}

/// The projections of a whole batch, cut off from the network, and the loss that has given each its gradient.
struct Leaves {
    projections: Vec<Tensor>,
    targets: Vec<Tensor>,
    features: Tensor,
    loss: Loss,
}

impl Leaves {
    fn of(method: &dyn Method, gathered: Gathered, context: &StepContext) -> Result<Self> {
        let Gathered { projections, targets, features } = gathered;
        let leaf = |whole: Tensor| -> Result<Tensor> { Ok(whole.f_set_requires_grad(true)?) };
        let projections = projections.into_iter().map(leaf).collect::<Result<Vec<_>>>()?;
        stopwatch::enter(Stage::Loss)?;
        let loss = method.loss(&projections, &targets, context)?;
        scaled(&loss.value, context)?.f_backward()?;
        Ok(Self { projections, targets, features, loss })
    }

    /// Lets the gradients from `row` on flow back through the projections of one micro-batch; returns its number of rows.
    /// With `reducer`, the gradients of all processes are added up on the way.
    fn send_back(&self, projections: &[Tensor], row: i64, reducer: Option<&mut Reducer>) -> Result<i64> {
        stopwatch::enter(Stage::Backward)?;
        let mut rows = 0;
        let mut product = Tensor::f_zeros([0_i64; 0], (Kind::Float, self.projections[0].device()))?;
        for (projection, leaf) in projections.iter().zip(&self.projections) {
            rows = projection.size2()?.0;
            // The gradient of Σ z·g by z is g.
            let gradient = leaf.f_grad()?.f_narrow(0, row, rows)?;
            product = product.f_add(&projection.f_mul(&gradient)?.f_sum(Kind::Float)?)?;
        }
        reducer.map_or(Ok(()), |reducer| reducer.arm(&product))?;
        product.f_backward()?;
        Ok(rows)
    }

    fn output(self) -> Result<StepOutput> {
        let projections = self.projections.iter().map(Tensor::f_detach).collect::<Result<_, _>>()?;
        let seen = Seen { projections, targets: self.targets };
        Ok(StepOutput { loss: self.loss.value.detach(), features: self.features, seen, metrics: self.loss.metrics })
    }
}

/// The loss of a batch without gradients, such as in validation, where `context.train` is off and no running statistics
/// move. `prepare` returns the views of the micro-batch with this index in 0..`micro_batches`, once for each.
///
/// # Errors
/// What `prepare` returns, and what the encoder's plugin or libtorch refuses.
pub fn loss_in_pieces<E: From<Error>>(
    method: &mut dyn Method,
    micro_batches: usize,
    prepare: impl FnMut(usize) -> Result<Vec<Tensor>, E>,
    context: &StepContext,
    together: &Together,
) -> Result<Tensor, E> {
    let _no_grad = tch::no_grad_guard();
    let Gathered { projections, targets, .. } = gather(method, micro_batches, prepare, context, together)?;
    Ok(method.loss(&projections, &targets, context)?.value)
}

fn gather<E: From<Error>>(
    method: &mut dyn Method,
    micro_batches: usize,
    mut prepare: impl FnMut(usize) -> Result<Vec<Tensor>, E>,
    context: &StepContext,
    together: &Together,
) -> Result<Gathered, E> {
    let _synchronised = together.synchronised(context)?;
    let (mut projections, mut targets, mut features) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..micro_batches {
        let views = prepare(index)?;
        stopwatch::enter(Stage::Forward).map_err(Error::from)?;
        let _no_grad = tch::no_grad_guard();
        let outputs = method.outputs(&views, context)?;
        let by_others = method.targets(&views, context)?;
        projections.push(outputs.projections);
        targets.push(outputs.targets.into_iter().chain(by_others.projections).collect());
        features.push(by_others.features.unwrap_or(outputs.features));
    }
    Ok(together.gathered(stacked(&projections)?, stacked(&targets)?, stacked(&features)?)?)
}

/// Each tensor of the whole batch, from those of the micro-batches.
fn stacked(micro_batches: &[Vec<Tensor>]) -> Result<Vec<Tensor>> {
    let tensors = micro_batches.first().map_or(0, Vec::len);
    let whole = |place| Ok(Tensor::f_cat(&micro_batches.iter().map(|micro| &micro[place]).collect::<Vec<_>>(), 0)?);
    (0..tensors).map(whole).collect()
}
