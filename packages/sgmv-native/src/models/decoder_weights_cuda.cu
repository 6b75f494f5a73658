#include "models/decoder_weights_cuda.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "cuda/e4m3.cuh"
#include "formats/dtype.h"
#include "formats/format_error.h"
#include "layers/lora_adapter.h"
#include "models/decoder_weights.h"
#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

using Format = LinearWeights::Format;
using Parts = std::vector<Checkpoint::Part>;

size_t format_bytes(Format format) { return format == Format::f32 ? 4 : format == Format::e4m3 ? 1 : 2; }
Format format_of(Number type) { return type == Number::f32 ? Format::f32 : type == Number::f16 ? Format::f16 : Format::bf16; }

void store_row(std::span<const float> values, Format format, std::byte* to, float& scale) {
  const auto narrow = [&](auto convert, DType type, const char* found) {
    std::transform(values.begin(), values.end(), reinterpret_cast<uint16_t*>(to), convert);
    if (first_not_finite(type, to, static_cast<int64_t>(values.size())) >= 0) throw std::range_error(found);
  };
  switch (format) {
    case Format::f32: std::copy(values.begin(), values.end(), reinterpret_cast<float*>(to)); return;
    case Format::f16: return narrow(float_to_f16, DType::f16, "a number that half precision cannot hold");
    case Format::bf16: return narrow(float_to_bf16, DType::bf16, "a number that bfloat16 cannot hold");
    case Format::e4m3: break;
  }
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  scale = largest > 0 ? largest / kE4m3Max : 1.0f;
  for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<std::byte>(float_to_e4m3(values[i] / scale));
}

int64_t rows_of(const Parts& parts) {
  int64_t out = 0;
  for (const Checkpoint::Part& part : parts) out += part.out;
  return out;
}

// `count` matrices [out, in] one after the other.
Matrix make_matrices(int64_t count, int64_t out, int64_t in, Format format) {
  const int64_t stride = padded(in);
  Matrix matrix;
  matrix.data = DeviceArray<std::byte>(static_cast<size_t>(count * out * stride) * format_bytes(format));
  if (format == Format::e4m3) matrix.scales = DeviceArray<float>(static_cast<size_t>(count * out));
  matrix.weights = {format, matrix.data.data(), matrix.scales.data(), out, in, stride};
  return matrix;
}

