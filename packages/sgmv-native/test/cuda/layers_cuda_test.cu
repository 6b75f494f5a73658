// Embedding, norms, activations, gathering and capping against plain loops in float64.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "cuda/device_test.h"
#include "cuda/stream.h"
#include "ops/latent_cuda.h"
#include "ops/layers_cuda.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

constexpr Number kTypes[] = {Number::f32, Number::f16, Number::bf16};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::mt19937& generator() {
  static std::mt19937 random(7);
  return random;
}

std::vector<float> normal(int64_t count, float spread = 1.0f) {
  std::normal_distribution<float> draw(0.0f, spread);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = draw(generator());
  return values;
}

// What rounding to `type` may change, as a share of the number.
double rounding(Number type) { return type == Number::f32 ? 2e-6 : type == Number::f16 ? 5e-4 : 4e-3; }

void check_near(double found, double expected, double tolerance, const char* what, int64_t row, int64_t column) {
  if (!(std::abs(found - expected) <= tolerance)) fail_at(__FILE__, __LINE__, what, " row ", row, " column ", column, ": ", found, ", expected ", expected);
}

// Rows [rows, padded(width)] whose numbers are NaN and whose padding is zero, and one more row of NaN behind them.
DeviceArray<std::byte> poisoned_rows(Number type, int64_t rows, int64_t width) {
  const size_t size = number_bytes(type), stride = static_cast<size_t>(padded(width));
  std::vector<std::byte> bytes(static_cast<size_t>(rows + 1) * stride * size, std::byte{0xFF});
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row)
    std::memset(bytes.data() + (row * stride + static_cast<size_t>(width)) * size, 0, (stride - static_cast<size_t>(width)) * size);
  return on_device(bytes);
}

// Each number near `expected(row, column)`, the padding still zero, the row behind untouched.
template <typename Expected>
void check_rows(Number type, const std::vector<std::byte>& found, int64_t rows, int64_t width, const char* what, Expected expected) {
  const int64_t size = static_cast<int64_t>(number_bytes(type)), stride = padded(width);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < stride; ++i) {
      const double number = number_from(found.data() + (row * stride + i) * size, type), wanted = i < width ? expected(row, i) : 0.0;
      check_near(number, wanted, i < width ? rounding(type) * std::abs(wanted) + 2e-5 : 0.0, what, row, i);
    }
  for (int64_t i = rows * stride * size; i < static_cast<int64_t>(found.size()); ++i)
    CHECK(found[static_cast<size_t>(i)] == std::byte{0xFF}, what, ": wrote behind the rows");
}

double e4m3_value(uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  const double magnitude = exponent == 0 ? mantissa * std::exp2(-9) : (8 + mantissa) * std::exp2(exponent - 10);
  return bits & 0x80 ? -magnitude : magnitude;
}

struct EmbeddingCase {
  Number type;
  bool e4m3;
  int32_t vocab, width;
  std::vector<int32_t> ranks;  // of the adapters
};

// One of the adapters per token in turn, then none.
struct EmbeddingOnDevice {
  explicit EmbeddingOnDevice(const EmbeddingCase& c) : width(c.width), ranks(c.ranks) {
    table = c.e4m3 ? std::vector<double>() : rounded_to(c.type, table_numbers = normal(int64_t{c.vocab} * c.width));
    if (c.e4m3) {
      std::vector<uint8_t> codes(static_cast<size_t>(c.vocab * padded(c.width)));
      for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i * 37 % 256 & 0x7F) == 0x7F ? 0x80 : static_cast<uint8_t>(i * 37);
      for (float& s : row_scales = normal(c.vocab)) s = std::abs(s);
      for (int32_t row = 0; row < c.vocab; ++row)
        for (int32_t i = 0; i < c.width; ++i)
          table.push_back(e4m3_value(codes[static_cast<size_t>(row * padded(c.width) + i)]) * row_scales[static_cast<size_t>(row)]);
      const auto* bytes = reinterpret_cast<const std::byte*>(codes.data());
      data.push_back(on_device(std::vector<std::byte>(bytes, bytes + codes.size())));
      scales = on_device(row_scales);
      work.scales = scales.data();
    } else {
      data.push_back(on_device(rows_of(c.type, table_numbers, c.width, padded(c.width))));
    }
    work.table = data[0].data();
    for (const int32_t rank : c.ranks) add_adapter(c, rank);
    factors = on_device(host_factors);
    for (int32_t i = 0; i < 11; ++i) {
      const size_t which = static_cast<size_t>(i) % (c.ranks.size() + 1);
      adapter_of.push_back(which < c.ranks.size() ? static_cast<int32_t>(which) : -1);
      ids.push_back(i * 5 % c.vocab);
      pointers.push_back(which < c.ranks.size() ? factors.data() + which : nullptr);
    }
    token_ids = on_device(ids);
    lora_of_token = on_device(pointers);
    work.type = c.type;
    work.token_ids = token_ids.data();
    work.lora_of_token = lora_of_token.data();
    work.scale = 2.5f;
    work.tokens = static_cast<int32_t>(ids.size());
    work.width = c.width;
  }

  void add_adapter(const EmbeddingCase& c, int32_t rank) {
    const std::vector<float> a_numbers = normal(int64_t{c.vocab} * rank), b_numbers = normal(int64_t{c.width} * rank, 0.1f);
    a.push_back(rounded_to(c.type, a_numbers));
    b.push_back(rounded_to(c.type, b_numbers));
    data.push_back(on_device(rows_of(c.type, a_numbers, rank, rank)));
    data.push_back(on_device(rows_of(c.type, b_numbers, rank, rank)));
    host_factors.push_back({data[data.size() - 2].data(), data.back().data(), rank, 0.5f});
  }

  double expected(size_t token, int64_t column, double& magnitude) const {
    const auto id = static_cast<size_t>(ids[token]);
    double sum = table[id * static_cast<size_t>(width) + static_cast<size_t>(column)];
    magnitude = std::abs(sum);
    if (const int32_t adapter = adapter_of[token]; adapter >= 0) {
      const auto rank = static_cast<size_t>(ranks[static_cast<size_t>(adapter)]);
      const std::vector<double>&a_of = a[static_cast<size_t>(adapter)], &b_of = b[static_cast<size_t>(adapter)];
      for (size_t r = 0; r < rank; ++r) {
        const double product = 0.5 * a_of[id * rank + r] * b_of[static_cast<size_t>(column) * rank + r];
        sum += product;
        magnitude += std::abs(product);
      }
    }
    magnitude *= 2.5;
    return sum * 2.5;
  }

  int32_t width;
  std::vector<int32_t> ranks, ids, adapter_of;
  std::vector<float> table_numbers, row_scales;
  std::vector<double> table;
  std::vector<std::vector<double>> a, b;
  std::vector<DeviceArray<std::byte>> data;
  std::vector<LoraEmbeddingFactors> host_factors;
  std::vector<const LoraEmbeddingFactors*> pointers;
  DeviceArray<LoraEmbeddingFactors> factors;
  DeviceArray<const LoraEmbeddingFactors*> lora_of_token;
  DeviceArray<int32_t> token_ids;
  DeviceArray<float> scales;
  Embedding work;
};

