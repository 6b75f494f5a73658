#include "lora_bench.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "formats/dtype.h"
#include "ops/linear_cuda.h"
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
  LoraFormat format = LoraFormat::of_inputs;
};

// Of 8-bit factors, made by filling their bytes: float32 0.0115 and half precision 0.00806.
constexpr int kScaleByteOfA = 0x3C, kScaleByteOfB = 0x20;
constexpr uint32_t kScaleOfA = 0x3C3C'3C3C;
constexpr uint16_t kScaleOfB = 0x2020;

// Number i of an array of random bytes, the numbers of kType two by two.
int random_q8(int64_t i) {
  constexpr int kMagnitudeByte[] = {0, 2, 1, 3}, kSignByte[] = {1, 3, 2, 0};
  const auto byte = [&](int64_t at) { return float_to_bf16(static_cast<float>(random_number(kType, at / 2))) >> (at % 2 * 8) & 0xFF; };
  const int64_t word = i / 4 * 4;
  const int magnitude = byte(word + kMagnitudeByte[i % 4]) & 0x7F;
  return (byte(word + kSignByte[i % 4]) & 0x80) != 0 ? -magnitude : magnitude;
}

// A batch and its adapters in as many copies as a rotation needs. All numbers are random_number(), by their place in
// one array each; those of 8 bits are its bytes.
class LoraCase {
 public:
  // ranks[i]: of adapter i
  LoraCase(Measure& measure, Shape shape, const std::vector<int>& adapters, const std::vector<int>& ranks);

  int copies() const { return copies_; }
  double adapter_bytes() const { return static_cast<double>(bytes_); }
  double activation_bytes() const { return static_cast<double>(tokens_) * (2.0 * shape_.in + 2 * 4.0 * shape_.out); }  // x; y read and written
  void issue(int copy) const {
    shrink(stream_, copy);
    expand(copy);
  }
  void shrink(cudaStream_t stream, int copy) const { sgmv_shrink(stream, step(), group(copy), x(copy), x_stride(), v_.data()); }
  void expand(int copy) const { sgmv_expand(stream_, step(), group(copy), v_.data(), y(copy), shape_.out); }
  // The base product of the same inputs, to whose output the adapters' is added.
  LinearWork base(int copy, const LinearWeights& weights) const { return {kType, x(copy), x_stride(), tokens_, &weights, y(copy), shape_.out}; }
  void plan() const { plan_lora_tiles(stream_, of_token_.data(), tokens_, tiles_.data(), tile_count_.data()); }
  void check_result();

 private:
  std::vector<LoraFactor> factors(const std::vector<int>& ranks);
  void fill_scales();
  LoraStep step() const;
  LoraGroup group(int copy) const;
  double number_of_a(size_t adapter, int rank, int input) const;
  double number_of_b(size_t adapter, int output, int rank) const;
  const std::byte* x(int copy) const { return x_.data() + static_cast<size_t>(copy % activations_) * static_cast<size_t>(tokens_ * x_stride()) * 2; }
  float* y(int copy) const { return y_.data() + static_cast<size_t>(copy % activations_) * static_cast<size_t>(tokens_) * static_cast<size_t>(shape_.out); }
  int64_t x_stride() const { return padded(shape_.in); }
  double expected(int token, int output) const;

  cudaStream_t stream_;
  Shape shape_;
  std::vector<int> adapters_, ranks_;
  std::vector<int64_t> begins_, begins_of_b_;  // of adapter i's A and B in a copy, in bytes
  int32_t tokens_;
  int64_t bytes_ = 0;                          // of all adapters of a copy
  int copies_ = 0, activations_ = 0;
  DeviceArray<std::byte> data_, x_;
  DeviceArray<float> y_, v_;
  DeviceArray<LoraFactor> factors_data_;
  DeviceArray<const LoraFactor*> of_token_;
  DeviceArray<LoraTile> tiles_;
  DeviceArray<int32_t> tile_count_;
};

