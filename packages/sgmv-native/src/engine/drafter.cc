#include "drafter.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace sgmv {
namespace {

constexpr int32_t kCandidatesMax = 32;  // that one search looks at
constexpr size_t kHeadsMin = 64;
constexpr float kNewest = 0.15f;        // the last guess's part of the mean

}  // namespace

size_t PairIndex::bucket(int32_t first, int32_t second) const noexcept {
  const uint64_t pair = static_cast<uint64_t>(static_cast<uint32_t>(first)) << 32 | static_cast<uint32_t>(second);
  return (pair * 0x9E37'79B9'7F4A'7C15u) >> (64 - std::countr_zero(heads_.size()));
}

void PairIndex::extend(std::span<const int32_t> text) {
  if (heads_.size() < text.size() || heads_.empty()) {  // all anew, at twice the size
    previous_.reserve(std::bit_ceil(text.size()));
    heads_.assign(std::max(kHeadsMin, std::bit_ceil(text.size())), -1);
    previous_.clear();
  }
  // A pair is of use once something has followed it.
  for (size_t end = previous_.size() + 1; end < text.size(); ++end) {
    int32_t& head = heads_[end >= 2 ? bucket(text[end - 2], text[end - 1]) : 0];
    previous_.push_back(end >= 2 ? head : -1);
    if (end >= 2) head = static_cast<int32_t>(end);
  }
}

PairIndex::Match PairIndex::find(std::span<const int32_t> text, std::span<const int32_t> tail, int32_t near) const noexcept {
  Match best;
  if (tail.size() < 2 || heads_.empty()) return best;
  int32_t end = heads_[bucket(tail[tail.size() - 2], tail.back())];
  for (int32_t seen = 0; end >= 0 && seen < kCandidatesMax; ++seen, end = previous_[static_cast<size_t>(end) - 1]) {
    const auto most = static_cast<int32_t>(std::min({static_cast<size_t>(end), tail.size(), static_cast<size_t>(kLengthMax)}));
    int32_t length = 0;
    while (length < most && text[static_cast<size_t>(end - 1 - length)] == tail[tail.size() - 1 - static_cast<size_t>(length)]) ++length;
    const bool better = length > best.length || (length == best.length && std::abs(end - near) < std::abs(best.end - near));
    if (length >= 2 && better) best = {end, length};
  }
  return best;
}

void DraftPace::judge(int32_t proposed, int32_t accepted) {
  acceptance_ += kNewest * (static_cast<float>(accepted) / static_cast<float>(proposed) - acceptance_);
  limit_ = accepted < proposed ? accepted + 1 : std::min(Drafter::kDraftMax, std::max(limit_, 2 * accepted));
  waited_ = 0;
  pause_ = accepted > 0 ? kPauseMin : std::min(kPauseMax, 2 * pause_);
}

void Drafter::mark(int32_t begin, int32_t end) {
  for (auto place = static_cast<size_t>(begin); place < static_cast<size_t>(end); ++place) {
    predicted_ += seen_[place] ? 0 : 1;
    seen_[place] = true;
  }
}

void Drafter::follow(std::span<const int32_t> completion) {
  prediction_pace_.passed();
  text_pace_.passed();
  if (prediction_.empty()) return;
  if (seen_.empty()) {
    seen_.resize(prediction_.size());
    of_prediction_.extend(prediction_);
  }
  if (follows_ && static_cast<size_t>(next_) < prediction_.size() && prediction_[static_cast<size_t>(next_)] == completion.back()) {
    mark(next_, next_ + 1);
    next_ += 1;
    return;
  }
  const PairIndex::Match match = of_prediction_.find(prediction_, completion, next_);
  follows_ = match.length > 0;
  if (!follows_) return;
  mark(match.end - match.length, match.end);
  next_ = match.end;
}

void Drafter::propose(std::span<const int32_t> text, int32_t most, float least, std::vector<int32_t>& draft) {
  draft.clear();
  proposed_predicted_ = follows_ && static_cast<size_t>(next_) < prediction_.size();
  most = std::min(most, (proposed_predicted_ ? prediction_pace_ : text_pace_).limit(least));
  if (most <= 0) return;
  if (proposed_predicted_) {
    const auto rest = prediction_.subspan(static_cast<size_t>(next_));
    const auto count = std::min(rest.size(), static_cast<size_t>(most));
    draft.assign(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(count));
    return;
  }
  of_text_.extend(text);
  const PairIndex::Match match = of_text_.find(text, text, static_cast<int32_t>(text.size()));
  if (match.length == 0) return;
  // A guess that reaches the text's end goes on with itself, as a repetition would.
  draft.reserve(static_cast<size_t>(most));
  for (size_t place = static_cast<size_t>(match.end); draft.size() < static_cast<size_t>(most); ++place)
    draft.push_back(place < text.size() ? text[place] : draft[place - text.size()]);
}

void Drafter::judge(int32_t proposed, int32_t accepted) { (proposed_predicted_ ? prediction_pace_ : text_pace_).judge(proposed, accepted); }

}  // namespace sgmv
