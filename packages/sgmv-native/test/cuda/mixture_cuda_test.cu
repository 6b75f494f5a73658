// Mixtures of experts: routing, sorting, gathering, products of all experts and their sum against plain loops in float64.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "cuda/device_test.h"
#include "cuda/stream.h"
#include "formats/dtype.h"
#include "ops/mixture_cuda.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

struct Case {
  int32_t tokens, experts, per_token;
  bool normalized = false, shared = false;
};

// A routing with room for its case, all of it NaN and -1 before, and one number more behind each array.
struct RoutingOnDevice {
  explicit RoutingOnDevice(const Case& c, int32_t tile_rows = 8) {
    routing.tokens = c.tokens, routing.experts = c.experts, routing.per_token = c.per_token;
    routing.normalized = c.normalized, routing.shared = routing.shared_gate = c.shared;
    routing.tile_rows = tile_rows;
    const auto numbers = [](auto& array, auto*& pointer, int64_t count) {
      array = poisoned<std::remove_pointer_t<std::remove_reference_t<decltype(pointer)>>>(static_cast<size_t>(count) + 1);
      pointer = array.data();
    };
    numbers(scores, routing.scores, int64_t{c.tokens} * routing.rated());
    numbers(chosen, routing.chosen, routing.rows());
    numbers(weights, routing.weights, routing.rows());
    numbers(shared_weights, routing.shared_weights, c.tokens);
    numbers(counts, routing.counts, c.experts);
    numbers(row_of_choice, routing.row_of_choice, routing.rows());
    numbers(choice_of_row, routing.choice_of_row, routing.rows());
    numbers(expert_of_row, routing.expert_of_row, routing.rows());
    numbers(totals, routing.totals, 2);
    numbers(tiles, routing.tiles, routing.tiles_max());
  }

  void set_scores(std::vector<float> values) {
    values.push_back(kNan);
    scores = on_device(values);
    routing.scores = scores.data();
  }

  // As choose_experts() would leave it: choices [tokens, per_token].
  void set_chosen(std::vector<int32_t> values) {
    values.push_back(-1);
    chosen = on_device(values);
    routing.chosen = chosen.data();
    sort_expert_rows(nullptr, routing);
  }

  Routing routing;
  DeviceArray<float> scores, weights, shared_weights;
  DeviceArray<int32_t> chosen, counts, row_of_choice, choice_of_row, expert_of_row, totals;
  DeviceArray<ExpertTile> tiles;
};

bool is_poison(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits == 0xFFFF'FFFFu;
}

// By the definition: the highest first, of equal ones the lower number, what is no number last; then by number.
std::vector<int32_t> highest(const float* scores, int32_t experts, int32_t count) {
  std::vector<int32_t> order(static_cast<size_t>(experts));
  for (int32_t i = 0; i < experts; ++i) order[static_cast<size_t>(i)] = i;
  const auto value = [&](int32_t expert) { return std::isnan(scores[expert]) ? -kInfinity : scores[expert]; };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return value(a) > value(b); });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

// `before`: the scores without these biases, or empty.
void check_choices(const Case& c, const std::vector<float>& scores, const std::vector<int32_t>& slots, const std::vector<float>& before = {}, const std::vector<float>& biases = {}) {
  RoutingOnDevice on(c);
  const auto on_biases = on_device(biases);
  on.routing.biases = biases.empty() ? nullptr : on_biases.data();
  on.set_scores(before.empty() ? scores : before);
  const auto on_slots = on_device(slots);
  settle();
  choose_experts(nullptr, on.routing, on_slots.data());
  const std::vector<int32_t> chosen = from_device(on.chosen);
  const std::vector<float> weights = from_device(on.weights), shared = from_device(on.shared_weights);
  CHECK(chosen.back() == -1 && is_poison(weights.back()) && is_poison(shared.back()));
  for (int32_t token = 0; token < c.tokens; ++token) {
    const float* own = scores.data() + token * on.routing.rated();
    const std::vector<int32_t> expected = highest(own, c.experts, c.per_token);
    const auto at = [&](int32_t i) { return static_cast<size_t>(token * c.per_token + i); };
    if (slots[static_cast<size_t>(token)] < 0) {
      for (int32_t i = 0; i < c.per_token; ++i) CHECK_EQUAL(chosen[at(i)], -1);
      if (c.shared) CHECK_EQUAL(shared[static_cast<size_t>(token)], 0.0f);
      continue;
    }
    double largest = -kInfinity, sum = 0;
    for (int32_t i = 0; i < c.experts; ++i) largest = std::max<double>(largest, own[i]);
    for (int32_t i = 0; i < c.experts; ++i)
      if (!c.normalized || std::find(expected.begin(), expected.end(), i) != expected.end()) sum += std::exp(own[i] - largest);
    for (int32_t i = 0; i < c.per_token; ++i) {
      const int32_t expert = expected[static_cast<size_t>(i)];
      CHECK(chosen[at(i)] == expert, "token ", token, " of ", c.tokens, ": choice ", i, " of ", c.per_token, " among ", c.experts, " is ", chosen[at(i)], ", expected ", expert);
      const double weight = std::exp(own[expert] - largest) / sum;
      if (std::isfinite(weight)) CHECK(std::abs(weights[at(i)] - weight) <= 1e-6 + 2e-6 * weight, "weight ", weights[at(i)], ", expected ", weight);
    }
    if (c.shared) CHECK(std::abs(shared[static_cast<size_t>(token)] - 1 / (1 + std::exp(-double{own[c.experts]}))) <= 1e-6);
  }
}

