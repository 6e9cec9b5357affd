// What cannot go through the fallback: memory, copies, views, and cuDNN's operations, which the CPU has under other names.
#pragma once

#include <ATen/EmptyTensor.h>
#include <ATen/native/ConvUtils.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/native_batch_norm.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/ops/view_native.h>

namespace standin {

using MaybeTensor = std::optional<at::Tensor>;
using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

// ---- memory and views ----

struct OnDevice {
  explicit OnDevice(std::optional<at::Device> device) : before(current_device) {
    is_initialised = true;
    if (device && device->has_index())
      current_device = device->index();
  }
  ~OnDevice() { current_device = before; }
  c10::DeviceIndex before;
};

inline at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                        std::optional<at::Device> device, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  OnDevice here(device);
  return at::detail::empty_generic(size, &device_allocator, c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                   type.value_or(at::kFloat), format);
}

inline at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> type,
                                std::optional<at::Layout>, std::optional<at::Device> device, std::optional<bool>) {
  OnDevice here(device);
  return at::detail::empty_strided_generic(size, stride, &device_allocator, c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                           type.value_or(at::kFloat));
}

// Nothing is freed before the one stream is done with it.
inline void record_stream(at::Tensor &, c10::Stream) {}

inline at::Tensor as_strided(const at::Tensor &tensor, at::IntArrayRef size, at::IntArrayRef stride,
                             std::optional<int64_t> offset) {
  return at::native::as_strided_tensorimpl(tensor, size, stride, offset);
}

// ---- copies ----

// From pageable memory, CUDA stages this much without waiting for what the device is computing.
constexpr int64_t kStaged = 65536;

inline void count_copy(const at::Tensor &to, const at::Tensor &from, bool non_blocking) {
  const int64_t cast = to.scalar_type() != from.scalar_type(), bytes = from.nbytes();
  const auto device = (to.is_cuda() ? to : from).device().index();
  if (!from.is_cuda()) {
    const bool pinned = pinned_allocator.is_pinned(from.storage().data());
    const bool waits = !non_blocking || (!pinned && bytes > kStaged);
    const char *how = !non_blocking ? "blocking" : pinned ? "pinned" : "staged";
    launch(device, std::string("copy up, ") + how, {0, cast, waits, bytes, 0});
  } else if (!to.is_cuda()) {
    launch(device, "copy down", {0, cast, 1, 0, bytes});
  } else {
    launch(device, cast ? "copy with a cast" : "copy", {0, 1});
  }
}

inline at::Tensor &copy(at::Tensor &self, const at::Tensor &source, bool non_blocking) {
  // From any device to any other.
  Aliases to("copy_"), from("copy_");
  auto target = to.on_host(self);
  const auto content = from.on_host(source);
  if (self.numel() > 0)
    count_copy(self, source, non_blocking);
  at::AutoDispatchBelowADInplaceOrView below;
  target.copy_(content);
  return self;
}

// ---- cuDNN ----

// Of the output, which transposed convolutions alone have.
constexpr std::array<int64_t, 2> kNoPadding{0, 0};

inline at::Tensor arranged(const at::Tensor &tensor, at::MemoryFormat format, c10::DeviceIndex device) {
  if (!tensor.is_contiguous(format))
    launch(device, "cuDNN: made contiguous", {0, 1});
  return tensor.contiguous(format);
}

// How a convolution was asked for, as a part of its name.
inline std::string cudnn_flags(bool benchmark, bool deterministic, bool tf32) {
  return std::string(benchmark ? " benchmark" : "") + (deterministic ? " deterministic" : "") + (tf32 ? " tf32" : "");
}

inline at::Tensor cudnn_convolution(const at::Tensor &input, const at::Tensor &weight, at::IntArrayRef padding,
                                    at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups, bool benchmark,
                                    bool deterministic, bool tf32) {
  Aliases aliases("cudnn_convolution");
  auto x = aliases.on_host(input), w = aliases.on_host(weight);
  aliases.check();
  TORCH_CHECK(x.scalar_type() == w.scalar_type(), "Input type (", x.scalar_type(), ") and weight type (", w.scalar_type(),
              ") should be the same");
  const auto format = at::native::cudnn_conv_suggest_memory_format(input, weight);
  const auto device = aliases.device();
  launch(device, "cudnn_convolution" + cudnn_flags(benchmark, deterministic, tf32), {0, 1});
  at::AutoDispatchBelowADInplaceOrView below;
  x = arranged(x, format, device);
  w = arranged(w, format, device);
  auto out = at::convolution(x, w, {}, stride, padding, dilation, false, kNoPadding, groups);
  return aliases.on_device(out.contiguous(format));
}

