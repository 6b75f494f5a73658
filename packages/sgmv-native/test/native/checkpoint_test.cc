// Tensors that a file has beside those of the model: which of them count is what Transformers makes of them.
#include <cmath>
#include <random>

#include "check.h"
#include "formats/dtype.h"
#include "formats/file_reader.h"
#include "golden_folder.h"
#include "model_copy.h"
#include "sgmv/error.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

std::vector<float> floats(const NamedTensor& tensor) {
  const DType dtype = tensor.dtype == "F32" ? DType::f32 : DType::bf16;
  std::vector<float> values(tensor.data.size() / static_cast<size_t>(dtype_block_bytes(dtype)));
  dequantize(dtype, reinterpret_cast<const std::byte*>(tensor.data.data()), static_cast<int64_t>(values.size()), values.data());
  return values;
}

TEST("checkpoint: a head that equals the tied embedding changes nothing") {
  ModelCopy copy("qwen2");
  const std::vector<float> expected = copy.logits();
  NamedTensor head = copy.named(kEmbedding);
  head.name = kHead;
  copy.tensors.push_back(head);
  const auto model = copy.load();
  CHECK(model->config().tied_embeddings);
  CHECK(ModelCopy::logits_of(*model) == expected);
}

TEST("checkpoint: a head that differs from the embedding is used although the configuration ties them") {
  ModelCopy copy("qwen2");
  const std::vector<float> expected = copy.logits();
  std::vector<float> values = floats(copy.named(kEmbedding));
  for (float& value : values) value = -value;
  copy.tensors.push_back({kHead, "F32", copy.named(kEmbedding).shape, f32_bytes(values)});
  const auto model = copy.load();
  CHECK(!model->config().tied_embeddings);
  std::vector<float> found = ModelCopy::logits_of(*model);
  for (float& value : found) value = -value;
  CHECK(compare(found, expected).relative < 1e-6);
}

TEST("checkpoint: a head of another type that holds the same values leaves the model tied") {
  ModelCopy copy("qwen2");
  const NamedTensor& embedding = copy.named(kEmbedding);
  CHECK_EQUAL(embedding.dtype, "BF16");
  copy.tensors.push_back({kHead, "F32", embedding.shape, f32_bytes(floats(embedding))});
  CHECK(copy.load()->config().tied_embeddings);
}

TEST("checkpoint: a tied head of another shape is refused") {
  ModelCopy copy("qwen2");
  copy.tensors.push_back({kHead, "F32", {1, 2}, f32_bytes({1, 2})});
  CHECK_THROWS(copy.load(), Error, kHead);
}

TEST("checkpoint: a bias that the family does not have is not added") {
  ModelCopy copy("qwen2");
  const std::vector<float> expected = copy.logits();
  const int64_t hidden = copy.load()->config().hidden_size;
  copy.tensors.push_back({"model.layers.0.self_attn.o_proj.bias", "F32", {hidden}, f32_bytes(std::vector<float>(static_cast<size_t>(hidden), 3.0f))});
  CHECK(copy.logits() == expected);
}

TEST("checkpoint: Llama's bias of o is added") {
  ModelCopy copy("llama-bias");
  const std::vector<float> expected = copy.logits();
  NamedTensor& bias = copy.named("model.layers.0.self_attn.o_proj.bias");
  bias.dtype = "F32";
  bias.data = f32_bytes(std::vector<float>(static_cast<size_t>(bias.shape[0]), 3.0f));
  CHECK(copy.logits() != expected);
}

TEST("checkpoint: a number that the type of the weights cannot hold is refused by its tensor's name") {
  for (const char* name : {kEmbedding, "model.layers.1.mlp.down_proj.weight"}) {
    ModelCopy copy("llama-bias");
    NamedTensor& tensor = copy.named(name);
    std::vector<float> values = floats(tensor);
    values[5] = 3.4e38f;
    tensor = {name, "F32", tensor.shape, f32_bytes(values)};
    CHECK(copy.load() != nullptr);
    for (const WeightType type : {WeightType::i8, WeightType::bf16}) {
      CHECK_THROWS(copy.load({.threads = 1, .weights = type}), Error, name);
      CHECK_THROWS(copy.load({.threads = 1, .weights = type}), Error, "cannot hold");
    }
  }
}

