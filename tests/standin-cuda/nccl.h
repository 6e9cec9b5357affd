// c10d's group over NCCL, as far as processes of this machine need it: what it sums and sends goes by Gloo. The program finds
// its two constructors by their names, as in the real library.
#pragma once

#include "exchange.h"

namespace c10d {

class ProcessGroupNCCL final : public Backend {
public:
  struct Options final : Backend::Options {
    explicit Options(bool is_high_priority_stream);
  };

  ProcessGroupNCCL(c10::intrusive_ptr<Store> store, int rank, int size, c10::intrusive_ptr<Options> options);

  const std::string getBackendName() const override { return "nccl"; }

  c10::intrusive_ptr<Work> allreduce(std::vector<at::Tensor> &tensors, const AllreduceOptions &options) override {
    return gloo(tensors.at(0)).allreduce(tensors, options);
  }

  c10::intrusive_ptr<Work> broadcast(std::vector<at::Tensor> &tensors, const BroadcastOptions &options) override {
    return gloo(tensors.at(0)).broadcast(tensors, options);
  }

  c10::intrusive_ptr<Work> _allgather_base(at::Tensor &out, at::Tensor &in, const AllgatherOptions &options) override {
    return gloo(in)._allgather_base(out, in, options);
  }

private:
  // The real one refuses the host's memory, and strided rows.
  ProcessGroupGloo &gloo(const at::Tensor &tensor) {
    TORCH_CHECK(tensor.is_cuda() && tensor.is_contiguous(), "NCCL takes contiguous tensors of GPUs");
    return *gloo_;
  }

  c10::intrusive_ptr<ProcessGroupGloo> gloo_;
};

ProcessGroupNCCL::Options::Options(bool) : Backend::Options("nccl") {}

ProcessGroupNCCL::ProcessGroupNCCL(c10::intrusive_ptr<Store> store, int rank, int size, c10::intrusive_ptr<Options> options)
    : Backend(rank, size) {
  // On a GPU, what another process does not join hangs, and fails no call.
  auto gloo = ProcessGroupGloo::Options::create(std::chrono::hours(24));
  gloo->devices = {ProcessGroupGloo::createDeviceForHostname("127.0.0.1")};
  gloo_ = c10::make_intrusive<ProcessGroupGloo>(store, rank, size, gloo);
}

// The room that the program has for them.
static_assert(sizeof(ProcessGroupNCCL::Options) <= 2 * 0xf8 && sizeof(ProcessGroupNCCL) <= 2 * 0x458);

} // namespace c10d
