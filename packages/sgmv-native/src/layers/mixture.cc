#include "layers/mixture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace sgmv {

size_t ExpertWeights::bytes() const {
  size_t total = router.bytes() + (choice_bias.size() + weight_scales.size() + norm.size() + router_norm.size() + post_dense_norm.size() + post_norm.size()) * sizeof(float);
  for (const std::vector<Linear>* each : {&gate_up, &down})
    for (const Linear& linear : *each) total += linear.bytes();
  return total;
}

Mixture::Mixture(const ModelConfig& config, bool narrow)
    : config_(config.experts), hidden_(config.hidden_size), gate_(config), fused_(narrow), router_(false) {}

void Mixture::reserve(int64_t tokens, ActivationForms forms) {
  const int64_t rows = tokens * config_.per_token;
  choices_.resize(static_cast<size_t>(rows));
  tokens_.resize(static_cast<size_t>(rows));
  weights_.resize(static_cast<size_t>(rows));
  shared_weights_.resize(static_cast<size_t>(tokens));
  scores_.reserve(tokens, config_.count + 1);
  if (config_.chosen_by_worth()) preferences_.reserve(tokens, config_.count);
  rows_.reserve(rows, hidden_, forms);
  gate_up_.reserve(rows, int64_t{2} * config_.size);
  gated_.reserve(rows, config_.size, forms);
}

void Mixture::plan(std::span<const Segment> segments) {
  adapters_.clear();
  adapts_routers_ = false;
  for (const Segment& segment : segments) {
    const auto* adapter = static_cast<const LoraAdapter*>(segment.adapter);
    adapts_routers_ = adapts_routers_ || (adapter != nullptr && adapter->adapts_routers());
    if (adapter == nullptr || !adapter->adapts_experts()) continue;
    adapters_.resize(static_cast<size_t>(segment.token_begin));  // null up to here
    adapters_.resize(static_cast<size_t>(segment.token_end), adapter);
  }
  router_.plan(adapts_routers_ ? segments : std::span<const Segment>());
}

void Mixture::run(CpuDevice& device, int32_t layer, const ExpertWeights& weights, const Activations& x, const Activations& rated, int64_t tokens, Activations& y) {
  const Kernels& kernels = device.kernels();
  rate(device, layer, weights.router, rated, tokens);
  device.pool().parallel_for(tokens, [&](int64_t token, int) { route(kernels, weights, token); });
  sort_rows(tokens);
  plan_runs();
  const auto rows = static_cast<int64_t>(tokens_.size());
  fused_.prepare({layer, ProjectionGroup::gate_up});
  device.pool().parallel_for(rows, [&](int64_t row, int) {
    rows_.copy_row(x, tokens_[static_cast<size_t>(row)], row);
    fused_.shrink_row(kernels, rows_, row);
  });
  multiply(device, weights.gate_up, rows_, gate_up_);
  fused_.prepare({layer, ProjectionGroup::down});
  device.pool().parallel_for(rows, [&](int64_t row, int) {
    float* gate = gate_up_.row(row);
    // The same as if the row had been multiplied before: without biases, the product is linear.
    if (config_.weighs_inputs) kernels.scale(gate, weights_[static_cast<size_t>(row)], int64_t{2} * config_.size);
    gate_.run(kernels, gate, gate + config_.size, config_.size, gated_.row(row));
    gated_.encode(kernels, row);
    fused_.shrink_row(kernels, gated_, row);
  });
  multiply(device, weights.down, gated_, rows_);
  device.pool().parallel_for(tokens, [&](int64_t token, int) { combine(kernels, token, y.row(token)); });
}

void Mixture::rate(CpuDevice& device, int32_t layer, const Linear& router, const Activations& x, int64_t tokens) {
  router_.prepare({layer, ProjectionGroup::router});
  if (adapts_routers_) device.pool().parallel_for(tokens, [&](int64_t token, int) { router_.shrink_row(device.kernels(), x, token); });
  router_.run(device, router, std::nullopt, x, tokens, scores_);
}

// What ratings are worth stands in their place; preferences: what experts are chosen by.
void Mixture::weigh(const Kernels& kernels, const std::vector<float>& choice_bias, float* scores, float* preferences) const {
  const int32_t count = config_.count;
  if (config_.sigmoid) {
    for (int32_t expert = 0; expert < count; ++expert) scores[expert] = 1.0f / (1.0f + std::exp(-scores[expert]));
  } else {
    const float sum = kernels.softmax_numerators(scores, count, kNoSink);
    for (int32_t expert = 0; expert < count; ++expert) scores[expert] /= sum;
  }
  for (int32_t expert = 0; expert < count; ++expert) preferences[expert] = choice_bias.empty() ? scores[expert] : scores[expert] + choice_bias[static_cast<size_t>(expert)];
  if (config_.groups > 1) exclude_groups(preferences);
}

// Of all groups but the best, of equal ones those with the lower numbers.
void Mixture::exclude_groups(float* preferences) const {
  const int32_t size = config_.count / config_.groups;
  std::array<float, kExpertGroupsMax> worth;
  for (int32_t group = 0; group < config_.groups; ++group) {
    const float* own = preferences + group * size;
    float best = own[0], second = size > 1 ? own[1] : 0.0f;
    if (size > 1 && second > best) std::swap(best, second);
    for (int32_t i = 2; i < size; ++i)
      if (own[i] > best) second = std::exchange(best, own[i]);
      else second = std::max(second, own[i]);
    worth[static_cast<size_t>(group)] = config_.groups_by_best ? best : best + second;
  }
  for (int32_t group = 0; group < config_.groups; ++group) {
    int32_t better = 0;
    for (int32_t other = 0; other < config_.groups; ++other) {
      const float its = worth[static_cast<size_t>(other)], own = worth[static_cast<size_t>(group)];
      better += its > own || (its == own && other < group) ? 1 : 0;
    }
    if (better >= config_.groups_per_token) std::fill_n(preferences + group * size, size, -std::numeric_limits<float>::infinity());
  }
}

