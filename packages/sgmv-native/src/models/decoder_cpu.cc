#include "models/decoder_cpu.h"

#include <algorithm>
#include <cmath>

#include "models/batch_check.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

// Keys and values that are asked for a loop ahead, per thread: what a second-level cache can hold beside the rest.
constexpr int64_t kKvAheadBytes = 1536 << 10;
constexpr int64_t kTokenCost = 16;  // of a token in a loop over tokens beside the shrink, in ranks: about

}  // namespace

DecoderCpu::DecoderCpu(ModelConfig config, DecoderWeights weights, std::shared_ptr<Device> device, const NumberTypes& types)
    : config_(std::move(config)), types_(types), weights_(std::move(weights)), device_(std::move(device)), cpu_(as_cpu(*device_)), gate_(config_),
      rope_(config_.rope, config_.full_kv.dim > 0 ? config_.full_kv.dim : config_.head_dim), ones_(config_.value_norm ? static_cast<size_t>(config_.head_dim_max()) : 0, 1.0f),
      fused_(types.weights != WeightType::f32), fused_head_(types.weights != WeightType::f32) {
  if (config_.state_layers() > 0) states_.emplace(config_);
  if (config_.per_token.size > 0) per_token_.emplace(config_);
  if (config_.is_latent()) latent_.emplace(config_, types.weights != WeightType::f32);
  if (config_.experts.count > 0) mixture_.emplace(config_, types.weights != WeightType::f32);
  if (config_.sliding_rope) sliding_rope_.emplace(*config_.sliding_rope, config_.head_dim);
  if (config_.rope.long_factors.empty()) return;
  RopeConfig longer = config_.rope;
  longer.factors = longer.long_factors;
  long_rope_.emplace(longer, config_.head_dim);
}

std::unique_ptr<KvCache> DecoderCpu::make_kv_cache(int32_t block_count, int32_t block_size, KvMemory /*memory*/, int32_t state_count) {
  return std::make_unique<CpuKvCache>(cpu_.kernels(), types_.kv, config_.kv_shapes(), block_count, block_size, config_.states(state_count));
}

std::shared_ptr<const Adapter> DecoderCpu::load_adapter(const std::filesystem::path& folder) {
  return load_lora_adapter(folder, config_, types_.adapters, DecoderRows(weights_, config_));
}

void DecoderCpu::forward(const Batch& batch, KvCache& kv_cache, std::span<float> logits) {
  auto* cache = dynamic_cast<CpuKvCache*>(&kv_cache);
  if (cache == nullptr) throw Error("bad_argument", "cache: found one of another device");
  if (cache->layers() != config_.kv_shapes() || (cache->state_count() > 0 && cache->bytes_per_state() != config_.state_bytes()))
    throw Error("bad_argument", "cache: found one of another model");
  check_batch(batch, config_, *cache, [this](const Adapter& any) {
    const auto* adapter = dynamic_cast<const LoraAdapter*>(&any);
    return adapter != nullptr && adapter->layers() == config_.layers;
  });
  check_results(batch.logit_rows.size(), batch.draws.size(), config_, logits.size(), 0);
  const auto tokens = static_cast<int64_t>(batch.tokens.size());
  if (tokens == 0) return;
  plan(batch, *cache);
  reserve(tokens, static_cast<int64_t>(batch.logit_rows.size()), forms_for(weights_.head()) | fused_.forms());
  embed(batch);
  for (int32_t layer = 0; layer < config_.layers; ++layer) {
    const DecoderLayer& weights = weights_.layers[static_cast<size_t>(layer)];
    const std::vector<float>& next_norm = first_norm(layer + 1);
    const bool feeds = config_.has_feed_forward(layer);
    if (config_.has_mixer(layer)) {
      mix(layer, tokens, *cache);
      if (config_.parallel_mlp) add_attention({layer, ProjectionGroup::gate_up});
      else add_and_norm(weights.post_attention_norm, feeds ? weights.mlp_norm : next_norm, after_mixer(layer));
    }
    if (!feeds) continue;
    feed_forward(layer, tokens, *cache);
    if (per_token_) {
      add_and_norm(weights.post_mlp_norm, {}, after_mlp(layer));
      run_per_token(layer, tokens);
    }
    add_and_norm(per_token_ ? weights.post_per_token_norm : weights.post_mlp_norm, next_norm, after(layer), weights.scale);
  }
  write_logits(batch, logits);
}

