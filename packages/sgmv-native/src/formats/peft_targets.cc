#include "formats/peft_targets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <deque>
#include <set>

#include "formats/python_regex.h"

namespace sgmv {
namespace {

constexpr std::array kExpertProjections = {Projection::gate, Projection::up, Projection::down};

bool has_expert_modules(const ModelConfig& model) { return model.experts.count > 0 && mixture_names(model).expert_modules; }

bool has_router_module(const ModelConfig& model, bool mixtures) {
  const MixtureNames& names = mixture_names(model);
  return model.experts.count > 0 && (names.router_stays_module || (mixtures && names.router_module));
}

// Calls visit(layer, projection, expert) for every module of the model that can be a target, in the order of the result.
template <typename Visit>
void for_each_module(const ModelConfig& model, bool mixtures, Visit visit) {
  visit(-1, Projection::embed_tokens, -1);
  if (model.per_token.size > 0) visit(-1, Projection::per_token_in, -1);
  for (int32_t layer = 0; layer < model.layers; ++layer) {
    for (const Projection p : model.layer_projections(layer)) visit(layer, p, -1);
    if (!model.has_experts(layer)) continue;
    if (has_router_module(model, mixtures)) visit(layer, Projection::router, -1);
    if (model.experts.shared_gate) visit(layer, Projection::shared_gate, -1);
    for (int32_t expert = 0; mixtures && has_expert_modules(model) && expert < model.experts.count; ++expert)
      for (const Projection p : kExpertProjections)
        if (model.gated_mlp || p != Projection::gate) visit(layer, p, expert);
  }
  visit(-1, Projection::lm_head, -1);
}

std::string target_names(const ModelConfig& model, bool mixtures) {
  std::set<Projection> projections;
  for (int32_t layer = 0; layer < model.layers; ++layer)
    for (const Projection p : model.layer_projections(layer)) projections.insert(p);
  std::string names;
  for (const Projection p : projections) names += std::string(module_leaf(model, p, -1)) + ", ";
  if (mixtures && has_expert_modules(model))
    for (const Projection p : kExpertProjections)
      if (!projections.contains(p)) names += std::string(module_leaf(model, p, 0)) + ", ";
  if (has_router_module(model, mixtures)) names += std::string(module_leaf(model, Projection::router, -1)) + ", ";
  if (model.experts.shared_gate) names += "shared_expert_gate, ";
  if (model.per_token.size > 0) names += std::string(projection_name(Projection::per_token_in)) + ", ";
  return names + "embed_tokens, lm_head";
}

// Whole names and endings of them that begin a part: whether any of a module's is in a set.
using NameSet = std::set<std::string, std::less<>>;

template <typename Visit>
bool any_ending(std::string_view module, Visit visit) {
  while (!visit(module)) {
    const size_t dot = module.find('.');
    if (dot == std::string_view::npos) return false;
    module.remove_prefix(dot + 1);
  }
  return true;
}

bool is_plain(const std::string& pattern) {
  return std::all_of(pattern.begin(), pattern.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.' || c == '-'; });
}

// A key of rank_pattern or alpha_pattern: re.match(rf"(.*\.)?({key})$", module).
class PatternKey {
 public:
  PatternKey(const std::string& key, RegexBudget& budget) : key_(key), plain_(is_plain(key)), regex_(plain_ ? "" : key, budget, plain_ ? "" : "(.*\\.)?(", plain_ ? "" : ")$") {}

  bool matches(const std::string& module) const {
    if (!plain_) return regex_.fullmatch(module);
    if (module.size() < key_.size()) return false;
    const size_t begin = module.size() - key_.size();
    if (begin > 0 && module[begin - 1] != '.') return false;
    for (size_t i = 0; i < key_.size(); ++i)
      if (key_[i] != '.' && key_[i] != module[begin + i]) return false;
    return true;
  }

 private:
  std::string key_;
  bool plain_;
  PythonRegex regex_;
};

// Compiles patterns with the field they came from, so that a bad one is refused by name.
class Patterns {
 public:
  explicit Patterns(ProblemList& problems) : problems_(problems) {}

  template <typename Make>
  void compile(const std::string& field, const std::string& pattern, Make make) {
    try {
      make(budget_);
    } catch (const RegexError& error) {
      problems_.add("unsupported_pattern", kAdapterConfigFile, field, '"' + pattern + "\", which has " + error.what(),
                    "a regular expression that this version reads");
    }
  }

  RegexBudget budget_;

 private:
  ProblemList& problems_;
};

struct Matchers {
  NameSet target_names, exclude_names;
  std::deque<PythonRegex> targets, excludes;
  std::deque<PatternKey> ranks, alphas;
  std::deque<PythonRegex> layers;
};

Matchers compile(const PeftConfig& peft, Patterns& patterns) {
  Matchers m;
  m.target_names.insert(peft.targets.names.begin(), peft.targets.names.end());
  m.exclude_names.insert(peft.excludes.names.begin(), peft.excludes.names.end());
  if (peft.targets.is_pattern && !peft.all_linear)
    patterns.compile("target_modules", peft.targets.pattern, [&](RegexBudget& b) { m.targets.emplace_back(peft.targets.pattern, b); });
  if (peft.excludes.is_pattern)
    patterns.compile("exclude_modules", peft.excludes.pattern, [&](RegexBudget& b) { m.excludes.emplace_back(peft.excludes.pattern, b); });
  for (const auto& [key, rank] : peft.rank_pattern)
    patterns.compile("rank_pattern." + key, key, [&m, &key = key](RegexBudget& b) { m.ranks.emplace_back(key, b); });
  for (const auto& [key, alpha] : peft.alpha_pattern)
    patterns.compile("alpha_pattern." + key, key, [&m, &key = key](RegexBudget& b) { m.alphas.emplace_back(key, b); });
  for (const std::string& pattern : peft.layers_pattern)
    patterns.compile("layers_pattern", pattern, [&](RegexBudget& b) { m.layers.emplace_back(pattern, b, ".*\\.", "\\.(\\d+)\\..*"); });
  return m;
}

bool list_matches(const NameSet& names, const std::string& module) {
  return any_ending(module, [&](std::string_view ending) { return names.contains(ending); });
}

bool is_target(const PeftConfig& peft, const Matchers& m, const std::string& module, int32_t layer, Projection projection) {
  if (list_matches(m.exclude_names, module) || (!m.excludes.empty() && m.excludes[0].fullmatch(module))) return false;
  if (!m.targets.empty()) return m.targets[0].fullmatch(module);
  if (peft.all_linear) {
    if (projection == Projection::embed_tokens || projection == Projection::lm_head) return false;
  } else {
    // A full name is taken whatever the layer list says, as PEFT does.
    if (m.target_names.contains(module)) return true;
    if (!list_matches(m.target_names, module)) return false;
  }
  if (!peft.layers_to_transform) return true;
  const auto& layers = *peft.layers_to_transform;
  if (layer < 0 || std::find(layers.begin(), layers.end(), layer) == layers.end()) return false;
  return peft.layers_pattern.empty() ||
         std::any_of(m.layers.begin(), m.layers.end(), [&](const PythonRegex& r) { return r.fullmatch(module); });
}

template <typename T>
T pattern_value(const std::vector<std::pair<std::string, T>>& values, const std::deque<PatternKey>& keys, const std::string& module, T otherwise) {
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i].matches(module)) return values[i].second;
  return otherwise;
}

// Modules that a model has and PEFT cannot adapt, or, of a state's convolution, the engine.
bool is_no_target(const std::string& name, const ModelConfig& model) {
  if (model.state_layers() > 0 && any_ending(name, [&](std::string_view ending) { return ending == "conv1d" || ending == state_block(model); })) return true;
  constexpr std::array<std::string_view, 42> modules = {"attention_layernorm", "feedforward_layernorm", "act_fn", "model", "language_model", "layers", "self_attn", "mlp", "norm", "input_layernorm", "post_attention_layernorm",
                                                        "pre_feedforward_layernorm", "post_feedforward_layernorm", "post_self_attn_layernorm", "post_mlp_layernorm", "q_norm", "k_norm", "query_layernorm", "key_layernorm", "q_layernorm", "k_layernorm", "final_layernorm", "post_norm1", "post_norm2", "block_sparse_moe", "experts", "shared_expert", "router", "shared_experts", "shared_mlp", "q_a_layernorm", "kv_a_layernorm", "embed_tokens_per_layer", "per_layer_projection_norm", "post_per_layer_input_norm", "feed_forward", "operator_norm", "ffn_norm", "embedding_norm", "pre_ff_layernorm", "mixer", "norm_f"};
  return std::any_of(modules.begin(), modules.end(), [&](std::string_view module) { return any_ending(name, [&](std::string_view ending) { return ending == module; }); });
}

// A list that was written for several architectures has names that a model lacks; as in PEFT they mean nothing beside
// one that it has, or beside parameters. Tensors for such a name are refused with the others that nothing announces.
void check_names(const PeftConfig& peft, const ModelConfig& model, std::string_view prefix, bool mixtures, ProblemList& problems) {
  NameSet endings;
  for_each_module(model, mixtures, [&](int32_t layer, Projection p, int32_t expert) {
    any_ending(module_name(model, layer, p, prefix, expert), [&](std::string_view ending) { return !endings.emplace(ending).second; });
  });
  const auto is_known = [&](const std::string& name) { return endings.contains(name); };
  const std::vector<std::string>& names = peft.targets.names;
  const bool others_count = !peft.parameters.empty() || std::any_of(names.begin(), names.end(), is_known);
  for (size_t i = 0; i < names.size(); ++i)
    if (others_count ? is_no_target(names[i], model) : !is_known(names[i]))
      problems.add("unknown_target", kAdapterConfigFile, "target_modules[" + std::to_string(i) + "]", '"' + names[i] + '"',
                   "one of " + target_names(model, mixtures) + " of the base model");
  for (const int32_t layer : peft.layers_to_transform.value_or(std::vector<int32_t>{}))
    if (layer >= model.layers)
      problems.add("layer_out_of_range", kAdapterConfigFile, "layers_to_transform", std::to_string(layer),
                   "layers 0 to " + std::to_string(model.layers - 1) + " of the base model");
}

std::vector<LoraTarget> match_modules(const PeftConfig& peft, const ModelConfig& model, const Matchers& m, std::string_view prefix, bool mixtures, ProblemList& problems) {
  std::vector<LoraTarget> targets;
  for_each_module(model, mixtures, [&](int32_t layer, Projection projection, int32_t expert) {
    const std::string module = module_name(model, layer, projection, prefix, expert);
    if (!is_target(peft, m, module, layer, projection)) return;
    const int32_t rank = pattern_value(peft.rank_pattern, m.ranks, module, peft.rank);
    const double alpha = pattern_value(peft.alpha_pattern, m.alphas, module, peft.alpha);
    const double divisor = peft.rslora ? std::sqrt(double(rank)) : double(rank);
    targets.push_back({layer, projection, rank, static_cast<float>(alpha / divisor), expert});
    if (projection != Projection::embed_tokens && projection != Projection::lm_head) return;
    if (peft.ties_weights && model.tied_embeddings)
      problems.add("unsupported_field", kAdapterConfigFile, "ensure_weight_tying", "true beside a target \"" + module + '"',
                   "false: one LoRA for tied weights is not supported");
    if (peft.dora && projection == Projection::embed_tokens)
      problems.add("unsupported_field", kAdapterConfigFile, "use_dora", "true beside a target \"" + module + '"',
                   "false: DoRA of an embedding is not supported");
  });
  return targets;
}

// The parameters in which Transformers 5 has the parts of a mixture.
struct BareParameter {
  bool of_experts;
  const char* name;
  std::initializer_list<Projection> projections;
};
const std::array<BareParameter, 4> kBareParameters = {{
    {false, ".weight", {Projection::router}}, {true, ".gate_up_proj", {Projection::gate, Projection::up}}, {true, ".up_proj", {Projection::up}}, {true, ".down_proj", {Projection::down}}}};
bool is_parameter_of(const BareParameter& parameter, const ModelConfig& model) { return parameter.name != std::string_view(model.gated_mlp ? ".up_proj" : ".gate_up_proj"); }

void check_parameters(const PeftConfig& peft, const ModelConfig& model, const NameSet& known, ProblemList& problems) {
  const std::string names = "one of " + std::string(mixture_names(model).bare_router) + ".weight, experts." + (model.gated_mlp ? "gate_up_proj" : "up_proj") + ", experts.down_proj of the base model";
  for (size_t i = 0; i < peft.parameters.size(); ++i)
    if (!known.contains(peft.parameters[i]))
      problems.add("unsupported_field", kAdapterConfigFile, "target_parameters[" + std::to_string(i) + "]", '"' + peft.parameters[i] + '"',
                   known.empty() ? "none: LoRA on bare parameters is supported in mixtures of experts only" : names);
  if (peft.dora && !peft.parameters.empty())
    problems.add("unsupported_field", kAdapterConfigFile, "use_dora", "true beside target_parameters", "false: PEFT has no DoRA of bare parameters");
}

// As PEFT does, in all layers, whatever layers_to_transform and exclude_modules say.
void add_parameters(const PeftConfig& peft, const ModelConfig& model, const Matchers& m, std::string_view prefix, std::vector<LoraTarget>& targets, ProblemList& problems) {
  const NameSet names(peft.parameters.begin(), peft.parameters.end());
  NameSet known;
  for (int32_t layer = 0; layer < model.layers; ++layer) {
    if (!model.has_experts(layer)) continue;
    std::vector<LoraTarget> of_expert;
    for (const BareParameter& parameter : kBareParameters) {
      if (!is_parameter_of(parameter, model)) continue;
      const std::string name = bare_module_name(model, layer, parameter.of_experts, prefix) + parameter.name;
      any_ending(name, [&](std::string_view ending) { return known.emplace(ending), false; });
      // Of a router that is a module PEFT announces it, finds it nowhere and adapts the module.
      if (!list_matches(names, name) || (!parameter.of_experts && mixture_names(model).router_stays_module)) continue;
      if (parameter.of_experts && model.experts.count == 1 && model.model_type == "gpt_oss") {
        problems.add("unsupported_field", kAdapterConfigFile, "target_parameters", '"' + name + "\" of a single expert", "several experts: what PEFT makes of a single one's [in, out] is another matrix");
        return;
      }
      const int32_t rank = pattern_value(peft.rank_pattern, m.ranks, name, peft.rank);
      const double alpha = pattern_value(peft.alpha_pattern, m.alphas, name, peft.alpha);
      const auto scale = static_cast<float>(alpha / (peft.rslora ? std::sqrt(double(rank)) : double(rank)));
      for (const Projection p : parameter.projections) (parameter.of_experts ? of_expert : targets).push_back({layer, p, rank, scale, parameter.of_experts ? 0 : -1, true});
    }
    for (int32_t expert = 0; expert < model.experts.count; ++expert)
      for (LoraTarget& target : of_expert) {
        target.expert = expert;
        targets.push_back(target);
      }
  }
  check_parameters(peft, model, known, problems);
}

// The embedding, the layers, the head.
int32_t place_of(const LoraTarget& target) { return target.projection == Projection::lm_head ? INT32_MAX : target.layer; }

}  // namespace

