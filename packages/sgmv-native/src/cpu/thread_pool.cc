#include "cpu/thread_pool.h"

#include <numeric>

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

// An item belongs to the share in which its middle falls.
void share_by_cost(std::span<const int64_t> costs, std::span<int64_t> ends) {
  const auto shares = static_cast<int64_t>(ends.size()), total = std::accumulate(costs.begin(), costs.end(), int64_t{0});
  size_t item = 0;
  int64_t before = 0;
  for (int64_t share = 0; share < shares; ++share) {
    for (; item < costs.size() && (2 * before + costs[item]) * shares < 2 * total * (share + 1); ++item) before += costs[item];
    ends[static_cast<size_t>(share)] = static_cast<int64_t>(item);
  }
  ends.back() = static_cast<int64_t>(costs.size());
}

ThreadPool::ThreadPool(int threads) : threads_(threads), shares_(std::make_unique<Share[]>(static_cast<size_t>(threads))) {
  for (int share = 0; share < threads; ++share) shares_[static_cast<size_t>(share)].ticket.store(kClosed);
  try {
    workers_.reserve(static_cast<size_t>(threads));
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { work(worker); });
  } catch (...) {
    stop();  // no destructor runs for an object that was not finished
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stop_.store(true);
  wake_.fetch_add(1);
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, std::span<const int64_t> ends, Function function, const void* context) {
  if (workers_.empty() || count <= 1) {
    for (int64_t item = 0; item < count; ++item) function(context, item, 0);
    return;
  }
  const uint32_t generation = ++generation_;
  const uint64_t base = static_cast<uint64_t>(generation) << 32;
  const int shares = threads();
  // Closed first: a thread that still looks at the last loop must not pair its ticket with the new loop's fields.
  for (int share = 0; share < shares; ++share) shares_[static_cast<size_t>(share)].ticket.store(base | kClosed);
  function_.store(function, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  // The caller's own share last: the others can begin meanwhile.
  const auto end_of = [&](int share) {
    if (share < 0) return int64_t{0};
    return ends.empty() ? count * (share + 1) / shares : ends[static_cast<size_t>(share)];
  };
  for (int share = shares - 1; share >= 0; --share) {
    Share& to = shares_[static_cast<size_t>(share)];
    to.end.store(end_of(share), std::memory_order_relaxed);
    to.ticket.store(base | static_cast<uint64_t>(end_of(share - 1)));
  }
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

// Its own share first, then what the others have left.
void ThreadPool::take_items(uint32_t generation, int worker) {
  int64_t finished = 0;
  for (int i = 0; i < threads(); ++i) finished += take_share(generation, (worker + i) % threads(), worker);
  if (finished > 0) done_.fetch_add(finished, std::memory_order_release);
}

int64_t ThreadPool::take_share(uint32_t generation, int share, int worker) {
  std::atomic<uint64_t>& next = shares_[static_cast<size_t>(share)].ticket;
  int64_t finished = 0;
  uint64_t ticket = next.load();
  while (generation_of(ticket) == generation) {
    const Function function = function_.load(std::memory_order_relaxed);
    const void* context = context_.load(std::memory_order_relaxed);
    const int64_t end = shares_[static_cast<size_t>(share)].end.load(std::memory_order_relaxed);
    const auto item = static_cast<int64_t>(ticket & 0xFFFFFFFFu);
    if (item >= end || item == static_cast<int64_t>(kClosed)) break;
    if (!next.compare_exchange_weak(ticket, ticket + 1)) continue;
    function(context, item, worker);
    ++finished;
    ticket = next.load();
  }
  return finished;
}

// True when a loop other than `seen` was opened, false when the pool ends.
bool ThreadPool::wait_for_loop(uint32_t seen, int worker) {
  const auto opened = [&] {
    const uint64_t ticket = shares_[static_cast<size_t>(worker)].ticket.load();
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
  while (wait_for_loop(seen, worker)) {
    const uint64_t ticket = shares_[static_cast<size_t>(worker)].ticket.load();
    if ((ticket & 0xFFFFFFFFu) == kClosed) continue;  // the next loop is being set up
    seen = generation_of(ticket);
    take_items(seen, worker);
  }
}

}  // namespace sgmv
