// Layers with a state (LinearAttentionShape) for a mixed batch: a causal convolution of few taps, then, of each value head, a matrix
// S [key_dim, value_dim] that each token's q, k and v change and are read by:
//   gated_delta  S := α · S + k ⊗ β · (v - α · Sᵀ k),  out := Sᵀ q,          α = exp(rate · softplus(a + dt_bias)),  β = sigmoid(b);  q and k are normed
//   mamba2       S := α · S + B ⊗ dt · x,              out := Sᵀ C + D · x,  α = exp(rate · dt),                     dt = clamp(softplus(dt + dt_bias))
//   short_conv   none: out is the convolution of B · x, times C.
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

// What a rule does not have is empty.
struct StateWeights {
  std::vector<float> conv;         // [taps, conv_width]
  std::vector<float> conv_bias;    // [conv_width] or empty
  std::vector<float> decay_rates;  // [value_heads], below 0
  std::vector<float> dt_bias;      // [value_heads]
  std::vector<float> skip;         // [value_heads]: D
  std::vector<float> norm;         // of gated_delta [value_dim], of mamba2 [values]
  size_t bytes() const { return (conv.size() + conv_bias.size() + decay_rates.size() + dt_bias.size() + skip.size() + norm.size()) * sizeof(float); }
};

class StateMixer {
 public:
  explicit StateMixer(const ModelConfig& config) : config_(config.linear) {}

  void plan(std::span<const SequenceSlice> sequences);
  void reserve(int64_t tokens);
  // Of the layer that is number `layer` of those with states. `projected` [tokens, width]: what its in_… matrices gave, of which parts are overwritten.
  void run(CpuDevice& device, const StateWeights& weights, Activations& projected, CpuKvCache& cache, int32_t layer);
  // out [values] of a token, normed and gated.
  void finish(const Kernels& kernels, const StateWeights& weights, const Activations& projected, int64_t token, float* out);

 private:
  struct Token { const SequenceSlice* sequence; int32_t index; };  // within the slice

  void prepare(const Kernels& kernels, float* projected) const;
  void convolve(const Kernels& kernels, const StateWeights& weights, const Activations& projected, const float* before, int64_t token);
  void weigh(const StateWeights& weights, const float* projected, int64_t token);
  void keep_inputs(const Activations& projected, const float* before, int64_t token, float* after) const;
  void run_matrices(CpuDevice& device, CpuKvCache& cache, int32_t layer);
  void skip_and_norm(const Kernels& kernels, const StateWeights& weights, const float* z, int64_t token, float* out);
  template <typename Visit>
  void for_each_span(Visit visit) const;

  const LinearAttentionConfig config_;
  std::span<const SequenceSlice> sequences_;
  std::vector<Token> tokens_;
  Activations mixed_, read_;          // [tokens, conv_width]: what the convolution gave; [tokens, values]: what the states gave
  std::vector<float> decays_, betas_; // [tokens, value_heads]
};

}  // namespace sgmv
