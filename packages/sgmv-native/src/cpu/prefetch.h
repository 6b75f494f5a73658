// Memory that will be needed soon, asked for bit by bit while arithmetic goes on: a decode step is bound by bytes and
// by flops in turns, and only what overlaps is free.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/kernels.h"

namespace sgmv {

// Of fixed size, because it is filled inside loops, which must not throw; what does not fit is not asked for.
class Prefetch {
 public:
  void clear() { count_ = lines_ = 0; }
  void add(const void* data, int64_t bytes) {
    if (bytes <= 0 || count_ == kRangesMax) return;
    const auto* begin = static_cast<const std::byte*>(data);
    ranges_[static_cast<size_t>(count_++)] = {begin, begin + bytes};
    lines_ += (bytes + 63) / 64;
  }

  // Everything, spread evenly over that many groups.
  PrefetchCursor over(int64_t groups) const {
    if (count_ == 0) return {};
    return {ranges_.data(), ranges_.data() + count_, ranges_[0].begin, (lines_ + groups - 1) / groups};
  }

 private:
  static constexpr int64_t kRangesMax = 512;
  std::array<PrefetchRange, kRangesMax> ranges_;
  int64_t count_ = 0, lines_ = 0;
};

// What the next loop over tokens or runs will read, in its order. Items of this loop ask for equal shares of it, so that
// each thread asks for what it will read itself: threads keep their share of a loop.
class PrefetchList {
 public:
  void clear() {
    ranges_.clear();
    ends_.clear();
  }
  void add(const std::byte* data, int64_t bytes) {
    if (bytes <= 0) return;
    ranges_.push_back({data, data + bytes});
    ends_.push_back(bytes + (ends_.empty() ? 0 : ends_.back()));
  }

  void share(int64_t item, int64_t items, Prefetch& ahead) const {
    if (ranges_.empty()) return;
    const int64_t begin = ends_.back() * item / items / 64 * 64, end = ends_.back() * (item + 1) / items / 64 * 64;
    auto i = static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), begin) - ends_.begin());
    for (int64_t at = begin; at < end && i < ranges_.size(); at = ends_[i++]) {
      const int64_t left = ends_[i] - at;
      ahead.add(ranges_[i].end - left, std::min(left, end - at));
    }
  }

 private:
  std::vector<PrefetchRange> ranges_;
  std::vector<int64_t> ends_;  // of each range in the concatenation of all
};

}  // namespace sgmv
