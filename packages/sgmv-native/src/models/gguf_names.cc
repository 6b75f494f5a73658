#include <array>

#include "models/config_gguf.h"

namespace sgmv {

std::string gguf_tensor_name(const std::string& hf_name, const ModelConfig& config) {
  constexpr std::array<std::pair<const char*, const char*>, 8> top = {{
      {"model.embed_tokens_per_layer.weight", "per_layer_token_embd.weight"}, {"model.per_layer_model_projection.weight", "per_layer_model_proj.weight"}, {"model.per_layer_projection_norm.weight", "per_layer_proj_norm.weight"},
      {"model.embed_tokens.weight", "token_embd.weight"}, {"model.norm.weight", "output_norm.weight"}, {"model.norm.bias", "output_norm.bias"}, {"lm_head.weight", "output.weight"}, {"lm_head.bias", "output.bias"}}};
  if (hf_name == "model.norm.weight" && config.linear.is_conv()) return "token_embd_norm.weight";
  for (const auto& [hf, gguf] : top)
    if (hf_name == hf) return gguf;
  constexpr std::string_view prefix = "model.layers.";
  if (!hf_name.starts_with(prefix)) return "";
  const size_t dot = hf_name.find('.', prefix.size());
  if (dot == std::string::npos) return "";
  const size_t last = hf_name.rfind('.');  // ".weight" or ".bias", of sinks neither
  const std::string middle = hf_name.substr(dot + 1, last - dot - 1);
  const std::string block = "blk." + hf_name.substr(prefix.size(), dot - prefix.size()) + ".", end = hf_name.substr(last);
  constexpr std::array<std::pair<const char*, const char*>, 6> bare = {{{".linear_attn.D", "ssm_d"}, {".self_attn.sinks", "attn_sinks.weight"}, {".layer_scalar", "layer_output_scale.weight"}, {".router.per_expert_scale", "ffn_down_exps.scale"}, {".linear_attn.A_log", "ssm_a"}, {".linear_attn.dt_bias", "ssm_dt.bias"}}};
  for (const auto& [hf, gguf] : bare)
    if (hf_name.ends_with(hf)) return block + gguf;
  if (config.model_type == "falcon_h1" && middle == "post_attention_layernorm") return block + "ffn_norm";
  const bool named_by_attention = config.model_type == "seed_oss" || config.model_type == "gpt_oss" || config.attention_gate || (config.post_norms && config.model_type != "glm4");
  if (named_by_attention && middle == "post_attention_layernorm") return block + "post_attention_norm" + end;
  constexpr std::array<std::pair<const char*, const char*>, 61> parts = {{
      {"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"}, {"self_attn.v_proj", "attn_v"},
      {"self_attn.o_proj", "attn_output"}, {"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
      {"self_attn.query_layernorm", "attn_q_norm"}, {"self_attn.key_layernorm", "attn_k_norm"}, {"self_attn.q_layernorm", "attn_q_norm"}, {"self_attn.k_layernorm", "attn_k_norm"}, {"mlp.c_fc", "ffn_up"}, {"mlp.c_proj", "ffn_down"},
      {"mlp.gate_proj", "ffn_gate"}, {"mlp.up_proj", "ffn_up"}, {"mlp.down_proj", "ffn_down"},
      {"mlp.gate", "ffn_gate_inp"}, {"mlp.choice", "exp_probs_b"}, {"mlp.experts.gate_proj", "ffn_gate_exps"}, {"mlp.experts.up_proj", "ffn_up_exps"}, {"mlp.experts.gate_up_proj", "ffn_gate_up_exps"}, {"mlp.experts.down_proj", "ffn_down_exps"},
      {"mlp.shared_expert_gate", "ffn_gate_inp_shexp"}, {"mlp.shared_expert.gate_proj", "ffn_gate_shexp"}, {"mlp.shared_expert.up_proj", "ffn_up_shexp"},
      {"mlp.shared_expert.down_proj", "ffn_down_shexp"}, {"self_attn.qkv_proj", "attn_qkv"}, {"mlp.gate_up_proj", "ffn_up"},
      {"linear_attn.in_proj_qkv", "attn_qkv"}, {"linear_attn.in_proj_z", "attn_gate"}, {"linear_attn.in_proj_b", "ssm_beta"}, {"linear_attn.in_proj_a", "ssm_alpha"},
      {"linear_attn.in_proj_qkvz", "ssm_in"}, {"linear_attn.in_proj_ba", "ssm_ba"}, {"linear_attn.conv1d", "ssm_conv1d"}, {"linear_attn.norm", "ssm_norm"}, {"linear_attn.out_proj", "ssm_out"},
      {"linear_attn.in_proj", "ssm_in"}, {"conv.in_proj", "shortconv.in_proj"}, {"conv.conv", "shortconv.conv"}, {"conv.out_proj", "shortconv.out_proj"},
      {"self_attn.q_a_proj", "attn_q_a"}, {"self_attn.q_b_proj", "attn_q_b"}, {"self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"}, {"self_attn.kv_b_proj", "attn_kv_b"}, {"self_attn.k_b_proj", "attn_k_b"}, {"self_attn.v_b_proj", "attn_v_b"},
      {"self_attn.q_a_layernorm", "attn_q_a_norm"}, {"self_attn.kv_a_layernorm", "attn_kv_a_norm"},
      {"mlp.router", "ffn_gate_inp"}, {"pre_feedforward_layernorm_2", "pre_ffw_norm_2"}, {"post_feedforward_layernorm_1", "post_ffw_norm_1"}, {"post_feedforward_layernorm_2", "post_ffw_norm_2"},
      {"per_layer_input_gate", "inp_gate"}, {"per_layer_projection", "proj"}, {"post_per_layer_input_norm", "post_norm"},
      {"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"},
      {"post_self_attn_layernorm", "post_attention_norm"}, {"post_mlp_layernorm", "post_ffw_norm"},
      {"pre_feedforward_layernorm", "ffn_norm"}, {"post_feedforward_layernorm", "post_ffw_norm"}}};
  for (const auto& [hf, gguf] : parts)
    if (middle == hf) return block + gguf + end;
  return "";
}

}  // namespace sgmv
