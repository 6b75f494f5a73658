// Mixtures of experts: what configurations may say, which weights a step reads, and which adapters there are.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "formats/file_reader.h"
#include "golden_folder.h"
#include "layers/mixture.h"
#include "layers/lora_adapter.h"
#include "layers/lora_checks.h"
#include "ones_base.h"
#include "sgmv/error.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

ModelConfig read(const char* type, const std::string& more) {
  const TempFolder folder;
  folder.write("config.json", std::string(R"({"vocab_size":48,"hidden_size":24,"intermediate_size":36,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,"model_type":")") +
                                  type + "\"" + (more.empty() ? "" : "," + more) + "}");
  return read_model_config(folder.path());
}

void refuse(const char* type, const std::string& more, const char* code, const std::string& part) {
  try {
    read(type, more);
  } catch (const Error& error) {
    CHECK(error.code() == code, more, ": ", error.code(), ": ", error.what());
    CHECK(std::string(error.what()).find(part) != std::string::npos, error.what(), " lacks ", part);
    return;
  }
  CHECK(false, "accepted ", more);
}

TEST("mixture: what each family assumes and what it reads") {
  const ModelConfig mixtral = read("mixtral", R"("num_local_experts":6,"norm_topk_prob":false,"mlp_only_layers":[0])");
  CHECK(mixtral.experts.count == 6 && mixtral.experts.per_token == 2 && mixtral.experts.size == 36 && mixtral.experts.normalized && !mixtral.experts.shared);
  CHECK(mixtral.has_experts(0) && mixtral.mlp_size_max() == 0 && mixtral.sliding_window == 0 && mixtral.rope.theta == 1e6);
  const ModelConfig qwen3 = read("qwen3_moe", "");
  CHECK(qwen3.experts.count == 128 && qwen3.experts.per_token == 8 && qwen3.experts.size == 768 && !qwen3.experts.normalized && qwen3.qk_norm && !qwen3.qk_norm_of_all);
  CHECK(read("qwen3_moe", R"("norm_topk_prob":true)").experts.normalized);
  CHECK_EQUAL(read("qwen3_moe", R"("num_local_experts":16)").experts.count, 16);
  const ModelConfig every_second = read("qwen3_moe", R"("decoder_sparse_step":2,"mlp_only_layers":[3])");
  for (int32_t layer = 0; layer < 4; ++layer) CHECK_EQUAL(every_second.has_experts(layer), layer == 1);
  CHECK(every_second.has_mlp(0) && !every_second.has_mlp(1) && every_second.intermediate_size == 36);
  const ModelConfig qwen2 = read("qwen2_moe", R"("shared_expert_intermediate_size":20)");
  CHECK(qwen2.experts.count == 60 && qwen2.experts.per_token == 4 && qwen2.experts.size == 1408 && qwen2.experts.shared && qwen2.experts.shared_gate && qwen2.attention_bias);
  CHECK(qwen2.has_experts(0) && qwen2.has_mlp(0) && qwen2.experts.shared_size == 20 && qwen2.mlp_size_max() == 20);
  CHECK(!read("qwen2_moe", R"("qkv_bias":false)").attention_bias && !read("qwen3_moe", R"("qkv_bias":true)").attention_bias);
  const ModelConfig olmoe = read("olmoe", "");
  CHECK(olmoe.experts.count == 64 && olmoe.experts.size == 36 && olmoe.qk_norm_of_all && olmoe.pre_norms && !olmoe.post_norms);
  CHECK(read("granitemoe", R"("residual_multiplier":0.5,"embedding_multiplier":3)").embedding_scale == 6);
  const ModelConfig slides = read("qwen3_moe", R"("use_sliding_window":true,"max_window_layers":2)");
  CHECK(slides.sliding_window == 4096 && slides.is_sliding(0) && slides.is_sliding(3));
}

