// Batch norm over the rows of all processes, for whoever calls aten::batch_norm.
#pragma once

#include "collectives.h"

#include <ATen/NativeFunctions.h>
#include <ATen/OpMathType.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace {

// The group that batch norms of this thread are synchronised over, and whether they are for now.
thread_local c10::intrusive_ptr<c10d::ProcessGroup> synchronised_over;

// Mean and sum of squared deviations of each channel, in float64. On the CPU var_mean takes six times as long, and what libtorch's
// batch norm uses there keeps five of float32's seven digits, as it adds up in one number.
std::pair<Tensor, Tensor> moments(const Tensor &x) {
  std::vector<int64_t> over, shape(x.dim(), 1);
  for (int64_t dimension = 0; dimension < x.dim(); ++dimension)
    if (dimension != 1)
      over.push_back(dimension);
  shape[1] = x.size(1);
  const auto rows = static_cast<double>(x.numel() / x.size(1));
  if (x.is_cuda()) {
    auto [var, mean] = at::var_mean(x, at::IntArrayRef(over), 0, false);
    return {mean.to(at::kDouble), var.to(at::kDouble) * rows};
  }
  auto mean = x.sum(over) / rows;
  auto deviations = x - mean.view(shape);
  auto rest = deviations.sum(over).to(at::kDouble) / rows;
  auto squares = deviations.square_().sum(over).to(at::kDouble);
  return {mean.to(at::kDouble) + rest, squares - rest.square() * rows};
}

// Batch norm over the rows of all processes, in training.
struct SyncBatchNorm : torch::autograd::Function<SyncBatchNorm> {
  // Undefined tensors are no variables of a function, so that scale and bias are always there.
  static Tensor forward(torch::autograd::AutogradContext *context, const Tensor &x, const Tensor &scale,
                        const Tensor &bias, const std::optional<Tensor> &mean_in, const std::optional<Tensor> &var_in,
                        double momentum, double eps) {
    at::AutoDispatchBelowAutograd below;
    auto group = synchronised_over;
    const auto channels = x.size(1);
    const auto rows = static_cast<double>(x.numel() / channels);
    const auto kind = scale.scalar_type();
    const auto running_mean = mean_in.value_or(Tensor()), running_var = var_in.value_or(Tensor());
    auto [mean, squares] = moments(x.to(at::toOpMathType(x.scalar_type())));
    auto options = x.options().dtype(at::kDouble);
    auto mine = at::stack({mean, squares, at::full({channels}, rows, options)});
    auto all = gather(*group, mine.unsqueeze(0)); // [processes, 3, channels]
    auto means = all.select(1, 0), counts = all.select(1, 2);
    auto total = counts.sum(0);
    auto mean_of_all = (means * counts).sum(0) / total;
    auto squares_of_all = all.select(1, 1).sum(0) + (counts * (means - mean_of_all).square()).sum(0);
    if (running_mean.defined())
      running_mean.mul_(1 - momentum).add_(mean_of_all.to(running_mean.scalar_type()), momentum);
    if (running_var.defined())
      running_var.mul_(1 - momentum).add_((squares_of_all / (total - 1)).to(running_var.scalar_type()), momentum);
    auto m = mean_of_all.to(kind), v = (squares_of_all / total).to(kind);
    auto y = std::get<0>(at::native_batch_norm(x, scale, bias, m, v, false, momentum, eps));
    context->save_for_backward({x, scale, m, v, total});
    context->saved_data["eps"] = eps;
    context->saved_data["group"] = c10::IValue::make_capsule(group);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto &x = saved[0], &scale = saved[1], &mean = saved[2], &var = saved[3], &total = saved[4];
    const auto eps = context->saved_data["eps"].toDouble();
    auto group = c10::static_intrusive_pointer_cast<c10d::ProcessGroup>(context->saved_data["group"].toCapsule());
    auto dy = gradients[0].contiguous(x.suggest_memory_format());
    const auto kind = scale.scalar_type();
    auto [none, dscale, dbias] =
        at::native_batch_norm_backward(dy, x, scale, mean, var, mean, var, false, eps, {false, true, true});
    auto sums = at::stack({dbias.to(at::kDouble), dscale.to(at::kDouble)});
    reduce(*group, sums, c10d::ReduceOp::SUM);
    // As if mean and variance did not depend on x, less what they add: a straight line in x for each channel.
    auto inverse = (var + eps).rsqrt();
    auto shift = (sums[0] / total).to(kind) * scale * inverse;
    auto slope = (sums[1] / total).to(kind) * scale * inverse.square();
    std::vector<int64_t> shape(x.dim(), 1);
    shape[1] = x.size(1);
    auto dx = at::addcmul((slope * mean - shift).view(shape), dy.to(kind), (scale * inverse).view(shape));
    dx = dx.addcmul_(x.to(kind), slope.view(shape), -1).to(x.scalar_type());
    // The sums of scale and bias over the processes are taken with those of all parameters.
    return {dx, dscale, dbias, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

using Maybe = const std::optional<Tensor> &;

Tensor batch_norm(const Tensor &x, Maybe weight, Maybe bias, Maybe running_mean, Maybe running_var, bool train,
                  double momentum, double eps, bool cudnn) {
  if (!train || !synchronised_over)
    return at::native::batch_norm(x, weight, bias, running_mean, running_var, train, momentum, eps, cudnn);
  auto defined = [](Maybe tensor) { return tensor.has_value() && tensor->defined(); };
  // The kind of the statistics, which autocast leaves at float32 where x is bfloat16.
  auto options = x.options().dtype(defined(weight)         ? weight->scalar_type()
                                   : defined(running_mean) ? running_mean->scalar_type()
                                                           : at::toOpMathType(x.scalar_type()));
  auto scale = defined(weight) ? *weight : at::ones({x.size(1)}, options);
  auto shift = defined(bias) ? *bias : at::zeros({x.size(1)}, options);
  return SyncBatchNorm::apply(x, scale, shift, running_mean, running_var, momentum, eps);
}

// It normalises each image by itself, and calls batch norm to do so.
Tensor instance_norm(const Tensor &x, Maybe weight, Maybe bias, Maybe running_mean, Maybe running_var,
                     bool use_input_stats, double momentum, double eps, bool cudnn) {
  auto before = std::move(synchronised_over);
  synchronised_over.reset();
  struct Restore {
    c10::intrusive_ptr<c10d::ProcessGroup> &before;
    ~Restore() { synchronised_over = std::move(before); }
  } restore{before};
  return at::native::instance_norm(x, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn);
}

// From the first call on, batch norm asks whether it is synchronised, whoever calls it.
void override_batch_norm() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (auto key : {c10::DispatchKey::AutogradCPU, c10::DispatchKey::AutogradCUDA}) {
      auto library = new torch::Library(torch::Library::IMPL, "aten", key, __FILE__, __LINE__);
      library->impl("batch_norm", batch_norm);
      library->impl("instance_norm", instance_norm);
    }
  });
}

} // namespace
