#include "layers/latent_attention.h"

#include <algorithm>

namespace sgmv {

void LatentAttention::reserve(int64_t tokens, ActivationForms forms) {
  const LatentConfig& latent = config_.latent;
  first_.reserve(tokens, config_.latent_width());
  kv_latent_.reserve(tokens, latent.kv_rank, forms);
  kv_.reserve(tokens, int64_t{config_.heads} * latent.kv_b_head());
  if (latent.q_rank == 0) return;
  q_latent_.reserve(tokens, latent.q_rank, forms);
  q_.reserve(tokens, config_.q_width(0));
}

void LatentAttention::norm(const Kernels& kernels, const std::vector<float>& q_norm, const std::vector<float>& kv_norm, int64_t token) {
  const float* row = first_.row(token);
  if (config_.latent.q_rank > 0) {
    kernels.rms_norm(row, q_norm.data(), kLatentNormEps, config_.latent.q_rank, q_latent_.row(token));
    q_latent_.encode(kernels, token);
  }
  kernels.rms_norm(row + config_.latent_q_width(), kv_norm.data(), kLatentNormEps, config_.latent.kv_rank, kv_latent_.row(token));
  kv_latent_.encode(kernels, token);
}

void LatentAttention::assemble(int64_t token, float* qkv) const {
  const LatentConfig& latent = config_.latent;
  const int64_t dim = config_.head_dim, nope = latent.nope_dim, rope = latent.rope_dim, width = config_.heads * dim;
  const float *q = latent.q_rank > 0 ? q_.row(token) : first_.row(token), *kv = kv_.row(token), *rotated = first_.row(token) + config_.latent_q_width() + latent.kv_rank;
  for (int32_t head = 0; head < config_.heads; ++head, qkv += dim, q += dim, kv += latent.kv_b_head()) {
    float *key = qkv + width, *value = key + width;
    std::copy_n(q + nope, rope, qkv);
    std::copy_n(q, nope, qkv + rope);
    std::copy_n(rotated, rope, key);
    std::copy_n(kv, nope, key + rope);
    std::fill(std::copy_n(kv + nope, latent.value_dim, value), value + dim, 0.0f);
  }
}

void LatentAttention::close_ranks(float* attended) const {
  const int64_t dim = config_.head_dim, width = config_.latent.value_dim;
  for (int32_t head = 1; head < config_.heads && width < dim; ++head) std::copy_n(attended + head * dim, width, attended + head * width);
}

}  // namespace sgmv