void DecoderCpu::reserve(int64_t tokens, int64_t logit_rows, ActivationForms forms) {
  hidden_.reserve(tokens, config_.hidden_size);
  normed_.reserve(tokens, config_.hidden_size, forms);
  delta_.reserve(tokens, config_.hidden_size);
  last_.reserve(logit_rows, config_.hidden_size, forms);
  const int64_t qkv = config_.qkv_width_max(), attended = latent_ ? config_.attended_width(0) : int64_t{config_.heads} * config_.head_dim_max();
  qkv_.reserve(tokens, states_ ? std::max<int64_t>(qkv, config_.linear.width()) : qkv);
  attended_.reserve(tokens, states_ ? std::max<int64_t>(attended, config_.linear.values()) : attended, forms);
  if (config_.attention_gate) attention_gates_.reserve(tokens, attended);
  if (states_) states_->reserve(tokens);
  if (mixture_) mixture_->reserve(tokens, forms);
  if (config_.experts.apart) {
    rated_.reserve(tokens, config_.hidden_size, forms);
    of_experts_.reserve(tokens, config_.hidden_size);
  }
  if (per_token_) per_token_->reserve(tokens);
  if (latent_) latent_->reserve(forms);
  const int32_t widest = std::max(config_.mlp_size_max(), config_.per_token.size);
  if (widest == 0) return;
  gate_up_.reserve(tokens, std::max(config_.gate_up_width(), config_.per_token.size));
  gated_.reserve(tokens, widest, forms);
}

void DecoderCpu::plan(const Batch& batch, const CpuKvCache& cache) {
  fused_.plan(batch.segments);
  if (mixture_) mixture_->plan(batch.segments);
  if (latent_) latent_->plan(batch.segments, static_cast<int64_t>(batch.tokens.size()));
  if (states_) states_->plan(batch.sequences);
  plan_ends(batch);
  plan_shares(batch);
  attention_.plan(batch, cache.block_size(), config_.heads_per_kv_max(), config_.is_latent());
  places_.clear();
  int64_t positions = 0;
  for (const SequenceSlice& s : batch.sequences) {
    const bool longer = long_rope_ && std::max(s.length, s.position_begin + s.token_count) > config_.rope.original_max_positions;
    for (int32_t i = 0; i < s.token_count; ++i) {
      const int32_t position = s.position_begin + i;
      places_.push_back({position, s.block_table[static_cast<size_t>(position / cache.block_size())], position % cache.block_size(), longer});
    }
    positions = std::max<int64_t>(positions, int64_t{s.position_begin} + s.token_count);
  }
  rope_.reserve(positions);
  if (sliding_rope_) sliding_rope_->reserve(positions);
  if (long_rope_) long_rope_->reserve(positions);
}

// A token that is alone with its adapter is shrunk where its row is written, and takes the longer the higher its rank is.
void DecoderCpu::plan_shares(const Batch& batch) {
  token_costs_.assign(batch.tokens.size(), kTokenCost);
  for (const Segment& segment : batch.segments)
    if (segment.adapter != nullptr && segment.token_end - segment.token_begin == 1)
      token_costs_[static_cast<size_t>(segment.token_begin)] += segment.adapter->rank_max();
  token_shares_.resize(static_cast<size_t>(cpu_.threads()));
  share_by_cost(token_costs_, token_shares_);
}