template <typename T>
void upload(const std::vector<T>& values, T* to) {
  if (!values.empty()) check(cudaMemcpy(to, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "copying weights to the device");
}

// Rows of a matrix in the host's memory, and then, of matrix number `index`, on the device.
class MatrixRows {
 public:
  explicit MatrixRows(const LinearWeights& weights)
      : format_(weights.format), row_bytes_(static_cast<size_t>(weights.stride) * format_bytes(weights.format)), rows_(static_cast<size_t>(weights.out)), numbers_(rows_ * row_bytes_),
        scales_(format_ == Format::e4m3 ? rows_ : 0) {}

  void set(int64_t row, std::span<const float> values) {
    float unused = 0;
    store_row(values, format_, numbers_.data() + static_cast<size_t>(row) * row_bytes_, scales_.empty() ? unused : scales_[static_cast<size_t>(row)]);
  }

  void upload_to(const Matrix& matrix, int64_t index) const {
    const size_t first = static_cast<size_t>(index) * rows_;
    upload(numbers_, matrix.data.data() + first * row_bytes_);
    upload(scales_, matrix.scales.data() + (scales_.empty() ? 0 : first));
  }

 private:
  Format format_;
  size_t row_bytes_, rows_;
  std::vector<std::byte> numbers_;
  std::vector<float> scales_;
};

// Matrix number `index` of those: the parts below each other.
void load_into(const Matrix& matrix, int64_t index, const Checkpoint& checkpoint, const Parts& parts) {
  MatrixRows rows(matrix.weights);
  checkpoint.for_each_row(parts, matrix.weights.in, [&](int64_t row, std::span<const float> values) { rows.set(row, values); });
  rows.upload_to(matrix, index);
}

Matrix load_matrix(const Checkpoint& checkpoint, const Parts& parts, int64_t in, Format format) {
  Matrix matrix = make_matrices(1, rows_of(parts), in, format);
  load_into(matrix, 0, checkpoint, parts);
  return matrix;
}

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const ModelConfig& config, Number type, bool fp8)
      : checkpoint_(checkpoint), config_(config), plain_(format_of(type)), projections_(fp8 ? Format::e4m3 : plain_) {}

  // Names in LayerTensors are modules, without ".weight".
  Matrix vocabulary_matrix(const std::string& tensor) const { return plain_matrix(tensor.substr(0, tensor.rfind('.')), config_.vocab_size, config_.hidden_size); }
  Matrix plain_matrix(const std::string& module, int64_t out, int64_t in) const { return load_matrix(checkpoint_, {{module, out, false}}, in, plain_); }
  Matrix projection(const std::string& module, int64_t out, int64_t in) const { return load_matrix(checkpoint_, {{module, out, false}}, in, projections_); }

  DeviceArray<float> norm(const std::string& name, int32_t size) const {
    return name.empty() ? DeviceArray<float>() : uploaded(checkpoint_.norm(name, size));
  }

  DecoderLayerCuda layer(int32_t index) const {
    const LayerTensors names = layer_tensors(checkpoint_, config_, index);
    DecoderLayerCuda layer;
    if (!names.attention_norm.empty()) layer.attention_norm = uploaded(checkpoint_.residual_norm(names.attention_norm));
    if (!names.mlp_norm.empty()) layer.mlp_norm = uploaded(checkpoint_.residual_norm(names.mlp_norm));
    layer.post_attention_norm = norm(names.post_attention_norm, config_.hidden_size);
    layer.post_mlp_norm = norm(names.post_mlp_norm, config_.hidden_size);
    if (!names.q_norm.empty()) layer.q_norm = uploaded(checkpoint_.heads_norm(names.q_norm, config_.heads, config_.kv_shape(index).dim));
    if (!names.k_norm.empty()) layer.k_norm = uploaded(checkpoint_.heads_norm(names.k_norm, config_.kv_heads, config_.kv_shape(index).dim));
    if (config_.qk_norm_weightless && config_.has_rope(index))
      for (DeviceArray<float>* ones : {&layer.q_norm, &layer.k_norm}) *ones = uploaded(std::vector<float>(static_cast<size_t>(config_.head_dim), 1.0f));
    layer.post_per_token_norm = norm(names.post_per_token_norm, config_.hidden_size);
    layer.q_a_norm = norm(names.q_a_norm, config_.latent.q_rank);
    layer.kv_a_norm = norm(names.kv_a_norm, config_.latent.kv_rank);
    if (!names.q_b.empty()) layer.q_b = biased(names.q_b, config_.latent.q_rank);
    if (!names.kv_b.empty()) load_latent_up(names.kv_b, layer);
    if (!names.scale.empty()) layer.scale = checkpoint_.vector(names.scale, 1)[0];
    if (config_.per_token.size > 0) {
      layer.per_token_gate = biased(names.per_token_gate, config_.hidden_size);
      layer.per_token_out = biased(names.per_token_out, config_.per_token.size);
    }
    if (!names.xielu.empty()) layer.xielu = checkpoint_.xielu(names.xielu);
    if (!names.sinks.empty()) layer.sinks = uploaded(checkpoint_.vector(names.sinks, config_.heads));
    if (config_.has_attention(index)) {
      layer.qkv = biased(names.qkv, config_.hidden_size);
      layer.o = biased(names.o, config_.in_features(Projection::o, index));
    }
    if (config_.has_state(index)) {
      layer.state_in = biased(names.state_in, config_.hidden_size);
      layer.state_out = biased(names.state_out, config_.linear.values());
      const StateWeights state = load_state(checkpoint_, names, config_.linear);
      layer.state = {uploaded(state.conv), uploaded(state.conv_bias), uploaded(state.decay_rates), uploaded(state.dt_bias), uploaded(state.skip), uploaded(state.norm)};
    }
    if (config_.has_mlp(index)) {
      layer.gate_up = biased(names.gate_up, config_.hidden_size);
      layer.down = biased(names.down, config_.mlp_size(index));
    }
    if (config_.has_experts(index)) layer.experts = experts(names);
    return layer;
  }

 private:
  // A router that is rounded chooses other experts.
  ExpertWeightsCuda experts(const LayerTensors& names) const {
    const ExpertsConfig& config = config_.experts;
    ExpertWeightsCuda result;
    result.router = load_matrix(checkpoint_, names.router, config_.hidden_size, Format::f32);
    result.gate_up = make_matrices(config.count, int64_t{config_.gated_mlp ? 2 : 1} * config.size, config_.hidden_size, projections_);
    result.down = make_matrices(config.count, config_.hidden_size, config.size, projections_);
    if (!names.choice_bias.empty()) result.choice_bias = uploaded(checkpoint_.vector(names.choice_bias, config.count));
    if (config.apart) {
      result.norm = norm(names.experts_norm, config_.hidden_size);
      result.router_norm = uploaded(checkpoint_.router_norm(names.router_norm));
      result.post_dense_norm = norm(names.post_dense_norm, config_.hidden_size);
      result.post_norm = norm(names.post_experts_norm, config_.hidden_size);
      result.weight_scales = uploaded(checkpoint_.vector(names.weight_scales, config.count));
    }
    std::vector<float> gate_up_bias, down_bias;
    const auto append = [&](std::vector<float>& all, const Parts& parts) {
      const std::vector<float> own = checkpoint_.biases(parts);
      all.insert(all.end(), own.begin(), own.end());
    };
    for (const LayerTensors::Expert& expert : names.experts) {
      const int64_t index = &expert - names.experts.data();
      load_into(result.gate_up, index, checkpoint_, expert.gate_up);
      load_into(result.down, index, checkpoint_, expert.down);
      append(gate_up_bias, expert.gate_up);
      append(down_bias, expert.down);
    }
    result.router_bias = uploaded(checkpoint_.biases(names.router));
    result.gate_up_bias = uploaded(gate_up_bias);
    result.down_bias = uploaded(down_bias);
    return result;
  }

  // kv_b by heads, its keys' half transposed: of a head, its nope_dim rows come first, then its value_dim.
  void load_latent_up(const Parts& kv_b, DecoderLayerCuda& layer) const {
    const LatentConfig& latent = config_.latent;
    const int64_t rank = latent.kv_rank, nope = latent.nope_dim;
    layer.key_up = make_matrices(config_.heads, rank, nope, projections_);
    layer.value_up = make_matrices(config_.heads, latent.value_dim, rank, projections_);
    MatrixRows values(layer.value_up.weights);
    std::vector<float> keys(static_cast<size_t>(rank * nope));  // [rank, nope]
    checkpoint_.for_each_row(kv_b, rank, [&](int64_t row, std::span<const float> numbers) {
      const int64_t head = row / latent.kv_b_head(), in_head = row % latent.kv_b_head();
      if (in_head >= nope) values.set(in_head - nope, numbers);
      else for (int64_t i = 0; i < rank; ++i) keys[static_cast<size_t>(i * nope + in_head)] = numbers[static_cast<size_t>(i)];
      if (in_head + 1 < latent.kv_b_head()) return;
      MatrixRows transposed(layer.key_up.weights);
      for (int64_t i = 0; i < rank; ++i) transposed.set(i, std::span(keys).subspan(static_cast<size_t>(i * nope), static_cast<size_t>(nope)));
      transposed.upload_to(layer.key_up, head);
      values.upload_to(layer.value_up, head);
    });
  }

  BiasedMatrix biased(const Parts& parts, int64_t in) const { return {load_matrix(checkpoint_, parts, in, projections_), uploaded(checkpoint_.biases(parts))}; }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const Format plain_, projections_;
};

