// Linear attention by the gated delta rule (Gated DeltaNet, Yang et al., 2024) for a mixed batch. Of each value head a sequence has a
// state S [key_dim, value_dim], and for each token, with q, k and v out of a causal convolution of few taps and with q and k normed,
//   S := α · S + k ⊗ β · (v - α · Sᵀ k),   out := Sᵀ q,   α = exp(rate · softplus(a + dt_bias)),   β = sigmoid(b).
// A sequence's tokens are computed one after the other, so who else is in the batch and how its prompt was cut changes nothing. The
// state is read in one slot of the cache and written in another: a slice can be computed again.
#pragma once

#include <span>
#include <vector>

#include "cpu/cpu_device.h"
#include "cpu/cpu_kv_cache.h"
#include "ops/activations.h"
#include "sgmv/model.h"

namespace sgmv {

struct GatedDeltaWeights {
  std::vector<float> conv;         // [taps, conv_width]
  std::vector<float> decay_rates;  // [value_heads], below 0
  std::vector<float> dt_bias;      // [value_heads]
  std::vector<float> norm;         // [value_dim]
  size_t bytes() const { return (conv.size() + decay_rates.size() + dt_bias.size() + norm.size()) * sizeof(float); }
};

class GatedDelta {
 public:
  explicit GatedDelta(const ModelConfig& config) : config_(config.linear), eps_(config.rms_norm_eps) {}

  void plan(std::span<const SequenceSlice> sequences);
  void reserve(int64_t tokens);
  // Of the layer that is number `layer` of those with states. `projected` [tokens, width]: what its in_… matrices gave.
  void run(CpuDevice& device, const GatedDeltaWeights& weights, const Activations& projected, CpuKvCache& cache, int32_t layer);
  // out [values] of a token, normed by head and gated.
  void finish(const Kernels& kernels, const GatedDeltaWeights& weights, const Activations& projected, int64_t token, float* out) const;

 private:
  struct Token { const SequenceSlice* sequence; int32_t index; };  // within the slice

  void convolve(const Kernels& kernels, const GatedDeltaWeights& weights, const Activations& projected, const float* before, int64_t token);
  void weigh(const GatedDeltaWeights& weights, const float* projected, int64_t token);
  void keep_inputs(const Activations& projected, const float* before, int64_t token, float* after) const;
  template <typename Visit>
  void for_each_head(Visit visit) const;

  const LinearAttentionConfig config_;
  const float eps_;
  std::span<const SequenceSlice> sequences_;
  std::vector<Token> tokens_;
  Activations mixed_, read_;          // [tokens, conv_width]: q, k and v; [tokens, values]: what the states gave
  std::vector<float> decays_, betas_; // [tokens, value_heads]
};

}  // namespace sgmv
