// Choices of the device against those of the CPU's Sampler for the same logits.
//
// Both sum the same weights, the device in whole numbers of 2^-44, the CPU in float64. So they may differ where a sum
// meets its target within 2^-44 per token, and nowhere else: each difference must be explained by a boundary within kNear.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "cuda/device_test.h"
#include "cuda/launch.h"
#include "cuda/stream.h"
#include "engine/exp_negative.h"
#include "ops/sampling_cuda.h"
#include "ops/sampling_weights.cuh"
#include "sgmv/error.h"
#include "sgmv/sampling.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

constexpr double kNear = 1e-7;  // of the sum that is compared
constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

using Logits = std::vector<float>;  // [rows, vocab]

SamplingOptions options_of(const SampleRow& row) {
  SamplingOptions options;
  options.temperature = row.temperature;
  options.top_k = row.top_k;
  options.top_p = row.top_p;
  options.min_p = row.min_p;
  options.seed = row.seed;
  return options;
}

uint64_t position_of(const SampleRow& row) { return uint64_t{row.position_high} << 32 | row.position_low; }

int32_t cpu_choice(std::span<const float> logits, const SampleRow& row) {
  try {
    return Sampler().pick(logits, options_of(row), position_of(row));
  } catch (const Error&) {
    return kNoToken;
  }
}

// The choice by the definition, with the sum that ends top-p and the draw's target moved by shares of the whole.
class ShiftedChoice {
 public:
  ShiftedChoice(std::span<const float> logits, const SampleRow& row) : row_(row), order_(logits.size()), weights_(logits.size()) {
    std::iota(order_.begin(), order_.end(), 0);
    const float highest = *std::max_element(logits.begin(), logits.end());
    for (size_t i = 0; i < logits.size(); ++i) weights_[i] = sgmv::exp_negative((logits[i] - highest) / row.temperature);
    if (row.top_k > 0 || row.top_p < 1 || row.min_p > 0)
      std::stable_sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) { return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)]; });
  }

  int32_t operator()(double enough_shift, double target_shift) const {
    const size_t limit = row_.top_k > 0 ? std::min(order_.size(), static_cast<size_t>(row_.top_k)) : order_.size();
    double total = 0, mass = 0, sum = 0;
    for (size_t i = 0; i < limit; ++i) total += weight(i);
    size_t kept = 0;
    const auto goes_on = [&] {
      return kept == 0 || ((row_.top_p == 1 || mass < (row_.top_p + enough_shift) * total) && (row_.min_p == 0 || weight(kept) >= row_.min_p));
    };
    while (kept < limit && goes_on()) mass += weight(kept++);
    const double target = (sgmv::uniform_at(row_.seed, position_of(row_)) + target_shift) * mass;
    for (size_t i = 0; i < kept; ++i)
      if ((sum += weight(i)) > target) return order_[i];
    return order_[kept - 1];
  }

 private:
  double weight(size_t place) const { return weights_[static_cast<size_t>(order_[place])]; }

  SampleRow row_;
  std::vector<int32_t> order_;
  std::vector<float> weights_;
};

bool near_a_boundary(std::span<const float> logits, const SampleRow& row, int32_t token) {
  const ShiftedChoice choice(logits, row);
  for (const double enough : {-kNear, 0.0, kNear})
    for (const double target : {-kNear, 0.0, kNear})
      if (choice(enough, target) == token) return true;
  return false;
}

std::vector<int32_t> device_choices(const Logits& logits, const std::vector<SampleRow>& rows) {
  const auto vocab = static_cast<int32_t>(logits.size() / rows.size());
  const auto device_logits = on_device(logits);
  const auto device_rows = on_device(rows);
  const auto tokens = poisoned<int32_t>(rows.size() + 1);
  sample(nullptr, device_logits.data(), device_rows.data(), static_cast<int32_t>(rows.size()), vocab, tokens.data());
  std::vector<int32_t> found = from_device(tokens);
  CHECK_EQUAL(found.back(), -1);  // poison
  found.pop_back();
  CHECK(std::memcmp(from_device(device_logits).data(), logits.data(), logits.size() * sizeof(float)) == 0, "logits were changed");
  return found;
}