TEST("cuda mixture: the highest scores are chosen, of equal ones the lower numbers") {
  std::mt19937 random(3);
  std::vector<Case> cases{{1, 1, 1}, {5, 7, 3, true}, {33, 60, 4, false, true}, {9, 128, 8, true}, {3, 1024, 8, false}, {4, 6, 6, true, true}, {3, 40, 40}};
  for (int32_t k = 1; k <= 8; ++k) cases.push_back({6, 11, k, k % 2 == 0, k % 3 == 0});
  for (const Case& c : cases)
    for (const bool many_equal : {false, true}) {
      std::vector<float> scores(static_cast<size_t>(c.tokens * (c.experts + (c.shared ? 1 : 0))));
      std::normal_distribution<float> normal(0, 3);
      for (float& score : scores) score = many_equal ? static_cast<float>(random() % 3) - 1.0f : normal(random);
      if (many_equal)
        for (float& score : scores) score = score == 0 && random() % 2 == 0 ? -0.0f : score;
      std::vector<int32_t> slots(static_cast<size_t>(c.tokens));
      for (int32_t t = 0; t < c.tokens; ++t) slots[static_cast<size_t>(t)] = c.tokens > 3 && t % 4 == 3 ? -1 : t;
      check_choices(c, scores, slots);
      std::vector<float> biases(static_cast<size_t>(c.experts + (c.shared ? 1 : 0))), biased = scores;
      for (float& bias : biases) bias = many_equal ? static_cast<float>(random() % 2) : normal(random);
      for (size_t i = 0; i < biased.size(); ++i) biased[i] += biases[i % biases.size()];
      check_choices(c, biased, slots, scores, biases);
    }
}

// By worth, with biases and in groups, by the definition in float64.
TEST("cuda mixture: experts are chosen by what scores are worth, with biases, of the best groups") {
  std::mt19937 random(41);
  std::normal_distribution<float> normal(0.0f, 2.0f);
  struct Router {
    int32_t experts, per_token, groups, groups_per_token;
    bool sigmoid, biased, normalized, shared;
    float scale;
  };
  for (const Router& r : {Router{8, 2, 1, 1, true, true, true, false, 1.0f}, {6, 3, 3, 2, true, true, false, false, 2.5f}, {64, 6, 1, 1, false, true, true, true, 1.0f}, {256, 8, 8, 4, true, true, true, false, 2.5f},
                          {33, 33, 11, 11, true, false, true, false, 1.0f}, {1024, 8, 32, 3, false, true, false, false, 16.0f}, {5, 2, 1, 1, true, false, true, true, 1.0f}}) {
    const Case c{9, r.experts, r.per_token, r.normalized, r.shared};
    RoutingOnDevice on(c);
    std::vector<float> scores(static_cast<size_t>(c.tokens * on.routing.rated())), bias(static_cast<size_t>(r.experts));
    for (float& value : scores) value = normal(random);
    for (float& value : bias) value = 0.2f * normal(random);
    on.set_scores(scores);
    const auto on_bias = on_device(bias);
    on.routing.by_worth = true, on.routing.sigmoid = r.sigmoid, on.routing.groups = r.groups, on.routing.groups_per_token = r.groups_per_token, on.routing.scale = r.scale;
    on.routing.choice_bias = r.biased ? on_bias.data() : nullptr;
    const auto slots = on_device(std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7, -1});
    settle();
    choose_experts(nullptr, on.routing, slots.data());
    const std::vector<int32_t> chosen = from_device(on.chosen);
    const std::vector<float> weights = from_device(on.weights);
    for (int32_t token = 0; token < c.tokens; ++token) {
      const float* own = scores.data() + token * on.routing.rated();
      double all = 0;
      for (int32_t i = 0; i < r.experts; ++i) all += std::exp(double{own[i]});
      const auto worth = [&](int32_t i) { return r.sigmoid ? 1 / (1 + std::exp(-double{own[i]})) : std::exp(double{own[i]}) / all; };
      std::vector<std::pair<double, int32_t>> groups, allowed;
      const int32_t size = r.experts / r.groups;
      const auto preference = [&](int32_t i) { return worth(i) + (r.biased ? double{bias[static_cast<size_t>(i)]} : 0.0); };
      for (int32_t group = 0; group < r.groups; ++group) {
        std::vector<double> its;
        for (int32_t i = 0; i < size; ++i) its.push_back(-preference(group * size + i));
        std::sort(its.begin(), its.end());
        groups.emplace_back(its[0] + its[1], group);
      }
      std::sort(groups.begin(), groups.end());
      for (int32_t g = 0; g < r.groups_per_token; ++g)
        for (int32_t i = 0; i < size; ++i) allowed.emplace_back(-preference(groups[static_cast<size_t>(g)].second * size + i), groups[static_cast<size_t>(g)].second * size + i);
      std::sort(allowed.begin(), allowed.end());
      std::vector<int32_t> expected;
      double sum = 0;
      for (int32_t i = 0; i < r.per_token; ++i) expected.push_back(allowed[static_cast<size_t>(i)].second), sum += worth(expected.back());
      std::sort(expected.begin(), expected.end());
      for (int32_t i = 0; i < r.per_token; ++i) {
        const auto at = static_cast<size_t>(token * r.per_token + i);
        if (token == 8) { CHECK_EQUAL(chosen[at], -1); continue; }
        CHECK(chosen[at] == expected[static_cast<size_t>(i)], "choice ", i, " of token ", token, " among ", r.experts, ": ", chosen[at], ", expected ", expected[static_cast<size_t>(i)]);
        const double weight = worth(chosen[at]) / (r.normalized ? sum : 1.0) * double{r.scale};
        CHECK(std::abs(weights[at] - weight) <= 1e-6 + 5e-6 * weight, "weight ", weights[at], ", expected ", weight);
      }
    }
  }
  const Case c{1, 6, 2};
  RoutingOnDevice on(c);
  on.routing.groups = 4;
  CHECK_THROWS(choose_experts(nullptr, on.routing, nullptr), Error, "groups");
}

