#include "models/config_hf.h"

#include <cmath>

#include "models/config_fields.h"

namespace sgmv {
namespace {

// Where a family's attention has biases. What other families' fields say of them, Transformers does not read.
enum class Bias : uint8_t { none, qkv, as_config };

// What a family's own configuration class assumes when config.json leaves a field out.
struct Family {
  const char* model_type;
  int32_t max_positions;
  int32_t head_dim;          // 0: hidden_size / heads
  int32_t sliding_window;    // 0: none
  int32_t full_every;        // of sliding layers, every n-th sees everything; 0: as layer_types or the family says
  float rms_norm_eps;
  Bias attention_bias;
  bool mlp_bias;             // as config.json says; otherwise none, whatever it says
  bool qk_norm;
  bool fused;
  bool gemma;
  float attention_softcap;
  float logit_softcap;
};

constexpr Family kFamilies[] = {
    {"llama", 2048, 0, 0, 0, 1e-6f, Bias::as_config, true, false, false, false, 0, 0},
    {"mistral", 131072, 0, 4096, 0, 1e-6f, Bias::none, false, false, false, false, 0, 0},
    {"qwen2", 32768, 0, 0, 0, 1e-6f, Bias::qkv, false, false, false, false, 0, 0},
    {"qwen3", 32768, 128, 0, 0, 1e-6f, Bias::as_config, false, true, false, false, 0, 0},
    {"gemma2", 8192, 256, 4096, 2, 1e-6f, Bias::as_config, false, false, false, true, 50, 30},
    {"gemma3_text", 131072, 256, 4096, 6, 1e-6f, Bias::as_config, false, true, false, true, 0, 0},
    {"phi3", 4096, 0, 0, 0, 1e-5f, Bias::none, false, false, true, false, 0, 0},
};

const Family& find_family(const ConfigFields& fields) {
  const std::string type = fields.text("model_type", "");
  for (const Family& family : kFamilies)
    if (type == family.model_type) return family;
  fields.refuse("model_unsupported", "model_type", type.empty() ? "nothing" : '"' + type + '"',
                "one of llama, mistral, qwen2, qwen3, gemma2, gemma3_text, phi3");
}

// Fields that would change the computation in a way this engine does not do.
void refuse_unsupported(const ConfigFields& fields) {
  if (const json::Value* quantization = fields.get("quantization_config"))
    fields.refuse("model_unsupported", "quantization_config", quantization->describe(), "weights in F32, F16 or BF16");
  for (const char* field : {"rope_interleaved", "use_bidirectional_attention"})
    if (fields.flag(field, false)) fields.refuse("model_unsupported", field, "true", "false");
  const json::Value* architectures = fields.get("architectures");
  if (architectures == nullptr || !architectures->is_array()) return;
  for (const json::Value& name : architectures->array())
    if (name.is_string() && name.string().ends_with("ForCausalLM")) return;
  if (!architectures->array().empty())
    fields.refuse("model_unsupported", "architectures", architectures->describe(), "a …ForCausalLM model");
}

Activation read_activation(const ConfigFields& fields, const Family& family) {
  const char* field = family.gemma ? "hidden_activation" : "hidden_act";
  const std::string name = fields.text(field, family.gemma ? "gelu_pytorch_tanh" : "silu");
  if (name == "silu" || name == "swish") return Activation::silu;
  if (name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  fields.refuse("model_unsupported", field, '"' + name + '"', "\"silu\" or \"gelu_pytorch_tanh\"");
}

void read_sliding_window(const ConfigFields& fields, const Family& family, const json::Value& root, ModelConfig& config) {
  const bool qwen = config.model_type.starts_with("qwen");
  const bool present = root.find("sliding_window") != nullptr;
  const int32_t window = present ? fields.integer("sliding_window").value_or(0) : family.sliding_window;
  if (window == 0 || (qwen && !fields.flag("use_sliding_window", false)) || config.model_type == "llama") return;
  config.sliding_window = window;
  const int32_t first = qwen ? fields.integer("max_window_layers").value_or(28) : 0;
  const bool has_pattern = config.model_type == "gemma3_text" && fields.integer("sliding_window_pattern").value_or(0) > 0;
  const int32_t full_every = has_pattern ? fields.required("sliding_window_pattern") : family.full_every;
  for (int32_t layer = 0; layer < config.layers; ++layer)
    config.layer_is_sliding.push_back(layer >= first && (full_every == 0 || (layer + 1) % full_every != 0));
}

void read_layer_types(const ConfigFields& fields, ModelConfig& config) {
  const json::Value* types = fields.get("layer_types");
  if (types == nullptr) return;
  if (!types->is_array() || types->array().size() != static_cast<size_t>(config.layers))
    fields.refuse("model_corrupt", "layer_types", types->describe(), "one entry per layer");
  std::vector<bool> sliding;
  for (const json::Value& type : types->array()) {
    const std::string text = type.is_string() ? type.string() : type.describe();
    if (text != "full_attention" && text != "sliding_attention")
      fields.refuse("model_unsupported", "layer_types", text, "full_attention or sliding_attention");
    sliding.push_back(text == "sliding_attention");
    if (sliding.back() && config.sliding_window == 0)
      fields.refuse("model_unsupported", "layer_types", text, "a sliding_window with it");
  }
  if (config.sliding_window > 0) config.layer_is_sliding = std::move(sliding);
}

float read_softcap(const ConfigFields& fields, const Family& family, const json::Value& root, const char* field, float otherwise) {
  if (!family.gemma) return 0;
  const bool present = root.find(field) != nullptr;
  const double cap = present ? fields.number(field).value_or(0.0) : otherwise;
  if (cap < 0) fields.refuse("model_corrupt", field, std::to_string(cap), "a number of at least 0, or null");
  return static_cast<float>(cap);
}

void read_gemma(const ConfigFields& fields, const Family& family, const json::Value& root, ModelConfig& config) {
  // Gemma 3's configuration has this field too, and Transformers computes without it.
  if (config.model_type == "gemma2") config.attention_softcap = read_softcap(fields, family, root, "attn_logit_softcapping", family.attention_softcap);
  config.logit_softcap = read_softcap(fields, family, root, "final_logit_softcapping", family.logit_softcap);
  const double query_scalar = fields.number("query_pre_attn_scalar").value_or(256);
  if (!(query_scalar > 0)) fields.refuse("model_corrupt", "query_pre_attn_scalar", std::to_string(query_scalar), "a number above 0");
  config.attention_scale = static_cast<float>(1.0 / std::sqrt(query_scalar));
  config.unit_offset_norms = true;
  use_gemma_layout(config);
}

int32_t read_head_dim(const ConfigFields& fields, const Family& family, const ModelConfig& config) {
  if (const auto said = fields.integer("head_dim")) return *said;
  if (family.head_dim > 0) return family.head_dim;
  const int32_t share = config.heads > 0 ? config.hidden_size / config.heads : 0;
  if (share % 2 != 0)
    fields.refuse("model_corrupt", "head_dim", "nothing, and hidden_size / num_attention_heads is " + std::to_string(share), "an even number");
  return share;
}

}  // namespace

void use_gemma_layout(ModelConfig& config) {
  config.post_norms = true;
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
}

ModelConfig config_from_hf(const json::Value& root, const std::string& file) {
  const ConfigFields fields(root, file);
  const Family& family = find_family(fields);
  refuse_unsupported(fields);
  ModelConfig config;
  config.model_type = family.model_type;
  config.vocab_size = fields.required("vocab_size");
  config.hidden_size = fields.required("hidden_size");
  config.intermediate_size = fields.required("intermediate_size");
  config.layers = fields.required("num_hidden_layers");
  config.heads = fields.required("num_attention_heads");
  config.kv_heads = fields.integer("num_key_value_heads").value_or(config.heads);
  config.head_dim = read_head_dim(fields, family, config);
  config.max_positions = fields.integer("max_position_embeddings").value_or(family.max_positions);
  config.rms_norm_eps = static_cast<float>(fields.number("rms_norm_eps").value_or(family.rms_norm_eps));
  config.tied_embeddings = fields.flag("tie_word_embeddings", family.gemma);
  config.attention_bias = family.attention_bias == Bias::qkv || (family.attention_bias == Bias::as_config && fields.flag("attention_bias", false));
  config.mlp_bias = family.mlp_bias && fields.flag("mlp_bias", false);
  config.qk_norm = family.qk_norm;
  config.fused_projections = family.fused;
  config.activation = read_activation(fields, family);
  config.bos_token = fields.get("bos_token_id") != nullptr ? fields.integer("bos_token_id").value_or(-1) : -1;
  check_model_config(config, file);
  config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  if (family.gemma) read_gemma(fields, family, root, config);
  read_ropes(root, file, config);
  read_sliding_window(fields, family, root, config);
  read_layer_types(fields, config);
  return config;
}

void check_model_config(const ModelConfig& config, const std::string& file) {
  const auto range = [&](const char* field, int32_t value, int32_t most) {
    if (value < 1 || value > most)
      throw Error("model_corrupt", file + ": " + field + ": found " + std::to_string(value) + ", expected 1 to " + std::to_string(most));
  };
  range("vocab_size", config.vocab_size, 1 << 24);
  range("hidden_size", config.hidden_size, 1 << 17);
  range("intermediate_size", config.intermediate_size, 1 << 20);
  range("num_hidden_layers", config.layers, 1024);
  range("num_attention_heads", config.heads, 1024);
  range("num_key_value_heads", config.kv_heads, config.heads);
  range("head_dim", config.head_dim, 1024);
  range("max_position_embeddings", config.max_positions, 1 << 28);
  if (config.heads % config.kv_heads != 0)
    throw Error("model_corrupt", file + ": num_key_value_heads: found " + std::to_string(config.kv_heads) +
                                     ", expected a divisor of num_attention_heads, " + std::to_string(config.heads));
  if (config.head_dim % 2 != 0)
    throw Error("model_corrupt", file + ": head_dim: found " + std::to_string(config.head_dim) + ", expected an even number");
  if (!(config.rms_norm_eps >= 0.0f && config.rms_norm_eps < 1.0f))
    throw Error("model_corrupt", file + ": rms_norm_eps: found " + std::to_string(config.rms_norm_eps) + ", expected 0 to 1");
}

}  // namespace sgmv
