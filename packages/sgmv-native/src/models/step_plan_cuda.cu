// The host's part of a step: which launches make it, room for them, and what they read.
#include <algorithm>
#include <array>
#include <bit>

#include "models/batch_check.h"
#include "models/decoder_cuda.h"
#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

constexpr int32_t kGraphTokensMax = 256;   // larger steps are bound by their work, not by its launches
constexpr int32_t kPositionsLeast = 256;   // of a recorded step's attention
constexpr int32_t kRankLeast = 16;
constexpr int64_t kRopePositionsFirst = 4096;

// Sizes that steps are filled up to: few enough to record them all, close enough to waste little.
int32_t filled(int32_t tokens) {
  if (tokens <= 8) return static_cast<int32_t>(std::bit_ceil(static_cast<uint32_t>(tokens)));
  const int32_t step = tokens <= 64 ? 8 : 32;
  return (tokens + step - 1) / step * step;
}

int32_t power_of_two(int32_t n, int32_t least) { return std::max(least, static_cast<int32_t>(std::bit_ceil(static_cast<uint32_t>(n)))); }

const LoraAdapterCuda* adapter_of(const Segment& segment) { return static_cast<const LoraAdapterCuda*>(segment.adapter); }

// `adapter`: that of tokens [begin, end), or null.
void adapt_tokens(const StepArrays& in, int32_t begin, int32_t end, const LoraAdapterCuda* adapter) {
  std::fill(in.factors + begin, in.factors + end, adapter == nullptr ? nullptr : adapter->factors());
  std::fill(in.router_factors + begin, in.router_factors + end, adapter == nullptr ? nullptr : adapter->router_factors());
  std::fill(in.expert_factors + begin, in.expert_factors + end, adapter == nullptr ? nullptr : adapter->expert_factors());
  std::fill(in.kv_b_factors + begin, in.kv_b_factors + end, adapter == nullptr ? nullptr : adapter->kv_b_factors());
  std::fill(in.embeddings + begin, in.embeddings + end, adapter == nullptr ? nullptr : adapter->embedding());
}

int32_t positions_end(const SequenceSlice& sequence) { return sequence.position_begin + sequence.token_count; }

}  // namespace

void DecoderCuda::check_step(const Batch& batch, const CudaKvCache& cache, int32_t draws_before) const {
  if (!cache.fits(config_, type_)) throw Error("bad_argument", "cache: found one of another model");
  const auto is_own = [this](const Adapter& any) {
    const auto* adapter = dynamic_cast<const LoraAdapterCuda*>(&any);
    return adapter != nullptr && adapter->fits(*context_, config_);
  };
  check_batch(batch, config_, cache, is_own, draws_before);
}

DecoderCuda::Shape DecoderCuda::shape_of(const Batch& batch, const CudaKvCache& cache) const {
  Shape shape;
  shape.tokens = static_cast<int32_t>(batch.tokens.size());
  shape.rows = static_cast<int32_t>(batch.draws.size() + batch.logit_rows.size());
  shape.draws = !batch.draws.empty();
  const int32_t tile_tokens = attention_tile_tokens(config_.heads_per_kv_max());
  bool decode = shape.tokens <= kGraphTokensMax && shape.rows == shape.tokens;
  for (const SequenceSlice& sequence : batch.sequences) {
    decode = decode && sequence.token_count == 1;
    shape.tiles += (sequence.token_count + tile_tokens - 1) / tile_tokens;
    shape.positions_max = std::max(shape.positions_max, positions_end(sequence));
  }
  if (config_.state_layers() > 0) shape.slices = static_cast<int32_t>(batch.sequences.size());
  add_adapters(batch, shape);
  if (!decode) return shape;
  shape.tokens = shape.tiles = shape.rows = filled(shape.tokens);
  if (shape.slices > 0) shape.slices = shape.tokens;
  shape.positions_max = power_of_two(shape.positions_max, kPositionsLeast);
  shape.cache_id = cache.id();
  return shape;
}

