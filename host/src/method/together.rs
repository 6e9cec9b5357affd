//! A batch of which several processes have a part each, as methods see it: whole.

use super::StepContext;
use crate::model::Result;
use crate::native::c10d::{Reducer, Synchronised};
use crate::world::{Share, World};
use selfsame_encoder_api::Parameter;
use tch::Tensor;

/// How the processes' parts of a batch make one; of one process alone, nothing changes.
pub struct Together {
    world: World,
    /// This process's rows; none: micro-batches follow each other.
    share: Option<Share>,
    reducer: Option<Reducer>,
}

/// What a whole batch was mapped to, without graphs.
pub(super) struct Gathered {
    pub projections: Vec<Tensor>,
    pub targets: Vec<Tensor>,
    /// Embeddings view by view, one above the other.
    pub features: Tensor,
}

impl Together {
    /// One process with the whole batch.
    #[must_use]
    pub fn alone() -> Self {
        Self { world: World::alone(), share: None, reducer: None }
    }

    /// Batches of which this process has its `share`; the gradients of `parameters` are added up.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn new(world: &World, share: Share, parameters: Vec<Parameter>) -> Result<Self> {
        let reducer = world.reducer(parameters.into_iter().map(|parameter| parameter.tensor).collect())?;
        Ok(Self { world: world.clone(), share: Some(share), reducer })
    }

    /// Whether one process has the whole batch.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.world.size() == 1
    }

    /// The first row of a micro-batch of this process; none: that after the last one.
    pub(super) fn first_row(&self, micro_batch: usize) -> Option<i64> {
        Some(self.share.as_ref()?.pieces().get(micro_batch)?.start as i64)
    }

    /// Normalises by the rows of all processes in training, while the result lives.
    pub(super) fn synchronised(&self, context: &StepContext) -> Result<Option<Synchronised<'_>>> {
        if context.train { Ok(self.world.synchronised()?) } else { Ok(None) }
    }

    /// The rows of all processes of what each has made of its own.
    pub(super) fn gathered(
        &self,
        projections: Vec<Tensor>,
        targets: Vec<Tensor>,
        features: Vec<Tensor>,
    ) -> Result<Gathered> {
        let (first, second) = (projections.len(), projections.len() + targets.len());
        let mut whole: Vec<Tensor> = projections.into_iter().chain(targets).chain(features).collect();
        if let Some(share) = &self.share {
            whole = self.world.gather_rows(whole, share)?;
        }
        let features = Tensor::f_cat(&whole[second..], 0)?;
        whole.truncate(second);
        let targets = whole.split_off(first);
        Ok(Gathered { projections: whole, targets, features })
    }

    /// What adds up the gradients in the backward pass of this micro-batch: that of the last one.
    pub(super) fn last(&mut self, micro_batch: usize, micro_batches: usize) -> Option<&mut Reducer> {
        self.reducer.as_mut().filter(|_| micro_batch + 1 == micro_batches)
    }
}
