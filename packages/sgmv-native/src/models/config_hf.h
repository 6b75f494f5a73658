// ModelConfig from a Hugging Face config.json.
#pragma once

#include <filesystem>

#include "formats/json.h"
#include "sgmv/model_config.h"

namespace sgmv {

// Throws Error model_unsupported or model_corrupt with the field's name.
ModelConfig config_from_hf(const json::Value& root, const std::string& file);

// rope_parameters (transformers 5) or rope_theta and rope_scaling (older), "type" or "rope_type".
RopeConfig rope_from_hf(const json::Value& root, const std::string& file);

// Checks that hold for every source: sizes in range, heads that divide.
void check_model_config(const ModelConfig& config, const std::string& file);

}  // namespace sgmv
