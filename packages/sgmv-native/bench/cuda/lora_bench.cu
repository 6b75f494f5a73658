#include "lora_bench.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "ops/sgmv_cuda.h"
#include "popularity.h"
#include "sgmv/error.h"

namespace sgmv::bench {
namespace {

using namespace sgmv::cuda;

constexpr Number kType = Number::bf16;
constexpr float kScale = 0.5f;
constexpr int kActivations = 32;      // copies of x and y at most
constexpr int kCopiesMax = 512;
constexpr int kBatchMax = 64;

struct Shape {
  int in, out, rank;
};

// A batch and its adapters in as many copies as a rotation needs. All numbers are random_number(), by their place in
// one array each.
class LoraCase {
 public:
  // ranks[i]: of adapter i
  LoraCase(Measure& measure, Shape shape, const std::vector<int>& adapters, const std::vector<int>& ranks);

  int copies() const { return copies_; }
  double adapter_bytes() const { return 2.0 * static_cast<double>(numbers_); }
  double activation_bytes() const { return static_cast<double>(tokens_) * (2.0 * shape_.in + 2 * 4.0 * shape_.out); }  // x; y read and written
  void issue(int copy) const;
  void plan() const { plan_lora_tiles(stream_, of_token_.data(), tokens_, tiles_.data(), tile_count_.data()); }
  void check_result();

 private:
  std::vector<LoraFactor> factors(const std::vector<int>& ranks);
  const std::byte* x(int copy) const { return x_.data() + static_cast<size_t>(copy % activations_) * static_cast<size_t>(tokens_ * x_stride()) * 2; }
  float* y(int copy) const { return y_.data() + static_cast<size_t>(copy % activations_) * static_cast<size_t>(tokens_) * static_cast<size_t>(shape_.out); }
  int64_t x_stride() const { return padded(shape_.in); }
  double expected(int token, int output) const;

