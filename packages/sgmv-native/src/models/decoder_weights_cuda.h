// The weights of a Llama-family decoder in device memory.
#pragma once

#include <filesystem>
#include <vector>

#include "cuda/memory.h"
#include "cuda/number.h"
#include "layers/base_rows.h"
#include "ops/linear_cuda.h"
#include "sgmv/model_config.h"

namespace sgmv::cuda {

struct Matrix {
  DeviceArray<std::byte> data;
  DeviceArray<float> scales;  // e4m3 only
  LinearWeights weights;      // points to them
  size_t bytes() const { return data.bytes() + scales.bytes(); }
};

struct BiasedMatrix {
  Matrix matrix;
  DeviceArray<float> bias;  // [out] or empty; data() is then null
  size_t bytes() const { return matrix.bytes() + bias.bytes(); }
};

// Of a layer with experts; empty: it has none.
struct ExpertWeightsCuda {
  Matrix router;         // [experts, hidden] in float32, and one row more for the gate of a shared expert
  Matrix gate_up, down;  // of all experts one after the other; `weights` are the first one's
  // [rated], [experts, 2 · size], [experts, hidden], or empty; data() is then null
  DeviceArray<float> router_bias, gate_up_bias, down_bias;
  DeviceArray<float> choice_bias;  // [experts]; empty: none
  // As of ExpertWeights.
  DeviceArray<float> weight_scales, norm, router_norm, post_dense_norm, post_norm;
  size_t bytes() const { return weight_scales.bytes() + norm.bytes() + router_norm.bytes() + post_dense_norm.bytes() + post_norm.bytes() + router.bytes() + gate_up.bytes() + down.bytes() + router_bias.bytes() + gate_up_bias.bytes() + down_bias.bytes() + choice_bias.bytes(); }
};

// Of layers/state_mixer.h.
struct StateWeightsCuda {
  DeviceArray<float> conv, conv_bias, decay_rates, dt_bias, skip, norm;
  size_t bytes() const { return conv.bytes() + conv_bias.bytes() + decay_rates.bytes() + dt_bias.bytes() + skip.bytes() + norm.bytes(); }
};

struct DecoderLayerCuda {
  // Empty: none.
  DeviceArray<float> attention_norm, mlp_norm;            // the latter not of parallel_mlp; [hidden], of layer_norms [2 · hidden]: what is multiplied, then what is added
  DeviceArray<float> post_attention_norm, post_mlp_norm;  // [hidden]
  DeviceArray<float> q_norm, k_norm;  // [q_norm_width()], [k_norm_width()]
  DeviceArray<float> sinks;           // [heads]
  DeviceArray<float> post_per_token_norm;  // [hidden]
  DeviceArray<float> q_a_norm, kv_a_norm;  // of latent attention: [q_rank], [kv_rank]
  float scale = 1.0f;                      // of what leaves the layer
  Xielu xielu;
  BiasedMatrix qkv, o;
  BiasedMatrix state_in, state_out;  // of a layer with a state; empty: it has none
  StateWeightsCuda state;
  BiasedMatrix q_b;            // of latent attention, where qkv is q or q_a, and kv_a
  Matrix key_up, value_up;     // likewise, of all heads one after the other: see LatentUp; `weights` are the first one's
  BiasedMatrix per_token_gate, per_token_out;  // of PerTokenConfig; empty: none
  BiasedMatrix gate_up, down;  // of the MLP that all tokens pass; empty: none
  ExpertWeightsCuda experts;
};

struct DecoderWeightsCuda {
  Number type = Number::bf16;  // of what they are multiplied with
  Matrix embedding;            // [vocab, hidden]
  Matrix lm_head;              // empty when tied
  DType embedding_type = DType::f32, head_type = DType::f32;  // that they were rounded to in the file
  DeviceArray<float> head_bias;   // [vocab]; empty: none
  DeviceArray<float> final_norm;  // as attention_norm
  // Of PerTokenConfig: [vocab, layers · size], [layers · size, hidden], [size]; empty: none.
  Matrix per_token_embedding, per_token_in;
  DeviceArray<float> per_token_norm;
  std::vector<DecoderLayerCuda> layers;

  const Matrix& head() const { return lm_head.data.size() > 0 ? lm_head : embedding; }
  size_t bytes() const;
};

// `fp8`: the projections of the layers as e4m3. Throws Error model_corrupt, model_unsupported, model_not_found or
// out_of_memory.
DecoderWeightsCuda load_decoder_weights_cuda(const std::filesystem::path& weights, const ModelConfig& config, Number type, bool fp8);

// Keeps the matrix that was asked for last, of experts and of heads that of one of them, in host memory. For one thread.
class DecoderRowsCuda : public BaseRows {
 public:
  DecoderRowsCuda(const DecoderWeightsCuda& weights, const ModelConfig& config) : weights_(weights), config_(config) {}
  void copy_row(const LoraTarget& target, int64_t row, float* out) const override;
  float tolerance(const LoraTarget& target) const override;
  DType stored_type(const LoraTarget& target) const override { return target.projection == Projection::lm_head ? weights_.head_type : weights_.embedding_type; }
  std::vector<float> head_bias() const override;

 private:
  const Matrix& matrix(const LoraTarget& target) const;
  void fetch(const Matrix& matrix, int64_t index) const;
  float number(const LinearWeights& weights, int64_t row, int64_t column) const;  // of what was fetched

  const DecoderWeightsCuda& weights_;
  const ModelConfig& config_;
  mutable const Matrix* copied_ = nullptr;
  mutable int64_t copied_index_ = 0;
  mutable std::vector<std::byte> numbers_;
  mutable std::vector<float> scales_;
};

}  // namespace sgmv::cuda
