#include "token_mask.h"

#include <cmath>

#include "sgmv/error.h"

namespace sgmv {

bool forbid_tokens(const TokenMask& mask, std::span<float> logits) {
  bool any = false;
  bool possible = false;
  for (size_t token = 0; token < logits.size(); ++token) {
    const bool allowed = (mask[token / 32] >> (token % 32) & 1u) != 0;
    any |= allowed;
    if (!allowed && !std::isnan(logits[token])) logits[token] = -INFINITY;
    possible |= logits[token] != -INFINITY;
  }
  if (!any) throw Error("constraint_dead_end", "The constraint allows no token here; expected at least one.");
  return possible;
}

}  // namespace sgmv
