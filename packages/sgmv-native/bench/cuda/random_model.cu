#include "random_model.h"

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

std::shared_ptr<const LoraImage> random_image(const ModelConfig& config) {
  auto image = std::make_shared<LoraImage>();
  image->factors.resize(static_cast<size_t>(config.layers) * kFactorsPerLayer + 1);
  image->rank_max = kRank;
  size_t bytes = 0;
  const auto take = [&](int64_t numbers) {
    const size_t at = bytes;
    bytes += (static_cast<size_t>(numbers) * 2 + 255) / 256 * 256;
    return at;
  };
  for (int32_t layer = 0; layer < config.layers; ++layer)
    for (const Projection p : config.layer_projections()) {
      LoraImage::Factor& f = image->factors[static_cast<size_t>(layer * kFactorsPerLayer + factor_of(p))];
      f = {kRank, 1.0f, take(kRank * padded(config.in_features(p))), take(config.out_features(p) * lora_b_stride(kRank)), 0, false};
    }
  image->data = PinnedArray<std::byte>(bytes);
  auto* numbers = reinterpret_cast<uint16_t*>(image->data.data());
  for (size_t i = 0; i < bytes / 2; ++i) numbers[i] = float_to_bf16(static_cast<float>(random_number(Number::f32, static_cast<int64_t>(i))) * kWeightScale);
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

RandomModel::RandomModel(Measure& measure, ModelConfig config, bool batch_invariant, bool fp8)
    : RandomModel(measure, config, std::make_shared<Context>(0), batch_invariant, fp8) {}

RandomModel::RandomModel(Measure& measure, const ModelConfig& config, std::shared_ptr<Context> context, bool batch_invariant, bool fp8)
    : DecoderCuda(config, random_weights(measure.stream(), config, fp8), context, batch_invariant ? nullptr : std::make_unique<CublasLt>(), 0), image_(random_image(config)), context_(context) {}

std::shared_ptr<const Adapter> RandomModel::load_adapter(const std::filesystem::path&) {
  context_->use();
  return std::make_shared<LoraAdapterCuda>(context_, image_);
}

}  // namespace sgmv::bench
