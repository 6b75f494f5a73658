// GPTQ and AWQ: integers in words with the matrix transposed, `qweight`, their zeros `qzeros` [groups, out], likewise in words along
// a row, and `scales` [groups, out]. Numbers are (integer - zero) · scale. GPTQ's words go down the inputs, and `g_idx` says the group
// of each of them; AWQ's go along the outputs, in an order of their own.
// https://github.com/ModelCloud/GPTQModel, https://github.com/casper-hansen/AutoAWQ
#include "formats/quantized_matrix.h"

#include <algorithm>

namespace sgmv {
namespace {

constexpr int32_t kAwqBits = 4;
constexpr int64_t kAwqPerWord = 32 / kAwqBits;
// Of eight outputs, the place in a word that each has.
constexpr int64_t kAwqPlace[kAwqPerWord] = {0, 4, 1, 5, 2, 6, 3, 7};
// Rows of the result that are written side by side, so that each line of the transposed words is read once.
constexpr int64_t kRowsAtOnce = 16;

// The integers of `qweight` by row of the result and input. `width`: words from one line to the next.
struct AwqIntegers {
  int64_t width;
  int32_t operator()(const uint32_t* words, int64_t row, int64_t input) const { return in_line(words + input * width, row); }
  static int32_t in_line(const uint32_t* words, int64_t row) {
    return packed_number(words, 1, row / kAwqPerWord * kAwqPerWord + kAwqPlace[row % kAwqPerWord], kAwqBits);
  }
};
struct GptqIntegers {
  int64_t width;
  int32_t bits;
  int32_t operator()(const uint32_t* words, int64_t row, int64_t input) const { return packed_number(words + row, width, input, bits); }
};

class TransposedMatrix : public QuantizedMatrix {
 protected:
  explicit TransposedMatrix(QuantizedModule module) : module_(std::move(module)) {
    module_.require_matrix("qweight", {"I32"});
    module_.require_matrix("qzeros", {"I32"});
    const TensorInfo& scales = module_.require_matrix("scales", kFloatTypes);
    groups_ = scales.shape[0];
    out = scales.shape[1];
  }

  // The same numbers in blocks: where every zero is the middle and no block belongs to two groups.
  DType blocks_of(int32_t bits, const std::vector<int32_t>& zeros, const std::vector<int32_t>& group) const {
    if (in % kBlock != 0 || std::any_of(zeros.begin(), zeros.end(), [=](int32_t zero) { return zero != 1 << (bits - 1); })) return DType::f32;
    for (size_t i = 0; i < group.size(); ++i)
      if (group[i] != group[i / kBlock * kBlock]) return DType::f32;
    return block_form(bits, module_.numbers("scales"));
  }

  template <typename Integers>
  void write_with(DType form, std::byte* to, int32_t bits, const std::vector<int32_t>& group, const Integers& integer) const {
    const std::vector<uint32_t> words = module_.words("qweight");
    const std::vector<float> scales = module_.numbers("scales");
    const int64_t block_bytes = dtype_block_bytes(form), row_bytes = in / kBlock * block_bytes;
    for (int64_t begin = 0; begin < in; begin += kBlock)
      for (int64_t row = 0; row < out; ++row) {
        const float scale = scales[static_cast<size_t>(group[static_cast<size_t>(begin)] * out + row)];
        write_block(form, scale, [&](int64_t i) { return integer(words.data(), row, begin + i) - (1 << (bits - 1)); }, to + row * row_bytes + begin / kBlock * block_bytes);
      }
  }

  // zeros: [groups, out]; group: [in].
  template <typename Integers>
  void widen_with(float* to, const std::vector<int32_t>& zeros, const std::vector<int32_t>& group, const Integers& integer) const {
    const std::vector<uint32_t> words = module_.words("qweight");
    const std::vector<float> scales = module_.numbers("scales");
    for (int64_t first = 0; first < out; first += kRowsAtOnce) {
      const int64_t last = std::min(out, first + kRowsAtOnce);
      for (int64_t i = 0; i < in; ++i) {
        const int64_t of_group = group[static_cast<size_t>(i)] * out;
        for (int64_t row = first; row < last; ++row) {
          const auto at = static_cast<size_t>(of_group + row);
          to[row * in + i] = static_cast<float>(integer(words.data(), row, i) - zeros[at]) * scales[at];
        }
      }
    }
  }

  std::vector<int32_t> equal_groups() const {
    std::vector<int32_t> group(static_cast<size_t>(in));
    for (int64_t i = 0; i < in; ++i) group[static_cast<size_t>(i)] = static_cast<int32_t>(i / (in / groups_));
    return group;
  }

  void check_group_size(const Quantization& how) const {
    const int64_t size = group_size(module_, "scales", in, groups_);
    const bool whole_row = groups_ == 1 && how.group_size > in;
    if (how.group_size != 0 && size != how.group_size && !whole_row)
      module_.refuse("model_corrupt", "scales", std::to_string(groups_) + " groups of " + std::to_string(size) + " inputs", "group_size, " + std::to_string(how.group_size));
  }

  // number(words, row): the integer of a group's words.
  template <typename Number>
  std::vector<int32_t> zeros_from(const std::vector<uint32_t>& words, const Number& number) const {
    const int64_t width = module_.find("qzeros")->shape[1];
    std::vector<int32_t> zeros(static_cast<size_t>(groups_ * out));
    for (int64_t group = 0; group < groups_; ++group)
      for (int64_t row = 0; row < out; ++row) zeros[static_cast<size_t>(group * out + row)] = number(words.data() + group * width, row);
    return zeros;
  }

