// A strict JSON reader for files that strangers upload: bounded depth, duplicate keys refused, nothing after the
// value. Numbers keep whether they were written as integers, because a rank of 8.5 must not become 8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sgmv::json {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
using Object = std::vector<Member>;  // in the file's order: PEFT's patterns match in that order

class Value {
 public:
  Value() = default;
  template <typename T>
  explicit Value(T value) : data_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_integer() const { return std::holds_alternative<int64_t>(data_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(data_); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }

  bool boolean() const { return std::get<bool>(data_); }
  int64_t integer() const { return std::get<int64_t>(data_); }
  double number() const { return is_integer() ? static_cast<double>(integer()) : std::get<double>(data_); }
  const std::string& string() const { return std::get<std::string>(data_); }
  const Array& array() const { return std::get<Array>(data_); }
  const Object& object() const { return std::get<Object>(data_); }

  // The member of an object, or null when there is none (or when this is no object).
  const Value* find(std::string_view key) const;

  // Short text for messages: strings quoted, long values cut, arrays and objects by size.
  std::string describe() const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> data_;
};

inline constexpr int kDepthMax = 64;
// A value takes forty bytes where its text may take two: without a limit, a header of 100 MB would become gigabytes.
inline constexpr int kValuesMax = 1 << 21;

// Throws std::runtime_error with the byte offset and what was expected there.
Value parse(std::string_view text);

}  // namespace sgmv::json
