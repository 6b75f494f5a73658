// Which tokens a constrained request may take next: one bit per token id, bit t of the mask is bit t % 32 of word
// t / 32. Bits beyond the vocabulary mean nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sgmv {

using TokenMask = std::vector<uint32_t>;

constexpr size_t mask_words(int32_t vocab_size) { return (static_cast<size_t>(vocab_size) + 31) / 32; }

// A mask on its way to the sequence that needs it, or there before it is needed.
struct ProvidedMask {
  std::string id;
  int32_t choice;
  int32_t index;  // of the completion token it is for
  TokenMask mask;
  std::vector<int32_t> after;  // the last tokens before it, as far as they were not known: of a draft
  std::string forced;          // what the text must go on with from there; empty: nothing more is known
};

// Makes the forbidden tokens of `logits` [vocab] impossible. NaN stays, so that a broken model is not hidden. False:
// those allowed are impossible too. Throws Error("constraint_dead_end") when the mask allows no token.
bool forbid_tokens(const TokenMask& mask, std::span<float> logits);

}  // namespace sgmv
