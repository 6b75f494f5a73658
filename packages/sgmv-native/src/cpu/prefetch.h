// Memory that will be needed soon, asked for bit by bit while arithmetic goes on: a decode step is bound by bytes and
// by flops in turns, and only what overlaps is free.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/kernels.h"

namespace sgmv {

class Prefetch {
 public:
  void clear() {
    ranges_.clear();
    lines_ = 0;
  }
  void add(const void* data, int64_t bytes) {
    if (bytes <= 0) return;
    const auto* begin = static_cast<const std::byte*>(data);
    ranges_.push_back({begin, begin + bytes});
    lines_ += (bytes + 63) / 64;
  }

  // Everything, spread evenly over that many groups.
  PrefetchCursor over(int64_t groups) const {
    if (ranges_.empty()) return {};
    return {ranges_.data(), ranges_.data() + ranges_.size(), ranges_[0].begin, (lines_ + groups - 1) / groups};
  }

 private:
  std::vector<PrefetchRange> ranges_;
  int64_t lines_ = 0;
};

}  // namespace sgmv