const MixtureNames& mixture_names(const ModelConfig& model) {
  static constexpr MixtureNames usual, others[] = {
      {.model_type = "mixtral", .block = "block_sparse_moe", .gate = "w1", .up = "w3", .down = "w2"},
      {.model_type = "granitemoe", .block = "block_sparse_moe", .router = "router.layer", .all_gate_up = "input_linear.weight", .all_down = "output_linear.weight",
       .expert_modules = false, .bare_block = "block_sparse_moe", .bare_router = "router"},
      {.model_type = "granitemoeshared", .block = "block_sparse_moe", .router = "router.layer", .all_gate_up = "input_linear.weight", .all_down = "output_linear.weight",
       .shared = "shared_mlp", .shared_gate_up = "input_linear", .shared_down = "output_linear", .expert_modules = false, .bare_block = "block_sparse_moe", .bare_router = "router"},
      {.model_type = "granitemoehybrid", .block = "block_sparse_moe", .router = "router.layer", .all_gate_up = "input_linear.weight", .all_down = "output_linear.weight",
       .shared = "shared_mlp", .shared_gate_up = "input_linear", .shared_down = "output_linear", .expert_modules = false, .bare_block = "block_sparse_moe", .bare_router = "router"},
      {.model_type = "nemotron_h", .block = "mixer", .all_gate_up = "experts.up_proj", .choice_bias = "gate.e_score_correction_bias", .shared = "mixer.shared_experts", .router_module = false, .bare_block = "mixer"},
      {.model_type = "lfm2_moe", .block = "feed_forward", .gate = "w1", .up = "w3", .down = "w2", .choice_bias = "expert_bias", .bare_block = "feed_forward"},
      {.model_type = "minimax_m2", .block = "block_sparse_moe", .gate = "w1", .up = "w3", .down = "w2", .choice_bias = "e_score_correction_bias"},
      {.model_type = "glm4_moe", .choice_bias = "gate.e_score_correction_bias", .shared = "mlp.shared_experts", .router_module = false},
      {.model_type = "solar_open", .choice_bias = "gate.e_score_correction_bias", .shared = "mlp.shared_experts", .router_module = false},
      {.model_type = "exaone_moe", .choice_bias = "e_score_correction_bias", .shared = "mlp.shared_experts", .router_module = false},
      {.model_type = "hunyuan_v1_moe", .router = "gate.wg", .shared = "mlp.shared_mlp", .router_stays_module = true},
      {.model_type = "deepseek_v2", .shared = "mlp.shared_experts", .router_module = false},
      {.model_type = "deepseek_v3", .choice_bias = "gate.e_score_correction_bias", .shared = "mlp.shared_experts", .router_module = false},
      {.model_type = "glm4_moe_lite", .choice_bias = "gate.e_score_correction_bias", .shared = "mlp.shared_experts", .router_module = false},
      {.model_type = "dots1", .choice_bias = "gate.e_score_correction_bias", .shared = "mlp.shared_experts", .router_module = false},
      {.model_type = "ernie4_5_moe", .choice_bias = "moe_statics.e_score_correction_bias", .shared = "mlp.shared_experts"},
      {.model_type = "qwen3_vl_moe_text", .expert_modules = false},
      {.model_type = "gpt_oss", .router = "router", .router_module = false, .expert_modules = false, .bare_router = "router"},
      {.model_type = "llama4_text", .block = "feed_forward", .router = "router", .shared = "feed_forward.shared_expert", .expert_modules = false,
       .bare_block = "feed_forward", .bare_router = "router", .swapped_factors = true},
      {.model_type = "gemma4_text", .block = "", .router = "router.proj", .shared = "mlp", .router_stays_module = true, .expert_modules = false, .bare_block = "", .bare_router = "router.proj"},
  };
  for (const MixtureNames& names : others)
    if (model.model_type == names.model_type) return names;
  return usual;
}

