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
  limit_ = accepted < proposed ? std::max(accepted + 1, floor_) : std::min(Drafter::kDraftMax, std::max(limit_, 2 * accepted));
  waited_ = 0;
  pause_ = accepted > 0 ? kPauseMin : std::min(kPauseMax, 2 * pause_);
}

void Drafter::mark(int32_t begin, int32_t end) {
  for (auto place = static_cast<size_t>(begin); place < static_cast<size_t>(end); ++place) {
    predicted_ += seen_[place] ? 0 : 1;
    seen_[place] = true;
  }
}

void Drafter::drop_forced(int32_t token) {
  const std::string* text = spelling_.text(token);
  const bool comes = text && forced_.starts_with(*text);
  if (const std::optional<int32_t> longest = spelling_.longest(forced_); comes && longest) written_[*longest] = token;
  forced_.erase(0, comes ? text->size() : std::string::npos);
}

// The token that a forced text is thought to begin with.
std::optional<int32_t> Drafter::spelled(std::string_view text) const {
  const std::optional<int32_t> longest = spelling_.longest(text);
  const auto written = longest ? written_.find(*longest) : written_.end();
  return written == written_.end() ? longest : written->second;
}

void Drafter::follow(std::span<const int32_t> completion) {
  for (DraftPace& pace : paces_) pace.passed();
  if (!forced_.empty()) drop_forced(completion.back());
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
  find(text, most, least, draft);
  if (forced_.empty() || fits(draft)) return;
  draft.clear();
  proposed_ = kForced;
  spell(std::min(most, paces_[kForced].limit(least)), draft);
}

// What occurred before.
void Drafter::find(std::span<const int32_t> text, int32_t most, float least, std::vector<int32_t>& draft) {
  proposed_ = follows_ && static_cast<size_t>(next_) < prediction_.size() ? kPrediction : kText;
  most = std::min(most, paces_[proposed_].limit(least));
  if (most <= 0) return;
  if (proposed_ == kPrediction) {
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

void Drafter::spell(int32_t most, std::vector<int32_t>& draft) const {
  std::string_view rest = forced_;
  while (std::ssize(draft) < most) {
    const std::optional<int32_t> token = spelled(rest);
    if (!token) return;
    draft.push_back(*token);
    rest.remove_prefix(spelling_.text(*token)->size());
  }
}

// Whether it has all of the forced text.
bool Drafter::fits(std::span<const int32_t> draft) const {
  std::string_view rest = forced_;
  for (const int32_t token : draft) {
    const std::string* text = spelling_.text(token);
    if (!text) return false;
    const size_t common = std::min(text->size(), rest.size());
    if (rest.substr(0, common) != std::string_view(*text).substr(0, common)) return false;
    rest.remove_prefix(common);
    if (rest.empty()) return true;
  }
  return false;
}

void Drafter::judge(int32_t proposed, int32_t accepted) { paces_[proposed_].judge(proposed, accepted); }

}  // namespace sgmv
