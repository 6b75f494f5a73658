// Tensor names and shapes of a LoRA file.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <string_view>
#include <utility>

#include "formats/peft_adapter.h"

namespace sgmv {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";

// What a module's tensor is, by the end of its name. Between the two parts there may be the adapter's name.
enum class Part : uint8_t { a, b, embedding_a, embedding_b, magnitude, base_layer, base_bias, rows };
constexpr size_t kPartCount = 8;
struct Ending {
  Part part;
  std::string_view name, tail;
};
constexpr std::array<Ending, 9> kEndings = {{
    {Part::a, ".lora_A", ".weight"},
    {Part::b, ".lora_B", ".weight"},
    {Part::embedding_a, ".lora_embedding_A", ""},
    {Part::embedding_b, ".lora_embedding_B", ""},
    {Part::magnitude, ".lora_magnitude_vector", ""},
    {Part::magnitude, ".lora_magnitude_vector", ".weight"},
    {Part::base_layer, ".base_layer", ".weight"},
    {Part::base_bias, ".base_layer", ".bias"},
    {Part::rows, ".token_adapter.trainable_tokens_delta", ""},
}};

struct Found {
  std::string name;
  const TensorInfo* info = nullptr;
};
using FoundParts = std::array<Found, kPartCount>;
using FoundModules = std::map<std::string, FoundParts>;  // by module name

struct Kind {
  std::string_view part;
  const char* what;
};

// Tensors of features that are not supported, by what their names contain.
constexpr std::array<Kind, 5> kUnsupportedKinds = {{
    {"lora_A.bias", "a bias of a LoRA matrix"},
    {"lora_B.bias", "a bias of a LoRA matrix"},
    {".bias", "a trained bias"},
    {"modules_to_save", "a fully trained module"},
    {"token_adapter", "another tensor of trained tokens than their rows"},
}};

void refuse(ProblemList& problems, const char* code, const std::string& name, const std::string& found, const std::string& expected) {
  problems.add(code, kAdapterWeightsFile, name, found, expected);
}

// Splits "base_model.model.<module>.lora_A[.default].weight" and the like; false for any other name.
bool split_name(std::string_view name, std::string& module, Part& part) {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  for (const Ending& ending : kEndings)
    for (const std::string_view adapter : {"", ".default"}) {
      const std::string end = std::string(ending.name) + std::string(adapter) + std::string(ending.tail);
      if (!name.ends_with(end)) continue;
      module = name.substr(0, name.size() - end.size());
      part = ending.part;
      return true;
    }
  return false;
}

void refuse_name(ProblemList& problems, const std::string& name) {
  constexpr const char* expected = "only the LoRA matrices and magnitudes of the targets";
  for (const Kind& kind : kUnsupportedKinds)
    if (name.find(kind.part) != std::string::npos) return refuse(problems, "unsupported_tensor", name, kind.what, expected);
  if (name.find("lora_") == std::string::npos)
    return refuse(problems, "unsupported_tensor", name, "a tensor that is no LoRA matrix", expected);
  refuse(problems, "tensor_unexpected", name, "an unknown name", "base_model.model.<module>.lora_A.weight or …lora_B.weight");
}

// Beside a language model there are modules that see images. What an adapter changes in them no text reaches.
bool sees_images(std::string_view name) {
  name.remove_prefix(std::min(name.size(), kPrefix.size()));
  if (name.starts_with(kModulePrefix)) name.remove_prefix(kModulePrefix.size());
  return name.starts_with("vision_tower.") || name.starts_with("vision_model.") || name.starts_with("multi_modal_projector.") || name.starts_with("visual.");
}

// Of VeLoRA and MonteCLoRA, which read it while they train.
bool only_trains(std::string_view name) { return name.find(".lora_velora_") != std::string_view::npos || name.find(".lora_monteclora_") != std::string_view::npos; }

FoundModules collect(const TensorSource& file, bool wrapped, ProblemList& problems) {
  FoundModules modules;
  for (const auto& [name, info] : file.tensors()) {
    if ((wrapped && sees_images(name)) || only_trains(name)) continue;
    std::string module;
    Part part;
    if (!split_name(name, module, part)) {
      refuse_name(problems, name);
      continue;
    }
    Found& slot = modules[module][static_cast<size_t>(part)];
    if (slot.info != nullptr) refuse(problems, "duplicate_tensor", name, "the same tensor as " + slot.name, "each tensor once");
    else slot = {name, &info};
  }
  return modules;
}

// Takes the tensors of one target out of what was found.
class TargetMatcher {
 public:
  TargetMatcher(const LoraTarget& target, const ModelConfig& model, FoundModules& found, ProblemList& problems, std::string_view prefix)
      : target_(target), model_(model), problems_(problems), module_(module_of(target, model, found, prefix)) {
    const auto it = found.find(module_);
    if (it != found.end()) parts_ = &it->second;
  }

