// Stop strings over a text that arrives in pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sgmv {

// Text that could still become a stop string is held back. The stop taken is the one whose last character comes
// first (the longest of those), so the outcome depends on the text and not on how tokens cut it.
class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Appends to `out` what can no longer be part of a stop string. After a stop nothing more comes out.
  void push(std::string_view text, std::string& out);
  // No more text will come: what was held back is wanted after all.
  void finish(std::string& out);
  bool stopped() const { return !matched_.empty(); }
  // The stop taken; empty: none yet.
  const std::string& matched() const { return matched_; }

 private:
  size_t match_at_end() const;   // length of the longest stop string that `held_` ends with
  size_t hopeful_suffix() const;  // length of the longest end of `held_` that begins a stop string

  std::vector<std::string> stops_;
  std::string held_;
  std::string matched_;
};

}  // namespace sgmv