namespace {

bool is_nemotron_h(const ModelConfig& model) { return model.model_type == "nemotron_h"; }

std::string after_dot(std::string_view name) { return name.empty() ? "" : "." + std::string(name); }

}  // namespace

std::string bare_module_name(const ModelConfig& model, int32_t layer, bool experts, std::string_view prefix) {
  const MixtureNames& names = mixture_names(model);
  return std::string(prefix) + "layers." + std::to_string(layer) + after_dot(names.bare_block) + "." + (experts ? "experts" : names.bare_router);
}

const char* attention_block(const ModelConfig& model) { return is_nemotron_h(model) ? "mixer" : "self_attn"; }

const char* state_block(const ModelConfig& model) {
  if (is_nemotron_h(model)) return "mixer";
  switch (model.linear.rule) {
    case StateRule::mamba2: return "mamba";
    case StateRule::short_conv: return "conv";
    case StateRule::gated_delta: break;
  }
  return "linear_attn";
}

const char* mlp_block(const ModelConfig& model) {
  if (is_nemotron_h(model)) return "mixer";
  if (model.model_type.starts_with("lfm2") || model.model_type == "llama4_text" || is_bamba_like(model)) return "feed_forward";
  return model.model_type == "granitemoehybrid" ? mixture_names(model).shared : "mlp";
}

