// The device's part of a step: its launches in order.
#include <array>
#include <cmath>

#include "models/decoder_cuda.h"

namespace sgmv::cuda {

void DecoderCuda::issue(const Shape& shape, const CudaKvCache& cache) {
  const StepArrays& in = inputs_.device();
  if (shape.rank_max > 0) plan_lora_tiles(context_->compute, in.factors, shape.tokens, lora_tiles_.data(), lora_tile_counts_.data());
  Embedding embedding;
  embedding.type = type_;
  embedding.table = weights_.embedding.data.data();
  embedding.token_ids = in.token_ids;
  embedding.drawn = drawn_.data();
  embedding.lora_of_token = shape.embedding_lora ? in.embeddings : nullptr;
  embedding.scale = config_.embedding_scale;
  embedding.tokens = shape.tokens;
  embedding.width = config_.hidden_size;
  embedding.out = hidden_.data();
  embed(context_->compute, embedding);
  if (config_.per_token.size > 0) issue_per_token_rows(shape);
  if (config_.is_latent()) plan_latent(shape);
  add_and_normalize(shape, nullptr, nullptr, first_norm(0), exact_of(0));
  for (int32_t layer = 0; layer < config_.layers; ++layer) issue_layer(shape, cache, layer);
  if (shape.rows > 0) issue_logits(shape);
}

// What a layer's input is normed by; behind the last layer, what its output is.
const DeviceArray<float>& DecoderCuda::first_norm(int32_t layer) const {
  if (layer == config_.layers) return weights_.final_norm;
  const DecoderLayerCuda& weights = weights_.layers[static_cast<size_t>(layer)];
  return config_.has_mixer(layer) ? weights.attention_norm : weights.mlp_norm;
}

// Where it goes as well before it is rounded, or null: experts are chosen by that, where a layer begins with them.
float* DecoderCuda::exact_of(int32_t layer) { return layer < config_.layers && !config_.has_mixer(layer) && config_.has_experts(layer) ? experts_.inputs.data() : nullptr; }

void DecoderCuda::issue_layer(const Shape& shape, const CudaKvCache& cache, int32_t index) {
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(index)];
  if (config_.has_state(index)) issue_state(shape, cache, index);
  if (config_.has_attention(index)) issue_attention(shape, cache, index);
  const bool experts = config_.has_experts(index);
  const bool apart = experts && config_.experts.apart;
  const DeviceArray<float>& next_norm = first_norm(index + 1);
  const bool feeds = config_.has_feed_forward(index);
  if (config_.has_mixer(index) && !config_.parallel_mlp)
    add_and_normalize(shape, config_.has_attention(index) ? &layer.o : &layer.state_out, &layer.post_attention_norm, feeds ? layer.mlp_norm : next_norm,
                      !feeds ? exact_of(index + 1) : experts && !apart ? experts_.inputs.data() : nullptr, 1.0f, config_.has_both(index) ? &layer.state_out : nullptr);
  if (!feeds) return;
  if (config_.has_mlp(index)) issue_mlp(shape, index, (apart ? mlp_delta_ : delta_).data());
  if (apart) issue_experts_apart(shape, index);
  else if (experts) issue_experts(shape, index);
  const BiasedMatrix none;
  const BiasedMatrix* before = experts ? &none : &layer.down;
  if (config_.per_token.size == 0) return add_and_normalize(shape, before, &layer.post_mlp_norm, next_norm, exact_of(index + 1), layer.scale, config_.parallel_mlp ? &layer.o : nullptr);
  add_and_normalize(shape, before, &layer.post_mlp_norm, no_norm_);
  issue_per_token(shape, index);
  add_and_normalize(shape, &none, &layer.post_per_token_norm, next_norm, nullptr, layer.scale);
}

// per_token_rows_ of hidden_.
void DecoderCuda::issue_per_token_rows(const Shape& shape) {
  const StepArrays& in = inputs_.device();
  add_and_normalize(shape, nullptr, nullptr, no_norm_);
  project(shape, per_token_in_group(), weights_.per_token_in, normed_.data(), per_token_rows_.data());
  PerTokenRows work;
  work.type = type_;
  work.table = weights_.per_token_embedding.data.data();
  work.token_ids = in.token_ids;
  work.drawn = drawn_.data();
  work.norm = weights_.per_token_norm.data();
  work.eps = config_.rms_norm_eps;
  work.projection_scale = 1.0f / std::sqrt(static_cast<float>(config_.hidden_size));
  work.embedding_scale = std::sqrt(static_cast<float>(config_.per_token.size));
  work.tokens = shape.tokens;
  work.layers = config_.layers;
  work.size = config_.per_token.size;
  work.rows = per_token_rows_.data();
  mix_per_token_rows(context_->compute, work);
}