TEST("mixture: routers that choose by worth, shared experts and dense layers") {
  const ModelConfig glm = read("glm4_moe", R"("head_dim":8,"n_routed_experts":8,"num_experts_per_tok":3,"n_group":4,"topk_group":2,"moe_intermediate_size":10,"n_shared_experts":2,"routed_scaling_factor":2.5,"attention_bias":true)");
  const ExpertsConfig& e = glm.experts;
  CHECK(e.count == 8 && e.per_token == 3 && e.size == 10 && e.normalized && e.sigmoid && e.choice_bias && e.groups == 4 && e.groups_per_token == 2 && e.scale == 2.5f && e.sum_min == 1e-20f);
  CHECK(e.shared && !e.shared_gate && e.shared_size == 20 && !glm.has_experts(0) && glm.has_experts(1) && glm.mlp_size(0) == 36 && glm.mlp_size(1) == 20 && glm.mlp_size_max() == 36);
  CHECK(!glm.rope.interleaved && glm.attention_bias && !glm.output_bias && !glm.qk_norm);
  CHECK(!read("glm4_moe", R"("head_dim":8,"norm_topk_prob":false)").experts.normalized && read("glm4_moe", R"("head_dim":8,"use_qk_norm":true)").qk_norm && !read("glm4_moe", R"("head_dim":8,"first_k_dense_replace":3)").has_experts(2));
  CHECK(read("glm4_moe", R"("head_dim":8,"partial_rotary_factor":1.0,"num_local_experts":16)").experts.count == 16);
  const ModelConfig solar = read("solar_open", R"("head_dim":6)");
  CHECK(solar.has_experts(0) && solar.experts.size == 1280 && solar.rope.rotary_dim == 0 && solar.rope.theta == 1e6 && solar.mlp_size_max() == 1280);
  const ModelConfig dots = read("dots1", R"("n_routed_experts":8,"num_experts_per_tok":2,"n_shared_experts":1,"max_window_layers":2,"head_dim":6,"attention_bias":true)");
  CHECK(!dots.experts.normalized && dots.experts.sigmoid && dots.experts.groups == 1 && dots.qk_norm && dots.output_bias && dots.has_experts(0) && !dots.is_sliding(1) && dots.is_sliding(2));
  const ModelConfig minimax = read("minimax_m2", R"("rotary_dim":4,"head_dim":8,"num_local_experts":6,"num_experts_per_tok":4,"attention_bias":true)");
  CHECK(minimax.qk_norm_of_all && minimax.rope.rotary_dim == 4 && minimax.experts.size == 36 && !minimax.experts.shared && minimax.mlp_size_max() == 0 && !minimax.attention_bias && minimax.experts.per_token == 4);
  const ModelConfig ernie = read("ernie4_5_moe", R"("moe_num_experts":6,"moe_k":2,"moe_num_shared_experts":2,"moe_intermediate_size":10,"moe_layer_end_index":2,"moe_norm_min":1e-3)");
  CHECK(!ernie.experts.sigmoid && ernie.experts.choice_bias && ernie.experts.normalized && ernie.experts.sum_min == 1e-3f && ernie.experts.shared_size == 20 && ernie.rope.interleaved);
  for (int32_t layer = 0; layer < 4; ++layer) CHECK_EQUAL(ernie.has_experts(layer), layer == 1 || layer == 2);
  CHECK(!read("ernie4_5_moe", R"("moe_num_shared_experts":0)").experts.shared && !read("ernie4_5_moe", R"("moe_layer_interval":2)").has_experts(2));
  const ModelConfig granite = read("granitemoeshared", R"("shared_intermediate_size":20)");
  CHECK(granite.experts.shared && !granite.experts.shared_gate && granite.experts.shared_size == 20 && granite.fused_gate_up && !granite.experts.chosen_by_worth());
  CHECK(!read("granitemoeshared", "").experts.shared);
  refuse("glm4_moe", R"("head_dim":8,"n_routed_experts":8,"n_group":3)", "model_unsupported", "n_group: found 3");
  refuse("glm4_moe", R"("head_dim":8,"n_routed_experts":8,"n_group":8)", "model_unsupported", "n_group: found 8, expected groups of at least two");
  refuse("glm4_moe", R"("head_dim":8,"n_routed_experts":8,"n_group":4,"num_experts_per_tok":3)", "model_unsupported", "topk_group: found 1");
  refuse("glm4_moe", R"("head_dim":8,"n_routed_experts":8,"n_group":4,"topk_group":5,"num_experts_per_tok":3)", "model_unsupported", "topk_group: found 5");
  refuse("glm4_moe", R"("head_dim":8,"routed_scaling_factor":0)", "model_unsupported", "routed_scaling_factor");
  refuse("glm4_moe", R"("head_dim":8,"n_routed_experts":0)", "model_corrupt", "n_routed_experts: found 0");
  refuse("glm4_moe", R"("head_dim":8,"n_shared_experts":100000)", "model_corrupt", "n_shared_experts: found 100000");
  refuse("dots1", "", "model_corrupt", "n_routed_experts: found nothing");
  refuse("minimax_m2", R"("rotary_dim":10,"head_dim":8,"num_local_experts":8)", "model_corrupt", "rotary_dim: found 10");
  refuse("minimax_m2", R"("num_local_experts":8,"scoring_func":"softmax")", "model_unsupported", "scoring_func");
  refuse("ernie4_5_moe", R"("moe_k":70)", "model_corrupt", "moe_k: found 70, expected 1 to 64");
  refuse("ernie4_5_moe", R"("use_bias":true)", "model_unsupported", "use_bias");
  refuse("ernie4_5_moe", R"("moe_layer_interval":0)", "model_corrupt", "moe_layer_interval");
}

