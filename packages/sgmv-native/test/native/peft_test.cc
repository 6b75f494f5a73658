// What is accepted and what is refused of an adapter, and with which code.
#include <algorithm>
#include <cmath>
#include <functional>

#include "check.h"
#include "formats/peft_targets.h"
#include "golden_folder.h"
#include "layers/lora_adapter.h"
#include "ones_base.h"
#include "sgmv/error.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

ModelConfig small_model() {
  ModelConfig config;
  config.model_type = "llama";
  config.vocab_size = 32;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.layers = 2;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 8;
  config.max_positions = 64;
  return config;
}

std::shared_ptr<const LoraAdapter> load(const std::filesystem::path& folder, std::optional<LoraType> type = std::nullopt, const ModelConfig& model = small_model()) {
  return load_lora_adapter(folder, model, type, OnesBase(model));
}

// One adapter folder, built from parts a test may change.
struct AdapterFiles {
  std::vector<std::pair<std::string, std::string>> fields = {
      {"peft_type", "\"LORA\""}, {"task_type", "\"CAUSAL_LM\""}, {"r", "4"}, {"lora_alpha", "8"}, {"bias", "\"none\""}, {"target_modules", "[\"q_proj\",\"v_proj\"]"}};
  std::vector<NamedTensor> tensors;

  AdapterFiles() { add({Projection::q, Projection::v}, {0, 1}, 4); }

  void add(const std::vector<Projection>& projections, const std::vector<int32_t>& layers, int32_t rank) {
    for (const int32_t layer : layers)
      for (const Projection p : projections) add_pair(module_name(small_model(), layer, p), p, rank);
  }
  void add_pair(const std::string& module, Projection p, int32_t rank, const std::string& end = ".weight") {
    const ModelConfig config = small_model();
    const int64_t in = config.in_features(p), out = config.out_features(p);
    const std::string name = "base_model.model." + module;
    tensors.push_back({name + ".lora_A" + end, "F32", {rank, in}, f32_bytes(std::vector<float>(static_cast<size_t>(rank * in), 0.5f))});
    tensors.push_back({name + ".lora_B" + end, "F32", {out, rank}, f32_bytes(std::vector<float>(static_cast<size_t>(rank * out), 0.25f))});
  }
  AdapterFiles& set(const std::string& field, const std::string& value) {
    for (auto& [name, old] : fields)
      if (name == field) { old = value; return *this; }
    fields.emplace_back(field, value);
    return *this;
  }
  AdapterFiles& drop(const std::string& field) {
    std::erase_if(fields, [&](const auto& f) { return f.first == field; });
    return *this;
  }
  std::string config() const {
    std::string text = "{";
    for (const auto& [name, value] : fields) text += (text.size() > 1 ? ",\"" : "\"") + name + "\":" + value;
    return text + "}";
  }
  void write(const TempFolder& folder) const {
    folder.write("adapter_config.json", config());
    folder.write("adapter_model.safetensors", safetensors_file(tensors));
  }
  AdapterReport inspect() const {
    const TempFolder folder;
    write(folder);
    return inspect_adapter(folder.path(), small_model());
  }
};

std::string codes(const AdapterReport& report) {
  std::string text;
  for (const AdapterProblem& p : report.problems) text += p.code + " (" + p.message + ") ";
  return text;
}

// The report has a problem with this code whose message names `part`; loading refuses too.
void refuse(const AdapterFiles& files, const std::string& code, const std::string& part) {
  const AdapterReport report = files.inspect();
  const bool named = std::any_of(report.problems.begin(), report.problems.end(), [&](const AdapterProblem& p) {
    return p.code == code && p.message.find(part) != std::string::npos && !p.found.empty() && !p.expected.empty();
  });
  CHECK(named, "wanted ", code, " with ", part, ", got ", codes(report));
  const TempFolder folder;
  files.write(folder);
  try {
    load(folder.path());
  } catch (const Error& error) {
    CHECK_EQUAL(error.code(), "adapter_refused");
    return;
  }
  CHECK(false, "loaded an adapter with ", code);
}

AdapterSummary accept(const AdapterFiles& files) {
  const AdapterReport report = files.inspect();
  CHECK(report.problems.empty() && report.has_summary, codes(report));
  const TempFolder folder;
  files.write(folder);
  for (const auto type : {std::optional<LoraType>(), std::optional(LoraType::i8)}) CHECK(load(folder.path(), type)->bytes() > 0);
  return report.summary;
}

TEST("peft: a plain adapter is summarized") {
  const AdapterSummary s = accept(AdapterFiles());
  CHECK(s.rank_min == 4 && s.rank_max == 4 && s.layers == 2 && !s.rslora);
  CHECK((s.target_modules == std::vector<std::string>{"q_proj", "v_proj"}));
  CHECK_EQUAL(s.parameters, int64_t{2 * (4 * 16 + 16 * 4 + 4 * 16 + 8 * 4)});
  CHECK_EQUAL(s.dtype, "F32");
}

