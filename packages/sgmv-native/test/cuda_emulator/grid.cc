#include "grid.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#if defined(SGMV_RECORD_ACCESS)
#include "access.h"
#endif
#include "fiber.h"
#if defined(SGMV_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#endif

namespace sgmv::emulator {

Place place;

namespace {

constexpr std::byte kPoison{0xFF};              // a NaN in every type of number we use

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "emulated device: block (%u, %u, %u) thread %u: %s\n", place.block.x, place.block.y, place.block.z, place.thread.x, what);
  std::abort();
}

struct Meeting {
  std::array<std::byte[kSlotBytes], kWarpSize> slots;
};

struct Warp {
  std::array<Meeting, 2> meetings;  // in turns: nobody comes to the next but one before all have left the last
  const char* operation = nullptr;
  int arrived = 0;
  int live = 0;
  uint64_t generation = 0;
};

struct Thread {
  Fiber fiber;
  dim3 index;
  Warp* warp = nullptr;
  int lane = 0;
  uint64_t waits_for_warp = 0;   // generation it must pass; 0: not waiting
  uint64_t waits_for_block = 0;
  std::deque<std::vector<PendingCopy>> copies;  // by group; the last is open
};

struct Block {
  std::vector<std::unique_ptr<Thread>> threads;  // kept from launch to launch
  std::vector<Warp> warps;
  size_t count = 0;
  std::unique_ptr<std::byte[]> shared;
  int arrived = 0, live = 0;
  uint64_t generation = 1;
  Thread* running = nullptr;
  char opened = 0, closed = 0;  // what ThreadSanitizer knows a block's begin and end by
  uint64_t random = 0x9E37'79B9'7F4A'7C15;
} block;

uint64_t next_random() {
  block.random ^= block.random << 13;
  block.random ^= block.random >> 7;
  block.random ^= block.random << 17;
  return block.random;
}

#if defined(SGMV_THREAD_SANITIZER)
void release(void* at) { __tsan_release(at); }
void acquire(void* at) { __tsan_acquire(at); }
#else
void release(void*) {}
void acquire(void*) {}
#endif

#if defined(SGMV_RECORD_ACCESS)
void open_recording(const void* kernel, size_t shared_bytes) {
  open_access_block({kernel, block.count, std::span(block.shared.get(), shared_bytes), std::as_bytes(std::span(block.warps))});
}
void close_recording() { close_access_block(); }
void record(const void* at, size_t bytes, bool write, const void* code) { note_access(at, bytes, write, code); }
#else
void open_recording(const void*, size_t) {}
void close_recording() {}
void record(const void*, size_t, bool, const void*) {}
#endif

bool can_run(const Thread& thread) {
  if (thread.fiber.done()) return false;
  if (thread.waits_for_warp != 0) return thread.warp->generation >= thread.waits_for_warp;
  return thread.waits_for_block == 0 || block.generation > thread.waits_for_block;
}

void open_block_barrier_if_all() {
  if (block.live == 0 || block.arrived < block.live) return;
  block.arrived = 0;
  block.generation += 1;
}

void run(Thread& thread) {
  block.running = &thread;
  place.thread = thread.index;
  thread.waits_for_warp = thread.waits_for_block = 0;
  thread.fiber.resume();
  if (!thread.fiber.done()) return;
  block.live -= 1;
  thread.warp->live -= 1;
  if (thread.warp->arrived > 0) fail("a thread returned while others of its warp wait for it");
  open_block_barrier_if_all();
}

void run_block(const std::function<void()>& kernel) {
  // What one block wrote, the next may read: kernels that let blocks of one launch meet are not found here.
  const std::function<void()> body = [&] {
    acquire(&block.opened);
    block.running->copies.assign(1, {});
    kernel();
    release(&block.closed);
  };
  release(&block.opened);
  block.arrived = 0;
  block.live = static_cast<int>(block.count);
  for (Warp& warp : block.warps) warp.arrived = warp.live = 0;
  for (size_t i = 0; i < block.count; ++i) {
    Thread& thread = *block.threads[i];
    thread.warp = &block.warps[i / kWarpSize];
    thread.warp->live += 1;
    thread.waits_for_warp = thread.waits_for_block = 0;
    thread.fiber.start(&body);
  }
  std::vector<size_t> runnable;
  for (size_t done = 0; done < block.count;) {
    runnable.clear();
    for (size_t i = 0; i < block.count; ++i)
      if (can_run(*block.threads[i])) runnable.push_back(i);
    if (runnable.empty()) fail("all threads wait: a barrier that some of them never reach");
    // All that can run do so once, from a random one on, forwards or backwards.
    const size_t from = next_random() % runnable.size();
    const bool backwards = next_random() % 2 == 0;
    for (size_t i = 0; i < runnable.size(); ++i) {
      const size_t at = (from + (backwards ? runnable.size() - i : i)) % runnable.size();
      Thread& thread = *block.threads[runnable[at]];
      run(thread);
      if (thread.fiber.done()) done += 1;
    }
  }
  acquire(&block.closed);
}