// Adapters of the embedding by token, and of the head by row of logits.
void DecoderCpu::plan_ends(const Batch& batch) {
  embedding_lora_.assign(batch.tokens.size(), nullptr);
  head_segments_.clear();
  head_rows_.clear();
  size_t row = 0;
  for (const Segment& segment : batch.segments) {
    const auto begin = static_cast<int32_t>(row);
    while (row < batch.logit_rows.size() && batch.logit_rows[row] < segment.token_end) ++row;
    head_segments_.push_back({begin, static_cast<int32_t>(row), segment.adapter});
    if (segment.adapter == nullptr) continue;
    const LoraEmbedding& embedding = static_cast<const LoraAdapter*>(segment.adapter)->embedding();
    if (embedding.changes()) std::fill(embedding_lora_.begin() + segment.token_begin, embedding_lora_.begin() + segment.token_end, &embedding);
    const OwnRows& own = static_cast<const LoraAdapter*>(segment.adapter)->head_rows();
    if (own.tokens.empty() || begin == static_cast<int32_t>(row)) continue;
    head_rows_.resize(batch.logit_rows.size());
    std::fill(head_rows_.begin() + begin, head_rows_.begin() + static_cast<int32_t>(row), &own);
  }
  fused_head_.plan(head_segments_);
}

const RopeTable& DecoderCpu::rope(int32_t layer, const Place& place) const {
  if (place.long_context) return *long_rope_;
  return sliding_rope_ && config_.is_sliding(layer) ? *sliding_rope_ : rope_;
}

void DecoderCpu::embed(const Batch& batch) {
  const std::vector<float>&norm = first_norm(0), none;
  const auto prepare = [&](int64_t token, const std::vector<float>& with) {
    normalize(token, with);
    normed_.encode(cpu_.kernels(), token);
    fused_.shrink_row(cpu_.kernels(), normed_, token);
  };
  const FusedLinear::Place per_token{0, ProjectionGroup::per_token_in};
  fused_.prepare(per_token_ ? per_token : first_of(0));
  cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) {
    const int32_t id = batch.tokens[static_cast<size_t>(token)];
    const LoraEmbedding* lora = embedding_lora_[static_cast<size_t>(token)];
    weights_.embedding.copy_row(id, hidden_.row(token));
    if (lora != nullptr) lora->apply(cpu_.kernels(), id, hidden_.row(token));
    if (config_.embedding_scale != 1.0f) cpu_.kernels().scale(hidden_.row(token), config_.embedding_scale, config_.hidden_size);
    prepare(token, per_token_ ? none : norm);
  });
  if (!per_token_) return;
  fused_.run(cpu_, weights_.per_token.projection, first_of(0), normed_, static_cast<int64_t>(batch.tokens.size()), per_token_->projected());
  fused_.prepare(first_of(0));
  cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) {
    per_token_->mix(cpu_.kernels(), weights_.per_token, token, batch.tokens[static_cast<size_t>(token)]);
    prepare(token, norm);
  });
}

// Without a norm the residual is read as it is.
void DecoderCpu::normalize(int64_t token, const std::vector<float>& norm) {
  const float* residual = hidden_.row(token);
  const int64_t width = config_.hidden_size;
  if (norm.empty()) std::copy_n(residual, width, normed_.row(token));
  else if (config_.layer_norms) cpu_.kernels().layer_norm(residual, norm.data(), norm.data() + width, config_.rms_norm_eps, width, normed_.row(token));
  else cpu_.kernels().rms_norm(residual, norm.data(), config_.rms_norm_eps, width, normed_.row(token));
}

