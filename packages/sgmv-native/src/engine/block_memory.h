// Where the block manager's memory comes from: a bound that it shares with adapters (AdapterTable).
#pragma once

#include <chrono>
#include <cstddef>

namespace sgmv {

// All calls are the engine thread's.
class BlockMemory {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~BlockMemory() = default;
  // Bytes for more blocks. `idle_since`: adapters that nobody has used since before then may go for them. False: there
  // is no room, and nothing was taken.
  virtual bool take(size_t bytes, TimePoint idle_since) noexcept = 0;
  virtual void give(size_t bytes) noexcept = 0;
  // Bytes that are wanted back.
  virtual size_t wanted() const noexcept = 0;
  // To be told since when the blocks that could be given back first have been idle; max() where there are none.
  virtual void tell_idle(TimePoint since) noexcept = 0;
};

}  // namespace sgmv
