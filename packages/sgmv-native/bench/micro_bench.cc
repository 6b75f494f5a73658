#include "micro_bench.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "attention_bench.h"
#include "best_seconds.h"
#include "layers/fused_linear.h"

namespace sgmv::bench {
namespace {

std::vector<std::byte> random_weights(DType dtype, int64_t count, std::mt19937& generator) {
  std::vector<std::byte> data(static_cast<size_t>(count / dtype_block(dtype) * dtype_block_bytes(dtype)));
  if (dtype == DType::f32) {
    std::normal_distribution<float> normal(0, 0.02f);
    for (int64_t i = 0; i < count; ++i) {
      const float value = normal(generator);
      std::memcpy(data.data() + i * 4, &value, 4);
    }
    return data;
  }
  // Random bits whose half-precision scales are small: the sign and the high exponent bits are cleared.
  for (auto& byte : data) byte = static_cast<std::byte>(generator());
  const int64_t stride = dtype_block_bytes(dtype);
  for (size_t at = 1; at < data.size(); at += static_cast<size_t>(stride)) data[at] &= std::byte{0x1F};
  if (dtype == DType::q4_1) for (size_t at = 3; at < data.size(); at += static_cast<size_t>(stride)) data[at] &= std::byte{0x1F};
  return data;
}

MicroResult bench_gemm(CpuDevice& device, WeightType compute, DType dtype, int64_t rows, int64_t out, int64_t in) {
  std::mt19937 generator(1);
  PackedMatrix weights(PackedMatrix::storage_for(std::span(&dtype, 1), in, compute), compute, out, in);
  weights.set_rows(0, out, dtype, random_weights(dtype, out * in, generator).data());
  Activations x, y;
  x.reserve(rows, in, forms_for(weights));
  y.reserve(rows, out);
  std::normal_distribution<float> normal;
  for (int64_t row = 0; row < rows; ++row) {
    std::generate_n(x.row(row), in, [&] { return normal(generator); });
    x.encode(device.kernels(), row);
  }
  const double seconds = best_seconds([&] {
    gemm(device, {&x, rows, &weights, nullptr, y.row(0), y.stride()});
  });
  constexpr const char* computes[] = {"f32", "bf16", "int8"};
  return {std::string("gemm ") + computes[static_cast<int>(compute)] + " from " + dtype_name(dtype) + " " + std::to_string(rows) + "x" + std::to_string(out) + "x" + std::to_string(in),
          seconds * 1e6, 2e-9 * double(rows) * double(out) * double(in) / seconds, double(weights.bytes()) * 1e-9 / seconds,
          computes[static_cast<int>(compute)]};
}

// Random factors of `copies` times the adapters, used in turn, so that no cache holds them between two calls.
class SgmvBench {
 public:
  SgmvBench(CpuDevice& device, LoraType type, int64_t adapters, int64_t tokens_each, int32_t rank, int32_t in, int32_t out)
      : device_(device), type_(type), adapters_(adapters), tokens_each_(tokens_each), rank_(rank), in_(in), out_(out),
        a_bytes_(packed_lora_a_bytes(type, rank, in)), b_bytes_(packed_lora_b_bytes(type, rank, out)),
        factors_((a_bytes_ + b_bytes_) * static_cast<size_t>(adapters * kCopies)),
        x_(static_cast<size_t>(tokens() * in), 1.0f), v_(static_cast<size_t>(tokens() * rank)), y_(static_cast<size_t>(tokens() * out)) {
    std::memset(factors_.data(), 0x3C, factors_.bytes());
  }

  MicroResult shrink() {
    return result("shrink", in_, a_bytes_, best_seconds([&] {
      std::vector<ShrinkSegment> segments;
      for_each([&](int64_t i, const std::byte* factors) {
        segments.push_back({i * tokens_each_, (i + 1) * tokens_each_, {factors, type_, rank_, in_}, i * tokens_each_ * rank_});
      });
      sgmv_shrink(device_, x_, in_, segments, v_);
    }));
  }

