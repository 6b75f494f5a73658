// What the tensors of a decoder's layer are called in a checkpoint.
#pragma once

#include <string>
#include <vector>

#include "models/checkpoint.h"

namespace sgmv {

inline constexpr const char* kEmbeddingTensor = "model.embed_tokens.weight";
inline constexpr const char* kHeadTensor = "lm_head.weight";
inline constexpr const char* kHeadBiasTensor = "lm_head.bias";
inline constexpr const char* kFinalNormTensor = "model.norm.weight";

struct LayerTensors {
  // Empty: none.
  std::string attention_norm, mlp_norm, post_attention_norm, post_mlp_norm;  // [hidden]
  std::string q_norm, k_norm;  // [q_norm_width()], [k_norm_width()]
  std::string sinks;           // [heads]
  std::vector<Checkpoint::Part> qkv, o, gate_up, down;  // of linear attention: qkv its in_… matrices, o its output
  std::string conv, decay, dt_bias, delta_norm;         // of linear attention: [conv_width, 1, taps], [value_heads], [value_heads], [value_dim]
  // Of a layer with experts: the router's, then the gate of the shared one if there is one; and each expert's.
  std::vector<Checkpoint::Part> router;
  std::string choice_bias;  // [experts]; empty: none
  struct Expert { std::vector<Checkpoint::Part> gate_up, down; };
  std::vector<Expert> experts;
};

LayerTensors layer_tensors(const Checkpoint& checkpoint, const ModelConfig& config, int32_t layer);

}  // namespace sgmv
