// Quantized safetensors that are not what they seem. That sound ones are read as their libraries read them, the golden folders show.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "check.h"
#include "formats/quantized_source.h"
#include "model_copy.h"
#include "quantized_writer.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

int64_t elements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

// Another shape, with as many of the old bytes as it needs.
void reshape(NamedTensor& tensor, const std::vector<int64_t>& shape) {
  const size_t width = tensor.data.size() / static_cast<size_t>(elements(tensor.shape));
  tensor.data.resize(static_cast<size_t>(elements(shape)) * width, '\0');
  tensor.shape = shape;
}

using Change = std::function<void(ModelCopy&)>;

void refuse(const char* folder, const Change& change, const std::string& part) {
  ModelCopy copy(folder);
  change(copy);
  CHECK_THROWS(copy.load(), Error, part);
}

Change without(const std::string& name) {
  return [=](ModelCopy& copy) { copy.erase(name); };
}
Change with_shape(const std::string& name, const std::vector<int64_t>& shape) {
  return [=](ModelCopy& copy) { reshape(copy.named(name), shape); };
}
Change with(const std::string& name, const char* dtype, const std::vector<int64_t>& shape, const std::string& data) {
  return [=](ModelCopy& copy) { copy.named(name) = {name, dtype, shape, data}; };
}
Change plus(const std::string& name, const char* dtype, const std::vector<int64_t>& shape, const std::string& data) {
  return [=](ModelCopy& copy) { copy.tensors.push_back({name, dtype, shape, data}); };
}
Change in_config(const std::string& from, const std::string& to) {
  return [=](ModelCopy& copy) { copy.replace_in_config(from, to); };
}

const std::string kQ = "model.layers.1.self_attn.q_proj.", kK = "model.layers.1.self_attn.k_proj.", kV = "model.layers.1.self_attn.v_proj.";
const std::string kGate = "model.layers.1.mlp.gate_proj.", kDown = "model.layers.0.mlp.down_proj.";

TEST("quantized: compressed-tensors whose parts do not belong together") {
  const char* folder = "compressed-packed";
  const int64_t huge = int64_t{1} << 40;
  refuse(folder, without(kQ + "weight_scale"), kQ + "weight_scale: found no such tensor");
  refuse(folder, without(kQ + "weight_shape"), kQ + "weight_shape: found no such tensor");
  refuse(folder, without(kGate + "weight_zero_point"), kGate + "weight_zero_point: found no such tensor");
  refuse(folder, without(kQ + "weight_packed"), kQ + "weight: found no such tensor");
  refuse(folder, with(kQ + "weight_shape", "I64", {2}, bytes_of<int64_t>({24, huge})), kQ + "weight_packed: found shape [24, 3] for weight_shape [24, 1099511627776]");
  refuse(folder, with(kQ + "weight_shape", "I64", {2}, bytes_of<int64_t>({24, -24})), "weight_shape [24, -24]");
  refuse(folder, with(kQ + "weight_shape", "I64", {2}, bytes_of<int64_t>({std::numeric_limits<int64_t>::max(), 24})), "weight_packed");
  refuse(folder, with(kQ + "weight_shape", "I64", {3}, bytes_of<int64_t>({24, 24, 1})), "weight_shape: found shape [3], expected [2]");
  refuse(folder, with(kQ + "weight_shape", "F32", {2}, f32_bytes({24, 24})), "weight_shape: found type F32, expected I64 or I32");
  refuse(folder, with(kQ + "weight_shape", "I64", {2}, bytes_of<int64_t>({24, 18})), kQ + "weight_scale: found groups of 6 inputs, expected of 12 or 8, as config_groups say");
  refuse(folder, with(kV + "weight", "I8", {8, 23}, std::string(184, '\1')), kV + "weight: found shape [8, 23], expected [8, 24]");
  refuse(folder, with_shape(kQ + "weight_packed", {24, 2}), "expected words for 8-bit integers or 4-bit");
  refuse(folder, with_shape(kQ + "weight_scale", {24, 4}), kQ + "weight_scale: found groups of 6 inputs, expected of 12 or 8, as config_groups say");
  refuse(folder, with_shape(kQ + "weight_packed", {72}), "two dimensions");
  refuse(folder, with_shape(kQ + "weight_packed", {0, 3}), "two dimensions of at least 1");
  refuse(folder, with_shape(kQ + "weight_scale", {24, 5}), kQ + "weight_scale: found 5 groups, expected a number of groups that divides 24 inputs");
  refuse(folder, with_shape(kQ + "weight_scale", {23, 3}), "weight_scale: found shape [23, 3]");
  refuse(folder, with_shape(kQ + "weight_scale", {24, 0}), "weight_scale: found shape [24, 0]");
  refuse(folder, with(kQ + "weight_scale", "F32", {24, 3}, f32_bytes(std::vector<float>(72, NAN))), "weight_scale: found NaN or infinity at element 0");
  refuse(folder, with(kQ + "weight_scale", "F32", {24, 3}, f32_bytes(std::vector<float>(72, 3e38f))), kQ + "weight: found NaN or infinity");
  refuse(folder, with_shape(kGate + "weight_zero_point", {4, 2}), "weight_zero_point: found shape [4, 2], expected [5, 2]");
  refuse(folder, with_shape(kV + "weight_zero_point", {7, 1}), "weight_zero_point: found shape [7, 1], expected [8, 1]");
  refuse(folder, without(kV + "weight_scale"), kV + "weight_scale: found no such tensor");
  const std::vector<int32_t> far(24, 3);
  refuse(folder, plus(kQ + "weight_g_idx", "I32", {24}, bytes_of(far)), "weight_g_idx: found 3 at element 0, expected groups 0 to 2");
  refuse(folder, plus(kQ + "weight_g_idx", "I32", {23}, bytes_of(std::vector<int32_t>(23))), "weight_g_idx: found shape [23], expected [24]");
  refuse(folder, in_config("\"symmetric\": false", "\"symmetric\": false, \"actorder\": \"group\""), kDown + "weight_g_idx: found no such tensor");
  refuse(folder, in_config("\"num_bits\": 8", "\"num_bits\": 2"), kDown + "weight_packed: found shape [24, 9] for weight_shape [24, 36], expected words for 2-bit integers or 4-bit");
}

