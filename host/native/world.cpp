// Several processes that train as one, by libtorch's own c10d, for src/native/c10d.rs.
//
// Errors are returned as in shim.cpp; tensors cross as at::Tensor*.

#define USE_C10D_GLOO 1
#include "collectives.h"
#include "guarded.h"
#include "nccl.h"
#include "sync_batch_norm.h"

#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <cstdlib>

using at::Tensor;
using std::chrono::milliseconds;

namespace {

struct Store {
  c10::intrusive_ptr<c10d::Store> store;
};

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroup> group;
};

struct Work {
  c10::intrusive_ptr<c10d::Work> work;
};

// Sums a bucket of gradients where c10d would take the mean: every process holds its own rows' part of the whole.
struct SumHook : c10d::CppCommHookInterface<c10::intrusive_ptr<c10d::ProcessGroup>> {
  using CppCommHookInterface::CppCommHookInterface;

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket &bucket) override {
    std::vector<Tensor> list{bucket.getBufferRef()};
    auto future = noticing([&] {
      auto work = state_->allreduce(list);
      under_way().add(work);
      return work->getFuture();
    });
    future->addCallback([](c10::ivalue::Future &done) {
      if (done.hasError())
        broken = true;
    });
    return future;
  }
};

// Bytes of gradients that go together; the first ones, which are ready last, in less.
constexpr size_t BUCKET = 25 << 20, FIRST_BUCKET = 1 << 20;

char *text_of(const std::vector<uint8_t> &bytes) { return strndup(reinterpret_cast<const char *>(bytes.data()), bytes.size()); }

std::vector<uint8_t> bytes_of(const char *text) { return {text, text + strlen(text)}; }

} // namespace

extern "C" {

// Whether a collective failed within a forward or a backward pass.
bool world_is_broken() { return broken; }

// listen_fd: a socket that listens already, or -1. Waits `ms` for the server; so does every request.
char *world_store(const char *host, uint16_t port, bool serve, int listen_fd, int64_t ms, Store **out) {
  return guarded([&] {
    // Its warnings are for programmers and come with backtraces; what matters is thrown as well.
    setenv("TORCH_CPP_LOG_LEVEL", "FATAL", 0);
    // c10d's flight recorder notes every collective, and new groups without a lock: those of two threads at once end the
    // process by a segmentation fault.
    setenv("TORCH_FR_BUFFER_SIZE", "0", 1);
    c10::initLogging();
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = serve;
    options.waitWorkers = false;
    options.timeout = milliseconds(ms);
    if (listen_fd >= 0)
      options.masterListenFd = listen_fd;
    *out = new Store{c10::make_intrusive<c10d::TCPStore>(host, options)};
  });
}

void world_store_free(Store *store) { delete store; }

char *world_store_set(Store *store, const char *key, const char *value) {
  return guarded([&] { store->store->set(key, bytes_of(value)); });
}

// The value, once there is one.
char *world_store_get(Store *store, const char *key, char **out) {
  return guarded([&] { *out = text_of(store->store->get(key)); });
}

// Sets the value where there is none; out: the value that there is now.
char *world_store_claim(Store *store, const char *key, const char *value, char **out) {
  return guarded([&] { *out = text_of(store->store->compareSet(key, {}, bytes_of(value))); });
}

char *world_store_add(Store *store, const char *key, int64_t amount, int64_t *out) {
  return guarded([&] { *out = store->store->add(key, amount); });
}

char *world_store_has(Store *store, const char *key, bool *out) {
  return guarded([&] { *out = store->store->check({key}); });
}

// out: whether the key was there within `ms`.
char *world_store_wait(Store *store, const char *key, int64_t ms, bool *out) {
  return guarded([&] {
    try {
      store->store->wait({key}, milliseconds(ms));
      *out = true;
    } catch (const c10::DistStoreError &) {
      *out = false;
    }
  });
}

// hostname: what the group's address is found by; null: as GLOO_SOCKET_IFNAME says.
char *world_group(Store *store, const char *name, int rank, int size, const char *hostname, int64_t ms, Group **out) {
  return guarded([&] {
    auto options = c10d::ProcessGroupGloo::Options::create(milliseconds(ms));
    options->devices = {hostname ? c10d::ProcessGroupGloo::createDeviceForHostname(hostname)
                                 : c10d::ProcessGroupGloo::createDeviceForInterface(getenv("GLOO_SOCKET_IFNAME"))};
    auto prefixed = c10::make_intrusive<c10d::PrefixStore>(name, store->store);
    auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(prefixed, rank, size, options);
    auto group = c10::make_intrusive<c10d::ProcessGroup>(prefixed, rank, size);
    for (auto device : {c10::DeviceType::CPU, c10::DeviceType::CUDA})
      group->setBackend(device, c10d::ProcessGroup::BackendType::GLOO, gloo);
    group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    group->setGroupName(name);
    *out = new Group{group};
  });
}

bool world_has_nccl() { return Nccl().is_there(); }

// Collectives of CUDA tensors are NCCL's from now on.
char *world_use_nccl(Group *group, Store *store, const char *name, int rank, int size, int64_t ms) {
  return guarded([&] {
    Nccl nccl;
    TORCH_CHECK(nccl.is_there(), "libtorch has no NCCL");
    // A collective that hangs ends the process, should nobody ask whether it is overdue, and without files of its own.
    for (auto [variable, value] : {std::pair{"TORCH_NCCL_ASYNC_ERROR_HANDLING", "1"}, {"TORCH_NCCL_ENABLE_MONITORING", "0"}})
      setenv(variable, value, 0);
    auto backend = nccl.make(c10::make_intrusive<c10d::PrefixStore>(name, store->store), rank, size, milliseconds(ms));
    group->group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, backend);
    under_way().begin();
  });
}

