// The weights of a Llama-family decoder, packed.
#pragma once

#include <vector>

#include "layers/fused_linear.h"
#include "models/checkpoint.h"

namespace sgmv {

struct DecoderLayer {
  std::vector<float> attention_norm, mlp_norm;  // [hidden]
  std::vector<float> q_norm, k_norm;            // [head_dim]; empty: none
  Linear qkv, o, gate_up, down;
};

struct DecoderWeights {
  PackedMatrix embedding;          // [vocab, hidden]
  PackedMatrix lm_head;            // empty when tied
  std::vector<float> final_norm;
  std::vector<DecoderLayer> layers;

  const PackedMatrix& head() const { return lm_head.out() > 0 ? lm_head : embedding; }
  size_t bytes() const;
};

// Throws Error model_corrupt, model_unsupported or model_not_found.
DecoderWeights load_decoder_weights(const std::filesystem::path& weights, const ModelConfig& config, WeightType compute);

}  // namespace sgmv
