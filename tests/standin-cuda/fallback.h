// Any operation: the CPU's kernel on the device's memory.
#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace standin {

inline bool is_mask(const at::Tensor &tensor) {
  return tensor.defined() && (tensor.scalar_type() == at::kBool || tensor.scalar_type() == at::kByte);
}

// The arguments of a call, and what is counted of them.
struct Arguments {
  std::vector<std::vector<at::Tensor>> lists;
  std::vector<at::Scalar> scalars;
  // Masks among indices: the host waits for the number of their elements.
  int masks = 0;

  // Puts the CPU's view in the place of each argument.
  void take(c10::IValue &value, Aliases &aliases) {
    if (value.isTensor()) {
      value = aliases.on_host(value.toTensor());
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> on_host;
      lists.push_back(value.toTensorVector());
      for (const auto &tensor : lists.back())
        on_host.push_back(aliases.on_host(tensor));
      value = std::move(on_host);
    } else if (value.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> on_host;
      for (const auto &tensor : value.toOptionalTensorVector()) {
        masks += tensor && is_mask(*tensor);
        on_host.push_back(aliases.on_host(tensor));
      }
      value = std::move(on_host);
    } else if (value.isDevice() && value.toDevice().is_cuda()) {
      aliases.compute_on(value.toDevice());
      value = c10::Device(c10::kCPU);
    } else if (value.isGenerator()) {
      value = c10::IValue();
    } else if (value.isScalar()) {
      scalars.push_back(value.toScalar());
    }
  }
};

inline void count(const std::string &name, const Arguments &arguments, const Aliases &aliases) {
  const int waited = waits(name) + arguments.masks + aliases.copied_indices();
  if (name.rfind("aten::_foreach", 0) != 0) {
    launch(aliases.device(), name, {0, launches(name), waited});
  } else if (const auto together = list_launches(name, arguments.lists, arguments.scalars)) {
    launch(aliases.device(), name, {0, *together, waited});
  } else {
    launch(aliases.device(), name + ", tensor by tensor", {0, int64_t(arguments.lists[0].size()), waited});
  }
}

inline void fallback(const c10::OperatorHandle &operation, c10::DispatchKeySet, torch::jit::Stack *stack) {
  const auto &schema = operation.schema();
  Aliases aliases(schema.name());
  Arguments arguments;
  for (size_t i = stack->size() - schema.arguments().size(); i < stack->size(); ++i)
    arguments.take((*stack)[i], aliases);
  aliases.check();
  count(schema.name(), arguments, aliases);
  {
    at::AutoDispatchBelowADInplaceOrView below;
    operation.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
    aliases.settle();
  }
  for (size_t i = stack->size() - schema.returns().size(); i < stack->size(); ++i) {
    auto &value = (*stack)[i];
    if (value.isTensor()) {
      value = aliases.on_device(value.toTensor());
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> on_device;
      for (const auto &tensor : value.toTensorVector())
        on_device.push_back(aliases.on_device(tensor));
      value = std::move(on_device);
    }
  }
}

} // namespace standin
