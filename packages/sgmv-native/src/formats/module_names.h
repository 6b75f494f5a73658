// What a decoder's modules are called. In a vision model the decoder is a module of another one, by two names: as saved by
// Transformers (language_model.model) and as PEFT sees it since Transformers 4.52 (model.language_model).
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "sgmv/model_config.h"

namespace sgmv {

inline constexpr std::string_view kModulePrefix = "model.";
inline constexpr std::array<const char*, 2> kWrappedPrefixes = {"model.language_model.", "language_model.model."};

// What a mixture of experts and its parts are called in a family: in its checkpoints, and as modules in Transformers 4. No block: they are the layer's.
struct MixtureNames {
  const char* model_type = nullptr;
  const char *block = "mlp", *router = "gate";
  const char *gate = "gate_proj", *up = "up_proj", *down = "down_proj";  // of an expert that has matrices of its own
  const char *all_gate_up = "experts.gate_up_proj", *all_down = "experts.down_proj";  // of all of them in one tensor
  const char* choice_bias = nullptr;
  const char *shared = "mlp.shared_expert", *shared_gate_up = "gate_up_proj", *shared_down = "down_proj";  // gate and up in one: where the family has them so
  bool router_stays_module = false;                            // in Transformers 5 too
  bool router_module = true, expert_modules = true;            // whether the router and each expert's matrices are modules in Transformers 4
  const char *bare_block = "mlp", *bare_router = "gate";       // in Transformers 5, where router and experts are bare parameters
  bool swapped_factors = false;                                // those parameters are [experts, in, out], which PEFT takes for [experts, out, in]
};
const MixtureNames& mixture_names(const ModelConfig& model);

// "model.layers.3.self_attn.q_proj"; `prefix`: one of those above. `expert`: -1 outside of experts.
std::string module_name(const ModelConfig& model, int32_t layer, Projection projection, std::string_view prefix = kModulePrefix, int32_t expert = -1);
// Where routers and experts are bare parameters, as in Transformers 5: "model.layers.3.mlp.gate", "model.layers.3.mlp.experts".
std::string bare_module_name(const ModelConfig& model, int32_t layer, bool experts, std::string_view prefix = kModulePrefix);
// What a layer's attention, its state and its MLP are called in it.
const char* attention_block(const ModelConfig& model);
const char* state_block(const ModelConfig& model);
const char* mlp_block(const ModelConfig& model);
bool is_bamba_like(const ModelConfig& model);  // pre_ff_layernorm, feed_forward, final_layernorm
// The last part of it.
const char* module_leaf(const ModelConfig& model, Projection projection, int32_t expert);
// Between the name of a layer's mixture and the number of one of its experts.
inline constexpr std::string_view kExpertsInfix = ".experts.";

}  // namespace sgmv
