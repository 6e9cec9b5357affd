//! Batches that pass the network in pieces, with the loss of the whole batch (Gao et al. 2021, GradCache).

use super::{Loss, Method, Outputs, Seen, StepContext, StepOutput};
use crate::model::{Error, Result, Snapshot};
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
/// # Errors
/// What `prepare` returns, and what the encoder's plugin or libtorch refuses.
pub fn cached_gradient_step<E: From<Error>>(
    method: &mut dyn Method,
    micro_batches: usize,
    mut prepare: impl FnMut(usize) -> Result<Vec<Tensor>, E>,
    context: &StepContext,
) -> Result<StepOutput, E> {
    let mut statistics = Snapshot::new(method.running_statistics())?;
    let Gathered { projections, targets, features } = gather(method, micro_batches, &mut prepare, context)?;
    statistics.restore()?;
    drop(statistics);

    let leaf = |whole: Tensor| -> Result<Tensor> { Ok(whole.f_set_requires_grad(true)?) };
    let leaves = projections.into_iter().map(leaf).collect::<Result<Vec<_>>>()?;
    let Loss { value, metrics } = method.loss(&leaves, &targets, context)?;
    value.f_backward().map_err(Error::from)?;

    let mut row = 0;
    for index in 0..micro_batches {
        let views = prepare(index)?;
        let Outputs { projections, .. } = method.outputs(&views, context)?;
        row += send_back(&projections, &leaves, row)?;
    }
    let projections = leaves.iter().map(Tensor::f_detach).collect::<Result<_, _>>().map_err(Error::from)?;
    Ok(StepOutput { loss: value.detach(), features, seen: Seen { projections, targets }, metrics })
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
) -> Result<Tensor, E> {
    let _no_grad = tch::no_grad_guard();
    let Gathered { projections, targets, .. } = gather(method, micro_batches, prepare, context)?;
    Ok(method.loss(&projections, &targets, context)?.value)
}

/// What a whole batch was mapped to, piece by piece, without graphs.
struct Gathered {
    projections: Vec<Tensor>,
    targets: Vec<Tensor>,
    /// Embeddings view by view, one above the other.
    features: Tensor,
}

fn gather<E: From<Error>>(
    method: &mut dyn Method,
    micro_batches: usize,
    mut prepare: impl FnMut(usize) -> Result<Vec<Tensor>, E>,
    context: &StepContext,
) -> Result<Gathered, E> {
    let (mut projections, mut targets, mut features) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..micro_batches {
        let views = prepare(index)?;
        let _no_grad = tch::no_grad_guard();
        let outputs = method.outputs(&views, context)?;
        let by_others = method.targets(&views, context)?;
        projections.push(outputs.projections);
        targets.push(outputs.targets.into_iter().chain(by_others.projections).collect());
        features.push(by_others.features.unwrap_or(outputs.features));
    }
    let features = Tensor::f_cat(&stacked(&features)?, 0).map_err(Error::from)?;
    Ok(Gathered { projections: stacked(&projections)?, targets: stacked(&targets)?, features })
}

/// Each tensor of the whole batch, from those of the micro-batches.
fn stacked(micro_batches: &[Vec<Tensor>]) -> Result<Vec<Tensor>> {
    let tensors = micro_batches.first().map_or(0, Vec::len);
    let whole = |place| Ok(Tensor::f_cat(&micro_batches.iter().map(|micro| &micro[place]).collect::<Vec<_>>(), 0)?);
    (0..tensors).map(whole).collect()
}

/// Lets the gradients that `leaves` hold from `row` on flow back through the projections of one micro-batch; returns its
/// number of rows.
fn send_back(projections: &[Tensor], leaves: &[Tensor], row: i64) -> Result<i64> {
    let mut rows = 0;
    let mut product = Tensor::f_zeros([0_i64; 0], (Kind::Float, leaves[0].device()))?;
    for (projection, leaf) in projections.iter().zip(leaves) {
        rows = projection.size2()?.0;
        // The gradient of Σ z·g by z is g.
        let gradient = leaf.f_grad()?.f_narrow(0, row, rows)?;
        product = product.f_add(&projection.f_mul(&gradient)?.f_sum(Kind::Float)?)?;
    }
    product.f_backward()?;
    Ok(rows)
}
