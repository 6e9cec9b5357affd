// Counts what libtorch is asked to compute, for `train --profile`: calls of operators and floating-point operations of matrix
// products and convolutions, by the stage of a training step. Also of the threads on which gradients are computed.

#include "guarded.h"

#include <ATen/core/ivalue.h>
#include <ATen/record_function.h>

#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Count {
  uint64_t calls = 0;
  double flops = 0;
};

std::atomic<int> stage{0};
std::mutex mutex;
std::map<std::pair<int, std::string>, Count> counts;
at::CallbackHandle handle = at::INVALID_CALLBACK_HANDLE;

using Inputs = c10::ArrayRef<const c10::IValue>;

bool are_tensors(Inputs inputs, std::initializer_list<size_t> which) {
  for (size_t i : which)
    if (i >= inputs.size() || !inputs[i].isTensor() || !inputs[i].toTensor().defined())
      return false;
  return true;
}

// Of a product [.., n, m] x [.., m, p].
double product(const at::Tensor &a, const at::Tensor &b) { return 2.0 * a.numel() * b.size(-1); }

// Of a convolution with this weight and so many outputs.
double convolution(double outputs, const at::Tensor &weight) { return 2.0 * outputs * weight.numel() / weight.size(0); }

// Pixels along one axis that a convolution gives.
int64_t pixels(int64_t length, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  return (length + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

double forward(Inputs in) {
  if (in.size() < 9 || !are_tensors(in, {0, 1}) || in[6].toBool())
    return 0;
  const auto &image = in[0].toTensor(), &weight = in[1].toTensor();
  auto of = [&](size_t i, size_t axis) {
    auto list = in[i].toIntVector();
    return list[std::min(axis, list.size() - 1)];
  };
  double outputs = static_cast<double>(image.size(0)) * weight.size(0);
  for (int64_t axis = 2; axis < image.dim(); ++axis)
    outputs *= pixels(image.size(axis), weight.size(axis), of(3, axis - 2), of(4, axis - 2), of(5, axis - 2));
  return convolution(outputs, weight);
}

double backward(Inputs in) {
  if (in.size() < 11 || !are_tensors(in, {0, 2}))
    return 0;
  auto wanted = in[10].toBoolList();
  double parts = (wanted.get(0) ? 1 : 0) + (wanted.get(1) ? 1 : 0);
  return parts * convolution(in[0].toTensor().numel(), in[2].toTensor());
}

// Of softmax(q kT) v with [B, H, L, D]; gradients take two and a half times as much, one product being computed anew.
double attention(Inputs in, size_t query) {
  if (!are_tensors(in, {query, query + 1}))
    return 0;
  const auto &q = in[query].toTensor(), &k = in[query + 1].toTensor();
  return 4.0 * q.numel() * k.size(-2);
}

double flops(const std::string &name, Inputs in) {
  if (name == "aten::mm" || name == "aten::bmm")
    return are_tensors(in, {0, 1}) ? product(in[0].toTensor(), in[1].toTensor()) : 0;
  if (name == "aten::addmm" || name == "aten::baddbmm")
    return are_tensors(in, {1, 2}) ? product(in[1].toTensor(), in[2].toTensor()) : 0;
  if (name == "aten::convolution")
    return forward(in);
  if (name == "aten::convolution_backward")
    return backward(in);
  if (name.rfind("aten::_scaled_dot_product_", 0) != 0 || name.find("_math") != std::string::npos)
    return 0;
  return name.find("_backward") == std::string::npos ? attention(in, 0) : 2.5 * attention(in, 1);
}

std::unique_ptr<at::ObserverContext> count(const at::RecordFunction &function) {
  std::string name = function.name();
  double operations = flops(name, function.inputs());
  std::lock_guard<std::mutex> lock(mutex);
  auto &entry = counts[{stage.load(), name}];
  ++entry.calls;
  entry.flops += operations;
  return nullptr;
}

} // namespace

extern "C" {

// What is counted from now on belongs to this stage.
void shim_operations_stage(int number) { stage.store(number); }

char *shim_operations_begin() {
  return guarded([&] {
    std::lock_guard<std::mutex> lock(mutex);
    TORCH_CHECK(handle == at::INVALID_CALLBACK_HANDLE, "operations are counted already");
    counts.clear();
    auto callback = at::RecordFunctionCallback(&count).needsInputs(true).scopes({at::RecordScope::FUNCTION});
    handle = at::addGlobalCallback(callback);
  });
}

// out: a line "stage<TAB>operator<TAB>calls<TAB>flops" for each, to be given back to shim_free.
char *shim_operations_end(char **out) {
  return guarded([&] {
    at::removeCallback(handle);
    std::lock_guard<std::mutex> lock(mutex);
    handle = at::INVALID_CALLBACK_HANDLE;
    std::string text;
    for (const auto &[key, value] : counts)
      text += std::to_string(key.first) + '\t' + key.second + '\t' + std::to_string(value.calls) + '\t' +
              std::to_string(value.flops) + '\n';
    *out = strdup(text.c_str());
  });
}

} // extern "C"
