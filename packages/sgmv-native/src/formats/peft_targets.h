// Which of the model's projections an adapter configuration names, with PEFT's own rules
// (peft/tuners/tuners_utils.py: check_target_module_exists; peft/utils/other.py: get_pattern_key).
#pragma once

#include <algorithm>
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
  int32_t expert = -1;  // whose projection it is, in a layer with experts
  bool bare = false;    // of a parameter that is no module's: the router's, or one that holds all experts' (target_parameters)

  int32_t inputs(const ModelConfig& model) const { return expert >= 0 && projection == Projection::down ? model.experts.size : model.in_features(projection, std::max(layer, 0)); }
  int32_t outputs(const ModelConfig& model) const { return expert >= 0 && projection != Projection::down ? model.experts.size : model.out_features(projection, std::max(layer, 0)); }
};

// The embedding first, then in order of layer and projection, the head last. Names of which the model has
// none, and modules that the engine cannot adapt, are added to `problems`. `prefix`: of the model's modules where the adapter
// was trained. `mixtures`: routers and each expert's projections were modules there, as they are in Transformers 4 and not in 5.
std::vector<LoraTarget> resolve_targets(const PeftConfig& peft, const ModelConfig& model, ProblemList& problems, std::string_view prefix = kModulePrefix,
                                        bool mixtures = false);

}  // namespace sgmv
