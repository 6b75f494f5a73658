// What callers tell the engine's thread. The one door between the two.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "sequence.h"

namespace sgmv {

class Inbox {
 public:
  struct Mail {
    SequenceList arrived;
    std::set<std::string> cancelled;  // request ids
    std::map<std::string, std::exception_ptr> failed;
    std::list<ProvidedMask> masks;
    bool closed = false;
  };

  // Throws Error("closed").
  void check_open() const;
  // All choices of a request. Throws Error: closed, bad_argument (the id is taken); nothing has changed then.
  void submit(SequenceList choices);
  void cancel(const std::string& id);
  void fail(const std::string& id, std::exception_ptr cause);
  void provide(ProvidedMask provided);
  void close();
  // Lets the engine's thread look around, though there is nothing in here for it.
  void wake() noexcept;
  int32_t waiting() const;

  // The engine's thread takes what there is, first waiting for something if it has nothing else to do.
  Mail take(bool wait) noexcept;
  // Gives the sequence the mask for its next token, if that has come since then.
  void take_mask(Sequence& sequence) noexcept;
  // A choice of this request has ended; its id is free again after the last one.
  void ended(const std::string& id) noexcept;

 private:
  void check_open_locked() const;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Mail mail_;
  bool woken_ = false;
  std::map<std::string, int32_t> live_;  // choices that have not ended, of requests that have some
};

}  // namespace sgmv