TEST("checkpoint: a language model in a vision model, by either of its names") {
  ModelCopy copy("gemma3-vision");
  const std::vector<float> expected = copy.logits();
  for (NamedTensor& tensor : copy.tensors)
    if (tensor.name.starts_with("language_model.model.")) tensor.name = "model.language_model." + tensor.name.substr(21);
  CHECK(copy.logits() == expected);
  copy.named("model.language_model.norm.weight").name = "norm.weight";
  CHECK_THROWS(copy.load(), Error, "model.language_model.norm.weight");
}

TEST("checkpoint: Qwen's vision models by the names of old and of new files") {
  ModelCopy copy("qwen2-5-vl");
  const std::vector<float> expected = copy.logits();
  for (NamedTensor& tensor : copy.tensors)
    if (tensor.name.starts_with("model.")) tensor.name = "model.language_model." + tensor.name.substr(6);
  CHECK(copy.logits() == expected);
}

// [experts, rows, columns] to [experts, columns, rows], of numbers of two bytes.
void turn(NamedTensor& tensor) {
  const auto experts = static_cast<size_t>(tensor.shape[0]), rows = static_cast<size_t>(tensor.shape[1]), columns = static_cast<size_t>(tensor.shape[2]);
  std::string turned(tensor.data.size(), '\0');
  for (size_t i = 0; i < experts * rows * columns; ++i) {
    const size_t expert = i / (rows * columns), row = i / columns % rows, column = i % columns;
    turned.replace(((expert * columns + column) * rows + row) * 2, 2, tensor.data, i * 2, 2);
  }
  tensor.data = turned;
  std::swap(tensor.shape[1], tensor.shape[2]);
}

TEST("checkpoint: experts in one tensor, transposed or not, and one by one, are the same model") {
  ModelCopy copy("qwen3-vl-moe");
  const std::vector<float> expected = copy.logits();
  for (NamedTensor& tensor : copy.tensors)
    if (tensor.name.find(".experts.") != std::string::npos) turn(tensor);
  CHECK(copy.logits() == expected);
  const std::string first = "model.language_model.layers.0.mlp.experts.";
  CHECK((copy.named(first + "gate_up_proj").shape == std::vector<int64_t>{4, 28, 24}));
  ModelCopy each = copy;
  for (const NamedTensor& tensor : copy.tensors) {
    const size_t at = tensor.name.find(".experts.");
    if (at == std::string::npos) continue;
    const bool down = tensor.name.ends_with("down_proj");
    const size_t parts = down ? 1 : 2, bytes = tensor.data.size() / (4 * parts);
    for (size_t i = 0; i < 4 * parts; ++i)
      each.tensors.push_back({tensor.name.substr(0, at + 9) + std::to_string(i / parts) + (down ? ".down_proj" : i % 2 == 0 ? ".gate_proj" : ".up_proj") + ".weight", tensor.dtype,
                              {tensor.shape[1] / static_cast<int64_t>(parts), tensor.shape[2]}, tensor.data.substr(i * bytes, bytes)});
    each.erase(tensor.name);
  }
  CHECK(each.logits() == expected);
  turn(copy.named(first + "gate_up_proj"));
  CHECK_THROWS(copy.load(), Error, "experts.gate_up_proj: found shape [4, 24, 28], expected [4, 28, 24]");
  turn(copy.named(first + "gate_up_proj"));
  copy.named(first + "down_proj").name = "other";
  CHECK_THROWS(copy.load(), Error, "experts.down_proj: found no such tensor");
}

TEST("checkpoint: where one of two matrices of experts is square, the other tells how both lie") {
  ModelCopy copy("qwen3-vl-moe");
  copy.replace_in_config("\"moe_intermediate_size\": 14", "\"moe_intermediate_size\": 12");
  // gate and up of 12 rows each are 24 by 24.
  for (NamedTensor& tensor : copy.tensors)
    if (tensor.name.find(".experts.") != std::string::npos) {
      turn(tensor);
      const bool down = tensor.name.ends_with("down_proj");
      const size_t rows = static_cast<size_t>(tensor.shape[1]), columns = static_cast<size_t>(tensor.shape[2]);
      std::string kept;
      for (size_t i = 0; i < 4 * rows; ++i)
        if (down || i % rows < 24) kept += tensor.data.substr(i * columns * 2, down ? 24 : columns * 2);
      tensor.data = kept;
      tensor.shape[down ? 2 : 1] = down ? 12 : 24;
    }
  const std::vector<float> expected = copy.logits();
  for (NamedTensor& tensor : copy.tensors)
    if (tensor.name.find(".experts.") != std::string::npos) turn(tensor);
  CHECK(copy.logits() == expected);
}