  MicroResult expand() {
    return result("expand", out_, b_bytes_, best_seconds([&] {
      std::vector<ExpandSegment> segments;
      for_each([&](int64_t i, const std::byte* factors) {
        const PackedLora b = {factors + a_bytes_, type_, rank_, out_};
        segments.push_back({i * tokens_each_, (i + 1) * tokens_each_, b, 1.0f, i * tokens_each_ * rank_, rank_, 0});
      });
      sgmv_expand(device_, v_, segments, y_, out_);
    }));
  }

 private:
  static constexpr int64_t kCopies = 40;

  int64_t tokens() const { return adapters_ * tokens_each_; }

  void for_each(const auto& body) {
    copy_ = (copy_ + 1) % kCopies;
    for (int64_t i = 0; i < adapters_; ++i) body(i, factors_.data() + (a_bytes_ + b_bytes_) * static_cast<size_t>(copy_ * adapters_ + i));
  }

  MicroResult result(const char* op, int32_t width, size_t bytes, double seconds) const {
    constexpr const char* types[] = {"f32", "f16", "bf16", "int8"};
    return {std::string(op) + " " + types[static_cast<int>(type_)] + " " + std::to_string(adapters_) + " adapters x " + std::to_string(tokens_each_) + " tokens, rank " +
                std::to_string(rank_) + ", width " + std::to_string(width),
            seconds * 1e6, 2e-9 * static_cast<double>(tokens() * rank_ * width) / seconds,
            static_cast<double>(bytes) * static_cast<double>(adapters_) * 1e-9 / seconds};
  }

  CpuDevice& device_;
  LoraType type_;
  int64_t adapters_, tokens_each_;
  int32_t rank_, in_, out_;
  size_t a_bytes_, b_bytes_;
  AlignedBuffer<std::byte> factors_;
  std::vector<float> x_, v_, y_;
  int64_t copy_ = 0;
};

}  // namespace

std::vector<MicroResult> run_micro(Device& any) {
  CpuDevice& device = as_cpu(any);
  std::vector<MicroResult> results;
  for (const WeightType compute : {WeightType::f32, WeightType::bf16, WeightType::i8})
    for (const DType dtype : {DType::f32, DType::q4_1, DType::q8_0})
      for (const int64_t rows : {1, 32, 512}) results.push_back(bench_gemm(device, compute, dtype, rows, 3072, 576));
  results.push_back(bench_gemm(device, WeightType::i8, DType::q4_1, 32, 576, 1536));
  results.push_back(bench_gemm(device, WeightType::i8, DType::q8_0, 32, 49152, 576));
  const auto add_sgmv = [&](int64_t adapters, int64_t tokens_each, int32_t rank, int32_t in, int32_t out) {
    for (const LoraType type : {LoraType::bf16, LoraType::i8}) {
      SgmvBench bench(device, type, adapters, tokens_each, rank, in, out);
      results.push_back(bench.shrink());
      results.push_back(bench.expand());
    }
  };
  add_sgmv(32, 1, 16, 576, 1536);
  add_sgmv(32, 1, 16, 1536, 576);
  add_sgmv(32, 1, 64, 576, 1536);
  add_sgmv(1, 32, 16, 576, 1536);
  add_sgmv(8, 64, 16, 576, 1536);
  for (const KvType type : {KvType::f32, KvType::f16}) {
    for (const int32_t context : {64, 192, 1024}) results.push_back(bench_attention(device, kSmolLm2, type, 32, 1, context));
    results.push_back(bench_attention(device, kSmolLm2, type, 1, 512, 512));
  }
  for (const AttentionShape& shape : {kDeepSeekV2Lite, kDeepSeekV2LiteByHeads}) {
    results.push_back(bench_attention(device, shape, KvType::f16, 4, 1, 2048));
    results.push_back(bench_attention(device, shape, KvType::f16, 1, 256, 1024));
  }
  return results;
}

}  // namespace sgmv::bench