TEST("peft: an activated adapter's invocation is read, and refused where PEFT has none") {
  const auto activated = [](const std::string& tokens) { return AdapterFiles().set("alora_invocation_tokens", tokens); };
  CHECK((accept(activated("[3,0,3]")).invocation_tokens == std::vector<int32_t>{3, 0, 3}));
  CHECK(accept(activated("[]")).invocation_tokens.empty());
  const TempFolder folder;
  activated("[3,0,3]").write(folder);
  const auto adapter = load(folder.path());
  const auto acts_from = [&](std::vector<int32_t> prompt) { return adapter->acts_from(prompt); };
  CHECK_EQUAL(acts_from({3, 0, 3}), 0);
  CHECK_EQUAL(acts_from({1, 3, 0, 3, 0, 3, 0}), 3);
  CHECK_EQUAL(acts_from({3, 0, 2, 3, 0}), INT32_MAX);
  CHECK_EQUAL(acts_from({3}), INT32_MAX);
  const std::string past = std::to_string(small_model().vocab_size);
  refuse(activated("[1," + past + "]"), "token_out_of_range", "alora_invocation_tokens[1]: found " + past);
  refuse(activated("[1,-1]"), "bad_type", "alora_invocation_tokens[1]");
  refuse(activated("[1.5]"), "bad_type", "alora_invocation_tokens[0]");
  refuse(activated("\"<call>\""), "bad_type", "alora_invocation_tokens");
  refuse(activated("[1]").drop("task_type"), "conflicting_fields", "task_type");
  refuse(activated("[1]").set("use_dora", "true"), "conflicting_fields", "use_dora");
  refuse(activated("[1]").set("target_modules", "[\"q_proj\",\"embed_tokens\"]"), "conflicting_fields", "embed_tokens");
}

TEST("peft: trained tokens are rows of the embedding and of the head") {
  struct Rows { std::string module; int64_t count; };
  const auto trained = [](const std::string& field, const std::vector<Rows>& tensors) {
    AdapterFiles files;
    files.set("trainable_token_indices", field);
    for (const Rows& rows : tensors) {
      std::vector<float> numbers(static_cast<size_t>(rows.count * 16));
      for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i / 16 + 1);
      files.tensors.push_back({"base_model.model." + rows.module + ".token_adapter.trainable_tokens_delta", "F32", {rows.count, 16}, f32_bytes(numbers)});
    }
    return files;
  };
  const std::string embedding = "model.embed_tokens", head = "lm_head";
  const auto loaded = [](const AdapterFiles& files, bool tied) {
    const TempFolder folder;
    files.write(folder);
    ModelConfig model = small_model();
    model.tied_embeddings = tied;
    return load(folder.path(), std::nullopt, model);
  };
  // In the order of the file, not of their numbers.
  const AdapterFiles list = trained("[9,4,30]", {{embedding, 3}});
  CHECK_EQUAL(accept(list).trained_tokens, 3);
  for (const bool tied : {false, true}) {
    const auto adapter = loaded(list, tied);
    CHECK(*adapter->embedding().own.find(9) == 1.0f && *adapter->embedding().own.find(4) == 2.0f && *adapter->embedding().own.find(30) == 3.0f && adapter->embedding().own.find(5) == nullptr);
    CHECK((adapter->head_rows().find(4) != nullptr) == tied);
    std::vector<float> logits(32, -1.0f);
    adapter->head_rows().write_logits(std::vector<float>(16, 0.5f).data(), logits.data());
    CHECK(logits[4] == (tied ? 16.0f : -1.0f) && logits[30] == (tied ? 24.0f : -1.0f) && logits[5] == -1.0f);
  }
  const auto apart = loaded(trained("{\"model.embed_tokens\":[1],\"lm_head\":[2,3]}", {{embedding, 1}, {head, 2}}), true);
  CHECK((apart->embedding().own.tokens == std::vector<int32_t>{1} && apart->head_rows().tokens == std::vector<int32_t>{2, 3}));
  const auto together = loaded(trained("{\"embed_tokens\":[1],\"lm_head\":[1]}", {{embedding, 1}}), true);
  CHECK(together->head_rows().rows == together->embedding().own.rows && together->head_rows().tokens.size() == 1);
  const auto of_head = loaded(trained("{\"lm_head\":[7]}", {{head, 1}}), true);
  CHECK(of_head->embedding().own.tokens.empty() && of_head->head_rows().tokens.size() == 1);
  CHECK_EQUAL(accept(trained("[]", {})).trained_tokens, 0);
  CHECK_EQUAL(accept(trained("{}", {})).trained_tokens, 0);
  refuse(trained("[1,2,1]", {{embedding, 3}}), "duplicate_token", "trainable_token_indices: found 1 twice");
  refuse(trained("[1,32]", {{embedding, 2}}), "token_out_of_range", "found 32");
  refuse(trained("[-1]", {{embedding, 1}}), "bad_type", "trainable_token_indices[0]");
  refuse(trained("{\"q_proj\":[1]}", {}), "unknown_module", "trainable_token_indices.q_proj");
  refuse(trained("{\"embed_tokens\":[1],\"model.embed_tokens\":[2]}", {{embedding, 1}}), "duplicate_module", "trainable_token_indices");
  refuse(trained("[1,2]", {{embedding, 1}}), "tensor_shape", "trainable_tokens_delta");
  refuse(trained("[1]", {}), "tensor_missing", "trainable_tokens_delta");
  refuse(trained("null", {{embedding, 1}}), "tensor_unexpected", "trainable_tokens_delta");
  refuse(trained("[1]", {{embedding, 1}}).set("alora_invocation_tokens", "[1]"), "conflicting_fields", "alora_invocation_tokens");
  AdapterFiles adapted = trained("{\"lm_head\":[1]}", {{head, 1}}).set("target_modules", "[\"q_proj\",\"v_proj\",\"lm_head\"]");
  adapted.add_pair("lm_head", Projection::lm_head, 4);
  refuse(adapted, "conflicting_fields", "\"lm_head\", which is a target too");
}

