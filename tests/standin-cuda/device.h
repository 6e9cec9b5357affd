// Devices and their one stream, as libtorch asks for them.
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace standin {

inline void wait_for_device(const char *by) { counts().add(by, {1, 0, 1}); }

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::kCUDA; }
  c10::Device getDevice() const override { return {c10::kCUDA, current_device}; }
  c10::Device exchangeDevice(c10::Device device) const override {
    const auto before = getDevice();
    setDevice(device);
    return before;
  }
  void setDevice(c10::Device device) const override {
    if (device.has_index())
      current_device = device.index();
  }
  void uncheckedSetDevice(c10::Device device) const noexcept override { setDevice(device); }
  c10::Stream getStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  c10::Stream getStreamFromGlobalPool(c10::Device device, bool) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return getStream(stream.device()); }
  c10::DeviceIndex deviceCount() const noexcept override { return devices(); }
  void record(void **, const c10::Stream &, const c10::DeviceIndex, const c10::EventFlag) const override {}
  void block(void *, const c10::Stream &) const override {}
  bool queryEvent(void *) const override { return true; }
  void destroyEvent(void *, const c10::DeviceIndex) const noexcept override {}
  void synchronizeStream(const c10::Stream &) const override { wait_for_device("stream synchronised"); }
  void synchronizeDevice(const c10::DeviceIndex) const override { wait_for_device("device synchronised"); }
  void recordDataPtrOnStream(const c10::DataPtr &, const c10::Stream &) const override {}
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard)

} // namespace standin

namespace at {

struct StandInHooks final : CUDAHooksInterface {
  explicit StandInHooks(CUDAHooksArgs) {}

  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return deviceCount() > 0; }
  bool hasCUDA() const override { return deviceCount() > 0; }
  void init() const override { standin::is_initialised = true; }
  bool hasPrimaryContext(DeviceIndex) const override { return standin::is_initialised; }
  std::string showConfig() const override { return "stand-in for CUDA"; }
  long versionCUDART() const override { return 13000; }

  DeviceIndex deviceCount() const override { return standin::devices(); }
  int getNumGPUs() const override { return standin::devices(); }
  DeviceIndex current_device() const override { return standin::current_device; }
  DeviceIndex getCurrentDevice() const override { return standin::current_device; }
  void setCurrentDevice(DeviceIndex device) const override { standin::current_device = device; }
  DeviceIndex exchangeDevice(DeviceIndex device) const override { return std::exchange(standin::current_device, device); }
  DeviceIndex maybeExchangeDevice(DeviceIndex device) const override {
    return device < 0 ? standin::current_device : exchangeDevice(device);
  }
  Device getDeviceFromPtr(void *) const override { return {kCUDA, standin::current_device}; }
  void deviceSynchronize(DeviceIndex) const override { standin::wait_for_device("device synchronised"); }

  bool isPinnedPtr(const void *data) const override { return standin::pinned_allocator.is_pinned(data); }
  Allocator *getPinnedMemoryAllocator() const override { return &standin::pinned_allocator; }
  Allocator *getCUDADeviceAllocator() const override { return &standin::device_allocator; }

  // Seeding asks for the generator of every device.
  const Generator &getDefaultGenerator(DeviceIndex device) const override {
    if (device == 0)
      standin::counts().end_stage();
    return detail::getDefaultCPUGenerator();
  }
  Generator getNewGenerator(DeviceIndex) const override { return detail::createCPUGenerator(); }

  bool hasCuDNN() const override { return true; }
  bool compiledWithCuDNN() const override { return true; }
  long versionCuDNN() const override { return 91900; }
  long versionRuntimeCuDNN() const override { return 91900; }
  bool supportsDilatedConvolutionWithCuDNN() const override { return true; }
  bool supportsBFloat16ConvolutionWithCuDNNv8() const override {
    return standin::capability(standin::current_device) >= std::pair(8, 0);
  }
  bool supportsBFloat16RNNWithCuDNN() const override { return supportsBFloat16ConvolutionWithCuDNNv8(); }
  double batchnormMinEpsilonCuDNN() const override { return 0.0; }
};

using CUDAHooks = StandInHooks;
REGISTER_CUDA_HOOKS(CUDAHooks)

} // namespace at
