// The pool by itself: every item once, by one worker at a time, in loops of all lengths, back to back and after sleeps.
#include "cpu/thread_pool.h"

#include <algorithm>
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

TEST("thread pool: shares of a caller's choice, empty ones too, are done once each") {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::mt19937 random(2);
    std::vector<int64_t> ends(static_cast<size_t>(threads));
    for (int loop = 0; loop < (kSanitized ? 100 : 1000); ++loop) {
      for (int64_t& end : ends) end = static_cast<int64_t>(random() % 40);
      std::sort(ends.begin(), ends.end());
      std::vector<int32_t> done(static_cast<size_t>(ends.back()));
      pool.parallel_for(std::span<const int64_t>(ends), [&](int64_t item, int) { done[static_cast<size_t>(item)] += 1; });
      for (const int32_t times : done) CHECK_EQUAL(times, 1);
    }
  }
}

TEST("thread pool: shares by cost") {
  const auto shared = [](std::vector<int64_t> costs, size_t shares) {
    std::vector<int64_t> ends(shares);
    share_by_cost(costs, ends);
    return ends;
  };
  using Ends = std::vector<int64_t>;
  CHECK(shared({1, 1, 1, 1}, 2) == (Ends{2, 4}));
  CHECK(shared({1, 1, 1}, 2) == (Ends{1, 3}));  // as equal numbers of items would be cut
  CHECK(shared({6, 1, 1, 1, 1, 1, 1}, 2) == (Ends{1, 7}));
  CHECK(shared({1, 1, 1, 1, 1, 1, 6}, 2) == (Ends{6, 7}));
  CHECK(shared({1, 9, 1, 1}, 3) == (Ends{1, 2, 4}));
  CHECK(shared({5}, 4) == (Ends{0, 0, 1, 1}));
  CHECK(shared({}, 2) == (Ends{0, 0}));
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
