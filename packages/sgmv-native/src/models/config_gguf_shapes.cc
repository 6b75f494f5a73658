// Architectures whose attention has shapes of its own: Gemma 4's, and latent attention.
#include <cmath>

#include "models/config_gguf.h"
#include "models/config_hf.h"

namespace sgmv {
namespace {

// What a size is, layer by layer, has to follow from what the configuration keeps of it.
template <typename Size>
void require_sizes(const GgufMetadata& meta, const char* key, const std::vector<int32_t>& found, Size expected) {
  for (size_t layer = 0; layer < found.size(); ++layer)
    if (const int32_t size = expected(static_cast<int32_t>(layer)); found[layer] != size)
      meta.refuse("model_unsupported", meta.key(key), std::to_string(found[layer]) + " of layer " + std::to_string(layer), std::to_string(size) + ", as of others of its kind");
}

// A layer without a v takes its keys for values.
bool values_are_keys(const GgufMetadata& meta, const ModelConfig& config) {
  const auto has_none = [&](int32_t layer) { return !meta.layer_has(layer, "attn_v.weight") && !meta.layer_has(layer, "attn_qkv.weight"); };
  int32_t seen = -1;
  for (int32_t layer = 0; layer < config.first_sharing(); ++layer) {
    if (config.is_sliding(layer)) continue;
    if (seen >= 0 && has_none(layer) != has_none(seen))
      meta.refuse("model_unsupported", "blk." + std::to_string(layer) + ".attn_v.weight", has_none(layer) ? "no such tensor" : "a tensor", "one in all layers that see everything, or in none");
    seen = layer;
  }
  return seen >= 0 && has_none(seen);
}

}  // namespace

void read_gguf_gemma4(const GgufFile& gguf, const GgufMetadata& meta, ModelConfig& config) {
  use_gemma_layout(config);
  config.activation = Activation::gelu_tanh;
  config.post_norms = config.value_norm = true;
  config.attention_scale = 1.0f;
  config.layer_scales = meta.layer_has(0, "layer_output_scale.weight");
  config.logit_softcap = static_cast<float>(meta.number("final_logit_softcapping", 0.0));
  if (!(config.logit_softcap >= 0)) meta.refuse("model_corrupt", meta.key("final_logit_softcapping"), std::to_string(config.logit_softcap), "a number of at least 0");
  config.kv_sharing_layers = std::max(0, meta.integer("attention.shared_kv_layers", 0));
  const std::vector<int32_t> kv_heads = meta.of_layers("attention.head_count_kv", config.layers), mlps = meta.of_layers("feed_forward_length", config.layers);
  config.full_kv = {kv_heads[0], meta.integer("attention.key_length", config.head_dim)};
  config.kv_heads = kv_heads[0];
  for (int32_t layer = 0; layer < config.layers; ++layer) (config.is_sliding(layer) ? config.kv_heads : config.full_kv.heads) = kv_heads[static_cast<size_t>(layer)];
  config.intermediate_size = mlps[0];
  check_model_config(config, gguf.file_name());
  config.per_token.size = std::max(0, meta.integer("embedding_length_per_layer_input", 0));
  const TensorInfo* rows = gguf.find("per_layer_token_embd.weight");
  if (rows != nullptr) config.per_token.vocab = static_cast<int32_t>(std::min<int64_t>(rows->shape[0], INT32_MAX));
  check_gemma4(config, gguf.file_name(), {meta.key("attention.head_count_kv"), meta.key("attention.key_length"), meta.key("attention.shared_kv_layers"), meta.key("embedding_length_per_layer_input"),
                                          "per_layer_token_embd.weight"});
  config.wide_sharing_mlps = config.kv_sharing_layers > 0 && mlps.back() != mlps[0];
  config.full_values_are_keys = values_are_keys(meta, config);
  require_sizes(meta, "attention.head_count_kv", kv_heads, [&](int32_t layer) { return config.kv_shape(layer).heads; });
  require_sizes(meta, "feed_forward_length", mlps, [&](int32_t layer) { return config.mlp_size(layer); });
  config.sliding_rope.emplace().theta = meta.number("rope.freq_base_swa", 10000.0);
  if (!(config.sliding_rope->theta > 0)) meta.refuse("model_corrupt", meta.key("rope.freq_base_swa"), "a number of 0 or less", "more than 0");
  if (const int32_t rotated = meta.integer("rope.dimension_count_swa", config.head_dim); rotated != config.head_dim)
    meta.refuse("model_unsupported", meta.key("rope.dimension_count_swa"), std::to_string(rotated), "the head size, " + std::to_string(config.head_dim));
}

// llama.cpp treats all heads as one wide key and value, whose lengths newer files give beside those of the heads.
void read_gguf_latent(const GgufFile& gguf, const GgufMetadata& meta, ModelConfig& config) {
  const bool absorbed = meta.has("attention.key_length_mla");
  const char *key = absorbed ? "attention.key_length_mla" : "attention.key_length", *value = absorbed ? "attention.value_length_mla" : "attention.value_length";
  LatentConfig& latent = config.latent;
  latent.kv_rank = meta.required("attention.kv_lora_rank");
  latent.q_rank = meta.layer_has(0, "attn_q_a.weight") ? meta.required("attention.q_lora_rank") : 0;
  latent.rope_dim = meta.required("rope.dimension_count");
  latent.nope_dim = meta.required(key) - std::max(0, latent.rope_dim);
  latent.value_dim = meta.integer(value, config.hidden_size / std::max(config.heads, 1));
  use_latent_layout(config, gguf.file_name(), {meta.key("attention.kv_lora_rank"), meta.key("attention.q_lora_rank"), meta.key("rope.dimension_count"), meta.key(key), meta.key(value)});
}

// The numbers that no key gives are those of MiniCPM3-4B, as in llama.cpp.
void use_minicpm3_scales(ModelConfig& config) {
  config.embedding_scale = 12.0f;
  config.scale_residuals(1.4 / std::sqrt(config.layers));
  config.logit_scale = 256.0f / static_cast<float>(config.hidden_size);
}

// The key holds a tenth of mscale_all_dim; mscale, which has none, is the same in all models.
void read_gguf_mscale(const GgufMetadata& meta, ModelConfig& config) {
  const double mscale = 10 * meta.number("rope.scaling.yarn_log_multiplier", 0.0);
  if (!(mscale >= 0 && mscale <= kMultiplierMax)) meta.refuse("model_unsupported", meta.key("rope.scaling.yarn_log_multiplier"), std::to_string(mscale / 10), "a number from 0 to 100");
  config.rope.mscale = config.rope.mscale_all_dim = mscale;
  stretch_scores(config);
}

}  // namespace sgmv
