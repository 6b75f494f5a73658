// Adapters resident by name, counted in bytes, under a bound that they share with the blocks of the KV cache. Loading
// happens on threads of the table's own.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "block_memory.h"
#include "sgmv/adapter.h"
#include "sgmv/distribution.h"
#include "sgmv/engine.h"

namespace sgmv {

class AdapterTable;

// A resident adapter. Guarded by the table's mutex, except `adapter` and `serial`, which never change.
struct AdapterEntry {
  std::string name;
  std::shared_ptr<const Adapter> adapter;
  uint64_t serial = 0;     // 1, 2, …: a stable order for grouping a batch by adapter
  std::chrono::steady_clock::time_point last_used;
  int32_t pins = 0;
  // Until then it is not dropped for another: whoever loaded it is about to use it.
  std::chrono::steady_clock::time_point grace_end;
  bool listed = true;  // false: unloaded by name, kept for the requests that still use it
};

// What the table did since it was made.
struct AdapterTraffic {
  // Of those that became resident; bounds from a small file in memory's cache to a slow disk and a wait for room.
  Distribution load_seconds{{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120}};
  int64_t loads_failed = 0;
  int64_t evicted = 0;  // dropped to make room
};

// Keeps an adapter resident. Empty for the base model. Must not outlive the table.
class AdapterPin {
 public:
  AdapterPin() = default;
  AdapterPin(AdapterTable* table, std::shared_ptr<AdapterEntry> entry);
  AdapterPin(AdapterPin&& other) noexcept;
  AdapterPin& operator=(AdapterPin&& other) noexcept;
  ~AdapterPin() { reset(); }

  AdapterPin copy() const;  // pins the same once more
  void reset() noexcept;
  const Adapter* adapter() const { return entry_ ? entry_->adapter.get() : nullptr; }
  uint64_t serial() const { return entry_ ? entry_->serial : 0; }

 private:
  AdapterTable* table_ = nullptr;
  std::shared_ptr<AdapterEntry> entry_;
};

// Bytes of adapters and blocks together. Adapters never take so much that less than `blocks_min` is left, so a request
// whose blocks fit into that can always run.
struct MemoryBounds {
  size_t total = 0;
  size_t adapters_max = 0;  // at most total - blocks_min
  size_t blocks_min = 0;
};

// Of both, what has been idle longest goes first, whether an adapter or blocks are to have its place. The table drops
// adapters itself; blocks it asks for, and the engine's thread gives them back between two steps. While a load waits for
// its bytes, blocks take none beyond blocks_min.
class AdapterTable final : public BlockMemory {
 public:
  using Loader = std::function<std::shared_ptr<const Adapter>(const std::filesystem::path&)>;

  // `ask_blocks`: called, from any thread, when bytes are wanted() from blocks. Must not call the table.
  AdapterTable(Loader loader, MemoryBounds bounds, std::function<void()> ask_blocks)
      : loader_(std::move(loader)), bounds_(bounds), ask_blocks_(std::move(ask_blocks)) {}
  ~AdapterTable() override { close(); }

  // Calls `done` once: at once if `name` is resident, else after loading. Loads of one name that is on its way
  // are joined, and wanted if one of them is. When pinned adapters leave no room, a wanted load waits for requests to
  // end, first come, first served; a prefetch is given up. Prefetches are loaded one at a time and after wanted
  // loads, so that a thread is left for what is wanted next.
  void load(const std::string& name, const std::filesystem::path& folder, Engine::LoadCallback done,
            LoadPriority priority);
  AdapterPin pin(const std::string& name);  // throws Error("adapter_unknown")
  bool unload(const std::string& name);
  std::vector<AdapterInfo> list() const;
  size_t bytes() const;
  size_t block_bytes() const;
  size_t unused() const;  // by adapters and blocks
  AdapterTraffic traffic() const;
  const MemoryBounds& bounds() const { return bounds_; }

  bool take(size_t bytes, TimePoint idle_since) noexcept override;
  void give(size_t bytes) noexcept override;
  size_t wanted() const noexcept override { return wanted_; }
  void tell_idle(TimePoint since) noexcept override;

  // Loads that have not finished fail with `closed`. Idempotent.
  void close();

 private:
  friend class AdapterPin;
  struct Load {
    std::string name;
    std::filesystem::path folder;
    LoadPriority priority;
    std::vector<Engine::LoadCallback> waiters = {};
    bool under_way = false;
  };
  using LoadPointer = std::shared_ptr<Load>;
  using Entries = std::unordered_map<std::string, std::shared_ptr<AdapterEntry>>;

  void run() noexcept;
  LoadPointer next_load() const;
  void perform(std::unique_lock<std::mutex>& lock, const LoadPointer& load) noexcept;
  bool admit(std::unique_lock<std::mutex>& lock, const LoadPointer& load, std::shared_ptr<const Adapter> adapter);
  bool wait_for_room(std::unique_lock<std::mutex>& lock, const LoadPointer& load, size_t bytes);
  bool make_room(size_t bytes, bool ask) noexcept;
  size_t idle_bytes() const;
  size_t unused_bytes() const { return bounds_.total - bytes_ - block_bytes_; }
  size_t room() const { return std::min(bounds_.adapters_max - bytes_, unused_bytes()); }
  void want(size_t bytes) noexcept;
  Entries::iterator longest_idle() noexcept;
  void evict(Entries::iterator entry) noexcept;
  void drop(Entries::iterator entry) noexcept;
  void unpin(AdapterEntry& entry) noexcept;
  static void answer(const Load& load, bool resident, std::exception_ptr failure) noexcept;

  const Loader loader_;
  const MemoryBounds bounds_;
  const std::function<void()> ask_blocks_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // a load came or ended, a pin was released, or the table closed
  Entries entries_;
  std::list<LoadPointer> loads_;     // under way or still to come, oldest first
  std::list<LoadPointer> for_room_;  // of these, wanted ones that have been read and wait for room
  size_t bytes_ = 0;                 // resident, listed or not
  size_t block_bytes_ = 0;
  std::atomic<size_t> wanted_ = 0;   // of block_bytes_, by the load that is first in line; written under the mutex
  TimePoint blocks_idle_since_ = TimePoint::max();
  uint64_t serial_ = 0;
  AdapterTraffic traffic_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sgmv
