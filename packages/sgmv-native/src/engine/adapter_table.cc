#include "adapter_table.h"

#include <algorithm>
#include <new>

#include "thread_priority.h"

namespace sgmv {
namespace {

using Clock = std::chrono::steady_clock;

// Between a load's answer and the request that wanted it lies a turn of the caller's event loop. Without a grace,
// two loads that do not fit together could drop each other forever.
constexpr std::chrono::milliseconds kGrace{250};

// Two, so that one slow load does not hold up another.
constexpr size_t kThreads = 2;

constexpr std::chrono::milliseconds kPause{5};  // before an answer that found no memory is tried again
constexpr int kAnswerTries = 400;

// Whatever a loader throws, as the one error type that crosses to the caller.
Error as_error(const std::string& name, std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error("out_of_memory", "Not enough memory to load adapter \"" + name + "\".");
  } catch (const std::exception& error) {
    return Error("internal", "Loading adapter \"" + name + "\" failed: " + error.what());
  } catch (...) {
    return Error("internal", "Loading adapter \"" + name + "\" failed.");
  }
}

std::exception_ptr closed_failure() {
  return std::make_exception_ptr(Error("closed", "The engine has been closed."));
}

}  // namespace

AdapterPin::AdapterPin(AdapterTable* table, std::shared_ptr<AdapterEntry> entry)
    : table_(table), entry_(std::move(entry)) {}

AdapterPin::AdapterPin(AdapterPin&& other) noexcept : table_(other.table_), entry_(std::move(other.entry_)) {}

AdapterPin& AdapterPin::operator=(AdapterPin&& other) noexcept {
  if (this == &other) return *this;
  reset();
  table_ = other.table_;
  entry_ = std::move(other.entry_);
  return *this;
}

void AdapterPin::reset() noexcept {
  if (entry_) table_->unpin(*entry_);
  entry_.reset();
}

AdapterPin AdapterPin::copy() const {
  if (!entry_) return {};
  const std::lock_guard lock(table_->mutex_);
  entry_->pins += 1;
  return AdapterPin(table_, entry_);
}

void AdapterTable::load(const std::string& name, const std::filesystem::path& folder, Engine::LoadCallback done,
                        LoadPriority priority) {
  auto load = std::make_shared<Load>(Load{name, folder, priority});
  std::unique_lock lock(mutex_);
  const auto found = entries_.find(name);
  if (closed_ || found != entries_.end()) {
    if (!closed_) found->second->last_used = Clock::now();
    if (!closed_ && priority == LoadPriority::wanted) found->second->grace_end = Clock::now() + kGrace;
    load->waiters.push_back(std::move(done));
    const std::exception_ptr failure = closed_ ? closed_failure() : nullptr;
    lock.unlock();
    return answer(*load, true, failure);
  }
  const auto same = std::find_if(loads_.begin(), loads_.end(), [&](const auto& other) { return other->name == name; });
  if (same != loads_.end()) {
    (*same)->waiters.push_back(std::move(done));
    if (priority == LoadPriority::wanted) (*same)->priority = priority;
  } else {
    if (threads_.size() < kThreads) threads_.emplace_back([this] { run(); });
    load->waiters.push_back(std::move(done));
    loads_.push_back(std::move(load));
  }
  changed_.notify_all();
}

void AdapterTable::run() noexcept {
  lower_thread_priority();
  std::unique_lock lock(mutex_);
  while (true) {
    LoadPointer load;
    changed_.wait(lock, [&] { return closed_ || (load = next_load()); });
    if (closed_) return;
    perform(lock, load);
  }
}

AdapterTable::LoadPointer AdapterTable::next_load() const {
  LoadPointer prefetch;
  bool prefetching = false;
  for (const LoadPointer& load : loads_) {
    const bool wanted = load->priority == LoadPriority::wanted;
    if (wanted && !load->under_way) return load;
    if (wanted) continue;
    prefetching |= load->under_way;
    if (!prefetch) prefetch = load;
  }
  return prefetching ? nullptr : prefetch;
}