struct Tally {
  int rows = 0, differ = 0;
};

void check_choices(const Logits& logits, const std::vector<SampleRow>& rows, Tally& tally) {
  const size_t vocab = logits.size() / rows.size();
  const std::vector<int32_t> found = device_choices(logits, rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::span<const float> row(logits.data() + i * vocab, vocab);
    const SampleRow& r = rows[i];
    const int32_t expected = cpu_choice(row, r);
    tally.rows += 1;
    if (found[i] == expected) continue;
    tally.differ += 1;
    CHECK(r.temperature > 0 && r.top_k != 1 && expected != kNoToken && near_a_boundary(row, r, found[i]), "vocab ", vocab, " temperature ", r.temperature,
          " top_k ", r.top_k, " top_p ", r.top_p, " min_p ", r.min_p, " seed ", r.seed, ": found ", found[i], ", expected ", expected);
  }
}

std::mt19937& generator() {
  static std::mt19937 random(11);
  return random;
}

template <typename T>
T one_of(std::initializer_list<T> values) {
  return values.begin()[generator()() % values.size()];
}

SampleRow any_row(int32_t vocab) {
  SampleRow row;
  row.temperature = one_of({0.0f, 1e-42f, 1e-3f, 0.3f, 0.7f, 1.0f, 1.0f, 2.0f, 5.0f, 1e4f, 3e38f});
  row.top_k = one_of({0, 0, 0, 1, 2, 40, 700, vocab - 1, vocab, 2 * vocab});
  row.top_p = one_of({1.0f, 1.0f, 0.99999994f, 0.9999f, 0.95f, 0.9f, 0.5f, 0.1f, 1e-6f});
  row.min_p = one_of({0.0f, 0.0f, 0.0f, 1e-5f, 0.02f, 0.3f, 1.0f});
  row.seed = static_cast<uint32_t>(generator()());
  row.position_low = static_cast<uint32_t>(generator()());
  row.position_high = one_of({0u, 0u, 1u, 0xFFFFFFFFu});
  return row;
}

enum class Kind { spread, narrow, wide, few_values, equal, neighbours, barred, cut_off };
constexpr Kind kKinds[] = {Kind::spread, Kind::narrow, Kind::wide, Kind::few_values, Kind::equal, Kind::neighbours, Kind::barred, Kind::cut_off};

void add_logits(Logits& logits, int32_t vocab, Kind kind) {
  std::normal_distribution<float> normal(0, kind == Kind::narrow ? 0.1f : kind == Kind::wide ? 1e30f : 2.5f);
  for (int32_t i = 0; i < vocab; ++i) {
    float logit = normal(generator());
    if (kind == Kind::few_values) logit = std::round(logit) == 0 && i % 2 == 0 ? -0.0f : std::round(logit);
    if (kind == Kind::equal) logit = -4.25f;
    if (kind == Kind::neighbours) logit = 10.0f + static_cast<float>(generator()() % 4096) * 0x1.0p-20f;  // steps of their last bit
    if (kind == Kind::barred && generator()() % 4 != 0) logit = -kInfinity;
    if (kind == Kind::cut_off) logit = i % 3 == 0 ? logit + 20 : -3e38f;
    logits.push_back(logit);
  }
  if (kind == Kind::barred && std::isinf(logits[logits.size() - 1])) logits.back() = 0.5f;  // one that is not
}

void check_vocab(int32_t vocab, int rounds) {
  Tally tally;
  for (int round = 0; round < rounds; ++round) {
    Logits logits;
    std::vector<SampleRow> rows;
    for (const Kind kind : kKinds) {
      add_logits(logits, vocab, kind);
      rows.push_back(any_row(vocab));
    }
    check_choices(logits, rows, tally);
  }
  CHECK(tally.differ * 500 <= tally.rows, tally.differ, " of ", tally.rows, " choices differ");
}

TEST("sampling: the Sampler's choices, 2 tokens") { check_vocab(2, kSanitized ? 3 : 20); }
TEST("sampling: the Sampler's choices, 100 tokens") { check_vocab(100, kSanitized ? 3 : 25); }
TEST("sampling: the Sampler's choices, 1500 tokens") { check_vocab(1500, kSanitized ? 3 : 16); }
TEST("sampling: the Sampler's choices, 32000 tokens") { check_vocab(32000, kSanitized ? 2 : 6); }
TEST("sampling: the Sampler's choices, 151936 tokens") { check_vocab(151936, kSanitized ? 1 : 2); }