TEST("layers: embeddings with adapters of all ranks, and 8-bit tables") {
  for (const Number type : kTypes)
    for (const bool e4m3 : {false, true})
      for (const int32_t width : {8, 36, 37, 100, 1030, 2048}) {
        const EmbeddingOnDevice given({type, e4m3, 50, width, {1, 3, 16, 24, width == 100 ? 256 : 8}});
        const auto size = static_cast<size_t>(given.work.tokens) * static_cast<size_t>(width);
        const auto out = poisoned<float>(size + 8);
        Embedding work = given.work;
        work.out = out.data();
        embed(nullptr, work);
        const std::vector<float> found = from_device(out);
        for (size_t token = 0; token < given.ids.size(); ++token)
          for (int32_t i = 0; i < width; ++i) {
            double magnitude = 0;
            const double expected = given.expected(token, i, magnitude);
            check_near(found[token * static_cast<size_t>(width) + static_cast<size_t>(i)], expected, 3e-6 * magnitude, "embedding", static_cast<int64_t>(token), i);
          }
        for (size_t i = size; i < found.size(); ++i) CHECK(std::isnan(found[i]), "wrote behind the rows");
      }
}

TEST("layers: an embedding has the same bits alone, and without any adapters in the batch") {
  const EmbeddingOnDevice given({Number::bf16, false, 50, 100, {3, 16}});
  auto out = poisoned<float>(given.ids.size() * 100);
  Embedding work = given.work;
  work.out = out.data();
  embed(nullptr, work);
  const std::vector<float> together = from_device(out);
  for (size_t token = 0; token < given.ids.size(); ++token) {
    const auto alone = poisoned<float>(100);
    work.tokens = 1;
    work.token_ids = given.token_ids.data() + token;
    work.lora_of_token = given.adapter_of[token] < 0 ? nullptr : given.lora_of_token.data() + token;
    work.out = alone.data();
    embed(nullptr, work);
    CHECK(std::memcmp(from_device(alone).data(), together.data() + token * 100, 400) == 0, "token ", token);
  }
}

TEST("layers: own rows take the place of an embedding's, and of the head's in logits") {
  constexpr int32_t kRows = 5, kVocab = 40;
  const std::vector<int32_t> own_tokens{0, 7, 8, 20, 39}, more(own_tokens.begin() + 1, own_tokens.end());
  for (const Number type : kTypes)
    for (const int32_t width : {4, 37, 100, 1030}) {
      const auto numbers = [&](int64_t count) { return normal(count * width); };
      const std::vector<float> table = numbers(kVocab), own = numbers(5), x = numbers(kRows);
      const auto table_data = on_device(rows_of(type, table, width, padded(width))), x_data = on_device(rows_of(type, x, width, padded(width)));
      const auto own_data = on_device(own);
      const auto token_data = on_device(own_tokens), head_data = on_device(more);
      const auto adapters = on_device(std::vector<LoraEmbeddingFactors>{{nullptr, nullptr, 0, 0, {token_data.data(), own_data.data(), 5}, {head_data.data(), own_data.data(), 4}}, {}});
      const std::vector<int32_t> ids{8, 9, 39, 0, 8};
      const auto of_token = on_device(std::vector<const LoraEmbeddingFactors*>{adapters.data(), adapters.data(), adapters.data(), adapters.data() + 1, nullptr});
      const auto id_data = on_device(ids);
      const auto out = poisoned<float>(static_cast<size_t>(kRows * width));
      Embedding work{type, table_data.data(), nullptr, id_data.data(), nullptr, of_token.data(), 2.0f, kRows, width, out.data()};
      embed(nullptr, work);
      const std::vector<float> found = from_device(out);
      const std::vector<double> rounded = rounded_to(type, table);
      const int32_t place[] = {2, -1, 4, -1, -1};  // among own rows
      for (int32_t row = 0; row < kRows; ++row)
        for (int32_t i = 0; i < width; ++i) {
          const double expected = place[row] >= 0 ? own[static_cast<size_t>(place[row] * width + i)] : rounded[static_cast<size_t>(ids[static_cast<size_t>(row)] * width + i)];
          check_near(found[static_cast<size_t>(row * width + i)], 2 * expected, 0, "embedding", row, i);
        }
      // Rows of logits in another order than tokens: 1, 4 and 0.
      const auto tokens = on_device(std::vector<int32_t>{1, 4, 0});
      const auto logits = on_device(std::vector<float>(3 * kVocab, -7.0f));
      write_own_logits(nullptr, {type, x_data.data(), tokens.data(), of_token.data(), 3, width, kVocab, logits.data()});
      const std::vector<float> written = from_device(logits);
      const std::vector<double> inputs = rounded_to(type, x);
      for (int32_t row = 0; row < 3; ++row)
        for (int32_t t = 0; t < kVocab; ++t) {
          const auto at = std::find(more.begin(), more.end(), t);
          double sum = -7, magnitude = 0;
          if (row != 1 && at != more.end()) {
            sum = 0;
            for (int32_t i = 0; i < width; ++i) {
              const double product = inputs[static_cast<size_t>(row * width + i)] * own[static_cast<size_t>((at - more.begin()) * width + i)];
              sum += product;
              magnitude += std::abs(product);
            }
          }
          check_near(written[static_cast<size_t>(row * kVocab + t)], sum, 2e-6 * magnitude, "logits", row, t);
        }
    }
}