void prepare_threads(dim3 size) {
  block.count = size_t{size.x} * size.y * size.z;
  while (block.threads.size() < block.count) block.threads.push_back(std::make_unique<Thread>());
  block.warps.resize((block.count + kWarpSize - 1) / kWarpSize);
  for (size_t i = 0; i < block.count; ++i) {
    const auto n = static_cast<unsigned>(i);
    block.threads[i]->index = {n % size.x, n / size.x % size.y, n / size.x / size.y};
    block.threads[i]->lane = static_cast<int>(i % kWarpSize);
  }
}

}  // namespace

void run_grid(const void* kernel, dim3 grid, dim3 size, size_t shared_bytes, const std::function<void()>& body) {
  static const bool seeded = [] {
    if (const char* seed = std::getenv("SGMV_EMULATOR_SEED")) block.random ^= std::strtoull(seed, nullptr, 10);
    return true;
  }();
  static_cast<void>(seeded);
  prepare_threads(size);
  place.block_size = size;
  place.grid_size = grid;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        place.block = {x, y, z};
        block.shared.reset(new std::byte[shared_bytes]);
        std::memset(block.shared.get(), static_cast<int>(kPoison), shared_bytes);
        open_recording(kernel, shared_bytes);
        run_block(body);
        close_recording();
      }
}

std::byte* shared_memory() { return block.shared.get(); }
int lane() { return block.running->lane; }

void block_barrier() {
  Thread& self = *block.running;
  self.waits_for_block = block.generation;
  block.arrived += 1;
  release(&block.arrived);
  open_block_barrier_if_all();
  Fiber::yield();
  acquire(&block.arrived);
}

const std::byte (*meet_warp(const char* operation, uint32_t mask, const void* slot, size_t bytes))[kSlotBytes] {
  Thread& self = *block.running;
  Warp& warp = *self.warp;
  if (mask != 0xFFFF'FFFF || warp.live != kWarpSize) fail("only whole warps meet here");
  if (warp.arrived > 0 && std::strcmp(warp.operation, operation) != 0) fail("the lanes of a warp came to different operations");
  warp.operation = operation;
  const uint64_t generation = warp.generation;
  std::byte(*slots)[kSlotBytes] = warp.meetings[generation % 2].slots.data();
  if (bytes > 0) std::memcpy(slots[self.lane], slot, bytes);
  release(&warp);
  if (++warp.arrived == kWarpSize) {
    warp.arrived = 0;
    warp.generation += 1;
  } else {
    self.waits_for_warp = generation + 1;
    Fiber::yield();
  }
  acquire(&warp);
  return slots;
}

void note_load(const void* from, size_t bytes, const void* code) { record(from, bytes, false, code); }

void copy_later(PendingCopy copy) {
  record(copy.to, 16, true, __builtin_return_address(0));
  if (copy.from != nullptr) record(copy.from, 16, false, __builtin_return_address(0));
  std::memset(copy.to, static_cast<int>(kPoison), 16);
  block.running->copies.back().push_back(copy);
}

void commit_copies() { block.running->copies.emplace_back(); }

void finish_copies(int groups_left) {
  auto& groups = block.running->copies;
  while (groups.size() > static_cast<size_t>(groups_left) + 1) {
    for (const PendingCopy& copy : groups.front())
      copy.from == nullptr ? std::memset(copy.to, 0, 16) : std::memcpy(copy.to, copy.from, 16);
    groups.pop_front();
  }
}

}  // namespace sgmv::emulator
