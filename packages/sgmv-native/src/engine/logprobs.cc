#include <algorithm>
#include <cmath>

#include "exp_negative.h"
#include "highest_logit.h"
#include "sgmv/sampling.h"

namespace sgmv {
namespace {

// log(sum of exp(logit)), relative to the highest logit, which is added last: nothing overflows.
double log_sum_exp(std::span<const float> logits, float highest) {
  double sum = 0.0;
  for (const float logit : logits) sum += exp_negative(logit - highest);
  return std::log(sum) + highest;
}

// The `count` highest logits, best first; a later equal does not displace an earlier one.
std::vector<TokenLogprob> highest_tokens(std::span<const float> logits, size_t count) {
  std::vector<TokenLogprob> top;
  top.reserve(count + 1);
  for (size_t id = 0; id < logits.size() && count > 0; ++id) {
    if (top.size() == count && logits[id] <= top.back().logprob) continue;
    const auto lower = [&](const TokenLogprob& other) { return other.logprob < logits[id]; };
    top.insert(std::find_if(top.begin(), top.end(), lower), {static_cast<int32_t>(id), logits[id]});
    if (top.size() > count) top.pop_back();
  }
  return top;
}

}  // namespace

TokenLogprobs log_probabilities(std::span<const float> logits, int32_t chosen, int32_t alternatives) {
  const double total = log_sum_exp(logits, find_highest(logits).logit);
  const auto logprob = [total](float logit) { return static_cast<float>(logit - total); };
  TokenLogprobs all{{chosen, logprob(logits[chosen])}, highest_tokens(logits, static_cast<size_t>(alternatives))};
  for (TokenLogprob& one : all.top) one.logprob = logprob(one.logprob);
  return all;
}

}  // namespace sgmv
