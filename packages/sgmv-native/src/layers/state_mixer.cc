#include "layers/state_mixer.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sgmv {
namespace {

constexpr float kNormEps = 1e-6f;  // of q and k

static_assert(kStateTile == LinearAttentionConfig::kStateTile);

float softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }

}  // namespace

void StateMixer::plan(std::span<const SequenceSlice> sequences) {
  sequences_ = sequences;
  tokens_.clear();
  for (const SequenceSlice& sequence : sequences)
    for (int32_t i = 0; i < sequence.token_count; ++i) tokens_.push_back({&sequence, i});
}

void StateMixer::reserve(int64_t tokens) {
  mixed_.reserve(tokens, config_.conv_width());
  if (!config_.has_matrices()) return;
  read_.reserve(tokens, config_.values());
  decays_.resize(static_cast<size_t>(tokens * config_.value_heads));
  betas_.resize(decays_.size());
}

// Calls visit(column of the product, channel of the convolution, width) for what lies together in both.
template <typename Visit>
void StateMixer::for_each_span(Visit visit) const {
  if (config_.rule != StateRule::gated_delta) return visit(config_.v_column(0), 0, config_.conv_width());
  for (int32_t head = 0; head < config_.key_heads; ++head) visit(config_.q_column(head), head * config_.key_dim, config_.key_dim);
  for (int32_t head = 0; head < config_.key_heads; ++head) visit(config_.k_column(head), config_.keys() + head * config_.key_dim, config_.key_dim);
  for (int32_t head = 0; head < config_.value_heads; ++head) visit(config_.v_column(head), 2 * config_.keys() + head * config_.value_dim, config_.value_dim);
}

void StateMixer::run(CpuDevice& device, const StateWeights& weights, Activations& projected, CpuKvCache& cache, int32_t layer) {
  const Kernels& kernels = device.kernels();
  if (config_.is_conv() || config_.gate_scale != 1.0f)
    device.pool().parallel_for(static_cast<int64_t>(tokens_.size()), [&](int64_t token, int) { prepare(kernels, projected.row(token)); });
  device.pool().parallel_for(static_cast<int64_t>(tokens_.size()), [&](int64_t token, int) {
    const auto& [sequence, index] = tokens_[static_cast<size_t>(token)];
    const float* before = sequence->state_from < 0 ? nullptr : cache.state(sequence->state_from, layer) + config_.conv_at();
    convolve(kernels, weights, projected, before, token);
    if (config_.has_matrices()) weigh(weights, projected.row(token), token);
    if (index + 1 == sequence->token_count) keep_inputs(projected, before, token, cache.state(sequence->state_to, layer) + config_.conv_at());
  });
  if (config_.has_matrices()) run_matrices(device, cache, layer);
}

void StateMixer::run_matrices(CpuDevice& device, CpuKvCache& cache, int32_t layer) {
  const Kernels& kernels = device.kernels();
  const int64_t tiles = config_.tiles(), items = config_.value_heads * tiles;
  device.pool().parallel_for(static_cast<int64_t>(sequences_.size()) * items, [&](int64_t item, int) {
    const SequenceSlice& sequence = sequences_[static_cast<size_t>(item / items)];
    const auto head = static_cast<int32_t>(item % items / tiles), key = head / config_.per_key_head();
    const int64_t column = item % tiles * kStateTile;
    const int64_t state = item % items * config_.tile_floats(), gate = sequence.token_begin * config_.value_heads + head;
    const float* row = mixed_.row(sequence.token_begin);
    kernels.delta_rule({row + config_.q_channel(key), row + config_.k_channel(key), row + config_.v_channel(head) + column, mixed_.stride(),
                        decays_.data() + gate, betas_.data() + gate, config_.value_heads,
                        read_.row(sequence.token_begin) + head * config_.value_dim + column, read_.stride(), sequence.token_count,
                        config_.key_dim, std::min<int64_t>(kStateTile, config_.value_dim - column),
                        sequence.state_from < 0 ? nullptr : cache.state(sequence.state_from, layer) + state, cache.state(sequence.state_to, layer) + state,
                        config_.rule == StateRule::gated_delta});
  });
}

// What is read of a token's product more than once, as it is wanted there.
void StateMixer::prepare(const Kernels& kernels, float* projected) const {
  const int64_t values = config_.values();
  if (!config_.is_conv()) return kernels.scale(projected + config_.z_column(0), config_.gate_scale, values);
  float* x = projected + config_.v_column(0);
  for (int64_t i = 0; i < values; ++i) x[i] *= projected[i];
}

