#include "micro_bench.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "layers/fused_linear.h"

namespace sgmv::bench {
namespace {

using Clock = std::chrono::steady_clock;

template <typename Body>
double best_seconds(Body body) {
  double best = 1e9, total = 0;
  for (int i = 0; i < 200 && (i < 5 || total < 0.5); ++i) {
    const auto begin = Clock::now();
    body();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

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
  constexpr const char* computes[] = {"f32", "bf16", "i8"};
  return {std::string("gemm ") + computes[static_cast<int>(compute)] + " from " + dtype_name(dtype) + " " + std::to_string(rows) + "x" + std::to_string(out) + "x" + std::to_string(in),
          seconds * 1e6, 2e-9 * double(rows) * double(out) * double(in) / seconds, double(weights.bytes()) * 1e-9 / seconds};
}

// `adapters` segments of one token each, more factors in turn than a cache holds.
MicroResult bench_sgmv(CpuDevice& device, int64_t adapters, int64_t tokens_each, int32_t rank, int32_t in, int32_t out) {
  const int64_t copies = 40;
  const size_t a_bytes = packed_lora_a_bytes(LoraType::bf16, rank, in), b_bytes = packed_lora_b_bytes(LoraType::bf16, rank, out);
  AlignedBuffer<std::byte> data((a_bytes + b_bytes) * static_cast<size_t>(adapters * copies));
  std::memset(data.data(), 0x3C, data.bytes());
  const int64_t tokens = adapters * tokens_each;
  std::vector<float> x(static_cast<size_t>(tokens * in), 1.0f), v(static_cast<size_t>(tokens * rank)), y(static_cast<size_t>(tokens * out));
  int64_t copy = 0;
  const double seconds = best_seconds([&] {
    std::vector<ShrinkSegment> shrinks;
    std::vector<ExpandSegment> expands;
    for (int64_t i = 0; i < adapters; ++i) {
      const std::byte* a = data.data() + (a_bytes + b_bytes) * static_cast<size_t>(copy * adapters + i);
      shrinks.push_back({i * tokens_each, (i + 1) * tokens_each, {a, LoraType::bf16, rank, in}, i * tokens_each * rank});
      expands.push_back({i * tokens_each, (i + 1) * tokens_each, {a + a_bytes, LoraType::bf16, rank, out}, 1.0f, i * tokens_each * rank, rank, 0});
    }
    copy = (copy + 1) % copies;
    sgmv_shrink(device, x, in, shrinks, v);
    sgmv_expand(device, v, expands, y, out);
  });
  return {"sgmv " + std::to_string(adapters) + " adapters x " + std::to_string(tokens_each) + " tokens, rank " + std::to_string(rank) + ", " +
              std::to_string(in) + " to " + std::to_string(out),
          seconds * 1e6, 2e-9 * double(tokens) * rank * (in + out) / seconds, double((a_bytes + b_bytes) * static_cast<size_t>(adapters)) * 1e-9 / seconds};
}

}  // namespace

std::vector<MicroResult> run_micro(Device& any) {
  CpuDevice& device = as_cpu(any);
  std::vector<MicroResult> results;
  for (const WeightType compute : {WeightType::f32, WeightType::bf16, WeightType::i8})
    for (const DType dtype : {DType::f32, DType::q4_1, DType::q8_0})
      for (const int64_t rows : {1, 32, 512}) results.push_back(bench_gemm(device, compute, dtype, rows, 3072, 576));
  results.push_back(bench_gemm(device, WeightType::i8, DType::q4_1, 32, 576, 1536));
  results.push_back(bench_gemm(device, WeightType::i8, DType::q8_0, 32, 49152, 576));
  results.push_back(bench_sgmv(device, 32, 1, 16, 576, 576));
  results.push_back(bench_sgmv(device, 32, 1, 16, 1536, 576));
  results.push_back(bench_sgmv(device, 32, 1, 64, 576, 1536));
  results.push_back(bench_sgmv(device, 1, 32, 16, 576, 576));
  results.push_back(bench_sgmv(device, 8, 64, 16, 576, 1536));
  return results;
}

}  // namespace sgmv::bench
