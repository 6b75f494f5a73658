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

// "model.layers.3.self_attn.q_proj"; `prefix`: one of those above. `expert`: -1 outside of experts.
std::string module_name(const ModelConfig& model, int32_t layer, Projection projection, std::string_view prefix = kModulePrefix, int32_t expert = -1);
// Where routers and experts are bare parameters, as in Transformers 5: "model.layers.3.mlp.gate", "model.layers.3.mlp.experts".
std::string bare_module_name(const ModelConfig& model, int32_t layer, bool experts, std::string_view prefix = kModulePrefix);
// The last part of it.
const char* module_leaf(const ModelConfig& model, Projection projection, int32_t expert);
// Between the name of a layer's mixture and the number of one of its experts.
inline constexpr std::string_view kExpertsInfix = ".experts.";

}  // namespace sgmv