TEST("mixture: configurations that do not fit are refused by name") {
  for (const char* type : {"mixtral", "qwen3_moe", "qwen2_moe", "olmoe", "granitemoe"}) {
    refuse(type, R"("num_experts":0)", "model_corrupt", "num_experts: found 0, expected 1 to 1024");
    refuse(type, R"("num_experts":0,"num_experts_per_tok":0)", "model_corrupt", "num_experts: found 0");
    refuse(type, R"("num_local_experts":2000000000)", "model_corrupt", "num_local_experts: found 2000000000, expected 1 to 1024");
    refuse(type, R"("num_experts":4,"num_experts_per_tok":5)", "model_corrupt", "num_experts_per_tok: found 5, expected 1 to 4");
    refuse(type, R"("num_experts_per_tok":0)", "model_corrupt", "num_experts_per_tok: found 0");
    refuse(type, R"("num_experts":-1)", "model_corrupt", "num_experts: found -1");
    refuse(type, R"("num_experts":"many")", "model_corrupt", "num_experts: found");
    refuse(type, R"("num_experts":8,"num_local_experts":4)", "model_corrupt", "num_local_experts: found 4, expected what num_experts says, 8");
  }
  refuse("qwen3_moe", R"("moe_intermediate_size":0)", "model_corrupt", "moe_intermediate_size: found 0");
  refuse("qwen3_moe", R"("norm_topk_prob":1)", "model_corrupt", "norm_topk_prob");
  refuse("qwen3_moe", R"("decoder_sparse_step":0)", "model_corrupt", "decoder_sparse_step: found 0, expected a whole number of at least 1");
  refuse("qwen3_moe", R"("mlp_only_layers":[4])", "model_corrupt", "mlp_only_layers: found 4, expected layers from 0 to 3");
  refuse("qwen3_moe", R"("mlp_only_layers":[-1])", "model_corrupt", "mlp_only_layers: found -1");
  refuse("qwen3_moe", R"("mlp_only_layers":2)", "model_corrupt", "mlp_only_layers: found 2, expected a list");
  refuse("qwen2_moe", R"("shared_expert_intermediate_size":0)", "model_corrupt", "intermediate_size: found 0");
  refuse("qwen2_moe", R"("use_sliding_window":true)", "model_unsupported", "use_sliding_window: found true, expected false");
  refuse("olmoe", R"("clip_qkv":8.0)", "model_unsupported", "clip_qkv");
  const ModelConfig two_sizes = read("qwen2_moe", R"("shared_expert_intermediate_size":20,"decoder_sparse_step":2)");
  CHECK(two_sizes.mlp_size(0) == 36 && two_sizes.mlp_size(1) == 20 && two_sizes.in_features(Projection::down, 1) == 20 && two_sizes.out_features(Projection::up) == 36);
}

ExpertWeights random_weights(const ModelConfig& config, std::mt19937& generator) {
  std::normal_distribution<float> normal(0.0f, 0.3f);
  const auto linear = [&](int64_t out, int64_t in) {
    std::vector<float> values(static_cast<size_t>(out * in));
    for (float& value : values) value = normal(generator);
    Linear result;
    result.weights = PackedMatrix(PackedMatrix::Storage::f32, WeightType::f32, out, in);
    result.weights.set_rows(0, out, DType::f32, reinterpret_cast<const std::byte*>(values.data()));
    return result;
  };
  ExpertWeights weights;
  weights.router = linear(config.experts.count, config.hidden_size);
  for (int32_t expert = 0; expert < config.experts.count; ++expert) {
    weights.gate_up.push_back(linear(int64_t{2} * config.experts.size, config.hidden_size));
    weights.down.push_back(linear(config.hidden_size, config.experts.size));
  }
  return weights;
}

