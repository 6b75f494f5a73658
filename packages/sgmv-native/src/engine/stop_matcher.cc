#include "stop_matcher.h"

#include <algorithm>

namespace sgmv {

void StopMatcher::push(std::string_view text, std::string& out) {
  if (stopped()) return;
  if (stops_.empty()) {
    out += text;
    return;
  }
  for (const char c : text) {
    held_.push_back(c);
    const size_t matched = match_at_end();
    if (matched == 0) continue;
    matched_ = held_.substr(held_.size() - matched);
    out.append(held_, 0, held_.size() - matched);
    held_.clear();
    return;
  }
  const size_t keep = hopeful_suffix();
  out.append(held_, 0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
}

void StopMatcher::finish(std::string& out) {
  out += held_;
  held_.clear();
}

size_t StopMatcher::match_at_end() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    if (std::string_view(held_).ends_with(stop)) longest = std::max(longest, stop.size());
  }
  return longest;
}

size_t StopMatcher::hopeful_suffix() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    const size_t most = std::min(stop.size() - 1, held_.size());
    for (size_t length = most; length > longest; --length) {
      if (held_.compare(held_.size() - length, length, stop, 0, length) == 0) longest = length;
    }
  }
  return longest;
}

}  // namespace sgmv
