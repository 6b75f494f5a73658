#include "models/decoder_weights.h"

#include "formats/format_error.h"
#include "models/layer_tensors.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

// kv_b by heads.
LatentUp load_latent_up(const Checkpoint& checkpoint, const std::vector<Checkpoint::Part>& kv_b, const ModelConfig& config) {
  const LatentConfig& latent = config.latent;
  const auto rank = static_cast<size_t>(latent.kv_rank), nope = static_cast<size_t>(latent.nope_dim), value = static_cast<size_t>(latent.value_dim), each = nope + value;
  std::vector<float> rows(static_cast<size_t>(config.heads) * each * rank), transposed(rank * nope);
  checkpoint.for_each_row(kv_b, latent.kv_rank, [&](int64_t row, std::span<const float> values) { std::copy(values.begin(), values.end(), rows.begin() + row * latent.kv_rank); });
  const auto add = [&](std::vector<Linear>& to, std::span<const float> of_head, size_t out, size_t in) {
    to.push_back({checkpoint.remade(kv_b, latent.kv_rank, of_head, static_cast<int64_t>(out), static_cast<int64_t>(in)), {}});
  };
  LatentUp up;
  for (size_t head = 0; head < static_cast<size_t>(config.heads); ++head) {
    const std::span<const float> of_head = std::span(rows).subspan(head * each * rank, each * rank);
    for (size_t i = 0; i < nope; ++i)
      for (size_t r = 0; r < rank; ++r) transposed[r * nope + i] = of_head[i * rank + r];
    add(up.keys, transposed, rank, nope);
    add(up.values, of_head.subspan(nope * rank), value, rank);
  }
  return up;
}

DecoderLayer load_layer(const Checkpoint& checkpoint, const ModelConfig& config, int32_t index) {
  const LayerTensors names = layer_tensors(checkpoint, config, index);
  const auto norm = [&](const std::string& name, int32_t size) { return name.empty() ? std::vector<float>() : checkpoint.norm(name, size); };
  DecoderLayer layer;
  if (!names.attention_norm.empty()) layer.attention_norm = checkpoint.residual_norm(names.attention_norm);
  if (!names.mlp_norm.empty()) layer.mlp_norm = checkpoint.residual_norm(names.mlp_norm);
  layer.post_attention_norm = norm(names.post_attention_norm, config.hidden_size);
  layer.post_mlp_norm = norm(names.post_mlp_norm, config.hidden_size);
  if (!names.q_norm.empty()) layer.q_norm = checkpoint.heads_norm(names.q_norm, config.heads, config.kv_shape(index).dim);
  if (!names.k_norm.empty()) layer.k_norm = checkpoint.heads_norm(names.k_norm, config.kv_heads, config.kv_shape(index).dim);
  if (config.qk_norm_weightless && config.has_rope(index)) layer.q_norm = layer.k_norm = std::vector<float>(static_cast<size_t>(config.head_dim), 1.0f);
  layer.post_per_token_norm = norm(names.post_per_token_norm, config.hidden_size);
  layer.q_a_norm = norm(names.q_a_norm, config.latent.q_rank);
  layer.kv_a_norm = norm(names.kv_a_norm, config.latent.kv_rank);
  if (!names.q_b.empty()) layer.q_b = checkpoint.linear(names.q_b, config.latent.q_rank);
  if (!names.kv_b.empty()) layer.latent_up = load_latent_up(checkpoint, names.kv_b, config);
  if (!names.scale.empty()) layer.scale = checkpoint.vector(names.scale, 1)[0];
  if (config.per_token.size > 0) {
    layer.per_token_gate = checkpoint.linear(names.per_token_gate, config.hidden_size);
    layer.per_token_out = checkpoint.linear(names.per_token_out, config.per_token.size);
  }
  if (!names.xielu.empty()) layer.xielu = checkpoint.xielu(names.xielu);
  if (!names.sinks.empty()) layer.sinks = checkpoint.vector(names.sinks, config.heads);
  if (config.has_attention(index)) {
    layer.qkv = checkpoint.linear(names.qkv, config.hidden_size);
    layer.o = checkpoint.linear(names.o, config.in_features(Projection::o, index));
  }
  if (config.has_state(index)) {
    layer.state_in = checkpoint.linear(names.state_in, config.hidden_size);
    layer.state_out = checkpoint.linear(names.state_out, config.linear.values());
    layer.state = load_state(checkpoint, names, config.linear);
  }
  if (config.has_mlp(index)) {
    layer.gate_up = checkpoint.linear(names.gate_up, config.hidden_size);
    layer.down = checkpoint.linear(names.down, config.mlp_size(index));
  }
  if (!config.has_experts(index)) return layer;
  // A router that is rounded chooses other experts.
  layer.experts.router = checkpoint.linear(names.router, config.hidden_size, WeightType::f32);
  if (!names.choice_bias.empty()) layer.experts.choice_bias = checkpoint.vector(names.choice_bias, config.experts.count);
  if (config.experts.apart) {
    layer.experts.norm = norm(names.experts_norm, config.hidden_size);
    layer.experts.router_norm = checkpoint.router_norm(names.router_norm);
    layer.experts.post_dense_norm = norm(names.post_dense_norm, config.hidden_size);
    layer.experts.post_norm = norm(names.post_experts_norm, config.hidden_size);
    layer.experts.weight_scales = checkpoint.vector(names.weight_scales, config.experts.count);
  }
  for (const LayerTensors::Expert& expert : names.experts) {
    layer.experts.gate_up.push_back(checkpoint.linear(expert.gate_up, config.hidden_size));
    layer.experts.down.push_back(checkpoint.linear(expert.down, config.experts.size));
  }
  return layer;
}

}  // namespace

