// Writes GGUF files piece by piece, sound ones only.
#pragma once

#include <string>
#include <vector>

#include "temp_folder.h"

namespace sgmv::test {

inline constexpr uint32_t kGgmlF32 = 0, kGgmlMxfp4 = 39;

struct GgufWriter {
  std::string keys, tensors, data;
  uint64_t key_count = 0, tensor_count = 0;

  static void text(std::string& out, const std::string& value) {
    append<uint64_t>(out, value.size());
    out += value;
  }
  void number(const std::string& key, uint32_t value) {
    text(keys, key);
    append<uint32_t>(keys, 4);
    append(keys, value);
    ++key_count;
  }
  void numbers(const std::string& key, const std::vector<int32_t>& values) {
    text(keys, key);
    append<uint32_t>(keys, 9);
    append<uint32_t>(keys, 5);
    append<uint64_t>(keys, values.size());
    for (const int32_t value : values) append(keys, value);
    ++key_count;
  }
  void real(const std::string& key, float value) {
    text(keys, key);
    append<uint32_t>(keys, 6);
    append(keys, value);
    ++key_count;
  }
  void string(const std::string& key, const std::string& value) {
    text(keys, key);
    append<uint32_t>(keys, 8);
    text(keys, value);
    ++key_count;
  }
  void flag(const std::string& key, bool value) {
    text(keys, key);
    append<uint32_t>(keys, 7);
    append<uint8_t>(keys, value ? 1 : 0);
    ++key_count;
  }
  void flags(const std::string& key, const std::vector<bool>& values) {
    text(keys, key);
    append<uint32_t>(keys, 9);
    append<uint32_t>(keys, 7);
    append<uint64_t>(keys, values.size());
    for (const bool value : values) append<uint8_t>(keys, value ? 1 : 0);
    ++key_count;
  }
  void tensor(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
    tensor(name, shape, kGgmlF32, f32_bytes(values));
  }
  void tensor(const std::string& name, const std::vector<int64_t>& shape, uint32_t type, const std::string& bytes) {
    text(tensors, name);
    append<uint32_t>(tensors, static_cast<uint32_t>(shape.size()));
    for (size_t i = shape.size(); i-- > 0;) append<uint64_t>(tensors, static_cast<uint64_t>(shape[i]));
    append<uint32_t>(tensors, type);
    append<uint64_t>(tensors, data.size());
    data += bytes;
    data.resize((data.size() + 31) / 32 * 32);
    ++tensor_count;
  }
  std::string bytes() const {
    std::string out = "GGUF";
    append<uint32_t>(out, 3);
    append(out, tensor_count);
    append(out, key_count);
    out += keys + tensors;
    out.resize((out.size() + 31) / 32 * 32);
    return out + data;
  }
};

}  // namespace sgmv::test
