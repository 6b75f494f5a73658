#include "formats/peft_rows.h"

#include <algorithm>
#include <string>

namespace sgmv {
namespace {

constexpr const char* kField = "trainable_token_indices";

class RowsResolver {
 public:
  RowsResolver(const PeftConfig& peft, const ModelConfig& model, std::string_view prefix, ProblemList& problems)
      : peft_(peft), model_(model), problems_(problems), embedding_(module_name(model, -1, Projection::embed_tokens, prefix)), head_(module_name(model, -1, Projection::lm_head, prefix)) {}

  std::vector<PeftRows> resolve() {
    for (const auto& [name, tokens] : peft_.trained_tokens) {
      const bool embedding = name.empty() || names(embedding_, name), head = !name.empty() && names(head_, name);
      if (!embedding && !head) refuse("unknown_module", path_of(name), '"' + name + '"', '"' + embedding_ + "\" or \"" + head_ + '"');
      else if (check_tokens(path_of(name), tokens)) (embedding ? of_embedding_ : of_head_).push_back({embedding, head, tokens, {}});
    }
    if (of_embedding_.size() > 1 || of_head_.size() > 1) refuse("duplicate_module", kField, "several names of one module", "each module once");
    if (!problems_.empty()) return {};
    tie();
    of_embedding_.insert(of_embedding_.end(), of_head_.begin(), of_head_.end());
    return of_embedding_;
  }

 private:
  static bool names(const std::string& module, const std::string& name) { return ("." + module).ends_with("." + name); }
  static std::string path_of(const std::string& name) { return name.empty() ? kField : std::string(kField) + "." + name; }

  void refuse(const char* code, const std::string& path, const std::string& found, const std::string& expected) { problems_.add(code, kAdapterConfigFile, path, found, expected); }

  bool check_tokens(const std::string& path, std::vector<int32_t> tokens) {
    std::sort(tokens.begin(), tokens.end());
    if (const auto twice = std::adjacent_find(tokens.begin(), tokens.end()); twice != tokens.end()) {
      refuse("duplicate_token", path, std::to_string(*twice) + " twice", "each token once");
      return false;
    }
    if (tokens.back() < model_.vocab_size) return true;
    refuse("token_out_of_range", path, std::to_string(tokens.back()), "tokens below " + std::to_string(model_.vocab_size));
    return false;
  }

  void tie() {
    if (!model_.tied_embeddings || of_embedding_.empty()) return;
    const bool same = of_head_.empty() || of_head_[0].tokens == of_embedding_[0].tokens;
    if (same) {
      of_head_.clear();
      of_embedding_[0].of_head = true;
    } else if (peft_.ties_weights) {
      refuse("conflicting_fields", kField, "other tokens of the head than of the embedding beside ensure_weight_tying", "the same tokens of both");
    }
  }

  const PeftConfig& peft_;
  const ModelConfig& model_;
  ProblemList& problems_;
  const std::string embedding_, head_;
  std::vector<PeftRows> of_embedding_, of_head_;
};

}  // namespace

std::vector<PeftRows> resolve_rows(const PeftConfig& peft, const ModelConfig& model, const std::vector<LoraTarget>& targets, std::string_view prefix, ProblemList& problems) {
  if (peft.trained_tokens.empty()) return {};
  const auto refuse = [&](const std::string& found, const char* expected) { problems.add("conflicting_fields", kAdapterConfigFile, kField, found, expected); };
  if (!peft.invocation_tokens.empty()) refuse("tokens beside alora_invocation_tokens", "null: before the invocation an activated adapter is the base model");
  std::vector<PeftRows> all = RowsResolver(peft, model, prefix, problems).resolve();
  for (const PeftRows& rows : all) {
    if (rows.of_head && model.head_bias) refuse("rows of a head with a bias", "rows of the embedding only: PEFT drops that bias");
    for (const LoraTarget& target : targets)
      if ((rows.of_embedding && target.projection == Projection::embed_tokens) || (rows.of_head && target.projection == Projection::lm_head))
        refuse("rows of \"" + module_name(model, -1, target.projection, prefix) + "\", which is a target too", "rows of modules without LoRA, as in PEFT");
  }
  return all;
}

}  // namespace sgmv
