//! What the processes do together; nothing where there is one.

use super::{Member, Result, Share, WAITING, World, WorldError};
use crate::native::NativeError;
use crate::native::c10d::{Pending, Reducer, Synchronised};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Kind, Tensor};

/// Numbers that the processes are agreeing on.
#[must_use = "what is agreed on holds for all processes"]
pub enum Agreement<const N: usize> {
    /// There is nobody to agree with.
    Alone,
    /// Under way.
    Pending(Pending),
}

impl<const N: usize> Agreement<N> {
    /// The largest values of all processes; of this one alone, its own as they are now.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn wait(self, own: impl FnOnce() -> [i64; N]) -> Result<[i64; N]> {
        let Self::Pending(pending) = self else { return Ok(own()) };
        let values = Vec::<i64>::try_from(pending.wait()?).map_err(|error| WorldError(error.to_string()))?;
        values.try_into().map_err(|values| WorldError(format!("{N} numbers were agreed on, not {values:?}")))
    }
}

impl World {
    /// The rows of the whole batch of each tensor, `[own rows, …]` each, in the batch's order. Detached.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn gather_rows(&self, tensors: Vec<Tensor>, share: &Share) -> Result<Vec<Tensor>> {
        let (Some(member), Some(gathered)) = (&self.0, share.gathered()) else { return Ok(tensors) };
        let mut whole = Vec::with_capacity(tensors.len());
        // Those of one kind go together.
        for group in tensors.chunk_by(|one, next| one.kind() == next.kind()) {
            whole.extend(together(member, group, gathered.each as i64, gathered.order.as_deref()).map_err(refused)??);
        }
        Ok(whole)
    }

    /// Replaces the tensor by its sum over the processes.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn sum(&self, tensor: &mut Tensor) -> Result<()> {
        match &self.0 {
            Some(member) => Ok(member.tensors.sum(tensor)?),
            None => Ok(()),
        }
    }

    /// Begins to agree on the largest of the processes' values, in each place.
    ///
    /// # Errors
    /// A process that is gone.
    pub fn agree<const N: usize>(&self, own: impl FnOnce() -> [i64; N]) -> Result<Agreement<N>> {
        let Some(member) = &self.0 else { return Ok(Agreement::Alone) };
        Ok(Agreement::Pending(member.control.max(Tensor::from_slice(&own()))?))
    }

    /// Replaces the tensors by those of process 0.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn broadcast(&self, tensors: impl IntoIterator<Item = Tensor>) -> Result<()> {
        let Some(member) = &self.0 else { return Ok(()) };
        let _no_grad = tch::no_grad_guard();
        for mut tensor in tensors {
            // Strides may differ from process to process; what is sent lies as the shape says.
            let mut sent = tensor.f_detach().and_then(|tensor| tensor.f_contiguous()).map_err(refused)?;
            member.tensors.broadcast(&mut sent)?;
            tensor.f_copy_(&sent).map_err(refused)?;
        }
        Ok(())
    }

    /// What process 0 says.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn broadcast_json(&self, value: Value) -> Result<Value> {
        let Some(member) = &self.0 else { return Ok(value) };
        let text = value.to_string();
        let mut length = Tensor::from_slice(&[text.len() as i64]);
        member.control.broadcast(&mut length)?;
        let length = length.f_int64_value(&[0]).map_err(refused)?;
        let mut bytes = match member.launch.rank {
            0 => Tensor::from_slice(text.as_bytes()),
            _ => Tensor::f_zeros([length], (Kind::Uint8, Device::Cpu)).map_err(refused)?,
        };
        member.control.broadcast(&mut bytes)?;
        let bytes = Vec::<u8>::try_from(bytes).map_err(refused)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| WorldError(format!("what process 0 says is not understood: {error}")))
    }

    /// Named tensors of process 0, on the CPU.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn broadcast_named(&self, tensors: BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
        if self.0.is_none() {
            return Ok(tensors);
        }
        let facts = |(name, tensor): (&String, &Tensor)| (name.clone(), tensor.size(), format!("{:?}", tensor.kind()));
        let list: Vec<(String, Vec<i64>, String)> = tensors.iter().map(facts).collect();
        let list = self.broadcast_json(serde_json::json!(list))?;
        let list: Vec<(String, Vec<i64>, String)> =
            serde_json::from_value(list).map_err(|error| WorldError(error.to_string()))?;
        let mut named = BTreeMap::new();
        for (name, size, kind) in list {
            let tensor = match tensors.get(&name).filter(|_| self.is_first()) {
                Some(tensor) => tensor.shallow_clone(),
                None => Tensor::f_zeros(size, (kind_of(&kind)?, Device::Cpu)).map_err(refused)?,
            };
            named.insert(name, tensor);
        }
        self.broadcast(named.values().map(Tensor::shallow_clone))?;
        Ok(named)
    }

    /// Who has other facts than process 0: one line for each fact that differs or that one of the two lacks, on that process; on
    /// others nothing. All have to call it.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn differing(&self, facts: &[(String, String)]) -> Result<Vec<String>> {
        let own: BTreeMap<&str, &str> = facts.iter().map(|(name, fact)| (name.as_str(), fact.as_str())).collect();
        let first = self.broadcast_json(serde_json::json!(own))?;
        let first: BTreeMap<String, String> =
            serde_json::from_value(first).map_err(|error| WorldError(error.to_string()))?;
        Ok(compared(&own, &first))
    }

    /// What each process says of itself, by its number. All have to call it, once for each `what`.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn told_by_all<T: Serialize + DeserializeOwned + Clone>(&self, what: &str, own: &T) -> Result<Vec<T>> {
        let Some(Member { launch, watch, .. }) = self.0.as_deref() else { return Ok(vec![own.clone()]) };
        let key = |rank: usize| watch.key(&format!("{what}/{rank}"));
        let not_understood = |error: serde_json::Error| WorldError(format!("{what}: {error}"));
        watch.store().set(&key(launch.rank), &serde_json::to_string(own).map_err(not_understood)?)?;
        let told = |rank| serde_json::from_str(&watch.store().get(&key(rank))?).map_err(not_understood);
        (0..launch.size).map(told).collect()
    }

    /// Lets the first process of each machine go ahead, whose files the others then find; they wait as long as it takes.
    ///
    /// # Errors
    /// What `work` returns; a process that is gone.
    pub fn first_on_node<T, E: From<WorldError>>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(member) = &self.0 else { return work() };
        let (launch, watch) = (&member.launch, &member.watch);
        let done = watch.key(&format!("{what}/{}", launch.rank - launch.local_rank));
        if launch.local_rank > 0 {
            while !watch.store().wait(&done, WAITING).map_err(WorldError::from)? {
                tracing::info!("process {} waits for process {}: {what}", launch.rank, launch.rank - launch.local_rank);
            }
        }
        let result = work()?;
        if launch.local_rank == 0 {
            watch.store().set(&done, "").map_err(WorldError::from)?;
        }
        self.meet(what)?;
        Ok(result)
    }

    /// Waits for all, as long as it takes.
    fn meet(&self, what: &str) -> Result<()> {
        let Some(Member { launch, watch, .. }) = self.0.as_deref() else { return Ok(()) };
        let (arrived, all) = (watch.key(&format!("{what}/arrived")), watch.key(&format!("{what}/all")));
        if watch.store().add(&arrived, 1)? == launch.size as i64 {
            watch.store().set(&all, "")?;
        }
        while !watch.store().wait(&all, WAITING)? {}
        Ok(())
    }

    /// While it lives, batch norm in training is over the rows of all processes.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn synchronised(&self) -> Result<Option<Synchronised<'_>>> {
        Ok(self.0.as_deref().map(|member| Synchronised::over(&member.tensors)).transpose()?)
    }

    /// What sums the gradients of these parameters.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn reducer(&self, parameters: Vec<Tensor>) -> Result<Option<Reducer>> {
        let learn: Vec<Tensor> = parameters.into_iter().filter(Tensor::requires_grad).collect();
        let Some(member) = self.0.as_deref().filter(|_| !learn.is_empty()) else { return Ok(None) };
        Ok(Some(Reducer::new(&member.tensors, &learn)?))
    }
}

