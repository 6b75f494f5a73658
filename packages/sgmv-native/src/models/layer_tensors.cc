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
    const auto halves = in_turns ? std::vector{part(gate_up, expert, 2 * size, 0, 2 * size)} : !config.gated_mlp ? std::vector{part(gate_up, expert, size, 0, size)} : std::vector{part(gate_up, expert, size, 0, 2 * size), part(gate_up, expert, size, size, 2 * size)};
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
  return {config.gated_mlp ? std::vector{part(names.gate, size), part(names.up, size)} : std::vector{part(names.up, size)}, {part(names.down, hidden)}};
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

// kv_b_proj. llama.cpp keeps apart what gives keys, by inputs, and what gives values, each by head; in older files it is as it was.
std::vector<Checkpoint::Part> latent_kv_parts(const Checkpoint& checkpoint, const ModelConfig& config, const std::string& attention) {
  if (!checkpoint.is_gguf() || checkpoint.has(attention + "kv_b_proj.weight")) return {{attention + "kv_b_proj", config.out_features(Projection::kv_b), false}};
  std::vector<Checkpoint::Part> parts;
  for (int32_t head = 0; head < config.heads; ++head)
    for (const bool key : {true, false}) {
      const int64_t rows = key ? config.latent.nope_dim : config.latent.value_dim;
      parts.push_back({.module = attention + (key ? "k_b_proj" : "v_b_proj"), .out = rows, .bias = false, .expert = head, .stacked_rows = rows, .transposed = key, .matrices = config.heads});
    }
  return parts;
}

// q, k and v as rows of one matrix, as the first converters wrote some architectures and newer ones do if they are asked to.
void find_fused(const Checkpoint& checkpoint, const std::string& fused, std::vector<Checkpoint::Part>& parts) {
  if (!checkpoint.is_gguf() || checkpoint.has(parts[0].tensor()) || !checkpoint.has(fused + ".weight")) return;
  int64_t all = 0;
  for (Checkpoint::Part& part : parts) {
    part.first_row = all;
    part.fused = fused;
    all += part.out;
  }
  for (Checkpoint::Part& part : parts) part.stacked_rows = all;
}

void add_state(const Checkpoint& checkpoint, const ModelConfig& config, int32_t layer, const std::string& block, LayerTensors& tensors) {
  using enum Projection;
  const LinearAttentionConfig& linear = config.linear;
  const auto add = [&](Projection p, bool bias) { (p == out ? tensors.state_out : tensors.state_in).push_back({block + projection_name(p), config.out_features(p, layer), bias}); };
  const bool parted = checkpoint.has(block + "in_proj_qkv.weight");  // older files in GGUF have it as it was
  if (linear.rule != StateRule::gated_delta) add(in, linear.in_bias);
  else if (!linear.grouped) for (const Projection p : {in_qkv, in_z, in_b, in_a}) add(p, false);
  else {
    if (parted) tensors.state_in = grouped_parts(linear, block);
    else add(in_qkvz, false);
    add(in_ba, false);
  }
  add(out, linear.out_bias);
  const std::string conv = block + (linear.is_conv() ? "conv" : "conv1d");
  tensors.conv = conv + ".weight";
  if (linear.conv_bias) tensors.conv_bias = conv + ".bias";
  if (linear.is_conv()) return;
  tensors.decay = block + "A_log";
  tensors.dt_bias = block + "dt_bias";
  if (linear.is_mamba()) tensors.skip = block + "D";
  if (linear.gate != StateGate::alone) tensors.state_norm = block + "norm.weight";
}

}  // namespace

