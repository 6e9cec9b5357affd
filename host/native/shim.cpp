// What tch does not expose of libtorch, for src/native.rs.
//
// Every function that can throw catches C++ exceptions and returns their message, to be given back to shim_free, or null
// for success.
// Tensors cross as at::Tensor*, as in tch's own C interface.

#include "guarded.h"

#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DeviceGuard.h>
#include <torch/headeronly/version.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

// Of <ATen/autocast_mode.h>, which draws in every operator that there is.
namespace at::autocast {
TORCH_API bool is_autocast_enabled(at::DeviceType device_type);
TORCH_API void set_autocast_enabled(at::DeviceType device_type, bool enabled);
TORCH_API at::ScalarType get_autocast_dtype(at::DeviceType device_type);
TORCH_API void set_autocast_dtype(at::DeviceType device_type, at::ScalarType dtype);
TORCH_API void clear_cache();
TORCH_API int increment_nesting();
TORCH_API int decrement_nesting();
} // namespace at::autocast

namespace {

using Tensors = at::Tensor *const *;

// libtorch refuses empty lists, for which there is nothing to do.
template <typename F> char *for_list(size_t n, F &&body) { return n == 0 ? nullptr : guarded(body); }

std::vector<at::Tensor> list(Tensors tensors, size_t n) {
  std::vector<at::Tensor> result;
  result.reserve(n);
  for (size_t i = 0; i < n; ++i)
    result.push_back(*tensors[i]);
  return result;
}

void give(std::vector<at::Tensor> &&results, at::Tensor **out) {
  for (size_t i = 0; i < results.size(); ++i)
    out[i] = new at::Tensor(std::move(results[i]));
}

at::DeviceType device_type(bool cuda) { return cuda ? at::kCUDA : at::kCPU; }

} // namespace

extern "C" {

void shim_free(char *message) { free(message); }

char *shim_to_channels_last(const at::Tensor *tensor, at::Tensor **out) {
  return guarded([&] { *out = new at::Tensor(tensor->contiguous(at::MemoryFormat::ChannelsLast)); });
}

// A copy in memory that the device copies from without the host's help.
char *shim_pin(const at::Tensor *tensor, at::Tensor **out) {
  return guarded([&] { *out = new at::Tensor(tensor->pin_memory()); });
}

// Enters bfloat16 autocast and returns what was set before, for shim_autocast_leave.
char *shim_autocast_enter(bool cuda, bool half, bool *was_enabled, int8_t *old_dtype) {
  return guarded([&] {
    auto device = device_type(cuda);
    *was_enabled = at::autocast::is_autocast_enabled(device);
    *old_dtype = static_cast<int8_t>(at::autocast::get_autocast_dtype(device));
    at::autocast::set_autocast_dtype(device, half ? at::kHalf : at::kBFloat16);
    at::autocast::set_autocast_enabled(device, true);
    at::autocast::increment_nesting();
  });
}

char *shim_autocast_leave(bool cuda, bool was_enabled, int8_t old_dtype) {
  return guarded([&] {
    auto device = device_type(cuda);
    // The cache holds the weights' 16-bit copies, which the next optimiser step makes stale.
    if (at::autocast::decrement_nesting() == 0)
      at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device, was_enabled);
    at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(old_dtype));
  });
}

char *shim_foreach_mul_scalar(Tensors tensors, size_t n, double factor) {
  return for_list(n, [&] { at::_foreach_mul_(list(tensors, n), factor); });
}

char *shim_foreach_mul_tensor(Tensors tensors, size_t n, const at::Tensor *factor) {
  return for_list(n, [&] { at::_foreach_mul_(list(tensors, n), *factor); });
}

char *shim_foreach_copy(Tensors tensors, Tensors sources, size_t n) {
  return for_list(n, [&] { at::_foreach_copy_(list(tensors, n), list(sources, n)); });
}

// Leaves the tensors as if no backward pass had reached them. Where there is a gradient, nothing here can throw.
void shim_drop_gradients(Tensors tensors, size_t n) {
  for (size_t i = 0; i < n; ++i)
    if (tensors[i]->grad().defined())
      tensors[i]->mutable_grad().reset();
}

char *shim_foreach_add_scalar(Tensors tensors, size_t n, double term) {
  return for_list(n, [&] { at::_foreach_add_(list(tensors, n), term); });
}

char *shim_foreach_add(Tensors tensors, Tensors others, size_t n, double alpha) {
  return for_list(n, [&] { at::_foreach_add_(list(tensors, n), list(others, n), alpha); });
}

char *shim_foreach_addcmul(Tensors tensors, Tensors a, Tensors b, size_t n, double value) {
  return for_list(n, [&] { at::_foreach_addcmul_(list(tensors, n), list(a, n), list(b, n), value); });
}

char *shim_foreach_addcdiv(Tensors tensors, Tensors a, Tensors b, size_t n, double value) {
  return for_list(n, [&] { at::_foreach_addcdiv_(list(tensors, n), list(a, n), list(b, n), value); });
}

char *shim_foreach_lerp(Tensors tensors, Tensors ends, size_t n, double weight) {
  return for_list(n, [&] { at::_foreach_lerp_(list(tensors, n), list(ends, n), weight); });
}

char *shim_foreach_sqrt(Tensors tensors, size_t n, at::Tensor **out) {
  return for_list(n, [&] { give(at::_foreach_sqrt(list(tensors, n)), out); });
}

char *shim_foreach_norm(Tensors tensors, size_t n, at::Tensor **out) {
  return for_list(n, [&] { give(at::_foreach_norm(list(tensors, n), 2), out); });
}

// out: most bytes that tensors held since the start.
char *shim_cuda_peak(int8_t index, uint64_t *out) {
  return guarded([&] { *out = c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(index).allocated_bytes[0].peak; });
}

// out: bytes free on the device.
char *shim_cuda_free(int8_t index, uint64_t *out) {
  return guarded([&] { *out = c10::getDeviceAllocator(at::kCUDA)->getMemoryInfo(index).first; });
}

// out: whether cuDNN convolves in bfloat16 on the device, which it does from compute capability 8.0.
char *shim_cuda_bfloat16(int8_t index, bool *out) {
  return guarded([&] {
    c10::DeviceGuard guard(c10::Device(at::kCUDA, index));
    *out = at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8();
  });
}

// Whether float32 products and convolutions may round their factors to TF32, and whether cuDNN must use algorithms that add up in
// the same order each time; otherwise it tries which is the fastest for each shape.
void shim_cuda_arithmetic(bool tf32, bool deterministic) {
  auto &context = at::globalContext();
  context.setAllowTF32CuBLAS(tf32);
  context.setAllowTF32CuDNN(tf32);
  context.setDeterministicCuDNN(deterministic);
  context.setBenchmarkCuDNN(!deterministic);
}

// out: the versions of CUDA's runtime, as 13000, and of cuDNN, as 91900, 0 without it.
char *shim_cuda_versions(int64_t *runtime, int64_t *cudnn) {
  return guarded([&] {
    const auto &hooks = at::detail::getCUDAHooks();
    *runtime = hooks.versionCUDART();
    *cudnn = hooks.hasCuDNN() ? hooks.versionRuntimeCuDNN() : 0;
  });
}

// The text is to be given back to shim_free.
char *shim_cpu_capability(char **out) {
  return guarded([&] { *out = strdup(at::get_cpu_capability().c_str()); });
}

const char *shim_libtorch_version() { return TORCH_VERSION; }

} // extern "C"
