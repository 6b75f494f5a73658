// One kernel launch, block by block: the threads of a block take turns in an order that a seed decides, so that code that
// relies on an order no barrier gives it fails sooner or later. One launch at a time in the whole process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

namespace sgmv::emulator {

// What the built-in variables of a kernel are to the thread that runs, and its lane.
struct Place {
  dim3 thread, block, block_size, grid_size;
  int lane = 0;
};
extern Place place;

inline constexpr int kWarpSize = 32;
inline constexpr size_t kSlotBytes = 64;

// Of a block: without asking, and at most. The least of all devices that the kernels are for, which 8.6 and 8.9 have.
inline constexpr size_t kSharedBytesDefault = size_t{48} << 10, kSharedBytesMax = size_t{99} << 10;

// A launch that check_launch() has let pass. `body` calls the kernel.
void run_grid(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body);

std::byte* shared_memory();  // of the running block, as many bytes as the launch asked for
inline int lane() { return place.lane; }

void block_barrier();
// Meets the other lanes of the warp, all of which must come to the same `operation` and mask; `slot` is what this lane
// brings. The result gives every lane's slot and holds until this lane's next meeting.
const std::byte (*meet_warp(const char* operation, uint32_t mask, const void* slot, size_t bytes))[kSlotBytes];

// Of what is counted (access.h), a load that the compiler does not see as one of the running thread's.
void note_load(const void* from, size_t bytes, const void* code);

// Runs at the end of the running thread's life or, with a barrier of its own kind, earlier: see copy_async in ptx.cuh.
struct PendingCopy {
  void* to;
  const void* from;  // null: zeros
};
void copy_later(PendingCopy copy);
void commit_copies();
void finish_copies(int groups_left);

}  // namespace sgmv::emulator
