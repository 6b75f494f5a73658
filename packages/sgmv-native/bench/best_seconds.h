// The shortest of many runs: whatever else ran on the machine can only have added to a time.
#pragma once

#include <algorithm>
#include <chrono>

namespace sgmv::bench {

// Runs `body` at least 5 times, then until it has taken half a second or has run 200 times.
double best_seconds(const auto& body) {
  double best = 1e9, total = 0;
  for (int i = 0; i < 200 && (i < 5 || total < 0.5); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

}  // namespace sgmv::bench
