#include "grid.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

constexpr size_t kThreadsMax = 1024;  // of a block
constexpr std::byte kPoison{0xFF};    // a NaN in every type of number we use

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "emulated device: block (%u, %u, %u) thread %u: %s\n", place.block.x, place.block.y, place.block.z, place.thread.x, what);
  std::abort();
}

struct Meeting {
  alignas(kSlotBytes) std::array<std::byte[kSlotBytes], kWarpSize> slots;
};

struct Warp {
  std::array<Meeting, 2> meetings;  // in turns: nobody comes to the next but one before all have left the last
  const char* operation = nullptr;
  size_t first = 0;  // of its threads
  int arrived = 0;
  int live = 0;
  size_t meeting = 0;
};

// Copies of a thread, in groups; the last is open.
struct Copies {
  struct Copy {
    PendingCopy copy;
    int group;
  };
  std::vector<Copy> list;
  size_t finished = 0;
  int group = 0;
};

struct Thread {
  Fiber fiber;
  dim3 index;
  size_t number = 0;
  Warp* warp = nullptr;
  Copies copies;
};

enum class State : char { runs, waits, ended };

// The threads that could run when it began have a turn each, from one of them on, forwards or backwards.
struct Round {
  unsigned threads[kThreadsMax];
  size_t count = 0, turn = 0, first = 0;
  bool backwards = false;
};

struct Block {
  std::vector<std::unique_ptr<Thread>> threads;  // kept from launch to launch
  std::vector<Warp> warps;
  State states[kThreadsMax] = {};
  Round round;
  size_t count = 0;
  std::unique_ptr<std::byte[]> shared;
  int arrived = 0, live = 0;
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

// Neither the standard library nor whatever else may be instrumented: ThreadSanitizer is not to see how turns are given.
void open_block_barrier_if_all() {
  if (block.arrived < block.live) return;
  block.arrived = 0;
  for (size_t i = 0; i < block.count; ++i)
    if (block.states[i] == State::waits) block.states[i] = State::runs;
}

void begin_round() {
  Round& round = block.round;
  round.count = round.turn = 0;
  for (unsigned i = 0; i < block.count; ++i)
    if (block.states[i] == State::runs) round.threads[round.count++] = i;
  if (round.count == 0) fail("all threads wait: a barrier that some of them never reach");
  round.first = next_random() % round.count;
  round.backwards = next_random() % 2 == 0;
}

// Whose turn it is, which then is the running thread.
Thread& next_thread() {
  Round& round = block.round;
  if (round.turn == round.count) begin_round();
  const size_t at = round.first + (round.backwards ? round.count - round.turn : round.turn);
  round.turn += 1;
  Thread& thread = *block.threads[round.threads[at < round.count ? at : at - round.count]];
  block.running = &thread;
  place.thread = thread.index;
  place.lane = static_cast<int>(thread.number % kWarpSize);
  return thread;
}

// Lets the others have their turns.
void yield() {
  const Thread& self = *block.running;
  Thread& next = next_thread();
  if (&next != &self) Fiber::change_to(next.fiber);
}

void run_block(const std::function<void()>& kernel) {
  // What one block wrote, the next may read: kernels that let blocks of one launch meet are not found here.
  const std::function<Fiber*()> body = [&]() -> Fiber* {
    acquire(&block.opened);
    kernel();
    release(&block.closed);
    Thread& self = *block.running;
    block.states[self.number] = State::ended;
    self.warp->live -= 1;
    if (self.warp->arrived > 0) fail("a thread returned while others of its warp wait for it");
    if (--block.live == 0) return nullptr;
    open_block_barrier_if_all();
    return &next_thread().fiber;
  };
  release(&block.opened);
  block.arrived = 0;
  block.live = static_cast<int>(block.count);
  for (Warp& warp : block.warps) warp.arrived = warp.live = 0;
  block.round.count = block.round.turn = 0;
  for (size_t i = 0; i < block.count; ++i) {
    Thread& thread = *block.threads[i];
    block.states[i] = State::runs;
    thread.warp->live += 1;
    thread.copies.list.clear();
    thread.copies.finished = 0;
    thread.copies.group = 0;
    thread.fiber.start(&body);
  }
  next_thread().fiber.run();
  acquire(&block.closed);
}

void prepare_threads(dim3 size) {
  block.count = size_t{size.x} * size.y * size.z;
  while (block.threads.size() < block.count) block.threads.push_back(std::make_unique<Thread>());
  block.warps.resize((block.count + kWarpSize - 1) / kWarpSize);
  for (size_t i = 0; i < block.count; ++i) {
    const auto n = static_cast<unsigned>(i);
    Thread& thread = *block.threads[i];
    thread.index = {n % size.x, n / size.x % size.y, n / size.x / size.y};
    thread.number = i;
    thread.warp = &block.warps[i / kWarpSize];
    thread.warp->first = i / kWarpSize * kWarpSize;
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

void block_barrier() {
  block.states[block.running->number] = State::waits;
  block.arrived += 1;
  release(&block.arrived);
  open_block_barrier_if_all();
  yield();
  acquire(&block.arrived);
}

const std::byte (*meet_warp(const char* operation, uint32_t mask, const void* slot, size_t bytes))[kSlotBytes] {
  Thread& self = *block.running;
  Warp& warp = *self.warp;
  if (mask != 0xFFFF'FFFF || warp.live != kWarpSize) fail("only whole warps meet here");
  if (warp.arrived > 0 && warp.operation != operation && std::strcmp(warp.operation, operation) != 0) fail("the lanes of a warp came to different operations");
  warp.operation = operation;
  std::byte(*slots)[kSlotBytes] = warp.meetings[warp.meeting].slots.data();
  if (bytes > 0) std::memcpy(slots[lane()], slot, bytes);
  release(&warp);
  if (++warp.arrived == kWarpSize) {
    warp.arrived = 0;
    warp.meeting = 1 - warp.meeting;
    for (size_t i = 0; i < kWarpSize; ++i) block.states[warp.first + i] = State::runs;
  } else {
    block.states[self.number] = State::waits;
    yield();
  }
  acquire(&warp);
  return slots;
}

void note_load(const void* from, size_t bytes, const void* code) { record(from, bytes, false, code); }

void copy_later(PendingCopy copy) {
  record(copy.to, 16, true, __builtin_return_address(0));
  if (copy.from != nullptr) record(copy.from, 16, false, __builtin_return_address(0));
  std::memset(copy.to, static_cast<int>(kPoison), 16);
  Copies& copies = block.running->copies;
  copies.list.push_back({copy, copies.group});
}

void commit_copies() { block.running->copies.group += 1; }

void finish_copies(int groups_left) {
  Copies& copies = block.running->copies;
  for (; copies.finished < copies.list.size() && copies.list[copies.finished].group + groups_left < copies.group; ++copies.finished) {
    const PendingCopy& copy = copies.list[copies.finished].copy;
    copy.from == nullptr ? std::memset(copy.to, 0, 16) : std::memcpy(copy.to, copy.from, 16);
  }
}

}  // namespace sgmv::emulator
