#include "ops/packed_matrix.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "ops/q8.h"

namespace sgmv {
namespace {

using Storage = PackedMatrix::Storage;

// The form that keeps numbers of this type exactly.
Storage exact_storage(DType dtype) {
  switch (dtype) {
    case DType::f16: return Storage::f16;
    case DType::bf16: return Storage::bf16;
    case DType::mxfp4:
    case DType::iq4_nl:
    case DType::q8_0: return Storage::q8;
    case DType::q4_0:
    case DType::q4_1: return Storage::q4;
    default: return Storage::f32;  // K-quants have more scales than a panel keeps, five bits have no form of their own
  }
}

int64_t panel_bytes_of(Storage storage, int64_t in) {
  switch (storage) {
    case Storage::f32: return in * kPanelColumns * 4;
    case Storage::f16: return in * kPanelColumns * 2;
    case Storage::bf16: return (in + in % 2) * kPanelColumns * 2;
    case Storage::q8: return q8_panel_bytes(in);
    case Storage::q4: return in / kQuantBlock * kQ4BlockBytes;
  }
  return 0;
}

template <typename T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <typename T>
void store(std::byte* p, T value) {
  std::memcpy(p, &value, sizeof value);
}

// -8 · d in half precision. Exact unless d is above 8188 or tiny, where no real model has it.
uint16_t minus_eight_times(uint16_t d) { return float_to_f16(-8.0f * f16_to_float(d)); }

// Where input i of a block's column lies among the numbers.
int64_t quad_offset(int64_t i, int64_t lane) { return i / kQuad * kQuadBytes + lane * kQuad + i % kQuad; }

}  // namespace

int64_t q8_panel_bytes(int64_t in) {
  const int64_t blocks = (in + kQuantBlock - 1) / kQuantBlock, quads = (in + kQuad - 1) / kQuad;
  return (blocks * kScaleBytes + quads * kQuadBytes + 63) / 64 * 64;
}

void set_q8_column(std::byte* panel, int64_t lane, const float* values, int64_t in) {
  for (int64_t k = 0; k < in; k += kQuantBlock, panel += kQ8BlockBytes) {
    const int64_t count = std::min<int64_t>(kQuantBlock, in - k);
    uint16_t bits;
    const Q8Scale scale = q8_scale_f16(largest_magnitude(values + k, count), bits);
    if (!std::isfinite(scale.scale)) throw std::range_error("a value that 8 bits and a half-precision scale cannot hold");
    store(panel + lane * 2, bits);
    for (int64_t i = 0; i < count; ++i)
      panel[kScaleBytes + quad_offset(i, lane)] = static_cast<std::byte>(scale.nearest(values[k + i]) + kQ8Zero);
  }
}

PackedMatrix::PackedMatrix(Storage storage, WeightType compute, int64_t out, int64_t in)
    : storage_(storage), compute_(compute), out_(out), in_(in), panel_bytes_(panel_bytes_of(storage, in)),
      data_(static_cast<size_t>(panels() * panel_bytes_)) {
  // Columns beyond `out` in the last panel and inputs beyond `in` must be zero: their products are computed and dropped.
  if (out % kPanelColumns != 0 || in % kQuad != 0) std::memset(data_.data(), 0, data_.bytes());
}

Storage PackedMatrix::storage_for(std::span<const DType> dtypes, int64_t in, WeightType compute) {
  if (compute == WeightType::bf16) return Storage::bf16;
  const Storage first = exact_storage(dtypes[0]);
  const bool same = std::all_of(dtypes.begin(), dtypes.end(), [&](DType dtype) { return exact_storage(dtype) == first; });
  const bool blocks = (first == Storage::q8 || first == Storage::q4) && in % kQuantBlock == 0;
  if (compute == WeightType::i8) return same && blocks ? first : Storage::q8;
  const bool numbers = first == Storage::f16 || first == Storage::bf16;
  return same && (blocks || numbers) ? first : Storage::f32;
}

void PackedMatrix::set_rows(int64_t out_begin, int64_t rows, DType dtype, const std::byte* source,
                            std::span<const int32_t> source_row) {
  const int64_t row_bytes = in_ / dtype_block(dtype) * dtype_block_bytes(dtype);
  std::vector<float> wide(static_cast<size_t>(in_));
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t from = source_row.empty() ? i : source_row[static_cast<size_t>(i)];
    set_row(out_begin + i, dtype, source + from * row_bytes, wide);
  }
}

void PackedMatrix::set_row(int64_t column, DType dtype, const std::byte* row, std::vector<float>& wide) {
  if (storage_ == Storage::q8 && is_table_of_whole_numbers(dtype)) return set_table_as_q8(column, dtype, row, wide);
  const bool blocks_to_widen = storage_ == Storage::f32 && dtype != DType::f32;
  if (!blocks_to_widen && storage_ == exact_storage(dtype)) {
    if (storage_ == Storage::q8 || storage_ == Storage::q4) return set_blocks(column, dtype, row);
    return set_numbers(column, dtype, row);
  }
  dequantize(dtype, row, in_, wide.data());
  if (storage_ == Storage::q8)
    return set_q8_column(data_.data() + column / kPanelColumns * panel_bytes_, column % kPanelColumns, wide.data(), in_);
  if (storage_ == Storage::f32) return set_numbers(column, DType::f32, reinterpret_cast<const std::byte*>(wide.data()));
  assert(storage_ == Storage::bf16);
  std::vector<uint16_t> narrow(wide.size());
  std::transform(wide.begin(), wide.end(), narrow.begin(), float_to_bf16);
  const auto* numbers = reinterpret_cast<const std::byte*>(narrow.data());
  if (first_not_finite(DType::bf16, numbers, in_) >= 0) throw std::range_error("a number that bfloat16 cannot hold");
  set_numbers(column, DType::bf16, numbers);
}

