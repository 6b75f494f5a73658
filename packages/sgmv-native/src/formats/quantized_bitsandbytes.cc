// bitsandbytes: 4-bit numbers (NF4, FP4), whose sixteen values the file has as `weight.quant_map`, in blocks of the flattened matrix
// with a largest magnitude each (`weight.absmax`, itself in 8 bits where quantization is nested), and LLM.int8() with a scale per row.
// https://github.com/bitsandbytes-foundation/bitsandbytes
#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

#include "formats/json.h"
#include "formats/quantized_matrix.h"

namespace sgmv {
namespace {

constexpr int64_t kStateBytesMax = 4096, kValues4 = 16, kValues8 = 256, kBlockMin = 32, kBlockMax = 4096;
constexpr float kInt8Scale = 1.0f / 127.0f;
constexpr const char* kStates[] = {"weight.quant_state.bitsandbytes__nf4", "weight.quant_state.bitsandbytes__fp4"};

class Matrix4Bit : public QuantizedMatrix {
 public:
  Matrix4Bit(QuantizedModule module, const char* state) : module_(std::move(module)), state_(state) {
    read_state();
    // Whatever type the bytes are stored as (bnb_4bit_quant_storage).
    const TensorInfo* weight = module_.find("weight");
    if (weight == nullptr) module_.refuse("model_corrupt", "weight", "no such tensor", "the numbers of " + shape_text({out, in}));
    if (weight->bytes != static_cast<uint64_t>((out * in + 1) / 2))
      module_.refuse("model_corrupt", "weight", std::to_string(weight->bytes) + " bytes", std::to_string((out * in + 1) / 2) + " for shape " + shape_text({out, in}) + " in 4 bits");
    module_.require("weight.quant_map", {"F32"});
    module_.require_elements("weight.quant_map", kValues4);
    const int64_t blocks = (out * in + block_ - 1) / block_;
    nested_ = module_.has("weight.nested_absmax");
    module_.require("weight.absmax", {nested_ ? "U8" : "F32"});
    module_.require_elements("weight.absmax", blocks);
    if (!nested_) return;
    if (nested_block_ == 0) module_.refuse("model_corrupt", state_, "no nested_blocksize", "one of nested quantization");
    module_.require("weight.nested_absmax", {"F32"});
    module_.require_elements("weight.nested_absmax", (blocks + nested_block_ - 1) / nested_block_);
    module_.require("weight.nested_quant_map", {"F32"});
    module_.require_elements("weight.nested_quant_map", kValues8);
  }

  void widen(float* to) const override {
    const std::vector<std::byte> stored = module_.bytes("weight");
    const std::vector<float> values = module_.numbers("weight.quant_map"), largest = read_largest();
    int64_t i = 0;
    for (const float of_block : largest)
      for (const int64_t end = std::min(i + block_, out * in); i < end; ++i) {
        const auto pair = static_cast<uint8_t>(stored[static_cast<size_t>(i / 2)]);  // the first of two in the high bits
        to[i] = values[i % 2 == 0 ? pair >> 4 : pair & 15] * of_block;
      }
  }

 private:
  void read_state() {
    module_.require(state_, {"U8"});
    if (module_.find(state_)->elements() > kStateBytesMax) module_.refuse("model_corrupt", state_, shape_text(module_.find(state_)->shape), "at most 4096 bytes");
    const std::vector<std::byte> stored = module_.bytes(state_);
    json::Value state;
    try {
      state = json::parse({reinterpret_cast<const char*>(stored.data()), stored.size()});
    } catch (const std::runtime_error& error) {
      module_.refuse("model_corrupt", state_, std::string("bad JSON ") + error.what(), "a JSON object");
    }
    const json::Value* shape = state.find("shape");
    const bool pair = shape != nullptr && shape->is_array() && shape->array().size() == 2;
    for (int i = 0; i < 2; ++i) {
      const json::Value* size = pair ? &shape->array()[static_cast<size_t>(i)] : nullptr;
      if (size == nullptr || !size->is_integer() || size->integer() < 1 || size->integer() > INT32_MAX)
        module_.refuse("model_corrupt", state_, "shape " + (shape == nullptr ? "nothing" : shape->describe()), "two whole numbers of at least 1");
      (i == 0 ? out : in) = size->integer();
    }
    block_ = read_block(state, "blocksize");
    if (state.find("nested_blocksize") == nullptr) return;
    nested_block_ = read_block(state, "nested_blocksize");
    const json::Value* offset = state.find("nested_offset");
    if (offset == nullptr || !offset->is_number() || !(std::abs(offset->number()) <= 3e38)) module_.refuse("model_corrupt", state_, "nested_offset " + (offset == nullptr ? "nothing" : offset->describe()), "a number");
    nested_offset_ = static_cast<float>(offset->number());
  }

  int64_t read_block(const json::Value& state, const char* field) const {
    const json::Value* size = state.find(field);
    if (size == nullptr || !size->is_integer() || size->integer() < kBlockMin || size->integer() > kBlockMax || !std::has_single_bit(static_cast<uint64_t>(size->integer())))
      module_.refuse("model_corrupt", state_, std::string(field) + " " + (size == nullptr ? "nothing" : size->describe()), "a power of two from 32 to 4096");
    return size->integer();
  }

  std::vector<float> read_largest() const {
    if (!nested_) return module_.numbers("weight.absmax");
    const std::vector<std::byte> stored = module_.bytes("weight.absmax");
    const std::vector<float> values = module_.numbers("weight.nested_quant_map"), scales = module_.numbers("weight.nested_absmax");
    std::vector<float> largest(stored.size());
    for (size_t i = 0; i < stored.size(); ++i)
      largest[i] = values[static_cast<uint8_t>(stored[i])] * scales[i / static_cast<size_t>(nested_block_)] + nested_offset_;
    return largest;
  }

  QuantizedModule module_;
  const std::string state_;
  int64_t block_ = 0, nested_block_ = 0;
  float nested_offset_ = 0;
  bool nested_ = false;
};

class Matrix8Bit : public QuantizedMatrix {
 public:
  explicit Matrix8Bit(QuantizedModule module) : module_(std::move(module)) {
    const TensorInfo& weight = module_.require_matrix("weight", {"I8"});
    out = weight.shape[0];
    in = weight.shape[1];
    module_.require("SCB", {"F32"});
    module_.require_elements("SCB", out);
    if (!module_.has("weight_format")) return;
    module_.require("weight_format", {"U8"});
    module_.require_elements("weight_format", 1);
    if (const auto format = static_cast<int>(module_.bytes("weight_format")[0]); format != 0)
      module_.refuse("model_unsupported", "weight_format", std::to_string(format) + ", the layout of a GPU", "0, rows as they are");
  }

  void widen(float* to) const override {
    const std::vector<std::byte> stored = module_.bytes("weight");
    const std::vector<float> scales = module_.numbers("SCB");
    const std::byte* from = stored.data();
    for (const float of_row : scales)
      for (int64_t i = 0; i < in; ++i) *to++ = static_cast<float>(static_cast<int8_t>(*from++)) * of_row * kInt8Scale;
  }

 private:
  QuantizedModule module_;
};

}  // namespace

std::unique_ptr<QuantizedMatrix> open_bitsandbytes_matrix(QuantizedModule module) {
  for (const char* state : kStates)
    if (module.has(state)) return std::make_unique<Matrix4Bit>(std::move(module), state);
  const TensorInfo* weight = module.find("weight");
  if (module.has("SCB") || (weight != nullptr && weight->dtype_text == "I8")) return std::make_unique<Matrix8Bit>(std::move(module));
  return nullptr;
}

}  // namespace sgmv
