// How often something was how large, as Prometheus' histograms tell it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace sgmv {

// counts[i]: values at most bounds[i] and above the bound before; the last count: those above all bounds. Fixed in size, so
// that adding and copying need no memory.
struct Distribution {
  static constexpr size_t kBounds = 16;
  using Bounds = std::array<double, kBounds>;  // ascending

  Bounds bounds{};
  std::array<int64_t, kBounds + 1> counts{};
  double sum = 0.0;

  void add(double value) noexcept {
    counts[static_cast<size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin())] += 1;
    sum += value;
  }
};

}  // namespace sgmv
