// What the caller is told of a sequence.
#pragma once

#include <span>

#include "sequence.h"

namespace sgmv {

// `row`: the logits [vocab] that chose `token`. Gives the token to the sequence.
Event tokens_event(Sequence& sequence, int32_t token, std::span<const float> row);
// `rows`: logits [rows, vocab] of the prompt's positions from `computed` on. Keeps what is wanted of them.
void keep_prompt_rows(Sequence& sequence, std::span<const float> rows);
// What its step verifies.
Event draft_event(const Sequence& sequence);
// Takes out what was kept.
Event prompt_event(Sequence& sequence);
// Throws bad_alloc; then it may be asked for again.
Event end_event(Sequence& sequence);

}  // namespace sgmv