  QuantizedModule module_;
  int64_t groups_ = 1;
};

class AwqMatrix : public TransposedMatrix {
 public:
  AwqMatrix(QuantizedModule module, const Quantization& how) : TransposedMatrix(std::move(module)) {
    if (out % kAwqPerWord != 0) module_.refuse("model_corrupt", "scales", shape_text(module_.find("scales")->shape), "a multiple of 8 outputs");
    in = module_.find("qweight")->shape[0];
    module_.require_shape("qweight", {in, out / kAwqPerWord});
    module_.require_shape("qzeros", {groups_, out / kAwqPerWord});
    check_group_size(how);
  }

  void widen(float* to) const override { widen_with(to, read_zeros(), equal_groups(), integers()); }
  DType exact_form() const override { return blocks_of(kAwqBits, read_zeros(), equal_groups()); }
  void write_blocks(DType form, std::byte* to) const override { write_with(form, to, kAwqBits, equal_groups(), integers()); }

 private:
  std::vector<int32_t> read_zeros() const { return zeros_from(module_.words("qzeros"), AwqIntegers::in_line); }
  AwqIntegers integers() const { return {out / kAwqPerWord}; }
};

class GptqMatrix : public TransposedMatrix {
 public:
  GptqMatrix(QuantizedModule module, const Quantization& how) : TransposedMatrix(std::move(module)), zeros_less_one_(how.zeros_less_one) {
    const int64_t rows = module_.find("qweight")->shape[0];
    const bool ordered = std::any_of(how.schemes.begin(), how.schemes.end(), [](const auto& scheme) { return scheme.has_order; });
    if (ordered || module_.has("g_idx")) read_inputs();
    for (const Quantization::Scheme& scheme : how.schemes) {
      const int64_t inputs = in > 0 ? in : rows * 32 / scheme.bits;
      if (packed_words(out, scheme.bits) != module_.find("qzeros")->shape[1] || packed_words(inputs, scheme.bits) != rows || scheme.bits == bits_) continue;
      if (bits_ != 0) module_.refuse("model_unsupported", "qzeros", "a shape that fits two of the numbers of bits in \"dynamic\"", "one that fits one");
      bits_ = scheme.bits;
    }
    if (bits_ == 0) refuse_bits(how, rows);
    if (in == 0) in = rows * 32 / bits_;
    module_.require_shape("qweight", {rows, out});
    module_.require_shape("qzeros", {groups_, packed_words(out, bits_)});
    if (!module_.has("g_idx")) check_group_size(how);
  }

  void widen(float* to) const override { widen_with(to, read_zeros(), group_of_inputs(), integers()); }
  DType exact_form() const override { return blocks_of(bits_, read_zeros(), group_of_inputs()); }
  void write_blocks(DType form, std::byte* to) const override { write_with(form, to, bits_, group_of_inputs(), integers()); }

 private:
  std::vector<int32_t> group_of_inputs() const { return module_.has("g_idx") ? module_.groups("g_idx", in, groups_) : equal_groups(); }
  GptqIntegers integers() const { return {out, bits_}; }

  // What was subtracted is added as GPTQModel does both: with carries to the neighbours in a word, except where numbers straddle words.
  std::vector<int32_t> read_zeros() const {
    std::vector<uint32_t> words = module_.words("qzeros");
    const int32_t largest = (1 << bits_) - 1;
    const bool whole_words = 32 % bits_ == 0;
    if (zeros_less_one_ && whole_words)
      for (uint32_t& word : words) word += UINT32_MAX / static_cast<uint32_t>(largest);  // a one in every number
    const int32_t added = zeros_less_one_ && !whole_words ? 1 : 0;
    return zeros_from(words, [&](const uint32_t* of_group, int64_t row) { return (packed_number(of_group, 1, row, bits_) + added) & largest; });
  }

  void read_inputs() {
    const TensorInfo& order = module_.require("g_idx", {"I32"});
    if (order.shape.size() != 1 || order.shape[0] < 1) module_.refuse("model_corrupt", "g_idx", "shape " + shape_text(order.shape), "the group of each input");
    in = order.shape[0];
  }

  [[noreturn]] void refuse_bits(const Quantization& how, int64_t rows) const {
    std::string names, expected;
    for (const Quantization::Scheme& scheme : how.schemes) {
      names += (names.empty() ? "" : " or ") + std::to_string(scheme.bits);
      expected += (expected.empty() ? "" : " or ") + shape_text({groups_, packed_words(out, scheme.bits)});
    }
    if (in > 0) expected += ", and qweight with words for " + std::to_string(in) + " inputs (g_idx) instead of " + std::to_string(rows);
    module_.refuse("model_corrupt", "qzeros", "shape " + shape_text(module_.find("qzeros")->shape), expected + " for " + names + " bits and scales " + shape_text({groups_, out}));
  }

  const bool zeros_less_one_;
  int32_t bits_ = 0;
};

}  // namespace

std::unique_ptr<QuantizedMatrix> open_awq_matrix(QuantizedModule module, const Quantization& how) {
  return module.has("qweight") ? std::make_unique<AwqMatrix>(std::move(module), how) : nullptr;
}

std::unique_ptr<QuantizedMatrix> open_gptq_matrix(QuantizedModule module, const Quantization& how) {
  return module.has("qweight") ? std::make_unique<GptqMatrix>(std::move(module), how) : nullptr;
}

}  // namespace sgmv