TEST("checkpoint: a whole projection's norm is not one of a head") {
  ModelCopy copy("olmo2");
  NamedTensor& norm = copy.named("model.layers.1.self_attn.k_norm.weight");
  norm = {norm.name, "F32", {8}, f32_bytes(std::vector<float>(8, 1.0f))};
  CHECK_THROWS(copy.load(), Error, "k_norm.weight: found shape [8], expected [24]");
}

TEST("checkpoint: experts in other types are the same model") {
  for (const char* family : {"mixtral", "qwen3-moe", "granitemoe", "gpt-oss"}) {
    ModelCopy copy(family);
    const std::vector<float> expected = copy.logits();
    bool wide = false;
    for (NamedTensor& tensor : copy.tensors)
      if (tensor.name.find("experts.") != std::string::npos || tensor.name.find("_linear.weight") != std::string::npos) {
        wide = !wide;
        std::vector<float> values = floats(tensor);
        std::string halves;
        for (const float value : values) append<uint16_t>(halves, float_to_f16(value));
        tensor.dtype = wide ? "F32" : "F16";
        tensor.data = wide ? f32_bytes(values) : halves;
      }
    CHECK(compare(copy.logits(), expected).relative < 1e-6, family);
  }
}

TEST("checkpoint: experts that are missing or do not fit are refused by name") {
  const auto refuse = [](const char* family, const std::string& tensor, auto change, const std::string& part) {
    ModelCopy copy(family);
    change(copy.named(tensor));
    CHECK_THROWS(copy.load(), Error, part.c_str());
  };
  const auto rename = [](NamedTensor& tensor) { tensor.name = "other"; };
  const auto shrink = [](NamedTensor& tensor) { tensor = {tensor.name, "F32", {2, 2}, f32_bytes({1, 2, 3, 4})}; };
  for (const char* leaf : {"gate_proj", "up_proj", "down_proj"}) {
    const std::string name = std::string("model.layers.2.mlp.experts.6.") + leaf + ".weight";
    refuse("qwen3-moe", name, rename, name + ": found no such tensor");
    refuse("qwen3-moe", name, shrink, name + ": found shape [2, 2]");
  }
  refuse("qwen3-moe", "model.layers.1.mlp.up_proj.weight", rename, "model.layers.1.mlp.up_proj.weight: found no such tensor");
  refuse("qwen3-moe", "model.layers.0.mlp.gate.weight", shrink, "model.layers.0.mlp.gate.weight: found shape [2, 2], expected [7, 24]");
  refuse("mixtral", "model.layers.1.block_sparse_moe.experts.3.w2.weight", rename, "model.layers.1.block_sparse_moe.experts.3.w2.weight: found no such tensor");
  refuse("mixtral", "model.layers.1.block_sparse_moe.gate.weight", rename, "model.layers.1.block_sparse_moe.gate.weight: found no such tensor");
  refuse("qwen2-moe", "model.layers.0.mlp.shared_expert.down_proj.weight", shrink, "mlp.shared_expert.down_proj.weight: found shape [2, 2], expected [24, 28]");
  refuse("qwen2-moe", "model.layers.0.mlp.shared_expert_gate.weight", rename, "model.layers.0.mlp.shared_expert_gate.weight: found no such tensor");
  refuse("granitemoe", "model.layers.0.block_sparse_moe.input_linear.weight", shrink, "block_sparse_moe.input_linear.weight: found shape [2, 2], expected [4, 40, 24]");
  const std::string oss = "model.layers.1.mlp.experts.";
  refuse("gpt-oss", oss + "gate_up_proj", shrink, oss + "gate_up_proj: found shape [2, 2], expected [5, 24, 40]");
  refuse("gpt-oss", oss + "down_proj", rename, oss + "down_proj: found no such tensor");
  refuse("gpt-oss", oss + "gate_up_proj_bias", shrink, oss + "gate_up_proj_bias: found shape [2, 2], expected [5, 40]");
  refuse("gpt-oss", oss + "down_proj_bias", rename, oss + "down_proj_bias: found no such tensor");
  refuse("gpt-oss", "model.layers.0.mlp.router.bias", rename, "model.layers.0.mlp.router.bias: found no such tensor");
  refuse("gpt-oss", "model.layers.0.self_attn.sinks", shrink, "model.layers.0.self_attn.sinks: found shape [2, 2], expected [4]");
  refuse("granitemoe", "model.layers.0.block_sparse_moe.output_linear.weight", rename, "block_sparse_moe.output_linear.weight: found no such tensor");
}

