// compressed-tensors: "pack-quantized" (weight_packed, integers of 2, 4 or 8 bits in words along a row) and "int-quantized" and
// "naive-quantized" (weight in I8). Numbers are (integer - zero) · scale, of the whole matrix, of a row or of a group of inputs.
// https://github.com/vllm-project/compressed-tensors
#include "formats/quantized_matrix.h"

#include <algorithm>
#include <cstring>

namespace sgmv {
namespace {

constexpr int32_t kPlainBits = 8;

// The integers of a row, of whichever form, multiplied by their scales.
class CompressedMatrix : public QuantizedMatrix {
 public:
  CompressedMatrix(QuantizedModule module, const Quantization& how) : module_(std::move(module)) {
    packed_ = module_.has("weight_packed");
    packed_ ? read_packed_shape() : read_plain_shape();
    module_.require("weight_scale", kFloatTypes);
    read_groups();
    choose_scheme(how);
    check_zeros();
    has_order_ = module_.has("weight_g_idx");
    if (scheme_.has_order && !has_order_) module_.refuse("model_corrupt", "weight_g_idx", "no such tensor", "the group of each input");
    if (has_order_) module_.require("weight_g_idx", {"I32"});
    if (has_order_) module_.require_shape("weight_g_idx", {in});
  }

  void widen(float* to) const override {
    const Integers integers(*this);
    const std::vector<float> scales = module_.numbers("weight_scale");
    const std::vector<int32_t> zeros = read_zeros(), group = group_of_inputs();
    for (int64_t row = 0; row < out; ++row, to += in) {
      const int64_t first = per_row_ ? row * groups_ : 0;
      for (int64_t i = 0; i < in; ++i) {
        const auto at = static_cast<size_t>(first + group[static_cast<size_t>(i)]);
        to[i] = static_cast<float>(zeros.empty() ? integers.at(row, i) : integers.at(row, i) - zeros[at]) * scales[at];
      }
    }
  }

  DType exact_form() const override {
    if (module_.has("weight_zero_point") || has_order_ || in / groups_ % kBlock != 0) return DType::f32;
    return block_form(scheme_.bits, module_.numbers("weight_scale"));
  }

  void write_blocks(DType form, std::byte* to) const override {
    const Integers integers(*this);
    const std::vector<float> scales = module_.numbers("weight_scale");
    const int64_t size = in / groups_;
    for (int64_t row = 0; row < out; ++row)
      for (int64_t begin = 0; begin < in; begin += kBlock, to += dtype_block_bytes(form)) {
        const int64_t scale = (per_row_ ? row * groups_ : 0) + begin / size;
        write_block(form, scales[static_cast<size_t>(scale)], [&](int64_t i) { return integers.at(row, begin + i); }, to);
      }
  }

 private:
  // The stored integers, around zero.
  class Integers {
   public:
    explicit Integers(const CompressedMatrix& matrix) : bits_(matrix.scheme_.bits), in_(matrix.in), row_words_(packed_words(in_, bits_)) {
      if (matrix.packed_) words_ = matrix.module_.words("weight_packed");
      else bytes_ = matrix.module_.bytes("weight");
    }
    int32_t at(int64_t row, int64_t input) const {
      if (words_.empty()) return static_cast<int8_t>(bytes_[static_cast<size_t>(row * in_ + input)]);
      return packed_number(words_.data() + row * row_words_, 1, input, bits_) - (1 << (bits_ - 1));
    }

   private:
    const int32_t bits_;
    const int64_t in_, row_words_;
    std::vector<uint32_t> words_;
    std::vector<std::byte> bytes_;
  };

  void read_packed_shape() {
    const TensorInfo& packed = module_.require_matrix("weight_packed", {"I32"});
    module_.require("weight_shape", {"I64", "I32"});
    module_.require_shape("weight_shape", {2});
    const std::vector<std::byte> stored = module_.bytes("weight_shape");
    int64_t shape[2] = {};
    int32_t narrow[2] = {};
    if (stored.size() == sizeof shape) std::memcpy(shape, stored.data(), sizeof shape);
    else std::memcpy(narrow, stored.data(), sizeof narrow), std::copy(narrow, narrow + 2, shape);
    out = shape[0];
    in = shape[1];
    if (out != packed.shape[0] || in < 1 || in > packed.shape[1] * 32) refuse_shape("as many rows, and numbers of at least a bit");
  }

  void read_plain_shape() {
    const TensorInfo& weight = module_.require_matrix("weight", {"I8"});
    out = weight.shape[0];
    in = weight.shape[1];
  }

  [[noreturn]] void refuse_shape(const std::string& expected) const {
    module_.refuse("model_corrupt", "weight_packed", "shape " + shape_text(module_.find("weight_packed")->shape) + " for weight_shape " + shape_text({out, in}), expected);
  }

