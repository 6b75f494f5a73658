// Products with weights against plain loops in float64, the same bits in any company, and e4m3.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <span>

#include "cuda/device_test.h"
#include "cuda/stream.h"
#include "formats/dtype.h"
#include "ops/e4m3_cuda.h"
#include "ops/linear_cuda.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Kind {
  Number type;
  bool e4m3;
};
constexpr Kind kKinds[] = {{Number::bf16, false}, {Number::f32, false}, {Number::bf16, true}, {Number::f16, false}, {Number::f16, true}};
// The kernels of float16 are those of bfloat16: long tests leave it out where each of them takes its time.
const std::span<const Kind> kKindsOfLongTests = std::span(kKinds).first(kSanitized ? 3 : std::size(kKinds));

const char* name_of(const Kind& kind) {
  const char* plain[] = {"f32", "f16", "bf16"};
  const char* narrow[] = {"", "f16 × e4m3", "bf16 × e4m3"};
  return (kind.e4m3 ? narrow : plain)[static_cast<int>(kind.type)];
}

// Rows in memory with zeros up to padded(columns) and NaN from there to the next row, which nobody may take part in.
template <typename T>
std::vector<std::byte> with_gaps(const std::vector<std::byte>& rows, int64_t columns, int64_t stride) {
  std::vector<std::byte> result = rows;
  for (size_t i = 0; i < result.size() / sizeof(T); ++i)
    if (static_cast<int64_t>(i) % stride >= padded(columns)) std::memset(result.data() + i * sizeof(T), 0xFF, sizeof(T));
  return result;
}
std::vector<std::byte> rows_with_gaps(Number type, const std::vector<float>& values, int64_t columns, int64_t stride) {
  const std::vector<std::byte> rows = rows_of(type, values, columns, stride);
  return type == Number::f32 ? with_gaps<float>(rows, columns, stride) : with_gaps<uint16_t>(rows, columns, stride);
}

// A product on the device, and what it is in float64.
struct Product {
  Kind kind;
  int64_t tokens, out, in, x_stride, y_stride;
  std::vector<double> x, w;  // as they are after rounding
  DeviceArray<std::byte> x_rows, w_rows;
  DeviceArray<float> scales;
  LinearWeights weights;

  Product(Kind kind_, int64_t tokens_, int64_t out_, int64_t in_)
      : kind(kind_), tokens(tokens_), out(out_), in(in_), x_stride(padded(in_) + 32), y_stride(out_ + 3) {
    std::mt19937 random(static_cast<unsigned>(tokens * 7919 + out * 31 + in));
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(tokens * in));
    for (float& v : values) v = normal(random);
    x = rounded_to(kind.type, values);
    x_rows = on_device(rows_with_gaps(kind.type, values, in, x_stride));
    weights.out = out, weights.in = in, weights.stride = padded(in) + 16;
    if (kind.e4m3) make_e4m3(random);
    else make_numbers(random);
    weights.data = w_rows.data();
  }

  void make_numbers(std::mt19937& random) {
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(out * in));
    for (float& v : values) v = normal(random);
    w = rounded_to(kind.type, values);
    w_rows = on_device(rows_with_gaps(kind.type, values, in, weights.stride));
    const LinearWeights::Format formats[] = {LinearWeights::Format::f32, LinearWeights::Format::f16, LinearWeights::Format::bf16};
    weights.format = formats[static_cast<int>(kind.type)];
  }

  void make_e4m3(std::mt19937& random) {
    std::vector<std::byte> codes(static_cast<size_t>(out * weights.stride));
    std::vector<float> row_scales(static_cast<size_t>(out));
    for (float& scale : row_scales) scale = std::ldexp(1.0f + static_cast<float>(random() % 1000) / 1000, static_cast<int>(random() % 8) - 12);
    for (int64_t o = 0; o < out; ++o)
      for (int64_t i = 0; i < in; ++i) {
        const auto code = static_cast<uint8_t>(random() % 127 + random() % 2 * 128);
        codes[static_cast<size_t>(o * weights.stride + i)] = std::byte{code};
        w.push_back(static_cast<double>(e4m3_to_float(code)) * row_scales[static_cast<size_t>(o)]);
      }
    w_rows = on_device(with_gaps<uint8_t>(codes, in, weights.stride));
    scales = on_device(row_scales);
    weights.format = LinearWeights::Format::e4m3;
    weights.scales = scales.data();
  }

  LinearWork work(DeviceArray<float>& y, int64_t first = 0, int64_t count = -1) const {
    LinearWork work;
    work.type = kind.type;
    work.x = x_rows.data() + first * x_stride * static_cast<int64_t>(number_bytes(kind.type));
    work.x_stride = x_stride;
    work.tokens = count < 0 ? tokens : count;
    work.weights = &weights;
    work.y = y.data();
    work.y_stride = y_stride;
    return work;
  }

  DeviceArray<float> empty_y() const { return poisoned<float>(static_cast<size_t>((tokens + 1) * y_stride)); }

  // Rows [first, first + count) alone, without gaps.
  std::vector<float> rows(int64_t first, int64_t count) const {
    auto y = empty_y();
    linear(nullptr, work(y, first, count));
    std::vector<float> found = from_device(y), result;
    for (int64_t t = 0; t < count; ++t) result.insert(result.end(), found.begin() + t * y_stride, found.begin() + t * y_stride + out);
    return result;
  }

  // `tolerance` is a share of the sum of the products' magnitudes.
  void check(const std::vector<float>& y, double tolerance) const {
    for (int64_t t = 0; t <= tokens; ++t)
      for (int64_t o = 0; o < y_stride; ++o) {
        const float found = y[static_cast<size_t>(t * y_stride + o)];
        if (t == tokens || o >= out) {
          uint32_t bits;
          std::memcpy(&bits, &found, sizeof bits);
          CHECK(bits == 0xFFFF'FFFFu, name_of(kind), ": wrote to token ", t, ", output ", o, " of [", tokens, ", ", out, "]");
          continue;
        }
        double expected = 0, magnitude = 0;
        for (int64_t i = 0; i < in; ++i) {
          const double term = x[static_cast<size_t>(t * in + i)] * w[static_cast<size_t>(o * in + i)];
          expected += term;
          magnitude += std::abs(term);
        }
        CHECK(std::abs(found - expected) <= tolerance * magnitude, name_of(kind), " [", tokens, ", ", in, "] × [", out, ", ", in, "]: token ", t, ", output ", o,
              " is ", found, ", expected ", expected);
      }
  }
};