/// Each name of which the two have something else.
fn compared(own: &BTreeMap<&str, &str>, first: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&str> = own.keys().copied().chain(first.keys().map(String::as_str)).collect();
    let values = |name| (own.get(name).copied(), first.get(name).map(String::as_str));
    let line = |name| match values(name) {
        (own, first) if own == first => None,
        (own, first) => {
            Some(format!("{name}: {} here, {} in process 0", own.unwrap_or("nothing"), first.unwrap_or("nothing")))
        }
    };
    names.into_iter().filter_map(line).collect()
}

type Refused = tch::TchError;

fn refused(error: Refused) -> WorldError {
    WorldError(error.to_string())
}

/// Gathers tensors of one kind in one collective.
fn together(
    member: &Member,
    tensors: &[Tensor],
    each: i64,
    order: Option<&[i64]>,
) -> Result<Result<Vec<Tensor>, NativeError>, Refused> {
    let flat = tensors.iter().map(|tensor| tensor.f_detach()?.f_reshape([tensor.size()[0], -1]));
    let mut rows = Tensor::f_cat(&flat.collect::<Result<Vec<_>, _>>()?, 1)?;
    let missing = each - rows.size()[0];
    if missing > 0 {
        rows = Tensor::f_cat(&[&rows, &rows.f_new_zeros([missing, rows.size()[1]], (rows.kind(), rows.device()))?], 0)?;
    }
    let mut whole = match member.tensors.gather(&rows) {
        Ok(whole) => whole,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(order) = order {
        whole = whole.f_index_select(0, &Tensor::f_from_slice(order)?.f_to_device(whole.device())?)?;
    }
    let (mut at, mut parts) = (0, Vec::with_capacity(tensors.len()));
    for tensor in tensors {
        let mut shape = tensor.size();
        let width: i64 = shape[1..].iter().product();
        shape[0] = whole.size()[0];
        parts.push(whole.f_narrow(1, at, width)?.f_reshape(shape)?.f_contiguous()?);
        at += width;
    }
    Ok(Ok(parts))
}

fn kind_of(name: &str) -> Result<Kind> {
    let kinds = [Kind::Uint8, Kind::Int8, Kind::Int16, Kind::Int, Kind::Int64, Kind::Half, Kind::Float, Kind::Double];
    let found = kinds.into_iter().chain([Kind::Bool, Kind::BFloat16]).find(|kind| format!("{kind:?}") == name);
    found.ok_or_else(|| WorldError(format!("tensors of kind {name} are not sent")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_compared_by_name_also_where_one_process_has_more_of_them() {
        let own = BTreeMap::from([("a", "1"), ("b", "2"), ("d", "4")]);
        let first = [("a", "1"), ("c", "3"), ("d", "5")].map(|(name, fact)| (name.to_owned(), fact.to_owned()));
        let lines = compared(&own, &BTreeMap::from(first));
        assert_eq!(
            lines,
            ["b: 2 here, nothing in process 0", "c: nothing here, 3 in process 0", "d: 4 here, 5 in process 0"]
        );
        assert_eq!(compared(&BTreeMap::new(), &BTreeMap::new()), Vec::<String>::new());
    }
}
