#include "layers/gated_delta.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sgmv {
namespace {

constexpr float kNormEps = 1e-6f;  // of q and k

static_assert(kStateTile == LinearAttentionConfig::kStateTile);

float softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }

}  // namespace

void GatedDelta::plan(std::span<const SequenceSlice> sequences) {
  sequences_ = sequences;
  tokens_.clear();
  for (const SequenceSlice& sequence : sequences)
    for (int32_t i = 0; i < sequence.token_count; ++i) tokens_.push_back({&sequence, i});
}

void GatedDelta::reserve(int64_t tokens) {
  mixed_.reserve(tokens, config_.conv_width());
  read_.reserve(tokens, config_.values());
  decays_.resize(static_cast<size_t>(tokens * config_.value_heads));
  betas_.resize(decays_.size());
}

// Calls visit(column of the product, channel of the convolution, width) for each head of q, k and v.
template <typename Visit>
void GatedDelta::for_each_head(Visit visit) const {
  for (int32_t head = 0; head < config_.key_heads; ++head) visit(config_.q_column(head), head * config_.key_dim, config_.key_dim);
  for (int32_t head = 0; head < config_.key_heads; ++head) visit(config_.k_column(head), config_.keys() + head * config_.key_dim, config_.key_dim);
  for (int32_t head = 0; head < config_.value_heads; ++head) visit(config_.v_column(head), 2 * config_.keys() + head * config_.value_dim, config_.value_dim);
}

void GatedDelta::run(CpuDevice& device, const GatedDeltaWeights& weights, const Activations& projected, CpuKvCache& cache, int32_t layer) {
  const Kernels& kernels = device.kernels();
  device.pool().parallel_for(static_cast<int64_t>(tokens_.size()), [&](int64_t token, int) {
    const auto& [sequence, index] = tokens_[static_cast<size_t>(token)];
    const float* before = sequence->state_from < 0 ? nullptr : cache.state(sequence->state_from, layer) + config_.conv_at();
    convolve(kernels, weights, projected, before, token);
    weigh(weights, projected.row(token), token);
    if (index + 1 == sequence->token_count) keep_inputs(projected, before, token, cache.state(sequence->state_to, layer) + config_.conv_at());
  });
  const int64_t tiles = config_.tiles(), items = config_.value_heads * tiles;
  device.pool().parallel_for(static_cast<int64_t>(sequences_.size()) * items, [&](int64_t item, int) {
    const SequenceSlice& sequence = sequences_[static_cast<size_t>(item / items)];
    const int64_t head = item % items / tiles, column = item % tiles * kStateTile, key = head / config_.per_key_head() * config_.key_dim;
    const int64_t state = item % items * config_.tile_floats(), gate = sequence.token_begin * config_.value_heads + head;
    const float* row = mixed_.row(sequence.token_begin);
    kernels.delta_rule({row + key, row + config_.keys() + key, row + 2 * config_.keys() + head * config_.value_dim + column, mixed_.stride(),
                        decays_.data() + gate, betas_.data() + gate, config_.value_heads,
                        read_.row(sequence.token_begin) + head * config_.value_dim + column, read_.stride(), sequence.token_count,
                        config_.key_dim, std::min<int64_t>(kStateTile, config_.value_dim - column),
                        sequence.state_from < 0 ? nullptr : cache.state(sequence.state_from, layer) + state, cache.state(sequence.state_to, layer) + state});
  });
}

// `before`: the inputs before the slice, [taps - 1, conv_width]; null: zeros.
void GatedDelta::convolve(const Kernels& kernels, const GatedDeltaWeights& weights, const Activations& projected, const float* before, int64_t token) {
  const int32_t index = tokens_[static_cast<size_t>(token)].index, last = config_.taps - 1;
  const int64_t channels = config_.conv_width();
  float* out = mixed_.row(token);
  std::array<const float*, kConvTapsMax> taps;
  for_each_head([&](int32_t column, int32_t channel, int32_t width) {
    for (int32_t tap = 0; tap <= last; ++tap) {
      const int32_t ago = last - tap;
      if (ago <= index) taps[static_cast<size_t>(tap)] = projected.row(token - ago) + column;
      else taps[static_cast<size_t>(tap)] = before == nullptr ? nullptr : before + (index + tap) * channels + channel;
    }
    kernels.conv_silu(taps.data(), config_.taps, weights.conv.data() + channel, channels, width, out + channel);
  });
  const float scale = 1.0f / std::sqrt(static_cast<float>(config_.key_dim));
  for (int32_t head = 0; head < 2 * config_.key_heads; ++head)
    kernels.l2_norm(out + head * config_.key_dim, kNormEps, head < config_.key_heads ? scale : 1.0f, config_.key_dim);
}

void GatedDelta::weigh(const GatedDeltaWeights& weights, const float* projected, int64_t token) {
  for (int32_t head = 0; head < config_.value_heads; ++head) {
    const auto at = static_cast<size_t>(token * config_.value_heads + head), h = static_cast<size_t>(head);
    decays_[at] = std::exp(weights.decay_rates[h] * softplus(projected[config_.a_column(head)] + weights.dt_bias[h]));
    betas_[at] = 1.0f / (1.0f + std::exp(-projected[config_.b_column(head)]));
  }
}

// The last inputs of the convolution, of a slice's last token on; `after` [taps - 1, conv_width].
void GatedDelta::keep_inputs(const Activations& projected, const float* before, int64_t token, float* after) const {
  const int32_t index = tokens_[static_cast<size_t>(token)].index, rows = config_.taps - 1;
  const int64_t channels = config_.conv_width();
  for (int32_t row = 0; row < rows; ++row) {
    const int32_t ago = rows - 1 - row;
    for_each_head([&](int32_t column, int32_t channel, int32_t width) {
      float* to = after + row * channels + channel;
      if (ago <= index) std::copy_n(projected.row(token - ago) + column, width, to);
      else if (before == nullptr) std::fill_n(to, width, 0.0f);
      else std::copy_n(before + (index + 1 + row) * channels + channel, width, to);
    });
  }
}

void GatedDelta::finish(const Kernels& kernels, const GatedDeltaWeights& weights, const Activations& projected, int64_t token, float* out) const {
  for (int32_t head = 0; head < config_.value_heads; ++head) {
    float* to = out + head * config_.value_dim;
    kernels.rms_norm(read_.row(token) + head * config_.value_dim, weights.norm.data(), eps_, config_.value_dim, to);
    kernels.swiglu(projected.row(token) + config_.z_column(head), to, config_.value_dim, to);
  }
}

}  // namespace sgmv