LoraCase::LoraCase(Measure& measure, Shape shape, const std::vector<int>& adapters, const std::vector<int>& ranks)
    : stream_(measure.stream()), shape_(shape), adapters_(adapters), ranks_(ranks), tokens_(static_cast<int32_t>(adapters.size())) {
  for (const int rank : ranks) {
    begins_.push_back(bytes_);
    begins_of_b_.push_back(bytes_ + (static_cast<int64_t>(lora_a_bytes(shape.format, kType, rank, shape.in)) + 31) / 32 * 32);
    bytes_ = (begins_of_b_.back() + static_cast<int64_t>(lora_b_bytes(shape.format, kType, rank, shape.out)) + 31) / 32 * 32;
  }
  copies_ = measure.copies(bytes_, kCopiesMax);
  activations_ = std::min(copies_, kActivations);
  data_.reserve(static_cast<size_t>(copies_ * bytes_));
  fill_random(stream_, kType, data_.data(), copies_ * bytes_ / 2);
  if (shape.format == LoraFormat::q8) fill_scales();
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
  v_.reserve(static_cast<size_t>(lora_v_floats(group(0), tokens_, *std::max_element(ranks.begin(), ranks.end()))));
  plan();
}

// [adapters, copies]: a copy is what a layer is in the engine.
std::vector<LoraFactor> LoraCase::factors(const std::vector<int>& ranks) {
  std::vector<LoraFactor> all;
  for (size_t i = 0; i < ranks.size(); ++i)
    for (int copy = 0; copy < copies_; ++copy) {
      const std::byte* of_copy = data_.data() + copy * bytes_;
      LoraFactor factor;
      factor.a = of_copy + begins_[i], factor.b = of_copy + begins_of_b_[i];
      factor.rank = ranks[i], factor.scale = kScale;
      all.push_back(factor);
    }
  return all;
}

void LoraCase::fill_scales() {
  const auto fill = [&](int64_t at, int byte, int64_t bytes) {
    for (int copy = 0; copy < copies_; ++copy)
      check(cudaMemsetAsync(data_.data() + copy * bytes_ + at, byte, static_cast<size_t>(bytes), stream_), "filling a bench's scales");
  };
  for (size_t i = 0; i < ranks_.size(); ++i) {
    fill(begins_[i] + ranks_[i] * padded(shape_.in), kScaleByteOfA, ranks_[i] * int64_t{4});
    fill(begins_of_b_[i] + lora_b_scales_at(ranks_[i], shape_.out), kScaleByteOfB, shape_.out * lora_scale_groups(ranks_[i]) * 2);
  }
}

LoraStep LoraCase::step() const {
  LoraStep step;
  step.type = kType, step.format = shape_.format, step.tiles = tiles_.data(), step.tile_count = tile_count_.data();
  step.tiles_max = step.tokens = tokens_;
  step.rank_max = *std::max_element(ranks_.begin(), ranks_.end());
  return step;
}

LoraGroup LoraCase::group(int copy) const {
  LoraGroup group;
  group.part_count = 1, group.in = shape_.in, group.parts[0] = {copy, shape_.out, 0};
  return group;
}

// Of copy 0, as are the two below.
double LoraCase::number_of_a(size_t adapter, int rank, int input) const {
  const int64_t i = rank * padded(shape_.in) + input;
  if (shape_.format == LoraFormat::q8) return static_cast<double>(std::bit_cast<float>(kScaleOfA)) * random_q8(begins_[adapter] + i);
  return random_number(kType, begins_[adapter] / 2 + i);
}

double LoraCase::number_of_b(size_t adapter, int output, int rank) const {
  const int64_t i = output * lora_b_stride(ranks_[adapter]) + rank;
  if (shape_.format == LoraFormat::q8) return static_cast<double>(f16_to_float(kScaleOfB)) * random_q8(begins_of_b_[adapter] + i);
  return random_number(kType, begins_of_b_[adapter] / 2 + i);
}