TEST("peft: fields that many tools write are accepted") {
  AdapterFiles files;
  for (const auto& [field, value] : std::vector<std::pair<std::string, std::string>>{
           {"alora_invocation_tokens", "null"}, {"alpha_pattern", "{}"}, {"arrow_config", "null"}, {"auto_mapping", R"({"base_model_class":"LlamaForCausalLM","unsloth_fixed":true})"},
           {"base_model_name_or_path", "\"unsloth/x\""}, {"corda_config", "null"}, {"ensure_weight_tying", "false"}, {"eva_config", "null"}, {"exclude_modules", "null"},
           {"fan_in_fan_out", "false"}, {"inference_mode", "true"}, {"init_lora_weights", "true"}, {"layer_replication", "null"}, {"layers_pattern", "null"},
           {"layers_to_transform", "null"}, {"loftq_config", "{}"}, {"lora_bias", "false"}, {"lora_dropout", "0.05"}, {"megatron_config", "null"}, {"megatron_core", "\"megatron.core\""},
           {"modules_to_save", "null"}, {"peft_version", "\"0.21.2\""}, {"qalora_group_size", "16"}, {"rank_pattern", "{}"}, {"revision", "\"main\""}, {"target_parameters", "null"},
           {"trainable_token_indices", "null"}, {"use_bdlora", "null"}, {"use_dora", "false"}, {"use_qalora", "false"}, {"use_rslora", "false"}, {"runtime_config", R"({"ephemeral_gpu_offload":false})"},
           {"lora_alpha", "16.0"}, {"some_future_field", "null"}, {"another_future_field", "false"}, {"third_future_field", "0"}, {"fourth_future_field", "0.0"}})
    files.set(field, value);
  accept(files);
  accept(AdapterFiles().set("modules_to_save", "[]").set("layers_to_transform", "[]").set("bias", "null").drop("task_type").set("init_lora_weights", "\"gaussian\""));
}

TEST("peft: what counts while an adapter is trained is passed over, with its tensors") {
  for (const auto& [field, value] : std::vector<std::pair<std::string, std::string>>{
           {"fan_in_fan_out", "true"}, {"corda_config", "{\"corda_method\":\"ipm\"}"}, {"lora_ga_config", "{\"scale\":\"stable\"}"}, {"eva_config", "{\"rho\":2.0}"}, {"loftq_config", "{\"loftq_bits\":4}"},
           {"bias", "\"all\""}, {"bias", "\"lora_only\""}})
    accept(AdapterFiles().set(field, value));
  const auto with = [](const std::string& field, const std::string& value, const std::string& tensor) {
    AdapterFiles files;
    files.set(field, value);
    files.tensors.push_back({"base_model.model.model.layers.0.self_attn." + tensor, "F32", {3}, f32_bytes({1, 2, 3})});
    return files;
  };
  accept(with("velora_config", "{\"num_groups\":2}", "q_proj.lora_velora_embed"));
  accept(with("monteclora_config", "{\"num_samples\":8}", "q_proj.lora_monteclora_sampler.std_prior"));
  refuse(with("bias", "\"all\"", "k_proj.bias"), "unsupported_tensor", "a trained bias");
  refuse(with("bias", "\"lora_only\"", "q_proj.base_layer.bias"), "unsupported_tensor", "q_proj.base_layer.bias");
}

TEST("peft: features that are not supported are refused by name") {
  for (const auto& [field, value] : std::vector<std::pair<std::string, std::string>>{
           {"modules_to_save", "[\"lm_head\"]"}, {"bias", "\"some\""}, {"lora_bias", "true"}, {"kasa_config", "{\"beta\":1}"}, {"use_bdlora", "{\"nblocks\":2}"},
           {"layer_replication", "[[0,2]]"},
           {"target_parameters", "[\"x\"]"}, {"megatron_config", "{\"a\":1}"}, {"use_qalora", "true"}, {"arrow_config", "{\"a\":1}"},
           {"init_lora_weights", "\"pissa\""}, {"init_lora_weights", "\"pissa_niter_16\""}, {"init_lora_weights", "\"olora\""}, {"init_lora_weights", "\"loftq\""},
           {"init_lora_weights", "\"corda\""}, {"init_lora_weights", "\"lora_ga\""}, {"task_type", "\"SEQ_CLS\""}})
    refuse(AdapterFiles().set(field, value), "unsupported_field", field);
  refuse(AdapterFiles().set("peft_type", "\"LOHA\""), "unsupported_peft_type", "LOHA");
  refuse(AdapterFiles().set("peft_type", "\"IA3\""), "unsupported_peft_type", "IA3");
  refuse(AdapterFiles().drop("peft_type"), "unsupported_peft_type", "peft_type");
  refuse(AdapterFiles().set("some_future_field", "true"), "unknown_field", "some_future_field");
  refuse(AdapterFiles().set("some_future_field", "5"), "unknown_field", "some_future_field");
  refuse(AdapterFiles().set("init_lora_weights", "\"pissa\""), "unsupported_field", "\"mica\"");
  accept(AdapterFiles().set("init_lora_weights", "\"mica\""));
}