void DecoderCuda::add_adapters(const Batch& batch, Shape& shape) const {
  int32_t rank = 0;
  for (const Segment& segment : batch.segments) {
    if (segment.adapter == nullptr || segment.token_begin == segment.token_end) continue;
    rank = std::max(rank, adapter_of(segment)->rank_max());
    shape.embedding_lora = shape.embedding_lora || adapter_of(segment)->embedding() != nullptr;
    shape.router_lora = shape.router_lora || adapter_of(segment)->router_factors() != nullptr;
    shape.expert_lora = shape.expert_lora || adapter_of(segment)->expert_factors() != nullptr;
    shape.kv_b_lora = shape.kv_b_lora || adapter_of(segment)->kv_b_factors() != nullptr;
    shape.head_lora = shape.head_lora || adapter_of(segment)->has_head();
    shape.head_rows = shape.head_rows || adapter_of(segment)->has_head_rows();
  }
  if (rank > 0) shape.rank_max = power_of_two(rank, kRankLeast);
}

bool DecoderCuda::Rope::reserve(const Stream& stream, int64_t wanted) {
  if (wanted <= positions) return false;
  stream.synchronize();
  const int64_t more = std::max({wanted, 2 * positions, kRopePositionsFirst});
  positions = 0;  // until all are there
  table.reserve(more);
  rows = DeviceArray<float>(static_cast<size_t>(more * 2 * table.half()));
  check(cudaMemcpyAsync(rows.data(), table.cosines(0), rows.bytes(), cudaMemcpyHostToDevice, stream), "copying rotary tables to the device");
  stream.synchronize();
  positions = more;
  return true;
}

void DecoderCuda::reserve(const Shape& shape, int64_t table_entries) {
  const Stream& stream = context_->compute;
  bool moved = inputs_.reserve(stream, shape.tokens, shape.rows, table_entries);
  moved |= reserve_activations(shape);
  if (config_.experts.count > 0) moved |= reserve_experts(shape);
  if (config_.is_latent()) moved |= reserve_latent(shape);
  if (shape.rank_max > 0) moved |= reserve_adapters(shape);
  moved |= rope_.reserve(stream, shape.positions_max);
  if (sliding_rope_) moved |= sliding_rope_->reserve(stream, shape.positions_max);
  if (long_rope_) moved |= long_rope_->reserve(stream, shape.positions_max);
  if (moved) graphs_.clear();
}

void DecoderCuda::reserve_steps(int32_t tokens, int32_t rows) {
  context_->use();
  Shape shape;
  shape.rows = filled(rows);
  shape.tokens = std::max(tokens, shape.rows);
  shape.positions_max = config_.max_positions;
  shape.draws = shape.expert_lora = shape.kv_b_lora = true;
  bool moved = reserve_activations(shape);
  if (config_.experts.count > 0) moved |= reserve_experts(shape);
  if (config_.is_latent()) moved |= reserve_latent(shape);
  if (moved) graphs_.clear();
}