struct NormCase {
  Number type;
  int32_t width;
  bool delta, bias, post_norm;
  bool centered = false, beside = false;
};

struct NormOnDevice {
  NormOnDevice(const NormCase& c, int32_t tokens)
      : host_residual(normal(int64_t{tokens} * c.width)), host_delta(normal(int64_t{tokens} * c.width, 2.0f)), host_bias(normal(c.width)),
        host_post_norm(normal(c.width)), host_norm(normal(c.width)), host_norm_bias(normal(c.width)), residual(on_device(host_residual)), delta(on_device(host_delta)),
        bias(on_device(host_bias)), post_norm(on_device(host_post_norm)), norm(on_device(host_norm)), norm_bias(on_device(host_norm_bias)), normed(poisoned_rows(c.type, tokens, c.width)),
        exact(poisoned_rows(Number::f32, tokens, c.width)), host_beside(normal(int64_t{tokens} * c.width)), beside(on_device(host_beside)) {
    work = {c.type, c.delta ? delta.data() : nullptr, c.bias ? bias.data() : nullptr, c.post_norm ? post_norm.data() : nullptr, norm.data(), 1e-5f,
            tokens, c.width, residual.data(), normed.data(), reinterpret_cast<float*>(exact.data()), c.centered ? norm_bias.data() : nullptr};
    if (c.beside) work.beside = beside.data();
    if (c.beside && c.post_norm) work.beside_bias = post_norm.data();
  }

  // The residual of one token after the addition.
  std::vector<double> sums(size_t token) const {
    const auto width = static_cast<size_t>(work.width);
    std::vector<double> row(host_residual.begin() + static_cast<long>(token * width), host_residual.begin() + static_cast<long>((token + 1) * width));
    if (work.delta == nullptr) return row;
    double squares = 0;
    const auto added = [&](size_t i) { return host_delta[token * width + i] + (work.delta_bias == nullptr ? 0.0 : host_bias[i]); };
    for (size_t i = 0; i < width; ++i) squares += added(i) * added(i);
    const double factor = 1 / std::sqrt(squares / work.width + work.eps);
    for (size_t i = 0; i < width; ++i) {
      row[i] += work.post_norm == nullptr ? added(i) : added(i) * factor * host_post_norm[i];
      if (work.beside != nullptr) row[i] += host_beside[token * width + i];
      if (work.beside_bias != nullptr) row[i] += host_post_norm[i];
      row[i] *= work.scale;
    }
    return row;
  }

  void check() const {
    std::vector<std::vector<double>> expected;
    const std::vector<float> found = from_device(residual);
    for (int64_t token = 0; token < work.tokens; ++token) {
      std::vector<double> row = sums(static_cast<size_t>(token));
      double squares = 0, total = 0;
      for (int64_t i = 0; i < work.width; ++i) {
        const double sum = row[static_cast<size_t>(i)];
        check_near(found[static_cast<size_t>(token * work.width + i)], sum, 2e-5, "residual", token, i);
        total += sum;
      }
      const bool centered = work.norm_bias != nullptr;
      for (double& value : row) {
        if (centered) value -= total / work.width;
        squares += value * value;
      }
      const double factor = 1 / std::sqrt(squares / work.width + work.eps);
      for (size_t i = 0; i < row.size() && work.norm != nullptr; ++i) row[i] = row[i] * factor * host_norm[i] + (centered ? host_norm_bias[i] : 0.0);
      expected.push_back(std::move(row));
    }
    const auto row = [&](int64_t token, int64_t i) { return expected[static_cast<size_t>(token)][static_cast<size_t>(i)]; };
    check_rows(work.type, from_device(normed), work.tokens, work.width, "normed", row);
    if (work.exact != nullptr) check_rows(Number::f32, from_device(exact), work.tokens, work.width, "normed and not rounded", row);
  }

  std::vector<float> host_residual, host_delta, host_bias, host_post_norm, host_norm, host_norm_bias;
  DeviceArray<float> residual, delta, bias, post_norm, norm, norm_bias;
  DeviceArray<std::byte> normed, exact;
  std::vector<float> host_beside;
  DeviceArray<float> beside;
  AddAndNorm work;
};

TEST("layers: rows are added and normed, with and without bias, second norm and mean") {
  for (const Number type : kTypes)
    for (const int32_t width : {8, 36, 37, 100, 1000, 4096, 8191, 8196, 16384})
      for (const int parts : {0, 1, 3, 5, 7, 8, 9, 11, 15, 17, 25, 31}) {
        NormOnDevice given({type, width, (parts & 1) != 0, (parts & 2) != 0, (parts & 4) != 0, (parts & 8) != 0, (parts & 16) != 0}, width < 200 ? 5 : 2);
        add_and_norm(nullptr, given.work);
        given.check();
      }
}

TEST("layers: a sum is scaled, residual and norm with it") {
  for (const int32_t width : {37, 4096}) {
    NormOnDevice given({Number::bf16, width, true, false, true}, 3);
    given.work.scale = 0.3f;
    add_and_norm(nullptr, given.work);
    given.check();
  }
}

