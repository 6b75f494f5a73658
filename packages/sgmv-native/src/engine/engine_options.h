// Whether an engine can be built at all, and how large its cache is.
#pragma once

#include "sgmv/engine.h"

namespace sgmv {

// Throws Error("bad_argument").
void check_options(const EngineOptions& options);

// Blocks for the byte budget, but no more than `max_batch` sequences of full context could ever fill. Throws
// Error("bad_argument") when the budget holds none.
int32_t count_blocks(Model& model, const EngineOptions& options);

}  // namespace sgmv