// From normed_, which is the residual, to delta_.
void DecoderCuda::issue_per_token(const Shape& shape, int32_t index) {
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(index)];
  project(shape, lora_group(index, std::array{Projection::per_token_gate}), layer.per_token_gate.matrix, normed_.data(), gate_up_.data());
  GatedActivation activation;
  activation.type = type_;
  activation.activation = config_.activation;
  activation.gate_up = gate_up_.data();
  activation.up = per_token_rows_.data() + int64_t{index} * config_.per_token.size;
  activation.up_stride = config_.per_token_width();
  activation.tokens = shape.tokens;
  activation.width = config_.per_token.size;
  activation.out = per_token_gated_.data();
  gated_activation(context_->compute, activation);
  project(shape, lora_group(index, std::array{Projection::per_token_out}), layer.per_token_out.matrix, per_token_gated_.data(), delta_.data());
}

// From normed_ to `out`, to which a bias of `down` is still to be added.
void DecoderCuda::issue_mlp(const Shape& shape, int32_t index, float* out) {
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(index)];
  std::byte* const gated = (config_.has_experts(index) && config_.experts.shared ? shared_gated_ : gated_).data();
  project(shape, gate_up_group(index), layer.gate_up.matrix, normed_.data(), gate_up_.data());
  activate(gate_up_.data(), layer.gate_up.bias.data(), shape.tokens, config_.mlp_size(index), gated, nullptr, nullptr, layer.xielu);
  project(shape, lora_group(index, std::array{Projection::down}), layer.down.matrix, gated, out);
}

void DecoderCuda::activate(const float* gate_up, const float* bias, int32_t rows, int32_t width, void* out, const int32_t* bias_of_row, const float* row_scales, const Xielu& xielu) {
  GatedActivation activation;
  activation.type = type_;
  activation.activation = config_.activation;
  activation.gated = config_.gated_mlp;
  activation.sharpness = config_.gate_sharpness;
  activation.limit = config_.gate_limit;
  activation.gate_scale = config_.gate_scale;
  activation.scale = config_.gated_scale;
  activation.gate_up = gate_up;
  activation.bias = bias;
  activation.bias_of_row = bias_of_row;
  activation.row_scales = row_scales;
  activation.xielu = xielu;
  activation.tokens = rows;
  activation.width = width;
  activation.out = out;
  gated_activation(context_->compute, activation);
}

// From normed_ to delta_ or, with parallel_mlp, beside_, to which a bias of o is still to be added.
void DecoderCuda::issue_attention(const Shape& shape, const CudaKvCache& cache, int32_t index) {
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(index)];
  if (config_.is_latent()) {
    issue_latent(shape, cache, index);
  } else {
    project(shape, qkv_group(index), layer.qkv.matrix, normed_.data(), qkv_.data());
    attend(shape, cache, index);
  }
  project(shape, lora_group(index, std::array{Projection::o}), layer.o.matrix, attended_.data(), (config_.parallel_mlp ? beside_ : delta_).data());
}

// Of the queries in q_, with nothing said of where it goes.
AttentionWork DecoderCuda::attention_work(const Shape& shape, const KvLayer& cache) {
  const StepArrays& in = inputs_.device();
  AttentionWork work;
  work.q = q_.data();
  work.cache = cache;
  work.tiles = in.tiles;
  work.tile_count = shape.tiles;
  work.block_tables = in.block_tables;
  work.heads = config_.heads;
  work.tokens = shape.tokens;
  work.positions_max = shape.positions_max;
  work.scratch = attention_scratch_.data();
  return work;
}

