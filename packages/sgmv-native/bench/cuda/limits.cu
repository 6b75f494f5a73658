#include "limits.h"

#include <algorithm>

#include "cuda/launch.h"
#include "cuda/ptx.cuh"

namespace sgmv::bench {
namespace {

using namespace sgmv::cuda;

constexpr int kThreads = 512;
constexpr int kVectors = 8;  // 16-byte loads that a thread has in flight

__global__ void __launch_bounds__(kThreads) copy_kernel(const uint4* from, uint4* to) {
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kThreads * kVectors + threadIdx.x;
  uint4 held[kVectors];
#pragma unroll
  for (int i = 0; i < kVectors; ++i) held[i] = load16_once(from + begin + i * kThreads);
#pragma unroll
  for (int i = 0; i < kVectors; ++i) store16(to + begin + i * kThreads, held[i]);
}

__global__ void __launch_bounds__(kThreads) sum_kernel(const uint4* from, unsigned* sink) {
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kThreads * kVectors + threadIdx.x;
  uint4 held[kVectors];
#pragma unroll
  for (int i = 0; i < kVectors; ++i) held[i] = load16_once(from + begin + i * kThreads);
  unsigned sum = 0;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) sum += held[i].x ^ held[i].y ^ held[i].z ^ held[i].w;
  if (sum == 0x5EED) *sink = sum;
}

__global__ void nothing_kernel() {}

}  // namespace

Limits measure_limits(Measure& measure, Rows& rows) {
  const int64_t block_bytes = int64_t{kThreads} * kVectors * 16;
  const int64_t bytes = measure.smoke() ? 2 * block_bytes : (int64_t{2} << 30) / block_bytes * block_bytes;
  const dim3 grid(static_cast<unsigned>(bytes / block_bytes));
  DeviceArray<uint4> from(static_cast<size_t>(bytes) / 16), to(static_cast<size_t>(bytes) / 16);
  DeviceArray<unsigned> sink(1);
  const cudaStream_t stream = measure.stream();
  fill_random(stream, Number::bf16, from.data(), bytes / 2);

  const double copied = 2.0 * static_cast<double>(bytes);
  const double by_driver = copied / measure.launched(1, [&](int) {
    check(cudaMemcpyAsync(to.data(), from.data(), from.bytes(), cudaMemcpyDeviceToDevice, stream), "copying");
  }).median;
  const double by_kernel = copied / measure.launched(1, [&](int) { launch(stream, {grid, kThreads}, copy_kernel, from.data(), to.data()); }).median;
  const double read = static_cast<double>(bytes) / measure.launched(1, [&](int) { launch(stream, {grid, kThreads}, sum_kernel, from.data(), sink.data()); }).median;
  rows.add("limits.copy.driver", by_driver * 1e-3, "GB/s");
  rows.add("limits.copy.kernel", by_kernel * 1e-3, "GB/s");
  rows.add("limits.read", read * 1e-3, "GB/s");

  const int launches = measure.smoke() ? 4 : 1000;
  const auto issue = [&](int) { launch(stream, {dim3(1), 32}, nothing_kernel); };
  rows.add("limits.kernel_in_graph", measure.rotating(launches, issue).median, "us");
  rows.add("limits.kernel_by_call", measure.launched(launches, issue).median, "us");
  rows.add("limits.flushed_graph_of_two_kernels", measure.flushed([&] { issue(0), issue(1); }).median, "us");
  return {std::max(by_driver, by_kernel)};
}

}  // namespace sgmv::bench