float number(const std::byte* at, Format format) {
  switch (format) {
    case Format::f32: return *reinterpret_cast<const float*>(at);
    case Format::f16: return f16_to_float(*reinterpret_cast<const uint16_t*>(at));
    case Format::bf16: return bf16_to_float(*reinterpret_cast<const uint16_t*>(at));
    case Format::e4m3: break;
  }
  return e4m3_to_float(static_cast<uint8_t>(*at));
}

}  // namespace

size_t DecoderWeightsCuda::bytes() const {
  size_t total = embedding.bytes() + lm_head.bytes() + head_bias.bytes() + final_norm.bytes() + per_token_embedding.bytes() + per_token_in.bytes() + per_token_norm.bytes();
  for (const DecoderLayerCuda& layer : layers) {
    for (const BiasedMatrix* matrix : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down, &layer.per_token_gate, &layer.per_token_out, &layer.q_b, &layer.state_in, &layer.state_out}) total += matrix->bytes();
    for (const DeviceArray<float>* vector : {&layer.attention_norm, &layer.mlp_norm, &layer.post_attention_norm, &layer.post_mlp_norm, &layer.q_norm, &layer.k_norm, &layer.sinks, &layer.post_per_token_norm, &layer.q_a_norm, &layer.kv_a_norm})
      total += vector->bytes();
    total += layer.experts.bytes() + layer.state.bytes() + layer.key_up.bytes() + layer.value_up.bytes();
  }
  return total;
}

DecoderWeightsCuda load_decoder_weights_cuda(const std::filesystem::path& weights, const ModelConfig& config, Number type, bool fp8) {
  try {
    const Checkpoint checkpoint(weights, config, WeightType::f32);
    const Loader loader(checkpoint, config, type, fp8);
    DecoderWeightsCuda result;
    result.type = type;
    result.embedding = loader.vocabulary_matrix(kEmbeddingTensor);
    if (!config.tied_embeddings) result.lm_head = loader.vocabulary_matrix(kHeadTensor);
    result.embedding_type = checkpoint.rounded_type(kEmbeddingTensor);
    result.head_type = checkpoint.rounded_type(config.tied_embeddings ? kEmbeddingTensor : kHeadTensor);
    if (config.head_bias) result.head_bias = uploaded(checkpoint.vector(kHeadBiasTensor, config.vocab_size));
    result.final_norm = uploaded(checkpoint.final_norm());
    if (const int32_t width = config.per_token_width(); width > 0) {
      result.per_token_embedding = loader.plain_matrix(kPerTokenEmbedding, config.per_token.vocab, width);
      result.per_token_in = loader.projection(kPerTokenProjection, width, config.hidden_size);
      result.per_token_norm = uploaded(checkpoint.norm(kPerTokenNorm, config.per_token.size));
    }
    for (int32_t layer = 0; layer < config.layers; ++layer) result.layers.push_back(loader.layer(layer));
    check(cudaStreamSynchronize(nullptr), "copying weights to the device");  // other streams do not wait for what the copies leave behind
    return result;
  } catch (const FormatError& error) {
    throw Error("model_corrupt", error.what());
  }
}

