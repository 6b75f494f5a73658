// adapter_config.json of PEFT's LoRA: read completely or refused by name. Every field is either used, known to
// change nothing, or required to have the value that changes nothing; an unknown field that is set is refused too,
// because serving an adapter that computes something else than it was trained to is worse than not serving it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "sgmv/adapter.h"

namespace sgmv {

inline constexpr const char* kAdapterConfigFile = "adapter_config.json";
inline constexpr const char* kAdapterWeightsFile = "adapter_model.safetensors";

// Collects what is wrong. The first thousands of equal complaints help nobody, so the list is capped.
class ProblemList {
 public:
  void add(const std::string& code, const std::string& file, const std::string& path, const std::string& found,
           const std::string& expected);
  bool empty() const { return problems_.empty(); }
  std::vector<AdapterProblem> take() { return std::move(problems_); }
  void append(ProblemList& others) {
    for (AdapterProblem& problem : others.problems_) problems_.push_back(std::move(problem));
  }

 private:
  std::vector<AdapterProblem> problems_;
};

// A list of names, or one regular expression.
struct ModuleNames {
  bool is_pattern = false;
  std::string pattern;
  std::vector<std::string> names;
  bool empty() const { return !is_pattern && names.empty(); }
};

struct PeftConfig {
  int32_t rank = 0;
  double alpha = 8.0;  // PEFT's default
  bool rslora = false;
  bool dora = false;
  std::vector<int32_t> invocation_tokens;  // alora_invocation_tokens; empty: it acts everywhere
  std::vector<std::pair<std::string, std::vector<int32_t>>> trained_tokens;  // trainable_token_indices by module; no name: the embedding
  bool ties_weights = false;  // ensure_weight_tying: one adapter for tied embed_tokens and lm_head
  std::vector<std::pair<std::string, int32_t>> rank_pattern;  // in the file's order: the first match counts
  std::vector<std::pair<std::string, double>> alpha_pattern;
  bool all_linear = false;
  ModuleNames targets;
  std::vector<std::string> parameters;  // target_parameters: names of bare parameters
  ModuleNames excludes;
  std::optional<std::vector<int32_t>> layers_to_transform;
  std::vector<std::string> layers_pattern;
};

// Adds what is wrong to `problems`; the result is usable for further checks only when nothing was added.
PeftConfig parse_peft_config(const json::Value& root, ProblemList& problems);

// Fields with one admissible value, and unknown ones (peft_fields.cc).
void check_peft_fields(const json::Value& root, ProblemList& problems);

}  // namespace sgmv
