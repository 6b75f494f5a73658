#include "cpu/thread_pool.h"

namespace sgmv {
namespace {

constexpr uint64_t kClosed = 0xFFFFFFFFu;  // an item number no loop has: nothing can be claimed
constexpr int kSpins = 3000;               // about 50 µs: longer than the gap between two loops of a step

uint32_t generation_of(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 32); }

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  ticket_.store(kClosed);
  for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { work(worker); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  wake_.fetch_add(1);
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, Function function, const void* context) {
  if (workers_.empty() || count <= 1) {
    for (int64_t item = 0; item < count; ++item) function(context, item, 0);
    return;
  }
  const uint32_t generation = generation_of(ticket_.load(std::memory_order_relaxed)) + 1;
  const uint64_t base = static_cast<uint64_t>(generation) << 32;
  // Closed first: a thread that still looks at the last loop must not pair its ticket with the new loop's fields.
  ticket_.store(base | kClosed);
  function_.store(function, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  count_.store(count, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  ticket_.store(base);
  if (sleepers_.load() > 0) {
    wake_.fetch_add(1);
    wake_.notify_all();
  }
  take_items(generation, 0);
  for (int spin = 0; done_.load(std::memory_order_acquire) < count; ++spin) {
    if (spin < kSpins) relax();
    else std::this_thread::yield();  // a worker was descheduled in the middle of an item
  }
}

void ThreadPool::take_items(uint32_t generation, int worker) {
  int64_t finished = 0;
  uint64_t ticket = ticket_.load();
  while (generation_of(ticket) == generation) {
    const Function function = function_.load(std::memory_order_relaxed);
    const void* context = context_.load(std::memory_order_relaxed);
    const int64_t count = count_.load(std::memory_order_relaxed);
    const auto item = static_cast<int64_t>(ticket & 0xFFFFFFFFu);
    if (item >= count || item == static_cast<int64_t>(kClosed)) break;
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1)) continue;
    function(context, item, worker);
    ++finished;
    ticket = ticket_.load();
  }
  if (finished > 0) done_.fetch_add(finished, std::memory_order_release);
}

// True when a loop other than `seen` was opened, false when the pool ends.
bool ThreadPool::wait_for_loop(uint32_t seen) {
  const auto opened = [&] {
    const uint64_t ticket = ticket_.load();
    return generation_of(ticket) != seen && (ticket & 0xFFFFFFFFu) != kClosed;
  };
  while (!stop_.load()) {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (opened()) return true;
      relax();
    }
    const uint32_t wake = wake_.load();
    sleepers_.fetch_add(1);
    if (!opened() && !stop_.load()) wake_.wait(wake);
    sleepers_.fetch_sub(1);
  }
  return false;
}

void ThreadPool::work(int worker) {
  uint32_t seen = 0;
  while (wait_for_loop(seen)) {
    const uint64_t ticket = ticket_.load();
    if ((ticket & 0xFFFFFFFFu) == kClosed) continue;  // the next loop is being set up
    seen = generation_of(ticket);
    take_items(seen, worker);
  }
}

}  // namespace sgmv