void AdapterTable::perform(std::unique_lock<std::mutex>& lock, const LoadPointer& load) noexcept {
  load->under_way = true;
  bool resident = false;
  std::exception_ptr failure;
  const auto began = Clock::now();
  lock.unlock();
  std::shared_ptr<const Adapter> adapter;
  try {
    adapter = loader_(load->folder);
    lock.lock();
    resident = admit(lock, load, std::move(adapter));
  } catch (...) {
    failure = std::current_exception();
    if (!lock.owns_lock()) lock.lock();
  }
  // close() has taken the loads, this one included, and answers them.
  if (closed_) return;
  if (failure) traffic_.loads_failed += 1;
  if (resident) traffic_.load_seconds.add(std::chrono::duration<double>(Clock::now() - began).count());
  loads_.remove(load);
  changed_.notify_all();
  lock.unlock();
  answer(*load, resident, failure);
  lock.lock();
}

// False: the table was closed, or the prefetch was given up.
bool AdapterTable::admit(std::unique_lock<std::mutex>& lock, const LoadPointer& load,
                         std::shared_ptr<const Adapter> adapter) {
  const size_t bytes = adapter->bytes();
  if (bytes > bounds_.adapters_max) {
    throw Error("out_of_memory", "Adapter \"" + load->name + "\" takes " + std::to_string(bytes) + " bytes; expected at most " +
                                     std::to_string(bounds_.adapters_max) + ", which adapterBytes and memoryBytes leave to adapters.");
  }
  auto entry = std::make_shared<AdapterEntry>();
  entry->name = load->name;
  entry->adapter = std::move(adapter);
  if (!wait_for_room(lock, load, bytes)) return false;
  entry->serial = ++serial_;
  entry->last_used = Clock::now();
  if (load->priority == LoadPriority::wanted) entry->grace_end = Clock::now() + kGrace;
  entries_.emplace(load->name, std::move(entry));
  bytes_ += bytes;
  return true;
}

bool AdapterTable::wait_for_room(std::unique_lock<std::mutex>& lock, const LoadPointer& load, size_t bytes) {
  if (load->priority == LoadPriority::prefetch) {
    return !closed_ && for_room_.empty() && bytes <= room() + idle_bytes() && make_room(bytes, false);
  }
  for_room_.push_back(load);
  while (!closed_ && !(for_room_.front() == load && make_room(bytes, true))) changed_.wait_for(lock, kGrace);
  for_room_.remove(load);
  want(0);
  changed_.notify_all();
  return !closed_;
}

// What could be dropped now.
size_t AdapterTable::idle_bytes() const {
  const auto now = Clock::now();
  size_t bytes = 0;
  for (const auto& [name, entry] : entries_) {
    if (entry->pins == 0 && entry->grace_end <= now) bytes += entry->adapter->bytes();
  }
  return bytes;
}

AdapterTable::Entries::iterator AdapterTable::longest_idle() noexcept {
  const auto now = Clock::now();
  auto longest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->second->pins > 0 || entry->second->grace_end > now) continue;
    if (longest == entries_.end() || entry->second->last_used < longest->second->last_used) longest = entry;
  }
  return longest;
}

// Drops idle adapters even where that is not enough yet: a load that waits gets there in the end. With `ask`, blocks that
// have been idle for longer are asked for first, and everything that is missing when no adapter is left to drop.
bool AdapterTable::make_room(size_t bytes, bool ask) noexcept {
  if (ask) wanted_ = 0;
  while (room() < bytes) {
    const auto longest = longest_idle();
    const bool none = longest == entries_.end();
    const bool shared = bounds_.adapters_max - bytes_ >= bytes;  // it is only the shared bound that is in the way
    if (ask && shared && (none || blocks_idle_since_ < longest->second->last_used)) want(bytes - room());
    else if (!none) evict(longest);
    if (none || wanted_ > 0) return false;
  }
  return true;
}