TEST("layers: two rows are normed by themselves and added") {
  constexpr int32_t kTokens = 3;
  for (const int32_t width : {3, 37, 300, 4096}) {
    const std::vector<float> host_x = normal(int64_t{kTokens} * width, 3.0f), host_y = normal(int64_t{kTokens} * width), x_norm = normal(width), y_norm = normal(width);
    const auto x = on_device(host_x), y = on_device(host_y), of_x = on_device(x_norm), of_y = on_device(y_norm);
    add_normed(nullptr, {x.data(), of_x.data(), of_y.data(), 1e-5f, kTokens, width, y.data()});
    const std::vector<float> found = from_device(y);
    for (int64_t token = 0; token < kTokens; ++token) {
      const auto factor = [&](const std::vector<float>& rows) {
        double squares = 0;
        for (int64_t i = token * width; i < (token + 1) * width; ++i) squares += double{rows[static_cast<size_t>(i)]} * rows[static_cast<size_t>(i)];
        return 1 / std::sqrt(squares / width + 1e-5);
      };
      const double x_factor = factor(host_x), y_factor = factor(host_y);
      for (int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<size_t>(token * width + i), column = static_cast<size_t>(i);
        check_near(found[at], host_x[at] * x_factor * x_norm[column] + host_y[at] * y_factor * y_norm[column], 2e-5, "normed and added", token, i);
      }
    }
  }
}

TEST("layers: what tokens have for each layer is normed layer by layer, and their rows of the second embedding added") {
  const std::vector<int32_t> host_ids{5, -1, 0, -2}, host_drawn{3, -1}, tokens{5, 3, 0, 0};
  constexpr float kProjection = 0.2f, kEmbedding = 5.0f;
  for (const Number type : kTypes)
    for (const auto& [layers, size] : {std::pair{1, 1}, {3, 5}, {9, 32}, {35, 256}}) {
      const int32_t width = layers * size;
      const std::vector<float> host_rows = normal(4 * width, 3.0f), host_table = normal(6 * width), host_norm = normal(size);
      const std::vector<std::byte> table_rows = rows_of(type, host_table, width, padded(width));
      const auto table = on_device(table_rows);
      const auto ids = on_device(host_ids), drawn = on_device(host_drawn);
      const auto norm = on_device(host_norm), rows = on_device(host_rows);
      mix_per_token_rows(nullptr, {type, table.data(), ids.data(), drawn.data(), norm.data(), 1e-5f, kProjection, kEmbedding, 4, layers, size, rows.data()});
      const std::vector<float> found = from_device(rows);
      for (int64_t token = 0; token < 4; ++token)
        for (int64_t begin = 0; begin < width; begin += size) {
          const auto projected = [&](int64_t i) { return double{host_rows[static_cast<size_t>(token * width + begin + i)]} * kProjection; };
          double squares = 0;
          for (int64_t i = 0; i < size; ++i) squares += projected(i) * projected(i);
          const double factor = 1 / std::sqrt(squares / size + 1e-5);
          for (int64_t i = 0; i < size; ++i) {
            const double embedded = number_from(table_rows.data() + static_cast<size_t>(tokens[static_cast<size_t>(token)] * padded(width) + begin + i) * number_bytes(type), type);
            check_near(found[static_cast<size_t>(token * width + begin + i)], (projected(i) * factor * host_norm[static_cast<size_t>(i)] + embedded * kEmbedding) / std::sqrt(2.0), 2e-5, "per token", token, begin + i);
          }
        }
    }
}