TEST("mixture: a token reads its own experts' weights and no others") {
  ModelConfig config;
  config.hidden_size = 40;
  config.experts = {16, 3, 24, true, false, {}};
  std::mt19937 generator(3);
  ExpertWeights weights = random_weights(config, generator);
  const std::shared_ptr<Device> device = make_cpu_device({3, ""});
  CpuDevice& cpu = as_cpu(*device);
  Mixture mixture(config, false);
  Activations x, y;
  x.reserve(1, config.hidden_size);
  y.reserve(1, config.hidden_size);
  for (int64_t i = 0; i < config.hidden_size; ++i) x.row(0)[i] = std::sin(static_cast<float>(i));
  // By the definition, in float64.
  std::vector<std::pair<double, int32_t>> ratings;
  for (int32_t expert = 0; expert < config.experts.count; ++expert) {
    std::vector<float> row(static_cast<size_t>(config.hidden_size));
    weights.router.weights.copy_row(expert, row.data());
    double rating = 0;
    for (size_t i = 0; i < row.size(); ++i) rating += double(row[i]) * x.row(0)[i];
    ratings.emplace_back(-rating, expert);
  }
  std::sort(ratings.begin(), ratings.end());
  const auto run = [&] {
    std::fill_n(y.row(0), config.hidden_size, NAN);
    mixture.plan({});
    mixture.reserve(1, {});
    mixture.run(cpu, 0, weights, x, x, 1, y);
    return std::vector<float>(y.row(0), y.row(0) + config.hidden_size);
  };
  const std::vector<float> whole = run();
  // Nothing is left of the others: a product with one of them would have nowhere to read from.
  for (size_t i = 3; i < ratings.size(); ++i) {
    const auto expert = static_cast<size_t>(ratings[i].second);
    weights.gate_up[expert] = {};
    weights.down[expert] = {};
  }
  const size_t of_three = 3 * (weights.gate_up[static_cast<size_t>(ratings[0].second)].bytes() + weights.down[static_cast<size_t>(ratings[0].second)].bytes());
  CHECK_EQUAL(weights.bytes() - weights.router.bytes(), of_three);
  CHECK(run() == whole && std::isfinite(whole[0]));
}

TEST("mixture: the weights of a model are all its experts'") {
  const auto model = Model::load(golden_root() / "mixtral" / "model", {1, "", WeightType::f32});
  const ModelConfig& config = model->config();
  const auto of_experts = static_cast<size_t>(config.layers * config.experts.count) * 3 * static_cast<size_t>(config.experts.size * config.hidden_size) * sizeof(uint16_t);
  CHECK(model->weight_bytes() > of_experts, model->weight_bytes(), " of ", of_experts);
}

// A golden adapter whose configuration and tensors can be changed, without base weights.
struct AdapterCopy {
  AdapterCopy(const char* family, const char* adapter) : model(read_model_config(GoldenFolder(golden_root() / family).model())) {
    const std::filesystem::path source = golden_root() / family / "adapters" / adapter;
    config = read_text_file(source / "adapter_config.json", 1 << 20);
    const SafetensorsFile file(source / "adapter_model.safetensors");
    for (const auto& [name, info] : file.tensors()) {
      if (name.ends_with(".base_layer.weight")) continue;
      const std::vector<std::byte> data = file.read(info);
      tensors.push_back({name, info.dtype_text, info.shape, std::string(reinterpret_cast<const char*>(data.data()), data.size())});
    }
  }
  AdapterCopy& targets(const std::string& value) {
    const size_t begin = config.find('[', config.find("\"target_modules\"")), end = config.find(']', begin);
    config.replace(begin, end + 1 - begin, value);
    return *this;
  }
  AdapterCopy& say(const std::string& field, const std::string& value) {
    const size_t at = config.find("\"" + field + "\":"), begin = config.find(':', at) + 1;
    const char open = config[config.find_first_not_of(' ', begin)];
    const size_t end = open == '[' ? config.find(']', begin) + 1 : open == '{' ? config.find('}', begin) + 1 : config.find(',', begin);
    config.replace(begin, end - begin, value);
    return *this;
  }
  AdapterCopy& drop(const std::string& part) {
    std::erase_if(tensors, [&](const NamedTensor& tensor) { return tensor.name.find(part) != std::string::npos; });
    return *this;
  }
  AdapterCopy& pair(const std::string& module, int64_t in, int64_t out) {
    tensors.push_back({"base_model.model." + module + ".lora_A.weight", "F32", {2, in}, f32_bytes(std::vector<float>(static_cast<size_t>(2 * in), 0.5f))});
    tensors.push_back({"base_model.model." + module + ".lora_B.weight", "F32", {out, 2}, f32_bytes(std::vector<float>(static_cast<size_t>(2 * out), 0.5f))});
    return *this;
  }
  void write(const TempFolder& folder) const {
    folder.write("adapter_config.json", config);
    folder.write("adapter_model.safetensors", safetensors_file(tensors));
  }
  std::shared_ptr<const LoraAdapter> load() const {
    const TempFolder folder;
    write(folder);
    return load_lora_adapter(folder.path(), model, LoraType::i8, OnesBase(model));
  }
  AdapterReport inspect() const {
    const TempFolder folder;
    write(folder);
    const AdapterReport report = inspect_adapter(folder.path(), model);
    if (report.problems.empty()) CHECK(load_lora_adapter(folder.path(), model, LoraType::i8, OnesBase(model))->bytes() > 0);
    else CHECK_THROWS(load_lora_adapter(folder.path(), model, LoraType::i8, OnesBase(model)), Error, report.problems[0].path.c_str());
    return report;
  }
  std::vector<std::string> accept() const {
    const AdapterReport report = inspect();
    CHECK(report.problems.empty(), report.problems.empty() ? "" : report.problems[0].message);
    return report.summary.target_modules;
  }
  void refuse(const std::string& code, const std::string& part) const {
    const AdapterReport report = inspect();
    CHECK(std::any_of(report.problems.begin(), report.problems.end(), [&](const AdapterProblem& p) { return p.code == code && p.message.find(part) != std::string::npos; }),
          "wanted ", code, " with ", part, ", got ", report.problems.empty() ? "nothing" : report.problems[0].code + ": " + report.problems[0].message);
  }

