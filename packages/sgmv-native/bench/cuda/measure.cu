#include "measure.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cuda/launch.h"
#include "cuda/numbers.cuh"
#include "formats/dtype.h"

namespace sgmv::bench {
namespace {

using namespace sgmv::cuda;

constexpr int kWarmups = 3;
constexpr int kRuns = 15;
constexpr int kThreads = 256;
constexpr int kCacheTimes = 4;  // what is read between runs, or rotated through, in caches

class TimedEvent {
 public:
  TimedEvent() { check(cudaEventCreateWithFlags(&event_, cudaEventDefault), "creating an event"); }
  ~TimedEvent() { cudaEventDestroy(event_); }
  TimedEvent(const TimedEvent&) = delete;
  TimedEvent& operator=(const TimedEvent&) = delete;
  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "recording an event"); }
  double microseconds_since(const TimedEvent& begin) const {
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin.event_, event_), "reading a time");
    return 1e3 * static_cast<double>(ms);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// A cache full of clean lines: writing would leave work for whoever comes next.
__global__ void __launch_bounds__(kThreads) read_kernel(const uint4* from, int64_t count, unsigned* sink) {
  unsigned sum = 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const uint4 v = load16(from + i);
    sum += v.x ^ v.y ^ v.z ^ v.w;
  }
  if (sum == 0x5EED) *sink = sum;  // almost never, but the compiler cannot know
}

__host__ __device__ inline uint64_t random_bits(int64_t index) {
  uint64_t z = static_cast<uint64_t>(index) * 0x9E37'79B9'7F4A'7C15u + 0x1234'5678'9ABC'DEF0u;
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9u;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBu;
  return z ^ (z >> 31);
}

__host__ __device__ inline float random_float(int64_t index) { return static_cast<float>(random_bits(index) >> 40) * 0x1p-24f - 0.5f; }

template <typename T>
__global__ void __launch_bounds__(kThreads) random_kernel(T* at, int64_t count) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) at[i] = from_float<T>(random_float(i));
}

__global__ void __launch_bounds__(kThreads) random_e4m3_kernel(uint8_t* at, int64_t count) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  // Without the highest bit of the exponent, which all NaNs have.
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) at[i] = static_cast<uint8_t>(random_bits(i) & 0xBF);
}

dim3 grid_for(int64_t items) { return dim3(static_cast<unsigned>(std::clamp<int64_t>((items + kThreads - 1) / kThreads, 1, 4096))); }

}  // namespace

Measure::Measure(bool smoke) : smoke_(smoke), sink_(1) {
  cudaDeviceProp device;
  check(cudaGetDeviceProperties(&device, 0), "asking for the device's properties");
  cache_bytes_ = smoke ? 1 << 12 : std::max<int64_t>(device.l2CacheSize, 1 << 20);
  other_data_.reserve(static_cast<size_t>(kCacheTimes * cache_bytes_) / sizeof(uint4));
  check(cudaMemset(other_data_.data(), 1, other_data_.bytes()), "filling memory");
}

int Measure::copies(int64_t bytes, int most) const {
  return static_cast<int>(std::clamp<int64_t>((kCacheTimes * cache_bytes_ + bytes - 1) / bytes, 2, std::max(most, 2)));
}

void Measure::fill_cache() {
  const auto count = static_cast<int64_t>(other_data_.size());
  launch(stream_, {grid_for(count), kThreads}, read_kernel, other_data_.data(), count, sink_.data());
}

Times Measure::repeat(int times_per_run, bool flush, const std::function<void()>& start) {
  std::vector<double> found;
  const int warmups = smoke_ ? 1 : kWarmups, runs = smoke_ ? 2 : kRuns;
  for (int i = 0; i < warmups + runs; ++i) {
    TimedEvent begin, end;
    if (flush) fill_cache();
    begin.record(stream_);
    start();
    end.record(stream_);
    stream_.synchronize();
    if (i >= warmups) found.push_back(end.microseconds_since(begin) / times_per_run);
  }
  std::sort(found.begin(), found.end());
  return {found[found.size() / 2], found.front()};
}

// What is recorded was issued before: a kernel's first launch may have to load it, which is no work for a graph.
Times Measure::rotating(int copies, const std::function<void(int)>& issue) {
  issue(0);
  const Graph graph = Graph::record(stream_, [&] {
    for (int i = 0; i < copies; ++i) issue(i);
  });
  return repeat(copies, true, [&] { graph.launch(stream_); });  // so that the start is queued before its turn comes
}

Times Measure::flushed(const std::function<void()>& issue) {
  issue();
  const Graph graph = Graph::record(stream_, issue);
  return repeat(1, true, [&] { graph.launch(stream_); });
}

Times Measure::launched(int count, const std::function<void(int)>& issue) {
  return repeat(count, false, [&] {
    for (int i = 0; i < count; ++i) issue(i);
  });
}

double random_number(Number type, int64_t index) {
  const float value = random_float(index);
  switch (type) {
    case Number::f16: return f16_to_float(float_to_f16(value));
    case Number::bf16: return bf16_to_float(float_to_bf16(value));
    case Number::f32: break;
  }
  return value;
}

void fill_random(cudaStream_t stream, Number type, void* at, int64_t count) {
  dispatch(type, [&](auto number) {
    using T = decltype(number);
    launch(stream, {grid_for(count), kThreads}, random_kernel<T>, static_cast<T*>(at), count);
  });
}

void fill_random_e4m3(cudaStream_t stream, uint8_t* at, int64_t count) {
  launch(stream, {grid_for(count), kThreads}, random_e4m3_kernel, at, count);
}

}  // namespace sgmv::bench
