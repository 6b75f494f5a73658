#include "adapter_table.h"

#include <algorithm>
#include <new>

namespace sgmv {
namespace {

using Clock = std::chrono::steady_clock;

// Between a load's answer and the request that wanted it lies a turn of the caller's event loop. Without a grace,
// two loads that do not fit together could drop each other forever.
constexpr std::chrono::milliseconds kGrace{250};

Error closed_error() { return Error("closed", "The engine has been closed."); }

// Whatever a loader throws, as the one error type that crosses to the caller.
Error as_error(const std::string& name) {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error("out_of_memory", "Not enough memory to load adapter \"" + name + "\".");
  } catch (const std::exception& error) {
    return Error("internal", "Loading adapter \"" + name + "\" failed: " + error.what());
  }
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

void AdapterTable::load(const std::string& name, const std::filesystem::path& folder, Engine::LoadCallback done) {
  std::unique_lock lock(mutex_);
  if (closed_) {
    lock.unlock();
    const Error error = closed_error();
    return done(false, &error);
  }
  if (const auto found = entries_.find(name); found != entries_.end()) {
    found->second->last_used = ++clock_;
    found->second->grace_end = Clock::now() + kGrace;
    lock.unlock();
    return done(true, nullptr);
  }
  const auto same = std::find_if(pending_.begin(), pending_.end(), [&](const auto& p) { return p->name == name; });
  if (same != pending_.end()) {
    (*same)->waiters.push_back(std::move(done));
    return;
  }
  auto pending = std::make_shared<Pending>(Pending{name, folder, {}});
  pending->waiters.push_back(std::move(done));
  pending_.push_back(std::move(pending));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
}

void AdapterTable::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closed_ || !pending_.empty(); });
    if (closed_) return;
    load_next(lock);
  }
}

void AdapterTable::load_next(std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<Pending> job = pending_.front();
  std::unique_ptr<Error> failure;
  lock.unlock();
  std::shared_ptr<const Adapter> adapter;
  try {
    adapter = loader_(job->folder);
  } catch (...) {
    failure = std::make_unique<Error>(as_error(job->name));
  }
  lock.lock();
  if (!failure) {
    try {
      admit(lock, job->name, std::move(adapter));
    } catch (const Error& error) {
      failure = std::make_unique<Error>(error);
    }
  }
  // close() has taken the queue, this job included, and answers it.
  if (closed_) return;
  pending_.pop_front();
  const auto waiters = std::move(job->waiters);
  lock.unlock();
  for (const auto& done : waiters) done(!failure, failure.get());
  lock.lock();
}

void AdapterTable::admit(std::unique_lock<std::mutex>& lock, const std::string& name,
                         std::shared_ptr<const Adapter> adapter) {
  const size_t bytes = adapter->bytes();
  if (bytes > bytes_max_) {
    throw Error("out_of_memory", "Adapter \"" + name + "\" takes " + std::to_string(bytes) +
                                     " bytes; expected at most adapterBytes = " + std::to_string(bytes_max_) + ".");
  }
  while (!closed_ && !make_room(bytes)) changed_.wait_for(lock, kGrace);
  if (closed_) return;
  auto entry = std::make_shared<AdapterEntry>();
  entry->name = name;
  entry->adapter = std::move(adapter);
  entry->serial = ++serial_;
  entry->last_used = ++clock_;
  entry->grace_end = Clock::now() + kGrace;
  entries_.emplace(name, std::move(entry));
  bytes_ += bytes;
}

bool AdapterTable::make_room(size_t bytes) {
  const auto now = Clock::now();
  while (bytes_ + bytes > bytes_max_) {
    const AdapterEntry* oldest = nullptr;
    for (const auto& [name, entry] : entries_) {
      if (entry->pins > 0 || entry->grace_end > now) continue;
      if (!oldest || entry->last_used < oldest->last_used) oldest = entry.get();
    }
    if (!oldest) return false;
    drop(std::string(oldest->name));
  }
  return true;
}

void AdapterTable::drop(const std::string& name) {
  const auto found = entries_.find(name);
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
  found->second->last_used = ++clock_;
  found->second->pins += 1;
  found->second->grace_end = {};
  return AdapterPin(this, found->second);
}

void AdapterTable::unpin(AdapterEntry& entry) noexcept {
  const std::lock_guard lock(mutex_);
  entry.last_used = ++clock_;
  entry.pins -= 1;
  if (entry.pins > 0) return;
  if (!entry.listed) bytes_ -= entry.adapter->bytes();
  changed_.notify_all();
}

bool AdapterTable::unload(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!entries_.contains(name)) return false;
  drop(name);
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
  const auto abandoned = std::move(pending_);
  pending_.clear();
  changed_.notify_all();
  lock.unlock();
  if (thread_.joinable()) thread_.join();
  const Error error = closed_error();
  for (const auto& job : abandoned) {
    for (const auto& done : job->waiters) done(false, &error);
  }
  lock.lock();
  entries_.clear();
}

}  // namespace sgmv