void PackedMatrix::set_numbers(int64_t column, DType dtype, const std::byte* row) {
  std::byte* panel = data_.data() + column / kPanelColumns * panel_bytes_;
  const int64_t lane = column % kPanelColumns;
  if (dtype == DType::f32)
    for (int64_t k = 0; k < in_; ++k) std::memcpy(panel + (k * kPanelColumns + lane) * 4, row + k * 4, 4);
  else if (dtype == DType::f16)
    for (int64_t k = 0; k < in_; ++k) std::memcpy(panel + (k * kPanelColumns + lane) * 2, row + k * 2, 2);
  else
    for (int64_t k = 0; k < in_; ++k)
      std::memcpy(panel + (k / 2 * kPanelColumns * 2 + lane * 2 + k % 2) * 2, row + k * 2, 2);
}

void PackedMatrix::set_blocks(int64_t column, DType dtype, const std::byte* row) {
  std::byte* panel = data_.data() + column / kPanelColumns * panel_bytes_;
  const int64_t lane = column % kPanelColumns;
  const int64_t block_bytes = storage_ == Storage::q8 ? kQ8BlockBytes : kQ4BlockBytes;
  const int64_t source_bytes = dtype_block_bytes(dtype);
  for (int64_t b = 0; b < in_ / kQuantBlock; ++b, panel += block_bytes, row += source_bytes) {
    const auto d = load<uint16_t>(row);
    store(panel + lane * 2, d);
    if (storage_ == Storage::q8) {
      for (int64_t i = 0; i < kQuantBlock; ++i) panel[kScaleBytes + quad_offset(i, lane)] = row[2 + i] ^ std::byte{kQ8Zero};
      continue;
    }
    const bool has_minimum = dtype == DType::q4_1;
    store(panel + kScaleBytes + lane * 2, has_minimum ? load<uint16_t>(row + 2) : minus_eight_times(d));
    const std::byte* numbers = row + (has_minimum ? 4 : 2);
    for (int64_t i = 0; i < kQuantBlock / 2; ++i) panel[kScaleBytes * 2 + quad_offset(i, lane)] = numbers[i];
  }
}

// Where a scale does not fit, the row's numbers are rounded as those of any other type.
void PackedMatrix::set_table_as_q8(int64_t column, DType dtype, const std::byte* row, std::vector<float>& wide) {
  const int64_t from_bytes = dtype_block_bytes(dtype), to_bytes = dtype_block_bytes(DType::q8_0);
  std::vector<std::byte> blocks(static_cast<size_t>(in_ / kQuantBlock * to_bytes));
  bool exact = true;
  for (int64_t b = 0; b < in_ / kQuantBlock; ++b) exact = table_to_q8_0(dtype, row + b * from_bytes, blocks.data() + b * to_bytes) && exact;
  if (exact) return set_blocks(column, DType::q8_0, blocks.data());
  dequantize(dtype, row, in_, wide.data());
  set_q8_column(data_.data() + column / kPanelColumns * panel_bytes_, column % kPanelColumns, wide.data(), in_);
}

const float* PackedMatrix::widened(const Kernels& kernels, int64_t index, int64_t k_begin, int64_t k_count, float* scratch) const {
  const std::byte* base = panel(index);
  switch (storage_) {
    case Storage::f32: return reinterpret_cast<const float*>(base) + k_begin * kPanelColumns;
    case Storage::f16:
      kernels.widen_f16(reinterpret_cast<const uint16_t*>(base) + k_begin * kPanelColumns, k_count * kPanelColumns, scratch);
      break;
    case Storage::bf16: kernels.widen_bf16(reinterpret_cast<const uint16_t*>(base) + k_begin * kPanelColumns, k_count, scratch); break;
    case Storage::q8: kernels.unpack_q8(base + k_begin / kQuantBlock * kQ8BlockBytes, k_count, scratch); break;
    case Storage::q4: kernels.unpack_q4(base + k_begin / kQuantBlock * kQ4BlockBytes, k_count, scratch); break;
  }
  return scratch;
}

float PackedMatrix::number(int64_t out, int64_t k) const {
  const std::byte* base = panel(out / kPanelColumns);
  const int64_t lane = out % kPanelColumns, at = k * kPanelColumns + lane, i = k % kQuantBlock;
  switch (storage_) {
    case Storage::f32: return load<float>(base + at * 4);
    case Storage::f16: return f16_to_float(load<uint16_t>(base + at * 2));
    case Storage::bf16: return bf16_to_float(load<uint16_t>(base + (k / 2 * kPanelColumns * 2 + lane * 2 + k % 2) * 2));
    case Storage::q8: {
      const std::byte* b = base + k / kQuantBlock * kQ8BlockBytes;
      return f16_to_float(load<uint16_t>(b + lane * 2)) * static_cast<float>(load<uint8_t>(b + kScaleBytes + quad_offset(i, lane)) - kQ8Zero);
    }
    case Storage::q4: break;
  }
  const std::byte* b = base + k / kQuantBlock * kQ4BlockBytes;
  const int byte = load<uint8_t>(b + kScaleBytes * 2 + quad_offset(i % 16, lane));
  return f16_to_float(load<uint16_t>(b + lane * 2)) * static_cast<float>(i < 16 ? byte & 15 : byte >> 4) + f16_to_float(load<uint16_t>(b + kScaleBytes + lane * 2));
}

void PackedMatrix::copy_row(int64_t out, float* row) const {
  for (int64_t k = 0; k < in_; ++k) row[k] = number(out, k);
}

}  // namespace sgmv
