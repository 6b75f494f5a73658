// quantization_config of a config.json. It says how quantized matrices are stored; which ones are, the tensors say, so that
// lists of modules to leave alone need no reading. How the activations or the cached keys and values of such a model are rounded
// is not repeated: here they keep their own precision. What computes something else is refused by name.
#include <algorithm>
#include <cctype>
#include <initializer_list>

#include "models/config_fields.h"
#include "models/config_hf.h"

namespace sgmv {
namespace {

using Method = Quantization::Method;

// The fields of an object inside, named from the outermost on.
class Section {
 public:
  Section(const ConfigFields& outer, const std::string& name, const json::Value& object)
      : fields_(object_or_refuse(outer, name, object), outer.file() + ": " + name) {}

  const ConfigFields& fields() const { return fields_; }
  const json::Value* get(const std::string& field) const { return fields_.get(field); }
  Section inside(const std::string& field, const json::Value& object) const { return Section(fields_, field, object); }

  std::string lower_text(const std::string& field, const std::string& otherwise) const {
    std::string text = fields_.text(field, otherwise);
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  }

  void require_one_of(const std::string& field, const std::string& found, std::initializer_list<const char*> allowed) const {
    std::string names;
    for (const char* name : allowed) {
      if (found == name) return;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    fields_.refuse("model_unsupported", field, '"' + found + '"', (allowed.size() > 1 ? "one of " : "") + names);
  }

  // A field of something that changes what the model computes.
  void require_none(const std::string& field) const {
    const json::Value* value = get(field);
    const bool empty = value == nullptr || (value->is_object() && value->object().empty()) || (value->is_bool() && !value->boolean());
    if (!empty) fields_.refuse("model_unsupported", field, value->describe(), "none");
  }

  int32_t bits(const std::string& field, std::initializer_list<int32_t> allowed) const {
    const int32_t found = fields_.required(field);
    std::string names;
    for (const int32_t bits : allowed) {
      if (found == bits) return found;
      names += (names.empty() ? "" : ", ") + std::to_string(bits);
    }
    fields_.refuse("model_unsupported", field, std::to_string(found), (allowed.size() > 1 ? "one of " : "") + names);
  }

 private:
  static const json::Value& object_or_refuse(const ConfigFields& outer, const std::string& name, const json::Value& object) {
    if (!object.is_object()) outer.refuse("model_corrupt", name, object.describe(), "an object");
    return object;
  }

  ConfigFields fields_;
};

// The blocks that share a scale, of whoever says so: Transformers at the top, whose null is none, compressed-tensors in each of its groups.
void set_scale_blocks(const Section& section, const std::string& field, ModelConfig& config) {
  if (section.fields().is_null(field)) config.scale_block_rows = config.scale_block_columns = INT32_MAX;
  const json::Value* blocks = section.get(field);
  if (blocks == nullptr) return;
  const auto is_size = [](const json::Value& value) { return value.is_integer() && value.integer() >= 1 && value.integer() <= INT32_MAX; };
  if (!blocks->is_array() || blocks->array().size() != 2 || !is_size(blocks->array()[0]) || !is_size(blocks->array()[1]))
    section.fields().refuse("model_corrupt", field, blocks->describe(), "two whole numbers of at least 1");
  config.scale_block_rows = static_cast<int32_t>(blocks->array()[0].integer());
  config.scale_block_columns = static_cast<int32_t>(blocks->array()[1].integer());
}

// -1: all inputs of a row share one, which the shapes say too.
int32_t read_group_size(const Section& section, const char* field) {
  const json::Value* size = section.get(field);
  if (size == nullptr || (size->is_integer() && size->integer() == -1)) return 0;
  const auto value = section.fields().integer(field);
  if (*value == 0) section.fields().refuse("model_corrupt", field, "0", "-1 or a whole number of at least 1");
  return *value;
}

constexpr std::initializer_list<const char*> kCompressedFormats = {"dense", "float-quantized", "int-quantized", "naive-quantized", "pack-quantized", "mixed-precision"};

void read_compressed_group(const Section& group, const std::string& format, ModelConfig& config) {
  const std::string own = group.fields().text("format", format);
  group.require_one_of("format", own, kCompressedFormats);
  const json::Value* object = group.get("weights");
  if (object == nullptr) return;
  const Section weights = group.inside("weights", *object);
  set_scale_blocks(weights, "block_structure", config);
  const std::string type = weights.fields().text("type", own == "float-quantized" ? "float" : "int");
  weights.require_one_of("type", type, {"int", "float"});
  if (type == "float") {
    if (own == "pack-quantized") weights.fields().refuse("model_unsupported", "type", "\"float\" in " + own, "\"int\"");
    return;
  }
  const std::string strategy = weights.fields().text("strategy", weights.get("group_size") == nullptr ? "tensor" : "group");
  weights.require_one_of("strategy", strategy, {"tensor", "channel", "group"});
  Quantization::Scheme scheme{.bits = weights.fields().integer("num_bits").value_or(8)};
  scheme.packed = own == "pack-quantized" || own == "mixed-precision";
  if (scheme.packed) weights.bits("num_bits", {2, 4, 8});
  if (strategy == "group") scheme.group_size = read_group_size(weights, "group_size");
  scheme.has_zeros = !weights.fields().flag("symmetric", true);
  const json::Value* order = weights.get("actorder");
  scheme.has_order = order != nullptr && ((order->is_bool() && order->boolean()) || (order->is_string() && order->string() == "group"));
  config.quantization.schemes.push_back(scheme);
}

void read_compressed_tensors(const Section& section, ModelConfig& config) {
  const std::string format = section.fields().text("format", "nothing");
  section.require_one_of("format", format, kCompressedFormats);
  section.require_none("transform_config");
  if (const json::Value* sparsity = section.get("sparsity_config"); sparsity != nullptr && sparsity->is_object() && !sparsity->object().empty()) {
    const Section inner = section.inside("sparsity_config", *sparsity);
    inner.require_one_of("format", inner.fields().text("format", "dense"), {"dense"});
  }
  config.quantization.method = Method::compressed_tensors;
  const json::Value* groups = section.get("config_groups");
  if (groups == nullptr) return;
  const Section all = section.inside("config_groups", *groups);
  for (const auto& [name, group] : groups->object()) read_compressed_group(all.inside(name, group), format, config);
}

void read_awq(const Section& section, ModelConfig& config) {
  // AutoAWQ's name of the field, that of Transformers 5, and GPTQModel's.
  const char* field = section.get("version") != nullptr ? "version" : section.get("format") != nullptr ? "format" : "checkpoint_format";
  section.require_one_of(field, section.lower_text(field, "gemm"), {"gemm"});
  if (section.lower_text("backend", "") == "llm-awq") section.fields().refuse("model_unsupported", "backend", "\"llm-awq\"", "one whose matrices are in the form \"gemm\"");
  const bool short_names = section.get("bits") == nullptr;
  config.quantization.method = Method::awq;
  config.quantization.schemes.push_back({.bits = section.bits(short_names ? "w_bit" : "bits", {4})});
  config.quantization.group_size = read_group_size(section, short_names ? "q_group_size" : "group_size");
}

void read_gptq(const Section& section, ModelConfig& config) {
  const char* field = section.get("checkpoint_format") != nullptr ? "checkpoint_format" : "format";
  const std::string format = section.lower_text(field, "gptq");
  section.require_one_of(field, format, {"gptq", "gptq_v2"});
  for (const char* other : {"is_marlin_format", "rotation", "adapter"}) section.require_none(other);
  section.require_one_of("pack_dtype", section.lower_text("pack_dtype", "int32"), {"int32"});
  Quantization& quantization = config.quantization;
  quantization.method = Method::gptq;
  quantization.zeros_less_one = format == "gptq";
  const bool has_order = section.fields().flag("desc_act", false);
  quantization.schemes.push_back({.bits = section.bits("bits", {2, 3, 4, 8}), .has_order = has_order});
  quantization.group_size = read_group_size(section, "group_size");
  const json::Value* dynamic = section.get("dynamic");
  if (dynamic == nullptr || (dynamic->is_bool() && !dynamic->boolean())) return;
  // By pattern of modules, what they have of their own. Which pattern is whose, the shapes say.
  const Section overrides = section.inside("dynamic", *dynamic);
  for (const auto& [pattern, value] : dynamic->object()) {
    if (pattern.starts_with('-') || value.is_null()) continue;
    const Section own = overrides.inside(pattern, value);
    if (own.get("bits") != nullptr) quantization.schemes.push_back({.bits = own.bits("bits", {2, 3, 4, 8}), .has_order = has_order});
    if (own.get("group_size") != nullptr) quantization.group_size = 0;
  }
}

}  // namespace

void read_quantization(const ConfigFields& fields, ModelConfig& config) {
  const json::Value* object = fields.get("quantization_config");
  if (object == nullptr) return;
  const Section section(fields, "quantization_config", *object);
  const std::string method = section.fields().text("quant_method", "nothing");
  section.require_one_of("quant_method", method, {"fp8", "fbgemm_fp8", "compressed-tensors", "awq", "gptq", "bitsandbytes", "mxfp4"});
  set_scale_blocks(section, "weight_block_size", config);
  if (method == "compressed-tensors") read_compressed_tensors(section, config);
  if (method == "awq") read_awq(section, config);
  if (method == "gptq") read_gptq(section, config);
  if (method == "bitsandbytes") config.quantization.method = Method::bitsandbytes;
  if (method == "mxfp4") config.quantization.method = Method::mxfp4;
}

}  // namespace sgmv
