// Mean of the last measurements.
#pragma once

#include <array>
#include <cstddef>
#include <algorithm>

namespace sgmv {

class RecentMean {
 public:
  void add(double value) { values_[count_++ % values_.size()] = value; }

  // 0 before the first.
  double mean() const {
    const size_t measured = std::min(count_, values_.size());
    double sum = 0.0;
    for (size_t i = 0; i < measured; ++i) sum += values_[i];
    return measured > 0 ? sum / static_cast<double>(measured) : 0.0;
  }

 private:
  std::array<double, 64> values_{};
  size_t count_ = 0;
};

}  // namespace sgmv
