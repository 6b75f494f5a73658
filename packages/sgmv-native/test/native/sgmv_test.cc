// Shrink and expand against a float64 plain loop, outputs poisoned first: every instruction set, mixes of ranks,
// popularity of adapters, widths with tails, precisions.
#include <cmath>
#include <cstring>
#include <random>
#include <tuple>

#include "check.h"
#include "cpu/aligned_buffer.h"
#include "formats/dtype.h"
#include "sgmv/error.h"
#include "sgmv/ops.h"

namespace sgmv::test {
namespace {

struct Factor {
  LoraType type;
  int32_t rank, width;
  std::vector<float> values;  // exactly what is stored; A: [rank, width], B: [width, rank]
  AlignedBuffer<std::byte> packed;
  PackedLora view() const { return {packed.data(), type, rank, width}; }
};

Factor random_factor(bool is_a, LoraType type, int32_t rank, int32_t width, std::mt19937& generator) {
  std::normal_distribution<float> normal;
  Factor f{type, rank, width, {}, AlignedBuffer<std::byte>(is_a ? packed_lora_a_bytes(type, rank, width) : packed_lora_b_bytes(type, rank, width))};
  std::vector<uint16_t> half;
  for (int32_t i = 0; i < rank * width; ++i) {
    const float value = normal(generator);
    // A sign, an exponent near 1 and a random fraction: a valid number of either half type.
    const auto bits = static_cast<uint16_t>((generator() & 0x83FFu) | (type == LoraType::f16 ? 0x3800u : 0x3F00u));
    half.push_back(bits);
    f.values.push_back(type == LoraType::f32 ? value : type == LoraType::f16 ? f16_to_float(bits) : bf16_to_float(bits));
  }
  const void* source = type == LoraType::f32 ? static_cast<const void*>(f.values.data()) : half.data();
  if (is_a) pack_lora_a(type, source, rank, width, f.packed.data());
  else pack_lora_b(type, source, width, rank, 0, f.packed.data());
  return f;
}

struct Case {
  std::vector<int32_t> ranks;   // per segment; 0: base only
  std::vector<int32_t> tokens;  // per segment
  int32_t in, out;
  LoraType type;
};

constexpr float kPoison = 1e30f;

void run_case(Device& device, const Case& c, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<Factor> as, bs;
  std::vector<ShrinkSegment> shrinks;
  std::vector<ExpandSegment> expands;
  int64_t token = 0, v_size = 0;
  const int32_t column = 3, y_stride = c.out + 7, x_stride = c.in + 5;
  for (size_t i = 0; i < c.ranks.size(); ++i, token += c.tokens[i - 1]) {
    if (c.ranks[i] == 0) continue;
    as.push_back(random_factor(true, c.type, c.ranks[i], c.in, generator));
    bs.push_back(random_factor(false, c.type, c.ranks[i], c.out, generator));
    shrinks.push_back({token, token + c.tokens[i], as.back().view(), v_size});
    expands.push_back({token, token + c.tokens[i], bs.back().view(), 0.25f * static_cast<float>(i + 1), v_size, c.ranks[i], column});
    v_size += int64_t{c.tokens[i]} * c.ranks[i];
  }
  std::vector<float> x(static_cast<size_t>(token * x_stride)), y(static_cast<size_t>(token * y_stride)), v(static_cast<size_t>(v_size), kPoison);
  for (float& value : x) value = normal(generator);
  for (float& value : y) value = normal(generator);
  const std::vector<float> y_before = y;
  sgmv_shrink(device, x, x_stride, shrinks, v);
  sgmv_expand(device, v, expands, y, y_stride);

  std::vector<double> expected(y_before.begin(), y_before.end());
  std::vector<double> magnitude(y.size(), 1.0);
  for (size_t s = 0; s < shrinks.size(); ++s)
    for (int64_t t = shrinks[s].token_begin; t < shrinks[s].token_end; ++t)
      for (int32_t r = 0; r < as[s].rank; ++r) {
        double sum = 0, size = 0;
        for (int32_t k = 0; k < c.in; ++k) {
          const double product = double(x[static_cast<size_t>(t * x_stride + k)]) * as[s].values[static_cast<size_t>(r * c.in + k)];
          sum += product;
          size += std::abs(product);
        }
        const float found = v[static_cast<size_t>(shrinks[s].v_begin + (t - shrinks[s].token_begin) * as[s].rank + r)];
        CHECK(std::abs(found - sum) <= 1e-6 * size + 1e-9, "shrink ", found, " expected ", sum);
        for (int32_t n = 0; n < c.out; ++n) {
          const double product = expands[s].scale * sum * bs[s].values[static_cast<size_t>(n * bs[s].rank + r)];
          expected[static_cast<size_t>(t * y_stride + column + n)] += product;
          magnitude[static_cast<size_t>(t * y_stride + column + n)] += std::abs(product) + std::abs(expands[s].scale) * size * 1.5;
        }
      }
  for (size_t i = 0; i < y.size(); ++i) {
    const auto in_row = static_cast<int64_t>(i) % y_stride - column;
    if (in_row < 0 || in_row >= c.out) CHECK(y[i] == y_before[i], "an element outside the columns was written");
    CHECK(std::abs(y[i] - expected[i]) <= 2e-6 * magnitude[i], "expand ", y[i], " expected ", expected[i]);
  }
}

TEST("sgmv: ranks, popularity, widths, types, instruction sets") {
  for (const std::string& isa : available_isas()) {
    const auto device = make_cpu_device({2, isa});
    uint32_t seed = 1;
    for (const LoraType type : {LoraType::f32, LoraType::f16, LoraType::bf16})
      for (const auto& [in, out] : std::vector<std::pair<int32_t, int32_t>>{{64, 64}, {112, 208}, {17, 31}, {1, 1}, {15, 33}, {160, 48}, {576, 100}}) {
        if (kSanitized && in > 100) continue;
        run_case(*device, {{1, 2, 3, 4, 5, 8, 16, 0, 7}, {1, 1, 1, 1, 1, 1, 1, 1, 1}, in, out, type}, seed++);      // distinct
        run_case(*device, {{8}, {37}, in, out, type}, seed++);                                                     // identical
        run_case(*device, {{0, 0, 0}, {3, 1, 5}, in, out, type}, seed++);                                          // base only
        run_case(*device, {{64, 0, 3, 33, 1}, {40, 2, 1, 9, 70}, in, out, type}, seed++);                          // mixed
      }
    run_case(*device, {{256, 1, 255, 128}, {3, 2, 1, 5}, 40, 72, LoraType::bf16}, seed++);
    run_case(*device, {{4, 4}, {0, 5}, 32, 32, LoraType::f32}, seed++);  // an empty segment
  }
}

TEST("sgmv: random mixes") {
  const auto device = make_cpu_device({2, ""});
  std::mt19937 generator(99);
  const auto any = [&](int32_t low, int32_t high) { return std::uniform_int_distribution<int32_t>(low, high)(generator); };
  for (int round = 0; round < 60; ++round) {
    Case c{{}, {}, any(1, 200), any(1, 200), static_cast<LoraType>(any(0, 2))};
    for (int32_t i = any(1, 12); i > 0; --i) {
      c.ranks.push_back(any(0, 3) == 0 ? 0 : any(1, 40));
      c.tokens.push_back(any(1, 3) == 1 ? any(1, 50) : 1);
    }
    run_case(*device, c, static_cast<uint32_t>(round));
  }
}

// x as the 8-bit products take it: a scale for every 32 numbers.
std::vector<double> in_8_bits(const float* x, int64_t n) {
  std::vector<double> values(static_cast<size_t>(n));
  for (int64_t k = 0; k < n; ++k) {
    float largest = 0;
    for (int64_t i = k / 32 * 32; i < std::min(n, k / 32 * 32 + 32); ++i) largest = std::max(largest, std::abs(x[i]));
    values[static_cast<size_t>(k)] = double(largest / 127.0f) * std::nearbyint(x[k] * (largest > 0 ? 127.0f / largest : 0.0f));
  }
  return values;
}

// Factors in 8 bits against the definition in float64: A has a scale per rank, B per column and 32 ranks.
TEST("sgmv: 8-bit factors, every instruction set") {
  for (const std::string& isa : available_isas()) {
    const auto device = make_cpu_device({2, isa});
    std::mt19937 generator(17);
    std::normal_distribution<float> normal;
    for (const auto& [rank, in, out, tokens] : std::initializer_list<std::tuple<int32_t, int32_t, int32_t, int32_t>>{
             {16, 576, 192, 1}, {1, 17, 31, 3}, {3, 64, 64, 9}, {33, 100, 40, 5}, {64, 128, 96, 37}, {256, 70, 33, 2}, {8, 1, 1, 1}}) {
      const auto numbers = [&](int64_t count) {
        std::vector<float> list(static_cast<size_t>(count));
        for (float& value : list) value = normal(generator);
        return list;
      };
      const std::vector<float> a = numbers(int64_t{rank} * in), b = numbers(int64_t{out} * rank), x = numbers(int64_t{tokens} * in);
      AlignedBuffer<std::byte> packed_a(packed_lora_a_bytes(LoraType::i8, rank, in)), packed_b(packed_lora_b_bytes(LoraType::i8, rank, out));
      pack_lora_a(LoraType::i8, a.data(), rank, in, packed_a.data());
      pack_lora_b(LoraType::i8, b.data(), out, rank, 0, packed_b.data());
      std::vector<float> v(static_cast<size_t>(tokens * rank), kPoison), y(static_cast<size_t>(tokens * out), 0.5f);
      sgmv_shrink(*device, x, in, std::vector<ShrinkSegment>{{0, tokens, {packed_a.data(), LoraType::i8, rank, in}, 0}}, v);
      sgmv_expand(*device, v, std::vector<ExpandSegment>{{0, tokens, {packed_b.data(), LoraType::i8, rank, out}, 0.7f, 0, rank, 0}}, y, out);
      for (int32_t t = 0; t < tokens; ++t) {
        const std::vector<double> row = in_8_bits(x.data() + t * in, in), hidden = in_8_bits(v.data() + t * rank, rank);
        for (int32_t r = 0; r < rank; ++r) {
          float largest = 0;
          for (int32_t k = 0; k < in; ++k) largest = std::max(largest, std::abs(a[static_cast<size_t>(r * in + k)]));
          double sum = 0, size = 0;
          for (int32_t k = 0; k < in; ++k) {
            const double product = row[static_cast<size_t>(k)] * double(largest / 127.0f) * std::nearbyint(a[static_cast<size_t>(r * in + k)] * (127.0f / largest));
            sum += product;
            size += std::abs(product);
          }
          CHECK(std::abs(v[static_cast<size_t>(t * rank + r)] - sum) <= 3e-6 * size + 1e-9, isa, " shrink ", v[static_cast<size_t>(t * rank + r)], " expected ", sum);
        }
        for (int32_t n = 0; n < out; ++n) {
          double sum = 0.5, size = 0.5;
          for (int32_t first = 0; first < rank; first += 32) {
            float largest = 0;
            for (int32_t r = first; r < std::min(rank, first + 32); ++r) largest = std::max(largest, std::abs(b[static_cast<size_t>(n * rank + r)]));
            const float scale = f16_to_float(float_to_f16(largest / 127.0f));
            for (int32_t r = first; r < std::min(rank, first + 32); ++r) {
              const double kept = scale * std::clamp(std::nearbyint(b[static_cast<size_t>(n * rank + r)] * (1.0f / scale)), -127.0f, 127.0f);
              sum += double(0.7f) * hidden[static_cast<size_t>(r)] * kept;
              size += std::abs(hidden[static_cast<size_t>(r)] * kept);
            }
          }
          CHECK(std::abs(y[static_cast<size_t>(t * out + n)] - sum) <= 3e-6 * size, isa, " expand ", y[static_cast<size_t>(t * out + n)], " expected ", sum);
        }
      }
    }
  }
}

// A token's result does not depend on its neighbours, its place or the number of threads: bit for bit.
TEST("sgmv: the same bits alone and among others") {
  for (const std::string& isa : available_isas()) {
    const auto one = make_cpu_device({1, isa}), many = make_cpu_device({3, isa});
    std::mt19937 generator(5);
    std::normal_distribution<float> normal;
    const int32_t in = 100, out = 70, rank = 19, tokens = 45;
    const Factor a = random_factor(true, LoraType::bf16, rank, in, generator), b = random_factor(false, LoraType::bf16, rank, out, generator);
    std::vector<float> x(size_t{tokens} * in), v(size_t{tokens} * rank), y(size_t{tokens} * out, 0.5f);
    for (float& value : x) value = normal(generator);
    sgmv_shrink(*many, x, in, std::vector<ShrinkSegment>{{0, tokens, a.view(), 0}}, v);
    sgmv_expand(*many, v, std::vector<ExpandSegment>{{0, tokens, b.view(), 0.7f, 0, rank, 0}}, y, out);
    for (int32_t t = 0; t < tokens; ++t) {
      std::vector<float> v1(rank), y1(out, 0.5f);
      const std::span<const float> row = std::span(x).subspan(static_cast<size_t>(t * in), in);
      sgmv_shrink(*one, row, in, std::vector<ShrinkSegment>{{0, 1, a.view(), 0}}, v1);
      sgmv_expand(*one, v1, std::vector<ExpandSegment>{{0, 1, b.view(), 0.7f, 0, rank, 0}}, y1, out);
      CHECK(std::memcmp(v1.data(), v.data() + t * rank, sizeof(float) * rank) == 0, isa, " shrink, token ", t);
      CHECK(std::memcmp(y1.data(), y.data() + t * out, sizeof(float) * out) == 0, isa, " expand, token ", t);
    }
  }
}

TEST("sgmv: wrong arguments are refused") {
  const auto device = make_cpu_device({1, ""});
  std::mt19937 generator(1);
  const Factor a = random_factor(true, LoraType::f32, 4, 8, generator), b = random_factor(false, LoraType::f32, 4, 8, generator);
  std::vector<float> x(16), v(8), y(16);
  const auto shrink = [&](ShrinkSegment s, int64_t stride = 8) { sgmv_shrink(*device, x, stride, std::span(&s, 1), v); };
  const auto expand = [&](ExpandSegment s, int64_t stride = 8) { sgmv_expand(*device, v, std::span(&s, 1), y, stride); };
  shrink({0, 2, a.view(), 0});
  expand({0, 2, b.view(), 1, 0, 4, 0});
  CHECK_THROWS(shrink({0, 3, a.view(), 0}), Error, "segments[0]");
  CHECK_THROWS(shrink({-1, 1, a.view(), 0}), Error, "segments[0]");
  CHECK_THROWS(shrink({1, 0, a.view(), 0}), Error, "segments[0]");
  CHECK_THROWS(shrink({0, INT64_MAX, a.view(), 0}), Error, "segments[0]");
  CHECK_THROWS(shrink({0, 2, a.view(), 1}), Error, "outside v");
  CHECK_THROWS(shrink({0, 2, a.view(), -1}), Error, "outside v");
  CHECK_THROWS(shrink({0, 1, a.view(), 0}, 7), Error, "stride");
  CHECK_THROWS(shrink({0, 1, {nullptr, LoraType::f32, 4, 8}, 0}), Error, "no data");
  CHECK_THROWS(shrink({0, 1, {a.packed.data(), LoraType::f32, 0, 8}, 0}), Error, "rank");
  CHECK_THROWS(expand({0, 2, b.view(), 1, 0, 3, 0}), Error, "v_stride");
  CHECK_THROWS(expand({0, 2, b.view(), 1, 1, 4, 0}), Error, "outside v");
  CHECK_THROWS(expand({0, 2, b.view(), 1, 0, 4, 1}), Error, "columns outside y");
  CHECK_THROWS(expand({0, 3, b.view(), 1, 0, 4, 0}), Error, "segments[0]");
  CHECK_THROWS(make_cpu_device({1, "mmx"}), Error, "mmx");
  CHECK_THROWS(make_cpu_device({-1, ""}), Error, "threads");
}

}  // namespace
}  // namespace sgmv::test
