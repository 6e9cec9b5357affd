// What the environment asks of the stand-in; `driver.cpp` reads the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace standin {

inline std::string setting(const char *name, const char *otherwise) {
  const char *value = std::getenv(name);
  return value && *value ? value : otherwise;
}

// The machine's cards that this process sees, as CUDA_VISIBLE_DEVICES (numbers, up to the first wrong one) leaves them.
inline const std::vector<int> &cards() {
  static const auto visible = [] {
    const int count = std::stoi(setting("STANDIN_DEVICES", "2"));
    const char *value = std::getenv("CUDA_VISIBLE_DEVICES");
    std::vector<int> numbers;
    for (int card = 0; !value && card < count; ++card)
      numbers.push_back(card);
    std::istringstream text(value ? value : "");
    for (int card; text >> card && card >= 0 && card < count; text.ignore())
      numbers.push_back(card);
    return numbers;
  }();
  return visible;
}

inline int devices() { return static_cast<int>(cards().size()); }

// Major and minor number.
inline std::pair<int, int> capability(int device) {
  static const auto all = [] {
    std::vector<std::pair<int, int>> parsed;
    std::istringstream text(setting("STANDIN_CAPABILITY", "9.0"));
    for (std::string one; std::getline(text, one, ',');)
      parsed.emplace_back(std::stoi(one), std::stoi(one.substr(one.find('.') + 1)));
    return parsed;
  }();
  return all[std::min<size_t>(cards().at(device), all.size() - 1)];
}

inline bool has_kernels(int device) { return capability(device) >= std::pair(7, 5); }

inline int64_t memory() {
  static const int64_t bytes = std::stoll(setting("STANDIN_MEMORY", "85899345920"));
  return bytes;
}

inline bool is_protected() {
  static const bool is = std::getenv("STANDIN_PROTECT") != nullptr;
  return is;
}

} // namespace standin
