// What an operation costs on a GPU, and what it takes beside tensors of a device; by the sources of libtorch 2.11.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/native/ForeachUtils.h>

#include <set>

namespace standin {

// Operations whose result the host needs at once: how often they wait.
inline int waits(const std::string &name) {
  static const std::map<std::string, int> more{
      {"aten::_local_scalar_dense", 1}, {"aten::nonzero", 1},       {"aten::masked_select", 1},
      {"aten::equal", 1},               {"aten::_unique2", 1},      {"aten::unique_dim", 1},
      {"aten::unique_consecutive", 1},  {"aten::histc", 1},         {"aten::repeat_interleave", 1},
      {"aten::linalg_eigh", 1},         {"aten::_linalg_eigh", 1},  {"aten::_linalg_svd", 1},
      {"aten::bincount", 2},
  };
  const auto found = more.find(name);
  return found == more.end() ? 0 : found->second;
}

// Operations that take a CPU tensor without dimensions beside tensors of a device: those that libtorch computes by a
// TensorIterator with `allow_cpu_scalars`. Under their names without a trailing underscore.
inline bool takes_host_scalars(std::string name) {
  static const std::set<std::string> taking{
      "aten::add",        "aten::sub",         "aten::rsub",        "aten::mul",          "aten::div",
      "aten::pow",        "aten::remainder",   "aten::fmod",        "aten::atan2",        "aten::hypot",
      "aten::copysign",   "aten::maximum",     "aten::minimum",     "aten::fmax",         "aten::fmin",
      "aten::eq",         "aten::ne",          "aten::lt",          "aten::le",           "aten::gt",
      "aten::ge",         "aten::logical_and", "aten::logical_or",  "aten::logical_xor",  "aten::bitwise_and",
      "aten::bitwise_or", "aten::bitwise_xor", "aten::xlogy",       "aten::where",        "aten::fill",
      "aten::masked_fill", "aten::_foreach_mul", "aten::_foreach_add", "aten::__and__",   "aten::__or__",
  };
  if (name.back() == '_' && name.substr(name.size() - 2) != "__")
    name.pop_back();
  return taking.count(name) > 0;
}

// Operations that take CPU tensors of any shape as indices; each is copied to the device first.
inline bool takes_host_indices(const std::string &name) {
  static const std::set<std::string> taking{"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"};
  return taking.count(name) > 0;
}

// Launches of an operation on lists, by the limits of `multi_tensor_apply`; none where the tensors do not go together, so
// that each is computed by itself.
inline std::optional<int64_t> list_launches(const std::string &name, const std::vector<std::vector<at::Tensor>> &lists,
                                            const std::vector<at::Scalar> &scalars) {
  const std::vector<at::TensorList> views(lists.begin(), lists.end());
  const bool together = name == "aten::_foreach_copy_"
                            ? at::native::_check_tensors_share_sizes_and_strides(views)
                            : at::native::check_fast_path_restrictions(views, scalars, name == "aten::_foreach_lerp_");
  if (!together)
    return std::nullopt;
  constexpr int64_t kChunk = 65536, kChunksAtOnce = 320;
  static const int64_t tensors_at_once[] = {110, 64, 48, 36, 30};
  const size_t depth = std::min<size_t>(lists.size() + (name == "aten::_foreach_sqrt"), 5);
  int64_t launches = 0, tensors = 0, chunks = 0;
  for (const auto &tensor : lists[0]) {
    const int64_t own = (tensor.numel() + kChunk - 1) / kChunk;
    tensors += own > 0;
    for (int64_t chunk = 1; chunk <= own; ++chunk) {
      const bool is_last = chunk == own;
      if (++chunks == kChunksAtOnce || (is_last && tensors == tensors_at_once[depth - 1])) {
        ++launches;
        chunks = 0;
        tensors = is_last ? 0 : 1;
      }
    }
  }
  launches += chunks > 0;
  return name == "aten::_foreach_norm" ? launches + 1 : launches;
}

// Launches of any other operation.
inline int64_t launches(const std::string &name) {
  static const std::map<std::string, int64_t> others{
      {"aten::native_batch_norm", 3},          {"aten::native_batch_norm_backward", 2}, {"aten::bincount", 3},
      {"aten::resize_", 0},                    {"aten::set_", 0},                       {"aten::unfold", 0},
      {"aten::_local_scalar_dense", 0},
  };
  const auto found = others.find(name);
  return found == others.end() ? 1 : found->second;
}

// Counts the kernels of an operation on a device, which has to have them.
inline void launch(c10::DeviceIndex device, const std::string &name, Count count) {
  TORCH_CHECK(count.launches == 0 || has_kernels(device),
              "CUDA error: no kernel image is available for execution on the device\n"
              "CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be "
              "incorrect.");
  count.calls = 1;
  counts().add(name, count);
}

} // namespace standin
