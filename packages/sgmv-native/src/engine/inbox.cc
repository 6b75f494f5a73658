#include "inbox.h"

#include <algorithm>

namespace sgmv {

void Inbox::check_open() const {
  const std::lock_guard lock(mutex_);
  check_open_locked();
}

void Inbox::check_open_locked() const {
  if (mail_.closed) throw Error("closed", "The engine has been closed.");
}

void Inbox::submit(SequenceList choices) {
  const std::string& id = choices.front().request->id;
  const int32_t count = choices.front().request->choices;
  const std::lock_guard lock(mutex_);
  check_open_locked();
  if (!live_.emplace(id, count).second) {
    throw Error("bad_argument", "id: found \"" + id + "\", which a running request has; expected a new one.");
  }
  mail_.arrived.splice(mail_.arrived.end(), choices);
  wake_.notify_one();
}

void Inbox::cancel(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (!live_.contains(id)) return;
  mail_.cancelled.insert(id);
  wake_.notify_one();
}

void Inbox::fail(const std::string& id, std::exception_ptr cause) {
  const std::lock_guard lock(mutex_);
  if (!live_.contains(id)) return;
  mail_.failed.emplace(id, std::move(cause));
  wake_.notify_one();
}

void Inbox::provide(ProvidedMask provided) {
  const std::lock_guard lock(mutex_);
  if (!live_.contains(provided.id)) return;
  mail_.masks.push_back(std::move(provided));
  wake_.notify_one();
}

void Inbox::close() {
  const std::lock_guard lock(mutex_);
  mail_.closed = true;
  wake_.notify_one();
}

void Inbox::wake() noexcept {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  wake_.notify_one();
}

int32_t Inbox::waiting() const {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const Sequence& sequence : mail_.arrived) count += 1 + sequence.followers.size();
  return static_cast<int32_t>(count);
}

Inbox::Mail Inbox::take(bool wait) noexcept {
  std::unique_lock lock(mutex_);
  if (wait) {
    wake_.wait(lock, [this] {
      return woken_ || mail_.closed || !mail_.arrived.empty() || !mail_.cancelled.empty() || !mail_.failed.empty() ||
             !mail_.masks.empty();
    });
  }
  woken_ = false;
  Mail taken;
  taken.arrived.splice(taken.arrived.end(), mail_.arrived);
  taken.cancelled.swap(mail_.cancelled);
  taken.failed.swap(mail_.failed);
  taken.masks.swap(mail_.masks);
  taken.closed = mail_.closed;
  return taken;
}

void Inbox::take_mask(Sequence& sequence) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(mail_.masks, [&](const ProvidedMask& provided) {
    return provided.id == sequence.request->id && provided.choice == sequence.choice && sequence.awaits(provided);
  });
  if (found != mail_.masks.end()) sequence.masks.splice(sequence.masks.end(), mail_.masks, found);
}

void Inbox::ended(const std::string& id) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(id);
  if (--found->second > 0) return;
  live_.erase(found);
  mail_.cancelled.erase(id);
  mail_.failed.erase(id);
  std::erase_if(mail_.masks, [&](const ProvidedMask& provided) { return provided.id == id; });
}

}  // namespace sgmv
