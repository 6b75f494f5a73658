// Whether an engine can be built at all, and how much memory it has for what.
#pragma once

#include "adapter_table.h"
#include "sgmv/engine.h"

namespace sgmv {

// Throws Error("bad_argument").
void check_options(const EngineOptions& options);

// Up to how many tokens a step is filled with drafts.
int32_t draft_room(const EngineOptions& options, const Model& model);

struct EngineMemory {
  std::unique_ptr<KvCache> cache;
  MemoryBounds bounds;
  int32_t max_batch = 0;      // sequences that run together: as wished, or those whose states have a place
  size_t state_bytes = 0;     // of slots for states, beside what the bounds are of
  int32_t positions_max = 0;  // of a request: its blocks can be had whatever adapters take
};

// A cache of as many blocks as the budget could hold, but no more than `max_batch` sequences of full context could ever
// fill. Throws Error("bad_argument") when that is none.
EngineMemory make_memory(Model& model, const EngineOptions& options);

}  // namespace sgmv
