#include "formats/peft_adapter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "formats/format_error.h"
#include "formats/peft_rows.h"
#include "sgmv/error.h"
#include "sgmv/ops.h"

namespace sgmv {
namespace {

constexpr uint64_t kConfigBytesMax = 1 << 20;
constexpr size_t kMatricesKept = 4;  // two of gate and up, two of down: experts take theirs in turns

LoraType lora_type(DType dtype) {
  return dtype == DType::f32 ? LoraType::f32 : dtype == DType::f16 ? LoraType::f16 : LoraType::bf16;
}

// PEFT knows activated LoRA of plain linear modules that see rows by sequence.
void check_invocation(const PeftConfig& config, const std::vector<LoraTarget>& targets, const ModelConfig& model, ProblemList& problems) {
  if (config.invocation_tokens.empty()) return;
  for (size_t i = 0; i < config.invocation_tokens.size(); ++i)
    if (const int32_t token = config.invocation_tokens[i]; token >= model.vocab_size)
      problems.add("token_out_of_range", kAdapterConfigFile, "alora_invocation_tokens[" + std::to_string(i) + "]", std::to_string(token), "a token below " + std::to_string(model.vocab_size));
  const auto odd = std::find_if(targets.begin(), targets.end(), [](const LoraTarget& target) {
    return target.projection == Projection::embed_tokens || target.bare || target.expert >= 0 || is_of_router(target.projection);
  });
  if (odd != targets.end())
    problems.add("conflicting_fields", kAdapterConfigFile, "alora_invocation_tokens", "tokens beside an adapted " + std::string(module_leaf(model, odd->projection, odd->expert)),
                 "null: PEFT has no activated LoRA of embeddings, routers and experts");
}

AdapterSummary summarize(const PeftAdapter& adapter, const ModelConfig& model) {
  AdapterSummary summary;
  std::map<Projection, std::string> projections;
  std::set<int32_t> layers;
  std::set<std::string> dtypes;
  summary.rslora = adapter.config().rslora;
  summary.dora = adapter.config().dora;
  summary.invocation_tokens = adapter.config().invocation_tokens;
  for (const PeftPair& pair : adapter.pairs()) {
    if (pair.again) continue;
    const int32_t rank = pair.target.rank;
    summary.rank_min = summary.rank_min == 0 ? rank : std::min(summary.rank_min, rank);
    summary.rank_max = std::max(summary.rank_max, rank);
    projections.emplace(pair.target.projection, module_leaf(model, pair.target.projection, pair.target.expert));
    if (pair.target.layer >= 0) layers.insert(pair.target.layer);
    for (const NamedTensor* tensor : {&pair.a, &pair.b, pair.magnitude ? &*pair.magnitude : nullptr}) {
      if (tensor == nullptr) continue;
      dtypes.insert(dtype_name(tensor->info.dtype));
      if (!(pair.target.bare && pair.target.projection == Projection::up && tensor == &pair.a)) summary.parameters += tensor->info.elements();  // it is gate's too
    }
    const TensorInfo &a = pair.a.info, &b = pair.b.info;
    // An embedding's A is read by column, one per token: it is kept transposed, without padding.
    const bool embedding = pair.target.projection == Projection::embed_tokens;
    summary.resident_bytes += embedding ? a.bytes : packed_lora_a_bytes(lora_type(a.dtype), rank, a.shape[1]);
    summary.resident_bytes += packed_lora_b_bytes(lora_type(b.dtype), rank, b.shape[0]);
    if (pair.magnitude) summary.resident_bytes += sizeof(float) * static_cast<size_t>(b.shape[0]);
  }
  for (const PeftRows& rows : adapter.rows()) {
    dtypes.insert(dtype_name(rows.rows.info.dtype));
    summary.parameters += rows.rows.info.elements();
    summary.trained_tokens = std::max(summary.trained_tokens, static_cast<int32_t>(rows.tokens.size()));
    summary.resident_bytes += rows.tokens.size() * static_cast<size_t>(model.hidden_size) * sizeof(float);
  }
  for (const auto& [projection, name] : projections) summary.target_modules.push_back(name);
  for (const std::string& dtype : dtypes) summary.dtype += (summary.dtype.empty() ? "" : "+") + dtype;
  summary.layers = static_cast<int32_t>(layers.size());
  return summary;
}

// The largest of half precision: all types that adapters are kept in hold it, so that one which is taken can be loaded by any
// engine.
constexpr float kMagnitudeMax = 65504.0f;

// Index of the first value that is larger; -1: there is none.
int64_t first_beyond(const TensorInfo& info, const std::vector<std::byte>& data) {
  constexpr int64_t kChunk = 1024;
  float values[kChunk];
  const int64_t count = info.elements();
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    const int64_t chunk = std::min(kChunk, count - begin);
    dequantize(info.dtype, data.data() + begin * dtype_block_bytes(info.dtype), chunk, values);
    for (int64_t i = 0; i < chunk; ++i)
      if (std::abs(values[i]) > kMagnitudeMax) return begin + i;
  }
  return -1;
}

}  // namespace

