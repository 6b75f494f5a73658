// Norm, rotation and storing of queries, keys and values on CUDA against plain loops in float64.
#include <algorithm>
#include <cmath>
#include <random>

#include "cuda/device_test.h"
#include "ops/attention_cuda.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

struct Shape {
  Number type = Number::bf16;
  int32_t heads = 4;
  int32_t kv_heads = 2;
  int32_t head_dim = 64;
  int32_t half = 32;
  int32_t block_size = 16;
  bool bias = false;
  bool norms = false;
  bool long_rope = false;
  float growth = 0.0f;
  bool interleaved = false;
  bool norm_last = false;
  bool gated = false;
  bool layer_norms = false;
  bool value_norms = false;
  bool queries_only = false;
  int32_t all_heads() const { return (gated ? 2 : 1) * heads + (queries_only ? 0 : 2 * kv_heads); }
};

constexpr int32_t kPositions = 50, kBlocks = 6, kGrowthSpan = 12;
constexpr float kEps = 1e-5f, kQScale = 0.37f;

struct Token {
  int32_t position;
  int32_t slot;
  uint8_t is_long;
};

std::vector<float> random_floats(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-2, 2);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(generator);
  return values;
}

// Everything of a shape that tokens share.
struct Tables {
  explicit Tables(const Shape& s)
      : bias(random_floats(static_cast<size_t>(s.all_heads() * s.head_dim), 1)), q_norm(random_floats(static_cast<size_t>(s.heads * s.head_dim), 2)),
        k_norm(random_floats(static_cast<size_t>(s.kv_heads * s.head_dim), 3)), rope(random_floats(static_cast<size_t>(kPositions * 2 * s.half), 4)),
        long_rope(random_floats(static_cast<size_t>(kPositions * 2 * s.half), 5)) {}
  std::vector<float> bias, q_norm, k_norm, rope, long_rope;
};

std::vector<float> qkv_of(const Shape& shape, const Token& token) {
  return random_floats(static_cast<size_t>(shape.all_heads() * shape.head_dim), 100 + static_cast<uint32_t>(token.position));
}

struct Found {
  std::vector<std::byte> q, cache;
};

Found run(const Shape& shape, const Tables& tables, const std::vector<Token>& tokens) {
  std::vector<float> qkv;
  std::vector<int32_t> positions, slots;
  std::vector<uint8_t> is_long;
  for (const Token& token : tokens) {
    const auto row = qkv_of(shape, token);
    qkv.insert(qkv.end(), row.begin(), row.end());
    positions.push_back(token.position);
    slots.push_back(token.slot);
    is_long.push_back(token.is_long);
  }
  const auto device_qkv = on_device(qkv), bias = on_device(tables.bias), q_norm = on_device(tables.q_norm), k_norm = on_device(tables.k_norm), rope = on_device(tables.rope),
             long_rope = on_device(tables.long_rope);
  const auto device_positions = on_device(positions), device_slots = on_device(slots);
  const auto device_long = on_device(is_long);
  const size_t row_bytes = static_cast<size_t>(padded(shape.head_dim)) * number_bytes(shape.type);
  const auto q = poisoned<std::byte>(tokens.size() * static_cast<size_t>(shape.heads) * row_bytes);
  const auto cache = poisoned<std::byte>(static_cast<size_t>(kBlocks * shape.kv_heads * 2 * shape.block_size) * row_bytes);
  RotateAndStore work;
  work.qkv = device_qkv.data();
  if (shape.bias) work.bias = bias.data();
  if (shape.norms) work.q_norm = q_norm.data(), work.k_norm = k_norm.data();
  work.eps = kEps;
  work.rope = rope.data();
  if (shape.long_rope) work.long_rope = long_rope.data(), work.long_context = device_long.data();
  work.half = shape.half;
  work.interleaved = shape.interleaved;
  work.norm_last = shape.norm_last;
  work.gated = shape.gated;
  work.norms_values = shape.value_norms;
  work.stores = !shape.queries_only;
  work.layer_norms = shape.norms && shape.layer_norms;
  work.q_scale = kQScale;
  work.q_growth = shape.growth;
  work.q_growth_span = kGrowthSpan;
  work.positions = device_positions.data();
  work.slots = device_slots.data();
  work.tokens = static_cast<int32_t>(tokens.size());
  work.heads = shape.heads;
  work.q = q.data();
  work.cache = {shape.type, cache.data(), shape.kv_heads, shape.block_size, shape.head_dim};
  rotate_and_store(nullptr, work);
  return {from_device(q), from_device(cache)};
}

