#include "models/config_gguf.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "models/config_hf.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

// One divisor per rotated pair of components; empty when the file has no such tensor.
std::vector<float> read_factors(const GgufFile& gguf, const GgufMetadata& meta, const char* name, int32_t count) {
  const TensorInfo* info = gguf.find(name);
  if (info == nullptr) return {};
  if (info->dtype != DType::f32 || info->elements() != count)
    meta.refuse("model_corrupt", name, info->dtype_text + " " + shape_text(info->shape), std::to_string(count) + " numbers in F32");
  std::vector<float> factors(static_cast<size_t>(count));
  dequantize(DType::f32, gguf.read(*info).data(), count, factors.data());
  for (const float factor : factors)
    if (!(factor > 0)) meta.refuse("model_corrupt", name, std::to_string(factor), "numbers above 0");
  return factors;
}

// Phi-3: factors for sequences within the original context, and for longer ones.
void read_longrope(const GgufFile& gguf, const GgufMetadata& meta, const ModelConfig& config, int32_t pairs, RopeConfig& rope) {
  rope.factors = read_factors(gguf, meta, "rope_factors_short.weight", pairs);
  rope.long_factors = read_factors(gguf, meta, "rope_factors_long.weight", pairs);
  if (rope.factors.empty() && rope.long_factors.empty()) return;
  if (rope.factors.empty() || rope.long_factors.empty())
    meta.refuse("model_corrupt", "rope_factors_short.weight, rope_factors_long.weight", "one of the two", "both");
  rope.kind = RopeConfig::Kind::longrope;
  const int32_t original = rope.original_max_positions;
  rope.attention_factor = meta.number("rope.scaling.attn_factor", longrope_attention_factor(double(config.max_positions) / original, original));
}

RopeConfig read_rope(const GgufFile& gguf, const GgufMetadata& meta, const ModelConfig& config) {
  RopeConfig rope;
  rope.theta = meta.number("rope.freq_base", 10000.0);
  const int32_t dim = config.full_kv.heads > 0 ? config.full_kv.dim : config.head_dim, rotary = meta.integer("rope.dimension_count", dim);
  const bool may_be_partial = config.is_latent() || config.model_type == "phi3" || config.model_type.starts_with("glm") || config.model_type == "minimax_m2" || config.model_type == "nemotron" || config.model_type == "phi" ||
                              config.model_type == "stablelm" || config.model_type == "bamba" || config.attention_gate;
  const bool partial = may_be_partial && rotary >= 2 && rotary < dim && rotary % 2 == 0;
  if (partial) rope.rotary_dim = rotary;
  else if (rotary != dim)
    meta.refuse("model_unsupported", meta.key("rope.dimension_count"), std::to_string(rotary), "the head size, " + std::to_string(dim));
  const std::string type = meta.text("rope.scaling.type", "none");
  rope.factor = meta.number("rope.scaling.factor", 1.0);
  if (type == "linear") rope.kind = RopeConfig::Kind::linear;
  else if (type == "yarn") rope.kind = RopeConfig::Kind::yarn;
  else if (type != "none") meta.refuse("model_unsupported", meta.key("rope.scaling.type"), type, "none, linear or yarn");
  rope.original_max_positions = meta.integer("rope.scaling.original_context_length", config.max_positions);
  if (rope.kind == RopeConfig::Kind::yarn) {
    rope.beta_fast = meta.number("rope.scaling.yarn_beta_fast", 32.0);
    rope.beta_slow = meta.number("rope.scaling.yarn_beta_slow", 1.0);
    if (!(rope.beta_fast > 0) || !(rope.beta_slow > 0)) meta.refuse("model_corrupt", meta.key("rope.scaling.yarn_beta_fast"), "a number of 0 or less", "more than 0");
    rope.truncate = config.model_type != "gpt_oss";  // no key says it
  }
  if (!(rope.theta > 0) || !(rope.factor > 0)) meta.refuse("model_corrupt", meta.key("rope.freq_base"), "a number of 0 or less", "more than 0");
  rope.factors = read_factors(gguf, meta, "rope_freqs.weight", rotary / 2);
  if (config.model_type == "phi3" || config.model_type == "minicpm3") read_longrope(gguf, meta, config, rotary / 2, rope);
  return rope;
}

