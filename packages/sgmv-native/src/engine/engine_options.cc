#include "engine_options.h"

#include <algorithm>

#include "available_memory.h"

namespace sgmv {

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
}

namespace {

constexpr size_t kDeviceRest = size_t{1} << 30;  // what a device's library, working memory and graphs may take besides

// A device serves nothing but the engine, the host's memory others too.
size_t automatic_bytes(const Model& model, const EngineOptions& options) {
  const std::optional<size_t> free = model.device_bytes_free();
  if (!free) return std::min<size_t>(available_memory() / 4, size_t{2} << 30);
  const size_t taken = options.adapter_bytes + kDeviceRest;
  return *free > taken ? (*free - taken) / 20 * 19 : 0;
}

}  // namespace

int32_t count_blocks(Model& model, const EngineOptions& options) {
  const size_t block_bytes = model.make_kv_cache(1, options.kv_block_size)->bytes_per_block();
  const size_t automatic = automatic_bytes(model, options);
  const size_t bytes = options.kv_bytes > 0 ? options.kv_bytes : std::max(automatic, block_bytes * 4);
  const auto context = static_cast<size_t>(model.config().max_positions);
  const size_t useful = (context + options.kv_block_size - 1) / options.kv_block_size * options.max_batch;
  const size_t count = std::min(bytes / block_bytes, useful);
  if (count < 1) {
    throw Error("bad_argument", "kvBytes: found " + std::to_string(bytes) + "; expected at least one block, " +
                                    std::to_string(block_bytes) + " bytes.");
  }
  return static_cast<int32_t>(std::min<size_t>(count, INT32_MAX));
}

}  // namespace sgmv
