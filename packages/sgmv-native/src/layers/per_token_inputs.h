// What Gemma 4 gives each token for each layer beside its hidden row (PerTokenConfig): (norm(projection · hidden / √hidden_size) + √size · its row of
// the second embedding) / √2, each layer's part normed by itself.
#pragma once

#include <vector>

#include "layers/fused_linear.h"
#include "sgmv/model_config.h"

namespace sgmv {

struct PerTokenWeights {
  PackedMatrix embedding;   // [vocab, layers · size]
  Linear projection;        // [layers · size, hidden]
  std::vector<float> norm;  // [size]
  size_t bytes() const { return embedding.bytes() + projection.bytes() + norm.size() * sizeof(float); }
};

class PerTokenInputs {
 public:
  explicit PerTokenInputs(const ModelConfig& config)
      : size_(config.per_token.size), width_(config.per_token_width()), hidden_size_(config.hidden_size), eps_(config.rms_norm_eps) {}

  void reserve(int64_t tokens);
  Activations& projected() { return rows_; }  // where a step's product with the projection goes
  // Makes a token's row of what is projected there.
  void mix(const Kernels& kernels, const PerTokenWeights& weights, int64_t token, int32_t id);
  const float* row(int64_t token, int32_t layer) const { return rows_.row(token) + int64_t{layer} * size_; }  // [size]

 private:
  int64_t size_, width_, hidden_size_;
  float eps_;
  Activations rows_, embedded_;  // [tokens, layers · size]
};

}  // namespace sgmv