// Which layers slide is in the file only lately; before, readers knew it of the architecture.
void read_sliding_window(const GgufFile& gguf, const GgufMetadata& meta, ModelConfig& config) {
  config.sliding_window = std::max(0, meta.integer("attention.sliding_window", 0));
  if (config.sliding_window == 0 && (config.model_type == "gpt_oss" || config.model_type == "cohere2" || config.model_type == "gemma4_text"))
    meta.refuse("model_corrupt", meta.key("attention.sliding_window"), "none", "a number of positions: layers of this architecture slide");
  if (config.sliding_window == 0) return;
  const bool gemma3 = config.model_type == "gemma3_text", every_second = config.model_type == "gemma2" || config.model_type == "gpt_oss";
  const GgufValue* pattern = gguf.metadata(meta.key("attention.sliding_window_pattern"));
  const auto* each = pattern == nullptr ? nullptr : std::get_if<GgufArray>(pattern);
  const auto layers = static_cast<size_t>(config.layers);
  if (each != nullptr && each->numbers.size() != layers)
    meta.refuse("model_corrupt", meta.key("attention.sliding_window_pattern"), std::to_string(each->length) + " entries", "one per layer");
  if (each == nullptr && (config.model_type == "gemma4_text" || config.model_type == "granite_swa"))
    meta.refuse("model_corrupt", meta.key("attention.sliding_window_pattern"), "nothing", "which layers slide");
  const int32_t full_every = each != nullptr ? 0 : std::max(0, meta.integer("attention.sliding_window_pattern", every_second ? 2 : gemma3 ? 6 : config.model_type == "olmo2" || config.model_type == "cohere2" || config.model_type == "exaone_moe" || config.model_type == "mellum" ? 4 : 0));
  for (size_t layer = 0; layer < layers; ++layer)
    config.layer_is_sliding.push_back(each != nullptr ? each->numbers[layer] != 0
                                                      : full_every == 0 || (layer + 1) % static_cast<size_t>(full_every) != 0);
}

// Gemma's scale of q·k is 1/√head_dim but in the largest of each generation, which the number of layers tells.
void read_gemma(const GgufMetadata& meta, ModelConfig& config) {
  const bool gemma2 = config.model_type == "gemma2", first = config.model_type == "gemma";
  config.activation = Activation::gelu_tanh;
  use_gemma_layout(config);
  if (first) return;
  config.post_norms = true;
  if (config.layers == (gemma2 ? 46 : 62))
    config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.hidden_size / config.heads));
  config.attention_scale = static_cast<float>(meta.number("attention.scale", config.attention_scale));
  config.attention_softcap = static_cast<float>(meta.number("attn_logit_softcapping", gemma2 ? 50 : 0));
  config.logit_softcap = static_cast<float>(meta.number("final_logit_softcapping", gemma2 ? 30 : 0));
  if (gemma2) return;
  config.sliding_rope.emplace().theta = meta.number("rope.freq_base_swa", 10000.0);
  if (!(config.sliding_rope->theta > 0)) meta.refuse("model_corrupt", meta.key("rope.freq_base_swa"), "a number of 0 or less", "more than 0");
}

// OLMo 2 has no sliding layers; those of OLMo 3, in files of the same architecture, and of Mellum do not stretch the RoPE of their own.
void read_sliding_rope(const GgufMetadata& meta, ModelConfig& config) {
  if (config.sliding_window > 0) config.sliding_rope.emplace().theta = meta.number("rope.freq_base_swa", meta.number("rope.freq_base", 10000.0));
}

void read_granite(const GgufMetadata& meta, ModelConfig& config) {
  const auto scale = [&](const char* key, double otherwise) {
    const double value = meta.number(key, otherwise);
    if (!(value >= kMultiplierMin && value <= kMultiplierMax)) meta.refuse("model_unsupported", meta.key(key), std::to_string(value), "a number from 1e-3 to 1e3");
    return value;
  };
  if (!meta.flag("rope.scaling.finetuned", true) && config.has_rope(0)) meta.refuse("model_unsupported", meta.key("rope.scaling.finetuned"), "false", "true: layers with RoPE");
  config.embedding_scale = static_cast<float>(scale("embedding_scale", 1.0));
  config.attention_scale = static_cast<float>(scale("attention.scale", config.attention_scale));
  config.logit_scale = static_cast<float>(1.0 / scale("logit_scale", 1.0));
  config.scale_residuals(scale("residual_scale", 1.0));
}

