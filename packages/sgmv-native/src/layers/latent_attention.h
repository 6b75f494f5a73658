// Latent attention on the CPU (LatentConfig): what lies between the first products and attention, which is in the latent's space, and what
// brings its results back. kv_b is multiplied head by head, its keys' half transposed, with what an adapter adds to it.
#pragma once

#include <vector>

#include "layers/fused_linear.h"
#include "layers/rope_table.h"
#include "sgmv/model_config.h"

namespace sgmv {

// kv_b by heads.
struct LatentUp {
  std::vector<Linear> keys;    // [kv_rank, nope_dim] of each head: what a query is multiplied with to meet the latent
  std::vector<Linear> values;  // [value_dim, kv_rank]: what the latent's weighted sum is multiplied with
  size_t bytes() const;
  void copy_row(const LatentConfig& shape, int64_t row, float* out) const;  // of kv_b as the checkpoint has it: [kv_rank]
};

class LatentAttention {
 public:
  // `narrow`: as of FusedLinear.
  LatentAttention(const ModelConfig& config, bool narrow);

  // Which tokens of the batch have which adapter.
  void plan(std::span<const Segment> segments, int64_t tokens);
  void reserve(ActivationForms forms);
  // What all products of the input are: of a token q_a · x or q · x, then kv_a · x.
  Activations& first() { return first_; }
  // What q_b reads, from there: normed, encoded. And its product.
  void norm_queries(const Kernels& kernels, const std::vector<float>& norm, int64_t token);
  Activations& q_latent() { return q_latent_; }
  Activations& q() { return q_; }
  // The unrotated parts of all queries in the latent's space: queries [tokens, heads · kv_a_width()], the first kv_rank of each head.
  void absorb_keys(CpuDevice& device, int32_t layer, const LatentUp& up, Activations& queries);
  // A token's queries: their rotated parts, scaled. Returns its row of the cache: the normed latent, then the rotated components.
  const float* finish_queries(const Kernels& kernels, const std::vector<float>& kv_norm, const RopeTable& rope, int64_t position, float scale, int64_t token, float* queries);
  // What attention gives: row head · tokens + token has kv_rank numbers.
  Activations& attended() { return attended_; }
  // prepare_values(); finish_values() of every token, once attended() has it; then the products, of all heads beside each other:
  // out [tokens, heads · value_dim].
  void prepare_values(int32_t layer) { heads_.prepare({layer, ProjectionGroup::latent_v}); }
  void finish_values(const Kernels& kernels, int64_t token);
  void multiply_values(CpuDevice& device, const LatentUp& up, Activations& out);
  // What the next products by heads shall ask for.
  PrefetchList& also() { return heads_.also(); }

 private:
  void multiply(CpuDevice& device, const std::vector<Linear>& each, const Activations& x, Activations& y, int64_t y_width);
  const float* query(int64_t token, int32_t head) const { return (config_.latent.q_rank > 0 ? q_.row(token) : first_.row(token)) + int64_t{head} * config_.head_dim; }
  int64_t row_of(int64_t token, int32_t head) const { return head * tokens_ + token; }

  const ModelConfig& config_;
  int64_t tokens_ = 0;
  FusedLinear heads_;
  std::vector<FusedLinear::Run> runs_;
  std::vector<const LoraAdapter*> adapters_;  // of each token where kv_b is adapted; empty: of none
  GemmList gemms_;
  Activations first_, q_latent_, q_;
  Activations unrotated_;  // rows as of attended_, with nope_dim numbers
  Activations rows_, attended_;
};

}  // namespace sgmv
