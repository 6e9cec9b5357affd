// The devices' memory, and the host's memory that is pinned for copies.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Storage.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <cstring>
#include <sys/mman.h>

namespace standin {

// The real library knows its devices from the first use of CUDA on.
inline std::atomic<bool> is_initialised{false};

inline thread_local c10::DeviceIndex current_device = 0;

// Memory that is readable and writable by the kernels alone that it is an argument of, under STANDIN_PROTECT.
class Pages {
public:
  static Pages &all() {
    static auto *pages = new Pages;
    return *pages;
  }

  void *take(size_t bytes) {
    std::lock_guard<std::mutex> guard(lock_);
    bytes = (bytes + kPage - 1) / kPage * kPage;
    auto &free = free_[bytes];
    if (free.empty()) {
      TORCH_CHECK(used_ + bytes <= kBytes, "STANDIN_PROTECT: all of ", kBytes, " bytes are used");
      free.push_back(start_ + used_);
      used_ += bytes;
    }
    void *block = free.back();
    free.pop_back();
    blocks_[block] = {bytes, 0};
    return block;
  }

  void give_back(void *block) {
    std::lock_guard<std::mutex> guard(lock_);
    const auto found = blocks_.find(block);
    mprotect(block, found->second.bytes, PROT_NONE);
    free_[found->second.bytes].push_back(block);
    blocks_.erase(found);
  }

  // Memory that is none of these pages is left alone.
  void open(void *block) {
    std::lock_guard<std::mutex> guard(lock_);
    const auto found = blocks_.find(block);
    if (found != blocks_.end() && found->second.kernels++ == 0)
      mprotect(block, found->second.bytes, PROT_READ | PROT_WRITE);
  }

  void close(void *block) {
    std::lock_guard<std::mutex> guard(lock_);
    const auto found = blocks_.find(block);
    if (found != blocks_.end() && found->second.kernels > 0 && --found->second.kernels == 0)
      mprotect(block, found->second.bytes, PROT_NONE);
  }

private:
  static constexpr size_t kBytes = size_t{16} << 30, kPage = 4096;

  struct Block {
    size_t bytes;
    int kernels;
  };

  Pages() : start_(static_cast<char *>(mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    TORCH_CHECK(start_ != MAP_FAILED, "STANDIN_PROTECT: no address space");
  }

  std::mutex lock_;
  char *start_;
  size_t used_ = 0;
  std::map<void *, Block> blocks_;
  std::map<size_t, std::vector<void *>> free_;
};

// The time in which a kernel may reach memory of a device.
class Opened {
public:
  explicit Opened(const void *block) : block_(is_protected() ? const_cast<void *>(block) : nullptr) {
    if (block_)
      Pages::all().open(block_);
  }
  ~Opened() {
    if (block_)
      Pages::all().close(block_);
  }
  Opened(const Opened &) = delete;

private:
  void *block_;
};

struct Usage {
  std::atomic<int64_t> held{0}, peak{0};

  void take(int device, int64_t bytes) {
    const int64_t now = held += bytes;
    if (now > memory()) {
      held -= bytes;
      TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate ", bytes, " bytes. GPU ", device,
                       " has a total capacity of ", memory(), " bytes of which ", memory() - held, " bytes are free.");
    }
    int64_t seen = peak;
    while (now > seen && !peak.compare_exchange_weak(seen, now)) {
    }
  }
};

inline Usage &usage(int device) {
  static auto *all = new std::vector<Usage>(devices());
  return all->at(device);
}

// A piece of device memory: pages of its own, or a storage of the CPU's allocator.
struct Block {
  c10::DeviceIndex device;
  int64_t bytes;
  void *pages;
  c10::Storage storage;

  static void release(void *context) {
    auto *block = static_cast<Block *>(context);
    usage(block->device).held -= block->bytes;
    if (block->pages)
      Pages::all().give_back(block->pages);
    delete block;
  }
};

inline c10::Storage host_storage(int64_t bytes) {
  return {c10::Storage::use_byte_size_t(), bytes, c10::GetAllocator(c10::kCPU), true};
}

// The content of a CPU storage as memory of a device; the storage itself where memory is not protected.
inline c10::DataPtr on_device(const c10::Storage &cpu, c10::DeviceIndex device) {
  const int64_t bytes = cpu.nbytes();
  usage(device).take(device, bytes);
  auto *block = new Block{device, bytes, nullptr, {}};
  void *data = const_cast<void *>(cpu.data());
  if (is_protected() && bytes > 0) {
    block->pages = Pages::all().take(bytes);
    Opened opened(block->pages);
    std::memcpy(block->pages, data, bytes);
    data = block->pages;
  } else {
    block->storage = cpu;
  }
  return {data, block, &Block::release, c10::Device(c10::kCUDA, device)};
}

struct DeviceAllocator final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0)
      return {nullptr, c10::Device(c10::kCUDA, current_device)};
    return on_device(host_storage(bytes), current_device);
  }
  void copy_data(void *to, const void *from, size_t bytes) const override {
    Opened target(to), source(from);
    std::memcpy(to, from, bytes);
  }
  bool initialized() override { return is_initialised; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr &, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex device) override {
    ensure_known(device);
    c10::CachingDeviceAllocator::DeviceStats stats{};
    stats.allocated_bytes[0].current = usage(device).held;
    stats.allocated_bytes[0].peak = usage(device).peak;
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex device) override { ensure_known(device); }
  void resetPeakStats(c10::DeviceIndex device) override {
    ensure_known(device);
    usage(device).peak = usage(device).held.load();
  }
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex device) override {
    ensure_known(device);
    return {memory() - usage(device).held, memory()};
  }

private:
  static void ensure_known(c10::DeviceIndex device) {
    TORCH_CHECK(is_initialised && device >= 0 && device < devices(), "Invalid device argument ", int(device),
                ": did you call init?");
  }
};

inline DeviceAllocator device_allocator;

// Host memory that the device copies from without the host's help.
struct PinnedAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    auto *storage = new c10::Storage(host_storage(bytes));
    void *data = const_cast<void *>(storage->data());
    std::lock_guard<std::mutex> guard(lock_);
    ranges_[static_cast<const char *>(data)] = bytes;
    return {data, storage, &PinnedAllocator::release, c10::Device(c10::kCPU)};
  }
  void copy_data(void *to, const void *from, size_t bytes) const override { default_copy_data(to, from, bytes); }

  bool is_pinned(const void *data) {
    std::lock_guard<std::mutex> guard(lock_);
    auto after = ranges_.upper_bound(static_cast<const char *>(data));
    if (after == ranges_.begin())
      return false;
    const auto &[start, bytes] = *std::prev(after);
    return static_cast<const char *>(data) < start + bytes;
  }

private:
  static void release(void *context);

  std::mutex lock_;
  std::map<const char *, size_t> ranges_;
};

inline PinnedAllocator pinned_allocator;

inline void PinnedAllocator::release(void *context) {
  auto *storage = static_cast<c10::Storage *>(context);
  {
    std::lock_guard<std::mutex> guard(pinned_allocator.lock_);
    pinned_allocator.ranges_.erase(static_cast<const char *>(storage->data()));
  }
  delete storage;
}

struct Installed {
  Installed() { c10::SetAllocator(c10::kCUDA, &device_allocator); }
};
inline Installed installed;

} // namespace standin