TEST("cuda mixture: scores that are no numbers still choose as many experts, each once") {
  const std::vector<std::vector<float>> rows{{kNan, kNan, kNan, kNan, kNan}, {kNan, 1, kNan, -kInfinity, 0}, {-kInfinity, kNan, -kInfinity, kNan, -kInfinity},
                                             {kInfinity, -kInfinity, kInfinity, kNan, 3}, {3e38f, -3e38f, 0, -0.0f, 0}};
  for (int32_t k = 1; k <= 5; ++k) {
    std::vector<float> scores;
    for (const std::vector<float>& row : rows) scores.insert(scores.end(), row.begin(), row.end());
    check_choices({5, 5, k, k % 2 == 0}, scores, {0, 1, 2, 3, 4});
  }
  RoutingOnDevice more({2, 3, 4});
  CHECK_THROWS(choose_experts(nullptr, more.routing, nullptr), Error, "found 4 of 3 experts");
}

TEST("cuda mixture: scores are the products, in float32 and alike in any company") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const auto& [tokens, experts, width] : {std::tuple(1, 4, 24), std::tuple(9, 7, 100), std::tuple(33, 61, 128), std::tuple(4, 5, 1301)}) {
    const int64_t stride = padded(width);
    std::vector<float> x(static_cast<size_t>(tokens * width)), w(static_cast<size_t>((experts + 1) * width));
    for (float& v : x) v = normal(random);
    for (float& v : w) v = normal(random);
    const auto x_rows = on_device(rows_of(Number::f32, x, width, stride)), w_rows = on_device(rows_of(Number::f32, w, width, stride));
    const LinearWeights router{LinearWeights::Format::f32, w_rows.data(), nullptr, experts + 1, width, stride};
    const auto rated = [&](int32_t first, int32_t count) {
      RoutingOnDevice on({count, experts, 1, false, true});
      settle();
      rate_experts(nullptr, on.routing, reinterpret_cast<const float*>(x_rows.data()) + first * stride, router);
      return from_device(on.scores);
    };
    const std::vector<float> all = rated(0, tokens);
    CHECK(is_poison(all.back()));
    for (int32_t t = 0; t < tokens; t += kSanitized ? 5 : 1) {
      const std::vector<float> alone = rated(t, 1);
      for (int32_t e = 0; e <= experts; ++e) {
        double expected = 0, magnitude = 0;
        for (int32_t i = 0; i < width; ++i) {
          const double term = double{x[static_cast<size_t>(t * width + i)]} * w[static_cast<size_t>(e * width + i)];
          expected += term;
          magnitude += std::abs(term);
        }
        const float found = all[static_cast<size_t>(t * (experts + 1) + e)];
        CHECK(std::abs(found - expected) <= 1e-6 * magnitude, "token ", t, ", expert ", e, " of width ", width, " is ", found, ", expected ", expected);
        CHECK(std::memcmp(&found, &alone[static_cast<size_t>(e)], sizeof found) == 0, "token ", t, ", expert ", e, " has other bits alone");
      }
    }
  }
}

