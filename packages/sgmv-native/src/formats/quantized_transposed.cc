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
// Of eight outputs, which place in a word each has.
constexpr int64_t kAwqPlace[kAwqPerWord] = {0, 4, 1, 5, 2, 6, 3, 7};
// Rows of the result that are written side by side, so that each line of the transposed words is read once.
constexpr int64_t kRowsAtOnce = 16;

int64_t awq_place(int64_t output) { return output / kAwqPerWord * kAwqPerWord + kAwqPlace[output % kAwqPerWord]; }

class TransposedMatrix : public QuantizedMatrix {
 protected:
  explicit TransposedMatrix(QuantizedModule module) : module_(std::move(module)) {
    module_.require_matrix("qweight", {"I32"});
    module_.require_matrix("qzeros", {"I32"});
    const TensorInfo& scales = module_.require_matrix("scales", kFloatTypes);
    groups_ = scales.shape[0];
    out = scales.shape[1];
  }

  // zeros: [groups, out]; group: [in]; stored(words, row, input): the integer.
  template <typename Stored>
  void widen_with(float* to, const std::vector<int32_t>& zeros, const std::vector<int32_t>& group, const Stored& stored) const {
    const std::vector<uint32_t> words = module_.words("qweight");
    const std::vector<float> scales = module_.numbers("scales");
    for (int64_t first = 0; first < out; first += kRowsAtOnce) {
      const int64_t last = std::min(out, first + kRowsAtOnce);
      for (int64_t i = 0; i < in; ++i) {
        const int64_t of_group = group[static_cast<size_t>(i)] * out;
        for (int64_t row = first; row < last; ++row) {
          const auto at = static_cast<size_t>(of_group + row);
          to[row * in + i] = static_cast<float>(stored(words.data(), row, i) - zeros[at]) * scales[at];
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

  void widen(float* to) const override {
    const int64_t width = out / kAwqPerWord;
    const auto number = [](const uint32_t* words, int64_t row) { return packed_number(words, 1, awq_place(row), kAwqBits); };
    widen_with(to, zeros_from(module_.words("qzeros"), number), equal_groups(),
               [&](const uint32_t* words, int64_t row, int64_t input) { return number(words + input * width, row); });
  }
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

  void widen(float* to) const override {
    const int32_t bits = bits_;
    const int64_t width = out;
    widen_with(to, read_zeros(), module_.has("g_idx") ? module_.groups("g_idx", in, groups_) : equal_groups(),
               [=](const uint32_t* words, int64_t row, int64_t input) { return packed_number(words + row, width, input, bits); });
  }

 private:
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