  void match(bool dora, std::vector<PeftPair>& pairs) {
    if (is_stacked()) return match_stacked(pairs);
    const int64_t in = target_.inputs(model_), out = target_.outputs(model_);
    const std::string rank = "rank " + std::to_string(target_.rank) + " in adapter_config.json";
    const std::string outputs = std::to_string(out) + " outputs in the base model";
    const bool embedding = target_.projection == Projection::embed_tokens;
    const auto a = take(embedding ? Part::embedding_a : Part::a, {target_.rank, in}, rank + ", " + std::to_string(in) + " inputs in the base model");
    const auto b = take(embedding ? Part::embedding_b : Part::b, {out, target_.rank}, outputs + ", " + rank);
    PeftPair pair{target_, a.value_or(NamedTensor{}), b.value_or(NamedTensor{}), {}, {}, {}};
    if (dora) pair.magnitude = take(Part::magnitude, {out}, outputs);
    if (!is_in_layer(target_.projection) && has(Part::base_layer))
      pair.base_layer = take(Part::base_layer, {model_.vocab_size, model_.hidden_size}, "the base model's own");
    if (model_.head_bias && target_.projection == Projection::lm_head && has(Part::base_bias))
      pair.base_bias = take(Part::base_bias, {model_.vocab_size}, "the base model's own");
    if (good_) pairs.push_back(std::move(pair));
  }

  std::optional<NamedTensor> match_rows(int64_t tokens) {
    return take(Part::rows, {tokens, model_.hidden_size}, std::to_string(tokens) + " tokens in adapter_config.json");
  }

  // Others' factors are in the same tensors.
  void drop_stacked() {
    if (is_stacked() && parts_ != nullptr) for (const Part part : {Part::a, Part::b}) (*parts_)[static_cast<size_t>(part)] = {};
  }

 private:
  static std::string module_of(const LoraTarget& target, const ModelConfig& model, const FoundModules& found, std::string_view prefix) {
    if (!target.bare) return module_name(model, target.layer, target.projection, prefix, target.expert);
    const std::string module = bare_module_name(model, target.layer, target.expert >= 0, prefix), inner = module + ".base_layer";
    // PEFT wraps a module once for each of its parameters: where both are adapted, the first is inside.
    return target.expert >= 0 && target.projection != Projection::down && found.contains(inner) ? inner : module;
  }

  bool is_stacked() const { return target_.bare && target_.expert >= 0; }

  // A [experts · rank, in], and B [out, rank · experts] with the experts' columns in turns; gate's outputs are above up's or, in GPT-OSS,
  // in turns with them. Swapped, A has outputs and B inputs.
  void match_stacked(std::vector<PeftPair>& pairs) {
    const int64_t experts = model_.experts.count, rank = target_.rank, in = target_.inputs(model_), out = target_.outputs(model_), expert = target_.expert;
    const bool both = target_.projection != Projection::down && model_.gated_mlp, turns = both && model_.model_type == "gpt_oss", up = target_.projection == Projection::up;
    const bool swapped = mixture_names(model_).swapped_factors;
    const int64_t all_out = both ? 2 * out : out, first_out = !up || !both ? 0 : turns ? 1 : out;
    const std::string why = "rank " + std::to_string(rank) + " in adapter_config.json, " + std::to_string(experts) + " experts in the base model";
    auto a = take(Part::a, {experts * rank, swapped ? all_out : in}, why), b = take(Part::b, {swapped ? in : all_out, rank * experts}, why);
    if (!good_) return;
    const auto view = [](NamedTensor of, std::vector<int64_t> shape, int64_t first, int64_t row_step, int64_t step) {
      of.view = {of.info, first, row_step, step};
      of.info.bytes = static_cast<uint64_t>(shape[0] * shape[1] * dtype_block_bytes(of.info.dtype));
      of.info.shape = std::move(shape);
      return of;
    };
    const int64_t of_expert = expert * rank, across = rank * experts;
    if (swapped) pairs.push_back({target_, view(*b, {rank, in}, expert, experts, across), view(*a, {out, rank}, of_expert * all_out + first_out, 1, all_out), {}, {}, {}});
    else pairs.push_back({target_, view(*a, {rank, in}, of_expert * in, in, 1), view(*b, {out, rank}, first_out * across + expert, (turns ? 2 : 1) * across, experts), {}, {}, {}});
  }

  bool has(Part part) const { return parts_ != nullptr && (*parts_)[static_cast<size_t>(part)].info != nullptr; }

  std::optional<NamedTensor> take(Part part, const std::vector<int64_t>& shape, const std::string& why) {
    if (!has(part)) {
      const Ending& ending = *std::find_if(kEndings.begin(), kEndings.end(), [&](const Ending& e) { return e.part == part; });
      refuse_target("tensor_missing", std::string(kPrefix) + module_ + std::string(ending.name) + std::string(ending.tail), "no such tensor",
                    "the tensor that adapter_config.json announces");
      return std::nullopt;
    }
    Found& slot = (*parts_)[static_cast<size_t>(part)];
    const Found found = is_stacked() ? slot : std::exchange(slot, {});
    const DType dtype = found.info->dtype;
    if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16)
      refuse_target("tensor_dtype", found.name, "dtype " + found.info->dtype_text, "F32, F16 or BF16");
    if (found.info->shape != shape)
      refuse_target("tensor_shape", found.name, "shape " + shape_text(found.info->shape), shape_text(shape) + " (" + why + ")");
    return NamedTensor{found.name, *found.info, {}};
  }

