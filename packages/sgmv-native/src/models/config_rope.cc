#include <algorithm>
#include <cmath>
#include <tuple>

#include "models/config_fields.h"
#include "models/config_hf.h"

namespace sgmv {
namespace {

// What RoPE parameters fall back to: fields outside their object, and defaults of the family.
struct Surroundings {
  const ModelConfig& model;
  int32_t original_max_positions;  // of the whole model, before what scaling itself says; 0: not said
  bool phi3;                       // spells longrope "su" or "yarn" in old files
  bool may_be_partial;             // a share of a head is rotated
  bool proportional;               // Gemma 4
  bool mrope;                      // an image has three positions, a text's are the same: its rotation is the plain one
};

void require_positive(const ConfigFields& fields, const char* field, double value) {
  if (!(value > 0)) fields.refuse("model_corrupt", field, std::to_string(value), "a number above 0");
}

void read_llama3(const ConfigFields& fields, RopeConfig& rope) {
  rope.low_freq_factor = fields.number("low_freq_factor").value_or(1.0);
  rope.high_freq_factor = fields.number("high_freq_factor").value_or(4.0);
  require_positive(fields, "low_freq_factor", rope.low_freq_factor);
  if (rope.high_freq_factor <= rope.low_freq_factor)
    fields.refuse("model_corrupt", "high_freq_factor", std::to_string(rope.high_freq_factor), "more than low_freq_factor");
}

// Transformers takes 0 for the default here.
double number_or(const ConfigFields& fields, const char* field, double otherwise) {
  const double value = fields.number(field).value_or(0.0);
  return value == 0 ? otherwise : value;
}

void read_yarn(const ConfigFields& fields, RopeConfig& rope) {
  rope.attention_factor = fields.number("attention_factor").value_or(0.0);
  rope.beta_fast = number_or(fields, "beta_fast", 32.0);
  rope.beta_slow = number_or(fields, "beta_slow", 1.0);
  require_positive(fields, "beta_fast", rope.beta_fast);
  require_positive(fields, "beta_slow", rope.beta_slow);
  rope.mscale = fields.number("mscale").value_or(0.0);
  rope.mscale_all_dim = fields.number("mscale_all_dim").value_or(0.0);
  rope.truncate = fields.flag("truncate", true);
}

std::vector<float> read_factors(const ConfigFields& fields, const char* field, int32_t count) {
  const json::Value* list = fields.get(field);
  const std::string expected = std::to_string(count) + " numbers above 0";
  if (list == nullptr || !list->is_array() || list->array().size() != static_cast<size_t>(count))
    fields.refuse("model_corrupt", field, list == nullptr ? "nothing" : list->describe(), expected);
  std::vector<float> factors;
  for (const json::Value& factor : list->array()) {
    if (!factor.is_number() || !(factor.number() > 0)) fields.refuse("model_corrupt", field, factor.describe(), expected);
    factors.push_back(static_cast<float>(factor.number()));
  }
  return factors;
}

// Su et al., LongRoPE (2024): one set of divisors for sequences within the original context, one for longer ones.
void read_longrope(const ConfigFields& fields, const ModelConfig& model, RopeConfig& rope) {
  const int32_t pairs = (rope.rotary_dim > 0 ? rope.rotary_dim : model.head_dim) / 2;
  if (rope.original_max_positions < 2) rope.original_max_positions = model.max_positions;
  rope.factors = read_factors(fields, "short_factor", pairs);
  rope.long_factors = read_factors(fields, "long_factor", pairs);
  rope.attention_factor = fields.number("attention_factor").value_or(longrope_attention_factor(rope.factor, rope.original_max_positions));
}

void read_rotary_dim(const ConfigFields& fields, const Surroundings& around, RopeConfig& rope) {
  const auto partial = fields.number("partial_rotary_factor");
  if (!partial) return;
  rope.rotary_dim = around.model.latent.rope_dim;
  if (*partial == 1.0) return;
  const int32_t dim = around.may_be_partial && *partial > 0 && *partial < 1 ? static_cast<int32_t>(around.model.head_dim * *partial) : 0;
  if (dim < 2 || dim % 2 != 0)
    fields.refuse("model_unsupported", "partial_rotary_factor", std::to_string(*partial),
                  around.may_be_partial ? "a share of head_dim that is an even number" : "1");
  rope.rotary_dim = dim;
}

RopeConfig::Kind read_kind(const ConfigFields& fields, const Surroundings& around) {
  using Kind = RopeConfig::Kind;
  const std::string type = fields.text("rope_type", fields.text("type", "default"));
  if (type == "default" || (type == "mrope" && around.mrope)) return Kind::none;
  // Stretched only in sequences longer than max_position_embeddings, and no sequence is.
  if (type == "dynamic" && !around.phi3) return Kind::none;
  if (type == "longrope" && around.proportional) fields.refuse("model_unsupported", "rope_type", "\"longrope\"", "proportional or another one whose frequencies do not depend on a list");
  if (type == "longrope" || (around.phi3 && (type == "su" || type == "yarn"))) return Kind::longrope;
  if (type == "linear") return Kind::linear;
  if (type == "llama3") return Kind::llama3;
  if (type == "yarn") return Kind::yarn;
  fields.refuse("model_unsupported", "rope_type", '"' + type + '"', "one of default, dynamic, linear, llama3, yarn, longrope");
}

// HunYuan: beside `dynamic`, theta for a longer context once and for all (NTK-aware scaling, by a fixed factor).
void read_alpha(const ConfigFields& fields, const ModelConfig& model, RopeConfig& rope) {
  const double alpha = number_or(fields, "alpha", 1.0);
  if (alpha == 1.0 || fields.text("rope_type", fields.text("type", "default")) != "dynamic") return;
  require_positive(fields, "alpha", alpha);
  if (model.head_dim < 4) fields.refuse("model_unsupported", "alpha", std::to_string(alpha), "a head_dim of at least 4 with it");
  rope.theta *= std::pow(alpha, model.head_dim / (model.head_dim - 2.0));
}

// Gemma 4: of all pairs of a head, the first share is rotated as if all were, the others are not.
void read_proportional(const ConfigFields& fields, RopeConfig& rope) {
  rope.kind = RopeConfig::Kind::proportional;
  rope.share = fields.number("partial_rotary_factor").value_or(1.0);
  rope.factor = fields.number("factor").value_or(1.0);
  if (!(rope.share >= 0 && rope.share <= 1)) fields.refuse("model_corrupt", "partial_rotary_factor", std::to_string(rope.share), "0 to 1");
  require_positive(fields, "factor", rope.factor);
}

// `scaling` holds type, factor and the rest; it may be the same object that holds rope_theta.
void read_scaling(const ConfigFields& scaling, const Surroundings& around, RopeConfig& rope) {
  rope.theta = scaling.number("rope_theta").value_or(rope.theta);
  require_positive(scaling, "rope_theta", rope.theta);
  if (around.proportional && scaling.text("rope_type", "default") == "proportional") return read_proportional(scaling, rope);
  read_rotary_dim(scaling, around, rope);
  rope.share = 1.0;
  rope.kind = read_kind(scaling, around);
  if (around.model.model_type.starts_with("hunyuan_v1")) read_alpha(scaling, around.model, rope);
  if (rope.kind == RopeConfig::Kind::none) return;
  const int32_t inside = scaling.integer("original_max_position_embeddings").value_or(0);
  const int32_t said = around.original_max_positions > 0 ? around.original_max_positions : inside;
  rope.original_max_positions = said > 0 ? said : around.model.max_positions;
  const auto factor = scaling.number("factor");
  if (factor) rope.factor = *factor;
  else if (rope.kind != RopeConfig::Kind::longrope && said < 1) scaling.refuse("model_corrupt", "factor", "nothing", "a number");
  else rope.factor = double(around.model.max_positions) / rope.original_max_positions;
  require_positive(scaling, "factor", rope.factor);
  if (rope.kind == RopeConfig::Kind::llama3) read_llama3(scaling, rope);
  if (rope.kind == RopeConfig::Kind::yarn) read_yarn(scaling, rope);
  if (rope.kind == RopeConfig::Kind::longrope) read_longrope(scaling, around.model, rope);
}

// Gemma 3 and OLMo 3: {"full_attention": {…}, "sliding_attention": {…}}.
void read_by_layer_type(const ConfigFields& fields, const json::Value& types, const Surroundings& around, ModelConfig& config) {
  for (const auto& [name, value] : types.object()) {
    const bool full = name == "full_attention";
    if (value.is_null()) continue;
    if (!value.is_object() || (!full && name != "sliding_attention"))
      fields.refuse("model_unsupported", "rope_parameters." + name, value.describe(), "full_attention and sliding_attention with their parameters");
    read_scaling(ConfigFields(value, fields.file() + ": rope_parameters." + name), around, full ? config.rope : *config.sliding_rope);
  }
}

void read_flat(const ConfigFields& fields, const std::string& field, const json::Value& scaling, const Surroundings& around, RopeConfig& rope) {
  for (const auto& [name, value] : scaling.object())
    if (value.is_object()) fields.refuse("model_unsupported", field + "." + name, value.describe(), "one set of parameters for all layers");
  read_scaling(ConfigFields(scaling, fields.file() + ": " + field), around, rope);
}

// Null for one that is missing, null or empty.
const json::Value* get_object(const ConfigFields& fields, const char* field) {
  const json::Value* value = fields.get(field);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) fields.refuse("model_corrupt", field, value->describe(), "an object");
  return value->object().empty() ? nullptr : value;
}

// OLMo 3's sliding layers rotate by the outer rope_theta in Transformers 4 and by 500000 in Transformers 5.
void refuse_two_readings(const ConfigFields& fields, const json::Value* parameters, const ModelConfig& config) {
  const json::Value* sliding = parameters == nullptr ? nullptr : parameters->find("sliding_attention");
  if (sliding != nullptr && sliding->is_object() && sliding->find("rope_theta") != nullptr) return;
  const auto outer = fields.number("rope_theta");
  if (outer && *outer != config.sliding_rope->theta)
    fields.refuse("model_unsupported", "rope_theta", std::to_string(*outer), "rope_parameters with the rope_theta of sliding_attention, which versions of Transformers read differently");
}

// Without a rope_theta Command R rotates by 10000 in Transformers 4 and by 500000 in Transformers 5.
void refuse_two_thetas(const ConfigFields& fields, const json::Value* parameters, const json::Value* scaling) {
  const auto says = [](const json::Value* object) { return object != nullptr && object->find("rope_theta") != nullptr; };
  if (fields.get("rope_theta") == nullptr && !says(parameters) && !says(scaling))
    fields.refuse("model_unsupported", "rope_theta", "nothing", "a number: versions of Transformers assume different ones");
}

// Beside an outer original_max_position_embeddings, Transformers 4 passes over LongRoPE's factor and Transformers 5 does not.
void refuse_two_factors(const ConfigFields& fields, const json::Value& scaling, const Surroundings& around, const RopeConfig& rope) {
  const ConfigFields inside(scaling, fields.file() + ": rope_scaling");
  if (rope.kind != RopeConfig::Kind::longrope || around.original_max_positions == 0 || inside.number("attention_factor")) return;
  const double implied = double(around.model.max_positions) / around.original_max_positions;
  if (std::abs(rope.factor - implied) > 1e-6 * implied)
    inside.refuse("model_unsupported", "factor", std::to_string(rope.factor), std::to_string(implied) + " or nothing: what max_position_embeddings and original_max_position_embeddings say, or attention_factor beside it");
}

// Ministral 3. Its rope_parameters are always there: what Transformers assumes without them no checkpoint means.
void read_query_growth(const ConfigFields& fields, const json::Value* parameters, ModelConfig& config) {
  if (parameters == nullptr) fields.refuse("model_unsupported", "rope_parameters", "nothing", "the rotation and llama_4_scaling_beta of Ministral 3");
  const ConfigFields inside(*parameters, fields.file() + ": rope_parameters");
  const double growth = inside.number("llama_4_scaling_beta").value_or(0.0);
  if (!(growth >= 0 && growth <= kMultiplierMax)) inside.refuse("model_unsupported", "llama_4_scaling_beta", std::to_string(growth), "a number from 0 to 1e3");
  config.query_growth = static_cast<float>(growth);
  config.query_growth_span = std::max(1, inside.integer("original_max_position_embeddings").value_or(config.rope.original_max_positions));
}

// GPT-OSS whose configuration says nothing is stretched as its publisher did. Of a rope_scaling that says nothing Transformers 4
// thinks otherwise than Transformers 5.
void use_published_yarn(const json::Value& root, const ConfigFields& fields, RopeConfig& rope) {
  if (const json::Value* said = root.find("rope_scaling"))
    fields.refuse("model_unsupported", "rope_scaling", said->describe(), "the parameters of RoPE, or no such field: versions of Transformers read it differently");
  rope.kind = RopeConfig::Kind::yarn;
  rope.factor = 32;
  rope.original_max_positions = 4096;
  rope.truncate = false;
}

bool same_rope(const RopeConfig& a, const RopeConfig& b) {
  const auto values = [](const RopeConfig& r) {
    return std::tie(r.kind, r.share, r.theta, r.factor, r.low_freq_factor, r.high_freq_factor, r.original_max_positions, r.rotary_dim, r.attention_factor,
                    r.beta_fast, r.beta_slow, r.mscale, r.mscale_all_dim, r.truncate, r.factors, r.long_factors);
  };
  return values(a) == values(b);
}

}  // namespace

