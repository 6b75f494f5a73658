#include "ops/packed_matrix.h"

#include <cassert>
#include <cmath>
#include <cstring>

namespace sgmv {
namespace {

using Storage = PackedMatrix::Storage;

Storage storage_of(DType dtype) {
  switch (dtype) {
    case DType::f16: return Storage::f16;
    case DType::bf16: return Storage::bf16;
    case DType::q8_0: return Storage::q8;
    case DType::q4_0:
    case DType::q4_1: return Storage::q4;
    default: return Storage::f32;  // K-quants have more scales than a panel keeps; they are widened at load
  }
}

int64_t panel_bytes_of(Storage storage, int64_t in) {
  switch (storage) {
    case Storage::f32: return in * kPanelColumns * 4;
    case Storage::f16:
    case Storage::bf16: return in * kPanelColumns * 2;
    case Storage::q8: return in / kQuantBlock * kQ8BlockBytes;
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
uint16_t minus_eight_times(uint16_t d) {
  const uint16_t sign = static_cast<uint16_t>((d & 0x8000u) ^ 0x8000u);
  const uint16_t magnitude = d & 0x7FFFu;
  if (magnitude >= 0x0400) return static_cast<uint16_t>(sign | (magnitude + (3u << 10)));
  // Subnormal: the fraction shifts by three bits and may become normal.
  uint32_t fraction = static_cast<uint32_t>(magnitude) << 3;
  if (fraction < 0x0400) return static_cast<uint16_t>(sign | fraction);
  uint32_t exponent = 1;
  while (fraction >= 0x0800) { fraction >>= 1; ++exponent; }  // zeros leave: the low three bits are empty
  return static_cast<uint16_t>(sign | (exponent << 10) | (fraction & 0x03FFu));
}

}  // namespace

PackedMatrix::PackedMatrix(Storage storage, int64_t out, int64_t in)
    : storage_(storage), out_(out), in_(in), panel_bytes_(panel_bytes_of(storage, in)),
      data_(static_cast<size_t>(panels() * panel_bytes_)) {
  // Columns beyond `out` in the last panel must be zero: their products are computed and dropped.
  const int64_t last = (panels() - 1) * panel_bytes_;
  std::memset(data_.data() + last, 0, static_cast<size_t>(panel_bytes_));
}

Storage PackedMatrix::storage_for(std::span<const DType> dtypes, int64_t in) {
  const Storage first = storage_of(dtypes[0]);
  for (const DType dtype : dtypes)
    if (storage_of(dtype) != first) return Storage::f32;
  const bool blocks = first == Storage::q8 || first == Storage::q4;
  return blocks && in % kQuantBlock != 0 ? Storage::f32 : first;
}

void PackedMatrix::set_rows(int64_t out_begin, int64_t rows, DType dtype, const std::byte* source,
                            std::span<const int32_t> source_row) {
  const int64_t row_bytes = in_ / dtype_block(dtype) * dtype_block_bytes(dtype);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t from = source_row.empty() ? i : source_row[static_cast<size_t>(i)];
    set_row(out_begin + i, dtype, source + from * row_bytes);
  }
}

void PackedMatrix::set_row(int64_t column, DType dtype, const std::byte* row) {
  if (storage_ == Storage::q8 || storage_ == Storage::q4) return set_quantized(column, dtype, row);
  std::byte* panel = data_.data() + column / kPanelColumns * panel_bytes_;
  const int64_t lane = column % kPanelColumns;
  if (storage_ == Storage::f16 || storage_ == Storage::bf16) {
    assert(storage_of(dtype) == storage_);
    for (int64_t k = 0; k < in_; ++k) store(panel + (k * kPanelColumns + lane) * 2, load<uint16_t>(row + k * 2));
    return;
  }
  std::vector<float> values(static_cast<size_t>(in_));
  dequantize(dtype, row, in_, values.data());
  for (int64_t k = 0; k < in_; ++k) store(panel + (k * kPanelColumns + lane) * 4, values[static_cast<size_t>(k)]);
}

void PackedMatrix::set_quantized(int64_t column, DType dtype, const std::byte* row) {
  std::byte* panel = data_.data() + column / kPanelColumns * panel_bytes_;
  const int64_t lane = column % kPanelColumns;
  const int64_t block_bytes = storage_ == Storage::q8 ? kQ8BlockBytes : kQ4BlockBytes;
  const int64_t source_bytes = dtype_block_bytes(dtype);
  for (int64_t b = 0; b < in_ / kQuantBlock; ++b, panel += block_bytes, row += source_bytes) {
    const auto d = load<uint16_t>(row);
    store(panel + lane * 2, d);
    if (storage_ == Storage::q8) {
      for (int64_t i = 0; i < kQuantBlock; ++i) panel[kPanelColumns * 2 + i * kPanelColumns + lane] = row[2 + i];
      continue;
    }
    const bool has_minimum = dtype == DType::q4_1;
    store(panel + (kPanelColumns + lane) * 2, has_minimum ? load<uint16_t>(row + 2) : minus_eight_times(d));
    const std::byte* numbers = row + (has_minimum ? 4 : 2);
    for (int64_t i = 0; i < kQuantBlock / 2; ++i) panel[kPanelColumns * 4 + i * kPanelColumns + lane] = numbers[i];
  }
}

const float* PackedMatrix::panel(const Kernels& kernels, int64_t index, int64_t k_begin, int64_t k_count, float* scratch) const {
  const std::byte* base = data_.data() + index * panel_bytes_;
  switch (storage_) {
    case Storage::f32: return reinterpret_cast<const float*>(base) + k_begin * kPanelColumns;
    case Storage::f16:
      kernels.widen_f16(reinterpret_cast<const uint16_t*>(base) + k_begin * kPanelColumns, k_count * kPanelColumns, scratch);
      break;
    case Storage::bf16:
      kernels.widen_bf16(reinterpret_cast<const uint16_t*>(base) + k_begin * kPanelColumns, k_count * kPanelColumns, scratch);
      break;
    case Storage::q8: kernels.unpack_q8(base + k_begin / kQuantBlock * kQ8BlockBytes, k_count / kQuantBlock, scratch); break;
    case Storage::q4: kernels.unpack_q4(base + k_begin / kQuantBlock * kQ4BlockBytes, k_count / kQuantBlock, scratch); break;
  }
  return scratch;
}

void PackedMatrix::prefetch(int64_t index, int64_t part, int64_t parts) const {
  if (index >= panels()) return;
  const std::byte* base = data_.data() + index * panel_bytes_;
  const int64_t begin = panel_bytes_ * part / parts, end = panel_bytes_ * (part + 1) / parts;
  for (int64_t at = begin; at < end; at += 64) __builtin_prefetch(base + at, 0, 2);
}

void PackedMatrix::copy_row(int64_t out, float* row) const {
  const std::byte* panel = data_.data() + out / kPanelColumns * panel_bytes_;
  const int64_t lane = out % kPanelColumns;
  for (int64_t k = 0; k < in_; ++k) {
    const int64_t at = k * kPanelColumns + lane, block = k / kQuantBlock, i = k % kQuantBlock;
    switch (storage_) {
      case Storage::f32: row[k] = load<float>(panel + at * 4); break;
      case Storage::f16: row[k] = f16_to_float(load<uint16_t>(panel + at * 2)); break;
      case Storage::bf16: row[k] = bf16_to_float(load<uint16_t>(panel + at * 2)); break;
      case Storage::q8: {
        const std::byte* b = panel + block * kQ8BlockBytes;
        row[k] = f16_to_float(load<uint16_t>(b + lane * 2)) * load<int8_t>(b + kPanelColumns * 2 + i * kPanelColumns + lane);
        break;
      }
      case Storage::q4: {
        const std::byte* b = panel + block * kQ4BlockBytes;
        const int byte = load<uint8_t>(b + kPanelColumns * 4 + i % 16 * kPanelColumns + lane);
        row[k] = f16_to_float(load<uint16_t>(b + lane * 2)) * static_cast<float>(i < 16 ? byte & 15 : byte >> 4) +
                 f16_to_float(load<uint16_t>(b + (kPanelColumns + lane) * 2));
        break;
      }
    }
  }
}

}  // namespace sgmv
