// Collectives of tensors: waiting for them, and noticing those that fail or hang.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>

namespace {

using at::Tensor;
using std::chrono::milliseconds;

// Whether a collective has failed where Rust did not see it: in a forward pass, or in a backward pass.
std::atomic<bool> broken{false};

template <typename F> auto noticing(F &&collective) {
  try {
    return collective();
  } catch (...) {
    broken = true;
    throw;
  }
}

void wait_for(const c10::intrusive_ptr<c10d::Work> &work) {
  noticing([&] { work->wait(); });
}

// Collectives of GPUs that the host does not wait for, in their order: one that hangs fails no call, and the next one that needs
// a result from the device waits for ever.
class UnderWay {
public:
  using Clock = std::chrono::steady_clock;

  void begin() { begun_ = true; }

  void add(const c10::intrusive_ptr<c10d::Work> &work) {
    if (!begun_)
      return;
    std::lock_guard guard(lock_);
    if (works_.empty())
      first_since_ = Clock::now();
    works_.push_back(work);
  }

  // Whether one has been the first of those that have not ended for longer than that.
  bool is_overdue(milliseconds time) {
    std::lock_guard guard(lock_);
    while (!works_.empty() && works_.front()->isCompleted()) {
      works_.pop_front();
      first_since_ = Clock::now();
    }
    return !works_.empty() && Clock::now() - first_since_ > time;
  }

private:
  std::atomic<bool> begun_{false};
  std::mutex lock_;
  std::deque<c10::intrusive_ptr<c10d::Work>> works_;
  Clock::time_point first_since_;
};

// Never destroyed: a thread may ask for it while the process ends.
UnderWay &under_way() {
  static auto *all = new UnderWay;
  return *all;
}

void exchange(const c10::intrusive_ptr<c10d::Work> &work) {
  under_way().add(work);
  wait_for(work);
}

void reduce(c10d::ProcessGroup &group, const Tensor &tensor, c10d::ReduceOp::RedOpType operation) {
  c10d::AllreduceOptions options;
  options.reduceOp = operation;
  std::vector<Tensor> list{tensor};
  exchange(group.allreduce(list, options));
}

// [n, ...] of each process, one above the other in the order of their ranks.
Tensor gather(c10d::ProcessGroup &group, const Tensor &rows) {
  auto in = rows.contiguous();
  auto sizes = in.sizes().vec();
  sizes[0] *= group.getSize();
  auto out = at::empty(sizes, in.options());
  exchange(group._allgather_base(out, in));
  return out;
}

} // namespace