// Choices of `per_token` different experts: of all alike, or most of them of few.
std::vector<int32_t> random_choices(const Case& c, bool uneven, std::mt19937& random) {
  std::vector<int32_t> all;
  for (int32_t t = 0; t < c.tokens; ++t) {
    std::vector<int32_t> own;
    while (static_cast<int32_t>(own.size()) < c.per_token) {
      const auto expert = static_cast<int32_t>(random() % static_cast<uint32_t>(uneven && random() % 8 != 0 ? std::min(c.per_token + 1, c.experts) : c.experts));
      if (std::find(own.begin(), own.end(), expert) == own.end()) own.push_back(expert);
    }
    std::sort(own.begin(), own.end());
    if (c.tokens > 3 && t % 5 == 4) std::fill(own.begin(), own.end(), -1);
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

// Where each choice's row is, by the definition.
struct Sorted {
  std::vector<int32_t> counts, choice_of_row;
  Sorted(const Case& c, const std::vector<int32_t>& chosen) : counts(static_cast<size_t>(c.experts)) {
    for (int32_t expert = 0; expert < c.experts; ++expert)
      for (size_t choice = 0; choice < chosen.size(); ++choice)
        if (chosen[choice] == expert) ++counts[static_cast<size_t>(expert)], choice_of_row.push_back(static_cast<int32_t>(choice));
  }
};

const std::vector<Case>& sort_cases() {
  static const std::vector<Case> cases{{1, 1, 1}, {1, 128, 8}, {2, 5, 2}, {11, 7, 3}, {40, 60, 4}, {70, 3, 3}, {300, 33, 2}, {37, 1000, 6}};
  return cases;
}

TEST("cuda mixture: rows are sorted by expert, within one by token, and cut into tiles") {
  std::mt19937 random(7);
  for (const Case& c : sort_cases())
    for (const bool uneven : {false, true})
      for (const int32_t tile_rows : {8, 32, 128}) {
        if (kSanitized && tile_rows != (uneven ? 8 : 128)) continue;
        const std::vector<int32_t> chosen = random_choices(c, uneven, random);
        const Sorted expected(c, chosen);
        RoutingOnDevice on(c, tile_rows);
        on.set_chosen(chosen);
        const std::vector<int32_t> counts = from_device(on.counts), of_row = from_device(on.choice_of_row), row_of = from_device(on.row_of_choice), totals = from_device(on.totals);
        const std::vector<ExpertTile> tiles = from_device(on.tiles);
        CHECK(std::equal(expected.counts.begin(), expected.counts.end(), counts.begin()) && counts.back() == -1);
        CHECK(std::equal(expected.choice_of_row.begin(), expected.choice_of_row.end(), of_row.begin()) && of_row.back() == -1);
        CHECK_EQUAL(totals[0], static_cast<int32_t>(expected.choice_of_row.size()));
        for (int32_t row = 0; row < totals[0]; ++row) CHECK_EQUAL(row_of[static_cast<size_t>(of_row[static_cast<size_t>(row)])], row);
        int32_t tile = 0, row = 0;
        for (int32_t expert = 0; expert < c.experts; ++expert)
          for (int32_t left = counts[static_cast<size_t>(expert)]; left > 0; left -= tile_rows, ++tile) {
            const ExpertTile& found = tiles[static_cast<size_t>(tile)];
            CHECK(found.expert == expert && found.row_begin == row && found.row_count == std::min(left, tile_rows), "tile ", tile);
            row += found.row_count;
          }
        CHECK_EQUAL(totals[1], tile);
        CHECK(tile <= on.routing.tiles_max() && tiles.back().expert == -1, tile, " tiles of ", on.routing.tiles_max());
      }
}

TEST("cuda mixture: a row is its token's, and has the factors of its adapter's expert") {
  std::mt19937 random(11);
  std::vector<LoraFactor> table(3000);
  const auto of_one = on_device(table), of_other = on_device(table);
  for (const Number type : {Number::f32, Number::f16, Number::bf16})
    for (const Case& c : {Case{1, 5, 2}, Case{23, 9, 3}, Case{12, 700, 4}})
      for (const int32_t width : {24, 100, 3000}) {
        if (kSanitized && type != Number::bf16) continue;
        const std::vector<int32_t> chosen = random_choices(c, false, random);
        const Sorted expected(c, chosen);
        RoutingOnDevice on(c);
        on.set_chosen(chosen);
        std::vector<float> values(static_cast<size_t>(c.tokens * width));
        for (float& v : values) v = static_cast<float>(random() % 1000);
        const std::vector<std::byte> x = rows_of(type, values, width, padded(width));
        std::vector<const LoraFactor*> of_token;
        for (int32_t t = 0; t < c.tokens; ++t) of_token.push_back(t % 3 == 0 ? nullptr : t % 3 == 1 ? of_one.data() : of_other.data());
        const auto on_x = on_device(x);
        const auto on_factors = on_device(of_token);
        const size_t row_bytes = static_cast<size_t>(padded(width)) * number_bytes(type);
        auto out = poisoned<std::byte>(static_cast<size_t>(on.routing.rows() + 1) * row_bytes);
        auto factors = poisoned<const LoraFactor*>(static_cast<size_t>(on.routing.rows()));
        gather_expert_rows(nullptr, on.routing, type, on_x.data(), width, out.data(), on_factors.data(), factors.data());
        const std::vector<std::byte> found = from_device(out);
        const std::vector<const LoraFactor*> found_factors = from_device(factors);
        const std::vector<int32_t> experts = from_device(on.expert_of_row);
        CHECK_EQUAL(experts.back(), -1);
        for (size_t row = 0; row <= found_factors.size(); ++row) {
          const bool taken = row < expected.choice_of_row.size();
          const auto choice = taken ? static_cast<size_t>(expected.choice_of_row[row]) : 0, token = choice / static_cast<size_t>(c.per_token);
          for (size_t i = 0; i < row_bytes; ++i) CHECK(found[row * row_bytes + i] == (taken ? x[token * row_bytes + i] : std::byte{0xFF}), "row ", row, " byte ", i);
          if (row == found_factors.size()) continue;
          CHECK_EQUAL(experts[row], taken ? chosen[choice] : 0);
          const LoraFactor* base = taken ? of_token[token] : nullptr;
          CHECK(found_factors[row] == (base == nullptr ? nullptr : base + chosen[choice] * kFactorsPerExpert), "row ", row);
        }
      }
}

struct Kind {
  Number type;
  bool e4m3;
};

// Matrices of all experts but the last, which no token chooses and for which there is no memory, and rows that are multiplied.
struct ExpertProducts {
  ExpertProducts(const Kind& kind_, const Case& c, int64_t out_, int64_t in_, std::mt19937& random)
      : kind(kind_), out(out_), in(in_), x_values(rounded_to(kind.type, normal(int64_t{c.tokens} * c.per_token * in_, random))) {
    const int64_t count = c.experts - 1, stride = padded(in);
    std::vector<float> as_floats(x_values.begin(), x_values.end());
    x = on_device(rows_of(kind.type, as_floats, in, stride));
    if (kind.e4m3) {
      std::vector<std::byte> codes(static_cast<size_t>(count * out * stride));
      std::vector<float> row_scales = normal(count * out, random);
      for (int64_t o = 0; o < count * out; ++o)
        for (int64_t i = 0; i < in; ++i) {
          const auto code = static_cast<uint8_t>(random() % 127 + random() % 2 * 128);
          codes[static_cast<size_t>(o * stride + i)] = std::byte{code};
          w_values.push_back(double{e4m3_to_float(code)} * row_scales[static_cast<size_t>(o)]);
        }
      w = on_device(codes);
      scales = on_device(row_scales);
    } else {
      const std::vector<float> values = normal(count * out * in, random);
      w_values = rounded_to(kind.type, values);
      w = on_device(rows_of(kind.type, values, in, stride));
    }
    const LinearWeights::Format formats[] = {LinearWeights::Format::f32, LinearWeights::Format::f16, LinearWeights::Format::bf16};
    weights = {kind.e4m3 ? LinearWeights::Format::e4m3 : formats[static_cast<int>(kind.type)], w.data(), scales.data(), out, in, stride};
  }

  static std::vector<float> normal(int64_t count, std::mt19937& random) {
    std::normal_distribution<float> draw;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& v : values) v = draw(random);
    return values;
  }

  std::vector<float> of_all(const Routing& routing) const {
    auto y = poisoned<float>(static_cast<size_t>((routing.rows() + 1) * (out + 3)));
    linear_of_experts(nullptr, routing, {kind.type, x.data(), padded(in), routing.rows(), &weights, y.data(), out + 3});
    return from_device(y);
  }

  // One row by linear(), with an expert's matrix.
  std::vector<float> alone(int64_t row, int64_t expert) const {
    LinearWeights own = weights;
    own.data = static_cast<const std::byte*>(weights.data) + expert * out * weights.stride * (kind.e4m3 ? 1 : static_cast<int64_t>(number_bytes(kind.type)));
    if (kind.e4m3) own.scales += expert * out;
    auto y = poisoned<float>(static_cast<size_t>(out));
    linear(nullptr, {kind.type, x.data() + row * padded(in) * static_cast<int64_t>(number_bytes(kind.type)), padded(in), 1, &own, y.data(), out});
    return from_device(y);
  }

  Kind kind;
  int64_t out, in;
  std::vector<double> x_values, w_values;
  DeviceArray<std::byte> x, w;
  DeviceArray<float> scales;
  LinearWeights weights;
};

// Factors of a router and, of one output, of a shared expert's gate; of rank 0: none.
struct RouterAdapter {
  struct Part {
    Part(int32_t rank_, int64_t outputs, int64_t in, bool scaled, std::mt19937& random) : rank(rank_) {
      std::normal_distribution<float> normal;
      for (const auto& [values, count] : {std::pair(&a, rank * in), std::pair(&b, outputs * rank), std::pair(&dora, rank > 0 && scaled ? outputs : 0)})
        for (int64_t i = 0; i < count; ++i) values->push_back(normal(random));
      if (rank == 0) return;
      a_rows = on_device(rows_of(Number::f32, a, in, padded(in)));
      b_rows = on_device(rows_of(Number::f32, b, rank, lora_b_stride(rank)));
      if (scaled) dora_row = on_device(dora);
    }
    LoraFactor factor() const { return rank == 0 ? LoraFactor{} : LoraFactor{a_rows.data(), b_rows.data(), dora.empty() ? nullptr : dora_row.data(), rank, kScale}; }

    int32_t rank;
    std::vector<float> a, b, dora;
    DeviceArray<std::byte> a_rows, b_rows;
    DeviceArray<float> dora_row;
  };
  static constexpr float kScale = 0.7f;

  RouterAdapter(int32_t rank, int32_t shared_rank, bool scaled, const Case& c, int64_t in, std::mt19937& random)
      : parts{Part(rank, c.experts, in, scaled, random), Part(shared_rank, 1, in, scaled, random)},
        factors(on_device(std::vector<LoraFactor>{parts[1].factor(), parts[0].factor(), parts[0].factor(), parts[1].factor()})) {}

  // What becomes of an output's score, and how large its terms are.
  std::pair<double, double> adapted(float score, const Case& c, int32_t output, const float* x, int64_t in) const {
    const Part& part = parts[output == c.experts];
    const size_t row = static_cast<size_t>(output == c.experts ? 0 : output), width = static_cast<size_t>(in), rank = static_cast<size_t>(part.rank);
    if (rank == 0) return {score, 0};
    double sum = score, magnitude = std::abs(score);
    for (size_t r = 0; r < rank; ++r)
      for (size_t i = 0; i < width; ++i) {
        const double term = double{kScale} * part.b[row * rank + r] * part.a[r * width + i] * x[i];
        sum += term;
        magnitude += std::abs(term);
      }
    const double factor = part.dora.empty() ? 1.0 : part.dora[row];
    return {sum * factor, magnitude * std::abs(factor)};
  }

  Part parts[2];
  DeviceArray<LoraFactor> factors;  // of two layers
};

TEST("cuda mixture: an adapter of a router changes the scores of its tokens, in float32 and alike in any company") {
  std::mt19937 random(23);
  for (const auto& [c, width] : {std::pair(Case{1, 4, 1, false, true}, 24), std::pair(Case{11, 7, 2}, 100), std::pair(Case{15, 61, 4, true, true}, 128), std::pair(Case{8, 300, 4, true, true}, 1301)}) {
    std::vector<RouterAdapter> adapters;
    for (const auto& [rank, shared_rank, scaled] : {std::tuple(3, 64, true), std::tuple(1, 0, false), std::tuple(64, 5, false), std::tuple(0, 2, true), std::tuple(17, 16, true), std::tuple(256, 1, false)})
      adapters.emplace_back(rank, c.shared ? shared_rank : 0, scaled, c, width, random);
    const int64_t stride = padded(width), rated = c.experts + (c.shared ? 1 : 0);
    const std::vector<float> x = ExpertProducts::normal(int64_t{c.tokens} * width, random), scores = ExpertProducts::normal(c.tokens * rated, random);
    const auto x_rows = on_device(rows_of(Number::f32, x, width, stride));
    const auto adapter_of = [&](int32_t token) { return token % 7 == 6 ? nullptr : &adapters[static_cast<size_t>(token % 7)]; };
    const auto adapted = [&](int32_t first, int32_t count) {
      Case some = c;
      some.tokens = count;
      RoutingOnDevice on(some);
      on.set_scores({scores.begin() + first * rated, scores.begin() + (first + count) * rated});
      std::vector<const LoraFactor*> of_token;
      for (int32_t t = first; t < first + count; ++t) of_token.push_back(adapter_of(t) == nullptr ? nullptr : adapter_of(t)->factors.data());
      const auto factors = on_device(of_token);
      settle();
      adapt_scores(nullptr, on.routing, reinterpret_cast<const float*>(x_rows.data()) + first * stride, width, factors.data(), 1);
      return from_device(on.scores);
    };
    const std::vector<float> all = adapted(0, c.tokens);
    CHECK(std::isnan(all.back()));
    for (int32_t t = 0; t < c.tokens; ++t) {
      const std::vector<float> alone = adapted(t, 1);
      for (int32_t e = 0; e < rated; ++e) {
        const auto at = static_cast<size_t>(t * rated + e);
        const auto [expected, magnitude] = adapter_of(t) == nullptr ? std::pair<double, double>(scores[at], 0) : adapter_of(t)->adapted(scores[at], c, e, x.data() + int64_t{t} * width, width);
        CHECK(std::abs(all[at] - expected) <= 1e-6 * magnitude, "token ", t, ", output ", e, " of width ", width, " is ", all[at], ", expected ", expected);
        CHECK(std::memcmp(&all[at], &alone[static_cast<size_t>(e)], sizeof(float)) == 0, "token ", t, ", output ", e, " has other bits alone");
      }
    }
  }
}

void check_products(const Kind& kind, const Case& c, bool uneven, int64_t out, int64_t in, std::mt19937& random) {
  Case without_last = c;
  --without_last.experts;
  const std::vector<int32_t> chosen = random_choices(without_last, uneven, random);
  const Sorted sorted(c, chosen);
  const ExpertProducts products(kind, c, out, in, random);
  for (const int32_t tile_rows : {8, 32, 128}) {
    if (kind.type == Number::f32 && tile_rows != expert_tile_rows(kind.type, 1, c.experts)) continue;
    RoutingOnDevice on(c, tile_rows);
    on.set_chosen(chosen);
    const std::vector<float> found = products.of_all(on.routing);
    for (size_t row = 0; row <= static_cast<size_t>(on.routing.rows()); ++row) {
      const bool taken = row < sorted.choice_of_row.size();
      const int64_t expert = taken ? chosen[static_cast<size_t>(sorted.choice_of_row[row])] : 0;
      const float* own = found.data() + row * static_cast<size_t>(out + 3);
      for (int64_t o = 0; o < out + 3; ++o) {
        if (!taken || o >= out) {
          CHECK(is_poison(own[o]), "row ", row, " of ", sorted.choice_of_row.size(), ": wrote to output ", o, " of ", out);
          continue;
        }
        double expected = 0, magnitude = 0;
        for (int64_t i = 0; i < in; ++i) {
          const double term = products.x_values[row * static_cast<size_t>(in) + static_cast<size_t>(i)] * products.w_values[static_cast<size_t>((expert * out + o) * in + i)];
          expected += term;
          magnitude += std::abs(term);
        }
        CHECK(std::abs(own[o] - expected) <= 2e-6 * magnitude, "row ", row, ", expert ", expert, ", output ", o, " is ", own[o], ", expected ", expected);
      }
      if (taken && row % 3 == 0)
        CHECK(std::memcmp(own, products.alone(static_cast<int64_t>(row), expert).data(), static_cast<size_t>(out) * sizeof(float)) == 0, "row ", row, " has other bits than linear()'s");
    }
  }
}

TEST("cuda mixture: products of all experts, uneven and empty ones, have the bits of linear() in every tile") {
  std::mt19937 random(13);
  for (const Kind& kind : {Kind{Number::bf16, false}, Kind{Number::f32, false}, Kind{Number::f16, false}, Kind{Number::f16, true}, Kind{Number::bf16, true}}) {
    check_products(kind, {1, 9, 3}, false, 40, 24, random);
    check_products(kind, {11, 7, 2}, true, 72, 100, random);
    if (kSanitized) continue;
    check_products(kind, {90, 4, 2}, true, 130, 165, random);  // more than one tile of an expert, of 128 rows too
    check_products(kind, {20, 34, 8}, false, 33, 257, random);
  }
}

TEST("cuda mixture: the rows of a tile are about those of an expert, and there is room for every routing") {
  CHECK(expert_tile_rows(Number::bf16, 8, 128) == 8 && expert_tile_rows(Number::bf16, 16 * 128, 128) == 32 && expert_tile_rows(Number::bf16, 65536, 128) == 128);
  for (const auto& [tokens, experts, k, tile_rows, most] : {std::tuple(1, 128, 8, 8, 8), std::tuple(32, 128, 8, 8, 160), std::tuple(100, 4, 2, 32, 10), std::tuple(1, 1, 1, 128, 1)}) {
    Routing routing;
    routing.tokens = tokens, routing.experts = experts, routing.per_token = k, routing.tile_rows = tile_rows;
    CHECK_EQUAL(routing.tiles_max(), most);
  }
}

TEST("cuda mixture: a token's experts are added by number, and to a shared one's") {
  std::mt19937 random(17);
  for (const bool shared : {false, true})
    for (const bool biased : {false, true})
      for (int32_t k = 1; k <= 8; ++k)
        for (const int32_t width : {24, 301}) {
          const Case c{9, 11, k, false, shared};
          const std::vector<int32_t> chosen = random_choices(c, false, random);
          RoutingOnDevice on(c);
          on.set_chosen(chosen);
          std::vector<float> weights = ExpertProducts::normal(on.routing.rows(), random), gates = ExpertProducts::normal(c.tokens, random);
          on.weights = on_device(weights), on.shared_weights = on_device(gates);
          on.routing.weights = on.weights.data(), on.routing.shared_weights = on.shared_weights.data();
          const std::vector<float> rows = ExpertProducts::normal(int64_t{on.routing.rows()} * width, random), before = ExpertProducts::normal(int64_t{c.tokens} * width, random),
                                   bias = ExpertProducts::normal(width, random), of_experts = ExpertProducts::normal(int64_t{11} * width, random);
          const bool with_biases = k % 2 == 0;
          const auto on_rows = on_device(rows), on_bias = on_device(bias), on_biases = on_device(of_experts);
          auto y = shared ? on_device(before) : poisoned<float>(before.size());
          const std::vector<int32_t> row_of = from_device(on.row_of_choice);
          add_experts(nullptr, on.routing, on_rows.data(), width, with_biases ? on_biases.data() : nullptr, biased ? on_bias.data() : nullptr, y.data());
          const std::vector<float> found = from_device(y);
          for (int32_t t = 0; t < c.tokens; ++t)
            for (int32_t i = 0; i < width; ++i) {
              const auto at = static_cast<size_t>(t * width + i);
              double expected = shared ? (double{before[at]} + (biased ? bias[static_cast<size_t>(i)] : 0.0f)) * gates[static_cast<size_t>(t)] : 0.0;
              for (int32_t choice = t * k; choice < (t + 1) * k; ++choice)
                if (chosen[static_cast<size_t>(choice)] >= 0)
                  expected += double{weights[static_cast<size_t>(choice)]} * (double{rows[static_cast<size_t>(row_of[static_cast<size_t>(choice)] * width + i)]} +
                                                                             (with_biases ? of_experts[static_cast<size_t>(chosen[static_cast<size_t>(choice)] * width + i)] : 0.0f));
              CHECK(std::abs(found[at] - expected) <= 1e-5, "token ", t, " column ", i, " is ", found[at], ", expected ", expected);
            }
        }
}

TEST("cuda mixture: a recorded step serves another routing") {
  const Case c{6, 9, 3, true};
  std::mt19937 random(19);
  const Kind kind{Number::bf16, false};
  const ExpertProducts products(kind, {6, 10, 3}, 48, 40, random);
  RoutingOnDevice on(c, 8);
  const auto slots = on_device(std::vector<int32_t>{0, 1, 2, 3, 4, -1});
  auto y = poisoned<float>(static_cast<size_t>(on.routing.rows() * 48)), sums = poisoned<float>(6 * 48);
  auto rows = poisoned<std::byte>(static_cast<size_t>(on.routing.rows()) * 48 * 2);
  Stream stream;
  const auto issue = [&] {
    choose_experts(stream, on.routing, slots.data());
    sort_expert_rows(stream, on.routing);
    gather_expert_rows(stream, on.routing, kind.type, products.x.data(), 40, rows.data(), nullptr, nullptr);
    linear_of_experts(stream, on.routing, {kind.type, rows.data(), padded(40), on.routing.rows(), &products.weights, y.data(), 48});
    add_experts(stream, on.routing, y.data(), 48, nullptr, nullptr, sums.data());
  };
  const auto set_scores = [&] {
    std::vector<float> scores = ExpertProducts::normal(6 * 9, random);
    check(cudaMemcpy(on.scores.data(), scores.data(), scores.size() * sizeof(float), cudaMemcpyHostToDevice), "setting scores");
    settle();
  };
  set_scores();
  const Graph graph = Graph::record(stream, issue);
  std::vector<std::vector<float>> all;
  for (int i = 0; i < 3; ++i) {
    set_scores();
    graph.launch(stream);
    all.push_back(from_device(sums));
    issue();
    CHECK(from_device(sums) == all.back());
  }
  CHECK(all[0] != all[1] && all[1] != all[2]);
}

}  // namespace
}  // namespace sgmv::test
