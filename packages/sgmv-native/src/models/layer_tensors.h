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
// Of PerTokenConfig: [vocab, layers · size], [layers · size, hidden], [size].
inline constexpr const char* kPerTokenEmbedding = "model.embed_tokens_per_layer";
inline constexpr const char* kPerTokenProjection = "model.per_layer_model_projection";
inline constexpr const char* kPerTokenNorm = "model.per_layer_projection_norm.weight";

struct LayerTensors {
  // Empty: none.
  std::string attention_norm, mlp_norm, post_attention_norm, post_mlp_norm;  // [hidden]
  std::string q_norm, k_norm;  // [q_norm_width()], [k_norm_width()]; of layers without keys of their own q_norm only
  std::string sinks;           // [heads]
  std::string xielu;           // what the names of its numbers begin with
  std::string post_per_token_norm;  // [hidden]
  std::string q_a_norm, kv_a_norm;  // [q_rank], [kv_rank]
  std::string scale;                // [1]: of what leaves the layer
  std::vector<Checkpoint::Part> per_token_gate, per_token_out;
  std::vector<Checkpoint::Part> q_b, kv_b;  // of latent attention, where qkv is q or q_a, and kv_a
  std::vector<Checkpoint::Part> qkv, o, gate_up, down;
  // Of a layer with a state; empty: it has none, or its rule does without.
  std::vector<Checkpoint::Part> state_in, state_out;
  std::string conv, conv_bias;                    // [conv_width, 1, taps], [conv_width]
  std::string decay, dt_bias, skip, state_norm;   // [value_heads], [value_heads], [value_heads], as of StateWeights
  // Of a layer with experts: the router's, then the gate of the shared one if there is one; and each expert's.
  std::vector<Checkpoint::Part> router;
  std::string choice_bias;  // [experts]; empty: none
  // Where they stand apart (ExpertsConfig): [hidden], [hidden], [hidden], [hidden], [experts].
  std::string experts_norm, router_norm, post_dense_norm, post_experts_norm, weight_scales;
  struct Expert { std::vector<Checkpoint::Part> gate_up, down; };
  std::vector<Expert> experts;
};

LayerTensors layer_tensors(const Checkpoint& checkpoint, const ModelConfig& config, int32_t layer);

}  // namespace sgmv