constexpr double kTolerance = 1e-5;  // float32 sums, which tensor cores cut off rather than round

TEST("linear: dtype × tokens × in × out against float64") {
  // The first kind has all shapes but the largest, of which it has two; the others share out what it has.
  size_t shape = 0;
  for (const int64_t in : {36, 64, 100, 576, 1536})
    for (const int64_t out : {1, 15, 48, 100, 576})
      for (const int64_t tokens : {1, 2, 7, 8, 9, 20, 33, 64, 65, 130}) {
        if (tokens * out * in > (kSanitized ? 1'000'000 : 2'500'000) && tokens != 20) continue;
        shape += 1;
        for (size_t k = 0; k < kKindsOfLongTests.size(); ++k) {
          const size_t share = (k == 0 ? 1 : 4) * (kSanitized ? 3 : 1);
          if ((shape + k) % share != 0) continue;
          const Product product(kKinds[k], tokens, out, in);
          auto y = product.empty_y();
          linear(nullptr, product.work(y));
          product.check(from_device(y), kTolerance);
        }
      }
}

TEST("linear: a row has the same bits alone and in any company") {
  for (const Kind& kind : kKindsOfLongTests)
    // 90 columns: one slice of warps has more to do than the other.
    for (const auto& [out, in] : {std::pair<int64_t, int64_t>{100, 360}, {272, 90}}) {
      const int64_t tokens = 150;
      const Product product(kind, tokens, out, in);
      const std::vector<float> all = product.rows(0, tokens);
      for (const auto& [first, count] : {std::pair<int64_t, int64_t>{77, 1}, {3, 8}, {60, 9}, {10, 20}, {100, 33}, {1, 64}, {80, 65}, {5, 130}}) {
        const std::vector<float> some = product.rows(first, count);
        const bool same = std::memcmp(some.data(), all.data() + first * out, some.size() * sizeof(float)) == 0;
        CHECK(same, name_of(kind), " [", count, " of ", tokens, ", ", in, "] × [", out, ", ", in, "]");
      }
    }
}

