// Cosines and sines of the rotary embedding by position, grown on demand: a model may allow 131072 positions and see
// two hundred. Frequencies are computed in float32, as Hugging Face Transformers does, because at large positions
// the rounding of the angle is visible.
#pragma once

#include <cstdint>
#include <vector>

#include "sgmv/model_config.h"

namespace sgmv {

class RopeTable {
 public:
  RopeTable(const RopeConfig& config, int32_t head_dim);

  void reserve(int64_t positions);
  const float* cosines(int64_t position) const { return table_.data() + position * 2 * half_; }
  const float* sines(int64_t position) const { return cosines(position) + half_; }
  int64_t half() const { return half_; }

 private:
  float factor_;  // yarn and longrope multiply the embedding itself
  std::vector<float> frequencies_;
  int64_t half_;  // of the components that are rotated
  int64_t positions_ = 0;
  std::vector<float> table_;
};

// What YaRN multiplies by where mscale or mscale_all_dim is `scale`; 1 for 0.
double yarn_mscale(double factor, double scale);

// Exposed for tests.
std::vector<float> rope_frequencies(const RopeConfig& config, int32_t head_dim);
float rope_attention_factor(const RopeConfig& config);

}  // namespace sgmv
