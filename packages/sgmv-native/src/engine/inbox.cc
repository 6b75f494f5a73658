#include "inbox.h"

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

void Inbox::close() {
  const std::lock_guard lock(mutex_);
  mail_.closed = true;
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
    wake_.wait(lock, [this] { return mail_.closed || !mail_.arrived.empty() || !mail_.cancelled.empty(); });
  }
  Mail taken;
  taken.arrived.splice(taken.arrived.end(), mail_.arrived);
  taken.cancelled.swap(mail_.cancelled);
  taken.closed = mail_.closed;
  return taken;
}

void Inbox::ended(const std::string& id) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(id);
  if (--found->second > 0) return;
  live_.erase(found);
  mail_.cancelled.erase(id);
}

}  // namespace sgmv