// Whether a collective of NCCL has taken longer than `ms`, or will never end.
bool world_is_overdue(int64_t ms) {
  try {
    return under_way().is_overdue(milliseconds(ms));
  } catch (...) {
    // A GPU that fails ends no exchange either.
    return true;
  }
}

void world_group_free(Group *group) { delete group; }

char *world_gather(Group *group, const Tensor *rows, Tensor **out) {
  return guarded([&] { *out = new Tensor(gather(*group->group, *rows)); });
}

char *world_sum(Group *group, const Tensor *tensor) {
  return guarded([&] { reduce(*group->group, *tensor, c10d::ReduceOp::SUM); });
}

char *world_broadcast(Group *group, const Tensor *tensor) {
  return guarded([&] {
    std::vector<Tensor> list{*tensor};
    exchange(group->group->broadcast(list));
  });
}

// Begins to replace the tensor by the element-wise maximum over the processes.
char *world_max(Group *group, const Tensor *tensor, Work **out) {
  return guarded([&] {
    c10d::AllreduceOptions options;
    options.reduceOp = c10d::ReduceOp::MAX;
    std::vector<Tensor> list{*tensor};
    *out = new Work{group->group->allreduce(list, options)};
  });
}

// Frees the work.
char *world_wait(Work *work) {
  std::unique_ptr<Work> owned(work);
  return guarded([&] { wait_for(owned->work); });
}

// Waits for something from a process that sends nothing, which fails when it is gone.
char *world_watch(Group *group, int process) {
  return guarded([&] {
    std::vector<Tensor> list{at::zeros({1}, at::kByte)};
    group->group->recv(list, process, 0)->wait();
  });
}

// Synchronises batch norms of this thread's training passes over the group; null: no longer.
char *world_synchronise(Group *group) {
  return guarded([&] {
    override_batch_norm();
    if (group)
      synchronised_over = group->group;
    else
      synchronised_over.reset();
  });
}

char *world_reducer(Group *group, Tensor *const *parameters, size_t n, c10d::Reducer **out) {
  return guarded([&] {
    std::vector<Tensor> list;
    for (size_t i = 0; i < n; ++i)
      list.push_back(*parameters[i]);
    const std::vector<bool> sparse(n, false);
    auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(list, {FIRST_BUCKET, BUCKET}, sparse);
    std::reverse(buckets.begin(), buckets.end());
    // Parameters that a loss does not reach are looked for in its graph: third parties' encoders may have some.
    auto reducer = std::make_unique<c10d::Reducer>(list, buckets, group->group, sparse, BUCKET, true, false,
                                                   std::unordered_map<size_t, std::string>{}, FIRST_BUCKET, false,
                                                   false, std::vector<int64_t>{});
    reducer->register_comm_hook(std::make_unique<SumHook>(group->group));
    *out = reducer.release();
  });
}

// What is computed backwards from `output` next gives the gradients to sum.
char *world_reducer_arm(c10d::Reducer *reducer, const Tensor *output) {
  return guarded([&] {
    reducer->prepare_for_forward();
    reducer->prepare_for_backward({*output});
  });
}

char *world_reducer_free(c10d::Reducer *reducer) {
  return guarded([&] { delete reducer; });
}

} // extern "C"