// Head `head` of queries, keys and values, in their order in qkv.
std::vector<double> expect(const Shape& shape, const Tables& tables, const Token& token, int32_t head) {
  const auto qkv = qkv_of(shape, token);
  const auto dim = static_cast<size_t>(shape.head_dim), half = static_cast<size_t>(shape.half), begin = static_cast<size_t>(head + (shape.gated ? std::min(head, shape.heads) : 0)) * dim;
  std::vector<double> x(dim);
  for (size_t i = 0; i < dim; ++i) x[i] = static_cast<double>(qkv[begin + i]) + (shape.bias ? static_cast<double>(tables.bias[begin + i]) : 0.0);
  const bool query = head < shape.heads;
  const bool value = head >= shape.heads + shape.kv_heads;
  const auto norm = [&] {
    double squares = 0, total = 0;
    for (const double v : x) total += v;
    for (double& v : x) {
      if (shape.layer_norms) v -= total / static_cast<double>(dim);
      squares += v * v;
    }
    const double factor = 1 / std::sqrt(squares / static_cast<double>(dim) + static_cast<double>(kEps));
    const size_t own = shape.layer_norms && !value ? static_cast<size_t>(query ? head : head - shape.heads) * dim : 0;
    for (size_t i = 0; i < dim; ++i) x[i] *= factor * (value ? 1.0 : static_cast<double>((query ? tables.q_norm : tables.k_norm)[own + i]));
  };
  if (value && shape.value_norms) norm();
  if (value) return x;
  if (shape.norms && !shape.norm_last) norm();
  const float* rope = (shape.long_rope && token.is_long != 0 ? tables.long_rope : tables.rope).data() + static_cast<size_t>(token.position) * 2 * half;
  for (size_t i = 0; i < half; ++i) {
    const size_t first = shape.interleaved ? 2 * i : i, second = shape.interleaved ? 2 * i + 1 : i + half;
    const double a = x[first], b = x[second], c = static_cast<double>(rope[i]), s = static_cast<double>(rope[half + i]);
    x[first] = a * c - b * s;
    x[second] = b * c + a * s;
  }
  if (shape.norms && shape.norm_last) norm();
  const double growth = 1 + static_cast<double>(shape.growth) * std::log(1.0 + token.position / kGrowthSpan);
  for (double& v : x) v *= query ? static_cast<double>(kQScale) * growth : 1.0;
  return x;
}

void check_row(const Shape& shape, const std::byte* row, const std::vector<double>& expected, const char* what) {
  const double relative = shape.type == Number::f32 ? 1e-6 : shape.type == Number::f16 ? 0x1p-11 : 0x1p-8;
  for (int32_t i = 0; i < padded(shape.head_dim); ++i) {
    const double found = number_from(row + static_cast<size_t>(i) * number_bytes(shape.type), shape.type);
    const double wanted = i < shape.head_dim ? expected[static_cast<size_t>(i)] : 0.0, allowed = i < shape.head_dim ? relative * std::abs(wanted) + 5e-6 : 0.0;
    CHECK(std::abs(found - wanted) <= allowed, what, " of type ", static_cast<int>(shape.type), " head size ", shape.head_dim, " half ",
          shape.half, ": component ", i, " is ", found, ", expected ", wanted);
  }
}

// Where a key (values 0) or value of a slot lies in the cache.
size_t cache_row(const Shape& shape, int32_t slot, int32_t kv_head, int32_t values) {
  return static_cast<size_t>(((slot / shape.block_size * shape.kv_heads + kv_head) * 2 + values) * shape.block_size + slot % shape.block_size);
}

bool is_poison(const std::byte* at, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i)
    if (at[i] != std::byte{0xFF}) return false;
  return true;
}