double longrope_attention_factor(double factor, int32_t original_max_positions) {
  return factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(original_max_positions));
}

void read_ropes(const json::Value& root, const std::string& file, double rotary_share, ModelConfig& config) {
  const ConfigFields fields(root, file);
  const bool phi3 = config.model_type == "phi3", by_type = config.sliding_rope.has_value();
  // Of RoPE by layer type Transformers reads only what each type says itself.
  const int32_t original = by_type ? 0 : fields.integer("original_max_position_embeddings").value_or(phi3 ? 4096 : 0);
  const bool gemma4 = config.model_type.starts_with("gemma4");
  const Surroundings around{config, original, phi3, rotary_share > 0, gemma4, config.model_type == "qwen2_vl_text"};
  if (rotary_share > 0 && rotary_share < 1) config.rope.rotary_dim = static_cast<int32_t>(config.head_dim * rotary_share);
  if (gemma4) {  // everything stands by layer type
    config.rope.kind = RopeConfig::Kind::proportional;
    config.rope.share = 0.25;
  } else {
    config.rope.theta = fields.number("rope_theta").value_or(config.rope.theta);
    require_positive(fields, "rope_theta", config.rope.theta);
    read_rotary_dim(fields, around, config.rope);
  }
  if (config.model_type == "gemma3_text") {
    config.sliding_rope->theta = fields.number("rope_local_base_freq").value_or(config.sliding_rope->theta);
    require_positive(fields, "rope_local_base_freq", config.sliding_rope->theta);
  }
  const RopeConfig plain = config.rope;
  const json::Value* parameters = get_object(fields, "rope_parameters");
  if (parameters != nullptr && by_type) read_by_layer_type(fields, *parameters, around, config);
  else if (parameters != nullptr) read_flat(fields, "rope_parameters", *parameters, around, config.rope);
  if (config.model_type == "ministral3") read_query_growth(fields, parameters, config);
  if (config.model_type == "olmo3") refuse_two_readings(fields, parameters, config);
  const json::Value* scaling = get_object(fields, "rope_scaling");
  // Transformers reads it by layer type only.
  if (config.model_type == "mellum" && parameters == nullptr && (scaling != nullptr || fields.get("rope_theta") != nullptr))
    fields.refuse("model_unsupported", "rope_parameters", "nothing", "the rotation of Mellum, of full_attention and of sliding_attention");
  if (config.model_type == "cohere") refuse_two_thetas(fields, parameters, scaling);
  // Transformers assumes a scaled one, and then passes over rope_theta.
  if ((config.model_type == "cwm" || config.model_type == "apertus") && parameters == nullptr && scaling == nullptr)
    fields.refuse("model_unsupported", "rope_parameters", "nothing", "the rotation of this family, which is scaled");
  if (scaling != nullptr && gemma4) fields.refuse("model_unsupported", "rope_scaling", scaling->describe(), "rope_parameters by layer type");
  if (scaling == nullptr && config.model_type == "gpt_oss" && fields.get("rope_parameters") == nullptr) use_published_yarn(root, fields, config.rope);
  if (scaling == nullptr) return;
  // Transformers forgets rope_parameters where there is rope_scaling; by layer type it writes the one over the other.
  RopeConfig scaled = by_type ? config.rope : plain;
  read_flat(fields, "rope_scaling", *scaling, around, scaled);
  refuse_two_factors(fields, *scaling, around, scaled);
  if (parameters != nullptr && !same_rope(config.rope, scaled))
    fields.refuse("model_unsupported", "rope_scaling, rope_parameters", "both, and they say different things",
                  "one of them, or the same in both: put type, factor and rope_theta into rope_parameters and remove rope_scaling");
  config.rope = scaled;
}

}  // namespace sgmv