  ModelConfig model;
  std::string config;
  std::vector<NamedTensor> tensors;
};

using Names = std::vector<std::string>;

TEST("mixture: adapters of attention, of experts and of layers without") {
  CHECK((AdapterCopy("qwen3-moe", "attention").accept() == Names{"q_proj", "k_proj", "v_proj", "o_proj", "lm_head"}));
  CHECK((AdapterCopy("mixtral", "experts").accept() == Names{"q_proj", "w1", "w3", "w2"}));
  // Experts are no modules in Transformers 5: the same list is of attention and of the layer without experts.
  AdapterCopy recent("qwen3-moe", "experts");
  CHECK((recent.drop(".experts.").accept() == Names{"q_proj", "gate_proj", "up_proj", "down_proj"}));
  recent.drop(".mlp.").refuse("tensor_missing", "model.layers.1.mlp.gate_proj.lora_A.weight");
  // all-linear takes what is linear where it was trained.
  AdapterCopy linear("mixtral", "experts");
  for (int layer = 0; layer < 2; ++layer)
    for (const auto& [name, out] : {std::pair("k_proj", 8), std::pair("v_proj", 8), std::pair("o_proj", 24)})
      linear.pair("model.layers." + std::to_string(layer) + ".self_attn." + name, 24, out);
  linear.targets("\"all-linear\"").refuse("tensor_missing", "model.layers.0.block_sparse_moe.gate.lora_A.weight");
  linear.pair("model.layers.0.block_sparse_moe.gate", 24, 4).pair("model.layers.1.block_sparse_moe.gate", 24, 4);
  CHECK((linear.accept() == Names{"q_proj", "k_proj", "v_proj", "o_proj", "w1", "w3", "w2", "gate"}));
  CHECK((linear.drop(".block_sparse_moe.").accept() == Names{"q_proj", "k_proj", "v_proj", "o_proj"}));
  CHECK((AdapterCopy("qwen3-moe", "experts").targets(R"(["q_proj","experts.3.gate_proj"])").drop(".mlp.").pair("model.layers.0.mlp.experts.3.gate_proj", 24, 20).pair("model.layers.2.mlp.experts.3.gate_proj", 24, 20).accept() ==
         Names{"q_proj", "gate_proj"}));
  const std::string pattern = R"x(".*(q_proj|shared_expert\\.(gate|up|down)_proj)")x";
  CHECK((AdapterCopy("qwen2-moe", "experts").targets(pattern).drop(".experts.").accept() == Names{"q_proj", "gate_proj", "up_proj", "down_proj"}));
}

