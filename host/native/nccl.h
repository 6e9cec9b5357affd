// c10d's group over NCCL, made without its header.
#pragma once

#include <c10/util/Exception.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>

#include <dlfcn.h>

namespace {

using std::chrono::milliseconds;

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

} // namespace
