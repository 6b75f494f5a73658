// Adapters resident by name, counted in bytes. Loading happens on threads of the table's own.
#pragma once

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

#include "sgmv/adapter.h"
#include "sgmv/engine.h"

namespace sgmv {

class AdapterTable;

// A resident adapter. Guarded by the table's mutex, except `adapter` and `serial`, which never change.
struct AdapterEntry {
  std::string name;
  std::shared_ptr<const Adapter> adapter;
  uint64_t serial = 0;     // 1, 2, …: a stable order for grouping a batch by adapter
  uint64_t last_used = 0;  // the table's clock
  int32_t pins = 0;
  // Until then it is not dropped for another: whoever loaded it is about to use it.
  std::chrono::steady_clock::time_point grace_end;
  bool listed = true;  // false: unloaded by name, kept for the requests that still use it
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

class AdapterTable {
 public:
  using Loader = std::function<std::shared_ptr<const Adapter>(const std::filesystem::path&)>;

  AdapterTable(Loader loader, size_t bytes_max) : loader_(std::move(loader)), bytes_max_(bytes_max) {}
  ~AdapterTable() { close(); }

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
  size_t bytes_max() const { return bytes_max_; }

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
  bool make_room(size_t bytes) noexcept;
  size_t idle_bytes() const;
  void drop(Entries::iterator entry) noexcept;
  void unpin(AdapterEntry& entry) noexcept;
  static void answer(const Load& load, bool resident, std::exception_ptr failure) noexcept;

  const Loader loader_;
  const size_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // a load came or ended, a pin was released, or the table closed
  Entries entries_;
  std::list<LoadPointer> loads_;     // under way or still to come, oldest first
  std::list<LoadPointer> for_room_;  // of these, wanted ones that have been read and wait for room
  size_t bytes_ = 0;                 // resident, listed or not
  uint64_t clock_ = 0;
  uint64_t serial_ = 0;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sgmv