TEST("quantized: AWQ whose parts do not belong together") {
  const char* folder = "awq";
  refuse(folder, without(kQ + "qzeros"), kQ + "qzeros: found no such tensor");
  refuse(folder, without(kQ + "scales"), kQ + "scales: found no such tensor");
  refuse(folder, with_shape(kQ + "qweight", {32, 3}), kQ + "qweight: found shape [32, 3], expected [32, 4]");
  refuse(folder, with_shape(kQ + "qzeros", {1, 4}), kQ + "qzeros: found shape [1, 4], expected [2, 4]");
  refuse(folder, with_shape(kQ + "scales", {2, 31}), "a multiple of 8 outputs");
  refuse(folder, with(kQ + "qweight", "F32", {32, 4}, f32_bytes(std::vector<float>(128))), kQ + "qweight: found type F32, expected I32");
  refuse(folder, with(kQ + "scales", "F16", {2, 32}, std::string(128, '\x7C')), "scales: found NaN or infinity");
  refuse(folder, in_config("\"group_size\": 16", "\"group_size\": 32"), "groups of 16 inputs, expected group_size, 32");
  refuse(folder, [](ModelCopy& copy) { reshape(copy.named(kQ + "scales"), {3, 32}), reshape(copy.named(kQ + "qzeros"), {3, 4}); }, "3 groups, expected a number of groups that divides 32");
  refuse(folder, [](ModelCopy& copy) { reshape(copy.named(kQ + "qweight"), {16, 4}), reshape(copy.named(kQ + "scales"), {1, 32}), reshape(copy.named(kQ + "qzeros"), {1, 4}); },
         kQ + "weight: found shape [32, 16], expected [32, 32]");
}

TEST("quantized: GPTQ whose parts do not belong together") {
  const char* folder = "gptq";
  const auto group = [](int32_t index) {
    return [=](ModelCopy& copy) { std::memcpy(copy.named(kQ + "g_idx").data.data() + 20, &index, sizeof index); };
  };
  for (const int32_t bad : {2, -1, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()})
    refuse(folder, group(bad), kQ + "g_idx: found " + std::to_string(bad) + " at element 5, expected groups 0 to 1");
  refuse(folder, without(kQ + "g_idx"), kQ + "g_idx: found no such tensor");
  refuse("gptq-v2", [](ModelCopy& copy) { copy.erase(kQ + "g_idx"); reshape(copy.named(kQ + "scales"), {5, 32}), reshape(copy.named(kQ + "qzeros"), {5, 3}); }, "divides 32 inputs");
  refuse(folder, with_shape(kQ + "g_idx", {24}), kQ + "qzeros: found shape [2, 4], expected [2, 4]");
  refuse(folder, with_shape(kQ + "qzeros", {2, 5}), kQ + "qzeros: found shape [2, 5]");
  refuse(folder, with_shape(kQ + "qzeros", {1, 4}), kQ + "qzeros: found shape [1, 4], expected [2, 4]");
  refuse(folder, with_shape(kQ + "qweight", {4, 31}), kQ + "qweight: found shape [4, 31], expected [4, 32]");
  refuse(folder, without(kQ + "qzeros"), kQ + "qzeros: found no such tensor");
  refuse(folder, with_shape(kQ + "scales", {0, 32}), "two dimensions of at least 1");
  refuse(folder, in_config("\"bits\": 8", "\"bits\": 2"), kDown + "qzeros");
}

