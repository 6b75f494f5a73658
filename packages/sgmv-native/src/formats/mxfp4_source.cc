#include "formats/mxfp4_source.h"

#include <algorithm>

#include "sgmv/error.h"

namespace sgmv {
namespace {

constexpr int64_t kBlock = 32, kNumberBytes = kBlock / 2;  // of a block; its scale is a byte more

const TensorInfo& require(const TensorSource& source, const std::string& name, size_t dimensions) {
  const TensorInfo* info = source.find(name);
  if (info == nullptr) throw Error("model_corrupt", name + ": found no such tensor, expected one of type U8");
  if (info->dtype_text != "U8") throw Error("model_unsupported", name + ": found type " + info->dtype_text + ", expected U8");
  if (info->shape.size() != dimensions || std::any_of(info->shape.begin(), info->shape.end(), [](int64_t size) { return size < 1; }))
    throw Error("model_corrupt", name + ": found shape " + shape_text(info->shape) + ", expected " + std::to_string(dimensions) + " dimensions of at least 1");
  return *info;
}

std::byte number(const std::byte* numbers, int64_t i) { return i % 2 == 0 ? numbers[i / 2] & std::byte{15} : numbers[i / 2] >> 4; }

}  // namespace

const TensorInfo* Mxfp4Source::find(const std::string& name) const {
  if (const auto known = opened_.find(name); known != opened_.end()) return &known->second.info;
  const TensorInfo* own = stored_->find(name);
  if (own != nullptr || stored_->find(name + "_blocks") == nullptr) return own;
  const TensorInfo& blocks = require(*stored_, name + "_blocks", 4);
  const TensorInfo& scales = require(*stored_, name + "_scales", 3);
  const std::vector<int64_t>& shape = blocks.shape;
  if (shape[3] != kNumberBytes)
    throw Error("model_corrupt", name + "_blocks: found shape " + shape_text(shape) + ", expected blocks of 16 bytes");
  if (const std::vector<int64_t> expected{shape[0], shape[1], shape[2]}; scales.shape != expected)
    throw Error("model_corrupt", name + "_scales: found shape " + shape_text(scales.shape) + ", expected " + shape_text(expected));
  const auto bytes = static_cast<uint64_t>(scales.elements() * dtype_block_bytes(DType::mxfp4));
  const auto file = static_cast<int32_t>(-1 - static_cast<int64_t>(by_file_.size()));
  const Opened& opened = opened_.emplace(name, Opened{{DType::mxfp4, dtype_name(DType::mxfp4), {shape[0], shape[1], shape[2] * kBlock}, 0, bytes, file}, &blocks, &scales}).first->second;
  by_file_.push_back(&opened);
  return &opened.info;
}

std::vector<std::byte> Mxfp4Source::read(const TensorInfo& info) const {
  if (info.file >= 0) return stored_->read(info);
  const Opened& opened = *by_file_[static_cast<size_t>(-1 - info.file)];
  const auto block_bytes = static_cast<uint64_t>(dtype_block_bytes(DType::mxfp4));
  const uint64_t first = info.offset / block_bytes, count = info.bytes / block_bytes;
  const auto part = [&](const TensorInfo& whole, uint64_t each) {
    TensorInfo some = whole;
    some.offset += first * each;
    some.bytes = count * each;
    return stored_->read(some);
  };
  const std::vector<std::byte> numbers = part(*opened.blocks, kNumberBytes), scales = part(*opened.scales, 1);
  std::vector<std::byte> result(info.bytes);
  for (uint64_t block = 0; block < count; ++block) {
    const std::byte* from = numbers.data() + block * kNumberBytes;
    std::byte* to = result.data() + block * block_bytes;
    *to++ = scales[block];
    // Neighbours share a byte there, numbers half a block apart here.
    for (int64_t i = 0; i < kNumberBytes; ++i) to[i] = number(from, i) | number(from, i + kNumberBytes) << 4;
  }
  return result;
}

}  // namespace sgmv
