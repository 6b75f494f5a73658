// Shared values by key, the least recently used of which go when their bytes exceed a limit. Thread-safe.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace sgmv {

template <typename Value>
class BytesCache {
 public:
  explicit BytesCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  std::shared_ptr<const Value> find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->second;
  }

  // A value that is larger than all there is room for is not kept.
  void put(const std::string& key, std::shared_ptr<const Value> value) {
    const std::lock_guard lock(mutex_);
    if (value->bytes() > bytes_max_ || places_.contains(key)) return;
    order_.emplace_front(key, std::move(value));
    places_[key] = order_.begin();
    bytes_ += order_.front().second->bytes();
    while (bytes_ > bytes_max_) {
      bytes_ -= order_.back().second->bytes();
      places_.erase(order_.back().first);
      order_.pop_back();
    }
  }

  size_t bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  using Order = std::list<std::pair<std::string, std::shared_ptr<const Value>>>;

  const size_t bytes_max_;
  mutable std::mutex mutex_;
  size_t bytes_ = 0;
  Order order_;  // the most recently used first
  std::unordered_map<std::string, typename Order::iterator> places_;
};

}  // namespace sgmv