// Layers without RoPE have a list only in files of models that have them.
void read_granite_swa(const GgufFile& gguf, const GgufMetadata& meta, ModelConfig& config) {
  config.attention_sinks = gguf.find("blk.0.attn_sinks.weight") != nullptr;
  if (!meta.has("attention.rope_pattern")) return;
  for (const int32_t rotated : meta.of_layers("attention.rope_pattern", config.layers)) config.layer_has_rope.push_back(rotated != 0);
}

// Ministral 3, and in newer files Mistral Small 3.1: that one says nothing of this.
void read_ministral(const GgufMetadata& meta, ModelConfig& config) {
  const double growth = meta.number("attention.temperature_scale", 0.0);
  if (!(growth >= 0 && growth <= kMultiplierMax)) meta.refuse("model_unsupported", meta.key("attention.temperature_scale"), std::to_string(growth), "a number from 0 to 1e3");
  config.query_growth = static_cast<float>(growth);
  config.query_growth_span = std::max(1, config.rope.original_max_positions);
  config.rope.mscale_all_dim = meta.number("rope.scaling.yarn_log_multiplier", 0.0);
  config.rope.mscale = config.rope.mscale_all_dim > 0 ? 1.0 : 0.0;
}

// Of architectures with experts: what llama.cpp assumes of the weights of those that were chosen where the file does not say it,
// and the key of their size. Whether the file has them, the number says: Llama's architecture is Mixtral's too.
struct ArchitectureExperts {
  const char* architecture;
  bool normalized = true;
  const char* size_key = "expert_feed_forward_length";
  bool shared_gate = false;  // of a shared expert that is always there
  bool may_share = false;    // one without a gate, if the file has it
  bool sigmoid = false;
  bool said = false;         // the file may say otherwise
  float sum_min = 0, sum_added = 0;
  bool biased = false;
  bool may_lack = false;     // the architecture has models without experts too
  bool apart = false;
};
constexpr float kErnieSumMin = 1e-12f;
constexpr ArchitectureExperts kExperts[] = {
    {.architecture = "llama", .size_key = "feed_forward_length", .may_lack = true},
    {.architecture = "qwen2moe", .normalized = false, .shared_gate = true},
    {.architecture = "qwen3moe"}, {.architecture = "qwen3vlmoe"}, {.architecture = "mellum"},
    {.architecture = "olmoe", .normalized = false, .size_key = "feed_forward_length"},
    {.architecture = "granitemoe", .size_key = "feed_forward_length", .may_share = true},
    {.architecture = "granitehybrid", .size_key = "feed_forward_length", .may_share = true, .may_lack = true},
    {.architecture = "lfm2moe", .sigmoid = true, .said = true, .sum_added = kLfmSumAdded},
    {.architecture = "nemotron_h_moe", .may_share = true, .sigmoid = true, .said = true, .sum_min = kSumMin},
    {.architecture = "qwen3next", .shared_gate = true}, {.architecture = "qwen35moe", .shared_gate = true},
    {.architecture = "glm4moe", .may_share = true, .sigmoid = true, .said = true, .sum_min = kSumMin},
    {.architecture = "dots1", .normalized = false, .may_share = true, .sigmoid = true, .said = true, .sum_min = kSumMin},
    {.architecture = "minimax-m2", .sigmoid = true, .said = true, .sum_min = kSumMin},
    {.architecture = "ernie4_5-moe", .may_share = true, .sum_min = kErnieSumMin},
    {.architecture = "exaone-moe", .may_share = true, .sigmoid = true, .said = true, .sum_min = kSumMin},
    {.architecture = "hunyuan-moe", .may_share = true},
    {.architecture = "gpt-oss", .biased = true},
    {.architecture = "deepseek2", .normalized = false, .may_share = true, .said = true, .sum_min = kSumMin, .may_lack = true},
    {.architecture = "gemma4", .may_lack = true, .apart = true}};

