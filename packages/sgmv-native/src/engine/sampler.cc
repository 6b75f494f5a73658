// Sampling in float with fixed summation order and plain SSE2-or-scalar arithmetic, so that a seed gives the same
// token on every machine for the same logits.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "exp_negative.h"
#include "highest_logit.h"
#include "sgmv/sampling.h"

namespace sgmv {

double uniform_at(uint32_t seed, uint64_t position) {
  uint32_t counter[4] = {static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32), 0, 0};
  uint32_t key[2] = {seed, 0x5347'4d56};  // "SGMV", so that other users of Philox with the same seed differ
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD251'1F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E'8D57} * counter[2];
    const uint32_t next[4] = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
                              static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    std::copy(next, next + 4, counter);
    key[0] += 0x9E37'79B9;
    key[1] += 0xBB67'AE85;
  }
  const uint64_t bits = (uint64_t{counter[0]} << 32 | counter[1]) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

int32_t Sampler::pick(std::span<const float> logits, const SamplingOptions& options, uint64_t position) {
  const HighestLogit best = find_highest(logits);
  if (options.temperature <= 0.0f || options.top_k == 1) return best.id;
  weigh(logits, best.logit, options.temperature);
  const double uniform = uniform_at(options.seed, position);
  const bool filtered = options.top_k > 0 || options.top_p < 1.0f || options.min_p > 0.0f;
  return filtered ? draw_filtered(logits, options, uniform) : draw_from_all(uniform);
}

void Sampler::weigh(std::span<const float> logits, float highest, float temperature) {
  weights_.resize(logits.size());
  // Dividing, not multiplying by the inverse: 1 / temperature overflows for denormal temperatures.
  for (size_t i = 0; i < logits.size(); ++i) weights_[i] = exp_negative((logits[i] - highest) / temperature);
}

int32_t Sampler::draw_from_all(double uniform) const {
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  const double target = uniform * total;
  double sum = 0.0;
  int32_t last = 0;
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] == 0.0f) continue;
    sum += weights_[i];
    last = static_cast<int32_t>(i);
    if (sum > target) break;
  }
  return last;
}

void Sampler::sort_first(std::span<const float> logits, size_t count) {
  const auto higher = [logits](int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  };
  std::partial_sort(order_.begin() + sorted_, order_.begin() + count, order_.end(), higher);
  sorted_ = count;
}

int32_t Sampler::draw_filtered(std::span<const float> logits, const SamplingOptions& options, double uniform) {
  const size_t vocab = logits.size();
  order_.resize(vocab);
  std::iota(order_.begin(), order_.end(), 0);
  sorted_ = 0;
  size_t limit = vocab;
  double total = 0.0;
  if (options.top_k > 0 && static_cast<size_t>(options.top_k) < vocab) {
    limit = static_cast<size_t>(options.top_k);
    sort_first(logits, limit);
    for (size_t i = 0; i < limit; ++i) total += weights_[order_[i]];
  } else {
    total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  }
  // Every filter keeps a prefix of the tokens in descending order, so their intersection is the shortest one. The
  // order is found piece by piece: most often a few dozen tokens hold the mass.
  const double least = options.min_p;  // the likeliest weighs 1
  const double enough = options.top_p < 1.0f ? options.top_p * total : INFINITY;
  size_t kept = 0;
  double mass = 0.0;
  while (kept < limit && mass < enough) {
    if (kept == sorted_) sort_first(logits, std::min(limit, std::max<size_t>(64, sorted_ * 8)));
    const float weight = weights_[order_[kept]];
    if (kept > 0 && (weight < least || weight == 0.0f)) break;
    mass += weight;
    ++kept;
  }
  const double target = uniform * mass;
  double sum = 0.0;
  for (size_t i = 0; i + 1 < kept; ++i) {
    sum += weights_[order_[i]];
    if (sum > target) return order_[i];
  }
  return order_[kept - 1];
}

}  // namespace sgmv
