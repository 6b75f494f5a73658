#include "layers/per_token_inputs.h"

#include <cmath>
#include <numbers>

namespace sgmv {

void PerTokenInputs::reserve(int64_t tokens) {
  rows_.reserve(tokens, width_);
  embedded_.reserve(tokens, width_);
}

void PerTokenInputs::mix(const Kernels& kernels, const PerTokenWeights& weights, int64_t token, int32_t id) {
  float *row = rows_.row(token), *embedded = embedded_.row(token);
  kernels.scale(row, 1.0f / std::sqrt(static_cast<float>(hidden_size_)), width_);
  for (int64_t part = 0; part < width_; part += size_) kernels.rms_norm(row + part, weights.norm.data(), eps_, size_, row + part);
  weights.embedding.copy_row(id, embedded);
  kernels.scale(embedded, std::sqrt(static_cast<float>(size_)), width_);
  kernels.add(row, embedded, width_);
  kernels.scale(row, 1.0f / std::numbers::sqrt2_v<float>, width_);
}

}  // namespace sgmv
