// Mixtures of experts whose matrices are quantized, by the names that such checkpoints have, give what the same numbers in F32 give.
#include <algorithm>
#include <cmath>
#include <functional>

#include "check.h"
#include "formats/dtype.h"
#include "formats/module_names.h"
#include "formats/peft_targets.h"
#include "golden_folder.h"
#include "quantized_writer.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

constexpr const char* kShape = R"("vocab_size":40,"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":16,"max_position_embeddings":64,"num_experts_per_tok":2,)";

// As they are published: a router with as many outputs as AWQ packs in a word.
struct Family {
  const char* name;
  const char* fields;
};
constexpr Family kFamilies[] = {
    {"mixtral", R"("model_type":"mixtral","intermediate_size":64,"num_local_experts":8)"},
    {"qwen3_moe", R"("model_type":"qwen3_moe","intermediate_size":64,"moe_intermediate_size":64,"num_experts":8,"norm_topk_prob":true,"mlp_only_layers":[1])"},
    {"qwen2_moe", R"("model_type":"qwen2_moe","intermediate_size":64,"moe_intermediate_size":64,"num_experts":8,"shared_expert_intermediate_size":64)"},
    {"olmoe", R"("model_type":"olmoe","intermediate_size":64,"num_experts":8)"},
};

// About as random as weights are, and the same wherever they are made.
uint32_t noise(uint32_t seed, int64_t row, int64_t column) {
  uint32_t x = seed ^ static_cast<uint32_t>(row) * 0x9E3779B9u ^ static_cast<uint32_t>(column) * 0x85EBCA6Bu;
  for (int i = 0; i < 2; ++i) x = (x ^ x >> 15) * 0x2C1B3C6Du, x = (x ^ x >> 12) * 0x297A2D39u;
  return x ^ x >> 15;
}

struct Matrix {
  std::vector<NamedTensor> tensors;
  std::vector<float> wide;
};

struct Method {
  const char* name;
  const char* config;  // quantization_config
  std::function<Matrix(const std::string& module, int64_t out, int64_t in, uint32_t seed)> write;
  bool of_one_output = true;  // whether a matrix of one output can be had
};

Integers integers(int64_t out, int64_t in, int64_t group, int32_t bits, int32_t zero, uint32_t seed) {
  const float step = 0.5f / static_cast<float>(1 << (bits - 1));
  return {out, in, group, bits, zero, [=](int64_t row, int64_t input) { return static_cast<int32_t>(noise(seed, row, input) >> 7) & ((1 << bits) - 1); },
          [=](int64_t row, int64_t of) { return step * (1 + static_cast<float>(noise(seed + 1, row, of) % 8) / 8); }};
}

template <typename Write>
auto of_integers(int64_t group, int32_t bits, int32_t zero, Write write) {
  return [=](const std::string& module, int64_t out, int64_t in, uint32_t seed) {
    const Integers m = integers(out, in, group > 0 ? group : in, bits, zero, seed);
    Matrix matrix{write(module, m), {}};
    for (int64_t row = 0; row < out; ++row)
      for (int64_t i = 0; i < in; ++i) matrix.wide.push_back(m.value(row, i));
    return matrix;
  };
}

// F8_E4M3 with a scale for blocks of 32 × 16, or for each row.
Matrix eight_bit_floats(const std::string& module, int64_t out, int64_t in, uint32_t seed, bool by_row) {
  std::vector<uint8_t> numbers;
  std::vector<float> wide, scales;
  const int64_t rows = by_row ? 1 : 32, columns = by_row ? in : 16, across = (in + columns - 1) / columns, down = (out + rows - 1) / rows;
  for (int64_t i = 0; i < down * across; ++i) scales.push_back(0.125f + static_cast<float>(noise(seed + 1, 0, i) % 16) / 128);
  for (int64_t row = 0; row < out; ++row)
    for (int64_t i = 0; i < in; ++i) {
      const uint32_t bits = noise(seed, row, i) >> 5;
      numbers.push_back(static_cast<uint8_t>((bits & 0x80) | (bits & 0x3F)));
      wide.push_back(e4m3_to_float(numbers.back()) * scales[static_cast<size_t>(row / rows * across + i / columns)]);
    }
  return {{{module + ".weight", "F8_E4M3", {out, in}, bytes_of(numbers)}, {module + (by_row ? ".weight_scale" : ".weight_scale_inv"), "F32", {down, across}, f32_bytes(scales)}}, wide};
}

