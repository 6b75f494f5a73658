// Guesses how a sequence goes on, for a step to verify several tokens at once: from what a constraint leaves open, and from where
// its last tokens occurred before, in what its caller predicts of it or in its own text. Guesses cost time and nothing else: what
// they are changes no output.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "spelling.h"

namespace sgmv {

// Where the end of a text occurred in one that only grows, which may be the same: by hash chains over pairs of tokens, as
// LZ77 is mostly written (RFC 1951, section 4).
class PairIndex {
 public:
  struct Match {
    int32_t end = 0;     // the place behind it; less than the text's size
    int32_t length = 0;  // tokens that agree, up to kLengthMax; 0: nothing was found
  };
  static constexpr int32_t kLengthMax = 8;

  // Takes in what `text` has more than at the last call.
  void extend(std::span<const int32_t> text);
  // The longest match of the end of `tail`, of at least two tokens; of equally long ones that nearest to `near`.
  Match find(std::span<const int32_t> text, std::span<const int32_t> tail, int32_t near) const noexcept;

 private:
  size_t bucket(int32_t first, int32_t second) const noexcept;

  std::vector<int32_t> heads_;     // by hash of a pair: where one that has it ends, the last; -1: nowhere
  std::vector<int32_t> previous_;  // by place where a pair ends: where one with the same hash ended before
};

// How much is guessed at a time: more as long as guesses are right; now and then one token where they are not worth it.
class DraftPace {
 public:
  // `acceptance`: the share of guesses that is thought to be right at first. `limit`: tokens of the first guess; `floor`: of each.
  DraftPace(float acceptance, int32_t limit, int32_t floor = 1) : acceptance_(acceptance), limit_(limit), floor_(floor) {}
  // Tokens to guess now, if guesses are worth it when `least` of them are right. 0: none.
  int32_t limit(float least) const { return acceptance_ >= least ? limit_ : waited_ < pause_ ? 0 : 1; }
  void passed() { waited_ += 1; }
  void judge(int32_t proposed, int32_t accepted);

 private:
  float acceptance_;  // mean of the last guesses
  int32_t limit_, floor_;
  int32_t waited_ = 0;  // tokens since the last guess
  int32_t pause_ = kPauseMin;
  static constexpr int32_t kPauseMin = 8, kPauseMax = 64;
};

class Drafter {
 public:
  static constexpr int32_t kDraftMax = 32;

  // `prediction`: what the completion is thought to be. Both outlive the drafter.
  Drafter(std::span<const int32_t> prediction, const Spelling& spelling) : prediction_(prediction), spelling_(spelling) {}

  // The text goes on with these bytes. Empty: nothing more is known of it than before.
  void force(std::string_view text) {
    if (!text.empty()) forced_ = text;
  }

  // `completion` has got its last token.
  void follow(std::span<const int32_t> completion);
  // Writes up to `most` tokens that may come after `text`, prompt and completion, to `draft`. They are worth it if `least` of them
  // are right. Throws bad_alloc.
  void propose(std::span<const int32_t> text, int32_t most, float least, std::vector<int32_t>& draft);
  // How many of the tokens that were proposed last have come.
  void judge(int32_t proposed, int32_t accepted);

  // Of the prediction's tokens, those that the completion has had where it followed the prediction. Depends on these two alone.
  int32_t predicted() const { return predicted_; }

 private:
  enum Source : uint8_t { kPrediction, kText, kForced };

  void mark(int32_t begin, int32_t end);
  std::optional<int32_t> spelled(std::string_view text) const;
  void drop_forced(int32_t token);
  void find(std::span<const int32_t> text, int32_t most, float least, std::vector<int32_t>& draft);
  void spell(int32_t most, std::vector<int32_t>& draft) const;
  bool fits(std::span<const int32_t> draft) const;

  const std::span<const int32_t> prediction_;
  const Spelling& spelling_;
  PairIndex of_prediction_, of_text_;
  std::vector<bool> seen_;   // of the prediction's tokens
  int32_t predicted_ = 0;
  int32_t next_ = 0;         // the prediction's token that is expected
  bool follows_ = true;      // the completion agrees with the prediction up to there
  std::string forced_;
  std::map<int32_t, int32_t> written_;  // for the longest token what came instead of it, where that was so the last time
  Source proposed_ = kText;  // last
  std::array<DraftPace, 3> paces_{DraftPace{1.0f, kDraftMax}, {0.35f, 2}, {1.0f, kDraftMax, kDraftMax}};  // by source
};

}  // namespace sgmv
