#include "layers/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sgmv {
namespace {

// Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between blended.
float llama3_frequency(const RopeConfig& config, float frequency) {
  const auto factor = static_cast<float>(config.factor);
  const auto original = static_cast<float>(config.original_max_positions);
  const auto low = static_cast<float>(config.low_freq_factor), high = static_cast<float>(config.high_freq_factor);
  const float wavelength = 2.0f * std::numbers::pi_v<float> / frequency;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / factor;
  const float smooth = (original / wavelength - low) / (high - low);
  return (1.0f - smooth) * (frequency / factor) + smooth * frequency;
}

// The dimension whose wavelength fits `rotations` times into the original context (Peng et al., 2023, YaRN).
double yarn_dimension(const RopeConfig& config, int32_t head_dim, double rotations) {
  return head_dim * std::log(config.original_max_positions / (rotations * 2 * std::numbers::pi)) / (2 * std::log(config.theta));
}

void apply_yarn(const RopeConfig& config, int32_t head_dim, std::vector<float>& frequencies) {
  double low = yarn_dimension(config, head_dim, config.beta_fast), high = yarn_dimension(config, head_dim, config.beta_slow);
  if (config.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, head_dim - 1.0);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const auto ramp = static_cast<float>(std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0));
    const float keep = 1.0f - ramp;
    frequencies[i] = frequencies[i] / static_cast<float>(config.factor) * (1.0f - keep) + frequencies[i] * keep;
  }
}

}  // namespace

double yarn_mscale(double factor, double scale) { return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0; }

std::vector<float> rope_frequencies(const RopeConfig& config, int32_t head_dim) {
  const int32_t dim = config.rotary_dim > 0 ? config.rotary_dim : head_dim;
  std::vector<float> frequencies(static_cast<size_t>(dim / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dim);
    float wavelength = static_cast<float>(std::pow(config.theta, static_cast<double>(exponent)));
    if (!config.factors.empty()) wavelength *= config.factors[i];
    float frequency = 1.0f / wavelength;
    if (config.kind == RopeConfig::Kind::linear || config.kind == RopeConfig::Kind::proportional) frequency /= static_cast<float>(config.factor);
    if (config.kind == RopeConfig::Kind::llama3) frequency = llama3_frequency(config, frequency);
    frequencies[i] = frequency;
  }
  if (config.kind == RopeConfig::Kind::proportional) std::fill(frequencies.begin() + static_cast<std::ptrdiff_t>(config.share * dim / 2), frequencies.end(), 0.0f);
  if (config.kind == RopeConfig::Kind::yarn) apply_yarn(config, dim, frequencies);
  return frequencies;
}

float rope_attention_factor(const RopeConfig& config) {
  if (config.attention_factor > 0) return static_cast<float>(config.attention_factor);
  if (config.kind != RopeConfig::Kind::yarn) return 1.0f;
  if (config.mscale > 0 && config.mscale_all_dim > 0)
    return static_cast<float>(yarn_mscale(config.factor, config.mscale) / yarn_mscale(config.factor, config.mscale_all_dim));
  return static_cast<float>(yarn_mscale(config.factor, 1.0));
}

RopeTable::RopeTable(const RopeConfig& config, int32_t head_dim)
    : factor_(rope_attention_factor(config)), frequencies_(rope_frequencies(config, head_dim)),
      half_(static_cast<int64_t>(frequencies_.size())) {}

void RopeTable::reserve(int64_t positions) {
  if (positions <= positions_) return;
  positions = std::max(positions, positions_ * 2);
  table_.resize(static_cast<size_t>(positions * 2 * half_));
  for (int64_t position = positions_; position < positions; ++position) {
    float* row = table_.data() + position * 2 * half_;
    for (int64_t i = 0; i < half_; ++i) {
      const float angle = static_cast<float>(position) * frequencies_[static_cast<size_t>(i)];
      row[i] = static_cast<float>(std::cos(static_cast<double>(angle))) * factor_;
      row[half_ + i] = static_cast<float>(std::sin(static_cast<double>(angle))) * factor_;
    }
  }
  positions_ = positions;
}

}  // namespace sgmv
