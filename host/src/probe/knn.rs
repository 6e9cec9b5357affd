//! Weighted k-nearest-neighbour classification (Wu et al. 2018, section 3.4).

use super::feature_std::normalize;
use crate::config::schema::KnnConfig;
use crate::model::{Error, Result};
use tch::{Kind, Tensor};

/// Floats in the largest temporary of a chunk (64 MiB).
const CHUNK_FLOATS: i64 = 1 << 24;

/// The votes of the neighbours of `queries` (`[M, D]`) in the `bank` (`[N, D]`) as shares, `[M, classes]` in [0, 1]: the
/// weight of the neighbours that have a label over the weight of all. `bank` labels are int64 `[N]` in 0..`classes`, or 0
/// and 1 `[N, classes]` for multilabel; all tensors lie on one device.
///
/// The k nearest by cosine similarity s vote for their class with weight exp(s / temperature); k is N where the bank
/// is smaller. Of neighbours that are equally near, those first in the bank count.
///
/// # Errors
/// No features, or labels that do not match them in number; anything libtorch refuses.
pub fn knn_votes(config: &KnnConfig, classes: usize, bank: (&Tensor, &Tensor), queries: &Tensor) -> Result<Tensor> {
    let _no_grad = tch::no_grad_guard();
    let (n, labelled) = (bank.0.size2()?.0, bank.1.size().first().copied().unwrap_or(0));
    if n == 0 || n != labelled {
        return Err(Error::Input(format!("kNN: {n} features and {labelled} labels in the bank")));
    }
    if queries.size2()?.0 == 0 {
        return Err(Error::Input("kNN: there are no queries".into()));
    }
    let classes = classes as i64;
    let k = i64::try_from(config.k).unwrap_or(i64::MAX).min(n);
    let columns = normalize(bank.0)?.f_tr()?;
    let class_ids = Tensor::f_arange(classes, (Kind::Int64, bank.1.device()))?;
    let rows = (CHUNK_FLOATS / n.max(k * classes)).max(1);
    let mut votes = Vec::new();
    for chunk in normalize(queries)?.f_split(rows, 0)? {
        let (similarity, index) = nearest(&chunk.f_mm(&columns)?, k)?;
        // Relative to the nearest neighbour, which changes no comparison and cannot overflow.
        let relative = similarity.f_sub(&similarity.f_narrow(1, 0, 1)?)?;
        let weights = relative.f_div_scalar(config.temperature)?.f_exp()?.f_unsqueeze(2)?;
        let has_label = if bank.1.dim() == 1 {
            bank.1.f_take(&index)?.f_unsqueeze(2)?.f_eq_tensor(&class_ids)?
        } else {
            bank.1.f_index_select(0, &index.f_flatten(0, -1)?)?.f_view([-1, k, classes])?.f_gt(0.5)?
        };
        let sums = weights.f_mul(&has_label)?.f_sum_dim_intlist(1, false, None)?;
        votes.push(sums.f_div(&weights.f_sum_dim_intlist(1, false, None)?)?);
    }
    Ok(Tensor::f_cat(&votes, 0)?)
}

/// The `k` largest of each row in falling order, and their columns; of equal ones the first.
fn nearest(similarity: &Tensor, k: i64) -> Result<(Tensor, Tensor)> {
    let n = similarity.size2()?.1;
    let (values, index) = similarity.f_topk((k + 1).min(n), 1, true, true)?;
    let (kth, mut index) = (values.f_narrow(1, k - 1, 1)?, index.f_narrow(1, 0, k)?.f_contiguous()?);
    // Which of several equal ones `topk` takes is not defined, and it matters where the set ends among them.
    if k < n {
        let cut = values.f_narrow(1, k, 1)?.f_eq_tensor(&kth)?.f_squeeze_dim(1)?.f_nonzero()?.f_squeeze_dim(1)?;
        if cut.size1()? > 0 {
            let (_, order) = similarity.f_index_select(0, &cut)?.f_sort_stable(true, 1, true)?;
            let _ = index.f_index_copy_(0, &cut, &order.f_narrow(1, 0, k)?)?;
        }
    }
    Ok((values.f_narrow(1, 0, k)?, index))
}
