#include "formats/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "formats/format_error.h"

namespace sgmv {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kCountMax = 1 << 20;        // tensors, keys
constexpr uint64_t kNameBytesMax = 1 << 16;
constexpr uint64_t kStringBytesMax = 64 << 20;  // a chat template or a merged vocabulary entry
constexpr uint64_t kNumbersKept = 4096;
constexpr int kDimensionsMax = 4;
constexpr size_t kWindowBytes = 1 << 20;

enum Type : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

uint64_t type_bytes(uint32_t type) {
  constexpr uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < std::size(sizes) ? sizes[type] : 0;
}

DType ggml_dtype(uint32_t type) {
  switch (type) {
    case 0: return DType::f32;
    case 1: return DType::f16;
    case 2: return DType::q4_0;
    case 3: return DType::q4_1;
    case 6: return DType::q5_0;
    case 7: return DType::q5_1;
    case 8: return DType::q8_0;
    case 10: return DType::q2_k;
    case 11: return DType::q3_k;
    case 12: return DType::q4_k;
    case 13: return DType::q5_k;
    case 14: return DType::q6_k;
    case 20: return DType::iq4_nl;
    case 23: return DType::iq4_xs;
    case 30: return DType::bf16;
    case 39: return DType::mxfp4;
    default: return DType::other;
  }
}

}  // namespace

// Reads the head of the file front to back through a window; each read is checked against the file's end.
class GgufParser {
 public:
  explicit GgufParser(GgufFile& gguf) : gguf_(gguf), file_(gguf.file_) {}

  void parse() {
    if (scalar<uint32_t>() != kMagic) fail("", "another magic number", "a GGUF file");
    const auto version = scalar<uint32_t>();
    if (version != 2 && version != 3) fail("", "version " + std::to_string(version), "GGUF version 2 or 3, little-endian");
    const auto tensor_count = scalar<uint64_t>(), key_count = scalar<uint64_t>();
    if (tensor_count > kCountMax || key_count > kCountMax)
      fail("", std::to_string(tensor_count) + " tensors and " + std::to_string(key_count) + " keys", "at most 1,048,576 of each");
    for (uint64_t i = 0; i < key_count; ++i) metadata_entry();
    for (uint64_t i = 0; i < tensor_count; ++i) tensor_entry();
    place_tensors();
  }

 private:
  [[noreturn]] void fail(const std::string& path, const std::string& found, const std::string& expected,
                         const char* code = "bad_header") const {
    throw FormatError(code, gguf_.name_, path, found, expected);
  }

  void bytes(void* out, uint64_t count) {
    if (count > file_.size() - at_) fail("", "the end of the file", "more header", "truncated_file");
    auto* target = static_cast<std::byte*>(out);
    while (count > 0) {
      if (at_ < window_begin_ || at_ >= window_begin_ + window_.size()) {
        window_begin_ = at_;
        window_.resize(static_cast<size_t>(std::min<uint64_t>(kWindowBytes, file_.size() - at_)));
        file_.read(at_, window_.data(), window_.size());
      }
      const uint64_t skip = at_ - window_begin_;
      const uint64_t step = std::min<uint64_t>(count, window_.size() - skip);
      std::memcpy(target, window_.data() + skip, static_cast<size_t>(step));
      at_ += step;
      target += step;
      count -= step;
    }
  }

  void skip(uint64_t count) {
    if (count > file_.size() - at_) fail("", "the end of the file", "more header", "truncated_file");
    at_ += count;
  }

  template <typename T>
  T scalar() {
    T value;
    bytes(&value, sizeof value);
    return value;
  }

  std::string text(uint64_t bytes_max) {
    const auto length = scalar<uint64_t>();
    if (length > bytes_max) fail("", "a string of " + std::to_string(length) + " bytes", "at most " + std::to_string(bytes_max));
    if (length > file_.size() - at_) fail("", "the end of the file", "more header", "truncated_file");
    std::string value(static_cast<size_t>(length), '\0');
    bytes(value.data(), length);
    return value;
  }

  GgufValue plain(const std::string& key, uint32_t type) {
    switch (type) {
      case u8: return int64_t{scalar<uint8_t>()};
      case i8: return int64_t{scalar<int8_t>()};
      case u16: return int64_t{scalar<uint16_t>()};
      case i16: return int64_t{scalar<int16_t>()};
      case u32: return int64_t{scalar<uint32_t>()};
      case i32: return int64_t{scalar<int32_t>()};
      case u64: return static_cast<int64_t>(scalar<uint64_t>());
      case i64: return scalar<int64_t>();
      case f32: return double{scalar<float>()};
      case f64: return scalar<double>();
      case boolean: return scalar<uint8_t>() != 0;
      case string: return text(kStringBytesMax);
      default: fail(key, "value type " + std::to_string(type), "a type of GGUF");
    }
  }

  GgufValue array_value(const std::string& key) {
    const auto type = scalar<uint32_t>();
    GgufArray result;
    result.length = scalar<uint64_t>();
    if (type == array) fail(key, "an array of arrays", "an array of plain values");
    if (type == string) {
      for (uint64_t i = 0; i < result.length; ++i) skip(scalar<uint64_t>());
      return result;
    }
    const uint64_t width = type_bytes(type);
    if (width == 0) fail(key, "element type " + std::to_string(type), "a type of GGUF");
    if (result.length > (file_.size() - at_) / width) fail(key, "the end of the file", "more header", "truncated_file");
    if (result.length > kNumbersKept) {
      skip(result.length * width);
      return result;
    }
    for (uint64_t i = 0; i < result.length; ++i) {
      const GgufValue value = plain(key, type);
      if (const auto* whole = std::get_if<int64_t>(&value)) result.numbers.push_back(static_cast<double>(*whole));
      else if (const auto* real = std::get_if<double>(&value)) result.numbers.push_back(*real);
      else result.numbers.push_back(std::get<bool>(value) ? 1 : 0);
    }
    return result;
  }