inline std::tuple<at::Tensor, at::Tensor> cudnn_convolution_backward(const at::Tensor &input, const at::Tensor &gradient,
                                                                     const at::Tensor &weight, at::IntArrayRef padding,
                                                                     at::IntArrayRef stride, at::IntArrayRef dilation,
                                                                     int64_t groups, bool benchmark,
                                                                     bool deterministic, bool tf32,
                                                                     std::array<bool, 2> wanted) {
  Aliases aliases("cudnn_convolution_backward");
  auto x = aliases.on_host(input), g = aliases.on_host(gradient), w = aliases.on_host(weight);
  aliases.check();
  const auto format = at::native::cudnn_conv_suggest_memory_format(input, weight);
  launch(aliases.device(), "cudnn_convolution_backward" + cudnn_flags(benchmark, deterministic, tf32),
         {0, wanted[0] + wanted[1]});
  at::AutoDispatchBelowADInplaceOrView below;
  g = arranged(g, format, aliases.device());
  auto [of_x, of_w, of_bias] = at::convolution_backward(g, x, w, at::OptionalIntArrayRef(), stride, padding, dilation, false,
                                                        kNoPadding, groups, {wanted[0], wanted[1], false});
  const auto back = [&](const at::Tensor &t) { return t.defined() ? aliases.on_device(t.contiguous(format)) : t; };
  return {back(of_x), back(of_w)};
}

inline std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>
cudnn_batch_norm(const at::Tensor &input, const at::Tensor &weight, const MaybeTensor &bias, const MaybeTensor &mean,
                 const MaybeTensor &variance, bool training, double momentum, double epsilon) {
  Aliases aliases("cudnn_batch_norm");
  const auto x = aliases.on_host(input), w = aliases.on_host(weight);
  const auto b = aliases.on_host(bias), m = aliases.on_host(mean), v = aliases.on_host(variance);
  aliases.check();
  launch(aliases.device(), "cudnn_batch_norm", {0, 1});
  const auto reserve = at::empty({0}, input.options().dtype(at::kByte));
  at::AutoDispatchBelowADInplaceOrView below;
  const auto [out, own_mean, own_deviation] = at::native_batch_norm(x, w, b, m, v, training, momentum, epsilon);
  return {aliases.on_device(out), aliases.on_device(own_mean), aliases.on_device(own_deviation), reserve};
}

inline Three cudnn_batch_norm_backward(const at::Tensor &input, const at::Tensor &gradient, const at::Tensor &weight,
                                       const MaybeTensor &mean, const MaybeTensor &variance, const MaybeTensor &own_mean,
                                       const MaybeTensor &own_deviation, double epsilon, const at::Tensor &) {
  Aliases aliases("cudnn_batch_norm_backward");
  const auto x = aliases.on_host(input), g = aliases.on_host(gradient), w = aliases.on_host(weight);
  const auto m = aliases.on_host(mean), v = aliases.on_host(variance);
  const auto om = aliases.on_host(own_mean), od = aliases.on_host(own_deviation);
  aliases.check();
  launch(aliases.device(), "cudnn_batch_norm_backward", {0, 1});
  at::AutoDispatchBelowADInplaceOrView below;
  const auto [of_x, of_w, of_b] = at::native_batch_norm_backward(g, x, w, m, v, om, od, true, epsilon, {true, true, true});
  return {aliases.on_device(of_x), aliases.on_device(of_w), aliases.on_device(of_b)};
}

// The plain formula.
inline int64_t attention_choice(const at::Tensor &, const at::Tensor &, const at::Tensor &, const MaybeTensor &, double, bool,
                                std::optional<double>, bool) {
  return 0;
}

struct Stubs {
  Stubs() {
    at::native::cudnn_convolution_backward_stub.set_cuda_dispatch_ptr(&cudnn_convolution_backward);
    at::native::_fused_sdp_choice_stub.set_cuda_dispatch_ptr(&attention_choice);
  }
};
inline Stubs stubs;

} // namespace standin

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&standin::fallback>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", TORCH_FN(standin::empty));
  library.impl("empty_strided", TORCH_FN(standin::empty_strided));
  library.impl("record_stream", TORCH_FN(standin::record_stream));
  library.impl("as_strided", TORCH_FN(standin::as_strided));
  library.impl("view", TORCH_FN(at::native::view));
  library.impl("_reshape_alias", TORCH_FN(at::native::_reshape_alias));
  library.impl("copy_", TORCH_FN(standin::copy));
  library.impl("cudnn_convolution", TORCH_FN(standin::cudnn_convolution));
  library.impl("cudnn_batch_norm", TORCH_FN(standin::cudnn_batch_norm));
  library.impl("cudnn_batch_norm_backward", TORCH_FN(standin::cudnn_batch_norm_backward));
  // CUDA has kernels of its own for lists; what the CPU's library has for every device takes them tensor by tensor.
  for (const char *name :
       {"_foreach_add_.Scalar", "_foreach_add_.List", "_foreach_mul_.Scalar", "_foreach_mul_.Tensor", "_foreach_addcmul_.Scalar",
        "_foreach_addcdiv_.Scalar", "_foreach_lerp_.Scalar", "_foreach_sqrt", "_foreach_norm.Scalar", "_foreach_copy_"})
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&standin::fallback>());
}