void AdapterTable::want(size_t bytes) noexcept {
  wanted_ = bytes;
  if (bytes > 0 && ask_blocks_) ask_blocks_();
}

bool AdapterTable::take(size_t bytes, TimePoint idle_since) noexcept {
  const std::lock_guard lock(mutex_);
  if (wanted_ > 0 && block_bytes_ + bytes > bounds_.blocks_min) return false;
  while (unused_bytes() < bytes) {
    const auto longest = longest_idle();
    if (longest == entries_.end() || longest->second->last_used >= idle_since) return false;
    evict(longest);
  }
  block_bytes_ += bytes;
  return true;
}

void AdapterTable::give(size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  block_bytes_ -= bytes;
  wanted_ = wanted_ - std::min<size_t>(wanted_, bytes);
  changed_.notify_all();
}

void AdapterTable::tell_idle(TimePoint since) noexcept {
  const std::lock_guard lock(mutex_);
  blocks_idle_since_ = since;
  if (wanted_ > 0) changed_.notify_all();  // no more can be given now
}

size_t AdapterTable::unused() const {
  const std::lock_guard lock(mutex_);
  return unused_bytes();
}

AdapterTraffic AdapterTable::traffic() const {
  const std::lock_guard lock(mutex_);
  return traffic_;
}

size_t AdapterTable::block_bytes() const {
  const std::lock_guard lock(mutex_);
  return block_bytes_;
}

// The waiter is called again where there was no memory to answer it.
void AdapterTable::answer(const Load& load, bool resident, std::exception_ptr failure) noexcept {
  for (const auto& done : load.waiters) {
    for (int tries = 0; tries < kAnswerTries; ++tries) {
      try {
        if (failure) {
          const Error error = as_error(load.name, failure);
          done(false, &error);
        } else {
          done(resident, nullptr);
        }
        break;
      } catch (...) {
        std::this_thread::sleep_for(kPause);
      }
    }
  }
}

void AdapterTable::evict(Entries::iterator entry) noexcept {
  traffic_.evicted += 1;
  drop(entry);
}

void AdapterTable::drop(Entries::iterator found) noexcept {
  found->second->listed = false;
  if (found->second->pins == 0) bytes_ -= found->second->adapter->bytes();
  entries_.erase(found);
}

AdapterPin AdapterTable::pin(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    throw Error("adapter_unknown", "adapter: \"" + name + "\" is not resident; expected a name given to loadAdapter.");
  }
  found->second->last_used = Clock::now();
  found->second->pins += 1;
  found->second->grace_end = {};
  return AdapterPin(this, found->second);
}

void AdapterTable::unpin(AdapterEntry& entry) noexcept {
  const std::lock_guard lock(mutex_);
  entry.last_used = Clock::now();
  entry.pins -= 1;
  if (entry.pins > 0) return;
  if (!entry.listed) bytes_ -= entry.adapter->bytes();
  changed_.notify_all();
}

bool AdapterTable::unload(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return false;
  drop(found);
  changed_.notify_all();
  return true;
}

std::vector<AdapterInfo> AdapterTable::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<AdapterInfo> all;
  for (const auto& [name, entry] : entries_) all.push_back({name, entry->adapter->bytes(), entry->pins > 0});
  std::sort(all.begin(), all.end(), [](const AdapterInfo& a, const AdapterInfo& b) { return a.name < b.name; });
  return all;
}

size_t AdapterTable::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void AdapterTable::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  std::list<LoadPointer> abandoned;
  abandoned.swap(loads_);
  changed_.notify_all();
  lock.unlock();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  for (const LoadPointer& load : abandoned) answer(*load, false, closed_failure());
  lock.lock();
  entries_.clear();
}

}  // namespace sgmv