const std::vector<Method>& methods() {
  using std::placeholders::_1, std::placeholders::_2, std::placeholders::_3, std::placeholders::_4;
  static const std::vector<Method> all{
      {"compressed-tensors", R"({"quant_method":"compressed-tensors","format":"pack-quantized","ignore":["lm_head","re:.*gate$"],"config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":4,"type":"int","symmetric":true,"strategy":"group","group_size":32}}}})",
       of_integers(32, 4, 8, compressed_matrix)},
      {"compressed-tensors float", R"({"quant_method":"compressed-tensors","format":"float-quantized","ignore":["lm_head"],"config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":8,"type":"float","strategy":"channel"}}}})",
       std::bind(eight_bit_floats, _1, _2, _3, _4, true)},
      {"awq", R"({"quant_method":"awq","bits":4,"group_size":32,"zero_point":true,"version":"gemm","modules_to_not_convert":["gate"]})", of_integers(32, 4, 7, awq_matrix), false},
      {"gptq", R"({"quant_method":"gptq","bits":4,"group_size":32,"desc_act":false,"sym":true,"checkpoint_format":"gptq"})", of_integers(32, 4, 8, [](const std::string& module, const Integers& m) { return gptq_matrix(module, m, 1); })},
      {"gptq in 8 bits", R"({"quant_method":"gptq","bits":8,"group_size":-1,"desc_act":false,"sym":true})", of_integers(0, 8, 128, [](const std::string& module, const Integers& m) { return gptq_matrix(module, m, 1); })},
      {"nf4", R"({"quant_method":"bitsandbytes","load_in_4bit":true,"load_in_8bit":false,"bnb_4bit_quant_type":"nf4"})", of_integers(64, 4, 8, nf4_matrix)},
      {"int8", R"({"quant_method":"bitsandbytes","load_in_4bit":false,"load_in_8bit":true})", of_integers(0, 8, 128, int8_matrix)},
      {"fp8", R"({"quant_method":"fp8","activation_scheme":"dynamic","weight_block_size":[32,16],"modules_to_not_convert":["gate"]})", std::bind(eight_bit_floats, _1, _2, _3, _4, false)},
  };
  return all;
}

struct Written {
  std::vector<NamedTensor> quantized, wide;
};

