#include "models/decoder_weights.h"

#include "formats/format_error.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

DecoderLayer load_layer(const Checkpoint& checkpoint, const ModelConfig& config, int32_t index) {
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  const auto part = [&](const std::string& group, Projection p, bool bias) {
    return Checkpoint::Part{group + projection_name(p), config.out_features(p), bias};
  };
  DecoderLayer layer;
  layer.attention_norm = checkpoint.vector(prefix + "input_layernorm.weight", config.hidden_size);
  layer.mlp_norm = checkpoint.vector(prefix + "post_attention_layernorm.weight", config.hidden_size);
  if (config.qk_norm) {
    layer.q_norm = checkpoint.vector(attention + "q_norm.weight", config.head_dim);
    layer.k_norm = checkpoint.vector(attention + "k_norm.weight", config.head_dim);
  }
  const bool bias = config.attention_bias;
  layer.qkv = checkpoint.linear({part(attention, Projection::q, bias), part(attention, Projection::k, bias), part(attention, Projection::v, bias)},
                                config.hidden_size);
  // Llama with attention_bias has one on o too, Qwen2 has not: the file tells.
  const bool o_bias = bias && checkpoint.has(attention + "o_proj.bias");
  layer.o = checkpoint.linear({part(attention, Projection::o, o_bias)}, config.in_features(Projection::o));
  layer.gate_up = checkpoint.linear({part(mlp, Projection::gate, config.mlp_bias), part(mlp, Projection::up, config.mlp_bias)}, config.hidden_size);
  layer.down = checkpoint.linear({part(mlp, Projection::down, config.mlp_bias)}, config.intermediate_size);
  return layer;
}

}  // namespace

size_t DecoderWeights::bytes() const {
  size_t total = embedding.bytes() + lm_head.bytes() + final_norm.size() * sizeof(float);
  for (const DecoderLayer& layer : layers)
    total += layer.qkv.bytes() + layer.o.bytes() + layer.gate_up.bytes() + layer.down.bytes() +
             (layer.attention_norm.size() + layer.mlp_norm.size() + layer.q_norm.size() + layer.k_norm.size()) * sizeof(float);
  return total;
}

DecoderWeights load_decoder_weights(const std::filesystem::path& weights, const ModelConfig& config, WeightType compute) {
  try {
    const Checkpoint checkpoint(weights, config, compute);
    DecoderWeights result;
    result.embedding = checkpoint.matrix("model.embed_tokens.weight", config.vocab_size, config.hidden_size);
    if (!config.tied_embeddings) result.lm_head = checkpoint.matrix("lm_head.weight", config.vocab_size, config.hidden_size);
    result.final_norm = checkpoint.vector("model.norm.weight", config.hidden_size);
    for (int32_t layer = 0; layer < config.layers; ++layer) result.layers.push_back(load_layer(checkpoint, config, layer));
    return result;
  } catch (const FormatError& error) {
    throw Error("model_corrupt", error.what());
  }
}

}  // namespace sgmv