// Attention's adapter of a family without lm_head, and a router's or a shared expert's gate of its first layer.
AdapterCopy with_router(const char* family, const char* module, int64_t outputs) {
  AdapterCopy copy(family, "attention");
  copy.drop("lm_head").targets("[\"q_proj\",\"k_proj\",\"v_proj\",\"o_proj\",\"0." + std::string(module) + "\"]");
  // The golden adapter's rank is 3.
  copy.tensors.push_back({"base_model.model.model.layers.0." + std::string(module) + ".lora_A.weight", "F32", {3, 24}, f32_bytes(std::vector<float>(72, 0.3f))});
  copy.tensors.push_back({"base_model.model.model.layers.0." + std::string(module) + ".lora_B.weight", "F32", {outputs, 3}, f32_bytes(std::vector<float>(static_cast<size_t>(3 * outputs), 0.7f))});
  return copy;
}

const std::initializer_list<std::tuple<const char*, const char*, int64_t, const char*>> kRouters{
    {"qwen3-moe", "mlp.gate", 7, "gate"}, {"olmoe", "mlp.gate", 6, "gate"}, {"mixtral", "block_sparse_moe.gate", 4, "gate"}, {"qwen2-moe", "mlp.gate", 5, "gate"},
    {"qwen2-moe", "mlp.shared_expert_gate", 1, "shared_expert_gate"}, {"granitemoe", "block_sparse_moe.router.layer", 4, "router.layer"}};

TEST("mixture: adapters of routers, whose factors keep the numbers of the file") {
  for (const auto& [family, module, outputs, name] : kRouters) {
    const AdapterCopy copy = with_router(family, module, outputs);
    CHECK((copy.accept() == Names{"q_proj", "k_proj", "v_proj", "o_proj", name}));
    const auto adapter = copy.load(), without = AdapterCopy(copy).drop(module).targets(R"(["q_proj","k_proj","v_proj","o_proj"])").load();
    CHECK(adapter->adapts_routers() && !without->adapts_routers() && adapter->bytes() > without->bytes());
    const LoraGroup& group = adapter->group(0, ProjectionGroup::router);
    CHECK(group.parts.size() == 1 && adapter->group(1, ProjectionGroup::router).parts.empty());
    CHECK(group.parts[0].a.type == LoraType::f32 && group.parts[0].b.type == LoraType::f32 && adapter->group(0, ProjectionGroup::qkv).parts[0].a.type == LoraType::i8);
    with_router(family, module, outputs + 1).refuse("tensor_shape", std::to_string(outputs) + " outputs in the base model");
  }
}

TEST("mixture: adapters of bare parameters, as Transformers 5 has routers and experts") {
  const char* family = "bare-parameters";
  const AdapterCopy whole(family, "all-linear");
  CHECK((whole.accept() == Names{"q_proj", "k_proj", "v_proj", "o_proj", "w1", "w3", "w2", "gate"}));
  int64_t numbers = 0;
  for (const NamedTensor& tensor : whole.tensors) numbers += tensor.shape[0] * tensor.shape[1];
  CHECK_EQUAL(whole.inspect().summary.parameters, numbers);
  const auto adapter = whole.load();
  CHECK(adapter->adapts_experts() && adapter->adapts_routers());
  CHECK_EQUAL(adapter->group(1, ProjectionGroup::gate_up, 3).parts.size(), 2u);
  AdapterCopy parameters(family, "all-linear");
  CHECK((parameters.say("target_modules", "[\"c_attn\"]").drop(".self_attn.").accept() == Names{"w1", "w3", "w2", "gate"}));
  // Of one of a module's parameters, the tensors are not those of one inside.
  AdapterCopy down(family, "all-linear");
  down.say("target_parameters", R"(["down_proj"])").drop(".base_layer.").drop(".mlp.gate.");
  CHECK((down.accept() == Names{"q_proj", "k_proj", "v_proj", "o_proj", "w2"}));

  const std::string experts = "base_model.model.model.layers.1.mlp.experts";
  const auto refuse = [&](const std::string& field, const std::string& value, const char* code, const std::string& part) { AdapterCopy(family, "all-linear").say(field, value).refuse(code, part); };
  refuse("target_parameters", R"(["gate.weight","norm.weight"])", "unsupported_field", "target_parameters[1]: found \"norm.weight\", expected one of gate.weight, experts.gate_up_proj, experts.down_proj");
  refuse("target_parameters", R"("gate.weight")", "bad_type", "target_parameters: found");
  refuse("target_parameters", R"([1])", "bad_type", "target_parameters[0]");
  refuse("target_parameters", R"(["gate_up_proj","gate.weight"])", "tensor_unexpected", experts + ".lora_A.weight");
  refuse("target_parameters", "null", "tensor_unexpected", experts + ".lora_A.weight");
  refuse("use_dora", "true", "unsupported_field", "use_dora: found true beside target_parameters");
  refuse("rank_pattern", "{}", "tensor_shape", experts + ".base_layer.lora_A.weight: found shape [8, 24], expected [4, 24] (rank 1 in adapter_config.json, 4 experts in the base model)");
  AdapterCopy missing(family, "all-linear");
  missing.drop(".experts.lora_B").refuse("tensor_missing", experts + ".lora_B.weight");
  CHECK_EQUAL(missing.inspect().problems.size(), 2u);  // not one for each expert
  AdapterCopy(family, "all-linear").drop(".base_layer.").refuse("tensor_shape", experts + ".lora_A.weight: found shape [4, 36], expected [8, 24]");
  AdapterCopy("granitemoe", "attention").say("target_parameters", R"(["input_linear.weight"])").refuse("unsupported_field", "target_parameters[0]: found \"input_linear.weight\"");
}

