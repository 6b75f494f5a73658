// Architectures whose layers have a state, or some of them: linear attention, short convolutions, Mamba-2. Which layers these are,
// the tensors say.
#include <algorithm>

#include "models/config_gguf.h"
#include "models/config_hf.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

// Of a head.
int32_t read_value_dim(const GgufMetadata& meta, int32_t heads) {
  const int32_t inner = meta.required("ssm.inner_size");
  if (heads > 0 && inner % heads != 0)
    meta.refuse("model_corrupt", meta.key("ssm.inner_size"), std::to_string(inner), "a multiple of " + meta.key("ssm.time_step_rank") + ", " + std::to_string(heads));
  return heads > 0 ? inner / heads : 0;
}

// Qwen3-Next and Qwen3.5. Which layers are linear has a key of its own in newer files only.
void read_gated_delta(const GgufFile& gguf, const GgufMetadata& meta, ModelConfig& config) {
  LinearAttentionConfig& linear = config.linear;
  config.attention_gate = true;
  linear.grouped = config.model_type == "qwen3_next";
  config.tiled_value_heads = !linear.grouped;
  linear.key_heads = meta.required("ssm.group_count");
  linear.value_heads = meta.required("ssm.time_step_rank");
  linear.key_dim = meta.required("ssm.state_size");
  linear.taps = meta.required("ssm.conv_kernel");
  linear.value_dim = read_value_dim(meta, linear.value_heads);
  const GgufValue* said = gguf.metadata(meta.key("attention.recurrent_layers"));
  const auto* each = said == nullptr ? nullptr : std::get_if<GgufArray>(said);
  const auto layers = static_cast<size_t>(config.layers);
  if (said != nullptr && (each == nullptr || each->numbers.size() < layers))  // beyond `layers` are those that predict a token more
    meta.refuse("model_corrupt", meta.key("attention.recurrent_layers"), each == nullptr ? "no list" : std::to_string(each->length) + " entries", "one per layer");
  const int32_t every = meta.integer("full_attention_interval", 4);
  if (said == nullptr && every < 1) meta.refuse("model_corrupt", meta.key("full_attention_interval"), std::to_string(every), "a whole number of at least 1");
  for (size_t layer = 0; layer < layers; ++layer) linear.layer_has_state.push_back(each != nullptr ? each->numbers[layer] != 0 : (layer + 1) % static_cast<size_t>(every) != 0);
  check_linear_attention(config, gguf.file_name(), {meta.key("ssm.group_count"), meta.key("ssm.time_step_rank"), meta.key("ssm.state_size"), meta.key("ssm.inner_size"), meta.key("ssm.conv_kernel"),
                                                    meta.key(said != nullptr ? "attention.recurrent_layers" : "full_attention_interval")});
}

// LFM2.
void read_short_conv(const GgufMetadata& meta, ModelConfig& config) {
  LinearAttentionConfig& linear = config.linear;
  linear.rule = StateRule::short_conv;
  linear.value_heads = 1;
  linear.value_dim = config.hidden_size;
  linear.taps = meta.required("shortconv.l_cache");
  if (linear.taps < 2 || linear.taps > kConvTapsMax) meta.refuse("model_unsupported", meta.key("shortconv.l_cache"), std::to_string(linear.taps), "2 to " + std::to_string(kConvTapsMax));
  for (int32_t layer = 0; layer < config.layers; ++layer) linear.layer_has_state.push_back(meta.layer_has(layer, "shortconv.in_proj.weight"));
  if (config.kv_layers() == 0) meta.refuse("model_unsupported", "blk.N.attn_q.weight", "convolutions only", "at least one layer of full attention");
}

// Layers of Nemotron-H have one of the three, those of Falcon-H1 all.
void read_mamba_layers(const GgufMetadata& meta, const std::string& architecture, ModelConfig& config) {
  const bool nemotron = architecture.starts_with("nemotron_h"), falcon = architecture == "falcon-h1";
  for (int32_t layer = 0; layer < config.layers; ++layer) {
    const bool has_state = falcon || meta.layer_has(layer, "ssm_in.weight"), attends = falcon || (!has_state && (!nemotron || meta.layer_has(layer, "attn_output.weight")));
    config.linear.layer_has_state.push_back(has_state);
    config.layer_has_attention.push_back(attends);
    if (nemotron) config.layer_has_feed_forward.push_back(!has_state && !attends);
  }
}

void read_mamba(const GgufMetadata& meta, const std::string& architecture, ModelConfig& config) {
  read_mamba_layers(meta, architecture, config);
  LinearAttentionConfig& linear = config.linear;
  linear.rule = StateRule::mamba2;
  linear.key_heads = meta.required("ssm.group_count");
  linear.value_heads = meta.required("ssm.time_step_rank");
  linear.key_dim = meta.required("ssm.state_size");
  linear.taps = meta.required("ssm.conv_kernel");
  linear.value_dim = read_value_dim(meta, linear.value_heads);
  check_linear_attention(config, meta.file(), {meta.key("ssm.group_count"), meta.key("ssm.time_step_rank"), meta.key("ssm.state_size"), meta.key("ssm.inner_size"), meta.key("ssm.conv_kernel"), "blk.N.ssm_in.weight"});
  const auto state = static_cast<int32_t>(std::find(linear.layer_has_state.begin(), linear.layer_has_state.end(), true) - linear.layer_has_state.begin());
  linear.gate = meta.layer_has(state, "ssm_norm.weight") ? StateGate::before_norm : StateGate::alone;
  linear.conv_bias = meta.layer_has(state, "ssm_conv1d.bias");
  linear.in_bias = meta.layer_has(state, "ssm_in.bias");
  linear.out_bias = meta.layer_has(state, "ssm_out.bias");
}

// Granite 4.0 and Bamba, of which only the latter rotates.
void read_granite_hybrid(const GgufMetadata& meta, ModelConfig& config) {
  if (meta.flag("rope.scaling.finetuned", true)) {
    config.model_type = "bamba";
    return;
  }
  config.layer_has_rope.assign(static_cast<size_t>(config.layers), false);
  config.fused_gate_up = true;
  if (meta.integer("expert_count", 0) == 0) config.intermediate_size = meta.integer("expert_shared_feed_forward_length", config.intermediate_size);
  check_model_config(config, meta.file());
}

}  // namespace

void read_gguf_states(const GgufFile& gguf, const GgufMetadata& meta, const std::string& architecture, ModelConfig& config) {
  config.linear.norm_eps = config.rms_norm_eps;
  if (architecture == "qwen3next" || architecture.starts_with("qwen35")) return read_gated_delta(gguf, meta, config);
  if (architecture.starts_with("lfm2")) return read_short_conv(meta, config);
  if (architecture != "granitehybrid" && architecture != "falcon-h1" && !architecture.starts_with("nemotron_h")) return;
  read_mamba(meta, architecture, config);
  if (architecture == "granitehybrid") read_granite_hybrid(meta, config);
  if (architecture == "falcon-h1") config.folded_multipliers = true;
  if (!architecture.starts_with("nemotron_h")) return;
  config.layer_has_rope.assign(static_cast<size_t>(config.layers), false);
  config.linear.step_min = 0.001f;  // no key says it; in Transformers it is that of all published models
  if (meta.has("moe_latent_size")) meta.refuse("model_unsupported", meta.key("moe_latent_size"), std::to_string(meta.integer("moe_latent_size", 0)), "none: experts that read a narrower row are not supported");
}

}  // namespace sgmv
