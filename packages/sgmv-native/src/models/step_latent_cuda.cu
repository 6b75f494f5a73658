// The device's part of latent attention, and room for it.
#include "models/decoder_cuda.h"

#include <array>

namespace sgmv::cuda {

bool DecoderCuda::reserve_latent(const Shape& shape) {
  const LatentConfig& latent = config_.latent;
  const Routing heads = heads_of(shape);
  const auto count = [](int64_t rows, int64_t numbers) { return static_cast<size_t>(rows * numbers); };
  const int64_t tokens = shape.tokens, rows = heads.rows(), size = static_cast<int64_t>(number_bytes(type_));
  bool moved = grow(latent_.first, count(tokens, config_.latent_width()));
  moved |= grow(latent_.products, count(rows, std::max(latent.kv_rank, latent.value_dim)));
  moved |= grow_zeroed(latent_.unrotated, count(rows, padded(latent.nope_dim) * size));
  moved |= grow_zeroed(latent_.attended, count(rows, padded(latent.kv_rank) * size));
  moved |= grow(latent_.totals, 2);
  moved |= grow(latent_.tiles, count(heads.tiles_max(), 1));
  if (latent.q_rank > 0) {
    moved |= grow(latent_.q, count(tokens, config_.q_width(0)));
    moved |= grow_zeroed(latent_.q_normed, count(tokens, padded(latent.q_rank) * size));
  }
  if (!shape.kv_b_lora) return moved;
  moved |= grow(latent_.factors, count(rows, 1));
  return grow(latent_.lora_tiles, count(rows, 1)) || moved;
}

// Heads as experts that all tokens pass.
Routing DecoderCuda::heads_of(const Shape& shape) const {
  Routing heads;
  heads.tokens = shape.tokens;
  heads.experts = heads.per_token = config_.heads;
  heads.tile_rows = expert_tile_rows(type_, heads.rows(), config_.heads);
  heads.totals = latent_.totals.data();
  heads.tiles = latent_.tiles.data();
  return heads;
}

// The same for all layers of a step.
void DecoderCuda::plan_latent(const Shape& shape) {
  const Routing heads = heads_of(shape);
  plan_heads(context_->compute, heads, shape.kv_b_lora ? inputs_.device().kv_b_factors : nullptr, latent_.factors.data());
  if (shape.kv_b_lora) plan_lora_tiles(context_->compute, latent_.factors.data(), heads.rows(), latent_.lora_tiles.data(), lora_tile_counts_.data() + 3);
}

// From normed_ to attended_.
void DecoderCuda::issue_latent(const Shape& shape, const CudaKvCache& cache, int32_t index) {
  const StepArrays& in = inputs_.device();
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(index)];
  const Stream& stream = context_->compute;
  const LatentConfig& latent = config_.latent;
  project(shape, qkv_group(index), layer.qkv.matrix, normed_.data(), latent_.first.data());
  LatentNorms norms;
  norms.from = {latent_.first.data(), layer.qkv.bias.data(), latent, config_.latent_q_width(), shape.tokens};
  norms.rope = {rope_.rows.data(), long_rope_ ? long_rope_->rows.data() : nullptr, in.long_context, in.positions, config_.rope.interleaved};
  norms.q_norm = layer.q_a_norm.data();
  norms.kv_norm = layer.kv_a_norm.data();
  norms.q = latent_.q_normed.data();
  norms.slots = in.slots;
  norms.cache = cache.layer(config_.kv_index(index));
  norm_latents(stream, norms);
  if (latent.q_rank > 0) project(shape, lora_group(index, std::array{Projection::q_b}), layer.q_b.matrix, latent_.q_normed.data(), latent_.q.data());

  const LoraGroup of_keys = key_up_group(index);
  const LatentQueries queries{norms.from, norms.rope, type_, latent.q_rank > 0 ? latent_.q.data() : nullptr, config_.heads};
  part_queries(stream, queries, shape.kv_b_lora ? in.kv_b_factors : nullptr, of_keys.parts[0].factor, latent_.unrotated.data());
  heads_product(shape, of_keys, layer.key_up, latent_.unrotated.data());
  place_queries(stream, queries, latent_.products.data(), {config_.attention_scale, config_.query_growth, config_.query_growth_span}, q_.data());

  AttentionWork work = attention_work(shape, norms.cache);
  work.out = latent_.attended.data();
  work.token_stride = padded(latent.kv_rank);
  work.head_stride = work.token_stride * shape.tokens;
  attention(stream, work);
  heads_product(shape, value_up_group(index), layer.value_up, latent_.attended.data());
  join_heads(stream, type_, latent_.products.data(), shape.tokens, config_.heads, latent.value_dim, attended_.data());
}

// Rows of heads, x, to latent_.products.
void DecoderCuda::heads_product(const Shape& shape, const LoraGroup& group, const Matrix& matrix, const void* x) {
  const Routing heads = heads_of(shape);
  const int32_t rows = heads.rows();
  const LinearWork work{type_, x, padded(matrix.weights.in), rows, &matrix.weights, latent_.products.data(), matrix.weights.out};
  const LoraStep lora{type_, latent_.lora_tiles.data(), lora_tile_counts_.data() + 3, rows, rows, shape.rank_max, lora_format_};
  with_lora(shape.kv_b_lora ? &lora : nullptr, group, work, [&] { linear_of_experts(context_->compute, heads, work); });
}

LoraGroup DecoderCuda::key_up_group(int32_t layer) const {
  LoraGroup group;
  group.in = config_.latent.nope_dim;
  group.parts[group.part_count++] = {layer * config_.heads * kFactorsPerHead, config_.latent.kv_rank, 0};
  return group;
}

LoraGroup DecoderCuda::value_up_group(int32_t layer) const {
  LoraGroup group;
  group.in = config_.latent.kv_rank;
  group.parts[group.part_count++] = {layer * config_.heads * kFactorsPerHead + 1, config_.latent.value_dim, 0};
  return group;
}

}  // namespace sgmv::cuda