bool is_bamba_like(const ModelConfig& model) { return model.model_type == "bamba" || model.model_type == "falcon_h1"; }

const char* module_leaf(const ModelConfig& model, Projection projection, int32_t expert) {
  const MixtureNames& names = mixture_names(model);
  if (projection == Projection::router) return names.router;
  const bool starcoder = model.model_type == "starcoder2", phi = model.model_type == "phi", lfm = model.model_type.starts_with("lfm2");
  if ((starcoder || phi) && projection == Projection::up) return starcoder ? "c_fc" : "fc1";
  if ((starcoder || phi) && projection == Projection::down) return starcoder ? "c_proj" : "fc2";
  if (phi && projection == Projection::o) return "dense";
  if (lfm && projection == Projection::o) return projection_name(Projection::out);
  if (lfm && (projection == Projection::gate || projection == Projection::up || projection == Projection::down))
    return projection == Projection::gate ? "w1" : projection == Projection::up ? "w3" : "w2";
  if (expert < 0) return projection == Projection::gate_up ? names.shared_gate_up : projection == Projection::down ? names.shared_down : projection_name(projection);
  return projection == Projection::gate ? names.gate : projection == Projection::up ? names.up : names.down;
}

std::string module_name(const ModelConfig& model, int32_t layer, Projection projection, std::string_view prefix, int32_t expert) {
  if (projection == Projection::lm_head) return prefix == kWrappedPrefixes[1] ? "language_model.lm_head" : "lm_head";
  if (projection == Projection::embed_tokens && is_nemotron_h(model)) return std::string(prefix) + "embeddings";
  if (projection == Projection::embed_tokens || projection == Projection::per_token_in) return std::string(prefix) + projection_name(projection);
  const std::string block = is_of_state(projection) ? state_block(model) : projection <= Projection::o ? attention_block(model) : model.has_experts(layer) ? mixture_names(model).shared : mlp_block(model);
  const std::string begin = std::string(prefix) + "layers." + std::to_string(layer), mixture = begin + after_dot(mixture_names(model).block);
  if (projection == Projection::per_token_gate || projection == Projection::per_token_out) return begin + "." + projection_name(projection);
  if (is_of_router(projection)) return mixture + "." + module_leaf(model, projection, expert);
  if (expert < 0) return begin + "." + block + "." + module_leaf(model, projection, expert);
  return mixture + std::string(kExpertsInfix) + std::to_string(expert) + "." + module_leaf(model, projection, expert);
}

