#include "highest_logit.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sgmv/error.h"

namespace sgmv {
namespace {

constexpr uint32_t kInfinity = 0x7F80'0000;
constexpr size_t kStretch = 1024;  // logits whose maximum is found before their place is asked for

struct Extreme {
  int32_t rank = INT32_MIN;
  uint32_t magnitude = 0;
};

// In whole numbers, which may be reduced in any order, so that the compiler uses vectors: `rank` orders floats as
// their values do (-0 just below 0), and only a NaN has a `magnitude` above infinity's.
Extreme extreme_of(std::span<const float> logits) {
  Extreme extreme;
  for (const float logit : logits) {
    const auto bits = std::bit_cast<int32_t>(logit);
    const uint32_t magnitude = static_cast<uint32_t>(bits) & 0x7FFF'FFFFu;
    const int32_t rank = bits ^ ((bits >> 31) & 0x7FFF'FFFF);
    extreme.rank = std::max(extreme.rank, rank);
    extreme.magnitude = std::max(extreme.magnitude, magnitude);
  }
  return extreme;
}

}  // namespace

HighestLogit find_highest(std::span<const float> logits) {
  Extreme extreme;
  size_t stretch = 0;
  for (size_t begin = 0; begin < logits.size(); begin += kStretch) {
    const Extreme here = extreme_of(logits.subspan(begin, std::min(kStretch, logits.size() - begin)));
    extreme.magnitude = std::max(extreme.magnitude, here.magnitude);
    if (here.rank <= extreme.rank) continue;
    extreme.rank = here.rank;
    stretch = begin;
  }
  if (extreme.magnitude > kInfinity) {
    throw Error("numeric_error", "The model's output has NaN values; expected finite numbers.");
  }
  const float highest = std::bit_cast<float>(extreme.rank ^ ((extreme.rank >> 31) & 0x7FFF'FFFF));
  if (!std::isfinite(highest)) {
    throw Error("numeric_error", "The model's largest output is infinite; expected a finite number.");
  }
  // Zero equals -0, which may come in an earlier stretch.
  const auto from = highest == 0.0f ? logits.begin() : logits.begin() + stretch;
  return {highest, static_cast<int32_t>(std::find(from, logits.end(), highest) - logits.begin())};
}

}  // namespace sgmv
