// ModelConfig from a Hugging Face config.json.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "formats/json.h"
#include "sgmv/model_config.h"

namespace sgmv {

class ConfigFields;

// Throws Error model_unsupported or model_corrupt with the field's name.
ModelConfig config_from_hf(const json::Value& root, const std::string& file);

// Fills config.rope and config.sliding_rope from rope_parameters (transformers 5) or from rope_theta, rope_scaling and
// rope_local_base_freq (older). In `config` are already the shape and the family's own theta of both; `rotary_share` is
// what it rotates of a head where nothing else is said, 0 where nothing else may be.
void read_ropes(const json::Value& root, const std::string& file, double rotary_share, ModelConfig& config);

// What layers with a state are made of and which layers have one, in families that have such. False: the family has none.
bool read_states(const ConfigFields& fields, const json::Value& root, ModelConfig& config);
inline bool is_lfm(std::string_view model_type) { return model_type.starts_with("lfm2"); }
// LFM2's intermediate_size; `otherwise`: where nothing is said.
int32_t read_lfm_size(const ConfigFields& fields, const json::Value& root, int32_t otherwise);

// Nemotron-H: for each layer M, *, - or E, as of hybrid_override_pattern: a state, attention, an MLP, experts.
std::string read_nemotron_kinds(const ConfigFields& fields);

// A number within the bounds below.
double read_multiplier(const ConfigFields& fields, const char* field, double otherwise);
// Refuses other values than 1 to `most`.
void check_range(const std::string& file, const std::string& field, int32_t value, int32_t most);

// Fills config.quantization and the blocks of scales from quantization_config.
void read_quantization(const ConfigFields& fields, ModelConfig& config);

// What DeepSeek's kind of router adds to the sum of weights before it divides by it.
inline constexpr float kSumMin = 1e-20f;
inline constexpr float kLfmSumAdded = 1e-6f;

// Granite's multipliers: far beyond those of any model, and far within what float32 can bear.
inline constexpr double kMultiplierMin = 1e-3, kMultiplierMax = 1e3;

// LongRoPE's factor of the embedding, from how far the context was stretched.
double longrope_attention_factor(double factor, int32_t original_max_positions);

// What all Gemma checkpoints have in common, whatever the file format.
void use_gemma_layout(ModelConfig& config);

// Of latent attention in every file format: the sizes of heads, once `config.latent` is read, of which these are the names in the file:
// kv_rank, q_rank, rope_dim, nope_dim, value_dim.
void use_latent_layout(ModelConfig& config, const std::string& file, const std::array<std::string, 5>& fields);

// YaRN that says mscale_all_dim stretches scores too, of latent attention.
void stretch_scores(ModelConfig& config);

// Checks of Gemma 4 that hold for every source, with the names of full_kv.heads, full_kv.dim, kv_sharing_layers, per_token.size and per_token.vocab.
void check_gemma4(const ModelConfig& config, const std::string& file, const std::array<std::string, 5>& fields);

// What GPT-OSS has in every file format.
void use_gpt_oss_layout(ModelConfig& config);

// What OLMo 2 and 3 have in common.
void use_olmo_layout(ModelConfig& config);

// EXAONE 4: where some layers slide, the others do not rotate. `config` knows which.
void use_exaone_layout(ModelConfig& config);

// The largest number of experts a layer may have: above that of any model.
inline constexpr int32_t kExpertsMax = 1024;

// Checks that hold for every source: sizes in range, heads that divide.
void check_model_config(const ModelConfig& config, const std::string& file);
// The same of experts, with the names that their number, the number a token passes and their size have in the file.
void check_experts(const ExpertsConfig& experts, const std::string& file, const std::array<std::string, 3>& fields);
// The same of linear attention, with the names of key_heads, value_heads, key_dim, value_dim, taps and layer_has_state.
void check_linear_attention(const ModelConfig& config, const std::string& file, const std::array<std::string, 6>& fields);

}  // namespace sgmv