// Latents of 3 tokens, normed and stored with what is rotated, their queries in two parts, and what the products by heads are made into.
TEST("layers: latents, queries in their space, heads joined again") {
  constexpr int32_t kTokens = 3, kBlockSize = 4;
  for (const LatentConfig shape : {LatentConfig{10, 7, 6, 4, 8}, LatentConfig{10, 0, 6, 4, 10}, LatentConfig{2, 1, 2, 2, 1}, LatentConfig{512, 768, 192, 64, 256}, LatentConfig{512, 0, 128, 64, 128}})
    for (const Number type : kTypes)
      for (const bool interleaved : {false, true}) {
        const int32_t heads = 3, dim = shape.nope_dim + shape.rope_dim, q_width = shape.q_rank > 0 ? shape.q_rank : heads * dim, width = q_width + shape.kv_a_width(), half = shape.rope_dim / 2;
        const bool biased = shape.q_rank > 0;
        const std::vector<float> host_rows = normal(int64_t{kTokens} * width, 3.0f), host_bias = normal(width), host_q_norm = normal(shape.q_rank), host_kv_norm = normal(shape.kv_rank),
                                 host_q = normal(int64_t{kTokens} * heads * dim), angles = normal(int64_t{kTokens} * shape.rope_dim), long_angles = normal(int64_t{kTokens} * shape.rope_dim);
        const auto rows = on_device(host_rows), bias = on_device(host_bias), q_norm = on_device(host_q_norm), kv_norm = on_device(host_kv_norm), q = on_device(host_q), table = on_device(angles),
                   long_table = on_device(long_angles);
        const std::vector<int32_t> host_positions{2, 0, 1}, host_slots{5, -1, 6};
        const std::vector<uint8_t> host_long{0, 0, 1};
        const auto positions = on_device(host_positions), slots = on_device(host_slots);
        const auto long_context = on_device(host_long);
        const LatentRows from{rows.data(), biased ? bias.data() : nullptr, shape, q_width, kTokens};
        const LatentRope rope{table.data(), long_table.data(), long_context.data(), positions.data(), interleaved};
        const auto number = [&](int64_t token, int64_t column) {
          return double{host_rows[static_cast<size_t>(token * width + column)]} + (biased ? host_bias[static_cast<size_t>(column)] : 0.0f);
        };
        // Component i of what `of` gives, rotated as the token's position wants it.
        const auto rotated = [&](int64_t token, int64_t i, auto of) {
          const int64_t pair = interleaved ? i / 2 : i % half, first = interleaved ? 2 * pair : pair, second = interleaved ? first + 1 : first + half;
          const std::vector<float>& with = host_long[static_cast<size_t>(token)] != 0 ? long_angles : angles;
          const auto at = static_cast<size_t>(host_positions[static_cast<size_t>(token)] * shape.rope_dim);
          const double cosine = with[at + static_cast<size_t>(pair)], sine = with[at + static_cast<size_t>(half + pair)];
          return i == first ? of(first) * cosine - of(second) * sine : of(second) * cosine + of(first) * sine;
        };
        const auto normed = [&](int64_t token, int64_t begin, int64_t count, const std::vector<float>& norm, int64_t i) {
          double squares = 0;
          for (int64_t j = 0; j < count; ++j) squares += number(token, begin + j) * number(token, begin + j);
          return number(token, begin + i) / std::sqrt(squares / static_cast<double>(count) + kLatentNormEps) * norm[static_cast<size_t>(i)];
        };

        const auto of_q = poisoned_rows(type, kTokens, std::max(shape.q_rank, 1)), cached = poisoned_rows(type, 2 * kBlockSize, shape.kv_a_width());
        norm_latents(nullptr, {from, rope, q_norm.data(), kv_norm.data(), of_q.data(), slots.data(), {type, cached.data(), 1, kBlockSize, shape.kv_a_width(), shape.kv_rank}});
        if (shape.q_rank > 0)
          check_rows(type, from_device(of_q), kTokens, shape.q_rank, "latent of queries", [&](int64_t token, int64_t i) { return normed(token, 0, shape.q_rank, host_q_norm, i); });
        const std::vector<std::byte> stored = from_device(cached);
        const int64_t columns = padded(shape.kv_a_width());
        for (int64_t slot = 0; slot < 2 * kBlockSize; ++slot)
          for (int64_t i = 0; i < columns; ++i) {
            const auto token = std::find(host_slots.begin(), host_slots.end(), slot) - host_slots.begin();
            const double found = number_from(stored.data() + static_cast<size_t>(slot * columns + i) * number_bytes(type), type);
            if (token == kTokens) {
              CHECK(i >= shape.kv_a_width() || std::isnan(found), "slot ", slot, " is nobody's and was written");
              continue;
            }
            const double expected = i < shape.kv_rank ? normed(token, q_width, shape.kv_rank, host_kv_norm, i)
                                    : i < shape.kv_a_width() ? rotated(token, i - shape.kv_rank, [&](int64_t c) { return number(token, q_width + shape.kv_rank + c); }) : 0.0;
            check_near(found, expected, rounding(type) * std::abs(expected) + 2e-5, "row of the cache", token, i);
          }

        // The last token has an adapter whose DoRA scales what the second head's unrotated part is.
        const auto query = [&](int64_t token, int64_t head, int64_t i) {
          return shape.q_rank > 0 ? double{host_q[static_cast<size_t>((token * heads + head) * dim + i)]} : number(token, head * dim + i);
        };
        const std::vector<float> host_scales = normal(shape.nope_dim);
        const auto scales = on_device(host_scales);
        std::vector<LoraFactor> host_factors(static_cast<size_t>(2 * heads * kFactorsPerHead));  // of two layers
        host_factors[static_cast<size_t>((heads + 1) * kFactorsPerHead)].input_factors = scales.data();
        const auto factors = on_device(host_factors);
        const auto factors_of_token = on_device(std::vector<const LoraFactor*>{nullptr, nullptr, factors.data()});
        const LatentQueries queries{from, rope, type, shape.q_rank > 0 ? q.data() : nullptr, heads};
        const auto unrotated = poisoned_rows(type, int64_t{heads} * kTokens, shape.nope_dim);
        part_queries(nullptr, queries, factors_of_token.data(), heads * kFactorsPerHead, unrotated.data());
        check_rows(type, from_device(unrotated), int64_t{heads} * kTokens, shape.nope_dim, "unrotated", [&](int64_t row, int64_t i) {
          return query(row % kTokens, row / kTokens, i) * (row == kTokens + 2 ? host_scales[static_cast<size_t>(i)] : 1.0f);
        });

        const std::vector<float> host_absorbed = normal(int64_t{heads} * kTokens * shape.kv_rank);
        const auto absorbed = on_device(host_absorbed);
        const auto placed = poisoned_rows(type, int64_t{kTokens} * heads, columns);
        place_queries(nullptr, queries, absorbed.data(), {0.5f, 0.25f, 2}, placed.data());
        check_rows(type, from_device(placed), int64_t{kTokens} * heads, columns, "queries", [&](int64_t row, int64_t i) {
          const int64_t token = row / heads, head = row % heads;
          const double factor = 0.5 * (1 + 0.25 * std::log1p(host_positions[static_cast<size_t>(token)] / 2));
          if (i >= shape.kv_a_width()) return 0.0;
          return factor * (i < shape.kv_rank ? double{host_absorbed[static_cast<size_t>((head * kTokens + token) * shape.kv_rank + i)]}
                                             : rotated(token, i - shape.kv_rank, [&](int64_t c) { return query(token, head, shape.nope_dim + c); }));
        });

        const std::vector<float> host_values = normal(int64_t{heads} * kTokens * shape.value_dim);
        const auto values = on_device(host_values);
        const auto joined = poisoned_rows(type, kTokens, int64_t{heads} * shape.value_dim);
        join_heads(nullptr, type, values.data(), kTokens, heads, shape.value_dim, joined.data());
        check_rows(type, from_device(joined), kTokens, int64_t{heads} * shape.value_dim, "joined", [&](int64_t token, int64_t column) {
          return double{host_values[static_cast<size_t>((column / shape.value_dim * kTokens + token) * shape.value_dim + column % shape.value_dim)]};
        });
      }
}