double LoraCase::expected(int token, int output) const {
  const auto adapter = static_cast<size_t>(adapters_[static_cast<size_t>(token)]);
  double sum = 0;
  for (int r = 0; r < ranks_[adapter]; ++r) {
    double v = 0;
    for (int i = 0; i < shape_.in; ++i) v += random_number(kType, token * x_stride() + i) * number_of_a(adapter, r, i);
    sum += v * number_of_b(adapter, output, r);
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
  const std::string id = "lora." + name + (shape.format == LoraFormat::q8 ? ".int8." : ".") + std::to_string(adapters.size());
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

// What the decoder does with each product of 32 requests: shrink beside it on a stream of its own, or before it on the same one. Which
// is faster decides how DecoderCuda::with_lora() should do it.
void run_beside_product(Measure& measure, Rows& rows, const char* name, int in, int out, CublasLt& blas) {
  const int batch = measure.smoke() ? 4 : 32;
  const LoraCase lora(measure, {in, out, 16}, adapters_of(Popularity::distinct, batch), std::vector<int>(static_cast<size_t>(batch), 16));
  const int64_t numbers = out * padded(in);
  const int copies = std::min(measure.copies(2 * numbers, 8), lora.copies());
  DeviceArray<std::byte> data(static_cast<size_t>(copies * numbers * 2));
  fill_random(measure.stream(), kType, data.data(), copies * numbers);
  std::vector<LinearWeights> weights(static_cast<size_t>(copies));
  for (int i = 0; i < copies; ++i) weights[static_cast<size_t>(i)] = {LinearWeights::Format::bf16, data.data() + i * numbers * 2, nullptr, out, in, padded(in)};
  const Stream side;
  Event forked, joined;
  const auto multiply = [&](int copy) { blas.linear(measure.stream(), lora.base(copy, weights[static_cast<size_t>(copy)])); };
  const auto in_turn = [&](int copy) { lora.shrink(measure.stream(), copy), multiply(copy), lora.expand(copy); };
  const auto beside = [&](int copy) {
    forked.record(measure.stream());
    forked.hold_back(side);
    lora.shrink(side, copy);
    joined.record(side);
    multiply(copy);
    joined.hold_back(measure.stream());
    lora.expand(copy);
  };
  for (int i = 0; i < copies; ++i) multiply(i);  // a shape's first time is not to be recorded
  const std::string id = "lora.beside." + std::string(name) + "." + std::to_string(batch);
  rows.add(id + ".product.us", measure.rotating(copies, multiply).median, "us");
  rows.add(id + ".in_turn.us", measure.rotating(copies, in_turn).median, "us");
  rows.add(id + ".beside.us", measure.rotating(copies, beside).median, "us");
}

void run_beside_products(Measure& measure, Rows& rows) {
  try {
    CublasLt blas;
    if (measure.smoke()) return run_beside_product(measure, rows, "tiny", 64, 160, blas);
    run_beside_product(measure, rows, "qkv", 4096, 12288, blas);
    run_beside_product(measure, rows, "o", 4096, 4096, blas);
    run_beside_product(measure, rows, "gate_up", 4096, 22016, blas);
    run_beside_product(measure, rows, "down", 11008, 4096, blas);
  } catch (const Error& error) {
    if (error.code() != std::string("device_unavailable")) throw;
    rows.leave_out("lora.beside", error.what());
  }
}

}  // namespace

void run_lora(Measure& measure, const Limits& limits, Rows& rows) {
  Shape shape = measure.smoke() ? Shape{64, 160, 8} : Shape{4096, 11008, 16};
  for (const LoraFormat format : {LoraFormat::of_inputs, LoraFormat::q8})
    for (const Popularity popularity : kPopularities)
      for (int batch = measure.smoke() ? 16 : 1; batch <= (measure.smoke() ? 16 : kBatchMax); batch *= 2) {
        shape.format = format;
        const std::vector<int> adapters = adapters_of(popularity, batch);
        run_case(measure, limits, rows, shape, name_of(popularity), adapters, std::vector<int>(static_cast<size_t>(adapters.back()) + 1, shape.rank));
      }
  shape.format = LoraFormat::of_inputs;
  run_case(measure, limits, rows, shape, "mixed_ranks", adapters_of(Popularity::distinct, 64), mixed_ranks());
  for (const int rank : {4, 8, 32, 64, 128, 256}) {
    if (measure.smoke() && rank > 8) break;
    const int batch = measure.smoke() ? 4 : 16;
    for (const LoraFormat format : {LoraFormat::of_inputs, LoraFormat::q8})
      run_case(measure, limits, rows, {shape.in, shape.out, rank, format}, "rank" + std::to_string(rank), adapters_of(Popularity::distinct, batch),
               std::vector<int>(static_cast<size_t>(batch), rank));
  }
  run_beside_products(measure, rows);
}

}  // namespace sgmv::bench