// By the format's definition (OCP 8-bit floating point, E4M3).
float e4m3(int code) {
  const int exponent = code >> 3 & 15, fraction = code & 7;
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9) : std::ldexp(1.0f + static_cast<float>(fraction) / 8, exponent - 7);
  return code & 128 ? -magnitude : magnitude;
}

// Blocks of rows and columns that share a scale; 0: all of them.
struct ScaleLayout {
  const char* suffix;
  int64_t rows, columns;
  std::vector<int64_t> (*shape)(int64_t, int64_t);
  const char* quantization;
};

const ScaleLayout kScaleLayouts[] = {
    {"_scale_inv", 16, 32, [](int64_t out, int64_t in) { return std::vector<int64_t>{(out + 15) / 16, (in + 31) / 32}; },
     R"({"quant_method":"fp8","activation_scheme":"dynamic","weight_block_size":[16,32]})"},
    {"_scale_inv", 0, 0, [](int64_t, int64_t) { return std::vector<int64_t>{}; }, R"({"quant_method":"fp8","activation_scheme":"static","weight_block_size":null})"},
    {"_scale", 0, 0, [](int64_t, int64_t) { return std::vector<int64_t>{1}; }, R"({"quant_method":"compressed-tensors","format":"float-quantized"})"},
    {"_scale", 1, 0, [](int64_t out, int64_t) { return std::vector<int64_t>{out, 1}; },
     R"({"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"group_0":{"weights":{"num_bits":8,"type":"float","strategy":"channel"}}}})"},
    {"_scale", 24, 16, [](int64_t out, int64_t in) { return std::vector<int64_t>{(out + 23) / 24, (in + 15) / 16}; },
     R"({"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"group_0":{"weights":{"strategy":"block","block_structure":[24,16]}}}})"}};

// The projections in E4M3, and beside them the same numbers in float32.
void quantize(ModelCopy& stored, ModelCopy& widened, const ScaleLayout& layout) {
  std::mt19937 random(11);
  std::vector<NamedTensor> scales;
  for (NamedTensor& tensor : stored.tensors) {
    if (tensor.name.find("_proj") == std::string::npos || tensor.shape.size() != 2) continue;
    const int64_t out = tensor.shape[0], in = tensor.shape[1];
    const int64_t rows = layout.rows > 0 ? layout.rows : out, columns = layout.columns > 0 ? layout.columns : in, across = (in + columns - 1) / columns;
    std::vector<float> scale(static_cast<size_t>((out + rows - 1) / rows * across)), wide;
    for (float& value : scale) value = std::ldexp(1.0f, -12 - static_cast<int>(random() % 3));
    tensor.dtype = "F8_E4M3";
    tensor.data.clear();
    for (int64_t i = 0; i < out * in; ++i) {
      const int code = static_cast<int>(random() % 2) * 128 + static_cast<int>(random() % 127);
      tensor.data.push_back(static_cast<char>(code));
      wide.push_back(e4m3(code) * scale[static_cast<size_t>(i / in / rows * across + i % in / columns)]);
    }
    widened.named(tensor.name) = {tensor.name, "F32", tensor.shape, f32_bytes(wide)};
    scales.push_back({tensor.name + layout.suffix, "F32", layout.shape(out, in), f32_bytes(scale)});
  }
  stored.tensors.insert(stored.tensors.end(), scales.begin(), scales.end());
  stored.quantization = layout.quantization;
}