bool is_cohere(const std::string& architecture) { return architecture == "command-r" || architecture == "cohere2"; }

// Architectures whose norms take the mean off, or whose MLP has no gate.
void read_block(const GgufFile& gguf, const std::string& architecture, ModelConfig& config) {
  const bool stablelm = architecture == "stablelm", cohere = is_cohere(architecture), phi = architecture == "phi2", starcoder = architecture == "starcoder2", hybrid = architecture.starts_with("nemotron_h");
  const bool squared = architecture == "nemotron" || architecture == "jais2" || architecture == "arcee" || hybrid;
  config.layer_norms = stablelm || cohere || phi || starcoder || (squared && architecture != "arcee" && !hybrid);
  config.norm_biases = !cohere;
  config.parallel_mlp = cohere || phi || (stablelm && gguf.find("blk.0.ffn_norm.weight") == nullptr);
  config.qk_layer_norms = (stablelm || architecture == "command-r") && gguf.find("blk.0.attn_q_norm.weight") != nullptr;
  config.head_bias = phi;
  if (!phi && !starcoder && !squared) return;
  config.gated_mlp = false;
  config.activation = squared ? Activation::relu2 : Activation::gelu_tanh;
}

void read_cohere(const GgufMetadata& meta, ModelConfig& config) {
  const double scale = meta.number("logit_scale", 0.0);
  if (!(scale >= kMultiplierMin && scale <= kMultiplierMax)) meta.refuse("model_unsupported", meta.key("logit_scale"), std::to_string(scale), "a number from 1e-3 to 1e3");
  config.logit_scale = static_cast<float>(scale);
  if (config.model_type == "cohere2") config.layer_has_rope = config.layer_is_sliding;
}

// What the file says of a router and its weights.
void read_router(const GgufMetadata& meta, ExpertsConfig& experts) {
  const int32_t gating = meta.integer("expert_gating_func", 0);
  if (gating < 0 || gating > 2) meta.refuse("model_unsupported", meta.key("expert_gating_func"), std::to_string(gating), "1 or 2: softmax or sigmoid");
  if (gating > 0) experts.sigmoid = gating == 2;
  experts.normalized = meta.flag("expert_weights_norm", experts.normalized);
  const double scale = meta.number("expert_weights_scale", 1.0);
  if (!(scale >= kMultiplierMin && scale <= kMultiplierMax)) meta.refuse("model_unsupported", meta.key("expert_weights_scale"), std::to_string(scale), "a number from 1e-3 to 1e3");
  experts.scale = static_cast<float>(scale);
  experts.groups = std::max(1, meta.integer("expert_group_count", 1));
  experts.groups_per_token = std::max(1, meta.integer("expert_group_used_count", 1));
  const int32_t each = experts.count / experts.groups;
  if (experts.groups > kExpertGroupsMax || each * experts.groups != experts.count || (experts.groups > 1 && each < 2) || experts.groups_per_token > experts.groups ||
      experts.groups_per_token * each < experts.per_token)
    meta.refuse("model_unsupported", meta.key("expert_group_count"), std::to_string(experts.groups) + ", of which " + std::to_string(experts.groups_per_token) + " are used",
                "groups of one size, of at least two experts, and of as many as a token passes");
}

// The key of how ratings are weighed is younger than DeepSeek-V2, and files of GLM-4.7-Flash lack it; only the latter have biases of the choice.
void read_deepseek_router(const GgufMetadata& meta, ModelConfig& config) {
  ExpertsConfig& experts = config.experts;
  if (!meta.has("expert_gating_func")) experts.sigmoid = experts.choice_bias;
  experts.groups_by_best = !experts.sigmoid;
  if (!experts.sigmoid) config.model_type = "deepseek_v2";
}

