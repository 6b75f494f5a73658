// The loops behind the machine's limits, one file per instruction set, compiled with its flags and chosen at run time
// as the engine's kernels are.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sgmv::bench {

struct PeakLoop {
  const char* type;     // of the numbers multiplied: "f32", "bf16", "int8"
  const char* isa;      // instruction that does it
  double operations;    // multiplications and additions of one iteration
  void (*run)(int64_t iterations);  // registers only
};

struct PeakLoops {
  PeakLoop loops[3];
  int count;
  // Reads every byte once, as fast as loads go; `bytes` is a multiple of 1024. Gives a number that needs them all.
  uint64_t (*read)(const std::byte* data, size_t bytes);
};

// Only what this machine can run; no loops and a null `read` when the binary lacks them or the machine cannot.
PeakLoops peak_loops_avx512();
PeakLoops peak_loops_avx2();
PeakLoops peak_loops_portable();

}  // namespace sgmv::bench