void check_tokens(const Shape& shape, const std::vector<Token>& tokens) {
  const Tables tables(shape);
  const Found found = run(shape, tables, tokens);
  const size_t row_bytes = static_cast<size_t>(padded(shape.head_dim)) * number_bytes(shape.type);
  std::vector<bool> written(found.cache.size() / row_bytes);
  for (size_t t = 0; t < tokens.size(); ++t) {
    if (tokens[t].slot < 0) continue;
    for (int32_t head = 0; head < shape.heads; ++head)
      check_row(shape, found.q.data() + (t * static_cast<size_t>(shape.heads) + static_cast<size_t>(head)) * row_bytes, expect(shape, tables, tokens[t], head), "a query");
    for (int32_t head = 0; head < (shape.queries_only ? 0 : 2 * shape.kv_heads); ++head) {
      const size_t row = cache_row(shape, tokens[t].slot, head % shape.kv_heads, head / shape.kv_heads);
      check_row(shape, found.cache.data() + row * row_bytes, expect(shape, tables, tokens[t], shape.heads + head), head < shape.kv_heads ? "a key" : "a value");
      written[row] = true;
    }
  }
  for (size_t row = 0; row < written.size(); ++row)
    CHECK(written[row] || is_poison(found.cache.data() + row * row_bytes, row_bytes), "row ", row, " of the cache was written");
}

std::vector<Token> some_tokens(const Shape& shape) {
  return {{0, 0, 0}, {7, 2 * shape.block_size, 1}, {49, 5 * shape.block_size + shape.block_size - 1, 0}, {3, -1, 1}, {20, 3 * shape.block_size + shape.block_size / 2, 1}};
}

TEST("rotate cuda: types, head sizes, parts that are rotated, pairs of neighbours, norms before and after, biases, tables of long contexts") {
  constexpr int32_t kHeads[][2] = {{1, 1}, {4, 2}, {7, 1}, {3, 3}}, kBlockSizes[] = {16, 4, 1};
  int at = 0;
  for (const int32_t head_dim : {8, 10, 16, 36, 48, 64, 80, 96, 128, 160, 256, 384, 512})
    for (const Number type : {Number::f32, Number::f16, Number::bf16})
      for (const int32_t half : {head_dim / 2, head_dim / 4, 0}) {
        const auto& heads = kHeads[at % 4];
        const Shape shape{type, heads[0], heads[1], head_dim, half, kBlockSizes[at % 3], at % 2 == 0, at / 2 % 2 == 0, at / 4 % 2 == 0, at / 8 % 2 == 0 ? 0.3f : 0.0f, at % 5 < 2, at % 7 < 3, at % 11 < 4, at % 3 == 1 && at % 7 >= 3};
        check_tokens(shape, some_tokens(shape));
        ++at;
      }
}

TEST("rotate cuda: norms of values, and queries alone, which leave the cache as it is") {
  for (const int32_t head_dim : {10, 64, 512})
    for (const Number type : {Number::f32, Number::f16, Number::bf16})
      for (const bool queries_only : {false, true}) {
        Shape shape{type, 4, 2, head_dim, head_dim / 2, 4, head_dim == 64, true};
        shape.value_norms = true;
        shape.queries_only = queries_only;
        check_tokens(shape, some_tokens(shape));
      }
}

TEST("rotate cuda: a token's bits do not depend on the others") {
  for (const Number type : {Number::f32, Number::bf16}) {
    const Shape shape{type, 4, 2, 80, 20, 16, true, true, true};
    const Tables tables(shape);
    const std::vector<Token> tokens = some_tokens(shape);
    const Found all = run(shape, tables, tokens);
    const size_t row_bytes = static_cast<size_t>(padded(shape.head_dim)) * number_bytes(shape.type), q_bytes = row_bytes * static_cast<size_t>(shape.heads);
    for (size_t t = 0; t < tokens.size(); ++t) {
      if (tokens[t].slot < 0) continue;
      const Found alone = run(shape, tables, {tokens[t]});
      CHECK(std::equal(alone.q.begin(), alone.q.end(), all.q.begin() + static_cast<long>(t * q_bytes)), "another query");
      for (int32_t head = 0; head < 2 * shape.kv_heads; ++head) {
        const size_t at = cache_row(shape, tokens[t].slot, head / 2, head % 2) * row_bytes;
        CHECK(std::equal(alone.cache.data() + at, alone.cache.data() + at + row_bytes, all.cache.data() + at), "another key or value");
      }
    }
  }
}

TEST("rotate cuda: no tokens") {
  rotate_and_store(nullptr, {});
  check(cudaDeviceSynchronize(), "nothing");
}

}  // namespace
}  // namespace sgmv::test