TEST("layers: rows of heads in tiles, with their factors") {
  constexpr int32_t kHeads = 5;
  for (const int32_t tokens : {1, 3, 8, 9, 300})
    for (const int32_t tile_rows : {8, 32}) {
      Routing heads;
      heads.tokens = tokens;
      heads.experts = heads.per_token = kHeads;
      heads.tile_rows = tile_rows;
      const auto totals = poisoned<int32_t>(2);
      const auto tiles = poisoned<ExpertTile>(static_cast<size_t>(heads.tiles_max()));
      const DeviceArray<LoraFactor> factors(static_cast<size_t>(kHeads * kFactorsPerHead));
      std::vector<const LoraFactor*> host_factors(static_cast<size_t>(tokens));
      for (int32_t token = 1; token < tokens; token += 2) host_factors[static_cast<size_t>(token)] = factors.data();
      const auto of_token = on_device(host_factors);
      const DeviceArray<const LoraFactor*> of_row(static_cast<size_t>(tokens * kHeads));
      heads.totals = totals.data();
      heads.tiles = tiles.data();
      plan_heads(nullptr, heads, of_token.data(), of_row.data());
      const std::vector<const LoraFactor*> found = from_device(of_row);
      for (int32_t row = 0; row < tokens * kHeads; ++row)
        CHECK(found[static_cast<size_t>(row)] == (row % tokens % 2 == 1 ? factors.data() + row / tokens * kFactorsPerHead : nullptr), "factors of row ", row, " of ", tokens, " tokens");
      const std::vector<ExpertTile> in_order = from_device(tiles);
      int32_t row = 0, tile = 0;
      for (; row < tokens * kHeads; ++tile) {
        const ExpertTile& one = in_order[static_cast<size_t>(tile)];
        CHECK(one.expert == row / tokens && one.row_begin == row && one.row_count == std::min(tile_rows, tokens - row % tokens), "tile ", tile, " of ", tokens, " tokens");
        row += one.row_count;
      }
      CHECK(from_device(totals)[1] == tile && tile <= heads.tiles_max(), tile, " tiles of ", tokens, " tokens");
    }
}

TEST("layers: without a norm the sum is written as it is") {
  for (const Number type : kTypes)
    for (const int32_t width : {8, 37, 4096, 16384})
      for (const int parts : {0, 1, 5, 7}) {
        NormOnDevice given({type, width, (parts & 1) != 0, (parts & 2) != 0, (parts & 4) != 0}, 2);
        given.work.norm = nullptr;
        if (parts == 1) given.work.exact = nullptr;
        add_and_norm(nullptr, given.work);
        given.check();
      }
}

TEST("layers: queries and keys of all heads are normed together, values only get their bias") {
  constexpr int32_t kTokens = 3;
  for (const auto& [q_width, kv_width] : {std::pair{24, 8}, {37, 37}, {4096, 1024}, {256, 2}})
    for (const bool biased : {false, true}) {
      const int32_t row_width = q_width + 2 * kv_width;
      const std::vector<float> host = normal(int64_t{kTokens} * row_width, 2.0f), host_bias = normal(row_width), q_norm = normal(q_width), k_norm = normal(kv_width);
      const auto rows = on_device(host), bias = on_device(host_bias), q = on_device(q_norm), k = on_device(k_norm);
      norm_queries_and_keys(nullptr, {biased ? bias.data() : nullptr, q.data(), k.data(), 1e-5f, kTokens, q_width, kv_width, rows.data()});
      const std::vector<float> found = from_device(rows);
      for (int32_t token = 0; token < kTokens; ++token) {
        const auto input = [&](int32_t i) { return double{host[static_cast<size_t>(token * row_width + i)]} + (biased ? host_bias[static_cast<size_t>(i)] : 0.0f); };
        const auto factor = [&](int32_t begin, int32_t width) {
          double squares = 0;
          for (int32_t i = begin; i < begin + width; ++i) squares += input(i) * input(i);
          return 1 / std::sqrt(squares / width + 1e-5);
        };
        const double of_q = factor(0, q_width), of_k = factor(q_width, kv_width);
        for (int32_t i = 0; i < row_width; ++i) {
          const double expected = i < q_width ? input(i) * of_q * q_norm[static_cast<size_t>(i)]
                                  : i < q_width + kv_width ? input(i) * of_k * k_norm[static_cast<size_t>(i - q_width)] : input(i);
          check_near(found[static_cast<size_t>(token * row_width + i)], expected, 2e-5, "queries and keys", token, i);
        }
      }
    }
}

TEST("layers: longer rows than a block holds are refused") {
  NormOnDevice given({Number::f32, 16385, true, false, false}, 1);
  CHECK_THROWS(add_and_norm(nullptr, given.work), Error, "expected at most 16384");
}

TEST("layers: one NaN in what is added makes the whole row NaN, no other row and no padding") {
  for (const Number type : kTypes)
    for (const int32_t width : {37, 100}) {
      NormOnDevice given({type, width, true, false, true}, 3);
      given.host_delta[static_cast<size_t>(width) + 5] = kNan;
      given.delta = on_device(given.host_delta);
      given.work.delta = given.delta.data();
      add_and_norm(nullptr, given.work);
      const std::vector<std::byte> normed = from_device(given.normed);
      for (int64_t i = 0; i < 3 * padded(width); ++i) {
        const double found = number_from(normed.data() + i * static_cast<int64_t>(number_bytes(type)), type);
        CHECK_EQUAL(std::isnan(found), i / padded(width) == 1 && i % padded(width) < width);
      }
    }
}

void check_alone_and_recorded(bool centered) {
  NormOnDevice given({Number::bf16, 1000, true, true, true, centered}, 4);
  const std::vector<float> before = given.host_residual;
  const Stream stream;
  const Graph graph = Graph::record(stream, [&] { add_and_norm(stream, given.work); });
  graph.launch(stream);
  stream.synchronize();
  given.check();
  const std::vector<std::byte> together = from_device(given.normed);
  for (int64_t token = 0; token < 4; ++token) {
    const auto residual = on_device(std::vector<float>(before.begin() + token * 1000, before.begin() + (token + 1) * 1000));
    const auto normed = poisoned_rows(Number::bf16, 1, 1000);
    AddAndNorm work = given.work;
    work.tokens = 1;
    work.delta += token * 1000;
    work.residual = residual.data();
    work.normed = normed.data();
    add_and_norm(nullptr, work);
    CHECK(std::memcmp(from_device(normed).data(), together.data() + token * 1008 * 2, 1008 * 2) == 0, "token ", token);
  }
}

