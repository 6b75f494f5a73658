// The LoRA products as operations of their own, after Punica (Chen et al., 2023): segmented gather matrix-vector
// products over a batch whose tokens belong to many adapters. Tokens of one adapter are neighbours (a segment); each
// segment has its own rank and scale. Nothing is padded to a common rank, and tokens in no segment cost nothing.
//
// Every output element is accumulated in an order that depends only on its own row and its own factor, so the same
// token gives the same bits alone and in any batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sgmv/device.h"
#include "sgmv/number_types.h"

namespace sgmv {

inline constexpr int32_t kRankMax = 256;     // of one projection's adapter
inline constexpr int32_t kRankSumMax = 1024; // of projections that share an input and are shrunk together

// A factor in the layout of the kernels. `data` is owned by the caller and 64-byte aligned.
struct PackedLora {
  const void* data = nullptr;
  LoraType type = LoraType::f32;
  int32_t rank = 0;
  int32_t width = 0;  // A: inputs, B: outputs
};

size_t packed_lora_a_bytes(LoraType type, int64_t rank, int64_t in);
size_t packed_lora_b_bytes(LoraType type, int64_t rank, int64_t out);
// a: [rank, in], b: [out, rank], row-major in `type` (i8: float32, to be rounded), as PEFT stores them. `packed` has
// the bytes given above. B begins with `lead` columns of zeros, which count as outputs: its panels of 32 columns can
// so lie where the panels of a wider output do.
void pack_lora_a(LoraType type, const void* a, int64_t rank, int64_t in, void* packed);
void pack_lora_b(LoraType type, const void* b, int64_t out, int64_t rank, int64_t lead, void* packed);

struct ShrinkSegment {
  int64_t token_begin = 0;
  int64_t token_end = 0;
  PackedLora a;
  int64_t v_begin = 0;  // the segment's [tokens, rank] block in v
};

struct ExpandSegment {
  int64_t token_begin = 0;
  int64_t token_end = 0;
  PackedLora b;
  float scale = 1.0f;
  int64_t v_begin = 0;   // first used element of the segment's first row in v
  int64_t v_stride = 0;  // elements from one token's row to the next; at least the rank
  int64_t y_column = 0;  // first output column in y
};

// v := x · A^T per segment. x: [tokens, in] with x_stride elements from row to row.
// Throws Error bad_argument for a shape that does not fit; blocks of v must not overlap.
void sgmv_shrink(Device& device, std::span<const float> x, int64_t x_stride, std::span<const ShrinkSegment> segments,
                 std::span<float> v);

// y += scale · v · B^T per segment. y: [tokens, out] with y_stride elements from row to row. No two segments may
// share both a token and an output column.
void sgmv_expand(Device& device, std::span<const float> v, std::span<const ExpandSegment> segments, std::span<float> y,
                 int64_t y_stride);

}  // namespace sgmv
