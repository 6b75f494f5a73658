// What GGUF metadata say of an architecture, whose name is before each key.
#pragma once

#include <string>
#include <vector>

#include "formats/gguf.h"
#include "sgmv/error.h"

namespace sgmv {

class GgufMetadata {
 public:
  GgufMetadata(const GgufFile& gguf, std::string prefix) : gguf_(gguf), prefix_(std::move(prefix)) {}

  [[noreturn]] void refuse(const char* code, const std::string& key, const std::string& found, const std::string& expected) const {
    throw Error(code, gguf_.file_name() + ": " + key + ": found " + found + ", expected " + expected);
  }
  int32_t required(const char* key) const {
    const auto value = gguf_.integer(prefix_ + key);
    if (!value) refuse("model_corrupt", prefix_ + key, "nothing", "a whole number");
    return clamp(*value);
  }
  int32_t integer(const char* key, int32_t otherwise) const {
    const auto value = gguf_.integer(prefix_ + key);
    return value ? clamp(*value) : otherwise;
  }
  double number(const char* key, double otherwise) const { return gguf_.number(prefix_ + key).value_or(otherwise); }
  bool has(const char* key) const { return gguf_.metadata(prefix_ + key) != nullptr; }
  bool flag(const char* key, bool otherwise) const {
    const GgufValue* value = gguf_.metadata(prefix_ + key);
    const bool* said = value == nullptr ? nullptr : std::get_if<bool>(value);
    return said == nullptr ? otherwise : *said;
  }
  std::string text(const char* key, const char* otherwise) const { return gguf_.text(prefix_ + key).value_or(otherwise); }
  std::string key(const char* name) const { return prefix_ + name; }
  // A number of each layer, or one of all.
  std::vector<int32_t> of_layers(const char* key, int32_t layers) const {
    const std::vector<double>* each = numbers(key);
    if (each == nullptr) return std::vector<int32_t>(static_cast<size_t>(layers), required(key));
    if (each->size() < static_cast<size_t>(layers)) refuse("model_corrupt", prefix_ + key, std::to_string(each->size()) + " entries", "one per layer");
    std::vector<int32_t> values;
    for (int32_t layer = 0; layer < layers; ++layer) {
      const double value = (*each)[static_cast<size_t>(layer)];
      values.push_back(value >= 0 && value <= INT32_MAX ? static_cast<int32_t>(value) : -1);
    }
    return values;
  }
  // What all layers have in common that have any of it: a number of all, or a list with one of each.
  int32_t of_some_layers(const char* key, int32_t layers) const {
    if (numbers(key) == nullptr) return required(key);
    int32_t common = 0;
    for (const int32_t value : of_layers(key, layers)) {
      if (common != 0 && value != 0 && value != common) refuse("model_unsupported", prefix_ + key, std::to_string(common) + " and " + std::to_string(value), "one number in all layers that have it");
      if (value != 0) common = value;
    }
    return common;
  }
  bool layer_has(int32_t layer, const char* tensor) const { return gguf_.find("blk." + std::to_string(layer) + "." + tensor) != nullptr; }
  const std::string& file() const { return gguf_.file_name(); }
  // Null: no list.
  const std::vector<double>* numbers(const char* key) const {
    const GgufValue* value = gguf_.metadata(prefix_ + key);
    const auto* list = value == nullptr ? nullptr : std::get_if<GgufArray>(value);
    return list == nullptr ? nullptr : &list->numbers;
  }

 private:
  static int32_t clamp(int64_t value) { return value < -1 ? -1 : value > INT32_MAX ? INT32_MAX : static_cast<int32_t>(value); }
  const GgufFile& gguf_;
  std::string prefix_;
};

}  // namespace sgmv