// The experts that are preferred most, of equal ones those with the lower numbers, and what each counts.
void Mixture::route(const Kernels& kernels, const ExpertWeights& weights, int64_t token) {
  float* scores = scores_.row(token);
  if (config_.shared_gate) shared_weights_[static_cast<size_t>(token)] = 1.0f / (1.0f + std::exp(-scores[config_.count]));
  const bool by_worth = config_.chosen_by_worth();
  float* preferences = by_worth ? preferences_.row(token) : scores;
  if (by_worth) weigh(kernels, weights.choice_bias, scores, preferences);
  Choice* chosen = choices_.data() + token * config_.per_token;
  int32_t count = 0;
  for (int32_t expert = 0; expert < config_.count; ++expert) {
    int32_t at = count;
    while (at > 0 && preferences[expert] > preferences[chosen[at - 1].expert]) --at;
    if (at == config_.per_token) continue;
    count = std::min(count + 1, config_.per_token);
    std::move_backward(chosen + at, chosen + count - 1, chosen + count);
    chosen[at].expert = expert;
  }
  std::sort(chosen, chosen + count, [](const Choice& one, const Choice& other) { return one.expert < other.expert; });
  float sum = by_worth || config_.sigmoid_weights ? 1.0f : kernels.softmax_numerators(scores, config_.count, kNoSink), of_chosen = 0;
  for (int32_t i = 0; i < count; ++i) of_chosen += scores[chosen[i].expert];
  if (config_.normalized) sum = std::max(of_chosen + config_.sum_added, config_.sum_min);
  for (int32_t i = 0; i < count; ++i) {
    const auto expert = static_cast<size_t>(chosen[i].expert);
    const float worth = config_.sigmoid_weights ? 1.0f / (1.0f + std::exp(-scores[expert])) : scores[expert];
    chosen[i].weight = worth / sum * config_.scale;
    if (!weights.weight_scales.empty()) chosen[i].weight *= weights.weight_scales[expert];
  }
}

// By expert, within one by token.
void Mixture::sort_rows(int64_t tokens) {
  begins_.assign(static_cast<size_t>(config_.count) + 1, 0);
  for (const Choice& choice : choices_) ++begins_[static_cast<size_t>(choice.expert) + 1];
  for (size_t expert = 1; expert < begins_.size(); ++expert) begins_[expert] += begins_[expert - 1];
  next_row_.assign(begins_.begin(), begins_.end() - 1);
  for (int64_t token = 0; token < tokens; ++token)
    for (int32_t i = 0; i < config_.per_token; ++i) {
      Choice& choice = choices_[static_cast<size_t>(token * config_.per_token + i)];
      choice.row = next_row_[static_cast<size_t>(choice.expert)]++;
      tokens_[static_cast<size_t>(choice.row)] = static_cast<int32_t>(token);
      weights_[static_cast<size_t>(choice.row)] = choice.weight;
    }
}

// An expert's rows are in the order of their tokens, so those of one adapter are neighbours.
void Mixture::plan_runs() {
  runs_.clear();
  for (int32_t expert = 0; !adapters_.empty() && expert < config_.count; ++expert)
    for (int32_t row = begins_[static_cast<size_t>(expert)]; row < begins_[static_cast<size_t>(expert) + 1]; ++row) {
      const auto token = static_cast<size_t>(tokens_[static_cast<size_t>(row)]);
      const LoraAdapter* adapter = token < adapters_.size() ? adapters_[token] : nullptr;
      if (adapter == nullptr) continue;
      const bool same = !runs_.empty() && runs_.back().end == row && runs_.back().adapter == adapter && runs_.back().expert == expert;
      if (same) ++runs_.back().end;
      else runs_.push_back({row, row + 1, adapter, expert});
    }
  fused_.plan(runs_);
}

void Mixture::multiply(CpuDevice& device, const std::vector<Linear>& experts, const Activations& x, Activations& y) {
  gemms_.clear();
  for (size_t expert = 0; expert < experts.size(); ++expert)
    if (const int32_t begin = begins_[expert], end = begins_[expert + 1]; begin < end)
      gemms_.add({&x, end - begin, &experts[expert].weights, experts[expert].bias_data(), y.row(0), y.stride(), begin});
  fused_.run(device, gemms_, std::nullopt);
}

void Mixture::combine(const Kernels& kernels, int64_t token, float* y) {
  if (config_.shared_gate) kernels.scale(y, shared_weights_[static_cast<size_t>(token)], hidden_);
  else if (!config_.shared) std::fill_n(y, hidden_, 0.0f);
  const Choice* chosen = choices_.data() + token * config_.per_token;
  for (int32_t i = 0; i < config_.per_token; ++i) {
    float* row = rows_.row(chosen[i].row);
    if (!config_.weighs_inputs) kernels.scale(row, chosen[i].weight, hidden_);
    kernels.add(y, row, hidden_);
  }
}

}  // namespace sgmv
