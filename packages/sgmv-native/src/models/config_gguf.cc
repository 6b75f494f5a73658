#include "models/config_gguf.h"

#include <array>

#include "models/config_hf.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

class Metadata {
 public:
  Metadata(const GgufFile& gguf, std::string prefix) : gguf_(gguf), prefix_(std::move(prefix)) {}

  [[noreturn]] void refuse(const char* code, const std::string& key, const std::string& found, const std::string& expected) const {
    throw Error(code, gguf_.file_name() + ": " + key + ": found " + found + ", expected " + expected);
  }
  int32_t required(const char* key) const {
    const auto value = gguf_.integer(prefix_ + key);
    if (!value) refuse("model_corrupt", prefix_ + key, "nothing", "a whole number");
    return clamp(*value);
  }
  int32_t integer(const char* key, int32_t otherwise) const {
    const auto value = gguf_.integer(prefix_ + key);
    return value ? clamp(*value) : otherwise;
  }
  double number(const char* key, double otherwise) const { return gguf_.number(prefix_ + key).value_or(otherwise); }
  std::string text(const char* key, const char* otherwise) const { return gguf_.text(prefix_ + key).value_or(otherwise); }
  std::string key(const char* name) const { return prefix_ + name; }

 private:
  static int32_t clamp(int64_t value) { return value < -1 ? -1 : value > INT32_MAX ? INT32_MAX : static_cast<int32_t>(value); }
  const GgufFile& gguf_;
  std::string prefix_;
};

RopeConfig read_rope(const GgufFile& gguf, const Metadata& meta, const ModelConfig& config) {
  RopeConfig rope;
  rope.theta = meta.number("rope.freq_base", 10000.0);
  const int32_t rotary = meta.integer("rope.dimension_count", config.head_dim);
  if (rotary != config.head_dim)
    meta.refuse("model_unsupported", meta.key("rope.dimension_count"), std::to_string(rotary), "the head size, " + std::to_string(config.head_dim));
  const std::string type = meta.text("rope.scaling.type", "none");
  rope.factor = meta.number("rope.scaling.factor", 1.0);
  if (type == "linear") rope.kind = RopeConfig::Kind::linear;
  else if (type == "yarn") rope.kind = RopeConfig::Kind::yarn;
  else if (type != "none") meta.refuse("model_unsupported", meta.key("rope.scaling.type"), type, "none, linear or yarn");
  rope.original_max_positions = meta.integer("rope.scaling.original_context_length", config.max_positions);
  if (!(rope.theta > 0) || !(rope.factor > 0)) meta.refuse("model_corrupt", meta.key("rope.freq_base"), "a number of 0 or less", "more than 0");

  if (const TensorInfo* factors = gguf.find("rope_freqs.weight")) {
    if (factors->dtype != DType::f32 || factors->elements() != config.head_dim / 2)
      meta.refuse("model_corrupt", "rope_freqs.weight", factors->dtype_text + " " + shape_text(factors->shape), "half a head of F32");
    rope.factors.resize(static_cast<size_t>(config.head_dim / 2));
    dequantize(DType::f32, gguf.read(*factors).data(), config.head_dim / 2, rope.factors.data());
  }
  return rope;
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
  const Metadata meta(gguf, architecture + ".");
  if (architecture != "llama" && architecture != "qwen2" && architecture != "qwen3")
    meta.refuse("model_unsupported", "general.architecture", '"' + architecture + '"', "one of llama, qwen2, qwen3");
  if (meta.integer("expert_count", 0) > 0)
    meta.refuse("model_unsupported", meta.key("expert_count"), std::to_string(meta.integer("expert_count", 0)), "0");
  const TensorInfo* embedding = gguf.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) meta.refuse("model_corrupt", "token_embd.weight", "no such matrix", "the embedding");

  ModelConfig config;
  config.model_type = architecture;
  config.vocab_size = static_cast<int32_t>(std::min<int64_t>(embedding->shape[0], INT32_MAX));
  config.hidden_size = meta.required("embedding_length");
  config.intermediate_size = meta.required("feed_forward_length");
  config.layers = meta.required("block_count");
  config.heads = meta.required("attention.head_count");
  config.kv_heads = meta.integer("attention.head_count_kv", config.heads);
  config.head_dim = meta.integer("attention.key_length", config.heads > 0 ? config.hidden_size / config.heads : 0);
  config.max_positions = meta.integer("context_length", 2048);
  config.rms_norm_eps = static_cast<float>(meta.number("attention.layer_norm_rms_epsilon", 1e-5));
  config.tied_embeddings = gguf.find("output.weight") == nullptr;
  config.attention_bias = gguf.find("blk.0.attn_q.bias") != nullptr;
  config.mlp_bias = gguf.find("blk.0.ffn_gate.bias") != nullptr;
  config.qk_norm = architecture == "qwen3";
  config.sliding_window = meta.integer("attention.sliding_window", 0);
  check_model_config(config, gguf.file_name());
  if (config.sliding_window > 0) config.layer_is_sliding.assign(static_cast<size_t>(config.layers), true);
  config.rope = read_rope(gguf, meta, config);
  read_end_tokens(gguf, config);
  config.bos_token = static_cast<int32_t>(gguf.integer("tokenizer.ggml.bos_token_id").value_or(-1));
  return config;
}

std::string gguf_tensor_name(const std::string& hf_name) {
  constexpr std::array<std::pair<const char*, const char*>, 3> top = {{
      {"model.embed_tokens.weight", "token_embd.weight"}, {"model.norm.weight", "output_norm.weight"}, {"lm_head.weight", "output.weight"}}};
  for (const auto& [hf, gguf] : top)
    if (hf_name == hf) return gguf;
  constexpr std::string_view prefix = "model.layers.";
  if (!hf_name.starts_with(prefix)) return "";
  const size_t dot = hf_name.find('.', prefix.size());
  if (dot == std::string::npos) return "";
  const size_t last = hf_name.rfind('.');  // ".weight" or ".bias"
  const std::string middle = hf_name.substr(dot + 1, last - dot - 1);
  constexpr std::array<std::pair<const char*, const char*>, 11> parts = {{
      {"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"}, {"self_attn.v_proj", "attn_v"},
      {"self_attn.o_proj", "attn_output"}, {"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
      {"mlp.gate_proj", "ffn_gate"}, {"mlp.up_proj", "ffn_up"}, {"mlp.down_proj", "ffn_down"},
      {"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"}}};
  for (const auto& [hf, gguf] : parts)
    if (middle == hf) return "blk." + hf_name.substr(prefix.size(), dot - prefix.size()) + "." + gguf + hf_name.substr(last);
  return "";
}

}  // namespace sgmv
