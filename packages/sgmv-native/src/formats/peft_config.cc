#include "formats/peft_config.h"

#include <algorithm>
#include <cmath>

#include "formats/utf8.h"
#include "sgmv/ops.h"

namespace sgmv {
namespace {

constexpr size_t kProblemsMax = 200;
constexpr size_t kQuotedBytesMax = 400;  // of a name or a pattern, which may be as long as its file
constexpr size_t kNamesMax = 16384;  // more than any model has projections

class Reader {
 public:
  Reader(const json::Value& root, ProblemList& problems) : root_(root), problems_(problems) {}

  void refuse(const char* code, const std::string& path, const std::string& found, const std::string& expected) {
    problems_.add(code, kAdapterConfigFile, path, found, expected);
  }

  // Null for a field that is missing or null.
  const json::Value* get(const char* field) const {
    const json::Value* value = root_.find(field);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  void check_types() {
    const json::Value* type = get("peft_type");
    if (type == nullptr || !type->is_string()) refuse("unsupported_peft_type", "peft_type", type == nullptr ? "nothing" : type->describe(), "\"LORA\"");
    else if (type->string() != "LORA") refuse("unsupported_peft_type", "peft_type", type->describe(), "\"LORA\"");
    const json::Value* task = get("task_type");
    if (task != nullptr && (!task->is_string() || task->string() != "CAUSAL_LM"))
      refuse("unsupported_field", "task_type", task->describe(), "\"CAUSAL_LM\" or null");
  }

  int32_t rank(const std::string& path, const json::Value* value) {
    if (value == nullptr) refuse("missing_field", path, "nothing", "a rank from 1 to 256");
    else if (!value->is_integer()) refuse("bad_type", path, value->describe(), "a whole number from 1 to 256");
    else if (value->integer() < 1 || value->integer() > kRankMax)
      refuse("rank_out_of_range", path, value->describe(), "a rank from 1 to 256");
    else return static_cast<int32_t>(value->integer());
    return 1;
  }

  double alpha(const std::string& path, const json::Value& value) {
    if (value.is_number() && std::abs(value.number()) <= 1e6) return value.number();
    refuse(value.is_number() ? "alpha_out_of_range" : "bad_type", path, value.describe(), "a number of at most 1,000,000");
    return 1;
  }

  bool flag(const char* field) {
    const json::Value* value = get(field);
    if (value == nullptr) return false;
    if (!value->is_bool()) refuse("bad_type", field, value->describe(), "true or false");
    return value->is_bool() && value->boolean();
  }

  // An object, or null for one that is missing; anything else is refused.
  const json::Value* object(const char* field) {
    const json::Value* value = get(field);
    if (value == nullptr || value->is_object()) return value;
    refuse("bad_type", field, value->describe(), "an object");
    return nullptr;
  }

  std::vector<std::string> strings(const std::string& field, const json::Value& list) {
    std::vector<std::string> result;
    if (list.array().size() > kNamesMax) {
      refuse("list_too_long", field, std::to_string(list.array().size()) + " entries", "at most " + std::to_string(kNamesMax));
      return result;
    }
    for (size_t i = 0; i < list.array().size(); ++i) {
      const json::Value& item = list.array()[i];
      if (item.is_string() && !item.string().empty()) result.push_back(item.string());
      else refuse("bad_type", field + "[" + std::to_string(i) + "]", item.describe(), "a module name");
    }
    return result;
  }

  ModuleNames modules(const char* field) {
    ModuleNames names;
    const json::Value* value = get(field);
    if (value == nullptr) return names;
    if (value->is_string()) {
      names.is_pattern = true;
      names.pattern = value->string();
    } else if (value->is_array()) {
      names.names = strings(field, *value);
    } else {
      refuse("bad_type", field, value->describe(), "a list of names or a regular expression");
    }
    return names;
  }

  // A list of numbers of tokens.
  std::vector<int32_t> tokens(const std::string& field, const json::Value& list) {
    std::vector<int32_t> result;
    if (!list.is_array() || list.array().size() > kNamesMax) {
      refuse("bad_type", field, list.describe(), "a list of at most " + std::to_string(kNamesMax) + " tokens");
      return result;
    }
    for (size_t i = 0; i < list.array().size(); ++i) {
      const json::Value& item = list.array()[i];
      if (item.is_integer() && item.integer() >= 0 && item.integer() <= INT32_MAX) result.push_back(static_cast<int32_t>(item.integer()));
      else refuse("bad_type", field + "[" + std::to_string(i) + "]", item.describe(), "the number of a token");
    }
    return result;
  }

  std::optional<std::vector<int32_t>> layers() {
    const json::Value* value = get("layers_to_transform");
    if (value == nullptr || (value->is_array() && value->array().empty())) return std::nullopt;
    std::vector<int32_t> result;
    const json::Array single = value->is_array() ? json::Array() : json::Array{*value};
    const json::Array& items = value->is_array() ? value->array() : single;
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i].is_integer() && items[i].integer() >= 0 && items[i].integer() < (1 << 20)) {
        result.push_back(static_cast<int32_t>(items[i].integer()));
      } else {
        refuse("bad_type", "layers_to_transform[" + std::to_string(i) + "]", items[i].describe(), "the number of a layer");
      }
    }
    return result;
  }

