// The device that tests run on: barriers, shuffles, products of fragments, order of work on streams.
#include <numeric>

#include "cuda/device_range.h"
#include "cuda/device_test.h"
#include "cuda/launch.h"
#include "cuda/numbers.cuh"
#include "cuda/stream.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

__global__ void sum_kernel(const float* in, int count, float* out) {
  auto* shared = reinterpret_cast<float*>(dynamic_shared());
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) sum += in[blockIdx.x * static_cast<unsigned>(count) + static_cast<unsigned>(i)];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xFFFFFFFF, sum, step);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0;
    for (unsigned w = 0; w < blockDim.x / 32; ++w) total += shared[w];
    out[blockIdx.x] = total;
  }
}

TEST("device: blocks sum rows through shuffles, shared memory and a barrier") {
  std::vector<float> values(3 * 1000);
  std::iota(values.begin(), values.end(), 0.0f);
  const auto in = on_device(values);
  auto out = poisoned<float>(3);
  launch(nullptr, {dim3(3), 128, 4 * sizeof(float)}, sum_kernel, in.data(), 1000, out.data());
  const std::vector<float> found = from_device(out);
  for (size_t row = 0; row < 3; ++row) CHECK_EQUAL(found[row], std::accumulate(values.begin() + static_cast<long>(row) * 1000, values.begin() + static_cast<long>(row + 1) * 1000, 0.0f));
}

template <typename T>
__global__ void product_kernel(const uint16_t* a, const uint16_t* b, float* d) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  auto* shared = reinterpret_cast<uint16_t*>(dynamic_shared());  // a [16, 16]
  copy_async_16(shared + threadIdx.x * 8, a + threadIdx.x * 8, true);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
  uint32_t fragment[4], of_b[2];
  ldmatrix_x4(fragment, shared + (threadIdx.x % 16) * 16 + threadIdx.x / 16 * 8);
  for (int i = 0; i < 2; ++i) of_b[i] = b[(2 * t + 8 * i) * 8 + g] | static_cast<uint32_t>(b[(2 * t + 1 + 8 * i) * 8 + g]) << 16;
  float sums[4] = {};
  mma_m16n8k16<T>(sums, fragment, of_b);
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums[i];
}

template <typename T>
void check_product(Number type) {
  std::vector<float> a(256), b(128);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(static_cast<int>(i * 37 % 64) - 32);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(static_cast<int>(i * 11 % 32) - 16);
  const auto da = on_device(rows_of(type, a, 16, 16)), db = on_device(rows_of(type, b, 8, 8));
  auto d = poisoned<float>(128);
  launch(nullptr, {dim3(1), 32, 512}, product_kernel<T>, reinterpret_cast<const uint16_t*>(da.data()), reinterpret_cast<const uint16_t*>(db.data()), d.data());
  const std::vector<float> found = from_device(d);
  for (size_t m = 0; m < 16; ++m)
    for (size_t n = 0; n < 8; ++n) {
      float expected = 0;
      for (size_t k = 0; k < 16; ++k) expected += a[m * 16 + k] * b[k * 8 + n];
      CHECK_EQUAL(found[m * 8 + n], expected);
    }
}

TEST("device: a warp's matrix product, whole numbers are exact") {
  check_product<bf16>(Number::bf16);
  check_product<f16>(Number::f16);
}

__global__ void add_kernel(int* value, int by) { *value += by; }

TEST("device: a graph over two streams does again what was recorded") {
  auto value = on_device(std::vector<int>{1});
  Stream main, side;
  Event forked, joined;
  const Graph graph = Graph::record(main, [&] {
    launch(main, {dim3(1), 1}, add_kernel, value.data(), 10);
    forked.record(main);
    forked.hold_back(side);
    launch(side, {dim3(1), 1}, add_kernel, value.data(), 100);
    joined.record(side);
    joined.hold_back(main);
    launch(main, {dim3(1), 1}, add_kernel, value.data(), 1000);
  });
  CHECK_EQUAL(from_device(value)[0], 1);
  graph.launch(main);
  graph.launch(main);
  main.synchronize();
  CHECK_EQUAL(from_device(value)[0], 2221);
}

TEST("device: a recording in which memory is asked for, or of which a stream stays behind, is an error and leaves none") {
  auto value = on_device(std::vector<int>{1});
  Stream main, side;
  Event forked;
  const auto add = [&](cudaStream_t stream) { launch(stream, {dim3(1), 1}, add_kernel, value.data(), 10); };
  CHECK_THROWS(Graph::record(main, [&] { DeviceArray<int> more(1); }), Error, "allocating device memory");
  CHECK_THROWS(Graph::record(main, [&] {
    forked.record(main);
    forked.hold_back(side);
    add(side);
  }), Error, "recording a graph");
  Graph::record(main, [&] { add(main); }).launch(main);
  CHECK_EQUAL(from_device(value)[0], 11);
}

TEST("device: launches of more than a block or a grid may have are errors") {
  auto value = on_device(std::vector<int>{1});
  const Stream stream;
  for (const Shape& shape : {Shape{dim3(1), 1025}, Shape{dim3(1), 0}, Shape{dim3(0), 32}, Shape{dim3(1, 65536), 32}, Shape{dim3(1, 1, 65536), 32}, Shape{dim3(1), 32, kSharedBytesMax + 16}})
    CHECK_THROWS(launch(stream, shape, add_kernel, value.data(), 10), Error, "starting a kernel");
  launch(stream, {dim3(1), 1, kSharedBytesMax}, add_kernel, value.data(), 10);
  CHECK_EQUAL(from_device(value)[0], 11);
}

TEST("device: memory it does not have is an error with a code") {
  try {
    const DeviceArray<std::byte> all(size_t{1} << 50);
    CHECK(false, "a petabyte was there");
  } catch (const Error& error) {
    CHECK_EQUAL(error.code(), std::string("out_of_memory"));
  }
}

TEST("device: a range has addresses for more than there is memory, and memory where it was given") {
  const size_t piece = DeviceRange::granularity(0);
  if (piece == 0) throw Skip("no virtual memory management");
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for the device's memory");
  const size_t last = total / piece * 2 * piece;
  DeviceRange range(0, last + piece);
  for (int i = 1; i <= 2; ++i) {
    range.map(last - piece, 2 * piece);
    check(cudaMemset(range.data() + last, i, piece), "writing to a range");
    std::byte found{};
    check(cudaMemcpy(&found, range.data() + last + piece - 1, 1, cudaMemcpyDeviceToHost), "reading from a range");
    CHECK_EQUAL(static_cast<int>(found), i);
    range.unmap(last - piece);
  }
  CHECK_THROWS(range.map(0, last), Error, "allocating device memory");
  range.map(0, piece);
}

}  // namespace
}  // namespace sgmv::test
