// The fields of adapter_config.json that this engine does not use. Names from peft/tuners/lora/config.py, 0.5 to 0.21.
#include <algorithm>
#include <array>
#include <string_view>

#include "formats/peft_config.h"

namespace sgmv {
namespace {

// Read by peft_config.cc.
constexpr std::array<std::string_view, 16> kUsed = {
    "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "target_modules", "target_parameters", "exclude_modules",
    "layers_to_transform", "layers_pattern", "peft_type", "task_type", "use_dora", "ensure_weight_tying", "alora_invocation_tokens",
    "trainable_token_indices"};

// They describe training or origin and change no served value: VeLoRA and MonteCLoRA are plain LoRA once trained, CorDA, LoftQ and LoRA-GA count with
// their own init_lora_weights only, and linear layers are never fan_in_fan_out, whatever is said.
constexpr std::array<std::string_view, 20> kDescriptive = {
    "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "lora_dropout", "peft_version",
    "runtime_config", "eva_config", "loftq_config", "megatron_core", "qalora_group_size",
    "velora_config", "monteclora_config", "corda_config", "lora_ga_config", "fan_in_fan_out",
    "base_model_class", "parent_library", "unsloth_fixed", "unsloth_version"};

// Ways to start training that leave the base model's weights as they are. The others (PiSSA, OLoRA, CorDA, LoftQ …)
// train against a changed base; PEFT can convert such an adapter, and then writes `true` here.
constexpr std::array<std::string_view, 4> kPlainInits = {"gaussian", "eva", "orthogonal", "mica"};

// Where the model has biases, they are among the tensors, and refused there.
constexpr std::array<std::string_view, 3> kBiases = {"none", "lora_only", "all"};

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_neutral(const json::Value& value) {
  return value.is_null() || (value.is_bool() && !value.boolean()) || (value.is_array() && value.array().empty()) ||
         (value.is_object() && value.object().empty()) || (value.is_string() && value.string().empty());
}

bool is_zero(const json::Value& value) { return value.is_number() && value.number() == 0; }

struct Required {
  std::string_view field;
  const char* expected;
};

// What a feature's field must say so that the feature is off.
constexpr std::array<Required, 13> kOff = {{
    {"modules_to_save", "null: fully trained modules are not supported"},
    {"lora_bias", "false: biases of the LoRA matrices are not supported"},
    {"layer_replication", "null: replicated layers are not supported"},
    {"megatron_config", "null: Megatron layers are not supported"},
    {"use_qalora", "false: QA-LoRA is not supported"},
    {"use_bdlora", "null: block-diagonal LoRA is not supported"},
    {"arrow_config", "null: Arrow routing is not supported"},
    {"kasa_config", "null: KaSA changes the base weights"},
    {"use_lora_fa", "false: it is not supported"},
    {"enable_lora", "null: it is not supported"},
    {"base_layer", "null: it is not supported"},
    {"merge_weights", "false: merged adapters are not supported"},
    {"use_xlora", "false: X-LoRA is not supported"},
}};

void check_init(const json::Value& value, ProblemList& problems) {
  if (value.is_null() || value.is_bool() || (value.is_string() && contains(kPlainInits, value.string()))) return;
  problems.add("unsupported_field", kAdapterConfigFile, "init_lora_weights", value.describe(),
               "true, false, \"gaussian\", \"eva\", \"orthogonal\" or \"mica\": the base weights must be unchanged");
}

void check_bias(const json::Value& value, ProblemList& problems) {
  if (is_neutral(value) || (value.is_string() && contains(kBiases, value.string()))) return;
  problems.add("unsupported_field", kAdapterConfigFile, "bias", value.describe(), "\"none\", \"lora_only\" or \"all\"");
}

}  // namespace

void check_peft_fields(const json::Value& root, ProblemList& problems) {
  for (const auto& [field, value] : root.object()) {
    if (contains(kUsed, field) || contains(kDescriptive, field)) continue;
    if (field == "init_lora_weights") check_init(value, problems);
    else if (field == "bias") check_bias(value, problems);
    else if (!is_neutral(value)) {
      const auto off = std::find_if(kOff.begin(), kOff.end(), [&name = field](const Required& r) { return r.field == name; });
      if (off != kOff.end()) problems.add("unsupported_field", kAdapterConfigFile, field, value.describe(), off->expected);
      else if (!is_zero(value)) problems.add("unknown_field", kAdapterConfigFile, field, value.describe(), "a field that this version knows, or null");
    }
  }
}

}  // namespace sgmv
