#include "engine_options.h"

#include <algorithm>

#include "available_memory.h"
#include "block_manager.h"

namespace sgmv {

constexpr int32_t kDraftTokens = 8;  // more cost about as much as they give: benchmarks/results/2026-11-28-drafts.md

void check_options(const EngineOptions& options) {
  const auto refuse = [](const char* field, int64_t found, const std::string& expected) {
    throw Error("bad_argument", std::string(field) + ": found " + std::to_string(found) + "; expected " + expected + ".");
  };
  if (options.kv_block_size < 1) refuse("kvBlockSize", options.kv_block_size, "at least 1");
  if (options.max_batch < 1) refuse("maxBatch", options.max_batch, "at least 1");
  if (options.max_step_tokens < options.max_batch) {
    refuse("maxStepTokens", options.max_step_tokens,
           "at least maxBatch = " + std::to_string(options.max_batch) + ", so that every request advances in every step");
  }
  if (options.draft_tokens && *options.draft_tokens < 0) refuse("draftTokens", *options.draft_tokens, "at least 0");
}

// A device would have to wait for what a step draws before it is given the next, and need not be batch-invariant.
int32_t draft_room(const EngineOptions& options, const Model& model) {
  const bool of_device = model.draws_tokens() || model.device_bytes_free();
  return std::min(options.draft_tokens.value_or(of_device ? 0 : kDraftTokens), options.max_step_tokens);
}

namespace {

constexpr size_t kDeviceRest = size_t{1} << 30;  // what a device's library, graphs, rotary tables and products of adapters may take besides
constexpr size_t kAdapterBytes = size_t{1} << 30;
constexpr size_t kBlocksMin = 4;

struct Budget {
  size_t total;
  size_t blocks_max;
  size_t adapters_max;
};

size_t states_of_one(const Model& model) { return static_cast<size_t>(states_per_table(model.runs_ahead())); }

// A device serves nothing but the engine, the host's memory others too.
size_t automatic_block_bytes(const Model& model, size_t adapter_bytes) {
  const std::optional<size_t> free = model.device_bytes_free();
  if (!free) return std::min<size_t>(available_memory() / 4, size_t{2} << 30);
  const size_t taken = adapter_bytes + kDeviceRest;
  return *free > taken ? (*free - taken) / 20 * 19 : 0;
}

Budget budget_of(const Model& model, const EngineOptions& options, size_t block_bytes) {
  const size_t adapters = options.adapter_bytes > 0 ? options.adapter_bytes : kAdapterBytes;
  size_t total = options.memory_bytes;
  if (total == 0) {
    const size_t automatic = std::max(automatic_block_bytes(model, adapters), block_bytes * kBlocksMin + states_of_one(model) * model.config().state_bytes());
    total = (options.kv_bytes > 0 ? options.kv_bytes : automatic) + adapters;
  }
  Budget budget{total, options.kv_bytes > 0 ? std::min(options.kv_bytes, total) : total,
                options.adapter_bytes > 0 ? std::min(options.adapter_bytes, total) : total};
  // Addresses too are refused where there could never be memory for them.
  if (options.kv_bytes == 0 && !model.device_bytes_free())
    budget.blocks_max = std::min(budget.blocks_max, std::max(available_memory(), block_bytes * kBlocksMin));
  if (model.has_kv_extents()) return budget;
  // Blocks keep what they have from the start, so that each has its part.
  budget.adapters_max = std::min(adapters, total / 2);
  budget.blocks_max = std::min(budget.blocks_max, total - budget.adapters_max);
  return budget;
}

// Slots for the states of so many sequences, up to `max_batch`, as half of what blocks may take holds, at least one's; and with a prefix
// cache a quarter as many for states that are kept.
struct StateSlots {
  int32_t sequences, count;
};

StateSlots take_states(const Model& model, const EngineOptions& options, Budget& budget) {
  const size_t bytes = model.config().state_bytes(), each = states_of_one(model), kept = options.prefix_cache ? 1 : 0;
  if (bytes == 0) return {options.max_batch, 0};
  const size_t sequences = std::clamp<size_t>(budget.blocks_max / 2 / bytes * 4 / (4 * each + kept), 1, static_cast<size_t>(options.max_batch));
  const size_t count = sequences * each + sequences * kept / 4;
  budget.total -= std::min(count * bytes, budget.total);
  budget.blocks_max -= std::min(count * bytes, budget.blocks_max);
  budget.adapters_max = std::min(budget.adapters_max, budget.total);
  return {static_cast<int32_t>(sequences), static_cast<int32_t>(count)};
}

// What adapters leave: for one request of the full context if that is at most two thirds of it all.
size_t least_block_bytes(const KvCache& cache, const Budget& budget, size_t context_blocks) {
  const auto extent_blocks = static_cast<size_t>(cache.extent_blocks());
  const size_t blocks = std::min(context_blocks, static_cast<size_t>(cache.block_count()));
  const size_t most = std::max(budget.total / 3 * 2, budget.total - budget.adapters_max);
  const size_t extents = std::min((blocks + extent_blocks - 1) / extent_blocks, most / cache.extent_bytes());
  return std::max<size_t>(extents, 1) * cache.extent_bytes();
}

}  // namespace

EngineMemory make_memory(Model& model, const EngineOptions& options) {
  model.reserve_steps(options.max_step_tokens, std::max(options.max_batch, draft_room(options, model)));
  const size_t block_bytes = model.make_kv_cache(1, options.kv_block_size)->bytes_per_block();
  Budget budget = budget_of(model, options, block_bytes);
  const size_t blocks_and_states = budget.blocks_max;
  const StateSlots states = take_states(model, options, budget);
  const size_t context_blocks = (static_cast<size_t>(model.config().max_positions) + options.kv_block_size - 1) / options.kv_block_size;
  const size_t count = std::min({budget.blocks_max / block_bytes, context_blocks * options.max_batch, size_t{INT32_MAX}});
  const bool parted = budget.blocks_max + budget.adapters_max <= budget.total;
  const char* const field = options.kv_bytes > 0 ? "kvBytes" : "memoryBytes";
  const auto refuse = [&](const std::string& expected) {
    throw Error("bad_argument", std::string(field) + ": found " + std::to_string(blocks_and_states) + "; expected at least " + expected);
  };
  if (states.count > 0 && count < 1) refuse("a block and a sequence's states, " + std::to_string(block_bytes + states_of_one(model) * model.config().state_bytes()) + " bytes.");
  if (count < 1) refuse("one block, " + std::to_string(block_bytes) + " bytes.");
  EngineMemory memory;
  memory.cache = model.make_kv_cache(static_cast<int32_t>(count), options.kv_block_size, parted ? KvMemory::whole : KvMemory::extents, states.count);
  memory.max_batch = states.sequences;
  memory.state_bytes = static_cast<size_t>(states.count) * model.config().state_bytes();
  const size_t least = least_block_bytes(*memory.cache, budget, context_blocks);
  if (least > budget.total) refuse(std::to_string(least) + ", the bytes in which the device gives memory to blocks.");
  memory.bounds = {budget.total, std::min(budget.adapters_max, budget.total - least), least};
  const size_t blocks = std::min(least / memory.cache->extent_bytes() * static_cast<size_t>(memory.cache->extent_blocks()), count);
  const size_t positions = blocks * static_cast<size_t>(options.kv_block_size);
  memory.positions_max = static_cast<int32_t>(std::min<size_t>(positions, INT32_MAX));
  return memory;
}

}  // namespace sgmv
