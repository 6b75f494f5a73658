#include <cstring>

#include "peak_loops.h"

namespace sgmv::bench {
namespace {

constexpr int kSums = 64;  // the compiler makes vectors of them

void multiply_f32(int64_t iterations) {
  volatile float source = 1e-3f;
  const float a = source, b = source;
  float sums[kSums];
  for (float& sum : sums) sum = source;  // read each time: sums that began alike could be computed once
  for (int64_t i = 0; i < iterations; ++i)
    for (int j = 0; j < kSums; ++j) sums[j] = sums[j] * a + b;
  float all = 0;
  for (const float sum : sums) all += sum;
  source = all;
}

uint64_t read_all(const std::byte* data, size_t bytes) {
  uint64_t sums[8] = {};
  for (size_t at = 0; at < bytes; at += sizeof sums) {
    uint64_t words[8];
    std::memcpy(words, data + at, sizeof words);
    for (int j = 0; j < 8; ++j) sums[j] ^= words[j];
  }
  uint64_t all = 0;
  for (const uint64_t sum : sums) all ^= sum;
  return all;
}

}  // namespace

PeakLoops peak_loops_portable() { return {{{"f32", "plain C++", kSums * 2, multiply_f32}}, 1, read_all}; }

}  // namespace sgmv::bench