  // The group of the configuration that the shapes fit. Where several do, what is there decides whether there are zeros or an order.
  void choose_scheme(const Quantization& how) {
    std::string widths, sizes;
    for (const Quantization::Scheme& scheme : how.schemes) {
      if (scheme.packed != packed_) continue;
      if (packed_) widths += (widths.empty() ? "words for " : " or ") + std::to_string(scheme.bits) + "-bit integers";
      if (packed_ && packed_words(in, scheme.bits) != module_.find("weight_packed")->shape[1]) continue;
      const int64_t size = scheme.group_size > 0 ? scheme.group_size : in;
      sizes += (sizes.empty() ? "" : " or ") + std::to_string(size);
      if (size * groups_ == in) take_scheme(scheme, packed_ ? scheme.bits : kPlainBits);
    }
    if (scheme_.bits != 0) return;
    if (!sizes.empty()) module_.refuse("model_corrupt", "weight_scale", "groups of " + std::to_string(in / groups_) + " inputs", "of " + sizes + ", as config_groups say");
    if (packed_) refuse_shape(widths.empty() ? "config_groups of the format pack-quantized" : widths);
    scheme_.bits = kPlainBits;
  }

  void take_scheme(const Quantization::Scheme& scheme, int32_t bits) {
    if (scheme_.bits != 0 && scheme_.bits != bits) module_.refuse("model_unsupported", "weight_packed", "a shape that fits two numbers of bits", "one that fits one of config_groups");
    const bool first = scheme_.bits == 0;
    scheme_.bits = bits;
    scheme_.has_zeros = scheme.has_zeros && (first || scheme_.has_zeros);
    scheme_.has_order = scheme.has_order && (first || scheme_.has_order);
  }

  // [], [1]: of all; [out], [out, 1]: of a row; [out, groups].
  void read_groups() {
    const std::vector<int64_t>& shape = module_.find("weight_scale")->shape;
    const bool of_row = shape == std::vector<int64_t>{out} && out > 1, of_group = shape.size() == 2 && shape[0] == out && shape[1] >= 1 && shape[1] <= in;
    per_row_ = of_row || of_group;
    if (!per_row_ && module_.find("weight_scale")->elements() != 1)
      module_.refuse("model_corrupt", "weight_scale", "shape " + shape_text(shape), "[1], " + shape_text({out, 1}) + " or " + shape_text({out}) + " with the groups of a row");
    groups_ = of_group ? shape[1] : 1;
    group_size(module_, "weight_scale", in, groups_);
  }

  // In words down the columns, or one integer each (symmetric models of older versions have zeros there).
  void check_zeros() {
    const TensorInfo* zeros = module_.find("weight_zero_point");
    if (zeros == nullptr && scheme_.has_zeros) module_.refuse("model_corrupt", "weight_zero_point", "no such tensor", "the zeros of an asymmetric matrix");
    if (zeros == nullptr) return;
    module_.require("weight_zero_point", {"I32", "I8"});
    packed_zeros_ = zeros->dtype_text == "I32";
    if (packed_zeros_ && !(packed_ && per_row_)) module_.refuse("model_unsupported", "weight_zero_point", "type I32", "I8");
    if (packed_zeros_) module_.require_shape("weight_zero_point", {packed_words(out, scheme_.bits), groups_});
    else module_.require_shape("weight_zero_point", module_.find("weight_scale")->shape);
  }

  std::vector<int32_t> read_zeros() const {
    if (!module_.has("weight_zero_point")) return {};
    std::vector<int32_t> zeros(static_cast<size_t>(per_row_ ? out * groups_ : 1));
    if (!packed_zeros_) {
      const std::vector<std::byte> bytes = module_.bytes("weight_zero_point");
      std::transform(bytes.begin(), bytes.end(), zeros.begin(), [](std::byte b) { return static_cast<int8_t>(b); });
      return zeros;
    }
    const std::vector<uint32_t> words = module_.words("weight_zero_point");
    for (int64_t row = 0; row < out; ++row)
      for (int64_t group = 0; group < groups_; ++group)
        zeros[static_cast<size_t>(row * groups_ + group)] = packed_number(words.data() + group, groups_, row, scheme_.bits) - (1 << (scheme_.bits - 1));
    return zeros;
  }

  std::vector<int32_t> group_of_inputs() const {
    std::vector<int32_t> group(static_cast<size_t>(in));
    // Where nothing was ordered, older versions store -1 throughout.
    const std::vector<uint32_t> order = has_order_ ? module_.words("weight_g_idx") : std::vector<uint32_t>();
    if (std::any_of(order.begin(), order.end(), [](uint32_t of) { return of != UINT32_MAX; })) return module_.groups("weight_g_idx", in, groups_);
    const int64_t size = in / groups_;
    for (int64_t i = 0; i < in; ++i) group[static_cast<size_t>(i)] = static_cast<int32_t>(i / size);
    return group;
  }

  QuantizedModule module_;
  Quantization::Scheme scheme_{};
  bool packed_ = false, packed_zeros_ = false, per_row_ = false, has_order_ = false;
  int64_t groups_ = 1;
};

}  // namespace

std::unique_ptr<QuantizedMatrix> open_compressed_matrix(QuantizedModule module, const Quantization& how) {
  const TensorInfo* weight = module.find("weight");
  const bool integers = module.has("weight_packed") || (weight != nullptr && weight->dtype_text == "I8");
  return integers ? std::make_unique<CompressedMatrix>(std::move(module), how) : nullptr;
}

}  // namespace sgmv
