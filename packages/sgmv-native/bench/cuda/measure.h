// Times on the device. What is measured is recorded as a graph first, as the engine runs its steps, and takes its data
// from memory and not from a cache, in one of two ways:
//   rotating  the graph does the work once for each of many copies of its data, which together are several times as large
//             as the second-level cache: what a layer of a model finds. The time of the graph is divided by their number.
//   flushed   before each run the whole cache is filled with other data. The time includes the start of a graph, which
//             measure_limits() reports by itself.
#pragma once

#include <cstdint>
#include <functional>

#include "cuda/memory.h"
#include "cuda/number.h"
#include "cuda/stream.h"

namespace sgmv::bench {

struct Times {
  double median = 0, least = 0;  // microseconds
};

class Measure {
 public:
  explicit Measure(bool smoke);

  bool smoke() const { return smoke_; }             // tiny shapes, one run: does it all work?
  int64_t cache_bytes() const { return cache_bytes_; }
  // How many copies of `bytes` a rotation takes to find none of them in the cache; at most `most`.
  int copies(int64_t bytes, int most) const;
  cudaStream_t stream() const { return stream_; }

  // issue(i) puts the work on copy i on stream(); it may be called more than once.
  Times rotating(int copies, const std::function<void(int)>& issue);
  Times flushed(const std::function<void()>& issue);
  // The same without a graph, a host's call after the other.
  Times launched(int count, const std::function<void(int)>& issue);

 private:
  Times repeat(int times_per_run, bool flush, const std::function<void()>& start);
  void fill_cache();

  bool smoke_;
  int64_t cache_bytes_ = 0;
  cuda::Stream stream_;
  cuda::DeviceArray<uint4> other_data_;
  cuda::DeviceArray<unsigned> sink_;
};

// The number at `index` of an endless random sequence: between -0.5 and 0.5, rounded to `type`. The same on the host and on
// the device, so that a result can be checked without copying its inputs.
double random_number(cuda::Number type, int64_t index);
void fill_random(cudaStream_t stream, cuda::Number type, void* at, int64_t count);
void fill_random_e4m3(cudaStream_t stream, uint8_t* at, int64_t count);  // of magnitudes below 2

}  // namespace sgmv::bench
