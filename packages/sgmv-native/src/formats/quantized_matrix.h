// A matrix of integers as a quantized checkpoint stores it, in several tensors of one module, and the numbers it stands for.
// Opening one checks that types and shapes of its tensors belong together; what they hold is checked when it is read.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/tensor_source.h"
#include "sgmv/model_config.h"

namespace sgmv {

class QuantizedMatrix {
 public:
  virtual ~QuantizedMatrix() = default;
  virtual void widen(float* to) const = 0;  // [out, in]; throws Error
  // Q4_0 or Q8_0 where blocks of that form hold the very same numbers, else F32. Reads the scales.
  virtual DType exact_form() const { return DType::f32; }
  virtual void write_blocks(DType /*form*/, std::byte* /*to*/) const {}  // of exact_form(), row after row
  int64_t out = 0, in = 0;
};

// The tensors of one module. Refusals name the tensor, what was found and what was expected.
class QuantizedModule {
 public:
  QuantizedModule(const TensorSource& source, std::string name) : source_(source), name_(std::move(name)) {}

  bool has(const std::string& part) const { return find(part) != nullptr; }
  const TensorInfo* find(const std::string& part) const { return source_.find(tensor_name(part)); }
  const TensorInfo& require(const std::string& part, std::initializer_list<const char*> types) const;
  // With two dimensions of at least 1.
  const TensorInfo& require_matrix(const std::string& part, std::initializer_list<const char*> types) const;
  void require_shape(const std::string& part, const std::vector<int64_t>& shape) const;
  void require_elements(const std::string& part, int64_t elements) const;
  [[noreturn]] void refuse(const char* code, const std::string& part, const std::string& found, const std::string& expected) const;

  std::vector<std::byte> bytes(const std::string& part) const;
  std::vector<uint32_t> words(const std::string& part) const;  // of an I32 tensor
  std::vector<float> numbers(const std::string& part) const;   // of an F32, F16 or BF16 tensor; finite
  // Of each input its group, from an I32 tensor [in] of numbers below `groups`.
  std::vector<int32_t> groups(const std::string& part, int64_t in, int64_t groups) const;

 private:
  std::string tensor_name(const std::string& part) const { return name_ + "." + part; }

  const TensorSource& source_;
  std::string name_;
};

inline constexpr std::initializer_list<const char*> kFloatTypes = {"F32", "F16", "BF16"};

// Number `index` of a run of `bits`-wide ones in words, from the lowest bit on; words of the run are `stride` apart.
inline int32_t packed_number(const uint32_t* words, int64_t stride, int64_t index, int32_t bits) {
  const int64_t at = index * bits, word = at / 32;
  const auto shift = static_cast<int>(at % 32);
  uint64_t pair = words[word * stride];
  if (shift + bits > 32) pair |= uint64_t{words[(word + 1) * stride]} << 32;
  return static_cast<int32_t>((pair >> shift) & ((1u << bits) - 1));
}
inline int64_t packed_words(int64_t count, int32_t bits) { return (count * bits + 31) / 32; }

inline constexpr int64_t kBlock = 32;  // of Q4_0 and Q8_0
// The form whose blocks hold integers of so many bits around zero times these scales; F32: none does.
DType block_form(int32_t bits, std::span<const float> scales);
// integer(i): that of input i of the block.
template <typename Integer>
void write_block(DType form, float scale, const Integer& integer, std::byte* to) {
  const uint16_t half = float_to_f16(scale);
  std::memcpy(to, &half, sizeof half);
  to += sizeof half;
  if (form == DType::q8_0)
    for (int64_t i = 0; i < kBlock; ++i) to[i] = static_cast<std::byte>(integer(i));
  else
    for (int64_t i = 0; i < kBlock / 2; ++i) to[i] = static_cast<std::byte>((integer(i) + 8) | ((integer(i + kBlock / 2) + 8) << 4));
}

// How many inputs share a scale where `groups` of them are of the same size.
int64_t group_size(const QuantizedModule& module, const char* scales, int64_t in, int64_t groups);

// Null where the module has no quantized matrix. The source must outlive the matrix.
std::unique_ptr<QuantizedMatrix> open_compressed_matrix(QuantizedModule module, const Quantization& how);
std::unique_ptr<QuantizedMatrix> open_awq_matrix(QuantizedModule module, const Quantization& how);
std::unique_ptr<QuantizedMatrix> open_gptq_matrix(QuantizedModule module, const Quantization& how);
std::unique_ptr<QuantizedMatrix> open_bitsandbytes_matrix(QuantizedModule module);

}  // namespace sgmv
