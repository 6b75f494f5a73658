// Checks of the LoRA products, and the choice of the backend.
#include "sgmv/ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "ops/packed_matrix.h"
#include "ops/q8.h"
#include "ops/sgmv_cpu.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

void require(bool holds, size_t segment, const std::string& what) {
  if (!holds) throw Error("bad_argument", "segments[" + std::to_string(segment) + "]: " + what);
}

void check_factor(size_t index, const PackedLora& factor, int32_t rank_max) {
  require(factor.data != nullptr, index, "found no data, expected a packed factor");
  require(factor.rank >= 1 && factor.rank <= rank_max, index,
          "rank: found " + std::to_string(factor.rank) + ", expected 1 to " + std::to_string(rank_max));
  require(factor.width >= 1, index, "width: found " + std::to_string(factor.width) + ", expected at least 1");
}

// The last element a [tokens, width] block with this stride touches, from its first one; -1 for no tokens.
int64_t last_element(int64_t tokens, int64_t stride, int64_t width) {
  return tokens == 0 ? -1 : (tokens - 1) * stride + width - 1;
}

int64_t size_of(std::span<const float> values) { return static_cast<int64_t>(values.size()); }

// `rows` and `sums` [tokens, 32] are the segment's working memory.
void expand_segment(const Kernels& kernels, const ExpandSegment& s, std::span<const float> v, std::span<float> y, int64_t y_stride,
                    Activations& rows, std::vector<float>& sums) {
  const int64_t tokens = s.token_end - s.token_begin;
  for (int64_t t = 0; t < tokens; ++t) {
    std::copy_n(v.data() + s.v_begin + t * s.v_stride, s.b.rank, rows.row(t));
    rows.encode(kernels, t);
  }
  for (int64_t column = 0; column < s.b.width; column += kPanelColumns) {
    const int64_t columns = std::min<int64_t>(kPanelColumns, s.b.width - column);
    float* to = y.data() + s.token_begin * y_stride + s.y_column + column;
    for (int64_t t = 0; t < tokens; ++t) std::copy_n(to + t * y_stride, columns, sums.data() + t * kPanelColumns);
    const std::byte* panel = static_cast<const std::byte*>(s.b.data) + column / kPanelColumns * lora_b_panel_bytes(s.b.type, s.b.rank);
    expand_rows(kernels, s.b, false, rows, 0, tokens, s.scale, panel, sums.data());
    for (int64_t t = 0; t < tokens; ++t) std::copy_n(sums.data() + t * kPanelColumns, columns, to + t * y_stride);
  }
}

}  // namespace

size_t packed_lora_a_bytes(LoraType type, int64_t rank, int64_t in) {
  const auto numbers = static_cast<size_t>(rank * lora_a_stride(in));
  return numbers * lora_type_bytes(type) + (type == LoraType::i8 ? static_cast<size_t>(rank) * sizeof(float) : 0);
}

size_t packed_lora_b_bytes(LoraType type, int64_t rank, int64_t out) {
  return static_cast<size_t>(panels_of(out) * lora_b_panel_bytes(type, rank));
}

namespace {

void pack_a_i8(const float* a, int64_t rank, int64_t in, void* packed) {
  const int64_t stride = lora_a_stride(in);
  auto* scales = reinterpret_cast<float*>(static_cast<std::byte*>(packed) + rank * stride);
  for (int64_t r = 0; r < rank; ++r, a += in) {
    const Q8Scale scale = q8_scale(largest_magnitude(a, in));
    scales[r] = scale.scale;
    auto* row = static_cast<uint8_t*>(packed) + r * stride;
    for (int64_t i = 0; i < in; ++i) row[i] = static_cast<uint8_t>(scale.nearest(a[i]) + kQ8Zero);
  }
}

void pack_b_i8(const float* b, int64_t out, int64_t rank, int64_t lead, void* packed) {
  for (int64_t column = 0; column < out; ++column, b += rank) {
    const int64_t at = lead + column;
    set_q8_column(static_cast<std::byte*>(packed) + at / kPanelColumns * q8_panel_bytes(rank), at % kPanelColumns, b, rank);
  }
}

}  // namespace

void pack_lora_a(LoraType type, const void* a, int64_t rank, int64_t in, void* packed) {
  std::memset(packed, 0, packed_lora_a_bytes(type, rank, in));
  if (type == LoraType::i8) return pack_a_i8(static_cast<const float*>(a), rank, in, packed);
  const size_t row = static_cast<size_t>(in) * lora_type_bytes(type);
  const size_t stride = static_cast<size_t>(lora_a_stride(in)) * lora_type_bytes(type);
  for (int64_t r = 0; r < rank; ++r)
    std::memcpy(static_cast<std::byte*>(packed) + static_cast<size_t>(r) * stride, static_cast<const std::byte*>(a) + static_cast<size_t>(r) * row, row);
}