std::vector<LoraTarget> resolve_targets(const PeftConfig& peft, const ModelConfig& model, ProblemList& problems, std::string_view prefix, bool mixtures) {
  if (model.folded_multipliers) {
    problems.add("base_mismatch", kAdapterConfigFile, "target_modules", "an adapter", "none: weights of Falcon-H1 in GGUF are multiplied by numbers that the file does not say, and an adapter's are not; serve the model in safetensors");
    return {};
  }
  Patterns patterns(problems);
  const Matchers matchers = compile(peft, patterns);
  check_names(peft, model, prefix, mixtures, problems);
  if (!problems.empty()) return {};
  std::vector<LoraTarget> targets;
  try {
    targets = match_modules(peft, model, matchers, prefix, mixtures, problems);
    if (!peft.parameters.empty()) add_parameters(peft, model, matchers, prefix, targets, problems);
    std::stable_sort(targets.begin(), targets.end(), [](const LoraTarget& one, const LoraTarget& other) { return place_of(one) < place_of(other); });
  } catch (const RegexError& error) {
    problems.add("unsupported_pattern", kAdapterConfigFile, "", error.what(), "patterns that are matched quickly");
    return {};
  }
  if (targets.empty() && problems.empty())
    problems.add("no_targets", kAdapterConfigFile, "target_modules",
                 peft.targets.is_pattern ? '"' + peft.targets.pattern + "\", which matches nothing" : "names that match nothing",
                 "at least one projection of the base model");
  return targets;
}

}  // namespace sgmv