// From qkv_ to attended_.
void DecoderCuda::attend(const Shape& shape, const CudaKvCache& cache, int32_t index) {
  const StepArrays& in = inputs_.device();
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(index)];
  const Rope& rope = sliding_rope_ && config_.is_sliding(index) ? *sliding_rope_ : rope_;
  RotateAndStore store;
  store.qkv = qkv_.data();
  store.bias = layer.qkv.bias.data();
  if (config_.qk_norm_of_all) {
    norm_queries_and_keys(shape, layer);
    store.bias = nullptr;  // it is added
  } else {
    store.q_norm = layer.q_norm.data();
    store.k_norm = layer.k_norm.data();
    store.norms_values = config_.value_norm;
    store.layer_norms = config_.qk_layer_norms;
  }
  store.stores = config_.has_kv(index);
  store.eps = config_.rms_norm_eps;
  store.rope = rope.rows.data();
  store.long_rope = long_rope_ ? long_rope_->rows.data() : nullptr;
  store.long_context = in.long_context;
  store.interleaved = config_.rope.interleaved;
  store.norm_last = config_.qk_norm_after_rope;
  store.half = config_.has_rope(index) ? static_cast<int32_t>(rope.table.half()) : 0;
  store.q_scale = config_.attention_scale;
  store.v_scale = config_.value_scale;
  store.q_growth = config_.query_growth_of(index);
  store.q_growth_begin = config_.query_growth_begin();
  store.q_growth_span = config_.query_growth_span;
  store.positions = in.positions;
  store.slots = in.slots;
  store.tokens = shape.tokens;
  store.heads = config_.heads;
  store.q = q_.data();
  store.cache = cache.layer(config_.kv_index(index));
  store.gated = config_.attention_gate;
  rotate_and_store(context_->compute, store);
  AttentionWork work = attention_work(shape, store.cache);
  work.window = config_.is_sliding(index) ? config_.sliding_window : 0;
  work.chunked = config_.chunked_window;
  work.softcap = config_.attention_softcap;
  work.sinks = layer.sinks.data();
  work.out = attended_.data();
  work.head_stride = store.cache.head_dim;
  work.token_stride = padded(int64_t{config_.heads} * store.cache.head_dim);
  attention(context_->compute, work);
  if (!config_.attention_gate) return;
  AttentionGate gate;
  gate.type = type_;
  gate.qkv = qkv_.data();
  gate.bias = store.bias;
  gate.stride = config_.qkv_width(index);
  gate.tokens = shape.tokens;
  gate.heads = config_.heads;
  gate.head_dim = config_.head_dim;
  gate.x = attended_.data();
  gate_attention(context_->compute, gate);
}

// From normed_ to delta_ or, where attention follows, beside_, to which a bias of state_out is still to be added.
void DecoderCuda::issue_state(const Shape& shape, const CudaKvCache& cache, int32_t index) {
  const StepArrays& in = inputs_.device();
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(index)];
  const StateWeightsCuda& weights = layer.state;
  project(shape, state_in_group(index), layer.state_in.matrix, normed_.data(), qkv_.data());
  if (config_.linear.in_bias) add_bias(context_->compute, layer.state_in.bias.data(), shape.tokens, config_.linear.width(), qkv_.data());
  StateWork work;
  work.shape = config_.linear;
  work.eps = config_.linear.norm_eps;
  work.type = type_;
  work.projected = qkv_.data();
  work.conv = weights.conv.data();
  work.conv_bias = weights.conv_bias.data();
  work.skip = weights.skip.data();
  work.decay_rates = weights.decay_rates.data();
  work.dt_bias = weights.dt_bias.data();
  work.norm = weights.norm.data();
  work.slices = in.slices;
  work.slice_of_token = in.slice_of_token;
  work.slice_count = shape.slices;
  work.tokens = shape.tokens;
  work.states = cache.states(config_.state_index(index));
  work.slot_floats = cache.slot_floats();
  work.mixed = mixed_.data();
  work.gates = state_gates_.data();
  work.read = state_read_.data();
  work.out = state_out_.data();
  mix_states(context_->compute, work);
  project(shape, lora_group(index, std::array{Projection::out}), layer.state_out.matrix, state_out_.data(), (config_.has_both(index) ? beside_ : delta_).data());
}

// Norms of all heads of a token together.
void DecoderCuda::norm_queries_and_keys(const Shape& shape, const DecoderLayerCuda& layer) {
  NormQueriesAndKeys work;
  work.bias = layer.qkv.bias.data();
  work.q_norm = layer.q_norm.data();
  work.k_norm = layer.k_norm.data();
  work.eps = config_.rms_norm_eps;
  work.tokens = shape.tokens;
  work.q_width = config_.q_norm_width();
  work.kv_width = config_.k_norm_width();
  work.qkv = qkv_.data();
  cuda::norm_queries_and_keys(context_->compute, work);
}

void DecoderCuda::issue_logits(const Shape& shape) {
  const StepArrays& in = inputs_.device();
  const LoraStep lora{type_, head_lora_tiles_.data(), lora_tile_counts_.data() + 1, shape.rows, shape.rows, shape.rank_max, lora_format_};
  if (shape.head_lora) plan_lora_tiles(context_->compute, in.row_factors, shape.rows, head_lora_tiles_.data(), lora_tile_counts_.data() + 1);
  gather_rows(context_->compute, type_, normed_.data(), in.rows, shape.rows, config_.hidden_size, last_.data());
  product(shape.head_lora ? &lora : nullptr, head_group(),
          {type_, last_.data(), padded(config_.hidden_size), shape.rows, &weights_.head().weights, logits_.data(), config_.vocab_size});
  if (config_.head_bias) add_bias(context_->compute, weights_.head_bias.data(), shape.rows, config_.vocab_size, logits_.data());
  if (shape.head_rows)
    write_own_logits(context_->compute, {type_, last_.data(), in.rows, in.embeddings, shape.rows, config_.hidden_size, config_.vocab_size, logits_.data()});
  if (config_.logit_softcap != 0) softcap_logits(context_->compute, logits_.data(), int64_t{shape.rows} * config_.vocab_size, config_.logit_softcap);
  if (shape.draws) sample(context_->compute, logits_.data(), in.draws, shape.rows, config_.vocab_size, drawn_.data());
}