TEST("layers: a normed row has the same bits alone; a graph repeats what was recorded") {
  check_alone_and_recorded(false);
  check_alone_and_recorded(true);
}

constexpr float kSharpness = 1.702f, kLimit = 7.0f;

constexpr Xielu kXielu{0.75f, 1.125f, 0.5f};

double activated(Activation activation, double x) {
  if (activation == Activation::silu) return x / (1 + std::exp(-x));
  if (activation == Activation::xielu) return (x > 0 ? double{kXielu.positive} * x * x : double{kXielu.negative} * (std::expm1(x) - x)) + double{kXielu.beta} * x;
  if (activation == Activation::relu2) return x < 0 ? 0 : x * x;
  if (activation == Activation::clamped_silu) return std::min(x, double{kLimit}) / (1 + std::exp(-kSharpness * std::min(x, double{kLimit})));
  return x / 2 * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

TEST("layers: gated activations, with and without bias") {
  for (const Number type : kTypes)
    for (const Activation activation : {Activation::silu, Activation::gelu_tanh, Activation::clamped_silu})
      for (const int32_t width : {4, 36, 37, 100, 1030, 2752})
        for (const bool biased : {false, true}) {
          const int32_t tokens = 3;
          std::vector<float> host_rows = normal(int64_t{tokens} * 2 * width, 4.0f);
          host_rows[0] = 60, host_rows[1] = -60, host_rows[2] = -3e3f, host_rows[3] = 3e3f;
          for (int i = 0; i < 4; ++i) host_rows[static_cast<size_t>(width + i)] = 1;
          const std::vector<float> host_bias = normal(2 * width);
          const auto rows = on_device(host_rows), bias = on_device(host_bias);
          const auto out = poisoned_rows(type, tokens, width);
          gated_activation(nullptr, {type, activation, kSharpness, kLimit, rows.data(), biased ? bias.data() : nullptr, nullptr, tokens, width, out.data()});
          check_rows(type, from_device(out), tokens, width, "activation", [&](int64_t token, int64_t i) {
            const auto input = [&](int64_t column) {
              return double{host_rows[static_cast<size_t>(token * 2 * width + column)]} + (biased ? host_bias[static_cast<size_t>(column)] : 0.0f);
            };
            const double up = input(width + i);
            return activated(activation, input(i)) * (activation == Activation::clamped_silu ? std::clamp(up, -double{kLimit}, double{kLimit}) + 1 : up);
          });
        }
}

TEST("layers: gated activations whose other halves lie elsewhere") {
  for (const Number type : kTypes)
    for (const auto& [width, stride] : {std::pair{36, 72}, {37, 111}, {8, 30}}) {
      const std::vector<float> gates = normal(int64_t{3} * width, 4.0f), ups = normal(int64_t{3} * stride);
      const auto gate = on_device(gates), up = on_device(ups);
      const auto out = poisoned_rows(type, 3, width);
      GatedActivation work{type, Activation::gelu_tanh, 1, 0, gate.data(), nullptr, nullptr, 3, width, out.data()};
      work.up = up.data();
      work.up_stride = stride;
      gated_activation(nullptr, work);
      check_rows(type, from_device(out), 3, width, "activation",
                 [&](int64_t token, int64_t i) { return activated(Activation::gelu_tanh, gates[static_cast<size_t>(token * width + i)]) * ups[static_cast<size_t>(token * stride + i)]; });
    }
}

TEST("layers: activations without a gate, with and without bias") {
  for (const Number type : kTypes)
    for (const Activation activation : {Activation::gelu_tanh, Activation::relu2, Activation::xielu})
      for (const int32_t width : {4, 37, 1030})
        for (const bool biased : {false, true}) {
          const int32_t tokens = 3;
          std::vector<float> host_rows = normal(int64_t{tokens} * width, 4.0f);
          host_rows[0] = 60, host_rows[1] = -60, host_rows[2] = -3e3f;
          const std::vector<float> host_bias = normal(width);
          const auto rows = on_device(host_rows), bias = on_device(host_bias);
          const auto out = poisoned_rows(type, tokens, width);
          GatedActivation work{type, activation, 1, 0, rows.data(), biased ? bias.data() : nullptr, nullptr, tokens, width, out.data(), false};
          work.xielu = kXielu;
          gated_activation(nullptr, work);
          check_rows(type, from_device(out), tokens, width, "activation", [&](int64_t token, int64_t i) {
            return activated(activation, double{host_rows[static_cast<size_t>(token * width + i)]} + (biased ? host_bias[static_cast<size_t>(i)] : 0.0f));
          });
        }
  const auto rows = on_device(std::vector<float>{kNan, std::numeric_limits<float>::infinity(), 1, -1});
  const auto out = poisoned_rows(Number::f32, 1, 4);
  gated_activation(nullptr, {Number::f32, Activation::relu2, 1, 0, rows.data(), nullptr, nullptr, 1, 4, out.data(), false});
  const std::vector<std::byte> found = from_device(out);
  CHECK(std::isnan(number_from(found.data(), Number::f32)) && std::isinf(number_from(found.data() + 4, Number::f32)));
}

TEST("layers: gated activations whose rows have biases of their own") {
  for (const int32_t width : {36, 37, 1030}) {
    const std::vector<int32_t> bias_of_row{2, 0, 2, 1};
    const std::vector<float> host_rows = normal(int64_t{4} * 2 * width, 4.0f), host_biases = normal(int64_t{3} * 2 * width);
    const auto rows = on_device(host_rows), biases = on_device(host_biases);
    const auto of_row = on_device(bias_of_row);
    const auto out = poisoned_rows(Number::f32, 4, width);
    gated_activation(nullptr, {Number::f32, Activation::clamped_silu, kSharpness, kLimit, rows.data(), biases.data(), of_row.data(), 4, width, out.data()});
    check_rows(Number::f32, from_device(out), 4, width, "activation", [&](int64_t token, int64_t i) {
      const auto input = [&](int64_t column) {
        return double{host_rows[static_cast<size_t>(token * 2 * width + column)]} + host_biases[static_cast<size_t>(bias_of_row[static_cast<size_t>(token)] * 2 * width + column)];
      };
      return activated(Activation::clamped_silu, input(i)) * (std::clamp(input(width + i), -double{kLimit}, double{kLimit}) + 1);
    });
  }
}

TEST("layers: gated activations whose rows are multiplied first") {
  for (const int32_t width : {36, 37}) {
    const std::vector<float> host_rows = normal(int64_t{3} * 2 * width, 4.0f), scales{0.25f, 0.0f, 1.5f};
    const auto rows = on_device(host_rows), of_row = on_device(scales);
    const auto out = poisoned_rows(Number::f32, 3, width);
    GatedActivation work{Number::f32, Activation::silu, 1, 0, rows.data(), nullptr, nullptr, 3, width, out.data()};
    work.row_scales = of_row.data();
    gated_activation(nullptr, work);
    check_rows(Number::f32, from_device(out), 3, width, "activation", [&](int64_t token, int64_t i) {
      const auto input = [&](int64_t column) { return double{scales[static_cast<size_t>(token)]} * host_rows[static_cast<size_t>(token * 2 * width + column)]; };
      return activated(Activation::silu, input(i)) * input(width + i);
    });
  }
}

TEST("layers: gates without numbers and without end show in what they gate") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Activation activation : {Activation::silu, Activation::gelu_tanh, Activation::clamped_silu}) {
    const auto rows = on_device(std::vector<float>{kNan, kInfinity, -kInfinity, 1, 1, 1, 1, kNan});
    const auto out = poisoned_rows(Number::f32, 1, 4);
    gated_activation(nullptr, {Number::f32, activation, kSharpness, kLimit, rows.data(), nullptr, nullptr, 1, 4, out.data()});
    const std::vector<std::byte> found = from_device(out);
    CHECK(std::isnan(number_from(found.data(), Number::f32)));
    if (activation != Activation::clamped_silu) CHECK_EQUAL(number_from(found.data() + 4, Number::f32), double{kInfinity});
    CHECK_EQUAL(number_from(found.data() + 8, Number::f32), double{-kInfinity});  // as the CPU's
    CHECK(std::isnan(number_from(found.data() + 12, Number::f32)));
  }
}