void read_experts(const GgufFile& gguf, const GgufMetadata& meta, const std::string& architecture, ModelConfig& config) {
  const auto known = std::find_if(std::begin(kExperts), std::end(kExperts), [&](const ArchitectureExperts& one) { return one.architecture == architecture; });
  const int32_t count = meta.integer("expert_count", 0);
  if (known == std::end(kExperts) || (count == 0 && known->may_lack)) {
    if (count != 0) meta.refuse("model_unsupported", meta.key("expert_count"), std::to_string(count), "0");
    if (config.is_latent() && architecture == "deepseek2") config.model_type = "youtu";
    return;
  }
  ExpertsConfig& experts = config.experts;
  experts.count = count;
  experts.per_token = meta.integer("expert_used_count", 0);
  experts.size = meta.integer(known->size_key, 0);
  experts.normalized = known->normalized;
  experts.shared = experts.shared_gate = known->shared_gate;
  experts.sigmoid = known->sigmoid;
  experts.sum_min = known->sum_min;
  experts.sum_added = known->sum_added;
  experts.biased = known->biased;
  experts.apart = known->apart;
  check_experts(experts, gguf.file_name(), {meta.key("expert_count"), meta.key("expert_used_count"), meta.key(known->size_key)});
  if (known->said) read_router(meta, experts);
  if (architecture == "llama") config.model_type = "mixtral";
  const int32_t shared_size = meta.integer("expert_shared_feed_forward_length", known->shared_gate ? config.intermediate_size : 0);
  if (known->shared_gate) experts.shared_size = shared_size;
  else if (shared_size != 0 && !known->may_share) meta.refuse("model_unsupported", meta.key("expert_shared_feed_forward_length"), std::to_string(shared_size), "0");
  for (int32_t layer = 0; layer < config.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    experts.layer_has_none.push_back(gguf.find(block + "ffn_gate_inp.weight") == nullptr);
    if (experts.layer_has_none.back()) continue;
    experts.choice_bias = experts.choice_bias || gguf.find(block + "exp_probs_b.bias") != nullptr;
    // Its size has a key in some files only, which do not all mean the same by it.
    const TensorInfo* shared = known->may_share ? gguf.find(block + "ffn_up_shexp.weight") : nullptr;
    if (shared == nullptr || shared->shape.size() != 2) continue;
    experts.shared = true;
    experts.shared_size = static_cast<int32_t>(std::min<int64_t>(shared->shape[0], INT32_MAX));
  }
  if (architecture == "deepseek2") read_deepseek_router(meta, config);
  if (known->may_share && shared_size > 0 && !experts.shared)
    meta.refuse("model_corrupt", meta.key("expert_shared_feed_forward_length"), std::to_string(shared_size), "0, or tensors of a shared expert");
  if (experts.shared && (experts.shared_size < 1 || experts.shared_size > 1 << 20))
    meta.refuse("model_corrupt", meta.key("expert_shared_feed_forward_length"), std::to_string(experts.shared_size), "1 to 1048576");
  if (architecture == "granitemoe" && experts.shared) config.model_type = "granitemoeshared", config.fused_gate_up = true;
}

// llama.cpp's name of an architecture, the model type in Hugging Face's words, whether llama.cpp's converter reorders
// the rows of q and k so that rotated pairs are neighbours, and whether the rest of a vision model is in another file.
struct Architecture {
  const char* name;
  const char* model_type;
  bool interleaved_heads = false, sees_images = false;
};
constexpr Architecture kArchitectures[] = {{"llama", "llama", true}, {"qwen2", "qwen2"}, {"qwen3", "qwen3"}, {"gemma", "gemma"}, {"gemma2", "gemma2"}, {"gemma3", "gemma3_text"},
                                           {"phi3", "phi3"}, {"smollm3", "smollm3", true}, {"granite", "granite", true}, {"olmo2", "olmo2"}, {"mistral3", "ministral3", true},
                                           {"seed_oss", "seed_oss"}, {"glm4", "glm4"}, {"ernie4_5", "ernie4_5"}, {"exaone4", "exaone4"},
                                           {"hunyuan-dense", "hunyuan_v1_dense"}, {"starcoder2", "starcoder2"}, {"nemotron", "nemotron"}, {"jais2", "jais2"}, {"arcee", "arcee", true},
                                           {"command-r", "cohere"}, {"cohere2", "cohere2"}, {"phi2", "phi"}, {"stablelm", "stablelm"},
                                           {"qwen2moe", "qwen2_moe"}, {"qwen3moe", "qwen3_moe"}, {"olmoe", "olmoe"}, {"granitemoe", "granitemoe", true},
                                           {"glm4moe", "glm4_moe"}, {"dots1", "dots1"}, {"minimax-m2", "minimax_m2"}, {"ernie4_5-moe", "ernie4_5_moe"}, {"exaone-moe", "exaone_moe"}, {"hunyuan-moe", "hunyuan_v1_moe"},
                                           {"qwen2vl", "qwen2_vl_text", false, true}, {"qwen3vl", "qwen3_vl_text", false, true}, {"qwen3vlmoe", "qwen3_vl_moe_text", false, true},
                                           {"gpt-oss", "gpt_oss"}, {"gemma4", "gemma4_text", false, true}, {"deepseek2", "deepseek_v3"}, {"minicpm3", "minicpm3"}, {"granite_swa", "granite_swa", true}, {"mellum", "mellum"}, {"chatglm", "glm"},
                                           {"qwen3next", "qwen3_next"}, {"qwen35", "qwen3_5_text", false, true}, {"qwen35moe", "qwen3_5_moe_text", false, true},
                                           {"lfm2", "lfm2"}, {"lfm2moe", "lfm2_moe"}, {"granitehybrid", "granitemoehybrid", true}, {"falcon-h1", "falcon_h1"}, {"nemotron_h", "nemotron_h", true}, {"nemotron_h_moe", "nemotron_h", true}};