bool DecoderCuda::reserve_activations(const Shape& shape) {
  const auto count = [](int64_t rows, int64_t numbers) { return static_cast<size_t>(rows * numbers); };
  const int64_t tokens = shape.tokens, rows = shape.rows, hidden = config_.hidden_size, dim = config_.head_dim_max(), size = static_cast<int64_t>(number_bytes(type_));
  bool moved = false;
  moved |= grow_zeroed(normed_, count(tokens, padded(hidden) * size));
  moved |= grow_zeroed(q_, count(tokens, config_.heads * padded(dim) * size));
  moved |= grow_zeroed(attended_, count(tokens, padded(config_.is_latent() ? config_.attended_width(0) : config_.heads * dim) * size));
  moved |= grow_zeroed(last_, count(rows, padded(hidden) * size));
  moved |= grow(hidden_, count(tokens, hidden));
  moved |= grow(delta_, count(tokens, hidden));
  if (config_.experts.apart) moved |= grow(mlp_delta_, count(tokens, hidden));
  if (config_.parallel_mlp || config_.has_both(0)) moved |= grow(beside_, count(tokens, hidden));
  const bool states = config_.state_layers() > 0;
  if (!config_.is_latent()) moved |= grow(qkv_, count(tokens, std::max<int64_t>(config_.qkv_width_max(), states ? config_.linear.width() : 0)));
  if (states) moved |= grow_zeroed(state_out_, count(tokens, padded(config_.linear.values()) * size));
  if (states && config_.linear.has_matrices()) {
    moved |= grow(mixed_, count(tokens, config_.linear.conv_width()));
    moved |= grow(state_gates_, count(tokens, 2 * config_.linear.value_heads));
    moved |= grow(state_read_, count(tokens, config_.linear.values()));
  }
  const int64_t per_token = config_.per_token.size;
  moved |= grow(gate_up_, count(tokens, std::max<int64_t>(config_.gate_up_width(), per_token)));
  moved |= grow(per_token_rows_, count(tokens, config_.per_token_width()));
  if (config_.experts.shared) moved |= grow_zeroed(shared_gated_, count(tokens, padded(config_.experts.shared_size) * size));
  int64_t widest = 0;
  for (int32_t layer = 0; layer < config_.layers; ++layer)
    if (!config_.has_experts(layer) || config_.experts.apart) widest = std::max<int64_t>(widest, config_.mlp_size(layer));
  moved |= grow_zeroed(gated_, count(tokens, padded(widest) * size));
  moved |= grow_zeroed(per_token_gated_, count(tokens, padded(per_token) * size));
  moved |= grow(attention_scratch_, count(1, attention_scratch_floats(shape.tokens, config_.heads, config_.is_latent() ? config_.latent.kv_rank : config_.head_dim_max(), shape.positions_max)));
  moved |= grow(logits_, count(rows, config_.vocab_size));
  // Its place stays when a step follows that is filled up: it reads there what this one draws.
  if (shape.draws) moved |= grow_drawn(count(filled(shape.rows), 1));
  return moved;
}

// With what the step before drew, which this one may read.
bool DecoderCuda::grow_drawn(size_t size) {
  if (size <= drawn_.size()) return false;
  DeviceArray<int32_t> larger(std::max(size, 2 * drawn_.size()));
  if (drawn_.size() > 0)
    check(cudaMemcpyAsync(larger.data(), drawn_.data(), drawn_.bytes(), cudaMemcpyDeviceToDevice, context_->compute), "moving tokens on the device");
  context_->compute.synchronize();
  drawn_ = std::move(larger);
  return true;
}

bool DecoderCuda::reserve_adapters(const Shape& shape) {
  int64_t floats = 0;
  for (int32_t layer = 0; layer < config_.layers; ++layer) {
    const auto make_room = [&](const LoraGroup& group) { floats = std::max(floats, lora_v_floats(group, shape.tokens, shape.rank_max)); };
    for (const LoraGroup& group : {gate_up_group(layer), lora_group(layer, std::array{Projection::down})}) make_room(group);
    if (config_.has_attention(layer)) for (const LoraGroup& group : {qkv_group(layer), lora_group(layer, std::array{Projection::o})}) make_room(group);
    if (config_.has_state(layer)) for (const LoraGroup& group : {state_in_group(layer), lora_group(layer, std::array{Projection::out})}) make_room(group);
  }
  if (shape.expert_lora)
    for (const LoraGroup& group : {expert_gate_up_group(0), expert_down_group(0)})
      floats = std::max(floats, lora_v_floats(group, shape.tokens * config_.experts.per_token, shape.rank_max));
  if (config_.latent.q_rank > 0) floats = std::max(floats, lora_v_floats(lora_group(0, std::array{Projection::q_b}), shape.tokens, shape.rank_max));
  if (shape.kv_b_lora)
    for (const LoraGroup& group : {key_up_group(0), value_up_group(0)}) floats = std::max(floats, lora_v_floats(group, shape.tokens * config_.heads, shape.rank_max));
  if (config_.per_token.size > 0) {
    floats = std::max(floats, lora_v_floats(per_token_in_group(), shape.tokens, shape.rank_max));
    for (const Projection p : {Projection::per_token_gate, Projection::per_token_out}) floats = std::max(floats, lora_v_floats(lora_group(0, std::array{p}), shape.tokens, shape.rank_max));
  }
  if (shape.head_lora) floats = std::max(floats, lora_v_floats(head_group(), shape.rows, shape.rank_max));
  bool moved = grow(lora_v_, static_cast<size_t>(floats));
  moved |= grow(lora_tiles_, static_cast<size_t>(shape.tokens));
  moved |= grow(head_lora_tiles_, static_cast<size_t>(shape.rows));
  return grow(lora_tile_counts_, 4) || moved;
}