 private:
  const json::Value& root_;
  ProblemList& problems_;
};

void read_trained_tokens(Reader& reader, PeftConfig& config) {
  const json::Value* value = reader.get("trainable_token_indices");
  if (value == nullptr) return;
  const auto add = [&](const std::string& field, const std::string& name, const json::Value& list) {
    if (std::vector<int32_t> tokens = reader.tokens(field, list); !tokens.empty()) config.trained_tokens.emplace_back(name, std::move(tokens));
  };
  if (!value->is_object()) return add("trainable_token_indices", "", *value);
  for (const auto& [name, list] : value->object()) add("trainable_token_indices." + name, name, list);
}

}  // namespace

void ProblemList::add(const std::string& code, const std::string& file, const std::string& path, const std::string& found,
                      const std::string& expected) {
  if (problems_.size() >= kProblemsMax) return;
  const std::string shown = shorten_utf8(path, kQuotedBytesMax), what = shorten_utf8(found, kQuotedBytesMax);
  const std::string where = path.empty() ? file : file + ": " + shown;
  problems_.push_back({code, file, shown, what, expected, where + ": found " + what + ", expected " + expected + "."});
}

PeftConfig parse_peft_config(const json::Value& root, ProblemList& problems) {
  PeftConfig config;
  if (!root.is_object()) {
    problems.add("bad_json", kAdapterConfigFile, "", root.describe(), "an object");
    return config;
  }
  Reader reader(root, problems);
  reader.check_types();
  check_peft_fields(root, problems);
  config.rank = reader.rank("r", reader.get("r"));
  if (const json::Value* alpha = reader.get("lora_alpha")) config.alpha = reader.alpha("lora_alpha", *alpha);
  else reader.refuse("missing_field", "lora_alpha", "nothing", "a number");
  config.rslora = reader.flag("use_rslora");
  config.dora = reader.flag("use_dora");
  if (const json::Value* tokens = reader.get("alora_invocation_tokens")) config.invocation_tokens = reader.tokens("alora_invocation_tokens", *tokens);
  if (!config.invocation_tokens.empty() && config.dora)
    reader.refuse("conflicting_fields", "use_dora", "true beside alora_invocation_tokens", "false: PEFT has no activated DoRA");
  if (!config.invocation_tokens.empty() && reader.get("task_type") == nullptr)
    reader.refuse("conflicting_fields", "task_type", "nothing beside alora_invocation_tokens", "\"CAUSAL_LM\": PEFT activates adapters of no other models");
  read_trained_tokens(reader, config);
  config.ties_weights = reader.flag("ensure_weight_tying");
  if (const json::Value* ranks = reader.object("rank_pattern"))
    for (const auto& [key, value] : ranks->object()) config.rank_pattern.emplace_back(key, reader.rank("rank_pattern." + key, &value));
  if (const json::Value* alphas = reader.object("alpha_pattern"))
    for (const auto& [key, value] : alphas->object()) config.alpha_pattern.emplace_back(key, reader.alpha("alpha_pattern." + key, value));

  config.targets = reader.modules("target_modules");
  config.excludes = reader.modules("exclude_modules");
  if (const json::Value* list = reader.get("target_parameters")) {
    if (list->is_array()) config.parameters = reader.strings("target_parameters", *list);
    else reader.refuse("bad_type", "target_parameters", list->describe(), "a list of names of parameters");
  }
  if (config.targets.empty() && config.parameters.empty()) reader.refuse("missing_field", "target_modules", "nothing", "module names such as [\"q_proj\", \"v_proj\"]");
  std::string lower = config.targets.pattern;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  config.all_linear = config.targets.is_pattern && lower == "all-linear";
  config.layers_to_transform = reader.layers();
  if (const json::Value* pattern = reader.get("layers_pattern")) {
    if (pattern->is_string()) { if (!pattern->string().empty()) config.layers_pattern = {pattern->string()}; }
    else if (pattern->is_array()) config.layers_pattern = reader.strings("layers_pattern", *pattern);
    else reader.refuse("bad_type", "layers_pattern", pattern->describe(), "a name or a list of names");
  }
  if (config.layers_to_transform && config.targets.is_pattern && !config.all_linear)
    reader.refuse("conflicting_fields", "layers_to_transform", "a list beside a pattern in target_modules", "a list of names in target_modules");
  return config;
}

}  // namespace sgmv