const Matrix& DecoderRowsCuda::matrix(const LoraTarget& target) const {
  if (target.projection == Projection::embed_tokens) return weights_.embedding;
  if (target.projection == Projection::lm_head) return weights_.head();
  if (target.projection == Projection::per_token_in) return weights_.per_token_in;
  const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(target.layer)];
  if (target.expert >= 0) return target.projection == Projection::down ? layer.experts.down : layer.experts.gate_up;
  switch (group_of(target.projection)) {
    case ProjectionGroup::qkv: return layer.qkv.matrix;
    case ProjectionGroup::state_in: return layer.state_in.matrix;
    case ProjectionGroup::o: return layer.o.matrix;
    case ProjectionGroup::state_out: return layer.state_out.matrix;
    case ProjectionGroup::gate_up: return layer.gate_up.matrix;
    case ProjectionGroup::latent_q: return layer.q_b.matrix;
    case ProjectionGroup::latent_k: return layer.value_up;  // key_up is alike
    case ProjectionGroup::per_token_gate: return layer.per_token_gate.matrix;
    case ProjectionGroup::per_token_out: return layer.per_token_out.matrix;
    case ProjectionGroup::router: return layer.experts.router;
    default: return layer.down.matrix;
  }
}

namespace {

template <typename T>
void download(const T* from, size_t count, std::vector<T>& values) {
  values.resize(count);
  if (count > 0) check(cudaMemcpy(values.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost), "copying weights from the device");
}

}  // namespace

void DecoderRowsCuda::fetch(const Matrix& matrix, int64_t index) const {
  if (copied_ == &matrix && copied_index_ == index) return;
  const LinearWeights& weights = matrix.weights;
  const auto rows = static_cast<size_t>(weights.out), first = static_cast<size_t>(index) * rows;
  const size_t row_bytes = static_cast<size_t>(weights.stride) * format_bytes(weights.format);
  copied_ = nullptr;
  download(matrix.data.data() + first * row_bytes, rows * row_bytes, numbers_);
  download(matrix.scales.data() + (matrix.scales.size() > 0 ? first : 0), matrix.scales.size() > 0 ? rows : 0, scales_);
  copied_ = &matrix;
  copied_index_ = index;
}

float DecoderRowsCuda::number(const LinearWeights& weights, int64_t row, int64_t column) const {
  const std::byte* at = numbers_.data() + static_cast<size_t>(row * weights.stride + column) * format_bytes(weights.format);
  return cuda::number(at, weights.format) * (scales_.empty() ? 1.0f : scales_[static_cast<size_t>(row)]);
}

void DecoderRowsCuda::copy_row(const LoraTarget& target, int64_t row, float* out) const {
  int64_t index = std::max(target.expert, 0);
  const Matrix* wanted = &matrix(target);
  bool transposed = false;
  if (target.projection == Projection::kv_b) {
    const DecoderLayerCuda& layer = weights_.layers[static_cast<size_t>(target.layer)];
    index = row / config_.latent.kv_b_head();
    row %= config_.latent.kv_b_head();
    transposed = row < config_.latent.nope_dim;
    wanted = transposed ? &layer.key_up : &layer.value_up;
    if (!transposed) row -= config_.latent.nope_dim;
  }
  const LinearWeights& weights = wanted->weights;
  fetch(*wanted, index);
  row += output_column(target, config_);
  for (int64_t i = 0; i < (transposed ? weights.out : weights.in); ++i) out[i] = transposed ? number(weights, i, row) : number(weights, row, i);
}

std::vector<float> DecoderRowsCuda::head_bias() const {
  std::vector<float> bias;
  download(weights_.head_bias.data(), weights_.head_bias.size(), bias);
  return bias;
}

float DecoderRowsCuda::tolerance(const LoraTarget& target) const {
  switch (matrix(target).weights.format) {
    case Format::f32: return 0.0f;
    case Format::f16: return 0x1p-11f;
    case Format::bf16: return 0x1p-8f;
    case Format::e4m3: break;
  }
  return 1.0f / 16;  // half a step of three bits, of the largest of a row
}

}  // namespace sgmv::cuda