TEST("peft: ranks, alphas and types are checked") {
  for (const char* rank : {"0", "257", "-1", "100000000000"}) refuse(AdapterFiles().set("r", rank), "rank_out_of_range", "r: ");
  for (const char* rank : {"8.5", "\"8\"", "true", "[8]"}) refuse(AdapterFiles().set("r", rank), "bad_type", "r: ");
  refuse(AdapterFiles().drop("r"), "missing_field", "r: ");
  refuse(AdapterFiles().drop("lora_alpha"), "missing_field", "lora_alpha");
  refuse(AdapterFiles().set("lora_alpha", "1e30"), "alpha_out_of_range", "lora_alpha");
  refuse(AdapterFiles().set("lora_alpha", "\"8\""), "bad_type", "lora_alpha");
  refuse(AdapterFiles().set("use_rslora", "1"), "bad_type", "use_rslora");
  refuse(AdapterFiles().set("rank_pattern", "[]"), "bad_type", "rank_pattern");
  refuse(AdapterFiles().set("rank_pattern", "{\"q_proj\":0}"), "rank_out_of_range", "rank_pattern.q_proj");
  refuse(AdapterFiles().set("alpha_pattern", "{\"q_proj\":\"x\"}"), "bad_type", "alpha_pattern.q_proj");
  refuse(AdapterFiles().set("target_modules", "5"), "bad_type", "target_modules");
  refuse(AdapterFiles().set("target_modules", "[5]"), "bad_type", "target_modules[0]");
  refuse(AdapterFiles().set("target_modules", "null"), "missing_field", "target_modules");
  refuse(AdapterFiles().set("target_modules", "[]"), "missing_field", "target_modules");
  refuse(AdapterFiles().set("layers_to_transform", "[\"a\"]"), "bad_type", "layers_to_transform[0]");
}

TEST("peft: every problem is reported, not only the first") {
  const AdapterReport report = AdapterFiles().set("lora_bias", "true").set("bias", "\"some\"").set("r", "0").inspect();
  CHECK(report.problems.size() >= 3, codes(report));
  CHECK(!report.has_summary);
}

TEST("peft: targets by list, pattern, all-linear and exclusion") {
  accept(AdapterFiles().set("target_modules", "\".*self_attn\\\\.(q|v)_proj\""));
  accept(AdapterFiles().set("target_modules", "[\"q_proj\",\"v_proj\",\"up_proj\"]").set("exclude_modules", "[\"up_proj\"]"));
  accept(AdapterFiles().set("target_modules", "\"all-linear\"").set("exclude_modules", "\".*(k|o|gate|up|down)_proj\""));
  accept(AdapterFiles().set("target_modules", R"(["model.layers.0.self_attn.q_proj","model.layers.1.self_attn.q_proj","v_proj"])"));
  refuse(AdapterFiles().set("target_modules", "[\"proj\"]"), "unknown_target", "proj");
  refuse(AdapterFiles().set("target_modules", "\"nothing\""), "no_targets", "nothing");
  refuse(AdapterFiles().set("target_modules", "\"(q_proj\""), "unsupported_pattern", "target_modules");
}

TEST("peft: names that the model lacks mean nothing beside one that it has") {
  accept(AdapterFiles().set("target_modules", R"(["q_proj","v_proj","c_attn","qkv_proj","query_key_value"])"));
  refuse(AdapterFiles().set("target_modules", R"(["c_attn","fc1"])"), "unknown_target", "target_modules[1]");
  refuse(AdapterFiles().set("target_modules", R"(["q_proj","v_proj","input_layernorm"])"), "unknown_target", "target_modules[2]");
  refuse(AdapterFiles().set("target_modules", R"(["q_proj","v_porj"])"), "tensor_unexpected", "v_proj");
  AdapterFiles fused;
  fused.set("target_modules", R"(["q_proj","v_proj","qkv_proj"])").add({Projection::qkv}, {0}, 4);
  refuse(fused, "tensor_unexpected", "qkv_proj");
}

