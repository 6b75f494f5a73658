// Checks of the LoRA products, and the choice of the backend.
#include "sgmv/ops.h"

#include <cstring>
#include <string>

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

}  // namespace

size_t packed_lora_a_bytes(LoraType type, int64_t rank, int64_t in) {
  return static_cast<size_t>(rank * ((in + kLoraPad - 1) / kLoraPad * kLoraPad)) * lora_type_bytes(type);
}

size_t packed_lora_b_bytes(LoraType type, int64_t rank, int64_t out) {
  return static_cast<size_t>(rank * ((out + kPanelColumns - 1) / kPanelColumns * kPanelColumns)) * lora_type_bytes(type);
}

void pack_lora_a(LoraType type, const void* a, int64_t rank, int64_t in, void* packed) {
  const size_t row = static_cast<size_t>(in) * lora_type_bytes(type);
  const size_t stride = packed_lora_a_bytes(type, 1, in);
  std::memset(packed, 0, packed_lora_a_bytes(type, rank, in));
  for (int64_t r = 0; r < rank; ++r)
    std::memcpy(static_cast<std::byte*>(packed) + static_cast<size_t>(r) * stride, static_cast<const std::byte*>(a) + static_cast<size_t>(r) * row, row);
}

void pack_lora_b(LoraType type, const void* b, int64_t out, int64_t rank, void* packed) {
  const size_t width = lora_type_bytes(type);
  std::memset(packed, 0, packed_lora_b_bytes(type, rank, out));
  for (int64_t column = 0; column < out; ++column)
    for (int64_t r = 0; r < rank; ++r) {
      const int64_t at = (column / kPanelColumns * rank + r) * kPanelColumns + column % kPanelColumns;
      std::memcpy(static_cast<std::byte*>(packed) + static_cast<size_t>(at) * width,
                  static_cast<const std::byte*>(b) + static_cast<size_t>(column * rank + r) * width, width);
    }
}

void sgmv_shrink(Device& device, std::span<const float> x, int64_t x_stride, std::span<const ShrinkSegment> segments,
                 std::span<float> v) {
  ShrinkWork work;
  work.reset(x.data(), x_stride, v.data());
  for (size_t i = 0; i < segments.size(); ++i) {
    const ShrinkSegment& s = segments[i];
    check_factor(i, s.a, kRankSumMax);
    const int64_t tokens = s.token_end - s.token_begin;
    require(s.token_begin >= 0 && tokens >= 0 && s.token_end <= size_of(x), i, "token range outside x");
    require(x_stride >= s.a.width, i, "width: found " + std::to_string(s.a.width) + ", expected at most the stride of x");
    require(s.token_begin * x_stride + last_element(tokens, x_stride, s.a.width) < size_of(x), i, "token range outside x");
    require(s.v_begin >= 0 && s.v_begin <= size_of(v) && s.v_begin + tokens * s.a.rank <= size_of(v), i, "block outside v");
    work.add(s);
  }
  CpuDevice& cpu = as_cpu(device);
  cpu.pool().parallel_for(work.items(), [&](int64_t item, int) { work.run(cpu, item); });
}

void sgmv_expand(Device& device, std::span<const float> v, std::span<const ExpandSegment> segments, std::span<float> y,
                 int64_t y_stride) {
  ExpandWork work;
  work.reset(v.data(), y.data(), y_stride);
  for (size_t i = 0; i < segments.size(); ++i) {
    const ExpandSegment& s = segments[i];
    check_factor(i, s.b, kRankMax);
    const int64_t tokens = s.token_end - s.token_begin;
    require(s.token_begin >= 0 && tokens >= 0 && s.token_end <= size_of(y), i, "token range outside y");
    require(s.v_stride >= s.b.rank && s.v_stride <= size_of(v), i, "v_stride: found " + std::to_string(s.v_stride) + ", expected at least the rank");
    require(s.v_begin >= 0 && s.v_begin <= size_of(v) && s.v_begin + last_element(tokens, s.v_stride, s.b.rank) < size_of(v), i, "block outside v");
    require(s.y_column >= 0 && s.y_column + s.b.width <= y_stride, i, "columns outside y");
    require(s.token_begin * y_stride + last_element(tokens, y_stride, s.y_column + s.b.width) < size_of(y), i, "token range outside y");
    work.add(s);
  }
  CpuDevice& cpu = as_cpu(device);
  cpu.pool().parallel_for(work.items(), [&](int64_t item, int) { work.run(cpu, item); });
}

}  // namespace sgmv