void DecoderCpu::attend(int32_t index, int64_t tokens, CpuKvCache& cache) {
  const DecoderLayer& layer = weights_.layers[static_cast<size_t>(index)];
  const Kernels& kernels = cpu_.kernels();
  if (latent_) project_queries(index, tokens);
  else fused_.run(cpu_, layer.qkv, FusedLinear::Place{index, ProjectionGroup::o}, normed_, tokens, qkv_);
  fused_.prepare({index, ProjectionGroup::o});
  if (latent_) latent_->prepare_values(index);
  Activations& attended = latent_ ? latent_->attended() : attended_;
  const AttentionWork::Layer work{qkv_.row(0), qkv_.stride(), attended.row(0), attended.stride(), latent_ ? attended.stride() * tokens : config_.kv_shape(index).dim,
                                  &cache, config_.kv_index(index), config_.heads,
                                  config_.is_sliding(index) ? config_.sliding_window : 0, config_.attention_softcap,
                                  layer.sinks.empty() ? nullptr : layer.sinks.data(), config_.chunked_window};
  const int64_t width = config_.attended_width(index);
  const auto finish = [&](int64_t token) {
    if (config_.attention_gate) kernels.sigmoid_gate(attention_gates_.row(token), attended_.row(token), width);
    attended_.encode(kernels, token, width);
    fused_.shrink_row(kernels, attended_, token);
  };
  const auto finish_attention = [&](int64_t token) { latent_ ? latent_->finish_values(kernels, token) : finish(token); };
  // With few tokens the heads are needed to keep all threads busy; with chunks of prompts, keys must be stored first.
  if (attention_.lone_tokens() && tokens >= 2 * cpu_.threads()) {
    attention_.reserve(cpu_);
    cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int worker) {
      rotate_and_store(index, token, cache);
      attention_.run_token(cpu_, work, token, worker);
      finish_attention(token);
    });
  } else {
    cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) { rotate_and_store(index, token, cache); });
    attention_.run(cpu_, work);
    cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) { finish_attention(token); });
  }
  if (latent_) {
    fused_.list_shrinks({index, ProjectionGroup::o}, latent_->also());
    latent_->multiply_values(cpu_, layer.latent_up, attended_);
    cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) { finish(token); });
  }
  fused_.run(cpu_, layer.o, after_mixer(index), attended_, tokens, delta_);
}

// Of latent attention, from normed_ to qkv_, which has queries only.
void DecoderCpu::project_queries(int32_t index, int64_t tokens) {
  const DecoderLayer& layer = weights_.layers[static_cast<size_t>(index)];
  const FusedLinear::Place q{index, ProjectionGroup::latent_q};
  const bool two_steps = config_.latent.q_rank > 0;
  fused_.run(cpu_, layer.qkv, two_steps ? std::optional(q) : std::nullopt, normed_, tokens, latent_->first());
  if (two_steps) {
    fused_.prepare(q);
    cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) {
      latent_->norm_queries(cpu_.kernels(), layer.q_a_norm, token);
      fused_.shrink_row(cpu_.kernels(), latent_->q_latent(), token);
    });
    fused_.run(cpu_, layer.q_b, std::nullopt, latent_->q_latent(), tokens, latent_->q());
  }
  latent_->absorb_keys(cpu_, index, layer.latent_up, qkv_);
}

// From normed_ to delta_.
void DecoderCpu::mix(int32_t layer, int64_t tokens, CpuKvCache& cache) {
  if (!config_.has_state(layer)) return attend(layer, tokens, cache);
  if (!config_.has_attention(layer)) return run_state(layer, tokens, cache, delta_);
  of_state_.reserve(tokens, config_.hidden_size);
  run_state(layer, tokens, cache, of_state_);
  fused_.prepare({layer, ProjectionGroup::qkv});
  cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) { fused_.shrink_row(cpu_.kernels(), normed_, token); });
  attend(layer, tokens, cache);
  cpu_.pool().parallel_for(tokens, [&](int64_t token, int) { cpu_.kernels().add(delta_.row(token), of_state_.row(token), config_.hidden_size); });
}

void DecoderCpu::run_state(int32_t index, int64_t tokens, CpuKvCache& cache, Activations& out) {
  const DecoderLayer& layer = weights_.layers[static_cast<size_t>(index)];
  const FusedLinear::Place place{index, ProjectionGroup::state_out};
  fused_.run(cpu_, layer.state_in, place, normed_, tokens, qkv_);
  fused_.prepare(place);
  states_->run(cpu_, layer.state, qkv_, cache, config_.state_index(index));
  cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) {
    states_->finish(cpu_.kernels(), layer.state, qkv_, token, attended_.row(token));
    attended_.encode(cpu_.kernels(), token, config_.linear.values());
    fused_.shrink_row(cpu_.kernels(), attended_, token);
  });
  fused_.run(cpu_, layer.state_out, config_.has_attention(index) ? FusedLinear::Place{index, ProjectionGroup::qkv} : after_mixer(index), attended_, tokens, out);
}

// What a layer's input is normed by; behind the last layer, what its output is.
const std::vector<float>& DecoderCpu::first_norm(int32_t layer) const {
  if (layer == config_.layers) return weights_.final_norm;
  const DecoderLayer& weights = weights_.layers[static_cast<size_t>(layer)];
  return config_.has_mixer(layer) ? weights.attention_norm : weights.mlp_norm;
}