TEST("quantized: GPTQ without g_idx has groups one after the other") {
  ModelCopy copy("gptq-v2");
  const std::vector<float> expected = copy.logits();
  for (const char* layer : {"0", "1"})
    for (const char* module : {"self_attn.q_proj", "mlp.down_proj"}) copy.erase(std::string("model.layers.") + layer + "." + module + ".g_idx");
  CHECK(copy.logits() == expected);
}

TEST("quantized: compressed-tensors by weight_g_idx") {
  ModelCopy copy("compressed-packed");
  const std::vector<float> expected = copy.logits();
  std::vector<int32_t> order(24, -1);
  copy.tensors.push_back({kQ + "weight_g_idx", "I32", {24}, bytes_of(order)});
  CHECK(copy.logits() == expected);
  for (int32_t i = 0; i < 24; ++i) order[static_cast<size_t>(i)] = i / 8;
  copy.named(kQ + "weight_g_idx").data = bytes_of(order);
  CHECK(copy.logits() == expected);
  std::swap(order[0], order[23]);
  copy.named(kQ + "weight_g_idx").data = bytes_of(order);
  CHECK(copy.logits() != expected);
}

TEST("quantized: bitsandbytes whose parts do not belong together") {
  const char* folder = "bnb-nf4";
  const std::string name = kK + "weight.quant_state.bitsandbytes__nf4";
  const auto with_state = [&](const std::string& text) { return with(name, "U8", {static_cast<int64_t>(text.size())}, text); };
  const std::string sound = R"({"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[8,24],"nested_blocksize":256,"nested_dtype":"float32","nested_offset":0.1})";
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = sound;
    return with_state(text.replace(text.find(from), from.size(), to));
  };
  refuse(folder, with_state("{"), name + ": found bad JSON");
  refuse(folder, with_state("[]"), name + ": found shape nothing");
  refuse(folder, with_state(std::string(5000, ' ')), "at most 4096 bytes");
  refuse(folder, changed("[8,24]", "[8,24,1]"), "two whole numbers of at least 1");
  refuse(folder, changed("[8,24]", "[8,0]"), "two whole numbers of at least 1");
  refuse(folder, changed("[8,24]", "[2147483647,2147483647]"), kK + "weight: found 96 bytes, expected 2305843007066210305");
  refuse(folder, changed("[8,24]", "[24,8]"), kK + "weight: found shape [24, 8], expected [8, 24]");
  for (const char* bad : {"0", "48", "-64", "1e2", "8192"}) refuse(folder, changed(":64", std::string(":") + bad), "blocksize " + std::string(bad == std::string("1e2") ? "100" : bad));
  refuse(folder, changed("\"nested_offset\":0.1", "\"nested_offset\":\"x\""), "nested_offset");
  refuse(folder, changed("\"blocksize\":64", "\"blocksize\":32"), kK + "weight.absmax: found shape [3], expected 6 numbers");
  refuse(folder, without(kK + "weight.absmax"), kK + "weight.absmax: found no such tensor");
  refuse(folder, without(kK + "weight.nested_absmax"), kK + "weight.absmax: found type U8, expected F32");
  refuse(folder, without(kK + "weight.nested_quant_map"), kK + "weight.nested_quant_map: found no such tensor");
  refuse(folder, with_shape(kK + "weight.nested_quant_map", {255}), "expected 256 numbers");
  refuse(folder, with_shape(kK + "weight.quant_map", {15}), kK + "weight.quant_map: found shape [15], expected 16 numbers");
  refuse(folder, with_shape(kK + "weight", {95, 1}), kK + "weight: found 95 bytes, expected 96 for shape [8, 24] in 4 bits");
  refuse(folder, without(kK + "weight"), kK + "weight: found no such tensor");
  refuse(folder, without(name), kK + "weight: found shape [96, 1], expected [8, 24]");
  refuse("bnb-int8", without(kK + "SCB"), kK + "SCB: found no such tensor");
  refuse("bnb-int8", with_shape(kK + "SCB", {7}), kK + "SCB: found shape [7], expected 8 numbers");
  refuse("bnb-int8", with(kK + "weight_format", "U8", {}, std::string(1, '\1')), kK + "weight_format: found 1");
}

