// The device's part of layers with experts, and room for it.
#include "models/decoder_cuda.h"

namespace sgmv::cuda {

bool DecoderCuda::reserve_experts(const Shape& shape) {
  const Routing routing = routing_of(shape, 0);
  const auto count = [](int64_t rows, int64_t numbers) { return static_cast<size_t>(rows * numbers); };
  const int64_t tokens = routing.tokens, rows = routing.rows(), hidden = config_.hidden_size, expert = config_.experts.size, size = static_cast<int64_t>(number_bytes(type_));
  Experts& e = experts_;
  bool moved = grow_zeroed(e.inputs, count(tokens, padded(hidden)));
  moved |= grow(e.scores, count(tokens, routing.rated()));
  moved |= grow(e.weights, count(rows, 1));
  moved |= grow(e.shared_weights, count(tokens, 1));
  moved |= grow(e.chosen, count(rows, 1));
  moved |= grow(e.counts, count(routing.experts, 1));
  moved |= grow(e.row_of_choice, count(rows, 1));
  moved |= grow(e.choice_of_row, count(rows, 1));
  if (config_.experts.biased) moved |= grow(e.expert_of_row, count(rows, 1));
  if (config_.experts.weighs_inputs) moved |= grow(e.weight_of_row, count(rows, 1));
  moved |= grow(e.totals, 2);
  moved |= grow(e.tiles, count(routing.tiles_max(), 1));
  moved |= grow_zeroed(e.rows, count(rows, padded(hidden) * size));
  moved |= grow_zeroed(e.gated, count(rows, padded(expert) * size));
  moved |= grow(e.products, count(rows, std::max(2 * expert, hidden)));
  if (!shape.expert_lora) return moved;
  moved |= grow(e.factors, count(rows, 1));
  return grow(e.lora_tiles, count(rows, 1)) || moved;
}

Routing DecoderCuda::routing_of(const Shape& shape, int32_t layer) const {
  const ExpertsConfig& config = config_.experts;
  Routing routing;
  routing.tokens = shape.tokens;
  routing.experts = config.count;
  routing.per_token = config.per_token;
  routing.normalized = config.normalized;
  routing.shared = config.shared;
  routing.shared_gate = config.shared_gate;
  routing.by_worth = config.chosen_by_worth();
  routing.sigmoid = config.sigmoid;
  routing.sigmoid_weights = config.sigmoid_weights;
  routing.weighs_inputs = config.weighs_inputs;
  routing.choice_bias = weights_.layers[static_cast<size_t>(layer)].experts.choice_bias.data();
  routing.groups = config.groups;
  routing.groups_per_token = config.groups_per_token;
  routing.groups_by_best = config.groups_by_best;
  routing.scale = config.scale;
  routing.sum_min = config.sum_min;
  routing.sum_added = config.sum_added;
  routing.weight_scales = weights_.layers[static_cast<size_t>(layer)].experts.weight_scales.data();
  routing.tile_rows = expert_tile_rows(type_, routing.rows(), config.count);
  routing.scores = experts_.scores.data();
  routing.chosen = experts_.chosen.data();
  routing.weights = experts_.weights.data();
  routing.shared_weights = experts_.shared_weights.data();
  routing.counts = experts_.counts.data();
  routing.row_of_choice = experts_.row_of_choice.data();
  routing.choice_of_row = experts_.choice_of_row.data();
  routing.expert_of_row = experts_.expert_of_row.data();
  routing.weight_of_row = experts_.weight_of_row.data();
  routing.totals = experts_.totals.data();
  routing.tiles = experts_.tiles.data();
  return routing;
}

// From normed_, and what it was before it was rounded, to delta_; with a shared expert, whose output delta_ is, added to it.
void DecoderCuda::issue_experts(const Shape& shape, int32_t index) {
  const StepArrays& in = inputs_.device();
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(index)];
  const Stream& stream = context_->compute;
  Routing routing = routing_of(shape, index);
  routing.biases = layer.experts.router_bias.data();
  rate_experts(stream, routing, experts_.inputs.data(), layer.experts.router.weights);
  if (shape.router_lora) adapt_scores(stream, routing, experts_.inputs.data(), config_.hidden_size, in.router_factors, index);
  choose_experts(stream, routing, in.slots);
  sort_expert_rows(stream, routing);
  gather_expert_rows(stream, routing, type_, normed_.data(), config_.hidden_size, experts_.rows.data(), shape.expert_lora ? in.expert_factors : nullptr, experts_.factors.data());
  if (shape.expert_lora) plan_lora_tiles(stream, experts_.factors.data(), routing.rows(), experts_.lora_tiles.data(), lora_tile_counts_.data() + 2);
  experts_product(shape, routing, expert_gate_up_group(index), layer.experts.gate_up, experts_.rows.data());
  activate(experts_.products.data(), layer.experts.gate_up_bias.data(), routing.rows(), config_.experts.size, experts_.gated.data(), routing.expert_of_row, routing.weight_of_row);
  experts_product(shape, routing, expert_down_group(index), layer.experts.down, experts_.gated.data());
  add_experts(stream, routing, experts_.products.data(), config_.hidden_size, layer.experts.down_bias.data(), routing.shared ? layer.down.bias.data() : nullptr, delta_.data());
}

// From hidden_ and what the MLP gave, mlp_delta_, to delta_: what both give, each normed.
void DecoderCuda::issue_experts_apart(const Shape& shape, int32_t index) {
  const ExpertWeightsCuda& experts = weights_.layers[static_cast<size_t>(index)].experts;
  add_and_normalize(shape, nullptr, nullptr, experts.router_norm, experts_.inputs.data());
  add_and_normalize(shape, nullptr, nullptr, experts.norm);
  issue_experts(shape, index);
  add_normed(context_->compute, {mlp_delta_.data(), experts.post_dense_norm.data(), experts.post_norm.data(), config_.rms_norm_eps, shape.tokens, config_.hidden_size, delta_.data()});
}

void DecoderCuda::experts_product(const Shape& shape, const Routing& routing, const LoraGroup& group, const Matrix& matrix, const void* x) {
  const int32_t rows = routing.rows();
  const LinearWork work{type_, x, padded(matrix.weights.in), rows, &matrix.weights, experts_.products.data(), matrix.weights.out};
  const LoraStep lora{type_, experts_.lora_tiles.data(), lora_tile_counts_.data() + 2, rows, rows, shape.rank_max, lora_format_};
  with_lora(shape.expert_lora ? &lora : nullptr, group, work, [&] { linear_of_experts(context_->compute, routing, work); });
}

LoraGroup DecoderCuda::expert_gate_up_group(int32_t layer) const {
  const int32_t first = layer * config_.experts.count * kFactorsPerExpert, size = config_.experts.size;
  LoraGroup group;
  group.in = config_.hidden_size;
  if (config_.gated_mlp) group.parts[group.part_count++] = {first + factor_of_expert(Projection::gate), size, 0};
  group.parts[group.part_count++] = {first + factor_of_expert(Projection::up), size, config_.gated_mlp ? size : 0};
  return group;
}

LoraGroup DecoderCuda::expert_down_group(int32_t layer) const {
  LoraGroup group;
  group.in = config_.experts.size;
  group.parts[group.part_count++] = {layer * config_.experts.count * kFactorsPerExpert + factor_of_expert(Projection::down), config_.hidden_size, 0};
  return group;
}

}  // namespace sgmv::cuda
