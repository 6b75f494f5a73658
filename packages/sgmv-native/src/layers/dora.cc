#include "layers/dora.h"

#include <cmath>
#include <vector>

namespace sgmv {

int64_t dora_factors(const BaseRows& base, const LoraTarget& target, int64_t in, std::span<const float> a, std::span<const float> b,
                     std::span<const float> magnitude, float* factors) {
  std::vector<float> row(static_cast<size_t>(in));
  for (size_t out = 0; out < magnitude.size(); ++out) {
    base.copy_row(target, static_cast<int64_t>(out), row.data());
    for (size_t r = 0; r < static_cast<size_t>(target.rank); ++r) {
      const float factor = target.scale * b[out * static_cast<size_t>(target.rank) + r];
      const float* direction = a.data() + r * row.size();
      for (size_t i = 0; i < row.size(); ++i) row[i] += factor * direction[i];
    }
    double squares = 0;
    for (const float value : row) squares += double(value) * value;
    factors[out] = static_cast<float>(magnitude[out] / std::sqrt(squares));
    if (!std::isfinite(factors[out])) return static_cast<int64_t>(out);
  }
  return -1;
}

}  // namespace sgmv