StateWeights load_state(const Checkpoint& checkpoint, const LayerTensors& names, const LinearAttentionConfig& config) {
  const auto vector = [&](const std::string& name, int64_t size) { return name.empty() ? std::vector<float>() : checkpoint.vector(name, size); };
  return {checkpoint.conv(names.conv), vector(names.conv_bias, config.conv_width()), names.decay.empty() ? std::vector<float>() : checkpoint.decay_rates(names.decay),
          vector(names.dt_bias, config.value_heads), vector(names.skip, config.value_heads), vector(names.state_norm, config.is_mamba() ? config.values() : config.value_dim)};
}

size_t DecoderLayer::bytes() const {
  const size_t vectors = attention_norm.size() + post_attention_norm.size() + mlp_norm.size() + post_mlp_norm.size() + q_norm.size() + k_norm.size() + sinks.size() + post_per_token_norm.size() + q_a_norm.size() + kv_a_norm.size();
  return qkv.bytes() + o.bytes() + q_b.bytes() + latent_up.bytes() + per_token_gate.bytes() + per_token_out.bytes() + gate_up.bytes() + down.bytes() + experts.bytes() + state_in.bytes() + state_out.bytes() + state.bytes() + vectors * sizeof(float);
}

size_t DecoderWeights::bytes() const {
  size_t total = embedding.bytes() + lm_head.bytes() + (head_bias.size() + final_norm.size()) * sizeof(float) + per_token.bytes();
  for (const DecoderLayer& layer : layers) total += layer.bytes();
  return total;
}

const PackedMatrix& DecoderRows::matrix(const LoraTarget& target) const {
  if (target.projection == Projection::embed_tokens) return weights_.embedding;
  if (target.projection == Projection::lm_head) return weights_.head();
  if (target.projection == Projection::per_token_in) return weights_.per_token.projection.weights;
  const DecoderLayer& layer = weights_.layers[static_cast<size_t>(target.layer)];
  if (target.expert >= 0)
    return (target.projection == Projection::down ? layer.experts.down : layer.experts.gate_up)[static_cast<size_t>(target.expert)].weights;
  switch (group_of(target.projection)) {
    case ProjectionGroup::qkv: return layer.qkv.weights;
    case ProjectionGroup::state_in: return layer.state_in.weights;
    case ProjectionGroup::o: return layer.o.weights;
    case ProjectionGroup::state_out: return layer.state_out.weights;
    case ProjectionGroup::gate_up: return layer.gate_up.weights;
    case ProjectionGroup::latent_q: return layer.q_b.weights;
    case ProjectionGroup::latent_k: return layer.latent_up.values[0].weights;  // all are alike
    case ProjectionGroup::per_token_gate: return layer.per_token_gate.weights;
    case ProjectionGroup::per_token_out: return layer.per_token_out.weights;
    case ProjectionGroup::router: return layer.experts.router.weights;
    default: return layer.down.weights;
  }
}

void DecoderRows::copy_row(const LoraTarget& target, int64_t row, float* out) const {
  if (target.projection == Projection::kv_b) return weights_.layers[static_cast<size_t>(target.layer)].latent_up.copy_row(config_.latent, row, out);
  matrix(target).copy_row(output_column(target, config_) + row, out);
}

float DecoderRows::tolerance(const LoraTarget& target) const {
  switch (matrix(target).storage()) {
    case PackedMatrix::Storage::f32: return 0.0f;
    case PackedMatrix::Storage::f16: return 0x1p-11f;
    case PackedMatrix::Storage::bf16: return 0x1p-8f;
    case PackedMatrix::Storage::q8: return 1.0f / 250;  // half a step of 1/127, its scale rounded
    case PackedMatrix::Storage::q4: break;
  }
  return dtype_step(stored_type(target)) > 0 ? 0.0f : 1.0f / 12;  // a GGUF file's are kept as they are
}

bool has_own_head(const std::filesystem::path& weights, const ModelConfig& config) {
  try {
    const Checkpoint checkpoint(weights, config, WeightType::f32);
    return checkpoint.has(kHeadTensor) && !checkpoint.same_matrix(kEmbeddingTensor, kHeadTensor, config.vocab_size, config.hidden_size);
  } catch (const FormatError& error) {
    throw Error("model_corrupt", error.what());
  }
}

DecoderWeights load_decoder_weights(const std::filesystem::path& weights, const ModelConfig& config, WeightType compute) {
  try {
    const Checkpoint checkpoint(weights, config, compute);
    DecoderWeights result;
    result.embedding = checkpoint.matrix(kEmbeddingTensor, config.vocab_size, config.hidden_size);
    if (!config.tied_embeddings) result.lm_head = checkpoint.matrix(kHeadTensor, config.vocab_size, config.hidden_size);
    result.embedding_type = checkpoint.rounded_type(kEmbeddingTensor);
    result.head_type = checkpoint.rounded_type(config.tied_embeddings ? kEmbeddingTensor : kHeadTensor);
    if (config.head_bias) result.head_bias = checkpoint.vector(kHeadBiasTensor, config.vocab_size);
    result.final_norm = checkpoint.final_norm();
    if (const int64_t size = config.per_token.size; size > 0) {
      result.per_token.embedding = checkpoint.matrix(std::string(kPerTokenEmbedding) + ".weight", config.per_token.vocab, config.per_token_width());
      result.per_token.projection = checkpoint.linear({{kPerTokenProjection, config.per_token_width(), false}}, config.hidden_size);
      result.per_token.norm = checkpoint.norm(kPerTokenNorm, size);
    }
    for (int32_t layer = 0; layer < config.layers; ++layer) result.layers.push_back(load_layer(checkpoint, config, layer));
    return result;
  } catch (const FormatError& error) {
    throw Error("model_corrupt", error.what());
  }
}

}  // namespace sgmv