TEST("sampling: the usual options over many seeds") {
  Logits one;
  add_logits(one, 1000, Kind::spread);
  Tally tally;
  for (const SampleRow& base : {SampleRow{0.8f, 0, 1, 0, 0, 0, 0}, SampleRow{0.8f, 50, 0.95f, 0, 0, 0, 0}, SampleRow{1.5f, 0, 0.9f, 0.05f, 0, 0, 0}}) {
    Logits logits;
    std::vector<SampleRow> rows;
    for (uint32_t seed = 0; seed < (kSanitized ? 6 : 60); ++seed) {
      logits.insert(logits.end(), one.begin(), one.end());
      rows.push_back(base);
      rows.back().seed = seed;
      rows.back().position_low = seed * 3;
    }
    check_choices(logits, rows, tally);
  }
  CHECK(tally.differ * 500 <= tally.rows, tally.differ, " of ", tally.rows, " choices differ");
}

TEST("sampling: greedy takes the lowest id of the highest, whatever the sign of zero") {
  const float zero = 0.0f;
  CHECK_EQUAL(device_choices({-1, -zero, zero, -zero}, {SampleRow{}})[0], 1);
  CHECK_EQUAL(device_choices({-1, zero, -zero, zero}, {SampleRow{}})[0], 1);
  CHECK_EQUAL(device_choices({-3, -2, -2, -kInfinity}, {SampleRow{}})[0], 1);
  CHECK_EQUAL(device_choices({7}, {SampleRow{}})[0], 0);
  Logits late(5000, 1.0f);
  late[4321] = late[4777] = 1.0000001f;
  CHECK_EQUAL(device_choices(late, {SampleRow{}})[0], 4321);
}

TEST("sampling: rows with a NaN or without a finite highest logit have no token") {
  const float negative_nan = -kNan;
  for (const float temperature : {0.0f, 0.7f}) {
    SampleRow row;
    row.temperature = temperature;
    row.top_k = 20;
    for (const float bad : {kNan, negative_nan, kInfinity})
      for (const size_t where : {0, 1500, 2999}) {
        Logits logits(3000, -kInfinity);
        logits[7] = 3;
        logits[where] = bad;
        CHECK_EQUAL(device_choices(logits, {row})[0], kNoToken);
      }
    CHECK_EQUAL(device_choices(Logits(3000, -kInfinity), {row})[0], kNoToken);
  }
}

TEST("sampling: sums that are whole numbers meet their targets exactly") {
  // Eight equal logits among barred ones; top-p of a half keeps four, of a little more five.
  Logits one(40, -kInfinity);
  for (size_t i = 0; i < 8; ++i) one[3 + i * 4] = 2.0f;
  Logits logits;
  std::vector<SampleRow> rows;
  for (uint32_t seed = 0; seed < (kSanitized ? 8 : 64); ++seed) {
    logits.insert(logits.end(), one.begin(), one.end());
    rows.push_back({1.0f, 0, seed % 2 == 0 ? 0.5f : 0.5000001f, 0, seed, 9, 0});
  }
  const std::vector<int32_t> found = device_choices(logits, rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const int kept = i % 2 == 0 ? 4 : 5;
    CHECK_EQUAL(found[i], 3 + 4 * static_cast<int32_t>(sgmv::uniform_at(rows[i].seed, 9) * kept));
  }
}

TEST("sampling: of thousands of equal logits the first ones are kept") {
  Logits one(6000, -5.0f), logits;
  std::fill(one.begin() + 3000, one.end(), 1.0f);
  std::vector<SampleRow> rows;
  for (uint32_t seed = 0; seed < (kSanitized ? 3 : 20); ++seed) {
    logits.insert(logits.end(), one.begin(), one.end());
    rows.push_back({1.0f, seed % 2 == 0 ? 2 : 9, 1, 0, seed, 0, 0});
  }
  const std::vector<int32_t> found = device_choices(logits, rows);
  for (size_t i = 0; i < rows.size(); ++i) CHECK_EQUAL(found[i], 3000 + static_cast<int32_t>(sgmv::uniform_at(rows[i].seed, 0) * rows[i].top_k));
}