  void metadata_entry() {
    std::string key = text(kNameBytesMax);
    const auto type = scalar<uint32_t>();
    GgufValue value = type == array ? array_value(key) : plain(key, type);
    if (!gguf_.metadata_.emplace(key, std::move(value)).second) fail(key, "the key twice", "each key once");
  }

  void tensor_entry() {
    const std::string name = text(kNameBytesMax);
    const auto dimensions = scalar<uint32_t>();
    if (dimensions < 1 || dimensions > kDimensionsMax) fail(name, std::to_string(dimensions) + " dimensions", "1 to 4");
    TensorInfo info;
    uint64_t elements = 1;
    for (uint32_t i = 0; i < dimensions; ++i) {
      const auto size = scalar<uint64_t>();
      if (size == 0 || __builtin_mul_overflow(elements, size, &elements) || elements > INT64_MAX / 8)
        fail(name, "a dimension of " + std::to_string(size), "a tensor that fits in memory");
      info.shape.insert(info.shape.begin(), static_cast<int64_t>(size));  // the file has the innermost first
    }
    const auto type = scalar<uint32_t>();
    info.dtype = ggml_dtype(type);
    info.dtype_text = info.dtype == DType::other ? "ggml type " + std::to_string(type) : dtype_name(info.dtype);
    info.offset = scalar<uint64_t>();
    if (info.dtype != DType::other) {
      const int64_t block = dtype_block(info.dtype);
      if (info.shape.back() % block != 0)
        fail(name, "rows of " + std::to_string(info.shape.back()) + " values", "a multiple of " + std::to_string(block) + " for " + info.dtype_text);
      info.bytes = elements / static_cast<uint64_t>(block) * static_cast<uint64_t>(dtype_block_bytes(info.dtype));
    }
    if (!gguf_.tensors_.emplace(name, std::move(info)).second) fail(name, "the tensor twice", "each tensor once");
  }

  // Offsets count from the end of the head, rounded up to the file's alignment.
  void place_tensors() {
    const int64_t alignment = gguf_.integer("general.alignment").value_or(32);
    if (alignment < 1 || alignment > (1 << 20) || !std::has_single_bit(static_cast<uint64_t>(alignment)))
      fail("general.alignment", std::to_string(alignment), "a power of two up to 1,048,576");
    const auto mask = static_cast<uint64_t>(alignment) - 1;
    const uint64_t data_begin = (at_ + mask) & ~mask;
    for (auto& [name, info] : gguf_.tensors_) {
      if ((info.offset & mask) != 0) fail(name, "offset " + std::to_string(info.offset), "a multiple of " + std::to_string(alignment));
      if (data_begin > file_.size() || info.offset > file_.size() - data_begin ||
          info.bytes > file_.size() - data_begin - info.offset)
        fail(name, "data outside the file of " + std::to_string(file_.size()) + " bytes", "data within the file", "truncated_file");
      info.offset += data_begin;
    }
    check_apart();
  }

  // Two tensors never share bytes. Those of unknown type have no known length and are never read.
  void check_apart() const {
    std::vector<const std::pair<const std::string, TensorInfo>*> order;
    for (const auto& tensor : gguf_.tensors_)
      if (tensor.second.bytes > 0) order.push_back(&tensor);
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->second.offset < b->second.offset; });
    for (size_t i = 1; i < order.size(); ++i) {
      const TensorInfo& before = order[i - 1]->second;
      if (order[i]->second.offset < before.offset + before.bytes)
        fail(order[i]->first, "data that overlaps \"" + order[i - 1]->first + '"', "tensors apart from each other");
    }
  }

  GgufFile& gguf_;
  const FileReader& file_;
  uint64_t at_ = 0;
  uint64_t window_begin_ = 0;
  std::vector<std::byte> window_;
};

GgufFile::GgufFile(const std::filesystem::path& path) : file_(path), name_(path.filename().string()) {
  GgufParser(*this).parse();
}

std::vector<std::byte> GgufFile::read(const TensorInfo& info) const {
  std::vector<std::byte> data(info.bytes);
  file_.read(info.offset, data.data(), data.size());
  return data;
}

const GgufValue* GgufFile::metadata(const std::string& key) const {
  const auto it = metadata_.find(key);
  return it == metadata_.end() ? nullptr : &it->second;
}

std::optional<int64_t> GgufFile::integer(const std::string& key) const {
  const GgufValue* value = metadata(key);
  const int64_t* whole = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return whole == nullptr ? std::nullopt : std::optional(*whole);
}

std::optional<double> GgufFile::number(const std::string& key) const {
  const GgufValue* value = metadata(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* real = std::get_if<double>(value)) return *real;
  if (const auto* whole = std::get_if<int64_t>(value)) return static_cast<double>(*whole);
  return std::nullopt;
}

std::optional<std::string> GgufFile::text(const std::string& key) const {
  const GgufValue* value = metadata(key);
  const std::string* found = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

}  // namespace sgmv
