// Memory that will be needed soon, asked for bit by bit while arithmetic goes on: a decode step is bound by bytes and
// by flops in turns, and only what overlaps is free.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sgmv {

class Prefetch {
 public:
  void add(const void* data, int64_t bytes) {
    if (bytes <= 0 || count_ == kRangesMax) return;
    ranges_[static_cast<size_t>(count_++)] = {static_cast<const std::byte*>(data), bytes};
    left_ += bytes;
  }

  // How many more calls of advance() will come.
  void spread(int64_t calls) { calls_ = calls; }
  void advance() {
    int64_t quota = calls_ > 1 ? (left_ + calls_ - 1) / calls_ : left_;
    if (calls_ > 1) --calls_;
    while (quota > 0 && next_ < count_) {
      Range& range = ranges_[static_cast<size_t>(next_)];
      const int64_t bytes = quota < range.bytes ? (quota + 63) / 64 * 64 : range.bytes;
      for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(range.data + at, 0, 2);
      const int64_t taken = bytes < range.bytes ? bytes : range.bytes;
      quota -= taken;
      left_ -= taken;
      range.data += taken;
      range.bytes -= taken;
      if (range.bytes == 0) ++next_;
    }
  }

 private:
  static constexpr int32_t kRangesMax = 256;
  struct Range {
    const std::byte* data;
    int64_t bytes;
  };
  std::array<Range, kRangesMax> ranges_;
  int32_t count_ = 0, next_ = 0;
  int64_t left_ = 0, calls_ = 1;
};

}  // namespace sgmv