// What a layer's input is multiplied with first.
FusedLinear::Place DecoderCpu::first_of(int32_t layer) const {
  return {layer, config_.has_state(layer) ? ProjectionGroup::state_in : config_.has_attention(layer) ? ProjectionGroup::qkv : ProjectionGroup::gate_up};
}

std::optional<FusedLinear::Place> DecoderCpu::after_mixer(int32_t layer) const {
  return config_.has_feed_forward(layer) ? FusedLinear::Place{layer, ProjectionGroup::gate_up} : after(layer);
}

// What a layer's output is multiplied with, if anything.
std::optional<FusedLinear::Place> DecoderCpu::after(int32_t layer) const {
  return layer + 1 == config_.layers ? std::nullopt : std::optional(first_of(layer + 1));
}

// Likewise that of its MLP or mixture.
std::optional<FusedLinear::Place> DecoderCpu::after_mlp(int32_t layer) const {
  return per_token_ ? FusedLinear::Place{layer, ProjectionGroup::per_token_gate} : after(layer);
}

// Brings a token's queries together, as attention reads them.
void DecoderCpu::part_gate(int64_t token) {
  const int64_t dim = config_.head_dim;
  float *from = qkv_.row(token), *query = from, *gate = attention_gates_.row(token);
  for (int32_t head = 0; head < config_.heads; ++head, from += 2 * dim, query += dim, gate += dim) {
    std::copy_n(from + dim, dim, gate);
    std::copy_n(from, dim, query);
  }
}

void DecoderCpu::rotate_and_store(int32_t index, int64_t token, CpuKvCache& cache) {
  const DecoderLayer& layer = weights_.layers[static_cast<size_t>(index)];
  const Kernels& kernels = cpu_.kernels();
  const Place& place = places_[static_cast<size_t>(token)];
  const KvShape shape = config_.kv_shape(index);
  const int64_t dim = shape.dim;
  const RopeTable& table = rope(index, place);
  const int32_t kv_index = config_.kv_index(index);
  const float* cosines = table.cosines(place.position);
  const float* sines = table.sines(place.position);
  const int64_t half = config_.has_rope(index) ? table.half() : 0;
  const auto rotate = config_.rope.interleaved ? kernels.rope_interleaved : kernels.rope;
  const float query_scale = config_.query_scale(index, place.position);
  const bool norm_heads = !layer.q_norm.empty() && !config_.qk_norm_of_all;
  if (latent_)
    return cache.store(kv_index, place.block, 0, place.in_block, latent_->finish_queries(kernels, layer.kv_a_norm, table, place.position, query_scale, token, qkv_.row(token)), nullptr);
  if (config_.attention_gate) part_gate(token);
  float* head = qkv_.row(token);
  if (config_.qk_norm_of_all) {
    const int64_t width = config_.q_norm_width(), kv_width = config_.k_norm_width();
    kernels.rms_norm(head, layer.q_norm.data(), config_.rms_norm_eps, width, head);
    kernels.rms_norm(head + width, layer.k_norm.data(), config_.rms_norm_eps, kv_width, head + width);
  }
  const auto norm_and_rotate = [&](const std::vector<float>& norm, int32_t h) {
    if (norm_heads && config_.qk_layer_norms) kernels.layer_norm(head, norm.data() + h * dim, nullptr, config_.rms_norm_eps, dim, head);
    else if (norm_heads && !config_.qk_norm_after_rope) kernels.rms_norm(head, norm.data(), config_.rms_norm_eps, dim, head);
    rotate(head, cosines, sines, half);
    if (norm_heads && config_.qk_norm_after_rope) kernels.rms_norm(head, norm.data(), config_.rms_norm_eps, dim, head);
  };
  for (int32_t h = 0; h < config_.heads; ++h, head += dim) {
    norm_and_rotate(layer.q_norm, h);
    kernels.scale(head, query_scale, dim);
  }
  if (!config_.has_kv(index)) return;
  head = qkv_.row(token) + config_.q_width(index);
  for (int32_t h = 0; h < shape.heads; ++h, head += dim) {
    float* value = head + shape.heads * dim;
    norm_and_rotate(layer.k_norm, h);
    if (config_.value_norm) kernels.rms_norm(value, ones_.data(), config_.rms_norm_eps, dim, value);
    if (config_.value_scale != 1.0f) kernels.scale(value, config_.value_scale, dim);
    cache.store(kv_index, place.block, h, place.in_block, head, value);
  }
}

