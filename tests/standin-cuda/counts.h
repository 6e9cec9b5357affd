// What is counted, by stage and operation.
#pragma once

#include <cstdio>
#include <map>
#include <mutex>

namespace standin {

struct Count {
  int64_t calls = 0, launches = 0, waits = 0, up = 0, down = 0;

  Count &operator+=(const Count &other) {
    calls += other.calls;
    launches += other.launches;
    waits += other.waits;
    up += other.up;
    down += other.down;
    return *this;
  }
};

class Counts {
public:
  void add(const std::string &operation, const Count &count) {
    std::lock_guard<std::mutex> guard(lock_);
    stages_.back()[operation] += count;
  }

  void end_stage() {
    std::lock_guard<std::mutex> guard(lock_);
    stages_.emplace_back();
  }

  void write(const std::string &path) {
    std::lock_guard<std::mutex> guard(lock_);
    std::FILE *file = std::fopen(path.c_str(), "w");
    if (!file)
      return;
    for (size_t stage = 0; stage < stages_.size(); ++stage)
      for (const auto &[operation, n] : stages_[stage])
        std::fprintf(file, "%zu\t%s\t%ld\t%ld\t%ld\t%ld\t%ld\n", stage, operation.c_str(), n.calls, n.launches, n.waits, n.up,
                     n.down);
    std::fclose(file);
  }

private:
  std::mutex lock_;
  std::vector<std::map<std::string, Count>> stages_{1};
};

// Never destroyed: threads may count until the process ends.
inline Counts &counts() {
  static auto *counts = [] {
    std::atexit([] {
      if (const auto path = setting("STANDIN_COUNTS", ""); !path.empty())
        standin::counts().write(path);
    });
    return new Counts;
  }();
  return *counts;
}

} // namespace standin
