#include "models/decoder_weights.h"

#include "formats/format_error.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

DecoderLayer load_layer(const Checkpoint& checkpoint, const ModelConfig& config, int32_t index) {
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  const auto parts = [&](const std::string& group, std::initializer_list<Projection> projections, bool bias) {
    std::vector<Checkpoint::Part> list;
    for (const Projection p : projections) list.push_back({group + projection_name(p), config.out_features(p), bias});
    return list;
  };
  DecoderLayer layer;
  layer.attention_norm = checkpoint.norm(prefix + "input_layernorm.weight", config.hidden_size);
  layer.mlp_norm = checkpoint.norm(prefix + (config.post_norms ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight"), config.hidden_size);
  if (config.post_norms) {
    layer.post_attention_norm = checkpoint.norm(prefix + "post_attention_layernorm.weight", config.hidden_size);
    layer.post_mlp_norm = checkpoint.norm(prefix + "post_feedforward_layernorm.weight", config.hidden_size);
  }
  if (config.qk_norm) {
    layer.q_norm = checkpoint.norm(attention + "q_norm.weight", config.head_dim);
    layer.k_norm = checkpoint.norm(attention + "k_norm.weight", config.head_dim);
  }
  using enum Projection;
  const bool bias = config.attention_bias, fused = config.fused_projections;
  layer.qkv = checkpoint.linear(fused ? parts(attention, {qkv}, bias) : parts(attention, {q, k, v}, bias), config.hidden_size);
  // Llama with attention_bias has one on o too, Qwen2 has not: the file tells.
  layer.o = checkpoint.linear(parts(attention, {o}, bias && checkpoint.has(attention + "o_proj.bias")), config.in_features(o));
  layer.gate_up = checkpoint.linear(fused ? parts(mlp, {gate_up}, config.mlp_bias) : parts(mlp, {gate, up}, config.mlp_bias), config.hidden_size);
  layer.down = checkpoint.linear(parts(mlp, {down}, config.mlp_bias), config.intermediate_size);
  return layer;
}

}  // namespace

size_t DecoderWeights::bytes() const {
  size_t total = embedding.bytes() + lm_head.bytes() + final_norm.size() * sizeof(float);
  for (const DecoderLayer& layer : layers)
    total += layer.qkv.bytes() + layer.o.bytes() + layer.gate_up.bytes() + layer.down.bytes() +
             (layer.attention_norm.size() + layer.post_attention_norm.size() + layer.mlp_norm.size() + layer.post_mlp_norm.size() +
              layer.q_norm.size() + layer.k_norm.size()) * sizeof(float);
  return total;
}

const PackedMatrix& DecoderRows::matrix(const LoraTarget& target) const {
  if (target.projection == Projection::embed_tokens) return weights_.embedding;
  if (target.projection == Projection::lm_head) return weights_.head();
  const DecoderLayer& layer = weights_.layers[static_cast<size_t>(target.layer)];
  switch (group_of(target.projection)) {
    case ProjectionGroup::qkv: return layer.qkv.weights;
    case ProjectionGroup::o: return layer.o.weights;
    case ProjectionGroup::gate_up: return layer.gate_up.weights;
    default: return layer.down.weights;
  }
}

void DecoderRows::copy_row(const LoraTarget& target, int64_t row, float* out) const {
  matrix(target).copy_row(output_column(target.projection, config_) + row, out);
}

float DecoderRows::tolerance(const LoraTarget& target) const {
  switch (matrix(target).storage()) {
    case PackedMatrix::Storage::f32: return 0.0f;
    case PackedMatrix::Storage::f16: return 0x1p-11f;
    case PackedMatrix::Storage::bf16: return 0x1p-8f;
    case PackedMatrix::Storage::q8: return 1.0f / 250;  // half a step of 1/127, its scale rounded
    case PackedMatrix::Storage::q4: break;
  }
  return 1.0f / 12;
}

DecoderWeights load_decoder_weights(const std::filesystem::path& weights, const ModelConfig& config, WeightType compute) {
  try {
    const Checkpoint checkpoint(weights, config, compute);
    DecoderWeights result;
    result.embedding = checkpoint.matrix("model.embed_tokens.weight", config.vocab_size, config.hidden_size);
    if (!config.tied_embeddings) result.lm_head = checkpoint.matrix("lm_head.weight", config.vocab_size, config.hidden_size);
    result.final_norm = checkpoint.norm("model.norm.weight", config.hidden_size);
    for (int32_t layer = 0; layer < config.layers; ++layer) result.layers.push_back(load_layer(checkpoint, config, layer));
    return result;
  } catch (const FormatError& error) {
    throw Error("model_corrupt", error.what());
  }
}

}  // namespace sgmv
