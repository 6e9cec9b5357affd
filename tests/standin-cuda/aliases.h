// Tensors of a device as the CPU tensors over the same memory that kernels compute on, and back. The memory is open to the
// kernel as long as these live.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace standin {

class Aliases {
public:
  // For an operation by its name, which decides what it takes from the host.
  explicit Aliases(std::string name)
      : name_(std::move(name)), host_scalars_(takes_host_scalars(name_)), host_indices_(takes_host_indices(name_)) {}

  // The CPU's view of a tensor; a tensor of the host is itself.
  at::Tensor on_host(const at::Tensor &tensor) {
    if (!tensor.defined())
      return tensor;
    if (!tensor.is_cuda()) {
      if (!(tensor.dim() == 0 && host_scalars_) && !host_indices_ && !stray_)
        stray_ = tensor.sizes().vec();
      copied_ += host_indices_ && any_;
      return tensor;
    }
    if (!any_)
      device_ = tensor.device().index();
    else if (device_ != tensor.device().index() && !other_)
      other_ = tensor.device().index();
    any_ = true;
    for (const auto &[device, alias] : tensors_)
      if (device.unsafeGetTensorImpl() == tensor.unsafeGetTensorImpl())
        return alias;
    auto alias = tensor_like(storage_on_host(tensor.storage()), c10::DispatchKey::CPU, tensor);
    tensors_.emplace_back(tensor, alias);
    return alias;
  }

  std::optional<at::Tensor> on_host(const std::optional<at::Tensor> &tensor) {
    return tensor && tensor->defined() ? std::optional(on_host(*tensor)) : std::nullopt;
  }

  // An operation without a tensor of a device computes on this one.
  void compute_on(c10::Device device) {
    if (!any_)
      device_ = device.has_index() ? device.index() : current_device;
  }

  // Refuses tensors of several devices, in the real library's words.
  void check() const {
    const char *refused = "Expected all tensors to be on the same device, but found at least two devices, cuda:";
    TORCH_CHECK(!other_, refused, int(device_), " and cuda:", int(*other_), "! (when checking arguments of ", name_, ")");
    TORCH_CHECK(!(any_ && stray_), refused, int(device_), " and cpu! (when checking arguments of ", name_,
                ": a CPU tensor of shape ", c10::IntArrayRef(*stray_), ")");
  }

  c10::DeviceIndex device() const { return device_; }

  // Indices that had to be copied to the device.
  int copied_indices() const { return copied_; }

  // What a kernel returned, as a tensor of the device: an argument itself, a view of an argument's memory, or a new one.
  at::Tensor on_device(const at::Tensor &tensor) const {
    if (!tensor.defined() || tensor.is_cuda())
      return tensor;
    for (const auto &[device, alias] : tensors_)
      if (alias.unsafeGetTensorImpl() == tensor.unsafeGetTensorImpl())
        return device;
    for (const auto &[key, pair] : storages_)
      if (pair.second.unsafeGetStorageImpl() == tensor.storage().unsafeGetStorageImpl())
        return tensor_like(pair.first, c10::DispatchKey::CUDA, tensor);
    c10::Storage storage(c10::Storage::use_byte_size_t(), tensor.storage().nbytes(),
                         standin::on_device(tensor.storage(), device_), &device_allocator, true);
    return tensor_like(std::move(storage), c10::DispatchKey::CUDA, tensor);
  }

  // Gives arguments the memory and the shape that a kernel has resized them to.
  void settle() {
    for (auto &[key, pair] : storages_) {
      auto &[device, host] = pair;
      if (host.data() != device.data()) {
        device.set_data_ptr_noswap(standin::on_device(host, device_));
        device.set_nbytes(host.nbytes());
      }
    }
    for (const auto &[device, alias] : tensors_)
      if (device.sizes() != alias.sizes() || device.strides() != alias.strides())
        device.unsafeGetTensorImpl()->set_sizes_and_strides(alias.sizes(), alias.strides(), alias.storage_offset());
  }

private:
  c10::Storage storage_on_host(const c10::Storage &device) {
    auto *key = device.unsafeGetStorageImpl();
    auto found = storages_.find(key);
    if (found == storages_.end()) {
      c10::DataPtr data(const_cast<void *>(device.data()), c10::Device(c10::kCPU));
      c10::Storage host(c10::Storage::use_byte_size_t(), device.nbytes(), std::move(data), c10::GetAllocator(c10::kCPU), true);
      found = storages_.emplace(key, std::pair(device, host)).first;
      opened_.push_back(std::make_unique<Opened>(device.data()));
    }
    return found->second.second;
  }

  static at::Tensor tensor_like(c10::Storage storage, c10::DispatchKey key, const at::Tensor &like) {
    auto tensor = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(key), like.dtype());
    tensor.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
    return tensor;
  }

  std::string name_;
  bool host_scalars_, host_indices_, any_ = false;
  int copied_ = 0;
  c10::DeviceIndex device_ = current_device;
  std::optional<c10::DeviceIndex> other_;
  std::optional<std::vector<int64_t>> stray_;
  // Of the device and of the host.
  std::map<c10::StorageImpl *, std::pair<c10::Storage, c10::Storage>> storages_;
  std::vector<std::pair<at::Tensor, at::Tensor>> tensors_;
  std::vector<std::unique_ptr<Opened>> opened_;
};

} // namespace standin
