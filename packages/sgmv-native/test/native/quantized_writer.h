// Matrices as quantized checkpoints store them, written by the formats' definitions, and the numbers they stand for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "temp_folder.h"

namespace sgmv::test {

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// (integer − zero) · scale. Each scale is of `group` inputs of a row.
struct Integers {
  int64_t out, in, group;
  int32_t bits, zero;
  std::function<int32_t(int64_t row, int64_t input)> integer;
  std::function<float(int64_t row, int64_t group)> scale;

  int64_t groups() const { return in / group; }
  float value(int64_t row, int64_t input) const { return static_cast<float>(integer(row, input) - zero) * scale(row, input / group); }
};

// numbers(i), i below `count`, in words from the lowest bit on.
template <typename Numbers>
std::string packed_integers(int64_t count, int32_t bits, const Numbers& numbers) {
  std::vector<uint32_t> words(static_cast<size_t>((count * bits + 31) / 32));
  for (int64_t i = 0; i < count * bits; ++i)
    words[static_cast<size_t>(i / 32)] |= static_cast<uint32_t>(numbers(i / bits) >> (i % bits) & 1) << (i % 32);
  return bytes_of(words);
}

inline std::string scales_of(const Integers& m, bool rows_first) {
  std::vector<float> scales;
  for (int64_t a = 0; a < (rows_first ? m.out : m.groups()); ++a)
    for (int64_t b = 0; b < (rows_first ? m.groups() : m.out); ++b) scales.push_back(rows_first ? m.scale(a, b) : m.scale(b, a));
  return f32_bytes(scales);
}

inline std::string repeated(const std::string& text, int64_t times) {
  std::string all;
  for (int64_t i = 0; i < times; ++i) all += text;
  return all;
}

// compressed-tensors, pack-quantized; symmetric, so the zero is the middle.
inline std::vector<NamedTensor> compressed_matrix(const std::string& module, const Integers& m) {
  std::string rows;
  for (int64_t row = 0; row < m.out; ++row) rows += packed_integers(m.in, m.bits, [&](int64_t i) { return m.integer(row, i); });
  return {{module + ".weight_packed", "I32", {m.out, m.in * m.bits / 32}, rows}, {module + ".weight_shape", "I64", {2}, bytes_of<int64_t>({m.out, m.in})},
          {module + ".weight_scale", "F32", {m.out, m.groups()}, scales_of(m, true)}};
}

// `less`: what GPTQ v1 subtracts from zeros when it stores them.
inline std::vector<NamedTensor> gptq_matrix(const std::string& module, const Integers& m, int32_t less = 0) {
  std::vector<std::string> columns;
  for (int64_t row = 0; row < m.out; ++row) columns.push_back(packed_integers(m.in, m.bits, [&](int64_t i) { return m.integer(row, i); }));
  std::string words;
  for (int64_t word = 0; word < m.in * m.bits / 32; ++word)
    for (const std::string& column : columns) words += column.substr(static_cast<size_t>(word) * 4, 4);
  const std::string zeros = packed_integers(m.out, m.bits, [&](int64_t) { return m.zero - less; });
  return {{module + ".qweight", "I32", {m.in * m.bits / 32, m.out}, words}, {module + ".qzeros", "I32", {m.groups(), static_cast<int64_t>(zeros.size()) / 4}, repeated(zeros, m.groups())},
          {module + ".scales", "F32", {m.groups(), m.out}, scales_of(m, false)}};
}

inline std::vector<NamedTensor> awq_matrix(const std::string& module, const Integers& m) {
  constexpr int64_t order[] = {0, 2, 4, 6, 1, 3, 5, 7};  // of AutoAWQ: what each place in a word holds
  std::string words;
  for (int64_t input = 0; input < m.in; ++input) words += packed_integers(m.out, 4, [&](int64_t i) { return m.integer(i / 8 * 8 + order[i % 8], input); });
  const std::string zeros = packed_integers(m.out, 4, [&](int64_t) { return m.zero; });
  return {{module + ".qweight", "I32", {m.in, m.out / 8}, words}, {module + ".qzeros", "I32", {m.groups(), m.out / 8}, repeated(zeros, m.groups())}, {module + ".scales", "F32", {m.groups(), m.out}, scales_of(m, false)}};
}

// bitsandbytes' LLM.int8(): SCB / 127 is the scale of a row.
inline std::vector<NamedTensor> int8_matrix(const std::string& module, const Integers& m) {
  std::vector<int8_t> numbers;
  std::vector<float> largest;
  for (int64_t row = 0; row < m.out; ++row) {
    largest.push_back(m.scale(row, 0) * 127);
    for (int64_t i = 0; i < m.in; ++i) numbers.push_back(static_cast<int8_t>(m.integer(row, i) - m.zero));
  }
  return {{module + ".weight", "I8", {m.out, m.in}, bytes_of(numbers)}, {module + ".SCB", "F32", {m.out}, f32_bytes(largest)}};
}

// bitsandbytes' four bits with a table of equal steps, so that these are integers too; 64 numbers share a scale, row after row.
inline std::vector<NamedTensor> nf4_matrix(const std::string& module, const Integers& m) {
  std::vector<uint8_t> pairs;
  std::vector<float> table, largest;
  for (int32_t i = 0; i < 16; ++i) table.push_back(static_cast<float>(i - m.zero));
  for (int64_t row = 0; row < m.out; ++row)
    for (int64_t i = 0; i < m.in; i += 2) {
      if (i % 64 == 0) largest.push_back(m.scale(row, i / 64));
      pairs.push_back(static_cast<uint8_t>(m.integer(row, i) << 4 | m.integer(row, i + 1)));
    }
  const std::string state = R"({"quant_type":"nf4","blocksize":64,"dtype":"bfloat16","shape":[)" + std::to_string(m.out) + "," + std::to_string(m.in) + "]}";
  return {{module + ".weight", "U8", {static_cast<int64_t>(pairs.size()), 1}, bytes_of(pairs)}, {module + ".weight.absmax", "F32", {static_cast<int64_t>(largest.size())}, f32_bytes(largest)},
          {module + ".weight.quant_map", "F32", {16}, f32_bytes(table)}, {module + ".weight.quant_state.bitsandbytes__nf4", "U8", {static_cast<int64_t>(state.size())}, state}};
}

}  // namespace sgmv::test