TEST("quantized: 4-bit numbers of bitsandbytes in any type of storage") {
  ModelCopy copy("bnb-nf4");
  const std::vector<float> expected = copy.logits();
  NamedTensor& weight = copy.named(kK + "weight");
  weight = {weight.name, "BF16", {static_cast<int64_t>(weight.data.size()) / 2, 1}, weight.data};
  CHECK(copy.logits() == expected);
}

TEST("quantized: the parts of a matrix in different shards") {
  const ModelCopy copy("gptq");
  const TempFolder folder;
  std::vector<NamedTensor> shards[2];
  std::string map;
  for (size_t i = 0; i < copy.tensors.size(); ++i) {
    shards[i % 2].push_back(copy.tensors[i]);
    map += (map.empty() ? "" : ",") + ("\"" + copy.tensors[i].name + "\":\"" + (i % 2 == 0 ? "a" : "b") + ".safetensors\"");
  }
  folder.write("config.json", copy.config);
  folder.write("a.safetensors", safetensors_file(shards[0]));
  folder.write("b.safetensors", safetensors_file(shards[1]));
  folder.write("model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
  CHECK(ModelCopy::logits_of(*Model::load(folder.path(), {.threads = 1, .weights = WeightType::f32})) == copy.logits());
}

Integers eight_rows(int32_t bits, int32_t zero) {
  return {8, 64, 32, bits, zero, [=](int64_t row, int64_t input) { return static_cast<int32_t>((row * 37 + input * 11 + input / 7) % (1 << bits)); },
          [](int64_t row, int64_t group) { return 0.125f * static_cast<float>(1 + row + 8 * group); }};
}

void check_matrix(const std::vector<NamedTensor>& tensors, const Quantization& how, const Integers& numbers, DType form) {
  const TempFolder folder;
  const QuantizedSource source(std::make_unique<SafetensorsFile>(folder.write("m.safetensors", safetensors_file(tensors))), how);
  const TensorInfo* info = source.find("m.weight");
  CHECK(info != nullptr && info->shape == std::vector<int64_t>({numbers.out, numbers.in}));
  CHECK(info->dtype == form, dtype_name(info->dtype), " instead of ", dtype_name(form), " for ", numbers.bits, " bits");
  std::vector<float> found(static_cast<size_t>(numbers.out * numbers.in));
  dequantize(info->dtype, source.read(*info).data(), numbers.out * numbers.in, found.data());
  for (int64_t row = 0; row < numbers.out; ++row)
    for (int64_t input = 0; input < numbers.in; ++input) CHECK_EQUAL(found[static_cast<size_t>(row * numbers.in + input)], numbers.value(row, input));
}

TEST("quantized: integers and scales that blocks of 32 hold exactly are kept as such blocks") {
  using Method = Quantization::Method;
  const auto how = [](Method method, int32_t bits) { return Quantization{.method = method, .schemes = {{.bits = bits, .group_size = 32}}}; };
  const auto gptq = [&](int32_t bits, int32_t zero, DType form) { check_matrix(gptq_matrix("m", eight_rows(bits, zero)), how(Method::gptq, bits), eight_rows(bits, zero), form); };
  const auto awq = [&](int32_t zero, DType form) { check_matrix(awq_matrix("m", eight_rows(4, zero)), how(Method::awq, 4), eight_rows(4, zero), form); };
  for (const int32_t bits : {2, 4, 8}) {
    const int32_t middle = 1 << (bits - 1);
    const DType form = bits == 8 ? DType::q8_0 : DType::q4_0;
    check_matrix(compressed_matrix("m", eight_rows(bits, middle)), how(Method::compressed_tensors, bits), eight_rows(bits, middle), form);
    gptq(bits, middle, form);
    gptq(bits, 1, DType::f32);
    Quantization less_one = how(Method::gptq, bits);
    less_one.zeros_less_one = true;
    check_matrix(gptq_matrix("m", eight_rows(bits, middle), 1), less_one, eight_rows(bits, middle), form);
  }
  gptq(3, 4, DType::q4_0);
  gptq(3, 5, DType::f32);
  awq(8, DType::q4_0);
  awq(7, DType::f32);
}

TEST("quantized: scales that half precision does not hold, and groups that blocks do not follow, stay in float32") {
  const Quantization how{.method = Quantization::Method::gptq, .schemes = {{.bits = 4}}};
  const auto form = [&](const std::vector<NamedTensor>& tensors) {
    const TempFolder folder;
    const QuantizedSource source(std::make_unique<SafetensorsFile>(folder.write("m.safetensors", safetensors_file(tensors))), how);
    return source.find("m.weight")->dtype;
  };
  std::vector<NamedTensor> tensors = gptq_matrix("m", eight_rows(4, 8));
  CHECK(form(tensors) == DType::q4_0);
  std::vector<int32_t> order(64);
  for (int32_t i = 0; i < 64; ++i) order[static_cast<size_t>(i)] = 1 - i / 32;
  tensors.push_back({"m.g_idx", "I32", {64}, bytes_of(order)});
  CHECK(form(tensors) == DType::q4_0);
  std::swap(order.front(), order.back());
  tensors.back().data = bytes_of(order);
  CHECK(form(tensors) == DType::f32);
  for (const float scale : {0.1f, 65504.0f, 1e-9f}) {
    std::vector<NamedTensor> other = gptq_matrix("m", eight_rows(4, 8));
    std::memcpy(other[2].data.data() + 12, &scale, sizeof scale);
    CHECK(form(other) == DType::f32, scale);
  }
}

TEST("quantized: MXFP4 whose parts do not belong together") {
  const char* folder = "gpt-oss-mxfp4";
  const std::string name = "model.layers.1.mlp.experts.gate_up_proj";
  refuse(folder, without(name + "_blocks"), name + ": found no such tensor, expected shape [3, 32, 64]");
  refuse(folder, without(name + "_scales"), name + "_scales: found no such tensor, expected one of type U8");
  refuse(folder, with_shape(name + "_blocks", {3, 64, 1, 8}), name + "_blocks: found shape [3, 64, 1, 8], expected blocks of 16 bytes");
  refuse(folder, with_shape(name + "_blocks", {3, 64, 16}), name + "_blocks: found shape [3, 64, 16], expected 4 dimensions of at least 1");
  refuse(folder, with_shape(name + "_scales", {3, 1, 64}), name + "_scales: found shape [3, 1, 64], expected [3, 64, 1]");
  refuse(folder, with(name + "_scales", "I8", {3, 64, 1}, std::string(192, '\x7F')), name + "_scales: found type I8, expected U8");
  refuse(folder, with(name + "_scales", "U8", {3, 64, 1}, std::string(192, '\xFF')), "found NaN or infinity at element 0");
  refuse(folder, in_config("\"num_local_experts\": 3", "\"num_local_experts\": 4"), "mlp.router.weight: found shape [3, 32], expected [4, 32]");
  refuse(folder, in_config("\"mxfp4\"", "\"mxfp8\""), "quant_method: found \"mxfp8\"");
  refuse(folder, in_config("\"mxfp4\"", "\"fp8\""), "mlp.experts.gate_up_proj: found no such tensor");
}

TEST("quantized: MXFP4 is kept in blocks of 8 bits, and in float32 where a scale does not fit") {
  ModelCopy copy("gpt-oss-mxfp4");
  const std::vector<float> expected = copy.logits();
  const size_t blocks = copy.load()->weight_bytes();
  // A block of a scale that half precision does not hold.
  const std::string name = "model.layers.0.mlp.experts.down_proj";
  copy.named(name + "_scales").data[5] = 60;
  const size_t one_wide = copy.load()->weight_bytes();
  CHECK_EQUAL(one_wide - blocks, size_t{32 * 32 * 4 - 34 * 32});
  const auto narrow = Model::load(copy.source, {.threads = 1, .weights = WeightType::i8});
  CHECK(compare(ModelCopy::logits_of(*narrow), expected).relative < 0.1);
}

TEST("quantized: every kind in every weight type is near its float32 outputs") {
  for (const char* folder : {"compressed-packed", "compressed-int8", "awq", "gptq", "gptq-v2", "bnb-nf4", "bnb-fp4", "bnb-int8"}) {
    const std::vector<float> expected = ModelCopy(folder).logits();
    for (const auto& [type, allowed] : {std::pair{WeightType::bf16, 0.05}, std::pair{WeightType::i8, 0.1}}) {
      const auto model = Model::load(golden_root() / folder / "model", {.threads = 1, .weights = type});
      const Difference difference = compare(ModelCopy::logits_of(*model), expected);
      CHECK(difference.relative < allowed, folder, ": ", difference.relative);
    }
  }
}

}  // namespace
}  // namespace sgmv::test
