// Latent attention on the CPU (LatentConfig): between the first products and what attention reads, and behind it.
#pragma once

#include "layers/fused_linear.h"
#include "sgmv/model_config.h"

namespace sgmv {

class LatentAttention {
 public:
  explicit LatentAttention(const ModelConfig& config) : config_(config) {}

  void reserve(int64_t tokens, ActivationForms forms);
  // What all products of the input are: of a token q_a · x or q · x, then kv_a · x.
  Activations& first() { return first_; }
  // What q_b and kv_b read, from there: normed, encoded.
  void norm(const Kernels& kernels, const std::vector<float>& q_norm, const std::vector<float>& kv_norm, int64_t token);
  Activations& q_latent() { return q_latent_; }
  Activations& kv_latent() { return kv_latent_; }
  // Their products.
  Activations& q() { return q_; }
  Activations& kv() { return kv_; }
  // A token's queries, keys and values, as of any other attention: [heads · head_dim] of each.
  void assemble(int64_t token, float* qkv) const;
  // Drops the zeros behind what each head has attended to.
  void close_ranks(float* attended) const;

 private:
  const ModelConfig& config_;
  Activations first_, q_latent_, kv_latent_, q_, kv_;
};

}  // namespace sgmv