Written write_model(const ModelConfig& config, const Method& method, bool with_routers) {
  Written written;
  uint32_t seed = 1;
  const auto floats = [&](const std::string& name, const std::vector<int64_t>& shape, float middle, float reach) {
    std::vector<float> values(static_cast<size_t>(shape[0] * (shape.size() > 1 ? shape[1] : 1)));
    ++seed;
    for (size_t i = 0; i < values.size(); ++i) values[i] = middle + reach * (static_cast<float>(noise(seed, 0, static_cast<int64_t>(i)) % 2001) / 1000 - 1);
    for (std::vector<NamedTensor>* to : {&written.quantized, &written.wide}) to->push_back({name, "F32", shape, f32_bytes(values)});
  };
  const auto linear = [&](const std::string& module, int64_t out, int64_t in) {
    seed += 2;
    Matrix matrix = method.write(module, out, in, seed);
    written.wide.push_back({module + ".weight", "F32", {out, in}, f32_bytes(matrix.wide)});
    for (NamedTensor& tensor : matrix.tensors) written.quantized.push_back(std::move(tensor));
  };
  const auto projection = [&](int32_t layer, Projection p, int32_t expert = -1) {
    const LoraTarget target{layer, p, 0, 0, expert};
    const std::string module = module_name(config, layer, p, kModulePrefix, expert);
    const bool kept = is_of_router(p) && (!with_routers || (p == Projection::shared_gate && !method.of_one_output));
    if (kept) floats(module + ".weight", {target.outputs(config), target.inputs(config)}, 0, 0.4f);
    else linear(module, target.outputs(config), target.inputs(config));
    if (config.attention_bias && p <= Projection::v) floats(module + ".bias", {target.outputs(config)}, 0, 0.2f);
  };
  floats("model.embed_tokens.weight", {config.vocab_size, config.hidden_size}, 0, 1);
  floats("lm_head.weight", {config.vocab_size, config.hidden_size}, 0, 0.3f);
  floats("model.norm.weight", {config.hidden_size}, 1, 0.2f);
  for (int32_t layer = 0; layer < config.layers; ++layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".";
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) floats(name + norm + ".weight", {config.hidden_size}, 1, 0.2f);
    if (config.qk_norm) floats(name + "self_attn.q_norm.weight", {config.q_norm_width()}, 1, 0.2f), floats(name + "self_attn.k_norm.weight", {config.k_norm_width()}, 1, 0.2f);
    for (const Projection p : config.layer_projections(layer)) projection(layer, p);
    if (!config.has_experts(layer)) continue;
    projection(layer, Projection::router);
    if (config.experts.shared) projection(layer, Projection::shared_gate);
    for (int32_t expert = 0; expert < config.experts.count; ++expert)
      for (const Projection p : {Projection::gate, Projection::up, Projection::down}) projection(layer, p, expert);
  }
  return written;
}

std::unique_ptr<Model> load(const Family& family, const std::vector<NamedTensor>& tensors, const char* quantization, WeightType type) {
  const TempFolder folder;
  folder.write("config.json", "{" + std::string(kShape) + family.fields + (quantization != nullptr ? std::string(",\"quantization_config\":") + quantization : "") + "}");
  folder.write("model.safetensors", safetensors_file(tensors));
  return Model::load(folder.path(), {.threads = 1, .weights = type});
}

const std::vector<int32_t> kPrompt{5, 6, 7, 8, 31, 0, 2};

std::vector<float> logits(Model& model) { return Session(model, nullptr, 16).feed(kPrompt, true); }

// Of the largest.
double median_difference(const std::vector<float>& found, const std::vector<float>& expected) {
  std::vector<double> differences;
  double largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    differences.push_back(std::abs(double(found[i]) - expected[i]));
    largest = std::max(largest, std::abs(double(expected[i])));
  }
  const auto middle = differences.begin() + static_cast<std::ptrdiff_t>(differences.size() / 2);
  std::nth_element(differences.begin(), middle, differences.end());
  return *middle / largest;
}

ModelConfig config_of(const Family& family) {
  const TempFolder folder;
  folder.write("config.json", "{" + std::string(kShape) + family.fields + "}");
  return read_model_config(folder.path());
}

TEST("quantized mixture: every method in every family, with routers whole and quantized too") {
  for (const Family& family : kFamilies)
    for (const Method& method : methods())
      for (const bool with_routers : {false, true}) {
        const std::string what = std::string(family.name) + ", " + method.name + (with_routers ? ", routers too" : "");
        const Written written = write_model(config_of(family), method, with_routers);
        const std::vector<float> expected = logits(*load(family, written.wide, nullptr, WeightType::f32));
        CHECK(std::isfinite(expected[0]) && expected[0] != expected[1], what);
        const Difference exact = compare(logits(*load(family, written.quantized, method.config, WeightType::f32)), expected);
        CHECK(exact.relative <= 2e-5, what, ": ", exact.relative);
        // Both are widened before they are rounded, except where integers are kept as they came: a token may pass another expert then.
        for (const auto& [type, allowed] : {std::pair{WeightType::bf16, 0.0}, std::pair{WeightType::i8, 0.05}}) {
          const double near = median_difference(logits(*load(family, written.quantized, method.config, type)), logits(*load(family, written.wide, nullptr, type)));
          CHECK(near <= allowed, what, ", weight type ", static_cast<int>(type), ": ", near);
        }
      }
}

}  // namespace
}  // namespace sgmv::test