TEST("linear: nothing to do, and a graph that does it again") {
  const Product product({Number::bf16, false}, 3, 40, 72);
  auto y = product.empty_y();
  Stream stream;
  linear(stream, product.work(y, 0, 0));
  const Graph graph = Graph::record(stream, [&] { linear(stream, product.work(y)); });
  stream.synchronize();
  for (const float value : from_device(y)) CHECK(std::isnan(value), "wrote before the graph was started");
  for (int again = 0; again < 2; ++again) {
    graph.launch(stream);
    stream.synchronize();
    product.check(from_device(y), kTolerance);
    check(cudaMemset(y.data(), 0xFF, y.bytes()), "poison");
    settle();
  }
}

TEST("linear: every e4m3 code is taken for what it is") {
  const int64_t codes = 256, out = 17;
  for (const Number type : {Number::f16, Number::bf16}) {
    std::vector<float> one_hot(static_cast<size_t>(codes * codes));
    std::vector<std::byte> rows(static_cast<size_t>(out * codes));
    std::vector<float> scales;
    for (int64_t i = 0; i < codes; ++i) one_hot[static_cast<size_t>(i * codes + i)] = 1;
    for (int64_t o = 0; o < out; ++o) {
      scales.push_back(0.3f * static_cast<float>(o + 1));
      for (int64_t i = 0; i < codes; ++i)
        if ((i & 0x7F) != 0x7F) rows[static_cast<size_t>(o * codes + i)] = static_cast<std::byte>(i);
    }
    const auto x = on_device(rows_of(type, one_hot, codes, codes)), w = on_device(rows);
    const auto scale = on_device(scales);
    auto y = poisoned<float>(static_cast<size_t>(codes * out));
    const LinearWeights weights{LinearWeights::Format::e4m3, w.data(), scale.data(), out, codes, codes};
    linear(nullptr, {type, x.data(), codes, codes, &weights, y.data(), out});
    const std::vector<float> found = from_device(y);
    for (int64_t i = 0; i < codes; ++i)
      for (int64_t o = 0; o < out; ++o) {
        const float expected = (i & 0x7F) == 0x7F ? 0 : e4m3_to_float(static_cast<uint8_t>(i)) * scales[static_cast<size_t>(o)];
        CHECK_EQUAL(found[static_cast<size_t>(i * out + o)], expected);
      }
  }
}

TEST("e4m3: 256 codes come back") {
  for (int code = 0; code < 256; ++code) {
    const float value = e4m3_to_float(static_cast<uint8_t>(code));
    if ((code & 0x7F) == 0x7F) CHECK(std::isnan(value));
    else CHECK_EQUAL(static_cast<int>(float_to_e4m3(value)), code);
  }
  CHECK_EQUAL(e4m3_to_float(0x7E), 448.0f);
  CHECK_EQUAL(e4m3_to_float(0x01), 0x1p-9f);
  CHECK_EQUAL(e4m3_to_float(0xB8), -1.0f);
  CHECK_EQUAL(static_cast<int>(float_to_e4m3(kNan)), 0x7F);
}

// The code with the nearest number, the even one of two.
uint8_t nearest_code(float value) {
  int best = 0;
  for (int code = 0; code < 0x7F; ++code) {
    const double distance = std::abs(std::abs(static_cast<double>(value)) - e4m3_to_float(static_cast<uint8_t>(code)));
    const double least = std::abs(std::abs(static_cast<double>(value)) - e4m3_to_float(static_cast<uint8_t>(best)));
    if (distance < least || (distance == least && code % 2 == 0)) best = code;
  }
  return static_cast<uint8_t>(best | (std::signbit(value) ? 0x80 : 0));
}