void DecoderCuda::add_and_normalize(const Shape& shape, const BiasedMatrix* before, const DeviceArray<float>* post_norm, const DeviceArray<float>& norm, float* exact, float scale,
                                    const BiasedMatrix* beside) {
  AddAndNorm work;
  work.type = type_;
  work.delta = before == nullptr ? nullptr : delta_.data();
  work.delta_bias = before == nullptr ? nullptr : before->bias.data();
  work.post_norm = post_norm == nullptr ? nullptr : post_norm->data();
  work.norm = norm.data();
  work.norm_bias = config_.layer_norms && norm.size() > 0 ? norm.data() + config_.hidden_size : nullptr;
  work.eps = config_.rms_norm_eps;
  work.tokens = shape.tokens;
  work.width = config_.hidden_size;
  work.residual = hidden_.data();
  work.normed = normed_.data();
  work.exact = exact;
  work.scale = scale;
  if (beside != nullptr) {
    work.beside = beside_.data();
    work.beside_bias = beside->bias.data();
  }
  add_and_norm(context_->compute, work);
}

void DecoderCuda::project(const Shape& shape, const LoraGroup& group, const Matrix& matrix, const void* x, float* y) {
  const LoraStep lora{type_, lora_tiles_.data(), lora_tile_counts_.data(), shape.tokens, shape.tokens, shape.rank_max, lora_format_};
  product(shape.rank_max > 0 ? &lora : nullptr, group, {type_, x, padded(matrix.weights.in), shape.tokens, &matrix.weights, y, matrix.weights.out});
}

void DecoderCuda::product(const LoraStep* lora, const LoraGroup& group, const LinearWork& work) {
  with_lora(lora, group, work, [&] { blas_ ? blas_->linear(context_->compute, work) : linear(context_->compute, work); });
}

// Projections that share an input; their outputs lie side by side in this order.
LoraGroup DecoderCuda::lora_group(int32_t layer, std::span<const Projection> projections) const {
  LoraGroup group;
  group.in = config_.in_features(projections[0], layer);
  int32_t column = 0;
  for (const Projection p : projections) {
    group.parts[group.part_count++] = {layer * kFactorsPerLayer + factor_of(p), config_.out_features(p, layer), column};
    column += config_.out_features(p, layer);
  }
  return group;
}

LoraGroup DecoderCuda::qkv_group(int32_t layer) const {
  using enum Projection;
  if (config_.is_latent()) return lora_group(layer, std::array{config_.latent.q_rank > 0 ? q_a : q, kv_a});
  if (!config_.has_kv(layer)) return lora_group(layer, std::array{q});
  return config_.fused_qkv ? lora_group(layer, std::array{qkv}) : lora_group(layer, std::array{q, k, v});
}

LoraGroup DecoderCuda::state_in_group(int32_t layer) const {
  using enum Projection;
  if (config_.linear.rule != StateRule::gated_delta) return lora_group(layer, std::array{in});
  return config_.linear.grouped ? lora_group(layer, std::array{in_qkvz, in_ba}) : lora_group(layer, std::array{in_qkv, in_z, in_b, in_a});
}

LoraGroup DecoderCuda::gate_up_group(int32_t layer) const {
  using enum Projection;
  if (!config_.gated_mlp) return lora_group(layer, std::array{up});
  return config_.fused_gate_up ? lora_group(layer, std::array{gate_up}) : lora_group(layer, std::array{gate, up});
}

LoraGroup DecoderCuda::head_group() const {
  LoraGroup group;
  group.in = config_.hidden_size;
  group.parts[group.part_count++] = {head_factor(config_.layers), config_.vocab_size, 0};
  return group;
}

LoraGroup DecoderCuda::per_token_in_group() const {
  LoraGroup group;
  group.in = config_.hidden_size;
  group.parts[group.part_count++] = {per_token_in_factor(config_.layers), config_.per_token_width(), 0};
  return group;
}

}  // namespace sgmv::cuda
