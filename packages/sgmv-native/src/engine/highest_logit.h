// The largest of a row of logits.
#pragma once

#include <cstdint>
#include <span>

namespace sgmv {

struct HighestLogit {
  float logit;
  int32_t id;  // the lowest of equals
};

// Throws Error("numeric_error") when the row has a NaN or no finite maximum.
HighestLogit find_highest(std::span<const float> logits);

}  // namespace sgmv
