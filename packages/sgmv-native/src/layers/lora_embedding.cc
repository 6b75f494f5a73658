#include <algorithm>
#include <array>
#include <numeric>

#include "formats/dtype.h"
#include "layers/lora_adapter.h"
#include "ops/sgmv_cpu.h"

namespace sgmv {
namespace {

float number(const PackedLora& factor, int64_t index) {
  if (factor.type == LoraType::f32) return static_cast<const float*>(factor.data)[index];
  const uint16_t bits = static_cast<const uint16_t*>(factor.data)[index];
  return factor.type == LoraType::f16 ? f16_to_float(bits) : bf16_to_float(bits);
}

}  // namespace

const float* OwnRows::find(int32_t token) const {
  const auto found = std::lower_bound(tokens.begin(), tokens.end(), token);
  return found == tokens.end() || *found != token ? nullptr : rows + (found - tokens.begin()) * width;
}

void OwnRows::write_logits(const float* x, float* logits) const {
  constexpr int64_t kLanes = 16;
  const float* row = rows;
  for (const int32_t token : tokens) {
    std::array<float, kLanes> sums{};
    int64_t begin = 0;
    for (; begin + kLanes <= width; begin += kLanes)
      for (int64_t i = 0; i < kLanes; ++i) sums[static_cast<size_t>(i)] += x[begin + i] * row[begin + i];
    for (int64_t i = 0; begin + i < width; ++i) sums[static_cast<size_t>(i)] += x[begin + i] * row[begin + i];
    logits[token] = std::accumulate(sums.begin(), sums.end(), 0.0f);
    row += width;
  }
}

void LoraEmbedding::apply(const Kernels& kernels, int32_t token, float* row) const {
  if (const float* mine = own.find(token)) std::copy_n(mine, own.width, row);
  if (a.rank == 0) return;
  std::array<float, kRankMax> v;
  for (int32_t r = 0; r < a.rank; ++r) v[static_cast<size_t>(r)] = number(a, int64_t{token} * a.rank + r);
  const auto* panel = static_cast<const std::byte*>(b.data);
  for (int32_t column = 0; column < b.width; column += kPanelColumns, panel += lora_b_panel_bytes(b.type, b.rank)) {
    std::array<float, kPanelColumns> sums{};
    kernels.expand(v.data(), kRankMax, 1, panel, b.type, b.rank, scale, sums.data());
    for (int32_t i = 0; i < std::min(kPanelColumns, b.width - column); ++i) row[column + i] += sums[static_cast<size_t>(i)];
  }
}

}  // namespace sgmv
