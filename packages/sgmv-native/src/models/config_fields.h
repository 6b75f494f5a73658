// Typed access to the fields of a config.json; a field of the wrong type is named, never guessed.
#pragma once

#include <optional>
#include <string>

#include "formats/json.h"
#include "sgmv/error.h"

namespace sgmv {

class ConfigFields {
 public:
  ConfigFields(const json::Value& object, std::string file) : object_(object), file_(std::move(file)) {}

  [[noreturn]] void refuse(const std::string& code, const std::string& field, const std::string& found,
                           const std::string& expected) const {
    throw Error(code, file_ + ": " + field + ": found " + found + ", expected " + expected);
  }

  // Null for a field that is missing or null.
  const json::Value* get(const std::string& field) const {
    const json::Value* value = object_.find(field);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  bool is_null(const std::string& field) const { return object_.find(field) != nullptr && get(field) == nullptr; }

  std::optional<int32_t> integer(const std::string& field) const {
    const json::Value* value = get(field);
    if (value == nullptr) return std::nullopt;
    if (!value->is_integer() || value->integer() < 0 || value->integer() > INT32_MAX)
      refuse("model_corrupt", field, value->describe(), "a whole number of at least 0");
    return static_cast<int32_t>(value->integer());
  }

  int32_t required(const std::string& field) const {
    const std::optional<int32_t> value = integer(field);
    if (!value) refuse("model_corrupt", field, "nothing", "a whole number");
    return *value;
  }

  std::optional<double> number(const std::string& field) const {
    const json::Value* value = get(field);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) refuse("model_corrupt", field, value->describe(), "a number");
    return value->number();
  }

  bool flag(const std::string& field, bool otherwise) const {
    const json::Value* value = get(field);
    if (value == nullptr) return otherwise;
    if (!value->is_bool()) refuse("model_corrupt", field, value->describe(), "true or false");
    return value->boolean();
  }

  std::string text(const std::string& field, const std::string& otherwise) const {
    const json::Value* value = get(field);
    if (value == nullptr) return otherwise;
    if (!value->is_string()) refuse("model_corrupt", field, value->describe(), "a string");
    return value->string();
  }

  const std::string& file() const { return file_; }

 private:
  const json::Value& object_;
  std::string file_;
};

}  // namespace sgmv
