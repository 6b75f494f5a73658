// Which of the model's projections an adapter configuration names, with PEFT's own rules
// (peft/tuners/tuners_utils.py: check_target_module_exists; peft/utils/other.py: get_pattern_key).
#pragma once

#include <string>
#include <vector>

#include "formats/module_names.h"
#include "formats/peft_config.h"
#include "sgmv/model_config.h"

namespace sgmv {

// One projection of one layer, or a module outside the layers, that the adapter changes.
struct LoraTarget {
  int32_t layer = 0;  // -1 outside the layers
  Projection projection = Projection::q;
  int32_t rank = 0;
  float scale = 0;
};

// The embedding first, then in order of layer and projection, the head last. Names of which the model has
// none, and modules that the engine cannot adapt, are added to `problems`. `prefix`: of the model's modules where the adapter
// was trained.
std::vector<LoraTarget> resolve_targets(const PeftConfig& peft, const ModelConfig& model, ProblemList& problems, std::string_view prefix = kModulePrefix);

}  // namespace sgmv
