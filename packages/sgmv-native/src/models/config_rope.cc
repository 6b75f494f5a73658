#include "models/config_fields.h"
#include "models/config_hf.h"

namespace sgmv {
namespace {

void require_positive(const ConfigFields& fields, const char* field, double value) {
  if (!(value > 0)) fields.refuse("model_corrupt", field, std::to_string(value), "a number above 0");
}

void read_llama3(const ConfigFields& fields, RopeConfig& rope) {
  rope.low_freq_factor = fields.number("low_freq_factor").value_or(1.0);
  rope.high_freq_factor = fields.number("high_freq_factor").value_or(4.0);
  if (rope.original_max_positions < 1)
    fields.refuse("model_corrupt", "original_max_position_embeddings", "nothing", "the positions the model was first trained with");
  require_positive(fields, "low_freq_factor", rope.low_freq_factor);
  if (rope.high_freq_factor <= rope.low_freq_factor)
    fields.refuse("model_corrupt", "high_freq_factor", std::to_string(rope.high_freq_factor), "more than low_freq_factor");
}

void read_yarn(const ConfigFields& fields, int32_t max_positions, RopeConfig& rope) {
  if (rope.original_max_positions < 1) rope.original_max_positions = max_positions;
  rope.attention_factor = fields.number("attention_factor").value_or(0.0);
  rope.beta_fast = fields.number("beta_fast").value_or(32.0);
  rope.beta_slow = fields.number("beta_slow").value_or(1.0);
  rope.mscale = fields.number("mscale").value_or(0.0);
  rope.mscale_all_dim = fields.number("mscale_all_dim").value_or(0.0);
  rope.truncate = fields.flag("truncate", true);
}

// `scaling` holds type, factor and the rest; it may be the same object that holds rope_theta.
void read_scaling(const ConfigFields& scaling, int32_t max_positions, int32_t original_outside, RopeConfig& rope) {
  const std::string type = scaling.text("rope_type", scaling.text("type", "default"));
  if (const auto partial = scaling.number("partial_rotary_factor"); partial && *partial != 1.0)
    scaling.refuse("model_unsupported", "partial_rotary_factor", std::to_string(*partial), "1");
  if (type == "default") return;
  if (type == "linear") rope.kind = RopeConfig::Kind::linear;
  else if (type == "llama3") rope.kind = RopeConfig::Kind::llama3;
  else if (type == "yarn") rope.kind = RopeConfig::Kind::yarn;
  else scaling.refuse("model_unsupported", "rope_type", '"' + type + '"', "one of default, linear, llama3, yarn");

  rope.original_max_positions = scaling.integer("original_max_position_embeddings").value_or(original_outside);
  const auto factor = scaling.number("factor");
  if (factor) rope.factor = *factor;
  else if (rope.original_max_positions > 0) rope.factor = double(max_positions) / rope.original_max_positions;
  else scaling.refuse("model_corrupt", "factor", "nothing", "a number");
  require_positive(scaling, "factor", rope.factor);
  if (rope.kind == RopeConfig::Kind::llama3) read_llama3(scaling, rope);
  if (rope.kind == RopeConfig::Kind::yarn) read_yarn(scaling, max_positions, rope);
}

}  // namespace

RopeConfig rope_from_hf(const json::Value& root, const std::string& file) {
  const ConfigFields fields(root, file);
  const int32_t max_positions = fields.integer("max_position_embeddings").value_or(0);
  const int32_t original = fields.integer("original_max_position_embeddings").value_or(0);
  RopeConfig rope;
  rope.theta = fields.number("rope_theta").value_or(10000.0);
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    const json::Value* scaling = fields.get(field);
    if (scaling == nullptr) continue;
    if (!scaling->is_object()) fields.refuse("model_corrupt", field, scaling->describe(), "an object");
    for (const auto& [name, value] : scaling->object())
      if (value.is_object()) fields.refuse("model_unsupported", std::string(field) + "." + name, value.describe(), "one set of parameters for all layers");
    const ConfigFields inner(*scaling, file + ": " + field);
    rope.theta = inner.number("rope_theta").value_or(rope.theta);
    rope.kind = RopeConfig::Kind::none;
    read_scaling(inner, max_positions, original, rope);
  }
  require_positive(fields, "rope_theta", rope.theta);
  return rope;
}

}  // namespace sgmv