PeftAdapter::PeftAdapter(const std::filesystem::path& folder, const ModelConfig& model, ProblemList& problems) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) throw Error("adapter_not_found", folder.string() + ": is not a folder");
  open_config(folder, problems);
  const bool config_good = problems.empty();
  ProblemList of_weights;
  open_weights(folder, of_weights);
  if (file_ != nullptr && only_sees_images(*file_)) {
    problems.add("no_targets", kAdapterWeightsFile, "", "only modules that see images, such as " + file_->tensors().begin()->first,
                 "at least one projection of the language model: text reaches none of these");
    return;
  }
  const std::string_view prefix = file_ == nullptr ? kModulePrefix : module_prefix(*file_);
  std::vector<LoraTarget> targets;
  if (config_good) targets = resolve_targets(config_, model, problems, prefix, file_ != nullptr && adapts_mixtures(*file_, !config_.parameters.empty()));
  check_invocation(config_, targets, model, problems);
  if (config_good) rows_ = resolve_rows(config_, model, targets, prefix, problems);
  problems.append(of_weights);
  // Without sound targets every tensor would look out of place; its own problems are enough.
  if (targets.empty() || file_ == nullptr) rows_.clear();
  else pairs_ = match_tensors(*file_, targets, config_.dora, rows_, model, problems, prefix);
  readable_ = config_good && !pairs_.empty();
  adapt_values(model);
}

// Where values are keys, what adapts k adapts v.
void PeftAdapter::adapt_values(const ModelConfig& model) {
  std::vector<PeftPair> all;
  for (PeftPair& pair : pairs_) {
    all.push_back(std::move(pair));
    const LoraTarget& target = all.back().target;
    if (target.projection != Projection::k || !model.values_are_keys(target.layer)) continue;
    PeftPair& values = all.emplace_back(all.back());
    values.target.projection = Projection::v;
    values.again = true;
  }
  pairs_ = std::move(all);
}

void PeftAdapter::open_config(const std::filesystem::path& folder, ProblemList& problems) {
  const std::filesystem::path path = folder / kAdapterConfigFile;
  if (!file_exists(path)) {
    problems.add("missing_file", kAdapterConfigFile, "", "no such file", "PEFT's adapter configuration");
    return;
  }
  try {
    config_ = parse_peft_config(json::parse(read_text_file(path, kConfigBytesMax)), problems);
  } catch (const Error& error) {
    problems.add("unreadable_file", kAdapterConfigFile, "", "a file that cannot be read", "a JSON file of at most 1 MiB");
  } catch (const std::runtime_error& error) {
    problems.add("bad_json", kAdapterConfigFile, "", std::string("bad JSON ") + error.what(), "a JSON object");
  }
}

void PeftAdapter::open_weights(const std::filesystem::path& folder, ProblemList& problems) {
  const std::filesystem::path path = folder / kAdapterWeightsFile;
  if (!file_exists(path)) {
    const bool pickle = file_exists(folder / "adapter_model.bin");
    problems.add("missing_file", kAdapterWeightsFile, "", pickle ? "only adapter_model.bin" : "no such file",
                 pickle ? "safetensors: a pickle file can run code and is never opened" : "PEFT's adapter weights");
    return;
  }
  try {
    file_ = std::make_unique<SafetensorsFile>(path);
  } catch (const FormatError& error) {
    problems.add(error.code, kAdapterWeightsFile, error.path, error.found, error.expected);
  } catch (const Error& error) {
    problems.add("unreadable_file", kAdapterWeightsFile, "", "a file that cannot be read", "a safetensors file");
  }
}

std::vector<std::byte> PeftAdapter::read_view(const NamedTensor& tensor) const {
  const NamedTensor::View& view = tensor.view;
  if (!matrices_.contains(view.matrix.offset)) {
    if (matrices_.size() >= kMatricesKept) matrices_.clear();
    matrices_[view.matrix.offset] = file_->read(view.matrix);
  }
  const std::vector<std::byte>& matrix = matrices_[view.matrix.offset];
  const int64_t size = dtype_block_bytes(tensor.info.dtype), rows = tensor.info.shape[0], width = tensor.info.shape[1];
  std::vector<std::byte> taken(tensor.info.bytes);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < width; ++i)
      std::memcpy(taken.data() + (row * width + i) * size, matrix.data() + (view.first + row * view.row_step + i * view.step) * size, static_cast<size_t>(size));
  return taken;
}

std::vector<std::byte> PeftAdapter::read_checked(const NamedTensor& tensor, ProblemList& problems) const {
  std::vector<std::byte> data = tensor.view.row_step > 0 ? read_view(tensor) : file_->read(tensor.info);
  const int64_t bad = first_not_finite(tensor.info.dtype, data.data(), tensor.info.elements());
  if (bad >= 0) {
    problems.add("not_finite", kAdapterWeightsFile, tensor.name, "NaN or infinity at element " + std::to_string(bad), "finite numbers");
  } else if (const int64_t beyond = first_beyond(tensor.info, data); beyond >= 0) {
    problems.add("out_of_range", kAdapterWeightsFile, tensor.name, "a magnitude above 65504 at element " + std::to_string(beyond), "values within ±65504");
  }
  return data;
}

AdapterReport inspect_adapter(const std::filesystem::path& folder, const ModelConfig& config) {
  ProblemList problems;
  AdapterReport report;
  const PeftAdapter adapter(folder, config, problems);
  try {
    for (const PeftRows& rows : adapter.rows()) adapter.read_checked(rows.rows, problems);
    for (const PeftPair& pair : adapter.pairs()) {
      adapter.read_checked(pair.a, problems);
      adapter.read_checked(pair.b, problems);
      if (pair.magnitude) adapter.read_checked(*pair.magnitude, problems);
    }
  } catch (const Error&) {
    problems.add("truncated_file", kAdapterWeightsFile, "", "a file that ends early", "all of its tensors");
  }
  report.has_summary = adapter.readable();
  if (report.has_summary) report.summary = summarize(adapter, config);
  report.problems = problems.take();
  return report;
}

}  // namespace sgmv