LayerTensors layer_tensors(const Checkpoint& checkpoint, const ModelConfig& config, int32_t layer) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const bool gguf = checkpoint.is_gguf(), shared = config.has_experts(layer) && !config.experts.apart;
  const std::string attention = prefix + (gguf ? "self_attn" : attention_block(config)) + ".", mlp = prefix + (shared ? names_in(checkpoint, config).shared : gguf ? "mlp" : mlp_block(config)) + ".";
  const auto leaf = [&](Projection p) { return gguf ? projection_name(p) : module_leaf(config, p, -1); };
  const auto parts = [&](const std::string& group, std::initializer_list<Projection> projections, bool bias) {
    std::vector<Checkpoint::Part> list;
    for (const Projection p : projections) list.push_back({group + leaf(p), config.out_features(p, layer), bias});
    return list;
  };
  LayerTensors names;
  const bool glm = config.model_type == "glm4", hyperclova = config.model_type == "hyperclovax", lfm = config.model_type.starts_with("lfm2"), nemotron = config.model_type == "nemotron_h", apertus = config.model_type == "apertus";
  if (nemotron) {
    (config.has_mixer(layer) ? names.attention_norm : names.mlp_norm) = prefix + (gguf ? "input_layernorm.weight" : "norm.weight");
  } else if (config.pre_norms) {
    names.attention_norm = prefix + (lfm && !gguf ? "operator_norm.weight" : apertus ? "attention_layernorm.weight" : "input_layernorm.weight");
    if (!config.parallel_mlp) names.mlp_norm = prefix + (lfm && !gguf ? "ffn_norm.weight" : apertus ? "feedforward_layernorm.weight" : is_bamba_like(config) && !gguf ? "pre_ff_layernorm.weight" : (config.post_norms && !glm && !hyperclova) || config.model_type == "vaultgemma" ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight");
  }
  if (config.post_norms) {
    names.post_attention_norm = prefix + (glm ? "post_self_attn_layernorm.weight" : hyperclova ? "post_norm1.weight" : "post_attention_layernorm.weight");
    names.post_mlp_norm = prefix + (glm ? "post_mlp_layernorm.weight" : hyperclova ? "post_norm2.weight" : "post_feedforward_layernorm.weight");
  }
  using enum Projection;
  if (config.has_state(layer)) add_state(checkpoint, config, layer, prefix + (gguf && config.linear.is_mamba() ? "linear_attn" : state_block(config)) + ".", names);
  if (config.has_attention(layer)) {
    const bool bias = config.attention_bias;
    if (config.is_latent()) {
      names.qkv = parts(attention, {config.latent.q_rank > 0 ? q_a : q, kv_a}, bias);
      names.qkv[0].bias = bias && config.latent.q_rank > 0;
      if (config.latent.q_rank > 0) {
        names.q_a_norm = attention + "q_a_layernorm.weight";
        names.q_b = parts(attention, {q_b}, false);
      }
      names.kv_a_norm = attention + "kv_a_layernorm.weight";
      names.kv_b = latent_kv_parts(checkpoint, config, attention);
    } else if (config.fused_qkv) names.qkv = parts(attention, {qkv}, bias);
    else if (!config.has_kv(layer)) names.qkv = parts(attention, {q}, bias);
    else names.qkv = parts(attention, {q, k, config.values_are_keys(layer) ? k : v}, bias);
    if (!config.is_latent() && !config.fused_qkv) find_fused(checkpoint, attention + "qkv_proj", names.qkv);
    // Llama with attention_bias has one on o too, though some checkpoints lack it.
    names.o = parts(attention, {o}, config.output_bias && checkpoint.has(attention + leaf(o) + ".bias"));
    if (config.qk_norm && !config.qk_norm_weightless) {
      const bool layernorm = config.model_type == "stablelm" || lfm;
      names.q_norm = attention + (config.qk_norm_after_rope ? "query_layernorm.weight" : layernorm ? "q_layernorm.weight" : "q_norm.weight");
      if (config.has_kv(layer)) names.k_norm = attention + (config.qk_norm_after_rope ? "key_layernorm.weight" : layernorm ? "k_layernorm.weight" : "k_norm.weight");
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
  // llama.cpp parts what is one in a shared expert, and in what stands for one.
  const bool fused = config.fused_gate_up && !(gguf && (config.has_experts(layer) || config.state_layers() > 0));
  if (!config.gated_mlp) names.gate_up = parts(mlp, {up}, config.mlp_bias);
  else names.gate_up = fused ? parts(mlp, {gate_up}, config.mlp_bias) : parts(mlp, {gate, up}, config.mlp_bias);
  names.down = parts(mlp, {down}, config.mlp_bias);
  return names;
}

}  // namespace sgmv
