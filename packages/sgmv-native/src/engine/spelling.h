// The bytes of each token, both ways: what a token stands for, and the tokens that a text is written in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sgmv/engine.h"

namespace sgmv {

class Spelling {
 public:
  explicit Spelling(Vocabulary vocabulary = {});

  bool empty() const { return vocabulary_.empty(); }
  // Null: it gives no text.
  const std::string* text(int32_t token) const noexcept;
  // The longest token that `text` begins with; of several the first. Mostly what a tokenizer would choose.
  std::optional<int32_t> longest(std::string_view text) const noexcept;

 private:
  Vocabulary vocabulary_;
  std::vector<int32_t> sorted_;  // tokens with a text, by it
};

}  // namespace sgmv
