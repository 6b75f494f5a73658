// Latent attention: queries brought into the latent's space and what attention gives brought out of it, against float64; and what a token
// takes of the cache.
#include <algorithm>
#include <cmath>
#include <random>

#include "check.h"
#include "golden_folder.h"
#include "layers/latent_attention.h"
#include "layers/lora_checks.h"
#include "models/decoder_weights.h"

namespace sgmv::test {
namespace {

using Matrix = std::vector<std::vector<double>>;  // [out][in]

// A layer's kv_b with what an adapter makes of it: m / ‖W + s·B·A‖ · (W + s·B·A), or W + s·B·A without magnitudes. A missing adapter: W.
Matrix adapted(const ModelConfig& config, const LatentUp& up, int32_t layer, const std::filesystem::path& adapter) {
  const auto rank = static_cast<size_t>(config.latent.kv_rank);
  Matrix matrix;
  std::vector<float> row(rank);
  for (int32_t i = 0; i < config.out_features(Projection::kv_b); ++i) {
    up.copy_row(config.latent, i, row.data());
    matrix.emplace_back(row.begin(), row.end());
  }
  if (adapter.empty()) return matrix;
  ProblemList problems;
  const PeftAdapter source(adapter, config, problems);
  for (const PeftPair& pair : source.pairs()) {
    if (pair.target.projection != Projection::kv_b || pair.target.layer != layer) continue;
    const auto read = [&](const NamedTensor& tensor) { return widened(source.read_checked(tensor, problems), tensor.info.dtype); };
    const std::vector<float> a = read(pair.a), b = read(pair.b), magnitudes = pair.magnitude ? read(*pair.magnitude) : std::vector<float>();
    const auto r = static_cast<size_t>(pair.target.rank);
    for (size_t out = 0; out < matrix.size(); ++out) {
      double squares = 0;
      for (size_t in = 0; in < rank; ++in) {
        for (size_t k = 0; k < r; ++k) matrix[out][in] += double{pair.target.scale} * b[out * r + k] * a[k * rank + in];
        squares += matrix[out][in] * matrix[out][in];
      }
      for (double& value : matrix[out]) value *= magnitudes.empty() ? 1.0 : magnitudes[out] / std::sqrt(squares);
    }
  }
  CHECK(problems.empty());
  return matrix;
}

struct Case {
  const char *family, *adapter;
  WeightType weights;
  std::optional<LoraType> adapters;
  double tolerance;  // of the sum of the terms' magnitudes
};

void run(const Case& c, CpuDevice& device) {
  const std::filesystem::path folder = golden_root() / c.family, adapter_folder = folder / "adapters" / c.adapter;
  const ModelConfig config = read_model_config(folder / "model");
  const DecoderWeights weights = load_decoder_weights(folder / "model", config, c.weights);
  const auto adapter = load_lora_adapter(adapter_folder, config, c.adapters, DecoderRows(weights, config));
  const LatentConfig& shape = config.latent;
  constexpr int32_t kTokens = 7, kLayer = 1;
  const LatentUp& up = weights.layers[kLayer].latent_up;
  LatentAttention latent(config, c.weights != WeightType::f32);
  // Runs of two, a lone token, and tokens without an adapter between and behind them.
  const std::vector<Segment> segments{{0, 1, nullptr}, {1, 3, adapter.get()}, {3, 4, nullptr}, {4, 5, adapter.get()}, {5, 7, nullptr}};
  const Matrix base = adapted(config, up, kLayer, {}), with = adapted(config, up, kLayer, adapter_folder);
  const auto matrix_of = [&](int64_t token) -> const Matrix& { return token == 1 || token == 2 || token == 4 ? with : base; };
  latent.plan(segments, kTokens);
  latent.reserve({true, true});
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  Activations& q = shape.q_rank > 0 ? latent.q() : latent.first();
  for (int64_t token = 0; token < kTokens; ++token)
    for (int64_t i = 0; i < config.q_width(0); ++i) q.row(token)[i] = normal(generator);
  const auto check = [&](double found, double expected, double magnitude, const char* what, int64_t token, int64_t head, int64_t i) {
    CHECK(std::abs(found - expected) <= c.tolerance * magnitude, c.family, " ", c.adapter, " ", device.name(), ": ", what, " of token ", token, " head ", head, " number ", i, ": ", found,
          " expected ", expected);
  };

  Activations queries;
  queries.reserve(kTokens, config.qkv_width_max());
  latent.absorb_keys(device, kLayer, up, queries);
  for (int64_t token = 0; token < kTokens; ++token)
    for (int64_t head = 0; head < config.heads; ++head)
      for (int64_t r = 0; r < shape.kv_rank; ++r) {
        double expected = 0, magnitude = 0;
        for (int64_t i = 0; i < shape.nope_dim; ++i) {
          const double term = matrix_of(token)[static_cast<size_t>(head * shape.kv_b_head() + i)][static_cast<size_t>(r)] * q.row(token)[head * config.head_dim + i];
          expected += term;
          magnitude += std::abs(term);
        }
        check(queries.row(token)[head * shape.kv_a_width() + r], expected, magnitude, "query", token, head, r);
      }

  for (int64_t row = 0; row < kTokens * config.heads; ++row)
    for (int64_t r = 0; r < shape.kv_rank; ++r) latent.attended().row(row)[r] = normal(generator);
  Activations values;
  values.reserve(kTokens, config.attended_width(0));
  latent.prepare_values(kLayer);
  for (int64_t token = 0; token < kTokens; ++token) latent.finish_values(device.kernels(), token);
  latent.multiply_values(device, up, values);
  for (int64_t token = 0; token < kTokens; ++token)
    for (int64_t head = 0; head < config.heads; ++head)
      for (int64_t i = 0; i < shape.value_dim; ++i) {
        double expected = 0, magnitude = 0;
        for (int64_t r = 0; r < shape.kv_rank; ++r) {
          const double term = matrix_of(token)[static_cast<size_t>(head * shape.kv_b_head() + shape.nope_dim + i)][static_cast<size_t>(r)] * latent.attended().row(head * kTokens + token)[r];
          expected += term;
          magnitude += std::abs(term);
        }
        check(values.row(token)[head * shape.value_dim + i], expected, magnitude, "value", token, head, i);
      }
}

TEST("latent attention: queries into the latent's space and values out of it, with adapters between, against float64") {
  for (const std::string& isa : available_isas()) {
    const auto device = make_cpu_device({2, isa});
    for (const Case& c : std::initializer_list<Case>{{"deepseek-v3", "experts", WeightType::f32, std::nullopt, 1e-6}, {"deepseek-v3", "dora", WeightType::f32, std::nullopt, 1e-6},
                                                     {"deepseek-v2", "dora", WeightType::f32, std::nullopt, 1e-6}, {"minicpm3", "all-r2", WeightType::f32, LoraType::i8, 2e-2},
                                                     {"glm4-moe-lite", "dora", WeightType::bf16, LoraType::bf16, 2e-2}, {"deepseek-v3", "dora", WeightType::i8, LoraType::i8, 3e-2}})
      run(c, as_cpu(*device));
  }
}

TEST("latent attention: a token takes one row of the cache a layer, in any type") {
  for (const char* family : {"deepseek-v2", "deepseek-v3", "glm4-moe-lite", "minicpm3"})
    for (const KvType type : {KvType::f32, KvType::f16}) {
      const auto model = Model::load(golden_root() / family / "model", {1, "", WeightType::f32, std::nullopt, false, type});
      const ModelConfig& config = model->config();
      const auto token = static_cast<size_t>(config.layers * (config.latent.kv_rank + config.latent.rope_dim)) * (type == KvType::f32 ? 4 : 2);
      for (const int32_t block_size : {1, 16, 7}) CHECK_EQUAL(model->make_kv_cache(3, block_size)->bytes_per_block(), static_cast<size_t>(block_size) * token);
    }
}

}  // namespace
}  // namespace sgmv::test