TEST("layers: rows are gathered with their padding") {
  for (const Number type : kTypes)
    for (const int32_t width : {8, 100, 4100}) {
      const std::vector<float> values = normal(int64_t{7} * width);
      const std::vector<std::byte> host_rows = rows_of(type, values, width, padded(width));
      const std::vector<int32_t> wanted = {6, 0, 3, 3};
      const auto in = on_device(host_rows);
      const auto rows = on_device(wanted);
      const size_t bytes = static_cast<size_t>(padded(width)) * number_bytes(type);
      const auto out = poisoned<std::byte>((wanted.size() + 1) * bytes);
      gather_rows(nullptr, type, in.data(), rows.data(), static_cast<int32_t>(wanted.size()), width, out.data());
      const std::vector<std::byte> found = from_device(out);
      for (size_t i = 0; i < wanted.size(); ++i)
        CHECK(std::memcmp(found.data() + i * bytes, host_rows.data() + static_cast<size_t>(wanted[i]) * bytes, bytes) == 0, "row ", i);
      for (size_t i = wanted.size() * bytes; i < found.size(); ++i) CHECK(found[i] == std::byte{0xFF});
    }
}

TEST("layers: logits are capped in place, NaN stays") {
  for (const int64_t count : {1, 5, 1024, 10003})
    for (const int64_t offset : {0, 1}) {
      std::vector<float> host = normal(offset + count + 3, 40.0f);
      host[static_cast<size_t>(offset)] = kNan;
      if (count > 4) host[static_cast<size_t>(offset) + 1] = std::numeric_limits<float>::infinity();
      const auto logits = on_device(host);
      softcap_logits(nullptr, logits.data() + offset, count, 30.0f);
      const std::vector<float> found = from_device(logits);
      for (int64_t i = 0; i < static_cast<int64_t>(host.size()); ++i) {
        const double x = host[static_cast<size_t>(i)];
        if (std::isnan(x)) CHECK(std::isnan(found[static_cast<size_t>(i)]));
        else if (i < offset || i >= offset + count) CHECK_EQUAL(double{found[static_cast<size_t>(i)]}, x);
        else check_near(found[static_cast<size_t>(i)], 30 * std::tanh(x / 30), 1e-5, "logit", 0, i);
      }
    }
}

TEST("layers: a bias is added to each row, wherever it begins") {
  for (const int32_t width : {1, 7, 8, 1000, 1027})
    for (const int64_t offset : {0, 1}) {
      const std::vector<float> host = normal(offset + 3 * width), host_bias = normal(width);
      const auto rows = on_device(host), bias = on_device(host_bias);
      add_bias(nullptr, bias.data(), 3, width, rows.data() + offset);
      const std::vector<float> found = from_device(rows);
      for (size_t i = 0; i < host.size(); ++i) {
        const int64_t at = static_cast<int64_t>(i) - offset;
        CHECK_EQUAL(found[i], at < 0 ? host[i] : host[i] + host_bias[static_cast<size_t>(at % width)]);
      }
    }
}

TEST("layers: nothing to do is nothing started") {
  add_bias(nullptr, nullptr, 0, 100, nullptr);
  embed(nullptr, {});
  add_and_norm(nullptr, {});
  gated_activation(nullptr, {});
  norm_queries_and_keys(nullptr, {});
  gather_rows(nullptr, Number::bf16, nullptr, nullptr, 0, 100, nullptr);
  softcap_logits(nullptr, nullptr, 0, 30.0f);
}

}  // namespace
}  // namespace sgmv::test