TEST("checkpoint: matrices in E4M3 are what they are with their scales, of blocks, rows or all") {
  for (const char* family : {"qwen2", "phi3", "qwen3-moe", "deepseek-v3"}) {
    for (const ScaleLayout& layout : kScaleLayouts) {
      ModelCopy stored(family), widened(family);
      quantize(stored, widened, layout);
      CHECK(stored.logits() == widened.logits(), family, layout.suffix);
    }
  }
}

// Of [experts, rows, columns]; by_input: rows are inputs.
struct StackedLayout {
  const char* name;
  const char* suffix;
  const char* quantization;
  std::vector<int64_t> (*grid)(int64_t rows, int64_t columns, bool by_input);  // of one matrix
  std::vector<int64_t> (*shape)(int64_t experts, const std::vector<int64_t>& grid, bool by_input);
  bool transformers_halves = false;  // matrices of gate and up have two
};

const StackedLayout kStackedLayouts[] = {
    {"blocks", "_scale_inv", R"({"quant_method":"fp8","weight_block_size":[8,16]})", [](int64_t rows, int64_t columns, bool) { return std::vector{(rows + 7) / 8, (columns + 15) / 16}; },
     [](int64_t experts, const std::vector<int64_t>& grid, bool) { return std::vector{experts, grid[0], grid[1]}; }},
    {"one of each", "_scale_inv", R"({"quant_method":"fp8","weight_block_size":null})", [](int64_t, int64_t, bool) { return std::vector<int64_t>{1, 1}; },
     [](int64_t experts, const std::vector<int64_t>& grid, bool) { return std::vector{experts, grid[0], grid[1]}; }, true},
    {"one of each, flat", "_scale", R"({"quant_method":"compressed-tensors","format":"float-quantized"})", [](int64_t, int64_t, bool) { return std::vector<int64_t>{1, 1}; },
     [](int64_t experts, const std::vector<int64_t>&, bool) { return std::vector{experts}; }},
    {"one of each output", "_scale", R"({"quant_method":"compressed-tensors","format":"float-quantized"})",
     [](int64_t rows, int64_t columns, bool by_input) { return by_input ? std::vector<int64_t>{1, columns} : std::vector<int64_t>{rows, 1}; },
     [](int64_t experts, const std::vector<int64_t>& grid, bool) { return std::vector{experts, grid[0], grid[1]}; }},
    {"one of each output, below each other", "_scale", R"({"quant_method":"fbgemm_fp8","activation_scale_ub":1200.0})",
     [](int64_t rows, int64_t columns, bool by_input) { return by_input ? std::vector<int64_t>{1, columns} : std::vector<int64_t>{rows, 1}; },
     [](int64_t experts, const std::vector<int64_t>& grid, bool) { return std::vector{experts, grid[0] * grid[1], int64_t{1}}; }}};

// All experts' matrices in E4M3, and beside them the same numbers in float32.
void quantize_stacked(ModelCopy& stored, ModelCopy& widened, const StackedLayout& layout) {
  std::mt19937 random(13);
  std::vector<NamedTensor> scales;
  for (NamedTensor& tensor : stored.tensors) {
    if (tensor.shape.size() != 3) continue;
    const int64_t experts = tensor.shape[0], rows = tensor.shape[1], columns = tensor.shape[2];
    const bool gate_up = tensor.name.find("gate_up") != std::string::npos || tensor.name.find("input_linear") != std::string::npos;
    const bool by_input = gate_up ? rows == stored.hidden_size() : columns == stored.hidden_size();
    std::vector<int64_t> grid = layout.grid(rows, columns, by_input);
    if (layout.transformers_halves && gate_up && !by_input) grid[0] = 2;
    const bool blocks = std::string(layout.name) == "blocks";
    const int64_t block_rows = blocks ? 8 : rows / grid[0], block_columns = blocks ? 16 : columns / grid[1];
    std::vector<float> scale(static_cast<size_t>(experts * grid[0] * grid[1])), wide;
    for (float& value : scale) value = std::ldexp(1.0f, -10 - static_cast<int>(random() % 3));
    tensor.dtype = "F8_E4M3";
    tensor.data.clear();
    for (int64_t expert = 0; expert < experts; ++expert)
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < columns; ++column) {
          const int code = static_cast<int>(random() % 2) * 128 + static_cast<int>(random() % 127);
          tensor.data.push_back(static_cast<char>(code));
          wide.push_back(e4m3(code) * scale[static_cast<size_t>((expert * grid[0] + row / block_rows) * grid[1] + column / block_columns)]);
        }
    widened.named(tensor.name) = {tensor.name, "F32", tensor.shape, f32_bytes(wide)};
    scales.push_back({tensor.name + layout.suffix, "F32", layout.shape(experts, grid, by_input), f32_bytes(scale)});
  }
  stored.tensors.insert(stored.tensors.end(), scales.begin(), scales.end());
  stored.quantization = layout.quantization;
}

