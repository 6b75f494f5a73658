// What the caller is told of a sequence.
#pragma once

#include <span>

#include "sequence.h"

namespace sgmv {

// `row`: the logits [vocab] that chose `token`. Gives the token to the sequence.
Event tokens_event(Sequence& sequence, int32_t token, std::span<const float> row);
// Takes the logits out of the sequence.
Event prompt_logits_event(Sequence& sequence);
// Throws bad_alloc; then it may be asked for again.
Event end_event(Sequence& sequence);

}  // namespace sgmv