TEST("mixture: adapters of HunYuan, whose router is a module where its experts are bare parameters") {
  const Names all{"q_proj", "gate_proj", "up_proj", "down_proj", "gate.wg"};
  AdapterCopy announced("hunyuan-moe", "experts");
  CHECK(announced.accept() == all);
  CHECK(announced.load()->adapts_routers());
  // What PEFT makes of target_modules of Transformers 4.
  CHECK(announced.say("target_parameters", R"(["experts.gate_up_proj","gate.weight","experts.down_proj"])").accept() == all);
  announced.drop(".wg.").refuse("tensor_missing", "layers.0.mlp.gate.wg.lora_A.weight");
}

TEST("mixture: adapters of GPT-OSS, whose routers and experts are bare parameters everywhere") {
  const AdapterCopy whole("gpt-oss", "experts");
  CHECK((whole.accept() == Names{"q_proj", "gate_proj", "up_proj", "down_proj", "router"}));
  int64_t numbers = 0;
  for (const NamedTensor& tensor : whole.tensors) numbers += tensor.shape[0] * tensor.shape[1];
  CHECK_EQUAL(whole.inspect().summary.parameters, numbers);
  CHECK((AdapterCopy("gpt-oss", "dora").accept() == Names{"q_proj", "k_proj", "v_proj", "o_proj"}));
  // Parameters of some layers.
  AdapterCopy some("gpt-oss", "experts");
  CHECK((some.drop("layers.0.mlp.").drop(".router.").say("target_parameters", R"(["1.mlp.experts.gate_up_proj","1.mlp.experts.down_proj"])").accept() == Names{"q_proj", "gate_proj", "up_proj", "down_proj"}));
  const std::string experts = "base_model.model.model.layers.1.mlp.experts";
  const auto refuse = [&](const std::string& field, const std::string& value, const char* code, const std::string& part) { AdapterCopy("gpt-oss", "experts").say(field, value).refuse(code, part); };
  refuse("target_parameters", R"(["router.bias"])", "unsupported_field", "target_parameters[0]: found \"router.bias\", expected one of router.weight, experts.gate_up_proj, experts.down_proj");
  refuse("target_parameters", R"(["gate.weight"])", "unsupported_field", "target_parameters[0]: found \"gate.weight\"");
  refuse("target_parameters", R"(["experts.gate_up_proj_bias"])", "unsupported_field", "target_parameters[0]");
  refuse("target_parameters", R"(["self_attn.sinks"])", "unsupported_field", "target_parameters[0]");
  refuse("target_parameters", R"(["router.weight"])", "tensor_unexpected", experts + ".lora_A.weight");
  refuse("use_dora", "true", "unsupported_field", "use_dora: found true beside target_parameters");
  refuse("rank_pattern", "{}", "tensor_shape", experts + ".lora_A.weight: found shape [5, 20], expected [10, 20]");
  AdapterCopy("gpt-oss", "experts").targets(R"(["q_proj","router"])").refuse("unknown_target", "\"router\"");
  AdapterCopy("gpt-oss", "dora").pair("model.layers.0.mlp.router", 24, 5).refuse("tensor_unexpected", "model.layers.0.mlp.router");
  AdapterCopy("gpt-oss", "dora").pair("model.layers.0.mlp.experts.3.down_proj", 20, 24).refuse("tensor_unexpected", "model.layers.0.mlp.experts.3.down_proj");
  // [experts, in, out] as versions of PEFT that do not know it write it: the other way round.
  AdapterCopy turned("gpt-oss", "experts");
  turned.drop(".mlp.experts.").say("target_parameters", R"(["experts.gate_up_proj"])").drop(".mlp.router.");
  turned.say("rank_pattern", "{}");
  for (const std::string layer : {"0", "1"}) {
    const std::string name = "base_model.model.model.layers." + layer + ".mlp.experts";
    turned.tensors.push_back({name + ".lora_A.weight", "F32", {10, 40}, f32_bytes(std::vector<float>(400, 0.5f))});
    turned.tensors.push_back({name + ".lora_B.weight", "F32", {24, 10}, f32_bytes(std::vector<float>(240, 0.5f))});
  }
  turned.refuse("tensor_shape", "lora_A.weight: found shape [10, 40], expected [10, 24]");
  AdapterCopy single("gpt-oss", "experts");
  single.model.experts.count = single.model.experts.per_token = 1;
  single.refuse("unsupported_field", "experts.gate_up_proj\" of a single expert");
}