TEST("peft: modules of linear attention, whose convolution is none that can be adapted") {
  ModelConfig hybrid = small_model();
  hybrid.linear = {{.key_heads = 1, .value_heads = 2, .key_dim = 4, .value_dim = 6, .taps = 4}, {true, false}};
  const auto problems = [&](const std::string& targets, const ModelConfig& model) {
    const TempFolder folder;
    AdapterFiles().set("target_modules", targets).write(folder);
    return codes(inspect_adapter(folder.path(), model));
  };
  const std::string beside = R"(["q_proj","v_proj","conv1d"])";
  CHECK(problems(beside, small_model()).empty(), problems(beside, small_model()));
  CHECK(problems(beside, hybrid).find("target_modules[2]") != std::string::npos, problems(beside, hybrid));
  CHECK(problems(R"(["in_proj_qkv"])", hybrid).find("model.layers.0.linear_attn.in_proj_qkv") != std::string::npos, problems(R"(["in_proj_qkv"])", hybrid));
  ModelConfig convolutions = small_model();
  convolutions.model_type = "lfm2";
  convolutions.linear = {{.value_heads = 1, .value_dim = convolutions.hidden_size, .taps = 3, .rule = StateRule::short_conv}, {true, false}};
  CHECK(problems(R"(["w1","conv"])", convolutions).find("target_modules[1]") != std::string::npos, problems(R"(["w1","conv"])", convolutions));
  CHECK(problems(R"(["w1"])", convolutions).find("model.layers.0.feed_forward.w1") != std::string::npos, problems(R"(["w1"])", convolutions));
  CHECK(problems(R"(["out_proj"])", convolutions).find("model.layers.0.conv.out_proj") != std::string::npos, problems(R"(["out_proj"])", convolutions));
  CHECK(problems(R"(["in_proj_qkvz"])", hybrid).find("in_proj_qkv, in_proj_z, in_proj_b, in_proj_a, out_proj") != std::string::npos, problems(R"(["in_proj_qkvz"])", hybrid));
}