  void refuse_target(const char* code, const std::string& name, const std::string& found, const std::string& expected) {
    if (!is_stacked() || target_.expert == 0) refuse(problems_, code, name, found, expected);
    good_ = false;
  }

  const LoraTarget& target_;
  const ModelConfig& model_;
  ProblemList& problems_;
  std::string module_;
  FoundParts* parts_ = nullptr;
  bool good_ = true;
};

void refuse_left_over(const std::string& module, const FoundParts& parts, bool is_end, bool head_bias, bool dora, ProblemList& problems) {
  for (size_t i = 0; i < kPartCount; ++i) {
    const Found& tensor = parts[i];
    if (tensor.info == nullptr) continue;
    const auto part = static_cast<Part>(i);
    // Saved along where another adapter of the same model adapted the head or the embedding; PEFT too passes it over.
    if (is_end && (part == Part::base_layer || (part == Part::base_bias && head_bias))) continue;
    if (part == Part::magnitude && !dora)
      refuse(problems, "tensor_unexpected", tensor.name, "a DoRA magnitude", "none: use_dora is not set in adapter_config.json");
    else if (part == Part::base_layer || part == Part::base_bias)
      refuse(problems, "unsupported_tensor", tensor.name, "a base weight", "base weights of adapted embed_tokens and lm_head only");
    else if (part == Part::rows)
      refuse(problems, "tensor_unexpected", tensor.name, "rows of trained tokens", "none: trainable_token_indices does not name them in adapter_config.json");
    else
      refuse(problems, "tensor_unexpected", tensor.name, "a tensor for \"" + module + '"', "only tensors that adapter_config.json announces for the base model");
  }
}

}  // namespace

std::string_view module_prefix(const TensorSource& file) {
  for (const auto& [name, info] : file.tensors())
    for (const std::string_view prefix : kWrappedPrefixes)
      if (name.starts_with(kPrefix) && std::string_view(name).substr(kPrefix.size()).starts_with(prefix)) return prefix;
  return kModulePrefix;
}

bool only_sees_images(const TensorSource& file) {
  return !file.tensors().empty() && std::all_of(file.tensors().begin(), file.tensors().end(), [](const auto& tensor) { return sees_images(tensor.first); });
}

bool adapts_mixtures(const TensorSource& file, bool and_parameters) {
  constexpr std::array<std::string_view, 4> routers = {".mlp.gate.lora_", ".feed_forward.router.lora_", ".block_sparse_moe.gate.lora_", ".router.layer.lora_"};
  return std::any_of(file.tensors().begin(), file.tensors().end(), [&](const auto& tensor) {
    const std::string_view name = tensor.first;
    const size_t expert = name.find(kExpertsInfix);
    if (expert != std::string_view::npos && std::isdigit(static_cast<unsigned char>(name[std::min(expert + kExpertsInfix.size(), name.size() - 1)]))) return true;
    return !and_parameters && std::any_of(routers.begin(), routers.end(), [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
  });
}

std::vector<PeftPair> match_tensors(const TensorSource& file, const std::vector<LoraTarget>& targets, bool dora, std::vector<PeftRows>& rows,
                                    const ModelConfig& model, ProblemList& problems, std::string_view prefix) {
  FoundModules found = collect(file, model.sees_images || prefix != kModulePrefix, problems);
  // Layers that share keys and values had k and v in some versions of Transformers, which never used them.
  for (int32_t layer = model.first_sharing(); layer < model.layers; ++layer)
    for (const Projection p : {Projection::k, Projection::v}) found.erase(module_name(model, layer, p, prefix));
  std::vector<PeftPair> pairs;
  for (const LoraTarget& target : targets) TargetMatcher(target, model, found, problems, prefix).match(dora, pairs);
  for (const LoraTarget& target : targets) TargetMatcher(target, model, found, problems, prefix).drop_stacked();
  std::erase_if(rows, [&](PeftRows& own) {
    const LoraTarget module{-1, own.of_embedding ? Projection::embed_tokens : Projection::lm_head};
    if (auto tensor = TargetMatcher(module, model, found, problems, prefix).match_rows(static_cast<int64_t>(own.tokens.size()))) own.rows = std::move(*tensor);
    return own.rows.name.empty();
  });
  const auto is_end = [&](const std::string& module) {
    return module == module_name(model, -1, Projection::embed_tokens, prefix) || module == module_name(model, -1, Projection::lm_head, prefix);
  };
  for (const auto& [module, parts] : found) refuse_left_over(module, parts, is_end(module), model.head_bias, dora, problems);
  return pairs;
}

}  // namespace sgmv
