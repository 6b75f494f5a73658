// Whether a request can be run at all.
#pragma once

#include "sequence.h"

namespace sgmv {

struct RequestLimits {
  int32_t max_positions = 0;   // the model's context
  int32_t cache_positions = 0;  // what the KV cache holds for one sequence
};

// Throws Error: bad_argument, context_too_long, out_of_memory. Messages use the field names of the JavaScript
// interface, where they are read.
void check_request(const Request& request, const SequenceContext& context, const RequestLimits& limits);

}  // namespace sgmv
