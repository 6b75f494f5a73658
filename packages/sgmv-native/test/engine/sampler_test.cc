// Draws: what may be drawn, how often, and that it can be repeated.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "check.h"
#include "sgmv/error.h"
#include "sgmv/sampling.h"

namespace sgmv::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<double> frequencies(const std::vector<float>& logits, SamplingOptions options, int draws = 40000) {
  Sampler sampler;
  std::vector<double> counts(logits.size());
  options.seed = 99;
  for (int i = 0; i < draws; ++i) counts[static_cast<size_t>(sampler.pick(logits, options, static_cast<uint64_t>(i)))] += 1.0 / draws;
  return counts;
}

// Probabilities after temperature, restricted to `kept`.
std::vector<double> expected(const std::vector<float>& logits, float temperature, const std::set<size_t>& kept) {
  std::vector<double> weights(logits.size());
  double total = 0;
  for (const size_t i : kept) total += weights[i] = std::exp(static_cast<double>(logits[i]) / temperature);
  for (double& weight : weights) weight /= total;
  return weights;
}

void check_near(const std::vector<double>& found, const std::vector<double>& wanted) {
  for (size_t i = 0; i < found.size(); ++i) {
    // Five standard deviations of a binomial count.
    const double allowed = 5 * std::sqrt(wanted[i] * (1 - wanted[i]) / 40000) + 1e-9;
    CHECK(std::abs(found[i] - wanted[i]) <= allowed, "token ", i, ": ", found[i], ", expected ", wanted[i]);
  }
}

const std::vector<float> kLogits{1.0f, 3.0f, 2.0f, -1.0f, 3.0f, -kInfinity, 0.0f};

TEST("sampler: greedy takes the highest, the lowest id of equals") {
  Sampler sampler;
  CHECK_EQUAL(sampler.pick(kLogits, {}, 0), 1);
  CHECK_EQUAL(sampler.pick(kLogits, {.temperature = 5.0f, .top_k = 1}, 7), 1);
  CHECK_EQUAL(sampler.pick(std::vector<float>(10, 0.0f), {}, 0), 0);
}

TEST("sampler: frequencies follow temperature, top-k, top-p and min-p") {
  check_near(frequencies(kLogits, {.temperature = 1.0f}), expected(kLogits, 1.0f, {0, 1, 2, 3, 4, 6}));
  check_near(frequencies(kLogits, {.temperature = 2.5f}), expected(kLogits, 2.5f, {0, 1, 2, 3, 4, 6}));
  check_near(frequencies(kLogits, {.temperature = 1.0f, .top_k = 3}), expected(kLogits, 1.0f, {1, 2, 4}));
  check_near(frequencies(kLogits, {.temperature = 1.0f, .top_k = 100}), expected(kLogits, 1.0f, {0, 1, 2, 3, 4, 6}));
  // 3, 3 hold 0.38 each, 2 holds 0.14: 0.8 needs three tokens, 0.7 two, 0.3 one.
  check_near(frequencies(kLogits, {.temperature = 1.0f, .top_p = 0.8f}), expected(kLogits, 1.0f, {1, 2, 4}));
  check_near(frequencies(kLogits, {.temperature = 1.0f, .top_p = 0.7f}), expected(kLogits, 1.0f, {1, 4}));
  check_near(frequencies(kLogits, {.temperature = 1.0f, .top_p = 0.3f}), expected(kLogits, 1.0f, {1}));
  // e^-1 = 0.37, e^-2 = 0.14 of the likeliest.
  check_near(frequencies(kLogits, {.temperature = 1.0f, .min_p = 0.3f}), expected(kLogits, 1.0f, {1, 2, 4}));
  check_near(frequencies(kLogits, {.temperature = 1.0f, .top_k = 4, .top_p = 0.95f, .min_p = 0.3f}), expected(kLogits, 1.0f, {1, 2, 4}));
}

TEST("sampler: the filters agree with sorting everything, on large vocabularies") {
  Sampler sampler;
  for (uint32_t seed = 0; seed < (kSanitized ? 50 : 200); ++seed) {
    std::vector<float> logits(3000);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(std::floor(uniform_at(seed, i) * 500) / 50);
    const SamplingOptions options{.temperature = 0.8f, .top_k = static_cast<int32_t>(seed % 3 == 0 ? 0 : seed * 7 + 2), .top_p = seed % 2 ? 0.6f : 1.0f, .min_p = seed % 5 == 0 ? 0.05f : 0.0f, .seed = seed};
    std::vector<size_t> order(logits.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    const auto weight = [&](size_t id) { return std::exp((static_cast<double>(logits[id]) - logits[order[0]]) / 0.8f); };
    const size_t limit = options.top_k > 0 ? std::min<size_t>(static_cast<size_t>(options.top_k), order.size()) : order.size();
    double total = 0, mass = 0;
    for (size_t i = 0; i < limit; ++i) total += weight(order[i]);
    std::set<int32_t> kept;
    for (size_t i = 0; i < limit && mass < options.top_p * total * (1 + 1e-5); ++i) {
      if (weight(order[i]) < options.min_p * (1 - 1e-5)) break;
      mass += weight(order[i]);
      kept.insert(static_cast<int32_t>(order[i]));
    }
    for (uint64_t position = 0; position < 50; ++position) {
      const int32_t id = sampler.pick(logits, options, position);
      CHECK(kept.contains(id), "seed ", seed, ": token ", id, " is outside the ", kept.size(), " allowed");
      CHECK_EQUAL(Sampler().pick(logits, options, position), id);
    }
  }
}

TEST("sampler: NaN and infinite outputs are numeric errors, extreme temperatures are not") {
  Sampler sampler;
  const float nan = std::nanf("");
  for (const SamplingOptions& options : {SamplingOptions{}, SamplingOptions{.temperature = 1.0f, .top_p = 0.5f}}) {
    CHECK_THROWS(sampler.pick(std::vector<float>{1, nan, 2}, options, 0), Error, "NaN");
    CHECK_THROWS(sampler.pick(std::vector<float>{1, kInfinity}, options, 0), Error, "infinite");
    CHECK_THROWS(sampler.pick(std::vector<float>{-kInfinity, -kInfinity}, options, 0), Error, "infinite");
  }
  for (uint64_t position = 0; position < 200; ++position) {
    CHECK_EQUAL(sampler.pick(std::vector<float>{1, 2, 0}, {.temperature = 1e-40f}, position), 1);
    CHECK_EQUAL(sampler.pick(std::vector<float>{1, 2, 0}, {.temperature = 1e-3f, .top_p = 0.9f}, position), 1);
    CHECK(sampler.pick(std::vector<float>{1, 2, -kInfinity}, {.temperature = 1e30f}, position) != 2);
  }
}

TEST("sampler: uniform numbers are uniform and differ by seed and position") {
  double sum = 0, square = 0, product = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double value = uniform_at(7, static_cast<uint64_t>(i));
    CHECK(value >= 0.0 && value < 1.0);
    sum += value;
    square += value * value;
    product += value * uniform_at(8, static_cast<uint64_t>(i));
  }
  CHECK(std::abs(sum / kCount - 0.5) < 0.005, sum / kCount);
  CHECK(std::abs(square / kCount - 1.0 / 3) < 0.005, square / kCount);
  CHECK(std::abs(product / kCount - 0.25) < 0.005, product / kCount);
  CHECK(uniform_at(1, 5) != uniform_at(1, 6) && uniform_at(1, 5) != uniform_at(2, 5));
  CHECK(uniform_at(1, uint64_t{1} << 40) != uniform_at(1, 0));
}

}  // namespace
}  // namespace sgmv::test
