#include "limits.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>

#include "cpu/cpu_device.h"
#include "peak_loops.h"

namespace sgmv::bench {
namespace {

constexpr size_t kReadBytes = size_t{1} << 29;  // of all threads together; more than any cache that matters

// The middle of several: on a machine that is shared or changes its clock, the best moment is not one that lasts as
// long as a step does, and the floor of a step is computed from this.
double median_seconds(const auto& body) {
  std::array<double, 9> seconds;
  for (double& one : seconds) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    one = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
  return seconds[seconds.size() / 2];
}

double gigaops_of(CpuDevice& device, const PeakLoop& loop) {
  constexpr int64_t kIterations = 2'000'000;
  const double seconds = median_seconds([&] {
    device.pool().parallel_for(device.threads(), [&](int64_t, int) { loop.run(kIterations); });
  });
  return loop.operations * static_cast<double>(kIterations) * device.threads() * 1e-9 / seconds;
}

double read_gigabytes(CpuDevice& device, uint64_t (*read)(const std::byte*, size_t)) {
  const auto threads = static_cast<size_t>(device.threads());
  const size_t part = kReadBytes / threads / 1024 * 1024;
  AlignedBuffer<std::byte> data(part * threads);
  std::memset(data.data(), 1, data.bytes());
  std::atomic<uint64_t> sum{0};
  const double seconds = median_seconds([&] {
    device.pool().parallel_for(device.threads(), [&](int64_t i, int) { sum += read(data.data() + static_cast<size_t>(i) * part, part); });
  });
  return static_cast<double>(part * threads) * 1e-9 / seconds;
}

}  // namespace

double Limits::gigaops(const std::string& type) const {
  double f32 = 0;
  for (const Peak& peak : peaks) {
    if (peak.type == type) return peak.gigaops;
    if (peak.type == "f32") f32 = peak.gigaops;
  }
  return f32;
}

Limits measure_limits(Device& any) {
  CpuDevice& device = as_cpu(any);
  Limits limits;
  for (const PeakLoops& set : {peak_loops_avx512(), peak_loops_avx2(), peak_loops_portable()}) {
    if (set.read == nullptr) continue;
    limits.read_gigabytes = std::max(limits.read_gigabytes, read_gigabytes(device, set.read));
    for (int i = 0; i < set.count; ++i) {
      const Peak peak{set.loops[i].type, set.loops[i].isa, gigaops_of(device, set.loops[i])};
      const auto same = std::find_if(limits.peaks.begin(), limits.peaks.end(), [&](const Peak& p) { return p.type == peak.type; });
      if (same == limits.peaks.end()) limits.peaks.push_back(peak);
      else if (same->gigaops < peak.gigaops) *same = peak;
    }
  }
  return limits;
}

}  // namespace sgmv::bench
