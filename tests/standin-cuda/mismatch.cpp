// Plants mistakes that a CPU never notices, and says of each whether the stand-in refuses it: `refused` or `accepted`, a
// tab, and what was done. With the argument `stray`, reads device memory on the host instead.
#include <ATen/ATen.h>

#include <cstdio>
#include <dlfcn.h>
#include <string>

namespace {

template <typename F> void attempt(const char *what, F &&body) {
  try {
    body();
    std::printf("accepted\t%s\n", what);
  } catch (const c10::Error &error) {
    const std::string words = error.what_without_backtrace();
    const auto says = [&](const char *part) { return words.find(part) != std::string::npos; };
    const bool is_refused = says("Expected all tensors to be on the same device") || says("weight type (CPUFloatType)");
    std::printf("%s\t%s\n", is_refused ? "refused" : words.c_str(), what);
  }
}

} // namespace

int main(int count, char **) {
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
    std::puts(dlerror());
    return 1;
  }
  const auto device = at::ones({4}, at::kCUDA), host = at::ones({4}), index = at::arange(2);
  const auto second = at::ones({4}, at::Device(at::kCUDA, 1));
  if (count > 1) {
    std::printf("read %f\n", device.const_data_ptr<float>()[0]);
    return 0;
  }

  // Mistakes.
  attempt("sum with a host tensor", [&] { device + host; });
  attempt("sum with a tensor of another device", [&] { device + second; });
  attempt("rows at host indices", [&] { device.index_select(0, index); });
  attempt("host rows at device indices", [&] { host.index_select(0, index.to(at::kCUDA)); });
  attempt("concatenation with a host tensor", [&] { at::cat({device, host}); });
  attempt("sum of lists on two sides", [&] {
    const std::vector<at::Tensor> devices{device}, hosts{host};
    at::_foreach_add_(devices, hosts);
  });
  attempt("choice by a host mask", [&] { at::where(host > 0, device, device); });
  attempt("matrix product with host weights", [&] { at::ones({2, 2}, at::kCUDA).mm(at::ones({2, 2})); });
  attempt("convolution with host weights", [&] { at::conv2d(at::ones({1, 1, 4, 4}, at::kCUDA), at::ones({1, 1, 3, 3})); });
  attempt("loss by host labels", [&] { at::cross_entropy_loss(at::ones({2, 3}, at::kCUDA), index); });
  attempt("elements at host indices", [&] { device.take(index); });
  attempt("row at a host scalar", [&] { device.index_select(0, at::scalar_tensor(1, at::kLong)); });

  // What CUDA allows.
  attempt("product with a number", [&] { device * 2.0; });
  attempt("product with a host scalar", [&] { device * at::scalar_tensor(2.0); });
  attempt("copy from the host", [&] { device.clone().copy_(host); });
  attempt("copy to another device", [&] { second.clone().copy_(device); });
  attempt("elements at host indices by operator []", [&] { device.index({index}); });

  std::printf("sum\t%g\n", device.sum().item<double>() + second.sum().item<double>());
}
