#include "formats/quantized_matrix.h"

#include <algorithm>
#include <cmath>

#include "sgmv/error.h"

namespace sgmv {

// The engine keeps eight times a Q4_0 scale too, in half precision.
constexpr float kBlockScaleMax = 4096;

void QuantizedModule::refuse(const char* code, const std::string& part, const std::string& found, const std::string& expected) const {
  throw Error(code, tensor_name(part) + ": found " + found + ", expected " + expected);
}

const TensorInfo& QuantizedModule::require(const std::string& part, std::initializer_list<const char*> types) const {
  std::string names;
  for (const char* type : types) names += (names.empty() ? "" : " or ") + std::string(type);
  const TensorInfo* info = find(part);
  if (info == nullptr) refuse("model_corrupt", part, "no such tensor", "one of type " + names);
  if (std::none_of(types.begin(), types.end(), [&](const char* type) { return info->dtype_text == type; }))
    refuse("model_unsupported", part, "type " + info->dtype_text, names);
  return *info;
}

const TensorInfo& QuantizedModule::require_matrix(const std::string& part, std::initializer_list<const char*> types) const {
  const TensorInfo& info = require(part, types);
  if (info.shape.size() != 2 || info.shape[0] < 1 || info.shape[1] < 1)
    refuse("model_corrupt", part, "shape " + shape_text(info.shape), "two dimensions of at least 1");
  return info;
}

void QuantizedModule::require_shape(const std::string& part, const std::vector<int64_t>& shape) const {
  if (find(part)->shape != shape) refuse("model_corrupt", part, "shape " + shape_text(find(part)->shape), shape_text(shape));
}

void QuantizedModule::require_elements(const std::string& part, int64_t elements) const {
  if (find(part)->elements() != elements)
    refuse("model_corrupt", part, "shape " + shape_text(find(part)->shape), std::to_string(elements) + (elements == 1 ? " number" : " numbers"));
}

std::vector<std::byte> QuantizedModule::bytes(const std::string& part) const { return source_.read(*find(part)); }

std::vector<uint32_t> QuantizedModule::words(const std::string& part) const {
  const std::vector<std::byte> stored = bytes(part);
  std::vector<uint32_t> words(stored.size() / sizeof(uint32_t));
  std::memcpy(words.data(), stored.data(), words.size() * sizeof(uint32_t));
  return words;
}

std::vector<float> QuantizedModule::numbers(const std::string& part) const {
  const TensorInfo& info = *find(part);
  const std::vector<std::byte> stored = bytes(part);
  if (const int64_t bad = first_not_finite(info.dtype, stored.data(), info.elements()); bad >= 0)
    refuse("model_corrupt", part, "NaN or infinity at element " + std::to_string(bad), "finite numbers");
  std::vector<float> numbers(static_cast<size_t>(info.elements()));
  dequantize(info.dtype, stored.data(), info.elements(), numbers.data());
  return numbers;
}

std::vector<int32_t> QuantizedModule::groups(const std::string& part, int64_t in, int64_t groups) const {
  require(part, {"I32"});
  require_shape(part, {in});
  const std::vector<uint32_t> stored = words(part);
  std::vector<int32_t> of_inputs(stored.size());
  for (size_t i = 0; i < stored.size(); ++i) {
    of_inputs[i] = static_cast<int32_t>(stored[i]);
    if (of_inputs[i] < 0 || of_inputs[i] >= groups)
      refuse("model_corrupt", part, std::to_string(of_inputs[i]) + " at element " + std::to_string(i), "groups 0 to " + std::to_string(groups - 1));
  }
  return of_inputs;
}

DType block_form(int32_t bits, std::span<const float> scales) {
  const auto is_half = [](float scale) { return std::abs(scale) <= kBlockScaleMax && f16_to_float(float_to_f16(scale)) == scale; };
  if (!std::all_of(scales.begin(), scales.end(), is_half)) return DType::f32;
  return bits <= 4 ? DType::q4_0 : DType::q8_0;
}

int64_t group_size(const QuantizedModule& module, const char* scales, int64_t in, int64_t groups) {
  if (in % groups != 0)
    module.refuse("model_corrupt", scales, std::to_string(groups) + " groups", "a number of groups that divides " + std::to_string(in) + " inputs");
  return in / groups;
}

}  // namespace sgmv
