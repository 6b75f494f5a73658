// How kernels touch memory, counted as the hardware would serve it. A warp's lanes that execute one load or store together
// make a request: of global memory it moves 32-byte sectors, of shared memory it takes a pass for each word that a bank
// has to give beyond the first. CUDA C++ Best Practices Guide, "Device Memory Accesses".
#pragma once

#include <cstddef>
#include <span>

namespace sgmv::emulator {

struct RecordedBlock {
  const void* kernel;
  size_t threads;
  std::span<const std::byte> shared;
  std::span<const std::byte> meetings;  // the emulator's own, where lanes exchange registers
};

// Blocks beyond the first few of a launch are not looked at: they do the same elsewhere.
void open_access_block(const RecordedBlock& block);
void close_access_block();

// Of an access that the compiler does not see as one. `code`: a return address.
void note_access(const void* at, size_t bytes, bool write, const void* code);

// What was recorded since the last call, of all kernels: the share of sectors that would have held what was asked for, and passes of
// shared memory for each that is needed. 1: nothing of the kind, or as good as can be.
struct Served {
  double read = 1, written = 1, passes = 1;
};
Served take_served();

// A line of numbers for each place of a kernel's code that loads or stores: scripts/access-patterns.mjs reads them.
void report_accesses();

}  // namespace sgmv::emulator
