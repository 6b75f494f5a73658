#include "random_model.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "formats/dtype.h"

namespace sgmv::bench {
namespace {

using namespace sgmv::cuda;

constexpr int32_t kRank = 16;
constexpr float kWeightScale = 0.04f;  // of the random numbers between -0.5 and 0.5

Matrix random_matrix(cudaStream_t stream, int64_t out, int64_t in, bool fp8) {
  Matrix matrix;
  const int64_t stride = padded(in), count = out * stride;
  matrix.data = DeviceArray<std::byte>(static_cast<size_t>(count) * (fp8 ? 1 : 2));
  if (fp8) fill_random_e4m3(stream, reinterpret_cast<uint8_t*>(matrix.data.data()), count);
  else fill_random(stream, Number::bf16, matrix.data.data(), count);
  if (fp8) matrix.scales = uploaded(std::vector<float>(static_cast<size_t>(out), kWeightScale));
  matrix.weights = {fp8 ? LinearWeights::Format::e4m3 : LinearWeights::Format::bf16, matrix.data.data(), matrix.scales.data(), out, in, stride};
  return matrix;
}

DeviceArray<float> ones(int64_t count) { return uploaded(std::vector<float>(static_cast<size_t>(count), 1.0f)); }

DecoderWeightsCuda random_weights(cudaStream_t stream, const ModelConfig& config, bool fp8) {
  DecoderWeightsCuda weights;
  weights.type = Number::bf16;
  weights.embedding = random_matrix(stream, config.vocab_size, config.hidden_size, false);
  weights.lm_head = random_matrix(stream, config.vocab_size, config.hidden_size, false);
  weights.final_norm = ones(config.hidden_size);
  using enum Projection;
  for (int32_t i = 0; i < config.layers; ++i) {
    DecoderLayerCuda layer;
    layer.attention_norm = ones(config.hidden_size);
    layer.mlp_norm = ones(config.hidden_size);
    layer.qkv.matrix = random_matrix(stream, config.out_features(qkv), config.hidden_size, fp8);
    layer.o.matrix = random_matrix(stream, config.hidden_size, config.in_features(o), fp8);
    layer.gate_up.matrix = random_matrix(stream, config.out_features(gate_up), config.hidden_size, fp8);
    layer.down.matrix = random_matrix(stream, config.hidden_size, config.intermediate_size, fp8);
    weights.layers.push_back(std::move(layer));
  }
  check(cudaDeviceSynchronize(), "making random weights");
  return weights;
}

void fill_random_floats(float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(random_number(Number::f32, i)) * kWeightScale;
}

// A and B of 8 bits, or their numbers in bfloat16 with what fills them up.
void fill_factors(LoraFormat format, int64_t in, int64_t out, std::byte* a, std::byte* b) {
  std::vector<float> numbers(static_cast<size_t>(kRank * std::max(padded(in), out)));
  fill_random_floats(numbers.data(), static_cast<int64_t>(numbers.size()));
  if (format == LoraFormat::q8) {
    pack_lora_a_q8(numbers.data(), kRank, in, a);
    pack_lora_b_q8(numbers.data(), out, kRank, b);
    return;
  }
  for (int64_t i = 0; i < kRank * padded(in); ++i) reinterpret_cast<uint16_t*>(a)[i] = float_to_bf16(numbers[static_cast<size_t>(i)]);
  for (int64_t i = 0; i < out * kRank; ++i) reinterpret_cast<uint16_t*>(b)[i] = float_to_bf16(numbers[static_cast<size_t>(i)]);
}

std::shared_ptr<const LoraImage> random_image(const ModelConfig& config, LoraFormat format) {
  auto image = std::make_shared<LoraImage>();
  image->head = head_factor(config.layers);
  image->factors.resize(factor_count(config, false, false, false));
  image->rank_max = kRank;
  size_t bytes = 0;
  const auto take = [&](size_t size) { return std::exchange(bytes, bytes + (size + 255) / 256 * 256); };
  const auto for_each_factor = [&](auto visit) {
    for (int32_t layer = 0; layer < config.layers; ++layer)
      for (const Projection p : config.layer_projections(layer)) visit(image->factors[static_cast<size_t>(layer * kFactorsPerLayer + factor_of(p))], config.in_features(p, layer), config.out_features(p, layer));
  };
  for_each_factor([&](LoraImage::Factor& f, int64_t in, int64_t out) {
    const size_t a = take(lora_a_bytes(format, Number::bf16, kRank, in)), b = take(lora_b_bytes(format, Number::bf16, kRank, out));
    f = {kRank, 1.0f, a, b, 0, false};
  });
  image->data = PinnedArray<std::byte>(bytes);
  std::memset(image->data.data(), 0, bytes);
  for_each_factor([&](const LoraImage::Factor& f, int64_t in, int64_t out) { fill_factors(format, in, out, image->data.data() + f.a, image->data.data() + f.b); });
  return image;
}

}  // namespace

ModelConfig llama2_7b() {
  ModelConfig config;
  config.model_type = "llama";
  config.vocab_size = 32000;
  config.hidden_size = 4096;
  config.intermediate_size = 11008;
  config.layers = 32;
  config.heads = config.kv_heads = 32;
  config.head_dim = 128;
  config.max_positions = 4096;
  config.attention_scale = 0.08838834764f;
  return config;
}

ModelConfig tiny_llama() {
  ModelConfig config = llama2_7b();
  config.vocab_size = 100;
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.layers = 2;
  config.heads = config.kv_heads = 4;
  config.head_dim = 16;
  config.max_positions = 256;
  config.attention_scale = 0.25f;
  return config;
}

RandomModel::RandomModel(Measure& measure, const ModelConfig& config, Kind kind) : RandomModel(measure, config, std::make_shared<Context>(0), kind) {}

RandomModel::RandomModel(Measure& measure, const ModelConfig& config, std::shared_ptr<Context> context, Kind kind)
    : DecoderCuda(config, random_weights(measure.stream(), config, kind.fp8), context, kind.batch_invariant ? nullptr : std::make_unique<CublasLt>(), kind.adapters, 0),
      image_(random_image(config, kind.adapters)), context_(context) {}

std::shared_ptr<const Adapter> RandomModel::load_adapter(const std::filesystem::path&) {
  context_->use();
  return std::make_shared<LoraAdapterCuda>(context_, image_);
}

}  // namespace sgmv::bench