void pack_lora_b(LoraType type, const void* b, int64_t out, int64_t rank, int64_t lead, void* packed) {
  std::memset(packed, 0, packed_lora_b_bytes(type, rank, lead + out));
  if (type == LoraType::i8) return pack_b_i8(static_cast<const float*>(b), out, rank, lead, packed);
  const size_t width = lora_type_bytes(type);
  const auto panel_bytes = static_cast<size_t>(lora_b_panel_bytes(type, rank));
  for (int64_t column = 0; column < out; ++column) {
    const int64_t at = lead + column, lane = at % kPanelColumns;
    std::byte* panel = static_cast<std::byte*>(packed) + static_cast<size_t>(at / kPanelColumns) * panel_bytes;
    for (int64_t r = 0; r < rank; ++r) {
      const int64_t to = type == LoraType::bf16 ? r / 2 * kPanelColumns * 2 + lane * 2 + r % 2 : r * kPanelColumns + lane;
      std::memcpy(panel + static_cast<size_t>(to) * width, static_cast<const std::byte*>(b) + static_cast<size_t>(column * rank + r) * width, width);
    }
  }
}

void sgmv_shrink(Device& device, std::span<const float> x, int64_t x_stride, std::span<const ShrinkSegment> segments,
                 std::span<float> v) {
  for (size_t i = 0; i < segments.size(); ++i) {
    const ShrinkSegment& s = segments[i];
    check_factor(i, s.a, kRankSumMax);
    const int64_t tokens = s.token_end - s.token_begin;
    require(s.token_begin >= 0 && tokens >= 0 && s.token_end <= size_of(x), i, "token range outside x");
    require(x_stride >= s.a.width, i, "width: found " + std::to_string(s.a.width) + ", expected at most the stride of x");
    require(s.token_begin * x_stride + last_element(tokens, x_stride, s.a.width) < size_of(x), i, "token range outside x");
    require(s.v_begin >= 0 && s.v_begin <= size_of(v) && s.v_begin + tokens * s.a.rank <= size_of(v), i, "block outside v");
  }
  CpuDevice& cpu = as_cpu(device);
  std::vector<Activations> inputs(segments.size());
  for (size_t i = 0; i < segments.size(); ++i)
    inputs[i].reserve(segments[i].token_end - segments[i].token_begin, segments[i].a.width, lora_forms(segments[i].a.type, false));
  cpu.pool().parallel_for(static_cast<int64_t>(segments.size()), [&](int64_t item, int) {
    const ShrinkSegment& s = segments[static_cast<size_t>(item)];
    const int64_t tokens = s.token_end - s.token_begin;
    Activations& rows = inputs[static_cast<size_t>(item)];
    for (int64_t t = 0; t < tokens; ++t) {
      std::copy_n(x.data() + (s.token_begin + t) * x_stride, s.a.width, rows.row(t));
      rows.encode(cpu.kernels(), t);
    }
    shrink_rows(cpu.kernels(), s.a, false, rows, 0, tokens, v.data() + s.v_begin, s.a.rank);
  });
}

void sgmv_expand(Device& device, std::span<const float> v, std::span<const ExpandSegment> segments, std::span<float> y,
                 int64_t y_stride) {
  for (size_t i = 0; i < segments.size(); ++i) {
    const ExpandSegment& s = segments[i];
    check_factor(i, s.b, kRankMax);
    const int64_t tokens = s.token_end - s.token_begin;
    require(s.token_begin >= 0 && tokens >= 0 && s.token_end <= size_of(y), i, "token range outside y");
    require(s.v_stride >= s.b.rank && s.v_stride <= size_of(v), i, "v_stride: found " + std::to_string(s.v_stride) + ", expected at least the rank");
    require(s.v_begin >= 0 && s.v_begin <= size_of(v) && s.v_begin + last_element(tokens, s.v_stride, s.b.rank) < size_of(v), i, "block outside v");
    require(s.y_column >= 0 && s.y_column + s.b.width <= y_stride, i, "columns outside y");
    require(s.token_begin * y_stride + last_element(tokens, y_stride, s.y_column + s.b.width) < size_of(y), i, "token range outside y");
  }
  CpuDevice& cpu = as_cpu(device);
  std::vector<Activations> inputs(segments.size());
  std::vector<std::vector<float>> sums(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    const int64_t tokens = segments[i].token_end - segments[i].token_begin;
    inputs[i].reserve(tokens, segments[i].b.rank, lora_forms(segments[i].b.type, false));
    sums[i].resize(static_cast<size_t>(tokens * kPanelColumns));
  }
  cpu.pool().parallel_for(static_cast<int64_t>(segments.size()), [&](int64_t item, int) {
    const auto i = static_cast<size_t>(item);
    expand_segment(cpu.kernels(), segments[i], v, y, y_stride, inputs[i], sums[i]);
  });
}

}  // namespace sgmv
