// What the tensors of a decoder's layer are called in a checkpoint.
#pragma once

#include <string>
#include <vector>

#include "models/checkpoint.h"

namespace sgmv {

inline constexpr const char* kEmbeddingTensor = "model.embed_tokens.weight";
inline constexpr const char* kHeadTensor = "lm_head.weight";
inline constexpr const char* kFinalNormTensor = "model.norm.weight";

struct LayerTensors {
  std::string attention_norm, mlp_norm;            // [hidden]
  std::string post_attention_norm, post_mlp_norm;  // [hidden]; empty: none
  std::string q_norm, k_norm;                      // [head_dim]; empty: none
  std::vector<Checkpoint::Part> qkv, o, gate_up, down;
};

LayerTensors layer_tensors(const Checkpoint& checkpoint, const ModelConfig& config, int32_t layer);

}  // namespace sgmv
