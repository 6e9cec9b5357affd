// A stand-in for NVIDIA's driver, libcuda.so.1: what it tells of the cards of `standin.cpp`.
#include "settings.h"

#include <cstring>

namespace {
constexpr int kSuccess = 0, kInvalidValue = 1, kNoDevice = 100;
constexpr int kMajor = 75, kMinor = 76;
} // namespace

extern "C" {

int cuInit(unsigned) { return standin::devices() ? kSuccess : kNoDevice; }

int cuDriverGetVersion(int *version) {
  *version = 13000;
  return kSuccess;
}

int cuDeviceGetCount(int *count) {
  *count = standin::devices();
  return kSuccess;
}

int cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return kSuccess;
}

int cuDeviceGetName(char *name, int length, int) {
  std::strncpy(name, "Stand-in", length);
  return kSuccess;
}

int cuDeviceGetUuid(char *uuid, int device) {
  std::memset(uuid, 0, 16);
  uuid[15] = static_cast<char>(standin::cards().at(device));
  return kSuccess;
}

int cuDeviceTotalMem_v2(size_t *bytes, int) {
  *bytes = standin::memory();
  return kSuccess;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  const auto [major, minor] = standin::capability(device);
  *value = attribute == kMajor ? major : minor;
  return attribute == kMajor || attribute == kMinor ? kSuccess : kInvalidValue;
}

} // extern "C"
