// A LoRA adapter, loaded and packed for one model. Immutable and shared: the engine pins it by holding a
// shared_ptr while any running request uses it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "sgmv/model_config.h"

namespace sgmv {

class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual size_t bytes() const = 0;  // resident bytes, packed
  virtual int32_t rank_max() const = 0;
  // Activated LoRA: it acts from the last place on where these tokens stand in a prompt, and nowhere without them. Empty: it acts everywhere.
  virtual std::span<const int32_t> invocation() const { return {}; }
  // The first position it acts on after a prompt; INT32_MAX: none. As PEFT's calculate_alora_offsets in generate(): no token that is
  // generated invokes it.
  int32_t acts_from(std::span<const int32_t> prompt) const {
    const auto last = std::find_end(prompt.begin(), prompt.end(), invocation().begin(), invocation().end());
    return invocation().empty() ? 0 : last == prompt.end() ? INT32_MAX : static_cast<int32_t>(last - prompt.begin());
  }
};

// Why an adapter is refused. `code` is stable; `path` is a JSON field or a tensor name and may be empty.
struct AdapterProblem {
  std::string code;
  std::string file;
  std::string path;
  std::string found;
  std::string expected;
  std::string message;
};

struct AdapterSummary {
  int32_t rank_min = 0;
  int32_t rank_max = 0;
  std::vector<std::string> target_modules;  // in the model's order, embed_tokens and lm_head last
  int32_t layers = 0;                       // layers with at least one target
  int64_t parameters = 0;
  std::string dtype;
  bool rslora = false;
  bool dora = false;
  int32_t trained_tokens = 0;              // rows of the embedding or the head of its own
  std::vector<int32_t> invocation_tokens;  // of an activated LoRA
  size_t resident_bytes = 0;
};

struct AdapterReport {
  std::vector<AdapterProblem> problems;  // empty: the adapter is sound
  bool has_summary = false;              // false: the files could not be read far enough
  AdapterSummary summary;
};

// Checks adapter_config.json and adapter_model.safetensors in `folder` against `config` without loading a model:
// every problem is collected, not only the first. Values are scanned for NaN and Inf. Never throws for bad
// content; throws sgmv::Error only if `folder` itself cannot be read.
AdapterReport inspect_adapter(const std::filesystem::path& folder, const ModelConfig& config);

}  // namespace sgmv
