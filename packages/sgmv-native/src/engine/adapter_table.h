// Adapters resident by name, counted in bytes. Loading happens on a thread of the table's own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
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
  // are joined. When pinned adapters leave no room, the load waits for a request to end.
  void load(const std::string& name, const std::filesystem::path& folder, Engine::LoadCallback done);
  AdapterPin pin(const std::string& name);  // throws Error("adapter_unknown")
  bool unload(const std::string& name);
  std::vector<AdapterInfo> list() const;
  size_t bytes() const;
  size_t bytes_max() const { return bytes_max_; }

  // Loads that have not finished fail with `closed`. Idempotent.
  void close();

 private:
  friend class AdapterPin;
  struct Pending {
    std::string name;
    std::filesystem::path folder;
    std::vector<Engine::LoadCallback> waiters;
  };

  void run();
  void load_next(std::unique_lock<std::mutex>& lock);
  void admit(std::unique_lock<std::mutex>& lock, const std::string& name, std::shared_ptr<const Adapter> adapter);
  bool make_room(size_t bytes);
  void drop(const std::string& name);
  void unpin(AdapterEntry& entry) noexcept;

  const Loader loader_;
  const size_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // a load was queued, a pin released, or the table closed
  std::unordered_map<std::string, std::shared_ptr<AdapterEntry>> entries_;
  std::deque<std::shared_ptr<Pending>> pending_;  // the front one is being loaded
  size_t bytes_ = 0;                              // resident, listed or not
  uint64_t clock_ = 0;
  uint64_t serial_ = 0;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace sgmv
