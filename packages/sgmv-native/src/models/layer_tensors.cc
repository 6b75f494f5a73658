#include "models/layer_tensors.h"

namespace sgmv {

namespace {

// What a mixture and its parts are called in the checkpoints of a family.
struct MixtureNames {
  const char* model_type;
  const char *block, *router;
  const char *gate, *up, *down;          // of an expert that has matrices of its own
  const char *all_gate_up, *all_down;    // of all of them; null: they have their own
  bool parameters = false;               // as Checkpoint::Part::parameter, with rows of gate and up in turns
};
constexpr MixtureNames kMixtureNames[] = {
    {"mixtral", "block_sparse_moe.", "gate", "w1", "w3", "w2", nullptr, nullptr},
    {"granitemoe", "block_sparse_moe.", "router.layer", nullptr, nullptr, nullptr, "input_linear", "output_linear"},
    {"gpt_oss", "mlp.", "router", nullptr, nullptr, nullptr, "experts.gate_up_proj", "experts.down_proj", true},
};
// Qwen's and OLMoE's, by which gguf_tensor_name() knows them too.
constexpr MixtureNames kUsualNames = {nullptr, "mlp.", "gate", "gate_proj", "up_proj", "down_proj", nullptr, nullptr};

const MixtureNames& mixture_names(const Checkpoint& checkpoint, const ModelConfig& config) {
  for (const MixtureNames& names : kMixtureNames)
    if (!checkpoint.is_gguf() && config.model_type == names.model_type) return names;
  return kUsualNames;
}

// An expert's matrices are its own, or rows of all experts' by projection (GGUF), or with gate and up in one (Granite, GPT-OSS).
LayerTensors::Expert expert_tensors(const MixtureNames& names, const std::string& block, bool gguf, const ModelConfig& config, int32_t expert) {
  const int64_t size = config.experts.size, hidden = config.hidden_size;
  const bool bias = config.experts.biased;
  if (names.parameters) return {{{block + names.all_gate_up, 2 * size, bias, expert, 0, 2 * size, true, true}}, {{block + names.all_down, hidden, bias, expert, 0, hidden, true}}};
  if (names.all_gate_up != nullptr) {
    const std::string gate_up = block + names.all_gate_up;
    return {{{gate_up, size, false, expert, 0, 2 * size}, {gate_up, size, false, expert, size, 2 * size}}, {{block + names.all_down, hidden, false, expert, 0, hidden}}};
  }
  const auto part = [&](const char* name, int64_t out) {
    return gguf ? Checkpoint::Part{block + "experts." + name, out, bias, expert, 0, out} : Checkpoint::Part{block + "experts." + std::to_string(expert) + "." + name, out, bias};
  };
  return {{part(names.gate, size), part(names.up, size)}, {part(names.down, hidden)}};
}

void add_mixture(const Checkpoint& checkpoint, const ModelConfig& config, const std::string& layer, LayerTensors& tensors) {
  const MixtureNames& names = mixture_names(checkpoint, config);
  const std::string block = layer + names.block;
  tensors.router.push_back({block + names.router, config.experts.count, config.experts.biased});
  if (config.experts.shared) tensors.router.push_back({block + "shared_expert_gate", 1, false});
  for (int32_t expert = 0; expert < config.experts.count; ++expert) tensors.experts.push_back(expert_tensors(names, block, checkpoint.is_gguf(), config, expert));
}

}  // namespace

LayerTensors layer_tensors(const Checkpoint& checkpoint, const ModelConfig& config, int32_t layer) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const std::string attention = prefix + "self_attn.", mlp = prefix + (config.has_experts(layer) ? "mlp.shared_expert." : "mlp.");
  const auto parts = [&](const std::string& group, std::initializer_list<Projection> projections, bool bias) {
    std::vector<Checkpoint::Part> list;
    for (const Projection p : projections) list.push_back({group + projection_name(p), config.out_features(p), bias});
    return list;
  };
  LayerTensors names;
  if (config.pre_norms) {
    names.attention_norm = prefix + "input_layernorm.weight";
    names.mlp_norm = prefix + (config.post_norms ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight");
  }
  if (config.post_norms) {
    names.post_attention_norm = prefix + "post_attention_layernorm.weight";
    names.post_mlp_norm = prefix + "post_feedforward_layernorm.weight";
  }
  if (config.qk_norm) {
    names.q_norm = attention + "q_norm.weight";
    names.k_norm = attention + "k_norm.weight";
  }
  if (config.attention_sinks) names.sinks = attention + "sinks";
  using enum Projection;
  const bool bias = config.attention_bias, fused = config.fused_projections;
  names.qkv = fused ? parts(attention, {qkv}, bias) : parts(attention, {q, k, v}, bias);
  // Llama with attention_bias has one on o too, though some checkpoints lack it. Qwen2 has none, whatever is in the file.
  names.o = parts(attention, {o}, bias && config.model_type != "qwen2" && checkpoint.has(attention + "o_proj.bias"));
  if (config.has_experts(layer)) add_mixture(checkpoint, config, prefix, names);
  if (!config.has_mlp(layer)) return names;
  names.gate_up = fused ? parts(mlp, {gate_up}, config.mlp_bias) : parts(mlp, {gate, up}, config.mlp_bias);
  names.down = parts(mlp, {down}, config.mlp_bias);
  return names;
}

}  // namespace sgmv
