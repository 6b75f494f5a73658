#include "layers/latent_attention.h"

#include <algorithm>

namespace sgmv {

size_t LatentUp::bytes() const {
  size_t total = 0;
  for (const std::vector<Linear>* each : {&keys, &values})
    for (const Linear& linear : *each) total += linear.bytes();
  return total;
}

void LatentUp::copy_row(const LatentConfig& shape, int64_t row, float* out) const {
  const auto head = static_cast<size_t>(row / shape.kv_b_head());
  const int64_t in_head = row % shape.kv_b_head();
  if (in_head >= shape.nope_dim) return values[head].weights.copy_row(in_head - shape.nope_dim, out);
  for (int64_t i = 0; i < shape.kv_rank; ++i) out[i] = keys[head].weights.number(i, in_head);
}

LatentAttention::LatentAttention(const ModelConfig& config, bool narrow) : config_(config), heads_(narrow) {}

void LatentAttention::plan(std::span<const Segment> segments, int64_t tokens) {
  tokens_ = tokens;
  adapters_.clear();
  for (const Segment& segment : segments) {
    const auto* adapter = static_cast<const LoraAdapter*>(segment.adapter);
    if (adapter == nullptr || !adapter->adapts_heads()) continue;
    adapters_.resize(static_cast<size_t>(segment.token_begin));  // null up to here
    adapters_.resize(static_cast<size_t>(segment.token_end), adapter);
  }
  runs_.clear();
  const auto end = static_cast<int64_t>(adapters_.size());
  for (int32_t head = 0; head < config_.heads; ++head)
    for (int64_t token = 0, next; token < end; token = next) {
      const LoraAdapter* adapter = adapters_[static_cast<size_t>(token)];
      for (next = token + 1; next < end && adapters_[static_cast<size_t>(next)] == adapter;) ++next;
      if (adapter != nullptr) runs_.push_back({row_of(token, head), row_of(next, head), adapter, head});
    }
  heads_.plan(runs_);
}

void LatentAttention::reserve(ActivationForms forms) {
  const LatentConfig& latent = config_.latent;
  const int64_t rows = tokens_ * config_.heads;
  first_.reserve(tokens_, config_.latent_width());
  rows_.reserve(tokens_, latent.kv_a_width());
  unrotated_.reserve(rows, latent.nope_dim, forms);
  attended_.reserve(rows, latent.kv_rank, forms);
  if (latent.q_rank == 0) return;
  q_latent_.reserve(tokens_, latent.q_rank, forms);
  q_.reserve(tokens_, config_.q_width(0));
}

void LatentAttention::norm_queries(const Kernels& kernels, const std::vector<float>& norm, int64_t token) {
  kernels.rms_norm(first_.row(token), norm.data(), kLatentNormEps, config_.latent.q_rank, q_latent_.row(token));
  q_latent_.encode(kernels, token);
}

void LatentAttention::absorb_keys(CpuDevice& device, int32_t layer, const LatentUp& up, Activations& queries) {
  const Kernels& kernels = device.kernels();
  const int64_t nope = config_.latent.nope_dim;
  heads_.prepare({layer, ProjectionGroup::latent_k});
  device.pool().parallel_for(tokens_, [&](int64_t token, int) {
    const LoraAdapter* adapter = token < static_cast<int64_t>(adapters_.size()) ? adapters_[static_cast<size_t>(token)] : nullptr;
    for (int32_t head = 0; head < config_.heads; ++head) {
      const int64_t row = row_of(token, head);
      float* to = unrotated_.row(row);
      std::copy_n(query(token, head), nope, to);
      if (adapter != nullptr)
        for (const LoraPart& part : adapter->group(layer, ProjectionGroup::latent_k, head).parts)
          for (int64_t i = 0; part.input_factors != nullptr && i < nope; ++i) to[i] *= part.input_factors[i];
      unrotated_.encode(kernels, row);
      heads_.shrink_row(kernels, unrotated_, row);
    }
  });
  multiply(device, up.keys, unrotated_, queries, config_.latent.kv_a_width());
}

const float* LatentAttention::finish_queries(const Kernels& kernels, const std::vector<float>& kv_norm, const RopeTable& rope, int64_t position, float scale, int64_t token,
                                             float* queries) {
  const LatentConfig& latent = config_.latent;
  const auto rotate = [&, turn = config_.rope.interleaved ? kernels.rope_interleaved : kernels.rope](const float* from, float* to) {
    std::copy_n(from, latent.rope_dim, to);
    turn(to, rope.cosines(position), rope.sines(position), rope.half());
  };
  for (int32_t head = 0; head < config_.heads; ++head, queries += latent.kv_a_width()) {
    rotate(query(token, head) + latent.nope_dim, queries + latent.kv_rank);
    kernels.scale(queries, scale, latent.kv_a_width());
  }
  const float* from = first_.row(token) + config_.latent_q_width();
  float* row = rows_.row(token);
  kernels.rms_norm(from, kv_norm.data(), kLatentNormEps, latent.kv_rank, row);
  rotate(from + latent.kv_rank, row + latent.kv_rank);
  return row;
}

void LatentAttention::finish_values(const Kernels& kernels, int64_t token) {
  for (int32_t head = 0; head < config_.heads; ++head) {
    attended_.encode(kernels, row_of(token, head));
    heads_.shrink_row(kernels, attended_, row_of(token, head));
  }
}

void LatentAttention::multiply_values(CpuDevice& device, const LatentUp& up, Activations& out) { multiply(device, up.values, attended_, out, config_.latent.value_dim); }

// Each head's rows with its matrix: a token's products lie in one row of y, `y_width` numbers a head.
void LatentAttention::multiply(CpuDevice& device, const std::vector<Linear>& each, const Activations& x, Activations& y, int64_t y_width) {
  gemms_.clear();
  for (int32_t head = 0; head < config_.heads; ++head)
    gemms_.add({&x, tokens_, &each[static_cast<size_t>(head)].weights, nullptr, y.row(0) + head * y_width, y.stride(), row_of(0, head), row_of(0, head)});
  heads_.run(device, gemms_, std::nullopt);
}

}  // namespace sgmv