TEST("peft: the offset of a bad pattern is that in the pattern of the file") {
  refuse(AdapterFiles().set("rank_pattern", R"json({"q_proj(?<x":4})json"), "unsupported_pattern", "offset 7");
  refuse(AdapterFiles().set("alpha_pattern", R"json({"(q_proj":4})json"), "unsupported_pattern", "offset 7");
  refuse(AdapterFiles().set("rank_pattern", R"json({"q)":4})json"), "unsupported_pattern", "offset 2");
  refuse(AdapterFiles().set("target_modules", R"json("q_proj(?<x")json"), "unsupported_pattern", "offset 7");
  refuse(AdapterFiles().set("layers_to_transform", "[0]").set("layers_pattern", R"json("la(?<x")json"), "unsupported_pattern", "offset 3");
}

TEST("peft: layers_to_transform") {
  AdapterFiles one;
  one.tensors.clear();
  one.add({Projection::q, Projection::v}, {1}, 4);
  accept(AdapterFiles(one).set("layers_to_transform", "[1]"));
  accept(AdapterFiles(one).set("layers_to_transform", "1"));
  accept(AdapterFiles(one).set("layers_to_transform", "[1]").set("layers_pattern", "\"layers\""));
  refuse(AdapterFiles(one), "tensor_missing", "layers.0");
  refuse(AdapterFiles().set("layers_to_transform", "[1]"), "tensor_unexpected", "layers.0");
  refuse(AdapterFiles().set("layers_to_transform", "[0,7]"), "layer_out_of_range", "7");
  refuse(AdapterFiles(one).set("layers_to_transform", "[1]").set("target_modules", "\".*(q|v)_proj\""), "conflicting_fields", "layers_to_transform");
}

TEST("peft: rank and alpha patterns match as in PEFT") {
  PeftConfig peft;
  peft.rank = 4;
  peft.alpha = 8;
  peft.targets.names = {"q_proj", "v_proj", "down_proj"};
  peft.rank_pattern = {{"layers.1.self_attn.q_proj", 6}, {"down_proj", 12}, {"proj", 99}, {"^model.layers.0.self_attn.v_proj", 3}};
  peft.alpha_pattern = {{"(q|v)_proj", 5}};
  ProblemList problems;
  const std::vector<LoraTarget> targets = resolve_targets(peft, small_model(), problems);
  CHECK(problems.empty());
  const auto find = [&](int32_t layer, Projection p) {
    return *std::find_if(targets.begin(), targets.end(), [&](const LoraTarget& t) { return t.layer == layer && t.projection == p; });
  };
  CHECK_EQUAL(find(0, Projection::q).rank, 4);
  CHECK_EQUAL(find(1, Projection::q).rank, 6);
  CHECK_EQUAL(find(1, Projection::q).scale, 5.0f / 6);
  CHECK_EQUAL(find(0, Projection::v).rank, 3);
  CHECK_EQUAL(find(1, Projection::v).rank, 4);
  CHECK_EQUAL(find(0, Projection::down).rank, 12);
  CHECK_EQUAL(find(0, Projection::down).scale, 8.0f / 12);
}

TEST("peft: tensors are matched with what the configuration announces") {
  const auto with = [](const std::function<void(AdapterFiles&)>& change) {
    AdapterFiles files;
    change(files);
    return files;
  };
  refuse(with([](AdapterFiles& f) { f.tensors.erase(f.tensors.begin()); }), "tensor_missing", "layers.0.self_attn.q_proj.lora_A");
  refuse(with([](AdapterFiles& f) { f.tensors.erase(f.tensors.begin() + 1); }), "tensor_missing", "layers.0.self_attn.q_proj.lora_B");
  refuse(with([](AdapterFiles& f) { f.add({Projection::k}, {0}, 4); }), "tensor_unexpected", "k_proj");
  refuse(with([](AdapterFiles& f) { f.add_pair("model.layers.9.self_attn.q_proj", Projection::q, 4); }), "tensor_unexpected", "layers.9");
  refuse(with([](AdapterFiles& f) { f.set("r", "8"); }), "tensor_shape", "rank 8");
  refuse(with([](AdapterFiles& f) { f.tensors[0].shape = {16, 4}; }), "tensor_shape", "[16, 4]");
  refuse(with([](AdapterFiles& f) { f.tensors[0].shape = {64}; }), "tensor_shape", "[64]");
  refuse(with([](AdapterFiles& f) { f.tensors[0].dtype = "I32"; }), "tensor_dtype", "I32");
  const auto extra = [&](const std::string& name) { return with([&](AdapterFiles& f) { f.tensors.push_back({name, "F32", {1}, f32_bytes({1})}); }); };
  refuse(extra("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector"), "tensor_unexpected", "DoRA");
  refuse(extra("base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight"), "unsupported_tensor", "base weight");
  refuse(extra("base_model.model.lm_head.weight"), "unsupported_tensor", "lm_head");
  refuse(extra("base_model.model.model.embed_tokens.lora_embedding_A"), "tensor_unexpected", "embed_tokens");
  refuse(extra("base_model.model.model.layers.0.self_attn.q_proj.lora_B.bias"), "unsupported_tensor", "bias");
  refuse(extra("base_model.model.model.layers.0.self_attn.q_proj.lora_C.weight"), "tensor_unexpected", "lora_C");
  refuse(extra("model.layers.0.self_attn.q_proj.lora_A.weight"), "tensor_unexpected", "unknown name");
  refuse(with([](AdapterFiles& f) { f.add_pair("model.layers.0.self_attn.q_proj", Projection::q, 4, ".default.weight"); }), "duplicate_tensor", "default");
}

TEST("peft: DoRA needs a magnitude for every target, of the right size, over weights that are not zero") {
  const auto with = [](const std::function<void(AdapterFiles&)>& change) {
    AdapterFiles files;
    files.set("use_dora", "true");
    for (int32_t layer = 0; layer < 2; ++layer)
      for (const Projection p : {Projection::q, Projection::v}) {
        const int64_t out = small_model().out_features(p);
        files.tensors.push_back({"base_model.model." + module_name(small_model(), layer, p) + ".lora_magnitude_vector", "F32", {out}, f32_bytes(std::vector<float>(static_cast<size_t>(out), 2.0f))});
      }
    change(files);
    return files;
  };
  const AdapterFiles sound = with([](AdapterFiles&) {});
  const AdapterSummary summary = accept(sound);
  CHECK(summary.dora);
  CHECK_EQUAL(summary.parameters, accept(AdapterFiles()).parameters + 2 * (16 + 8));
  refuse(with([](AdapterFiles& f) { f.tensors.pop_back(); }), "tensor_missing", "layers.1.self_attn.v_proj.lora_magnitude_vector");
  refuse(with([](AdapterFiles& f) { f.tensors.back().shape = {1, 8}; }), "tensor_shape", "[1, 8]");
  refuse(with([](AdapterFiles& f) { f.tensors.back().data.replace(0, 4, f32_bytes({NAN})); }), "not_finite", "magnitude");
  // The scale is 2, A 0.5, B 0.25 and the rank 4: a row of W + 2·B·A is 1 + 2 · 4 · 0.5 · 0.25 = 2 everywhere, its norm 8.
  const TempFolder folder;
  sound.write(folder);
  const auto adapter = load(folder.path());
  const LoraPart& part = adapter->group(0, ProjectionGroup::qkv).parts[0];
  CHECK_EQUAL(part.column_factors[15], 0.25f);
  CHECK_EQUAL(part.column_factors[16], 1.0f);
  // B = -0.25 makes the row zero.
  AdapterFiles zero = sound;
  zero.tensors[1].data = f32_bytes(std::vector<float>(64, -0.25f));
  zero.write(folder);
  CHECK_THROWS(load(folder.path()), Error, "norm above 0");
  refuse(with([](AdapterFiles& f) { f.set("target_modules", R"(["q_proj","v_proj","embed_tokens"])"); }), "unsupported_field", "use_dora");
}

TEST("peft: LoRA on the embedding and the head, with the base weights PEFT saves along") {
  const auto with = [](const std::function<void(AdapterFiles&)>& change) {
    AdapterFiles files;
    files.tensors.clear();
    files.set("target_modules", R"(["embed_tokens","lm_head"])");
    const auto add = [&](const std::string& name, std::vector<int64_t> shape, float value) {
      files.tensors.push_back({"base_model.model." + name, "F32", shape, f32_bytes(std::vector<float>(static_cast<size_t>(shape[0] * shape[1]), value))});
    };
    add("model.embed_tokens.lora_embedding_A", {4, 32}, 0.5f);
    add("model.embed_tokens.lora_embedding_B", {16, 4}, 0.5f);
    add("lm_head.lora_A.weight", {4, 16}, 0.5f);
    add("lm_head.lora_B.weight", {32, 4}, 0.5f);
    add("model.embed_tokens.base_layer.weight", {32, 16}, 1.0f);
    add("lm_head.base_layer.weight", {32, 16}, 1.0f);
    change(files);
    return files;
  };
  const AdapterFiles sound = with([](AdapterFiles&) {});
  const AdapterSummary summary = accept(sound);
  CHECK((summary.target_modules == std::vector<std::string>{"embed_tokens", "lm_head"}));
  CHECK(summary.layers == 0 && summary.parameters == 4 * 32 + 16 * 4 + 4 * 16 + 32 * 4);
  accept(with([](AdapterFiles& f) { f.tensors.resize(4); }));
  // Trained beside an adapter of the head, in one model: PEFT saves the head's base weights with this one too.
  accept(with([](AdapterFiles& f) {
    f.set("target_modules", "[\"embed_tokens\"]");
    f.tensors.erase(f.tensors.begin() + 2, f.tensors.begin() + 4);
  }));
  refuse(with([](AdapterFiles& f) { f.tensors[0].name += ".weight"; }), "tensor_missing", "lora_embedding_A");
  refuse(with([](AdapterFiles& f) { f.tensors[0].shape = {32, 4}; }), "tensor_shape", "[32, 4]");
  refuse(with([](AdapterFiles& f) { f.tensors[5].shape = {16, 32}; }), "tensor_shape", "lm_head.base_layer");
  // Trained or resized base weights would be another model: seen when the weights are there, at load.
  const TempFolder folder;
  with([](AdapterFiles& f) { f.tensors[4].data.replace(16 * 4 * 7, 4, f32_bytes({1.01f})); }).write(folder);
  CHECK_THROWS(load(folder.path()), Error, "row 7");
  // A head's bias, where the model has one.
  const auto biased = [&](float value) { return with([&](AdapterFiles& f) { f.tensors.push_back({"base_model.model.lm_head.base_layer.bias", "F32", {32}, f32_bytes(std::vector<float>(32, value))}); }); };
  refuse(biased(1), "unsupported_tensor", "lm_head.base_layer.bias");
  ModelConfig phi = small_model();
  phi.head_bias = true;
  biased(1).write(folder);
  CHECK(load(folder.path(), std::nullopt, phi)->bytes() > 0);
  biased(1.01f).write(folder);
  CHECK_THROWS(load(folder.path(), std::nullopt, phi), Error, "another value at 0");
}

TEST("peft: one LoRA for tied weights is refused, two are not") {
  ModelConfig tied = small_model();
  tied.tied_embeddings = true;
  PeftConfig peft;
  peft.rank = 4;
  peft.targets.names = {"lm_head", "q_proj"};
  peft.ties_weights = true;
  ProblemList untied_problems, tied_problems, separate_problems;
  CHECK_EQUAL(resolve_targets(peft, small_model(), untied_problems).size(), 3u);
  CHECK(untied_problems.empty());
  resolve_targets(peft, tied, tied_problems);
  CHECK_EQUAL(tied_problems.take().at(0).path, "ensure_weight_tying");
  peft.ties_weights = false;
  resolve_targets(peft, tied, separate_problems);
  CHECK(separate_problems.empty());
}

TEST("peft: names with the adapter's name in them are accepted") {
  AdapterFiles files;
  files.tensors.clear();
  for (int32_t layer = 0; layer < 2; ++layer)
    for (const Projection p : {Projection::q, Projection::v}) files.add_pair(module_name(small_model(), layer, p), p, 4, ".default.weight");
  accept(files);
}

TEST("peft: NaN and infinity are found in every type") {
  for (const char* dtype : {"F32", "F16", "BF16"})
    for (const bool infinite : {false, true}) {
      AdapterFiles files;
      for (NamedTensor& t : files.tensors) {
        t.dtype = dtype;
        t.data.assign(t.data.size() / (std::string(dtype) == "F32" ? 1 : 2), '\0');
      }
      accept(files);
      std::string& data = files.tensors.back().data;
      const std::string bits = std::string(dtype) == "F16" ? std::string(infinite ? "\x00\x7C" : "\x01\xFC", 2) : std::string(infinite ? "\x80\x7F" : "\xC0\xFF", 2);
      data.replace(data.size() - 2, 2, bits);
      refuse(files, "not_finite", "layers.1.self_attn.v_proj.lora_B");
    }
}

TEST("peft: what half precision cannot hold is refused, so that what is taken can be loaded in every type") {
  AdapterFiles files;
  std::string& last = files.tensors.back().data;
  const auto ends_with = [&](float value) { last.replace(last.size() - 4, 4, f32_bytes({value})); };
  ends_with(-65504.0f);
  accept(files);
  ends_with(-65505.0f);
  refuse(files, "out_of_range", "layers.1.self_attn.v_proj.lora_B");
  refuse(files, "out_of_range", "65504 at element " + std::to_string(last.size() / 4 - 1));
}

TEST("peft: missing and broken files") {
  const TempFolder folder;
  CHECK_THROWS(inspect_adapter(folder.path() / "none", small_model()), Error, "not a folder");
  const auto first = [&] { return inspect_adapter(folder.path(), small_model()).problems.at(0).code; };
  CHECK_EQUAL(inspect_adapter(folder.path(), small_model()).problems.size(), 2u);
  CHECK_EQUAL(first(), "missing_file");
  AdapterFiles().write(folder);
  folder.write("adapter_config.json", "{\"r\":");
  CHECK_EQUAL(first(), "bad_json");
  folder.write("adapter_config.json", "[]");
  CHECK_EQUAL(first(), "bad_json");
  folder.write("adapter_config.json", std::string(2 << 20, ' '));
  CHECK_EQUAL(first(), "unreadable_file");
  AdapterFiles files;
  files.write(folder);
  const std::string whole = safetensors_file(files.tensors);
  folder.write("adapter_model.safetensors", whole.substr(0, whole.size() - 1));
  CHECK_EQUAL(first(), "truncated_file");
  folder.write("adapter_model.safetensors", "not a tensor file at all");
  CHECK_EQUAL(first(), "bad_header");
  std::filesystem::remove(folder.path() / "adapter_model.safetensors");
  folder.write("adapter_model.bin", "pickle");
  const AdapterReport pickle = inspect_adapter(folder.path(), small_model());
  CHECK(pickle.problems.at(0).expected.find("pickle") != std::string::npos, codes(pickle));
}

TEST("peft: golden adapters of every kind against their own and another model") {
  const std::filesystem::path root = golden_root() / "llama2";
  if (!std::filesystem::exists(root)) throw Skip("no llama2 golden folder");
  const ModelConfig own = read_model_config(root / "model");
  for (const auto& entry : std::filesystem::directory_iterator(root / "adapters")) {
    const AdapterReport report = inspect_adapter(entry.path(), own);
    CHECK(report.problems.empty(), entry.path().string(), ": ", codes(report));
    CHECK_EQUAL(report.summary.dora, entry.path().filename() == "dora");
    CHECK(!inspect_adapter(entry.path(), small_model()).problems.empty());
  }
}

TEST("peft: of layers that share keys and values, what adapts k and v is passed over; where values are keys, what adapts k adapts both") {
  const TempFolder folder;
  AdapterFiles files;
  files.set("target_modules", R"(["q_proj","k_proj","v_proj"])");
  files.add({Projection::k}, {0, 1}, 4);
  files.write(folder);
  const auto targets = [&](const ModelConfig& model, int32_t layer) {
    const auto adapter = load_lora_adapter(folder.path(), model, std::nullopt, OnesBase(model));
    std::string names;
    for (const LoraPart& part : adapter->group(layer, ProjectionGroup::qkv).parts) names += std::string(projection_name(part.projection)) + " ";
    return names;
  };
  ModelConfig model = small_model();
  model.kv_sharing_layers = 1;
  CHECK_EQUAL(targets(model, 0), "q_proj k_proj v_proj ");
  CHECK_EQUAL(targets(model, 1), "q_proj ");
  model.kv_sharing_layers = 0;
  model.full_values_are_keys = true;
  const AdapterReport both = inspect_adapter(folder.path(), model);
  CHECK(!both.problems.empty() && both.problems[0].message.find("v_proj") != std::string::npos, codes(both));  // no layer has a v
  std::erase_if(files.tensors, [](const NamedTensor& tensor) { return tensor.name.find("v_proj") != std::string::npos; });
  files.write(folder);
  CHECK_EQUAL(targets(model, 1), "q_proj k_proj v_proj ");
  CHECK_EQUAL(inspect_adapter(folder.path(), model).summary.parameters, int64_t{2 * (4 * 16 + 16 * 4 + 4 * 16 + 8 * 4)});
}

TEST("peft: an adapter of a vision model: its language model's modules by either name, those that see images left out") {
  for (const char* prefix : kWrappedPrefixes) {
    const auto files = [&] {
      AdapterFiles made;
      made.tensors.clear();
      for (const int32_t layer : {0, 1})
        for (const Projection p : {Projection::q, Projection::v}) made.add_pair(module_name(small_model(), layer, p, prefix), p, 4);
      return made;
    };
    AdapterFiles seeing = files();
    for (const char* eye : {"model.vision_tower.encoder.layers.0.self_attn.q_proj", "vision_tower.layers.0.attention.v_proj", "model.multi_modal_projector.linear_1"})
      seeing.add_pair(eye, Projection::q, 4);
    accept(seeing);
    accept(files().set("target_modules", R"(".*language_model.*\\.(q|v)_proj")"));
    refuse(files().set("target_modules", R"("model\\.layers\\..*\\.(q|v)_proj")"), "no_targets", "target_modules");
    AdapterFiles two = files();
    two.add_pair("model.layers.0.self_attn.q_proj", Projection::q, 4);
    refuse(two, "tensor_unexpected", "model.layers.0.self_attn.q_proj");
  }
  AdapterFiles eyes;
  eyes.tensors.clear();
  for (const char* eye : {"model.visual.blocks.0.attn.qkv", "visual.merger.mlp.0"}) eyes.add_pair(eye, Projection::q, 4);
  for (const char* targets : {"[\"qkv\"]", "[\"q_proj\"]", "\".*visual.*\""}) {
    refuse(eyes.set("target_modules", targets), "no_targets", "visual");
    CHECK(eyes.inspect().problems.size() == 1, codes(eyes.inspect()));
  }
  AdapterFiles plain;
  plain.add_pair("model.vision_tower.encoder.layers.0.self_attn.q_proj", Projection::q, 4);
  refuse(plain, "tensor_unexpected", "vision_tower");
  // Qwen's were trained by the names of a text model too.
  plain.add_pair("visual.blocks.0.attn.proj", Projection::q, 4);
  ModelConfig of_vision = small_model();
  of_vision.sees_images = true;
  const TempFolder folder;
  plain.write(folder);
  CHECK(inspect_adapter(folder.path(), of_vision).problems.empty(), codes(inspect_adapter(folder.path(), of_vision)));
}

}  // namespace
}  // namespace sgmv::test
