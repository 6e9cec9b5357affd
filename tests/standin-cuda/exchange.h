// Sums over processes by Gloo. What exchanges the host's memory is in libtorch's CPU half; for tensors of a device, it asks
// the CUDA half for the work.
#pragma once

#define USE_C10D_GLOO 1

#include <c10/util/Registry.h>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

namespace c10d {

// Of ProcessGroupGlooDetail.hpp, which draws in headers that libtorch does not ship.
TORCH_DECLARE_TYPED_REGISTRY(GlooAllreduceRegistry, c10::DeviceType, ProcessGroupGloo::AsyncWork, c10::intrusive_ptr,
                             std::shared_ptr<gloo::Context>, std::vector<at::Tensor> &, ReduceOp, uint32_t, uint64_t,
                             std::chrono::milliseconds);

} // namespace c10d

namespace standin {

using GlooWork = c10d::ProcessGroupGloo::AsyncWork;

class Sum final : public GlooWork {
public:
  Sum(std::shared_ptr<gloo::Context> context, std::vector<at::Tensor> &tensors, c10d::ReduceOp operation, uint32_t tag,
      uint64_t sequence, std::chrono::milliseconds timeout)
      : GlooWork(context, {tensors}, c10d::OpType::ALLREDUCE, sequence, timeout, "gloo:all_reduce", tensors),
        tensors_(tensors), aliases_("gloo:all_reduce") {
    std::vector<at::Tensor> on_host;
    for (const auto &tensor : tensors) {
      const int64_t bytes = tensor.nbytes();
      launch(tensor.device().index(), "exchange between processes", {0, 0, 0, bytes, bytes});
      on_host.push_back(aliases_.on_host(tensor));
    }
    work_ = c10d::GlooAllreduceRegistry()->Create(c10::kCPU, context, on_host, operation, tag, sequence, timeout);
  }

  // On a thread of Gloo's.
  void run() override { work_->run(); }

  const std::vector<at::Tensor> getInputTensors() override { return tensors_; }
  const std::vector<at::Tensor> getOutputTensors() override { return tensors_; }

private:
  std::vector<at::Tensor> tensors_;
  Aliases aliases_;
  c10::intrusive_ptr<GlooWork> work_;
};

inline const bool sums_are_registered = [] {
  c10d::GlooAllreduceRegistry()->Register(
      c10::kCUDA,
      [](std::shared_ptr<gloo::Context> context, std::vector<at::Tensor> &tensors, c10d::ReduceOp operation, uint32_t tag,
         uint64_t sequence, std::chrono::milliseconds timeout) -> c10::intrusive_ptr<GlooWork> {
        return c10::make_intrusive<Sum>(context, tensors, operation, tag, sequence, timeout);
      });
  return true;
}();

} // namespace standin