void DecoderCuda::fill(const Batch& batch, const CudaKvCache& cache, const Shape& shape) {
  const StepArrays& in = inputs_.host();
  std::copy(batch.tokens.begin(), batch.tokens.end(), in.token_ids);
  int32_t tile = 0, table = 0;
  for (const SequenceSlice& sequence : batch.sequences) fill_sequence(sequence, cache, tile, table);
  for (const Segment& segment : batch.segments) adapt_tokens(in, segment.token_begin, segment.token_end, adapter_of(segment));
  for (int32_t token = static_cast<int32_t>(batch.tokens.size()); token < shape.tokens; ++token) {
    in.token_ids[token] = in.positions[token] = 0;
    in.slots[token] = -1;
    in.long_context[token] = 0;
  }
  adapt_tokens(in, static_cast<int32_t>(batch.tokens.size()), shape.tokens, nullptr);
  std::fill(in.tiles + tile, in.tiles + shape.tiles, AttentionTile{0, 0, 0, 0});
  if (shape.slices > 0) fill_states(batch, shape);
  fill_rows(batch, shape);
}

void DecoderCuda::fill_sequence(const SequenceSlice& sequence, const CudaKvCache& cache, int32_t& tile, int32_t& table) {
  const int32_t block_size = cache.block_size();
  const StepArrays& in = inputs_.host();
  const bool longer = long_rope_ && std::max(sequence.length, positions_end(sequence)) > config_.rope.original_max_positions;
  for (int32_t i = 0; i < sequence.token_count; ++i) {
    const int32_t token = sequence.token_begin + i, position = sequence.position_begin + i;
    in.positions[token] = position;
    in.slots[token] = cache.place(sequence.block_table[static_cast<size_t>(position / block_size)]) * block_size + position % block_size;
    in.long_context[token] = longer ? 1 : 0;
  }
  const int32_t most = attention_tile_tokens(config_.heads_per_kv_max());
  for (int32_t i = 0; i < sequence.token_count; i += most)
    in.tiles[tile++] = {sequence.token_begin + i, std::min(most, sequence.token_count - i), sequence.position_begin + i, table};
  std::transform(sequence.block_table.begin(), sequence.block_table.end(), in.block_tables + table, [&](int32_t block) { return cache.place(block); });
  table += static_cast<int32_t>(sequence.block_table.size());
}

void DecoderCuda::fill_states(const Batch& batch, const Shape& shape) {
  const StepArrays& in = inputs_.host();
  std::fill(in.slices, in.slices + shape.slices, StateSlice{0, 0, -1, -1});
  std::fill(in.slice_of_token, in.slice_of_token + shape.tokens, -1);
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    const SequenceSlice& s = batch.sequences[i];
    in.slices[i] = {s.token_begin, s.token_count, s.state_from, s.state_to};
    std::fill_n(in.slice_of_token + s.token_begin, s.token_count, static_cast<int32_t>(i));
  }
}

// Rows that are drawn from come first, then those whose logits are wanted.
void DecoderCuda::fill_rows(const Batch& batch, const Shape& shape) {
  const StepArrays& in = inputs_.host();
  int32_t row = 0;
  for (const Draw& draw : batch.draws) {
    in.draws[row] = {draw.temperature, draw.top_k, draw.top_p, draw.min_p, draw.seed, static_cast<uint32_t>(draw.position), static_cast<uint32_t>(draw.position >> 32)};
    in.rows[row++] = draw.row;
  }
  for (const int32_t token : batch.logit_rows) {
    in.draws[row] = {};
    in.rows[row++] = token;
  }
  for (int32_t i = 0; i < row; ++i) in.row_factors[i] = in.factors[in.rows[i]];
  for (; row < shape.rows; ++row) {
    in.draws[row] = {};
    in.rows[row] = 0;
    in.row_factors[row] = nullptr;
  }
}

}  // namespace sgmv::cuda