TEST("mixture: bare parameters of a single expert") {
  AdapterCopy copy("bare-parameters", "all-linear");
  copy.drop(".mlp.").say("target_parameters", R"(["experts.gate_up_proj"])").model.experts.count = copy.model.experts.per_token = 1;
  std::vector<float> b(2 * 72, 0.25f);
  std::fill_n(b.begin() + 72, 72, 0.75f);
  for (const std::string layer : {"0", "1"}) {
    copy.pair("model.layers." + layer + ".mlp.experts", 24, 72);
    copy.tensors.back().data = f32_bytes(b);
  }
  const TempFolder folder;
  copy.write(folder);
  ProblemList problems;
  const PeftAdapter adapter(folder.path(), copy.model, problems);
  for (const PeftPair& pair : adapter.pairs())
    if (pair.target.expert == 0) {
      const std::vector<float> values = widened(adapter.read_checked(pair.b, problems), DType::f32);
      CHECK(values == std::vector<float>(2 * 36, pair.target.projection == Projection::gate ? 0.25f : 0.75f), projection_name(pair.target.projection));
    }
  CHECK(problems.empty() && adapter.pairs().size() == 2 * (4 + 2));
}

TEST("mixture: experts that are modules beside target_parameters") {
  AdapterCopy copy("qwen3-moe", "experts");
  copy.say("target_parameters", R"(["gate.weight"])");
  for (const std::string layer : {"0", "2"}) copy.pair("model.layers." + layer + ".mlp.gate", 24, 7);
  CHECK((copy.accept() == Names{"q_proj", "gate_proj", "up_proj", "down_proj", "gate"}));
}

TEST("mixture: adapters that do not fit are refused by name") {
  const std::string expert = "model.layers.2.mlp.experts.6.up_proj";
  AdapterCopy("qwen3-moe", "experts").drop(expert + ".lora_B").refuse("tensor_missing", expert + ".lora_B.weight");
  AdapterCopy("qwen3-moe", "experts").drop(expert).pair(expert, 24, 36).refuse("tensor_shape", "[20, 2] (20 outputs in the base model");
  AdapterCopy("qwen3-moe", "experts").pair("model.layers.0.mlp.experts.7.up_proj", 24, 20).refuse("tensor_unexpected", "model.layers.0.mlp.experts.7.up_proj");
  AdapterCopy("qwen3-moe", "experts").pair("model.layers.1.mlp.experts.0.up_proj", 24, 20).refuse("tensor_unexpected", "model.layers.1.mlp.experts.0.up_proj");
  AdapterCopy("granitemoe", "attention").pair("model.layers.0.mlp.experts.0.up_proj", 24, 20).refuse("tensor_unexpected", "model.layers.0.mlp.experts.0.up_proj");
  AdapterCopy("mixtral", "experts").drop(".experts.").targets(R"(["w1","w2","w3"])").refuse("unknown_target", "expected one of q_proj, k_proj, v_proj, o_proj, embed_tokens, lm_head of");
  AdapterCopy("qwen3-moe", "attention").pair("model.layers.1.mlp.gate", 24, 7).refuse("tensor_unexpected", "model.layers.1.mlp.gate");
  AdapterCopy("qwen3-moe", "attention").targets(R"(["gate"])").refuse("unknown_target", "\"gate\"");
  AdapterCopy("qwen3-moe", "attention").targets(R"(["q_proj","experts"])").refuse("unknown_target", "\"experts\"");
}

}  // namespace
}  // namespace sgmv::test