TEST("e4m3: rounds to the nearest, ties to even, and no further than 448") {
  std::vector<float> values{449.0f, 1e30f, -1e30f, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
  for (int code = 0; code < 0x7E; ++code) {
    const float middle = (e4m3_to_float(static_cast<uint8_t>(code)) + e4m3_to_float(static_cast<uint8_t>(code + 1))) / 2;
    for (const float value : {middle, std::nextafterf(middle, 0), std::nextafterf(middle, 1e9f)}) values.push_back(value), values.push_back(-value);
  }
  for (uint32_t upper = 0; upper < 0x10000; upper += kSanitized ? 7 : 1) values.push_back(bf16_to_float(static_cast<uint16_t>(upper)));
  for (const float value : values) {
    if (std::isnan(value)) continue;
    CHECK(float_to_e4m3(value) == nearest_code(value), value, " became ", e4m3_to_float(float_to_e4m3(value)));
  }
}

TEST("e4m3: rows are scaled so that their largest is 448") {
  const int64_t in = 1100, stride = padded(in) + 16, rows = 5;
  for (const Number type : {Number::f16, Number::bf16}) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(rows * in));
    for (int64_t i = 0; i < rows * in; ++i) values[static_cast<size_t>(i)] = i / in == 1 ? 0 : normal(random) * (i / in == 2 ? 1e-38f : 1);
    values[static_cast<size_t>(3 * in + 1099)] = kNan;
    values[static_cast<size_t>(4 * in + 500)] = std::numeric_limits<float>::infinity();
    const std::vector<double> x = rounded_to(type, values);
    const auto source = on_device(rows_with_gaps(type, values, in, stride));
    auto codes = poisoned<uint8_t>(static_cast<size_t>((rows + 1) * padded(in)));
    auto scales = poisoned<float>(rows + 1);
    quantize_rows(nullptr, type, source.data(), stride, rows, in, codes.data(), scales.data());
    const std::vector<uint8_t> found = from_device(codes);
    const std::vector<float> factors = from_device(scales);
    for (int64_t t = 0; t < rows; ++t) {
      double largest = 0;
      bool has_nan = false;
      for (int64_t i = 0; i < in; ++i) largest = std::fmax(largest, std::abs(x[static_cast<size_t>(t * in + i)]));
      if (std::isfinite(largest)) CHECK_EQUAL(factors[static_cast<size_t>(t)], static_cast<float>(largest) / 448.0f);
      for (int64_t i = 0; i < padded(in); ++i) {
        const uint8_t code = found[static_cast<size_t>(t * padded(in) + i)];
        const double value = i < in ? x[static_cast<size_t>(t * in + i)] : 0, again = static_cast<double>(e4m3_to_float(code)) * factors[static_cast<size_t>(t)];
        has_nan = has_nan || std::isnan(again);
        // Half a step: of 8 in a power of two, or the smallest there is.
        const double half_step = std::max(std::abs(value) / 15.9, largest / 448 * 0x1p-10 * 1.01) + 2e-36;
        if (t < 3) CHECK(std::abs(again - value) <= half_step, "row ", t, " column ", i, ": ", value, " became ", again);
        if (i >= in || value == 0) CHECK_EQUAL(code & 0x7F, 0);
      }
      CHECK_EQUAL(has_nan, t >= 3);
    }
    for (int64_t i = 0; i < padded(in); ++i) CHECK_EQUAL(static_cast<int>(found[static_cast<size_t>(rows * padded(in) + i)]), 0xFF);
    CHECK(std::isnan(factors[rows]));
  }
}

std::unique_ptr<CublasLt> cublaslt_or_skip() {
  try {
    return std::make_unique<CublasLt>();
  } catch (const Error& error) {
    if (error.code() == "device_unavailable") throw Skip(error.what());
    throw;
  }
}

TEST("cublaslt: the same products as ours, to rounding") {
  const auto library = cublaslt_or_skip();
  CHECK(!library->version().empty());
  for (const Kind& kind : kKinds)
    for (const auto& [tokens, out, in] : {std::tuple<int64_t, int64_t, int64_t>{1, 64, 576}, {9, 112, 100}, {33, 15, 36}, {130, 48, 256}}) {
      const Product product(kind, tokens, out, in);
      auto y = product.empty_y();
      library->linear(nullptr, product.work(y));
      // Where the library multiplies e4m3 with e4m3, x is rounded to 3 bits of fraction.
      product.check(from_device(y), kind.e4m3 ? 0.07 : kTolerance);
    }
}

TEST("cublaslt: a graph that does it again, once the shape is known") {
  const auto library = cublaslt_or_skip();
  for (const Kind& kind : kKinds) {
    const Product product(kind, 20, 48, 100);
    auto y = product.empty_y();
    Stream stream;
    library->linear(stream, product.work(y));
    stream.synchronize();
    check(cudaMemset(y.data(), 0xFF, y.bytes()), "poison");
    settle();
    const Graph graph = Graph::record(stream, [&] { library->linear(stream, product.work(y)); });
    // More rows than the graph's need other memory; the graph keeps its own.
    const Product larger(kind, 200, 16, 256);
    auto larger_y = larger.empty_y();
    library->linear(stream, larger.work(larger_y));
    graph.launch(stream);
    stream.synchronize();
    product.check(from_device(y), kind.e4m3 ? 0.07 : kTolerance);
  }
}

}  // namespace
}  // namespace sgmv::test
