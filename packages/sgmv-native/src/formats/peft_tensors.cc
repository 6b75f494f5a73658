// Tensor names and shapes of a LoRA file.
#include <array>
#include <map>
#include <string_view>

#include "formats/peft_adapter.h"

namespace sgmv {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";

struct Found {
  std::string name;
  const TensorInfo* info = nullptr;
};
struct FoundPair {
  Found a, b;
};
using FoundPairs = std::map<std::string, FoundPair>;  // by module name

struct Kind {
  std::string_view part;
  const char* what;
};

// Tensors of features that are not supported, by what their names contain.
constexpr std::array<Kind, 7> kUnsupportedKinds = {{
    {"lora_magnitude_vector", "a DoRA magnitude"},
    {"lora_embedding_", "a LoRA matrix of an embedding"},
    {"lora_A.bias", "a bias of a LoRA matrix"},
    {"lora_B.bias", "a bias of a LoRA matrix"},
    {"modules_to_save", "a fully trained module"},
    {"base_layer", "a base weight"},
    {"token_adapter", "a trained token embedding"},
}};

void refuse(ProblemList& problems, const char* code, const std::string& name, const std::string& found, const std::string& expected) {
  problems.add(code, kAdapterWeightsFile, name, found, expected);
}

// Splits "base_model.model.<module>.lora_A[.default].weight"; false for any other name.
bool split_name(std::string_view name, std::string& module, bool& is_a) {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  for (const std::string_view factor : {".lora_A", ".lora_B"})
    for (const std::string_view end : {".weight", ".default.weight"}) {
      const std::string tail = std::string(factor) + std::string(end);
      if (!name.ends_with(tail)) continue;
      module = name.substr(0, name.size() - tail.size());
      is_a = factor == ".lora_A";
      return true;
    }
  return false;
}

void refuse_name(ProblemList& problems, const std::string& name) {
  for (const Kind& kind : kUnsupportedKinds)
    if (name.find(kind.part) != std::string::npos)
      return refuse(problems, "unsupported_tensor", name, kind.what, "only lora_A.weight and lora_B.weight tensors");
  if (name.find("lora_") == std::string::npos)
    return refuse(problems, "unsupported_tensor", name, "a tensor that is no LoRA matrix", "only lora_A.weight and lora_B.weight tensors");
  refuse(problems, "tensor_unexpected", name, "an unknown name", "base_model.model.<module>.lora_A.weight or …lora_B.weight");
}

FoundPairs collect(const TensorSource& file, ProblemList& problems) {
  FoundPairs pairs;
  for (const auto& [name, info] : file.tensors()) {
    std::string module;
    bool is_a = false;
    if (!split_name(name, module, is_a)) {
      refuse_name(problems, name);
      continue;
    }
    Found& slot = is_a ? pairs[module].a : pairs[module].b;
    if (slot.info != nullptr) refuse(problems, "duplicate_tensor", name, "the same matrix as " + slot.name, "each matrix once");
    else slot = {name, &info};
  }
  return pairs;
}

bool check_type(const Found& found, ProblemList& problems) {
  const DType dtype = found.info->dtype;
  if (dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16) return true;
  refuse(problems, "tensor_dtype", found.name, "dtype " + found.info->dtype_text, "F32, F16 or BF16");
  return false;
}

bool check_shape(const Found& found, const std::vector<int64_t>& expected, const std::string& why, ProblemList& problems) {
  if (found.info->shape == expected) return true;
  refuse(problems, "tensor_shape", found.name, "shape " + shape_text(found.info->shape), shape_text(expected) + " (" + why + ")");
  return false;
}

void match_one(const LoraTarget& target, const ModelConfig& model, FoundPairs& found, std::vector<PeftPair>& pairs, ProblemList& problems) {
  const std::string module = module_name(target.layer, target.projection);
  FoundPair pair;
  if (const auto it = found.find(module); it != found.end()) {
    pair = it->second;
    found.erase(it);
  }
  const auto name = [&](const char* factor) { return std::string(kPrefix) + module + "." + factor + ".weight"; };
  if (pair.a.info == nullptr) refuse(problems, "tensor_missing", name("lora_A"), "no such tensor", "the matrix that adapter_config.json announces");
  if (pair.b.info == nullptr) refuse(problems, "tensor_missing", name("lora_B"), "no such tensor", "the matrix that adapter_config.json announces");
  if (pair.a.info == nullptr || pair.b.info == nullptr) return;
  const int64_t in = model.in_features(target.projection), out = model.out_features(target.projection);
  const std::string rank = "rank " + std::to_string(target.rank) + " in adapter_config.json";
  bool good = check_type(pair.a, problems);
  good = check_type(pair.b, problems) && good;
  good = check_shape(pair.a, {target.rank, in}, rank + ", " + std::to_string(in) + " inputs in the base model", problems) && good;
  good = check_shape(pair.b, {out, target.rank}, std::to_string(out) + " outputs in the base model, " + rank, problems) && good;
  if (good) pairs.push_back({target, *pair.a.info, *pair.b.info, pair.a.name, pair.b.name});
}

}  // namespace

std::vector<PeftPair> match_tensors(const TensorSource& file, const std::vector<LoraTarget>& targets, const ModelConfig& model, ProblemList& problems) {
  FoundPairs found = collect(file, problems);
  std::vector<PeftPair> pairs;
  for (const LoraTarget& target : targets) match_one(target, model, found, pairs, problems);
  for (const auto& [module, pair] : found)
    for (const Found& tensor : {pair.a, pair.b})
      if (tensor.info != nullptr)
        refuse(problems, "tensor_unexpected", tensor.name, "a matrix for \"" + module + '"', "only matrices that adapter_config.json announces for the base model");
  return pairs;
}

}  // namespace sgmv