// From normed_ to delta_.
void DecoderCpu::feed_forward(int32_t index, int64_t tokens, const CpuKvCache& cache) {
  const bool mlp = config_.has_mlp(index);
  if (const int32_t next = index + 1; next < config_.layers) {
    PrefetchList& also = mlp ? fused_.also() : mixture_->also();
    if (config_.has_attention(next))
      attention_.ask_ahead(cache, config_.kv_index(next), config_.is_sliding(next) ? config_.sliding_window : 0, config_.chunked_window, kKvAheadBytes * cpu_.threads(), also);
    if (!mlp) fused_.list_shrinks(*after_mlp(index), also);
  }
  if (mlp) run_mlp(index, tokens);
  if (!config_.has_experts(index)) return;
  if (config_.experts.apart) return run_experts_apart(index, tokens);
  mixture_->run(cpu_, index, weights_.layers[static_cast<size_t>(index)].experts, normed_, normed_, tokens, delta_);
}

void DecoderCpu::run_mlp(int32_t index, int64_t tokens) {
  const DecoderLayer& layer = weights_.layers[static_cast<size_t>(index)];
  const int64_t width = config_.mlp_size(index);
  fused_.run(cpu_, layer.gate_up, FusedLinear::Place{index, ProjectionGroup::down}, normed_, tokens, gate_up_);
  fused_.prepare({index, ProjectionGroup::down});
  cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) {
    float* gate = gate_up_.row(token);
    if (config_.gate_scale != 1.0f) cpu_.kernels().scale(gate, config_.gate_scale, width);
    gate_.run(cpu_.kernels(), gate, gate + width, width, gated_.row(token), layer.xielu);
    if (config_.gated_scale != 1.0f) cpu_.kernels().scale(gated_.row(token), config_.gated_scale, width);
    gated_.encode(cpu_.kernels(), token, width);
    fused_.shrink_row(cpu_.kernels(), gated_, token);
  });
  fused_.run(cpu_, layer.down, after_mlp(index), gated_, tokens, delta_);
}

// To delta_ what the experts give, each of the two normed.
void DecoderCpu::run_experts_apart(int32_t index, int64_t tokens) {
  const ExpertWeights& experts = weights_.layers[static_cast<size_t>(index)].experts;
  const Kernels& kernels = cpu_.kernels();
  const int64_t width = config_.hidden_size;
  cpu_.pool().parallel_for(tokens, [&](int64_t token, int) {
    kernels.rms_norm(hidden_.row(token), experts.router_norm.data(), config_.rms_norm_eps, width, rated_.row(token));
    rated_.encode(kernels, token);
    normalize(token, experts.norm);
    normed_.encode(kernels, token);
  });
  mixture_->run(cpu_, index, experts, normed_, rated_, tokens, of_experts_);
  cpu_.pool().parallel_for(tokens, [&](int64_t token, int) {
    float *delta = delta_.row(token), *of_experts = of_experts_.row(token);
    kernels.rms_norm(delta, experts.post_dense_norm.data(), config_.rms_norm_eps, width, delta);
    kernels.rms_norm(of_experts, experts.post_norm.data(), config_.rms_norm_eps, width, of_experts);
    kernels.add(delta, of_experts, width);
  });
}

// From the residual, which normed_ is, to delta_.
void DecoderCpu::run_per_token(int32_t index, int64_t tokens) {
  const DecoderLayer& layer = weights_.layers[static_cast<size_t>(index)];
  const FusedLinear::Place out{index, ProjectionGroup::per_token_out};
  fused_.run(cpu_, layer.per_token_gate, out, normed_, tokens, gate_up_);
  fused_.prepare(out);
  cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) {
    gate_.run(cpu_.kernels(), gate_up_.row(token), per_token_->row(token, index), config_.per_token.size, gated_.row(token));
    gated_.encode(cpu_.kernels(), token, config_.per_token.size);
    fused_.shrink_row(cpu_.kernels(), gated_, token);
  });
  fused_.run(cpu_, layer.per_token_out, after(index), gated_, tokens, delta_);
}