TEST("checkpoint: all experts' matrices in one E4M3 tensor are what they are with their scales, by outputs or by inputs") {
  for (const char* family : {"granitemoe", "qwen3-vl-moe", "gemma4-moe"})
    for (const StackedLayout& layout : kStackedLayouts) {
      ModelCopy stored(family), widened(family);
      quantize_stacked(stored, widened, layout);
      CHECK(stored.logits() == widened.logits(), family, layout.name);
    }
}

TEST("checkpoint: scales of stacked experts of other numbers than there are experts or even blocks are refused by name") {
  ModelCopy sound("granitemoe"), widened("granitemoe");
  quantize_stacked(sound, widened, kStackedLayouts[0]);
  const std::string scale = "model.layers.0.block_sparse_moe.input_linear.weight_scale_inv";
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{3, 5, 2}, {4, 3, 2}, {4, 5, 7}, {5, 5, 2}, {5}}) {
    ModelCopy copy = sound;
    int64_t count = 1;
    for (const int64_t n : shape) count *= n;
    copy.named(scale) = {scale, "F32", shape, f32_bytes(std::vector<float>(static_cast<size_t>(count), 0.01f))};
    CHECK_THROWS(copy.load(), Error, "input_linear.weight_scale_inv: found shape");
  }
}

TEST("checkpoint: E4M3 without scales, with wrong ones, or where no matrix is, is refused by name") {
  ModelCopy sound("qwen2"), widened("qwen2");
  quantize(sound, widened, kScaleLayouts[0]);
  const std::string weight = "model.layers.1.mlp.down_proj.weight", scale = weight + "_scale_inv";
  const auto refuse = [&](auto change, const char* part) {
    ModelCopy copy = sound;
    change(copy);
    CHECK_THROWS(copy.load(), Error, part);
  };
  refuse([&](ModelCopy& copy) { std::erase_if(copy.tensors, [&](const NamedTensor& tensor) { return tensor.name == scale; }); }, "down_proj.weight_scale: found no such tensor");
  refuse([&](ModelCopy& copy) { copy.named(scale) = {scale, "F32", {2, 2}, f32_bytes({1, 1, 1, 1})}; }, "down_proj.weight_scale_inv: found shape [2, 2]");
  refuse([&](ModelCopy& copy) { copy.named(scale) = {scale, "I32", {1}, f32_bytes({1})}; }, "down_proj.weight_scale_inv: found type I32");
  refuse([&](ModelCopy& copy) { copy.named(scale) = {scale, "F32", {1}, f32_bytes({INFINITY})}; }, "NaN or infinity");
  refuse([&](ModelCopy& copy) { copy.named(scale) = {scale, "F32", {1}, f32_bytes({3e38f})}; }, "beyond float32");
  refuse([&](ModelCopy& copy) { copy.named(weight).data[5] = 0x7F; }, "NaN or infinity at element 5");
  refuse([&](ModelCopy& copy) { copy.named("model.norm.weight").dtype = "F8_E4M3"; copy.named("model.norm.weight").data.resize(copy.named("model.norm.weight").data.size() / 2); }, "model.norm.weight: found type F8_E4M3");
  refuse([&](ModelCopy& copy) { copy.quantization = R"({"quant_method":"fp8","weight_block_size":[0,128]})"; }, "weight_block_size");
  refuse([&](ModelCopy& copy) { copy.quantization = R"({"quant_method":"compressed-tensors","format":"marlin-24"})"; }, "quantization_config: format");
}

}  // namespace
}  // namespace sgmv::test
