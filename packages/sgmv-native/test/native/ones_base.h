// A base model whose every weight and bias is 1, for adapters that are loaded without a model.
#pragma once

#include <algorithm>

#include "layers/base_rows.h"
#include "sgmv/model_config.h"

namespace sgmv::test {

class OnesBase : public BaseRows {
 public:
  explicit OnesBase(const ModelConfig& config) : config_(config) {}

  void copy_row(const LoraTarget& target, int64_t, float* out) const override {
    std::fill_n(out, is_in_layer(target.projection) ? target.inputs(config_) : config_.hidden_size, 1.0f);
  }
  float tolerance(const LoraTarget&) const override { return 0; }
  std::vector<float> head_bias() const override { return std::vector<float>(config_.head_bias ? static_cast<size_t>(config_.vocab_size) : 0, 1.0f); }

 private:
  const ModelConfig& config_;
};

}  // namespace sgmv::test
