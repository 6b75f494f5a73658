// What a config.json says of layers with a state: linear attention, short convolutions, Mamba-2.
#include <array>
#include <limits>

#include "models/config_fields.h"
#include "models/config_hf.h"

namespace sgmv {
namespace {

// For each layer of a list whether it is of `kind`, which older files call by another name; the others see everything.
std::vector<bool> read_kinds(const ConfigFields& fields, const char* field, const json::Value& types, int32_t layers, const std::string& kind, const std::string& old_kind = "") {
  if (!types.is_array() || types.array().size() != static_cast<size_t>(layers)) fields.refuse("model_corrupt", field, types.describe(), "one entry per layer");
  std::vector<bool> result;
  for (const json::Value& type : types.array()) {
    const std::string text = type.is_string() ? type.string() : type.describe();
    const bool is_kind = text == kind || (text == old_kind && !old_kind.empty());
    if (!is_kind && text != "full_attention" && !(text == "attention" && !old_kind.empty())) fields.refuse("model_unsupported", field, text, "full_attention or " + kind);
    result.push_back(is_kind);
  }
  return result;
}

// For each layer whether it is none of those in a list.
std::vector<bool> read_all_but(const ConfigFields& fields, const char* field, const json::Value& list, int32_t layers) {
  if (!list.is_array()) fields.refuse("model_corrupt", field, list.describe(), "a list of layers");
  std::vector<bool> result(static_cast<size_t>(layers), true);
  for (const json::Value& layer : list.array()) {
    if (!layer.is_integer() || layer.integer() < 0 || layer.integer() >= layers)
      fields.refuse("model_corrupt", field, layer.describe(), "layers from 0 to " + std::to_string(layers - 1));
    result[static_cast<size_t>(layer.integer())] = false;
  }
  return result;
}

// Qwen3-Next, Qwen3.5: layers of linear attention, and how often one is not.
void read_linear_layers(const ConfigFields& fields, ModelConfig& config) {
  std::vector<bool>& linear = config.linear.layer_has_state;
  if (const json::Value* types = fields.get("layer_types")) {
    linear = read_kinds(fields, "layer_types", *types, config.layers, "linear_attention");
  } else {
    const int32_t every = fields.integer("full_attention_interval").value_or(4);
    if (every < 1) fields.refuse("model_corrupt", "full_attention_interval", std::to_string(every), "a whole number of at least 1");
    for (int32_t layer = 1; layer <= config.layers; ++layer) linear.push_back(layer % every != 0);
  }
}

// LFM2: full_attn_idxs where there are no layer_types; LFM2-MoE has no other than those.
void read_conv_layers(const ConfigFields& fields, ModelConfig& config) {
  std::vector<bool>& convs = config.linear.layer_has_state;
  const json::Value *types = fields.get("layer_types"), *attending = fields.get("full_attn_idxs");
  if (types == nullptr && config.model_type == "lfm2_moe") fields.refuse("model_corrupt", "layer_types", "nothing", "one entry per layer");
  if (types != nullptr) convs = read_kinds(fields, "layer_types", *types, config.layers, "conv");
  else if (attending != nullptr) convs = read_all_but(fields, "full_attn_idxs", *attending, config.layers);
}

void read_lfm(const ConfigFields& fields, ModelConfig& config) {
  LinearAttentionConfig& linear = config.linear;
  linear.rule = StateRule::short_conv;
  linear.value_heads = 1;
  linear.value_dim = config.hidden_size;
  linear.taps = fields.integer("conv_L_cache").value_or(3);
  if (linear.taps < 2 || linear.taps > kConvTapsMax) fields.refuse("model_unsupported", "conv_L_cache", std::to_string(linear.taps), "2 to " + std::to_string(kConvTapsMax));
  linear.conv_bias = linear.in_bias = linear.out_bias = fields.flag("conv_bias", false);
  read_conv_layers(fields, config);
  if (config.kv_layers() == 0) fields.refuse("model_unsupported", "layer_types", "convolutions only", "at least one layer of full attention");
}

// A number or, as Python and Transformers write what JSON has not, Infinity or {"__float__": "Infinity"}.
float read_step_limit(const ConfigFields& fields, const json::Value& limit) {
  const json::Value* tagged = limit.find("__float__");
  const json::Value& said = tagged == nullptr ? limit : *tagged;
  if (said.is_string() && said.string() == "Infinity") return std::numeric_limits<float>::infinity();
  if (!said.is_number()) fields.refuse("model_corrupt", "time_step_limit", limit.describe(), "a number or Infinity");
  return static_cast<float>(said.number());
}

// Mamba-2 in the words of Bamba and its like. `inner`: components of all heads.
void read_mamba(const ConfigFields& fields, int64_t inner, ModelConfig& config) {
  LinearAttentionConfig& linear = config.linear;
  linear.rule = StateRule::mamba2;
  linear.gate = StateGate::before_norm;
  linear.value_heads = fields.integer("mamba_n_heads").value_or(128);
  linear.key_heads = fields.integer("mamba_n_groups").value_or(1);
  linear.key_dim = fields.integer("mamba_d_state").value_or(256);
  linear.taps = fields.integer("mamba_d_conv").value_or(4);
  const json::Value* dim = fields.get("mamba_d_head");
  const bool automatic = dim == nullptr || (dim->is_string() && dim->string() == "auto");
  linear.value_dim = !automatic ? fields.required("mamba_d_head") : linear.value_heads > 0 ? static_cast<int32_t>(inner / linear.value_heads) : 0;
  linear.conv_bias = fields.flag("mamba_conv_bias", true);
  linear.in_bias = linear.out_bias = fields.flag("mamba_proj_bias", false);
  check_linear_attention(config, fields.file(), {"mamba_n_groups", "mamba_n_heads", "mamba_d_state", "mamba_d_head", "mamba_d_conv", "layer_types"});
  if (int64_t{linear.value_heads} * linear.value_dim != inner)
    fields.refuse("model_corrupt", "mamba_d_head", std::to_string(linear.value_dim), "mamba_n_heads times it to be " + std::to_string(inner));
  // The convolution has it too.
  if (config.activation != Activation::silu) fields.refuse("model_unsupported", "hidden_act", '"' + fields.text("hidden_act", "") + '"', "\"silu\"");
  const json::Value* limits = fields.get("time_step_limit");
  if (limits == nullptr) return;
  if (!limits->is_array() || limits->array().size() != 2) fields.refuse("model_corrupt", "time_step_limit", limits->describe(), "two numbers");
  linear.step_min = read_step_limit(fields, limits->array()[0]);
  linear.step_max = read_step_limit(fields, limits->array()[1]);
  if (!(linear.step_min >= 0 && linear.step_min <= linear.step_max)) fields.refuse("model_unsupported", "time_step_limit", limits->describe(), "two numbers of at least 0, the second no less than the first");
}

// The same in Nemotron-H's words, some of which have another name in older files, which counts.
void read_nemotron_h(const ConfigFields& fields, ModelConfig& config) {
  LinearAttentionConfig& linear = config.linear;
  const auto name = [&](const char* older, const char* usual) { return fields.get(older) != nullptr ? older : usual; };
  for (const char kind : read_nemotron_kinds(fields)) {
    linear.layer_has_state.push_back(kind == 'M');
    config.layer_has_attention.push_back(kind == '*');
    config.layer_has_feed_forward.push_back(kind == '-' || kind == 'E');
  }
  config.layer_has_rope.assign(linear.layer_has_state.size(), false);
  linear.rule = StateRule::mamba2;
  linear.gate = StateGate::before_norm;
  const std::array<std::string, 6> names{name("mamba_n_groups", "n_groups"), "mamba_num_heads", "ssm_state_size", "mamba_head_dim", name("mamba_d_conv", "conv_kernel"), "layers_block_type"};
  linear.key_heads = fields.integer(names[0]).value_or(8);
  linear.value_heads = fields.integer(names[1]).value_or(128);
  linear.key_dim = fields.integer(names[2]).value_or(128);
  linear.value_dim = fields.integer(names[3]).value_or(64);
  linear.taps = fields.integer(names[4]).value_or(4);
  linear.conv_bias = fields.flag(name("mamba_conv_bias", "use_conv_bias"), true);
  linear.in_bias = linear.out_bias = fields.flag("use_bias", false);
  check_linear_attention(config, fields.file(), names);
  const std::string activation = fields.text("mamba_hidden_act", "silu");
  if (activation != "silu" && activation != "swish") fields.refuse("model_unsupported", "mamba_hidden_act", '"' + activation + '"', "\"silu\"");
  // As in Transformers, which passes over time_step_limit here.
  linear.step_min = static_cast<float>(fields.number(name("mamba_dt_min", "time_step_min")).value_or(0.001));
  if (!(linear.step_min >= 0 && linear.step_min < 1e3f)) fields.refuse("model_corrupt", "time_step_min", std::to_string(linear.step_min), "a number from 0 to 1e3");
}

int64_t mamba_inner(const ConfigFields& fields, const ModelConfig& config) { return int64_t{fields.integer("mamba_expand").value_or(2)} * config.hidden_size; }

void read_granite_hybrid(const ConfigFields& fields, ModelConfig& config) {
  const json::Value* types = fields.get("layer_types");
  const char* field = types != nullptr ? "layer_types" : "layers_block_type";
  if (types == nullptr) types = fields.get(field);
  if (types != nullptr) config.linear.layer_has_state = read_kinds(fields, field, *types, config.layers, "linear_attention", "mamba");
  else config.linear.layer_has_state.assign(static_cast<size_t>(config.layers), true);
  if (config.state_layers() > 0) read_mamba(fields, mamba_inner(fields, config), config);
  if (fields.text("position_embedding_type", "") != "rope") config.layer_has_rope.assign(static_cast<size_t>(config.layers), false);
}

void read_bamba(const ConfigFields& fields, ModelConfig& config) {
  const json::Value* attending = fields.get("attn_layer_indices");
  config.linear.layer_has_state.assign(static_cast<size_t>(config.layers), true);
  if (attending != nullptr) config.linear.layer_has_state = read_all_but(fields, "attn_layer_indices", *attending, config.layers);
  if (config.state_layers() > 0) read_mamba(fields, mamba_inner(fields, config), config);
  // Transformers passes over what the configuration says of it.
  if (fields.number("partial_rotary_factor").value_or(0.5) != 0.5) fields.refuse("model_unsupported", "partial_rotary_factor", std::to_string(*fields.number("partial_rotary_factor")), "0.5");
}

// Two or more multipliers; all 1 where there are none.
std::vector<float> read_multipliers(const ConfigFields& fields, const char* field, size_t count) {
  const json::Value* list = fields.get(field);
  if (list == nullptr) return std::vector<float>(count, 1.0f);
  if (!list->is_array() || list->array().size() != count) fields.refuse("model_corrupt", field, list->describe(), std::to_string(count) + " numbers");
  std::vector<float> result;
  for (const json::Value& one : list->array()) {
    if (!one.is_number() || !(one.number() >= kMultiplierMin && one.number() <= kMultiplierMax)) fields.refuse("model_unsupported", field, one.describe(), "numbers from 1e-3 to 1e3");
    result.push_back(static_cast<float>(one.number()));
  }
  return result;
}

// Falcon-H1: a state and attention side by side in each layer. Its multipliers are the configuration's, not the decoder's: where a product has no
// bias, one before it is one behind it.
void read_falcon_h1(const ConfigFields& fields, const json::Value& root, ModelConfig& config) {
  LinearAttentionConfig& linear = config.linear;
  linear.layer_has_state.assign(static_cast<size_t>(config.layers), true);
  config.layer_has_attention = linear.layer_has_state;
  const bool expanded = root.find("mamba_d_ssm") != nullptr && fields.get("mamba_d_ssm") == nullptr;
  read_mamba(fields, expanded ? mamba_inner(fields, config) : fields.integer("mamba_d_ssm").value_or(1024), config);
  linear.out_bias = fields.flag("projectors_bias", false);
  linear.gate = !fields.flag("mamba_rms_norm", false) ? StateGate::alone : fields.flag("mamba_norm_before_gate", true) ? StateGate::after_norm : StateGate::before_norm;
  const auto multiplier = [&](const char* field) { return static_cast<float>(read_multiplier(fields, field, 1.0)); };
  const float ssm_in = multiplier("ssm_in_multiplier"), attention_in = multiplier("attention_in_multiplier"), attention_out = multiplier("attention_out_multiplier");
  const std::vector<float> ssm = read_multipliers(fields, "ssm_multipliers", 5), mlp = read_multipliers(fields, "mlp_multipliers", 2);
  linear.gate_scale = ssm_in * ssm[0];
  linear.value_scale = ssm_in * ssm[1];
  linear.key_scale = ssm_in * ssm[2];
  linear.query_scale = ssm_in * ssm[3];
  linear.step_scale = ssm_in * ssm[4];
  linear.out_scale = multiplier("ssm_out_multiplier");
  config.attention_scale *= attention_in * attention_in * multiplier("key_multiplier");
  config.value_scale = attention_in * attention_out;
  config.gate_scale = mlp[0];
  config.gated_scale = mlp[1];
  config.embedding_scale = multiplier("embedding_multiplier");
  config.logit_scale = multiplier("lm_head_multiplier");
  const auto refuse_beside = [&](bool bias, const char* field, bool multiplied, const char* by) {
    if (bias && multiplied) fields.refuse("model_unsupported", field, "true", std::string("false beside ") + by + " other than 1");
  };
  refuse_beside(linear.in_bias, "mamba_proj_bias", ssm_in != 1, "a ssm_in_multiplier");
  refuse_beside(linear.out_bias, "projectors_bias", linear.out_scale != 1, "a ssm_out_multiplier");
  refuse_beside(config.attention_bias, "attention_bias", attention_in != 1 || attention_out != 1, "an attention_in_multiplier or attention_out_multiplier");
  refuse_beside(config.mlp_bias, "mlp_bias", mlp[1] != 1, "a second of mlp_multipliers");
}

void read_hybrid(const ConfigFields& fields, ModelConfig& config) {
  LinearAttentionConfig& linear = config.linear;
  config.attention_gate = true;
  linear.grouped = config.model_type == "qwen3_next";
  const std::array<std::string, 6> names{"linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim", "linear_conv_kernel_dim", "layer_types"};
  linear.key_heads = fields.integer(names[0]).value_or(16);
  linear.value_heads = fields.integer(names[1]).value_or(32);
  linear.key_dim = fields.integer(names[2]).value_or(128);
  linear.value_dim = fields.integer(names[3]).value_or(128);
  linear.taps = fields.integer(names[4]).value_or(4);
  // The convolution has it too.
  if (config.activation != Activation::silu) fields.refuse("model_unsupported", "hidden_act", '"' + fields.text("hidden_act", "") + '"', "\"silu\"");
  read_linear_layers(fields, config);
  check_linear_attention(config, fields.file(), names);
}

}  // namespace

// LFM2's MLPs are two thirds as wide as its configuration says, and then some.
int32_t read_lfm_size(const ConfigFields& fields, const json::Value& root, int32_t otherwise) {
  const int32_t said = fields.integer("block_ff_dim").value_or(fields.integer("intermediate_size").value_or(otherwise));
  if (!fields.flag("block_auto_adjust_ff_dim", true)) return said;
  const int64_t share = 2 * int64_t{said} / 3, multiple = fields.integer("block_multiple_of").value_or(256);
  const bool plain = root.find("block_ffn_dim_multiplier") != nullptr && fields.get("block_ffn_dim_multiplier") == nullptr;
  const double size = static_cast<double>(share) * fields.number("block_ffn_dim_multiplier").value_or(1.0);
  if (!(size >= 1 && size <= 1 << 20)) fields.refuse("model_corrupt", "block_ffn_dim_multiplier", std::to_string(size / static_cast<double>(share)), "a number that leaves a width of 1 to 1048576");
  if (plain) return static_cast<int32_t>(share);
  if (multiple < 1 || multiple > 1 << 20) fields.refuse("model_corrupt", "block_multiple_of", std::to_string(multiple), "1 to 1048576");
  return static_cast<int32_t>((static_cast<int64_t>(size) + multiple - 1) / multiple * multiple);
}

std::string read_nemotron_kinds(const ConfigFields& fields) {
  const json::Value* types = fields.get("layers_block_type") != nullptr ? fields.get("layers_block_type") : fields.get("layer_types");
  const std::string expected = "linear_attention, full_attention, moe or mlp";
  std::string kinds = types == nullptr ? fields.text("hybrid_override_pattern", "ME*-") : "";
  if (types != nullptr && !types->is_array()) fields.refuse("model_corrupt", "layers_block_type", types->describe(), "a list of " + expected);
  for (size_t i = 0; types != nullptr && i < types->array().size(); ++i) {
    const std::string text = types->array()[i].is_string() ? types->array()[i].string() : types->array()[i].describe();
    const char kind = text == "linear_attention" || text == "mamba" ? 'M' : text == "full_attention" || text == "attention" ? '*' : text == "moe" ? 'E' : text == "mlp" ? '-' : ' ';
    if (kind == ' ') fields.refuse("model_unsupported", "layers_block_type", text, expected);
    kinds += kind;
  }
  if (kinds.empty() || kinds.find_first_not_of("M*-E") != std::string::npos) fields.refuse("model_corrupt", "hybrid_override_pattern", '"' + kinds + '"', "one of M, *, - and E for each layer");
  return kinds;
}

bool read_states(const ConfigFields& fields, const json::Value& root, ModelConfig& config) {
  const std::string& type = config.model_type;
  if (type.starts_with("qwen3_5") || type == "qwen3_next") read_hybrid(fields, config);
  else if (is_lfm(type)) read_lfm(fields, config);
  else if (type == "granitemoehybrid") read_granite_hybrid(fields, config);
  else if (type == "bamba") read_bamba(fields, config);
  else if (type == "falcon_h1") read_falcon_h1(fields, root, config);
  else if (type == "nemotron_h") read_nemotron_h(fields, config);
  else return false;
  return true;
}

void check_linear_attention(const ModelConfig& config, const std::string& file, const std::array<std::string, 6>& fields) {
  const LinearAttentionConfig& linear = config.linear;
  const std::array<int32_t, 5> values{linear.key_heads, linear.value_heads, linear.key_dim, linear.value_dim, linear.taps};
  for (size_t i = 0; i < values.size(); ++i) check_range(file, fields[i], values[i], i < 4 ? 1024 : kConvTapsMax);
  if (linear.value_heads % linear.key_heads != 0)
    throw Error("model_corrupt", file + ": " + fields[1] + ": found " + std::to_string(linear.value_heads) + ", expected a multiple of " + fields[0] + ", " + std::to_string(linear.key_heads));
  if (config.kv_layers() == 0) throw Error("model_unsupported", file + ": " + fields[5] + ": found linear attention only, expected at least one layer of full attention");
}

}  // namespace sgmv
