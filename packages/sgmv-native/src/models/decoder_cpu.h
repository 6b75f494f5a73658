// A Llama-family decoder on the CPU: embedding, layers of attention and MLP or mixture of such, final norm, logits.
#pragma once

#include <memory>
#include <optional>

#include "cpu/cpu_device.h"
#include "layers/gate.h"
#include "layers/state_mixer.h"
#include "layers/latent_attention.h"
#include "layers/mixture.h"
#include "layers/per_token_inputs.h"
#include "layers/rope_table.h"
#include "models/decoder_weights.h"
#include "ops/attention_cpu.h"
#include "sgmv/model.h"

namespace sgmv {

class DecoderCpu : public Model {
 public:
  DecoderCpu(ModelConfig config, DecoderWeights weights, std::shared_ptr<Device> device, const NumberTypes& types);

  const ModelConfig& config() const override { return config_; }
  std::string device() const override { return device_->name(); }
  size_t weight_bytes() const override { return weights_.bytes(); }
  NumberTypes number_types() const override { return types_; }
  std::unique_ptr<KvCache> make_kv_cache(int32_t block_count, int32_t block_size, KvMemory memory = KvMemory::whole, int32_t state_count = 0) override;
  std::shared_ptr<const Adapter> load_adapter(const std::filesystem::path& folder) override;
  void forward(const Batch& batch, KvCache& cache, std::span<float> logits) override;

 private:
  // Where a token's key and value go.
  struct Place { int64_t position; int32_t block; int32_t in_block; bool long_context; };

  void plan(const Batch& batch, const CpuKvCache& cache);
  void plan_ends(const Batch& batch);
  void plan_shares(const Batch& batch);
  void reserve(int64_t tokens, int64_t logit_rows, ActivationForms forms);
  void embed(const Batch& batch);
  void attend(int32_t layer, int64_t tokens, CpuKvCache& cache);
  void project_queries(int32_t layer, int64_t tokens);
  void mix(int32_t layer, int64_t tokens, CpuKvCache& cache);
  void run_state(int32_t layer, int64_t tokens, CpuKvCache& cache, Activations& out);
  FusedLinear::Place first_of(int32_t layer) const;
  void part_gate(int64_t token);
  void rotate_and_store(int32_t layer, int64_t token, CpuKvCache& cache);
  void normalize(int64_t token, const std::vector<float>& norm);
  const std::vector<float>& first_norm(int32_t layer) const;
  std::optional<FusedLinear::Place> after_mixer(int32_t layer) const;
  std::optional<FusedLinear::Place> after(int32_t layer) const;
  std::optional<FusedLinear::Place> after_mlp(int32_t layer) const;
  void feed_forward(int32_t layer, int64_t tokens, const CpuKvCache& cache);
  void run_mlp(int32_t layer, int64_t tokens);
  void run_experts_apart(int32_t layer, int64_t tokens);
  void run_per_token(int32_t layer, int64_t tokens);
  void add_attention(FusedLinear::Place next);
  void add_and_norm(const std::vector<float>& post_norm, const std::vector<float>& norm, std::optional<FusedLinear::Place> next, float scale = 1.0f);
  const RopeTable& rope(int32_t layer, const Place& place) const;
  void write_logits(const Batch& batch, std::span<float> logits);

  ModelConfig config_;
  NumberTypes types_;
  DecoderWeights weights_;
  std::shared_ptr<Device> device_;
  CpuDevice& cpu_;
  const Gate gate_;
  RopeTable rope_;
  std::optional<RopeTable> sliding_rope_, long_rope_;
  const std::vector<float> ones_;  // of the norm of values, which has no weights

  // Working memory, kept from step to step.
  FusedLinear fused_, fused_head_;
  std::vector<Segment> head_segments_;                // of the rows whose logits are wanted
  std::vector<const LoraEmbedding*> embedding_lora_;  // of each token, or null
  std::vector<const OwnRows*> head_rows_;             // of the rows whose logits are wanted, or null; empty: none has any
  std::optional<Mixture> mixture_;
  AttentionWork attention_;
  std::optional<StateMixer> states_;
  std::optional<LatentAttention> latent_;
  std::optional<PerTokenInputs> per_token_;
  std::vector<Place> places_;
  std::vector<int64_t> token_costs_;
  std::vector<int64_t> token_shares_;  // [threads]: where each thread's share of a loop over tokens ends
  Activations hidden_, normed_, qkv_, attended_, attention_gates_, gate_up_, gated_, delta_, of_state_, last_, rated_, of_experts_;
};

// Throws Error. `weights` is there, and `config` was read from it.
std::unique_ptr<Model> load_cpu_model(const std::filesystem::path& weights, ModelConfig config, const ModelOptions& options);

}  // namespace sgmv