TEST("sampling: a row's choice is the same alone; a graph reads rows and logits when it runs") {
  const int32_t vocab = 3001, count = kSanitized ? 4 : 12;
  Logits logits;
  std::vector<SampleRow> rows;
  for (int i = 0; i < count; ++i) {
    add_logits(logits, vocab, kKinds[i % 8]);
    rows.push_back(any_row(vocab));
  }
  const std::vector<int32_t> together = device_choices(logits, rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Logits alone(logits.begin() + static_cast<long>(i) * vocab, logits.begin() + static_cast<long>(i + 1) * vocab);
    CHECK_EQUAL(device_choices(alone, {rows[i]})[0], together[i]);
  }

  const auto device_logits = on_device(logits);
  const auto device_rows = on_device(std::vector<SampleRow>(rows.size()));
  const auto tokens = poisoned<int32_t>(rows.size());
  const Stream stream;
  const Graph graph = Graph::record(stream, [&] { sample(stream, device_logits.data(), device_rows.data(), count, vocab, tokens.data()); });
  graph.launch(stream);
  stream.synchronize();
  CHECK(from_device(tokens) == device_choices(logits, std::vector<SampleRow>(rows.size())));
  check(cudaMemcpy(device_rows.data(), rows.data(), device_rows.bytes(), cudaMemcpyHostToDevice), "other rows");
  settle();
  graph.launch(stream);
  stream.synchronize();
  CHECK(from_device(tokens) == together);
}

__global__ void weights_kernel(const float* x, int count, float* weights, uint64_t* masses) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  weights[i] = cuda::exp_negative(x[i]);
  masses[i] = cuda::mass_of(weights[i]);
}

TEST("sampling: weights have the bits of the CPU's; masses are their whole part in units of 2^-44") {
  std::vector<float> x = {0, -0.0f, -1e-45f, -87, -87.00001f, -88, -1e30f, -kInfinity};
  for (int i = 0; i < 20000; ++i) x.push_back(-90.0f * static_cast<float>(generator()()) * 0x1.0p-32f);
  const auto device_x = on_device(x);
  const auto weights = poisoned<float>(x.size());
  const auto masses = poisoned<uint64_t>(x.size());
  const Shape shape{dim3(static_cast<unsigned>((x.size() + 127) / 128)), 128};
  launch(nullptr, shape, weights_kernel, device_x.data(), static_cast<int>(x.size()), weights.data(), masses.data());
  const std::vector<float> found = from_device(weights);
  const std::vector<uint64_t> found_masses = from_device(masses);
  for (size_t i = 0; i < x.size(); ++i) {
    CHECK_EQUAL(found[i], sgmv::exp_negative(x[i]));
    CHECK_EQUAL(found_masses[i], static_cast<uint64_t>(std::ldexp(static_cast<double>(found[i]), 44)));
  }
}

__global__ void uniform_kernel(const SampleRow* rows, int count, double* uniforms) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < count) uniforms[i] = cuda::uniform_at(rows[i].seed, rows[i].position_low, rows[i].position_high);
}

TEST("sampling: draws have the bits of the CPU's") {
  std::vector<SampleRow> rows;
  for (int i = 0; i < 200; ++i) rows.push_back(any_row(10));
  const auto device_rows = on_device(rows);
  const auto uniforms = poisoned<double>(rows.size());
  launch(nullptr, {dim3(1), 256}, uniform_kernel, device_rows.data(), 200, uniforms.data());
  const std::vector<double> found = from_device(uniforms);
  for (size_t i = 0; i < rows.size(); ++i) CHECK_EQUAL(found[i], sgmv::uniform_at(rows[i].seed, position_of(rows[i])));
}

TEST("sampling: vocabularies whose sums could overflow are refused; no rows are no work") {
  CHECK_THROWS(sample(nullptr, nullptr, nullptr, 1, 524289, nullptr), Error, "expected at most 524288");
  sample(nullptr, nullptr, nullptr, 0, 100, nullptr);
}

}  // namespace
}  // namespace sgmv::test
