#include "formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "formats/format_error.h"
#include "formats/json.h"

namespace sgmv {
namespace {

constexpr int kDimensionsMax = 8;

struct StoredType {
  DType dtype;
  uint64_t bytes;  // 0: not a type of the format
};

StoredType stored_type(const std::string& name) {
  if (name == "F32") return {DType::f32, 4};
  if (name == "F16") return {DType::f16, 2};
  if (name == "BF16") return {DType::bf16, 2};
  if (name == "F8_E4M3") return {DType::f8_e4m3, 1};
  if (name == "F64" || name == "I64" || name == "U64") return {DType::other, 8};
  if (name == "I32" || name == "U32") return {DType::other, 4};
  if (name == "I16" || name == "U16") return {DType::other, 2};
  if (name == "I8" || name == "U8" || name == "BOOL" || name.starts_with("F8_")) return {DType::other, 1};
  return {DType::other, 0};
}

// One entry of the header. `bytes` and offsets are computed with overflow checks: the numbers come from a stranger.
TensorInfo parse_entry(const std::string& file, const std::string& name, const json::Value& entry, uint64_t data_begin,
                       uint64_t data_bytes) {
  const auto refuse = [&](const char* code, const std::string& found, const std::string& expected) -> FormatError {
    return FormatError(code, file, name, found, expected);
  };
  const json::Value* dtype = entry.find("dtype");
  const json::Value* shape = entry.find("shape");
  const json::Value* offsets = entry.find("data_offsets");
  if (dtype == nullptr || !dtype->is_string()) throw refuse("bad_header", "no dtype", "a dtype such as \"BF16\"");
  if (shape == nullptr || !shape->is_array()) throw refuse("bad_header", "no shape", "a list of dimensions");
  if (offsets == nullptr || !offsets->is_array() || offsets->array().size() != 2 ||
      !offsets->array()[0].is_integer() || !offsets->array()[1].is_integer())
    throw refuse("bad_header", "no data_offsets", "[begin, end]");

  TensorInfo info;
  info.dtype_text = dtype->string();
  const StoredType type = stored_type(info.dtype_text);
  if (type.bytes == 0) throw refuse("tensor_dtype", "dtype " + dtype->describe(), "F32, F16 or BF16");
  info.dtype = type.dtype;
  if (shape->array().size() > kDimensionsMax)
    throw refuse("bad_header", std::to_string(shape->array().size()) + " dimensions", "at most 8");
  uint64_t bytes = type.bytes;
  for (const json::Value& dimension : shape->array()) {
    if (!dimension.is_integer() || dimension.integer() < 0)
      throw refuse("bad_header", "shape " + shape->describe(), "whole dimensions of at least 0");
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension.integer()), &bytes) || bytes > INT64_MAX)
      throw refuse("bad_header", "shape " + shape->describe(), "a tensor that fits in memory");
    info.shape.push_back(dimension.integer());
  }
  const int64_t begin = offsets->array()[0].integer(), end = offsets->array()[1].integer();
  if (begin < 0 || end < begin) throw refuse("bad_offsets", "data_offsets " + offsets->describe(), "0 ≤ begin ≤ end");
  if (static_cast<uint64_t>(end) > data_bytes)
    throw refuse("truncated_file", "data up to byte " + std::to_string(end),
                 "data within the " + std::to_string(data_bytes) + " bytes that the file holds");
  if (static_cast<uint64_t>(end - begin) != bytes)
    throw refuse("bad_offsets", std::to_string(end - begin) + " bytes of data",
                 std::to_string(bytes) + " bytes for shape " + shape->describe() + " in " + info.dtype_text);
  info.offset = data_begin + static_cast<uint64_t>(begin);
  info.bytes = bytes;
  return info;
}

}  // namespace

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (const int64_t dimension : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(dimension);
  return text + "]";
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path), name_(path.filename().string()) {
  uint64_t header_bytes = 0;
  if (file_.size() < sizeof header_bytes)
    throw FormatError("truncated_file", name_, "", std::to_string(file_.size()) + " bytes", "a safetensors header");
  unsigned char raw[8];
  file_.read(0, raw, sizeof raw);
  for (int i = 7; i >= 0; --i) header_bytes = (header_bytes << 8) | raw[i];
  if (header_bytes > kSafetensorsHeaderBytesMax)
    throw FormatError("bad_header", name_, "", "a header of " + std::to_string(header_bytes) + " bytes",
                      "a safetensors file, whose header has at most 100,000,000 bytes");
  if (header_bytes > file_.size() - 8)
    throw FormatError("truncated_file", name_, "", "a file of " + std::to_string(file_.size()) + " bytes",
                      "a header of " + std::to_string(header_bytes) + " bytes");
  std::string header(header_bytes, '\0');
  file_.read(8, header.data(), header.size());
  parse_header(header, 8 + header_bytes);
}

void SafetensorsFile::parse_header(const std::string& text, uint64_t data_begin) {
  if (text.empty() || text[0] != '{') throw FormatError("bad_header", name_, "", "no leading '{'", "a JSON object");
  json::Value header;
  try {
    header = json::parse(text);
  } catch (const std::runtime_error& error) {
    throw FormatError("bad_header", name_, "", std::string("bad JSON ") + error.what(), "a JSON object");
  }
  for (const auto& [name, entry] : header.object()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) throw FormatError("bad_header", name_, name, entry.describe(), "an object of strings");
      continue;
    }
    tensors_.emplace(name, parse_entry(name_, name, entry, data_begin, file_.size() - data_begin));
  }
  check_contiguous(data_begin);
}

// The format forbids gaps and overlaps, so that a file cannot hide data or show the same bytes twice.
void SafetensorsFile::check_contiguous(uint64_t data_begin) const {
  std::vector<const std::pair<const std::string, TensorInfo>*> order;
  for (const auto& tensor : tensors_) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.offset, a->second.bytes) < std::pair(b->second.offset, b->second.bytes);
  });
  uint64_t at = data_begin;
  for (const auto* tensor : order) {
    if (tensor->second.offset != at)
      throw FormatError("bad_offsets", name_, tensor->first, "data at byte " + std::to_string(tensor->second.offset),
                        "data at byte " + std::to_string(at) + ", without gap or overlap");
    at += tensor->second.bytes;
  }
  if (at != file_.size())
    throw FormatError("bad_offsets", name_, "", std::to_string(file_.size() - at) + " bytes after the last tensor",
                      "the file to end with its last tensor");
}

std::vector<std::byte> SafetensorsFile::read(const TensorInfo& info) const {
  std::vector<std::byte> data(info.bytes);
  file_.read(info.offset, data.data(), data.size());
  return data;
}

}  // namespace sgmv
