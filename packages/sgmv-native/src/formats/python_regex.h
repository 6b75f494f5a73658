// The part of Python's `re` that PEFT configurations use to name modules, matched in time proportional to
// pattern × text: a pattern comes from an uploaded file and must not be able to keep the process busy.
//
// Supported: literals, ., classes, \d \w \s \b and their opposites, groups (capturing or not), |, * + ? {m,n} (greedy
// or lazy: the same matches), ^ $ \A \Z, lookahead (?= (?!. Refused by name: everything else.
#pragma once

#include <bitset>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sgmv {

struct RegexError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What all patterns of one file may take together.
struct RegexBudget {
  int64_t steps = 100'000'000;       // of matching; below a second
  int64_t instructions = 1'000'000;  // compiled; twelve bytes each, and a short pattern can ask for thousands
};

class PythonRegex {
 public:
  // Reads before + pattern + after; offsets in errors are those within `pattern`. Throws RegexError; the budget outlives
  // the regex.
  PythonRegex(std::string_view pattern, RegexBudget& budget, std::string_view before = "", std::string_view after = "");
  // Throws RegexError when the budget is used up.
  bool fullmatch(std::string_view text) const;     // like re.fullmatch

 private:
  friend class RegexCompiler;
  enum class Op : uint8_t { set, split, jump, begin, end, word_border, no_word_border, look, accept };
  struct Instruction {
    Op op;
    int32_t a = 0;  // set: index; split, jump: target; look: first instruction after it
    int32_t b = 0;  // split: other target; look: 1 when negative
  };
  bool run(std::string_view text, int32_t start, size_t at, bool to_end) const;

  RegexBudget& budget_;
  std::vector<Instruction> program_;
  std::vector<std::bitset<256>> sets_;
};

}  // namespace sgmv