// `before`: the inputs before the slice, [taps - 1, conv_width]; null: zeros.
void StateMixer::convolve(const Kernels& kernels, const StateWeights& weights, const Activations& projected, const float* before, int64_t token) {
  const int32_t index = tokens_[static_cast<size_t>(token)].index, last = config_.taps - 1;
  const int64_t channels = config_.conv_width();
  float* out = mixed_.row(token);
  std::array<const float*, kConvTapsMax> taps;
  for_each_span([&](int32_t column, int32_t channel, int32_t width) {
    for (int32_t tap = 0; tap <= last; ++tap) {
      const int32_t ago = last - tap;
      if (ago <= index) taps[static_cast<size_t>(tap)] = projected.row(token - ago) + column;
      else taps[static_cast<size_t>(tap)] = before == nullptr ? nullptr : before + (index + tap) * channels + channel;
    }
    kernels.causal_conv(taps.data(), config_.taps, weights.conv.data() + channel, weights.conv_bias.empty() ? nullptr : weights.conv_bias.data() + channel, channels, width,
                        !config_.is_conv(), out + channel);
  });
  if (config_.rule != StateRule::gated_delta) return;
  const float scale = 1.0f / std::sqrt(static_cast<float>(config_.key_dim));
  for (int32_t head = 0; head < 2 * config_.key_heads; ++head)
    kernels.l2_norm(out + head * config_.key_dim, kNormEps, head < config_.key_heads ? scale : 1.0f, config_.key_dim);
}

void StateMixer::weigh(const StateWeights& weights, const float* projected, int64_t token) {
  for (int32_t head = 0; head < config_.value_heads; ++head) {
    const auto at = static_cast<size_t>(token * config_.value_heads + head), h = static_cast<size_t>(head);
    const float step = softplus(config_.step_scale * projected[config_.a_column(head)] + weights.dt_bias[h]);
    const float used = config_.is_mamba() ? std::clamp(step, config_.step_min, config_.step_max) : step;
    decays_[at] = std::exp(weights.decay_rates[h] * used);
    betas_[at] = config_.is_mamba() ? used : 1.0f / (1.0f + std::exp(-projected[config_.b_column(head)]));
  }
}

// The last inputs of the convolution, of a slice's last token on; `after` [taps - 1, conv_width].
void StateMixer::keep_inputs(const Activations& projected, const float* before, int64_t token, float* after) const {
  const int32_t index = tokens_[static_cast<size_t>(token)].index, rows = config_.taps - 1;
  const int64_t channels = config_.conv_width();
  for (int32_t row = 0; row < rows; ++row) {
    const int32_t ago = rows - 1 - row;
    for_each_span([&](int32_t column, int32_t channel, int32_t width) {
      float* to = after + row * channels + channel;
      if (ago <= index) std::copy_n(projected.row(token - ago) + column, width, to);
      else if (before == nullptr) std::fill_n(to, width, 0.0f);
      else std::copy_n(before + (index + 1 + row) * channels + channel, width, to);
    });
  }
}

void StateMixer::finish(const Kernels& kernels, const StateWeights& weights, const Activations& projected, int64_t token, float* out) {
  const float* z = projected.row(token) + config_.z_column(0);
  if (config_.is_mamba()) return skip_and_norm(kernels, weights, z, token, out);
  if (config_.is_conv()) {
    const float* convolved = mixed_.row(token);
    for (int64_t i = 0; i < config_.values(); ++i) out[i] = convolved[i] * z[i];
    return;
  }
  for (int32_t head = 0; head < config_.value_heads; ++head) {
    float* to = out + head * config_.value_dim;
    kernels.rms_norm(read_.row(token) + head * config_.value_dim, weights.norm.data(), config_.norm_eps, config_.value_dim, to);
    kernels.swiglu(projected.row(token) + config_.z_column(head), to, config_.value_dim, to);
  }
}

void StateMixer::skip_and_norm(const Kernels& kernels, const StateWeights& weights, const float* z, int64_t token, float* out) {
  const int64_t values = config_.values(), width = config_.norm_width();
  const float* x = mixed_.row(token);
  float* y = read_.row(token);
  for (int64_t i = 0; i < values; ++i) y[i] += weights.skip[static_cast<size_t>(i / config_.value_dim)] * x[i];
  const auto norm = [&](const float* from) {
    for (int64_t group = 0; group < values; group += width) kernels.rms_norm(from + group, weights.norm.data() + group, config_.norm_eps, width, out + group);
  };
  if (config_.gate == StateGate::after_norm) norm(y);
  kernels.swiglu(z, config_.gate == StateGate::after_norm ? out : y, values, out);
  if (config_.gate == StateGate::before_norm) norm(out);
  if (config_.out_scale != 1.0f) kernels.scale(out, config_.out_scale, values);
}

}  // namespace sgmv