// The MLP reads what attention read, which normed_ still is.
void DecoderCpu::add_attention(FusedLinear::Place next) {
  fused_.prepare(next);
  cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) {
    cpu_.kernels().add(hidden_.row(token), delta_.row(token), config_.hidden_size);
    fused_.shrink_row(cpu_.kernels(), normed_, token);
  });
}

// What follows is the projection at `next`, if any. `scale`: of the sum.
void DecoderCpu::add_and_norm(const std::vector<float>& post_norm, const std::vector<float>& norm, std::optional<FusedLinear::Place> next, float scale) {
  if (next) fused_.prepare(*next);
  cpu_.pool().parallel_for(token_shares_, [&](int64_t token, int) {
    float* delta = delta_.row(token);
    if (!post_norm.empty()) cpu_.kernels().rms_norm(delta, post_norm.data(), config_.rms_norm_eps, config_.hidden_size, delta);
    cpu_.kernels().add(hidden_.row(token), delta, config_.hidden_size);
    if (scale != 1.0f) cpu_.kernels().scale(hidden_.row(token), scale, config_.hidden_size);
    normalize(token, norm);
    if (!next) return;
    normed_.encode(cpu_.kernels(), token);
    fused_.shrink_row(cpu_.kernels(), normed_, token);
  });
}

void DecoderCpu::write_logits(const Batch& batch, std::span<float> logits) {
  if (batch.logit_rows.empty()) return;
  const auto rows = static_cast<int64_t>(batch.logit_rows.size());
  fused_head_.prepare({0, ProjectionGroup::head});
  cpu_.pool().parallel_for(rows, [&](int64_t i, int) {
    std::copy_n(normed_.row(batch.logit_rows[static_cast<size_t>(i)]), config_.hidden_size, last_.row(i));
    last_.encode(cpu_.kernels(), i);
    fused_head_.shrink_row(cpu_.kernels(), last_, i);
  });
  fused_head_.run(cpu_, {&last_, rows, &weights_.head(), weights_.head_bias.empty() ? nullptr : weights_.head_bias.data(), logits.data(), config_.vocab_size}, std::nullopt);
  if (config_.logit_softcap == 0 && head_rows_.empty()) return;
  cpu_.pool().parallel_for(rows, [&](int64_t row, int) {
    float* const own = logits.data() + row * config_.vocab_size;
    if (!head_rows_.empty() && head_rows_[static_cast<size_t>(row)] != nullptr) head_rows_[static_cast<size_t>(row)]->write_logits(last_.row(row), own);
    if (config_.logit_softcap != 0) cpu_.kernels().softcap(own, config_.logit_softcap, config_.vocab_size);
  });
}

std::unique_ptr<Model> load_cpu_model(const std::filesystem::path& weights, ModelConfig config, const ModelOptions& options) {
  const WeightType type = options.weights.value_or(WeightType::i8);
  if (type == WeightType::f16 || type == WeightType::fp8) throw Error("bad_argument", "weightType: found f16 or fp8, expected f32, bf16 or int8 on the CPU");
  if (options.kv == KvType::bf16) throw Error("bad_argument", "kvType: found bf16, expected f32 or f16 on the CPU");
  const bool exact = type == WeightType::f32;
  const std::optional<LoraType> automatic = exact ? std::nullopt : std::optional(LoraType::i8);
  const NumberTypes types{type, options.adapters_as_stored ? std::nullopt : options.adapters ? options.adapters : automatic,
                          options.kv.value_or(exact ? KvType::f32 : KvType::f16)};
  std::shared_ptr<Device> device = make_cpu_device({options.threads, options.isa});
  DecoderWeights packed = load_decoder_weights(weights, config, type);
  return std::make_unique<DecoderCpu>(std::move(config), std::move(packed), std::move(device), types);
}

}  // namespace sgmv