const Architecture& find_architecture(const std::string& name, const GgufMetadata& meta) {
  std::string names;
  for (const Architecture& architecture : kArchitectures) {
    if (name == architecture.name) return architecture;
    names += (names.empty() ? "" : ", ") + std::string(architecture.name);
  }
  meta.refuse("model_unsupported", "general.architecture", '"' + name + '"', "one of " + names);
}

void read_end_tokens(const GgufFile& gguf, ModelConfig& config) {
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const auto token = gguf.integer(key);
    if (!token || *token < 0 || *token >= config.vocab_size) continue;
    const auto id = static_cast<int32_t>(*token);
    bool known = false;
    for (const int32_t seen : config.end_tokens) known = known || seen == id;
    if (!known) config.end_tokens.push_back(id);
  }
}

}  // namespace

ModelConfig config_from_gguf(const GgufFile& gguf) {
  const std::string architecture = gguf.text("general.architecture").value_or("");
  const GgufMetadata meta(gguf, architecture + ".");
  const Architecture& known = find_architecture(architecture, meta);
  const TensorInfo* embedding = gguf.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) meta.refuse("model_corrupt", "token_embd.weight", "no such matrix", "the embedding");

  if (!meta.flag("attention.causal", true)) meta.refuse("model_unsupported", meta.key("attention.causal"), "false", "true: a model that writes");

  ModelConfig config;
  config.model_type = known.model_type;
  config.sees_images = known.sees_images;
  config.interleaved_heads = known.interleaved_heads;
  config.vocab_size = static_cast<int32_t>(std::min<int64_t>(embedding->shape[0], INT32_MAX));
  config.hidden_size = meta.required("embedding_length");
  const bool gemma4 = architecture == "gemma4", latent = architecture == "deepseek2" || architecture == "minicpm3", chatglm = architecture == "chatglm";
  config.layers = meta.required("block_count") - std::max(0, meta.integer("nextn_predict_layers", 0));  // which predict a token more
  // All layers of qwen35moe have experts, and Nemotron-H may have layers of neither; Gemma 4's sizes may be lists.
  config.intermediate_size = architecture == "qwen35moe" || gemma4 ? meta.integer("feed_forward_length", 1) : meta.of_some_layers("feed_forward_length", config.layers);
  if (config.intermediate_size == 0 && architecture.starts_with("nemotron_h")) config.intermediate_size = 1;
  config.heads = meta.required("attention.head_count");
  config.kv_heads = gemma4 || !meta.has("attention.head_count_kv") ? config.heads : meta.of_some_layers("attention.head_count_kv", config.layers);
  config.head_dim = meta.integer(gemma4 ? "attention.key_length_swa" : "attention.key_length", config.heads > 0 ? config.hidden_size / config.heads : 0);
  config.max_positions = meta.integer("context_length", 2048);
  read_block(gguf, architecture, config);
  const double epsilon = meta.number("attention.layer_norm_epsilon", 1e-5);
  config.rms_norm_eps = static_cast<float>(config.layer_norms ? epsilon : meta.number("attention.layer_norm_rms_epsilon", epsilon));
  config.tied_embeddings = gguf.find("output.weight") == nullptr;
  config.fused_qkv = architecture == "phi3";
  config.fused_gate_up = config.fused_qkv || architecture == "glm4" || chatglm;
  config.qk_norm_after_rope = architecture.starts_with("hunyuan");
  config.qk_norm = config.qk_norm_after_rope || config.qk_layer_norms || architecture.starts_with("qwen3") || architecture == "gemma3" || gemma4 || architecture == "mellum" || architecture == "olmoe" || architecture == "dots1" || architecture == "minimax-m2" || architecture == "exaone-moe" || architecture.starts_with("lfm2") ||
                   (architecture == "glm4moe" && gguf.find("blk.0.attn_q_norm.weight") != nullptr);
  config.qk_norm_of_all = architecture == "olmoe" || architecture == "minimax-m2";
  if (latent) read_gguf_latent(gguf, meta, config);
  check_model_config(config, gguf.file_name());
  read_gguf_states(gguf, meta, architecture, config);
  int32_t attending = 0, fed = 0;
  while (!config.has_attention(attending)) ++attending;
  while (fed + 1 < config.layers && !config.has_feed_forward(fed)) ++fed;
  const bool fused = !meta.layer_has(attending, "attn_q.weight");
  config.attention_bias = meta.layer_has(attending, latent ? "attn_kv_a_mqa.bias" : fused ? "attn_qkv.bias" : "attn_q.bias");
  config.output_bias = !architecture.starts_with("qwen2") && meta.layer_has(attending, "attn_output.bias");
  config.mlp_bias = meta.layer_has(fed, config.gated_mlp ? "ffn_gate.bias" : "ffn_up.bias") || meta.layer_has(fed, config.gated_mlp ? "ffn_gate_shexp.bias" : "ffn_up_shexp.bias");
  read_experts(gguf, meta, architecture, config);
  config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  read_sliding_window(gguf, meta, config);
  if (gemma4) read_gguf_gemma4(gguf, meta, config);
  else if (architecture.starts_with("gemma")) read_gemma(meta, config);
  if (architecture == "olmo2") use_olmo_layout(config);
  if (architecture == "olmo2" || architecture == "mellum") read_sliding_rope(meta, config);
  if (architecture == "gpt-oss") use_gpt_oss_layout(config);
  if (architecture.starts_with("granite")) read_granite(meta, config);
  if (architecture == "granite_swa") read_granite_swa(gguf, meta, config);
  if (architecture == "minicpm3") use_minicpm3_scales(config);
  if (is_cohere(architecture)) read_cohere(meta, config);
  // Every fourth layer of SmolLM3 has no RoPE, which llama.cpp knows of the architecture.
  for (int32_t layer = 1; architecture == "smollm3" && layer <= config.layers; ++layer) config.layer_has_rope.push_back(layer % 4 != 0);
  if (config.has_any_rope()) config.rope = read_rope(gguf, meta, config);
  if (architecture == "deepseek2") read_gguf_mscale(meta, config);
  config.rope.interleaved = architecture == "deepseek2" || chatglm || architecture == "glm4" || architecture.starts_with("ernie4_5") || is_cohere(architecture);
  if (architecture == "glm4") config.post_norms = true;
  if (architecture == "exaone4") use_exaone_layout(config);
  if (architecture == "exaone-moe") config.layer_has_rope = config.layer_is_sliding;
  if (architecture == "mistral3") read_ministral(meta, config);
  if (const double sliding = meta.number("rope.freq_base_swa", config.rope.theta); architecture == "gpt-oss" && sliding != config.rope.theta)
    meta.refuse("model_unsupported", meta.key("rope.freq_base_swa"), std::to_string(sliding), "that of all layers, " + std::to_string(config.rope.theta));
  read_end_tokens(gguf, config);
  config.bos_token = static_cast<int32_t>(gguf.integer("tokenizer.ggml.bos_token_id").value_or(-1));
  return config;
}

}  // namespace sgmv
