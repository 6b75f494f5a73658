// A fixed set of threads that run short loops. A step has hundreds of such loops, each some tens of microseconds
// long, so waiting threads spin for a moment before they sleep, and a loop ends when its items are done, not when
// every thread has noticed it.
//
// Each thread begins with its own share of the items, the same one in every loop of that length, and helps the others
// when it is done: what it wrote in one loop is still in its cache in the next, and a claim touches no other thread's
// cache line, which can be as slow as memory. Shares have equal numbers of items, or what the caller says.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace sgmv {

// Cuts items into ends.size() shares that cost about the same: share i gets the items up to ends[i].
void share_by_cost(std::span<const int64_t> costs, std::span<int64_t> ends);

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // the calling thread is one of them
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls body(item, worker) for each item in [0, count), in parallel, and returns when all are done. `worker` is in
  // [0, threads()) and no two running calls share it. The body must not throw. One caller at a time.
  template <typename Body>
  void parallel_for(int64_t count, const Body& body) {
    const Alone<Body> alone{body};
    run(count, {}, call<Body>, &alone);
  }
  // Items [0, ends.back()), of which each thread begins with a share that ends where `ends` [threads] says.
  template <typename Body>
  void parallel_for(std::span<const int64_t> ends, const Body& body) {
    const Alone<Body> alone{body};
    run(ends.back(), ends, call<Body>, &alone);
  }

 private:
  using Function = void (*)(const void* context, int64_t item, int worker);

  // What a body has captured, on cache lines of its own: the others read it for every item, while this thread writes the
  // rest of its stack.
  template <typename Body>
  struct alignas(64) Alone {
    Body body;
  };
  template <typename Body>
  static void call(const void* context, int64_t item, int worker) {
    static_cast<const Alone<Body>*>(context)->body(item, worker);
  }

  // One thread's share of a loop. Generation of the loop in the high half, the next item in the low half: an item can
  // only be claimed together with the loop it belongs to.
  struct alignas(64) Share {
    std::atomic<uint64_t> ticket{0};
    std::atomic<int64_t> end{0};
  };

  void run(int64_t count, std::span<const int64_t> ends, Function function, const void* context);
  void work(int worker);
  void stop();
  void take_items(uint32_t generation, int worker);
  int64_t take_share(uint32_t generation, int share, int worker);
  bool wait_for_loop(uint32_t seen, int worker);

  const int threads_;
  std::unique_ptr<Share[]> shares_;  // [threads]
  uint32_t generation_ = 0;          // the caller's
  alignas(64) std::atomic<int64_t> done_{0};
  alignas(64) std::atomic<Function> function_{nullptr};
  std::atomic<const void*> context_{nullptr};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<uint32_t> wake_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace sgmv
