#include "models/layer_tensors.h"

namespace sgmv {

LayerTensors layer_tensors(const Checkpoint& checkpoint, const ModelConfig& config, int32_t layer) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
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
  using enum Projection;
  const bool bias = config.attention_bias, fused = config.fused_projections;
  names.qkv = fused ? parts(attention, {qkv}, bias) : parts(attention, {q, k, v}, bias);
  // Llama with attention_bias has one on o too, though some checkpoints lack it. Qwen2 has none, whatever is in the file.
  names.o = parts(attention, {o}, bias && config.model_type != "qwen2" && checkpoint.has(attention + "o_proj.bias"));
  names.gate_up = fused ? parts(mlp, {gate_up}, config.mlp_bias) : parts(mlp, {gate, up}, config.mlp_bias);
  names.down = parts(mlp, {down}, config.mlp_bias);
  return names;
}

}  // namespace sgmv
