// The weights of a Llama-family decoder, packed.
#pragma once

#include <vector>

#include "layers/latent_attention.h"
#include "layers/state_mixer.h"
#include "layers/mixture.h"
#include "layers/per_token_inputs.h"
#include "models/checkpoint.h"
#include "models/layer_tensors.h"

namespace sgmv {

struct DecoderLayer {
  // Empty: none.
  std::vector<float> attention_norm, mlp_norm;            // the latter not of parallel_mlp; [hidden], of layer_norms [2 · hidden]: what is multiplied, then what is added
  std::vector<float> post_attention_norm, post_mlp_norm;  // [hidden]
  std::vector<float> q_norm, k_norm;  // [q_norm_width()], [k_norm_width()]
  std::vector<float> post_per_token_norm;  // [hidden]
  std::vector<float> q_a_norm, kv_a_norm;  // of latent attention: [q_rank], [kv_rank]
  float scale = 1.0f;                      // of what leaves the layer
  std::vector<float> sinks;           // [heads]
  Xielu xielu;
  Linear qkv, o;
  Linear state_in, state_out;  // of a layer with a state; empty: it has none
  StateWeights state;
  Linear q_b;              // of latent attention, where qkv is q or q_a, and kv_a
  LatentUp latent_up;      // of latent attention
  Linear per_token_gate, per_token_out;  // of PerTokenConfig; empty: none
  Linear gate_up, down;  // of the MLP that all tokens pass; empty: none
  ExpertWeights experts;
  size_t bytes() const;
};

struct DecoderWeights {
  PackedMatrix embedding;          // [vocab, hidden]
  PackedMatrix lm_head;            // empty when tied
  std::vector<float> head_bias;    // [vocab]; empty: none
  std::vector<float> final_norm;   // as attention_norm
  DType embedding_type = DType::f32, head_type = DType::f32;  // that they were rounded to in the file
  PerTokenWeights per_token;
  std::vector<DecoderLayer> layers;

  const PackedMatrix& head() const { return lm_head.out() > 0 ? lm_head : embedding; }
  size_t bytes() const;
};

// The rows of projections within the fused matrices.
class DecoderRows : public BaseRows {
 public:
  DecoderRows(const DecoderWeights& weights, const ModelConfig& config) : weights_(weights), config_(config) {}
  void copy_row(const LoraTarget& target, int64_t row, float* out) const override;
  float tolerance(const LoraTarget& target) const override;
  DType stored_type(const LoraTarget& target) const override { return target.projection == Projection::lm_head ? weights_.head_type : weights_.embedding_type; }
  std::vector<float> head_bias() const override { return weights_.head_bias; }

 private:
  const PackedMatrix& matrix(const LoraTarget& target) const;
  const DecoderWeights& weights_;
  const ModelConfig& config_;
};

// Whether the checkpoint of a model with tied embeddings has a head of its own all the same: Transformers then uses that.
// A head that equals the embedding is none of its own. Throws as load_decoder_weights does.
bool has_own_head(const std::filesystem::path& weights, const ModelConfig& config);

// Of a layer with a state.
StateWeights load_state(const Checkpoint& checkpoint, const LayerTensors& names, const LinearAttentionConfig& config);

// Throws Error model_corrupt, model_unsupported or model_not_found.
DecoderWeights load_decoder_weights(const std::filesystem::path& weights, const ModelConfig& config, WeightType compute);

}  // namespace sgmv
