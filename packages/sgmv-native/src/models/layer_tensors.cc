#include "models/layer_tensors.h"

#include "formats/module_names.h"

namespace sgmv {

namespace {

// gguf_tensor_name() knows those of Qwen.
const MixtureNames& names_in(const Checkpoint& checkpoint, const ModelConfig& config) {
  static constexpr MixtureNames usual{.choice_bias = "choice.bias"};
  return checkpoint.is_gguf() ? usual : mixture_names(config);
}

// Experts' matrices in one tensor: Granite's and, whatever the family, those of a model that Transformers 5 has in memory. Qwen3-VL
// writes them transposed, where a matrix is square the other one tells; so do Llama 4 and GPT-OSS, the latter with rows of gate and up in turns.
std::vector<LayerTensors::Expert> stacked_experts(const Checkpoint& checkpoint, const ModelConfig& config, const std::string& gate_up, const std::string& down) {
  const int64_t count = config.experts.count, size = config.experts.size, hidden = config.hidden_size;
  const bool in_turns = config.model_type == "gpt_oss", llama = config.model_type == "llama4_text", bias = config.experts.biased;
  const bool by_inputs = hidden != size ? checkpoint.shape(down) == std::vector{count, size, hidden} : checkpoint.shape(gate_up) == std::vector{count, hidden, 2 * size};
  const bool transposed = in_turns || llama || (by_inputs && !checkpoint.is_gguf());
  const auto part = [&](const std::string& tensor, int32_t expert, int64_t out, int64_t first, int64_t rows) {
    const bool bare = !tensor.ends_with(".weight");
    return Checkpoint::Part{bare ? tensor : tensor.substr(0, tensor.rfind('.')), out, bias, expert, first, rows, bare, transposed, in_turns && tensor == gate_up};
  };
  std::vector<LayerTensors::Expert> experts;
  for (int32_t expert = 0; expert < config.experts.count; ++expert) {
    const auto halves = in_turns ? std::vector{part(gate_up, expert, 2 * size, 0, 2 * size)} : std::vector{part(gate_up, expert, size, 0, 2 * size), part(gate_up, expert, size, size, 2 * size)};
    experts.push_back({halves, {part(down, expert, hidden, 0, hidden)}});
  }
  return experts;
}

// An expert's matrices are its own, or rows of all experts' by projection (GGUF).
LayerTensors::Expert expert_tensors(const MixtureNames& names, const std::string& block, bool gguf, const ModelConfig& config, int32_t expert) {
  const int64_t size = config.experts.size, hidden = config.hidden_size;
  const bool bias = config.experts.biased;
  const auto part = [&](const char* name, int64_t out) {
    return gguf ? Checkpoint::Part{block + "experts." + name, out, bias, expert, 0, out} : Checkpoint::Part{block + "experts." + std::to_string(expert) + "." + name, out, bias};
  };
  return {{part(names.gate, size), part(names.up, size)}, {part(names.down, hidden)}};
}

void add_mixture(const Checkpoint& checkpoint, const ModelConfig& config, const std::string& layer, LayerTensors& tensors) {
  const MixtureNames& names = names_in(checkpoint, config);
  const std::string block = layer + (*names.block == '\0' ? "" : std::string(names.block) + ".");
  tensors.router.push_back({block + names.router, config.experts.count, config.experts.biased});
  if (config.experts.shared_gate) tensors.router.push_back({block + "shared_expert_gate", 1, false});
  if (config.experts.choice_bias) tensors.choice_bias = block + names.choice_bias;
  if (config.experts.apart) {
    tensors.experts_norm = layer + "pre_feedforward_layernorm_2.weight";
    tensors.router_norm = block + "router.scale";
    tensors.post_dense_norm = layer + "post_feedforward_layernorm_1.weight";
    tensors.post_experts_norm = layer + "post_feedforward_layernorm_2.weight";
    tensors.weight_scales = block + "router.per_expert_scale";
  }
  // llama.cpp's converter makes one of gate and up if it is asked to.
  const std::string both = block + "experts.gate_up_proj.weight";
  if (checkpoint.is_gguf() && !config.experts.biased && checkpoint.has(both)) {
    tensors.experts = stacked_experts(checkpoint, config, both, block + "experts." + names.down + ".weight");
    return;
  }
  const bool each = names.expert_modules || checkpoint.has(block + "experts.0." + names.down + ".weight");
  if (!checkpoint.is_gguf() && (!each || checkpoint.has(block + names.all_gate_up))) {
    tensors.experts = stacked_experts(checkpoint, config, block + names.all_gate_up, block + names.all_down);
    return;
  }
  for (int32_t expert = 0; expert < config.experts.count; ++expert) tensors.experts.push_back(expert_tensors(names, block, checkpoint.is_gguf(), config, expert));
}

// Qwen3-Next's in_proj_qkvz. llama.cpp keeps z apart and has all heads' q before all k and all v; here, as in the checkpoint, all of a
// key head is together.
std::vector<Checkpoint::Part> grouped_parts(const LinearAttentionShape& shape, const std::string& prefix) {
  const int64_t keys = shape.key_dim, values = int64_t{shape.per_key_head()} * shape.value_dim;
  std::vector<Checkpoint::Part> parts;
  const auto add = [&](const char* name, int64_t rows, int64_t first, int64_t all) { parts.push_back({prefix + name, rows, false, -1, first, all}); };
  for (int64_t head = 0; head < shape.key_heads; ++head) {
    add("in_proj_qkv", keys, head * keys, shape.conv_width());
    add("in_proj_qkv", keys, shape.keys() + head * keys, shape.conv_width());
    add("in_proj_qkv", values, 2 * shape.keys() + head * values, shape.conv_width());
    add("in_proj_z", values, head * values, shape.values());
  }
  return parts;
}

}  // namespace

LayerTensors layer_tensors(const Checkpoint& checkpoint, const ModelConfig& config, int32_t layer) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const std::string attention = prefix + "self_attn.", mlp = prefix + (config.has_experts(layer) ? names_in(checkpoint, config).shared : names_in(checkpoint, config).dense) + ".";
  const auto leaf = [&](Projection p) { return checkpoint.is_gguf() ? projection_name(p) : module_leaf(config, p, -1); };
  const auto parts = [&](const std::string& group, std::initializer_list<Projection> projections, bool bias) {
    std::vector<Checkpoint::Part> list;
    for (const Projection p : projections) list.push_back({group + leaf(p), config.out_features(p, layer), bias});
    return list;
  };
  LayerTensors names;
  const bool glm = config.model_type == "glm4", hyperclova = config.model_type == "hyperclovax", apertus = config.model_type == "apertus";
  if (config.pre_norms) {
    names.attention_norm = prefix + (apertus ? "attention_layernorm.weight" : "input_layernorm.weight");
    if (!config.parallel_mlp) names.mlp_norm = prefix + (apertus ? "feedforward_layernorm.weight" : (config.post_norms && !glm && !hyperclova) || config.model_type == "vaultgemma" ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight");
  }
  if (config.post_norms) {
    names.post_attention_norm = prefix + (glm ? "post_self_attn_layernorm.weight" : hyperclova ? "post_norm1.weight" : "post_attention_layernorm.weight");
    names.post_mlp_norm = prefix + (glm ? "post_mlp_layernorm.weight" : hyperclova ? "post_norm2.weight" : "post_feedforward_layernorm.weight");
  }
  using enum Projection;
  if (config.is_linear(layer)) {
    const std::string linear = prefix + "linear_attn.";
    names.qkv = config.linear.grouped ? parts(linear, {in_qkvz, in_ba}, false) : parts(linear, {in_qkv, in_z, in_b, in_a}, false);
    if (config.linear.grouped && checkpoint.has(linear + "in_proj_qkv.weight")) {  // older files in GGUF have it as it was
      names.qkv = grouped_parts(config.linear, linear);
      names.qkv.push_back({linear + "in_proj_ba", config.out_features(in_ba, layer), false});
    }
    names.o = parts(linear, {out}, false);
    names.conv = linear + "conv1d.weight";
    names.decay = linear + "A_log";
    names.dt_bias = linear + "dt_bias";
    names.delta_norm = linear + "norm.weight";
  } else {
    const bool bias = config.attention_bias;
    if (config.is_latent()) {
      names.qkv = parts(attention, {config.latent.q_rank > 0 ? q_a : q, kv_a}, bias);
      names.qkv[0].bias = bias && config.latent.q_rank > 0;
      if (config.latent.q_rank > 0) {
        names.q_a_norm = attention + "q_a_layernorm.weight";
        names.q_b = parts(attention, {q_b}, false);
      }
      names.kv_a_norm = attention + "kv_a_layernorm.weight";
      names.kv_b = parts(attention, {kv_b}, false);
    } else if (config.fused_qkv) names.qkv = parts(attention, {qkv}, bias);
    else if (!config.has_kv(layer)) names.qkv = parts(attention, {q}, bias);
    else names.qkv = parts(attention, {q, k, config.values_are_keys(layer) ? k : v}, bias);
    // Llama with attention_bias has one on o too, though some checkpoints lack it.
    names.o = parts(attention, {o}, config.output_bias && checkpoint.has(attention + leaf(o) + ".bias"));
    if (config.qk_norm && !config.qk_norm_weightless) {
      const bool stablelm = config.model_type == "stablelm";
      names.q_norm = attention + (config.qk_norm_after_rope ? "query_layernorm.weight" : stablelm ? "q_layernorm.weight" : "q_norm.weight");
      if (config.has_kv(layer)) names.k_norm = attention + (config.qk_norm_after_rope ? "key_layernorm.weight" : stablelm ? "k_layernorm.weight" : "k_norm.weight");
    }
  }
  if (config.layer_scales) names.scale = prefix + "layer_scalar";
  if (config.per_token.size > 0) {
    names.per_token_gate = parts(prefix, {per_token_gate}, false);
    names.per_token_out = parts(prefix, {per_token_out}, false);
    names.post_per_token_norm = prefix + "post_per_layer_input_norm.weight";
  }
  if (config.activation == Activation::xielu) names.xielu = mlp + "act_fn.";
  if (config.attention_sinks) names.sinks = attention + "sinks";
  if (config.has_experts(layer)) add_mixture(checkpoint, config, prefix, names);
  if (!config.has_mlp(layer)) return names;
  // llama.cpp parts what is one in a shared expert.
  const bool fused = config.fused_gate_up && !(checkpoint.is_gguf() && config.has_experts(layer));
  if (!config.gated_mlp) names.gate_up = parts(mlp, {up}, config.mlp_bias);
  else names.gate_up = fused ? parts(mlp, {gate_up}, config.mlp_bias) : parts(mlp, {gate, up}, config.mlp_bias);
  names.down = parts(mlp, {down}, config.mlp_bias);
  return names;
}

}  // namespace sgmv
