// The pool by itself: every item once, by one worker at a time, in loops of all lengths, back to back and after sleeps.
#include "cpu/thread_pool.h"

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "check.h"

namespace sgmv::test {
namespace {

TEST("thread pool: every item is done once, and seen by the caller") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    std::mt19937 random(1);
    std::vector<int32_t> done;  // plain: the end of a loop must publish what its workers wrote
    std::vector<int64_t> by_worker(static_cast<size_t>(threads));
    int64_t total = 0;
    for (int loop = 0; loop < (kSanitized ? 300 : 3000); ++loop) {
      done.assign(random() % 70, 0);
      if (loop % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // long enough to fall asleep
      pool.parallel_for(static_cast<int64_t>(done.size()), [&](int64_t item, int worker) {
        done[static_cast<size_t>(item)] += 1;
        by_worker[static_cast<size_t>(worker)] += 1;
      });
      for (const int32_t times : done) CHECK_EQUAL(times, 1);
      total += static_cast<int64_t>(done.size());
    }
    int64_t sum = 0;
    for (const int64_t count : by_worker) sum += count;
    CHECK_EQUAL(sum, total);
  }
}

TEST("thread pool: pools come and go, used or not, from several threads at once") {
  std::atomic<int64_t> items{0};
  std::vector<std::thread> owners;
  for (int owner = 0; owner < 3; ++owner) {
    owners.emplace_back([&items, owner] {
      for (int i = 0; i < 30; ++i) {
        ThreadPool pool(1 + (owner + i) % 4);
        for (int loop = 0; loop < i % 3; ++loop) pool.parallel_for(20, [&](int64_t, int) { ++items; });
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
  CHECK_EQUAL(items.load(), int64_t{3 * 30 * 20});
}

}  // namespace
}  // namespace sgmv::test
