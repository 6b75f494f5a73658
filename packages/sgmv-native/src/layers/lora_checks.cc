#include "layers/lora_checks.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "sgmv/error.h"

namespace sgmv {

void refuse_if_any(ProblemList& problems) {
  if (problems.empty()) return;
  const std::vector<AdapterProblem> list = problems.take();
  const std::string more = list.size() > 1 ? " (and " + std::to_string(list.size() - 1) + " more)" : "";
  throw Error("adapter_refused", list[0].message + more);
}

std::vector<float> widened(const std::vector<std::byte>& data, DType dtype) {
  std::vector<float> wide(data.size() / static_cast<size_t>(dtype_block_bytes(dtype)));
  dequantize(dtype, data.data(), static_cast<int64_t>(wide.size()), wide.data());
  return wide;
}

namespace {

float largest_of(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

float rounding_of(DType dtype) { return dtype == DType::f32 ? 0.0f : dtype == DType::f16 ? 0x1p-11f : 0x1p-8f; }

void check_base_bias(const NamedTensor& bias, const PeftAdapter& source, const BaseRows& base, ProblemList& problems) {
  const std::vector<float> stored = widened(source.read_checked(bias, problems), bias.info.dtype), own = base.head_bias();
  for (size_t i = 0; i < own.size(); ++i)
    if (!(std::abs(stored[i] - own[i]) <= std::abs(own[i]) * rounding_of(bias.info.dtype)))
      return problems.add("base_mismatch", kAdapterWeightsFile, bias.name, "another value at " + std::to_string(i), "the base model's own bias, or no such tensor");
}

}  // namespace

bool may_be_row(std::span<const float> values, std::span<const float> own, DType stored, float tolerance) {
  const double step = double{dtype_step(stored)}, allowed = largest_of(values) * tolerance;
  const auto block = static_cast<size_t>(dtype_block(stored));
  double steps = 0, differences = 0, squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double difference = std::abs(double{values[i]} - own[i]);
    if (step == 0 && !(difference <= allowed)) return false;
    differences += difference * difference;
    squares += double{values[i]} * values[i];
    if (i % block == 0) steps += static_cast<double>(block) * std::pow(step * largest_of(values.subspan(i, block)), 2);
  }
  return step == 0 || std::sqrt(differences) <= std::sqrt(std::min(steps, squares / 2)) + std::sqrt(static_cast<double>(values.size())) * allowed;
}

std::vector<int32_t> sort_rows(const PeftRows& rows, int64_t width, std::span<const float> values, float* to) {
  std::vector<int32_t> sorted = rows.tokens;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    const auto place = std::lower_bound(sorted.begin(), sorted.end(), rows.tokens[i]) - sorted.begin();
    std::copy_n(values.data() + static_cast<int64_t>(i) * width, width, to + place * width);
  }
  return sorted;
}

void check_base_layer(const PeftPair& pair, const PeftAdapter& source, const BaseRows& base, ProblemList& problems) {
  if (pair.base_bias) check_base_bias(*pair.base_bias, source, base, problems);
  if (!pair.base_layer) return;
  const TensorInfo& info = pair.base_layer->info;
  const std::vector<float> stored = widened(source.read_checked(*pair.base_layer, problems), info.dtype);
  const float rounding = rounding_of(info.dtype);
  const auto width = static_cast<size_t>(info.shape[1]);
  std::vector<float> own(width);
  for (int64_t row = 0; row < info.shape[0]; ++row) {
    base.copy_row(pair.target, row, own.data());
    const std::span<const float> values = std::span(stored).subspan(static_cast<size_t>(row) * width, width);
    if (!may_be_row(values, own, base.stored_type(pair.target), base.tolerance(pair.target) + rounding))
      return problems.add("base_mismatch", kAdapterWeightsFile, pair.base_layer->name, "other values from row " + std::to_string(row) + " on",
                          "the base model's own weights, or no such tensor");
  }
}

}  // namespace sgmv