  cudaStream_t stream_;
  Shape shape_;
  std::vector<int> adapters_, ranks_;
  std::vector<int64_t> begins_;  // of adapter i's numbers in a copy: A, then B
  int32_t tokens_;
  int64_t numbers_ = 0;          // of all adapters of a copy
  int copies_ = 0, activations_ = 0;
  DeviceArray<std::byte> numbers_data_, x_;
  DeviceArray<float> y_, v_;
  DeviceArray<LoraFactor> factors_data_;
  DeviceArray<const LoraFactor*> of_token_;
  DeviceArray<LoraTile> tiles_;
  DeviceArray<int32_t> tile_count_;
};

LoraCase::LoraCase(Measure& measure, Shape shape, const std::vector<int>& adapters, const std::vector<int>& ranks)
    : stream_(measure.stream()), shape_(shape), adapters_(adapters), ranks_(ranks), tokens_(static_cast<int32_t>(adapters.size())) {
  for (const int rank : ranks) {
    begins_.push_back(numbers_);
    numbers_ += rank * padded(shape.in) + shape.out * lora_b_stride(rank);
    numbers_ = padded(numbers_);
  }
  copies_ = measure.copies(2 * numbers_, kCopiesMax);
  activations_ = std::min(copies_, kActivations);
  numbers_data_.reserve(static_cast<size_t>(copies_ * numbers_) * 2);
  fill_random(stream_, kType, numbers_data_.data(), copies_ * numbers_);
  x_.reserve(static_cast<size_t>(activations_ * tokens_ * x_stride()) * 2);
  fill_random(stream_, kType, x_.data(), activations_ * tokens_ * x_stride());
  y_.reserve(static_cast<size_t>(activations_) * static_cast<size_t>(tokens_) * static_cast<size_t>(shape.out));
  check(cudaMemsetAsync(y_.data(), 0, y_.bytes(), stream_), "clearing a bench's output");

  factors_data_ = uploaded(factors(ranks));
  std::vector<const LoraFactor*> of_token;
  for (const int adapter : adapters) of_token.push_back(factors_data_.data() + adapter * copies_);
  of_token_ = uploaded(of_token);
  tiles_.reserve(static_cast<size_t>(tokens_));
  tile_count_.reserve(1);
  LoraGroup group;
  group.part_count = 1, group.in = shape.in, group.parts[0] = {0, shape.out, 0};
  v_.reserve(static_cast<size_t>(lora_v_floats(group, tokens_, *std::max_element(ranks.begin(), ranks.end()))));
  plan();
}

// [adapters, copies]: a copy is what a layer is in the engine.
std::vector<LoraFactor> LoraCase::factors(const std::vector<int>& ranks) {
  std::vector<LoraFactor> all;
  for (size_t i = 0; i < ranks.size(); ++i)
    for (int copy = 0; copy < copies_; ++copy) {
      const std::byte* a = numbers_data_.data() + static_cast<size_t>(copy * numbers_ + begins_[i]) * 2;
      LoraFactor factor;
      factor.a = a, factor.b = a + static_cast<size_t>(ranks[i] * padded(shape_.in)) * 2;
      factor.rank = ranks[i], factor.scale = kScale;
      all.push_back(factor);
    }
  return all;
}

void LoraCase::issue(int copy) const {
  LoraStep step;
  step.type = kType, step.tiles = tiles_.data(), step.tile_count = tile_count_.data();
  step.tiles_max = step.tokens = tokens_;
  step.rank_max = *std::max_element(ranks_.begin(), ranks_.end());
  LoraGroup group;
  group.part_count = 1, group.in = shape_.in, group.parts[0] = {copy, shape_.out, 0};
  sgmv_shrink(stream_, step, group, x(copy), x_stride(), v_.data());
  sgmv_expand(stream_, step, group, v_.data(), y(copy), shape_.out);
}

// Of copy 0.
double LoraCase::expected(int token, int output) const {
  const auto adapter = static_cast<size_t>(adapters_[static_cast<size_t>(token)]);
  const int rank = ranks_[adapter];
  const int64_t a = begins_[adapter], b = a + rank * padded(shape_.in);
  double sum = 0;
  for (int r = 0; r < rank; ++r) {
    double v = 0;
    for (int i = 0; i < shape_.in; ++i) v += random_number(kType, token * x_stride() + i) * random_number(kType, a + r * padded(shape_.in) + i);
    sum += v * random_number(kType, b + output * lora_b_stride(rank) + r);
  }
  return sum * kScale;
}

// A time is worth nothing if the numbers are wrong.
void LoraCase::check_result() {
  check(cudaMemsetAsync(y_.data(), 0, y_.bytes(), stream_), "clearing a bench's output");
  issue(0);
  std::vector<float> found(static_cast<size_t>(tokens_) * static_cast<size_t>(shape_.out));
  check(cudaMemcpyAsync(found.data(), y(0), found.size() * sizeof(float), cudaMemcpyDeviceToHost, stream_), "copying a bench's result");
  check(cudaStreamSynchronize(stream_), "waiting for a bench");
  for (const int token : {0, tokens_ / 2, tokens_ - 1})
    for (const int output : {0, shape_.out / 2 + 1, shape_.out - 1}) {
      const double is = found[static_cast<size_t>(token) * static_cast<size_t>(shape_.out) + static_cast<size_t>(output)], wanted = expected(token, output);
      // Sums of thousands of products of numbers around 0.3, in float32: 0.01 is far below one that is missing.
      if (!(std::abs(is - wanted) < 0.01 + 1e-3 * std::abs(wanted)))
        throw Error("internal", "the LoRA bench computes " + std::to_string(is) + " where " + std::to_string(wanted) + " is right");
    }
}

void run_case(Measure& measure, const Limits& limits, Rows& rows, Shape shape, const std::string& name, const std::vector<int>& adapters,
              const std::vector<int>& ranks) {
  LoraCase one(measure, shape, adapters, ranks);
  one.check_result();
  const std::string id = "lora." + name + "." + std::to_string(adapters.size());
  const Times times = measure.rotating(one.copies(), [&](int copy) { one.issue(copy); });
  rows.add(id + ".us", times.median, "us");
  rows.add(id + ".us.min", times.least, "us");
  rows.add(id + ".time/floor", times.median / limits.floor_us(one.adapter_bytes() + one.activation_bytes()), "");
  if (name != "distinct" || static_cast<int>(adapters.size()) != kBatchMax) return;
  // The adapters' bytes alone: the stricter floor, and the one of the target.
  const double floor = limits.floor_us(one.adapter_bytes()), flushed = measure.flushed([&] { one.issue(0); }).median;
  rows.add(id + ".time/adapter-floor", times.median / floor, "", 1.5);
  rows.add(id + ".flushed.us", flushed, "us");
  rows.add(id + ".flushed.time/adapter-floor", flushed / floor, "");
  rows.add(id + ".plan.us", measure.rotating(16, [&](int) { one.plan(); }).median, "us");
}

std::vector<int> mixed_ranks() {
  std::vector<int> ranks;
  for (const auto& [count, rank] : {std::pair{24, 4}, {16, 8}, {10, 16}, {8, 32}, {6, 64}}) ranks.insert(ranks.end(), static_cast<size_t>(count), rank);
  return ranks;  // 64 adapters with the ranks of 64 times 16 in sum
}

}  // namespace

void run_lora(Measure& measure, const Limits& limits, Rows& rows) {
  const Shape shape = measure.smoke() ? Shape{64, 160, 8} : Shape{4096, 11008, 16};
  for (const Popularity popularity : kPopularities)
    for (int batch = measure.smoke() ? 16 : 1; batch <= (measure.smoke() ? 16 : kBatchMax); batch *= 2) {
      const std::vector<int> adapters = adapters_of(popularity, batch);
      run_case(measure, limits, rows, shape, name_of(popularity), adapters, std::vector<int>(static_cast<size_t>(adapters.back()) + 1, shape.rank));
    }
  run_case(measure, limits, rows, shape, "mixed_ranks", adapters_of(Popularity::distinct, 64), mixed_ranks());
  for (const int rank : {4, 8, 32, 64, 128, 256}) {
    if (measure.smoke() && rank > 8) break;
    const int batch = measure.smoke() ? 4 : 16;
    run_case(measure, limits, rows, {shape.in, shape.out, rank}, "rank" + std::to_string(rank), adapters_of(Popularity::distinct, batch),
             std::vector<int>(static_cast<size_t>(batch), rank));
  }
}

}  // namespace sgmv::bench
