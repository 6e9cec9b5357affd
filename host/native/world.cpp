// Several processes that train as one, by libtorch's own c10d, for src/native/world.rs.
//
// Errors are returned as in shim.cpp; tensors cross as at::Tensor*.

#define USE_C10D_GLOO 1
#include "guarded.h"

#include <ATen/ATen.h>
#include <ATen/NativeFunctions.h>
#include <ATen/OpMathType.h>
#include <c10/util/Logging.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <torch/library.h>

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <mutex>

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

// The group that batch norms of this thread are synchronised over, and whether they are for now.
thread_local c10::intrusive_ptr<c10d::ProcessGroup> synchronised_over;

// Mean and sum of squared deviations of each channel, in float64. On the CPU var_mean takes six times as long, and what libtorch's
// batch norm uses there loses five digits of float32's seven by adding up in one number.
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

// c10d over NCCL lives in libtorch_cuda, which is opened at run time and may lack it; its header wants those of CUDA and NCCL. So
// its two constructors are looked up by their names (Itanium C++ ABI: an argument with a destructor is passed by the address of
// a copy), and its objects get twice the room that they take in libtorch 2.11.0, the only one that this program runs with.
struct Nccl {
  using Options = c10d::Backend::Options;
  using MakeOptions = void (*)(void *, bool is_high_priority_stream);
  using MakeGroup = void (*)(void *, c10::intrusive_ptr<c10d::Store> *, int rank, int size, c10::intrusive_ptr<Options> *);

  static constexpr size_t OPTIONS_SIZE = 2 * 0xf8, GROUP_SIZE = 2 * 0x458;

  MakeOptions make_options = reinterpret_cast<MakeOptions>(dlsym(RTLD_DEFAULT, "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb"));
  MakeGroup make_group = reinterpret_cast<MakeGroup>(
      dlsym(RTLD_DEFAULT, "_ZN4c10d16ProcessGroupNCCLC1EN3c1013intrusive_ptrINS_5StoreENS1_6detail34intrusive_target_default_"
                          "null_typeIS3_EEEEiiNS2_INS0_7OptionsENS5_IS8_EEEE"));

  bool is_there() const { return make_options && make_group; }

  c10::intrusive_ptr<c10d::Backend> make(c10::intrusive_ptr<c10d::Store> store, int rank, int size, milliseconds timeout) const {
    auto options = built<Options>(OPTIONS_SIZE, [&](void *room) { make_options(room, false); });
    TORCH_CHECK(options->backend == "nccl", "NCCL's options are not where they are expected; is this libtorch 2.11.0?");
    options->timeout = timeout;
    return built<c10d::Backend>(GROUP_SIZE, [&](void *room) { make_group(room, &store, rank, size, &options); });
  }

private:
  template <typename T, typename F> static c10::intrusive_ptr<T> built(size_t size, F &&construct) {
    void *room = operator new(size);
    try {
      construct(room);
    } catch (...) {
      operator delete(room);
      throw;
    }
    return c10::intrusive_ptr<T>::unsafe_steal_from_new(static_cast<T *>(room));
  }
};

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

// Whether a collective of NCCL has taken longer than `ms`.
bool world_is_overdue(int64_t ms) { return under_way().is_overdue(milliseconds(ms)); }

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
