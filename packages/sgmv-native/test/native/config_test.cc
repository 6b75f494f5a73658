// Spellings of config.json that circulate.
#include <cmath>

#include "check.h"
#include "layers/rope_table.h"
#include "sgmv/error.h"
#include "sgmv/model_config.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

constexpr const char* kBase = R"("model_type":"llama","vocab_size":128,"hidden_size":64,"intermediate_size":160,"num_hidden_layers":3,"num_attention_heads":4)";

ModelConfig read(const std::string& more, const std::string& base = kBase) {
  const TempFolder folder;
  folder.write("config.json", "{" + base + (more.empty() ? "" : "," + more) + "}");
  return read_model_config(folder.path());
}

void refuse(const std::string& more, const char* code, const char* part, const std::string& base = kBase) {
  try {
    read(more, base);
  } catch (const Error& error) {
    CHECK(error.code() == code, more, ": ", error.code(), ": ", error.what());
    CHECK(std::string(error.what()).find(part) != std::string::npos, error.what(), " lacks ", part);
    return;
  }
  CHECK(false, "accepted ", more);
}

TEST("config: defaults of Llama") {
  const ModelConfig c = read("");
  CHECK_EQUAL(c.kv_heads, 4);
  CHECK_EQUAL(c.head_dim, 16);
  CHECK_EQUAL(c.max_positions, 2048);
  CHECK_EQUAL(c.rms_norm_eps, 1e-6f);
  CHECK(!c.tied_embeddings && !c.attention_bias && !c.mlp_bias && c.rope.kind == RopeConfig::Kind::none && c.end_tokens.empty());
}

TEST("config: null fields are as if missing") {
  const ModelConfig c = read(R"("num_key_value_heads":null,"head_dim":null,"rope_scaling":null,"rope_parameters":null,"eos_token_id":null,"bos_token_id":null,"quantization_config":null,"sliding_window":null)");
  CHECK_EQUAL(c.kv_heads, 4);
  CHECK_EQUAL(c.bos_token, -1);
}

TEST("config: both spellings of RoPE scaling") {
  const ModelConfig old = read(R"("rope_theta":500000.0,"rope_scaling":{"type":"linear","factor":4})");
  CHECK(old.rope.kind == RopeConfig::Kind::linear && old.rope.factor == 4 && old.rope.theta == 500000);
  const ModelConfig middle = read(R"("rope_theta":500000,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})");
  CHECK(middle.rope.kind == RopeConfig::Kind::llama3 && middle.rope.original_max_positions == 8192);
  const ModelConfig recent = read(R"("rope_parameters":{"rope_type":"llama3","rope_theta":500000.0,"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})");
  CHECK(recent.rope.kind == RopeConfig::Kind::llama3 && recent.rope.theta == 500000);
  CHECK(rope_frequencies(middle.rope, 64) == rope_frequencies(recent.rope, 64));
  CHECK(read(R"("rope_parameters":{"rope_type":"default","rope_theta":1234})").rope.theta == 1234);
}

TEST("config: what would compute something else is refused by name") {
  refuse(R"("rope_scaling":{"type":"ntk","factor":2})", "model_unsupported", "ntk");
  refuse(R"("rope_scaling":{"rope_type":"longrope","factor":2})", "model_corrupt", "short_factor");
  refuse(R"("rope_parameters":{"full_attention":{"rope_theta":1}})", "model_unsupported", "full_attention");
  refuse(R"("rope_scaling":{"type":"linear"})", "model_corrupt", "factor");
  refuse(R"("hidden_act":"gelu")", "model_unsupported", "hidden_act");
  refuse(R"("partial_rotary_factor":0.5)", "model_unsupported", "partial_rotary_factor");
  refuse(R"("rope_interleaved":true)", "model_unsupported", "rope_interleaved");
  refuse(R"("architectures":["LlamaForSequenceClassification"])", "model_unsupported", "architectures");
  refuse("", "model_unsupported", "\"gpt2\"", R"("model_type":"gpt2")");
  refuse("", "model_unsupported", "model_type", R"("vocab_size":5)");
}

TEST("config: rope_scaling beside rope_parameters") {
  const std::string linear = R"({"rope_type":"linear","factor":4})", yarn = R"({"type":"yarn","factor":4})", plain = R"({"rope_type":"default"})";
  const auto both = [](const std::string& scaling, const std::string& parameters) {
    return "\"rope_scaling\":" + scaling + ",\"rope_parameters\":" + parameters;
  };
  CHECK(read(both(linear, linear)).rope.kind == RopeConfig::Kind::linear);
  CHECK(read(both("null", linear)).rope.kind == RopeConfig::Kind::linear);
  CHECK(read(both("{}", linear)).rope.kind == RopeConfig::Kind::linear);
  CHECK(read(both(linear, "null")).rope.kind == RopeConfig::Kind::linear);
  const std::string theta = R"({"rope_type":"linear","factor":4,"rope_theta":5000})";
  CHECK_EQUAL(read(both(linear, theta) + ",\"rope_theta\":5000").rope.theta, 5000.0);
  for (const std::string& parameters : {yarn, plain, theta, std::string(R"({"rope_type":"linear","factor":2})")})
    for (const char* part : {"rope_scaling", "rope_parameters", "remove rope_scaling"}) refuse(both(linear, parameters), "model_unsupported", part);
  refuse(both(R"({"type":"ntk","factor":2})", linear), "model_unsupported", "ntk");
}

TEST("config: original_max_position_embeddings of the whole model comes first, and max_position_embeddings last") {
  const std::string factors = R"("short_factor":[1,1,1,1,1,1,1,1],"long_factor":[1,2,3,4,5,6,7,8])";
  for (const std::string& scaling : {std::string(R"("rope_type":"llama3","factor":8)"), std::string(R"("rope_type":"yarn","factor":8)"), R"("rope_type":"longrope",)" + factors}) {
    const auto original = [&](const std::string& inside, const std::string& outside) {
      return read("\"rope_parameters\":{" + scaling + inside + "}" + outside).rope.original_max_positions;
    };
    const std::string name = ",\"original_max_position_embeddings\":";
    CHECK_EQUAL(original(name + "64", name + "32"), 32);
    CHECK_EQUAL(original(name + "64", name + "null"), 64);
    CHECK_EQUAL(original(name + "64", ""), 64);
    CHECK_EQUAL(original("", ""), 2048);
  }
  refuse(R"("rope_scaling":{"rope_type":"yarn"})", "model_corrupt", "factor");
}

TEST("config: zero betas of YaRN are as if missing") {
  const ModelConfig c = read(R"("rope_scaling":{"rope_type":"yarn","factor":4,"beta_fast":0,"beta_slow":0.0})");
  CHECK(c.rope.beta_fast == 32 && c.rope.beta_slow == 1);
  refuse(R"("rope_scaling":{"rope_type":"yarn","factor":4,"beta_slow":-1})", "model_corrupt", "beta_slow");
}

TEST("config: wrong numbers are named") {
  refuse(R"("num_key_value_heads":3)", "model_corrupt", "num_key_value_heads");
  refuse(R"("head_dim":15)", "model_corrupt", "head_dim");
  refuse(R"("rms_norm_eps":"x")", "model_corrupt", "rms_norm_eps");
  refuse(R"("tie_word_embeddings":1)", "model_corrupt", "tie_word_embeddings");
  refuse("", "model_corrupt", "hidden_size", R"("model_type":"llama","vocab_size":128)");
  refuse("", "model_corrupt", "vocab_size", R"("model_type":"llama","vocab_size":-1)");
  refuse("", "model_corrupt", "num_attention_heads", R"("model_type":"llama","vocab_size":128,"hidden_size":64,"intermediate_size":160,"num_hidden_layers":3,"num_attention_heads":0)");
  const TempFolder folder;
  refuse("", "model_corrupt", "hidden_size / num_attention_heads is 15",
         R"("model_type":"llama","vocab_size":128,"hidden_size":60,"intermediate_size":160,"num_hidden_layers":3,"num_attention_heads":4,"head_dim":null)");
  folder.write("config.json", "[1]");
  CHECK_THROWS(read_model_config(folder.path()), Error, "found [1], expected an object");
  folder.write("config.json", "{");
  CHECK_THROWS(read_model_config(folder.path()), Error, "bad JSON");
  CHECK_THROWS(read_model_config(folder.path() / "none"), Error, "no such file");
}

TEST("config: end tokens come from generation_config.json first") {
  const TempFolder folder;
  folder.write("config.json", std::string("{") + kBase + R"(,"eos_token_id":2})");
  CHECK((read_model_config(folder.path()).end_tokens == std::vector<int32_t>{2}));
  folder.write("generation_config.json", R"({"eos_token_id":[5,6]})");
  CHECK((read_model_config(folder.path()).end_tokens == std::vector<int32_t>{5, 6}));
  folder.write("generation_config.json", R"({"eos_token_id":["x"]})");
  CHECK_THROWS(read_model_config(folder.path()), Error, "eos_token_id");
}

TEST("config: a byte order mark is skipped, and generation_config.json is an object") {
  const TempFolder folder;
  folder.write("config.json", std::string("\xEF\xBB\xBF{") + kBase + R"(,"eos_token_id":2})");
  CHECK_EQUAL(read_model_config(folder.path()).layers, 3);
  folder.write("generation_config.json", "[]");
  CHECK_THROWS(read_model_config(folder.path()), Error, "generation_config.json: found [], expected an object");
}

TEST("config: sliding windows by family") {
  const std::string shape = R"("vocab_size":128,"hidden_size":64,"intermediate_size":160,"num_hidden_layers":3,"num_attention_heads":4)";
  const ModelConfig mistral = read(R"("sliding_window":12)", R"("model_type":"mistral",)" + shape);
  CHECK(mistral.sliding_window == 12 && mistral.layer_is_sliding == std::vector<bool>({true, true, true}));
  CHECK_EQUAL(read(R"("sliding_window":null)", R"("model_type":"mistral",)" + shape).sliding_window, 0);
  CHECK_EQUAL(read(R"("sliding_window":12,"use_sliding_window":false)", R"("model_type":"qwen2",)" + shape).sliding_window, 0);
  const ModelConfig qwen = read(R"("sliding_window":12,"use_sliding_window":true,"max_window_layers":2)", R"("model_type":"qwen2",)" + shape);
  CHECK(qwen.layer_is_sliding == std::vector<bool>({false, false, true}));
  CHECK(qwen.attention_bias);
}

constexpr const char* kShape = R"("vocab_size":128,"hidden_size":64,"intermediate_size":160,"num_hidden_layers":6,"num_attention_heads":4)";

ModelConfig read_as(const char* type, const std::string& more) {
  return read(more, std::string("\"model_type\":\"") + type + "\"," + kShape);
}
void refuse_as(const char* type, const std::string& more, const char* code, const char* part) {
  refuse(more, code, part, std::string("\"model_type\":\"") + type + "\"," + kShape);
}

TEST("config: biases are read in the families that have them") {
  for (const char* type : {"llama", "qwen3", "gemma2", "gemma3_text"}) CHECK(read_as(type, R"("attention_bias":true)").attention_bias);
  for (const char* type : {"mistral", "phi3"}) CHECK(!read_as(type, R"("attention_bias":true)").attention_bias);
  CHECK(read_as("qwen2", R"("attention_bias":false)").attention_bias);
  CHECK(read_as("llama", R"("mlp_bias":true)").mlp_bias);
  for (const char* type : {"mistral", "phi3", "qwen2", "qwen3", "gemma2", "gemma3_text"}) CHECK(!read_as(type, R"("mlp_bias":true)").mlp_bias);
}

TEST("config: Gemma 2") {
  const ModelConfig c = read_as("gemma2", R"("query_pre_attn_scalar":64,"hidden_act":"gelu","sliding_window":8)");
  CHECK(c.post_norms && c.unit_offset_norms && c.tied_embeddings && !c.qk_norm && c.activation == Activation::gelu_tanh);
  CHECK_EQUAL(c.head_dim, 256);
  CHECK_EQUAL(c.embedding_scale, 8.0f);
  CHECK_EQUAL(c.attention_scale, 0.125f);
  CHECK(c.attention_softcap == 50 && c.logit_softcap == 30);
  CHECK(c.layer_is_sliding == std::vector<bool>({true, false, true, false, true, false}));
  const ModelConfig uncapped = read_as("gemma2", R"("attn_logit_softcapping":null,"final_logit_softcapping":null)");
  CHECK(uncapped.attention_softcap == 0 && uncapped.logit_softcap == 0 && uncapped.sliding_window == 4096);
  refuse_as("gemma2", R"("hidden_activation":"gelu")", "model_unsupported", "hidden_activation");
  refuse_as("gemma2", R"("use_bidirectional_attention":true)", "model_unsupported", "use_bidirectional_attention");
  refuse_as("gemma2", R"("query_pre_attn_scalar":0)", "model_corrupt", "query_pre_attn_scalar");
  refuse_as("gemma2", R"("query_pre_attn_scalar":1e-300)", "model_corrupt", "query_pre_attn_scalar");
  refuse_as("gemma2", R"("attn_logit_softcapping":-1)", "model_corrupt", "attn_logit_softcapping");
}

TEST("config: Gemma 3, both spellings of its two RoPEs") {
  const ModelConfig old = read_as("gemma3_text", R"("rope_theta":500000,"rope_local_base_freq":20000,"rope_scaling":{"rope_type":"linear","factor":8},"sliding_window_pattern":3)");
  const ModelConfig recent = read_as("gemma3_text", R"("rope_parameters":{"full_attention":{"rope_type":"linear","factor":8,"rope_theta":500000},"sliding_attention":{"rope_type":"default","rope_theta":20000}})");
  for (const ModelConfig& c : {old, recent}) {
    CHECK(c.qk_norm && c.post_norms && c.attention_softcap == 0 && c.logit_softcap == 0);
    CHECK(c.rope.kind == RopeConfig::Kind::linear && c.rope.factor == 8 && c.rope.theta == 500000);
    CHECK(c.sliding_rope && c.sliding_rope->kind == RopeConfig::Kind::none && c.sliding_rope->theta == 20000);
  }
  CHECK(old.layer_is_sliding == std::vector<bool>({true, true, false, true, true, false}));
  CHECK(recent.layer_is_sliding == std::vector<bool>({true, true, true, true, true, false}));
  const ModelConfig defaults = read_as("gemma3_text", "");
  CHECK(defaults.rope.theta == 1e6 && defaults.sliding_rope->theta == 1e4 && defaults.max_positions == 131072);
  const std::string same = R"(,"rope_scaling":{"rope_type":"linear","factor":8})", types = R"("rope_parameters":{"full_attention":{"rope_type":)";
  CHECK_EQUAL(read_as("gemma3_text", types + R"("linear","factor":8,"rope_theta":500000}})" + same).rope.theta, 500000.0);
  refuse_as("gemma3_text", types + R"("default"}})" + same, "model_unsupported", "rope_scaling, rope_parameters");
  refuse_as("gemma3_text", R"("rope_parameters":{"rope_theta":1})", "model_unsupported", "rope_parameters.rope_theta");
}

TEST("config: Phi-3 and LongRoPE") {
  const ModelConfig c = read_as("phi3", R"("sliding_window":2047)");
  CHECK(c.fused_qkv && c.fused_gate_up && c.sliding_window == 2047 && c.layer_is_sliding.size() == 6 && c.rope.kind == RopeConfig::Kind::none);
  CHECK_EQUAL(c.out_features(Projection::qkv), 192);
  CHECK_EQUAL(c.out_features(Projection::gate_up), 320);
  CHECK_EQUAL(c.rms_norm_eps, 1e-5f);
  const std::string factors = R"("short_factor":[1,1,1,1,1,1],"long_factor":[1,2,3,4,5,6])";
  const std::string around = R"("max_position_embeddings":1024,"original_max_position_embeddings":32,"partial_rotary_factor":0.75,)";
  for (const char* type : {"su", "longrope", "yarn"}) {
    const ModelConfig longer = read_as("phi3", around + R"("rope_scaling":{"type":")" + type + "\"," + factors + "}");
    CHECK(longer.rope.kind == RopeConfig::Kind::longrope && longer.rope.rotary_dim == 12 && longer.rope.original_max_positions == 32);
    CHECK_EQUAL(longer.rope.long_factors[5], 6.0f);
    CHECK(std::abs(rope_attention_factor(longer.rope) - std::sqrt(1 + std::log(32.0) / std::log(32.0))) < 1e-6);
    CHECK_EQUAL(rope_frequencies(longer.rope, longer.head_dim).size(), 6u);
    CHECK_EQUAL(longer.short_context_max(), 32);
  }
  refuse_as("phi3", R"("rope_scaling":{"type":"longrope",)" + factors + "}", "model_corrupt", "short_factor");
  refuse_as("phi3", around + R"("rope_scaling":{"type":"longrope","short_factor":[1,1,1,1,1,0],"long_factor":[1,2,3,4,5,6]})", "model_corrupt", "short_factor");
  // Versions of Transformers read the one or the other.
  const std::string scaling = around + R"("rope_scaling":{"type":"longrope",)" + factors;
  CHECK(read_as("phi3", scaling + R"(,"factor":32})").rope.factor == 32 && read_as("phi3", scaling + R"(,"factor":4,"attention_factor":1.5})").rope.attention_factor == 1.5);
  refuse_as("phi3", scaling + R"(,"factor":4})", "model_unsupported", "rope_scaling: factor: found 4.000000, expected 32.000000");
  refuse_as("phi3", R"("partial_rotary_factor":0.01)", "model_unsupported", "partial_rotary_factor");
  refuse_as("phi3", R"("partial_rotary_factor":1.5)", "model_unsupported", "partial_rotary_factor");
}

TEST("config: dynamic RoPE stretches nothing within max_position_embeddings") {
  const ModelConfig c = read(R"("rope_theta":5000,"rope_scaling":{"type":"dynamic","factor":4})");
  CHECK(c.rope.kind == RopeConfig::Kind::none && c.rope.theta == 5000 && c.max_positions == 2048);
  refuse_as("phi3", R"("rope_scaling":{"type":"dynamic","factor":2})", "model_unsupported", "dynamic");
}

TEST("config: SmolLM3") {
  const ModelConfig c = read_as("smollm3", R"("num_key_value_heads":2,"sliding_window":16)");
  CHECK(c.layer_has_rope == std::vector<bool>({true, true, true, false, true, true}));
  CHECK(c.tied_embeddings && c.rope.theta == 2e6 && c.sliding_window == 0 && c.layer_is_sliding.empty() && c.kv_heads == 2);
  CHECK_EQUAL(read_as("smollm3", "\"rope_theta\":5e6").kv_heads, 4);
  const ModelConfig listed = read_as("smollm3", R"("no_rope_layers":[0,1,0,1,1,1,0],"no_rope_layer_interval":2,"use_sliding_window":true,"sliding_window":16)");
  CHECK(listed.layer_has_rope == std::vector<bool>({false, true, false, true, true, true}));
  CHECK(listed.layer_is_sliding == std::vector<bool>({true, false, true, false, false, false}) && listed.sliding_window == 16);
  CHECK(read_as("smollm3", R"("no_rope_layers":null,"no_rope_layer_interval":1)").layer_has_rope == std::vector<bool>(6, false));
  for (const char* bad : {"[1,1,1,1,1]", "[]", "[1,1,1,1,1,2]", "[1,1,1,1,1,-1]", "[1,1,1,1,1,\"1\"]", "[1,1,1,1,1,0.5]", "4", "{}", "\"1\""})
    refuse_as("smollm3", std::string("\"no_rope_layers\":") + bad, "model_corrupt", "no_rope_layers");
  for (const char* bad : {"0", "-4", "\"4\"", "1.5", "[4]"})
    refuse_as("smollm3", std::string("\"no_rope_layer_interval\":") + bad, "model_corrupt", "no_rope_layer_interval");
  CHECK(read_as("llama", R"("no_rope_layers":[0])").layer_has_rope.empty());
}

TEST("config: Granite's multipliers") {
  const ModelConfig c = read_as("granite", R"("embedding_multiplier":12,"attention_multiplier":0.5,"residual_multiplier":0.25,"logits_scaling":8.0,"rms_norm_eps":1e-4)");
  CHECK(c.embedding_scale == 48 && c.attention_scale == 0.5f && c.logit_scale == 0.125f);
  CHECK(std::abs(c.rms_norm_eps - 1.6e-3f) < 1e-9f);
  const ModelConfig plain = read_as("granite", R"("attention_bias":true,"mlp_bias":true,"sliding_window":8)");
  CHECK(plain.attention_scale == 1 && plain.embedding_scale == 1 && plain.logit_scale == 1 && plain.rms_norm_eps == 1e-6f);
  CHECK(plain.attention_bias && plain.mlp_bias && plain.sliding_window == 0);
  for (const char* field : {"embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling"}) {
    for (const char* bad : {"0", "-1", "1e-30", "1e30"}) refuse_as("granite", std::string("\"") + field + "\":" + bad, "model_unsupported", field);
    for (const char* bad : {"\"1\"", "true", "[1]", "{}"}) refuse_as("granite", std::string("\"") + field + "\":" + bad, "model_corrupt", field);
  }
}

TEST("config: Ministral and Ministral 3") {
  const ModelConfig one = read_as("ministral", R"("sliding_window":8,"layer_types":["full_attention","sliding_attention","full_attention","full_attention","full_attention","sliding_attention"])");
  CHECK(one.layer_is_sliding == std::vector<bool>({false, true, false, false, false, true}) && one.kv_heads == 4);
  const std::string yarn = R"("rope_type":"yarn","rope_theta":1e6,"factor":16,"mscale":1,"mscale_all_dim":1,"original_max_position_embeddings":64)";
  const auto three = [&](const std::string& beta) { return R"("num_attention_heads":8,"rope_parameters":{)" + yarn + beta + "}"; };
  const std::string shape = R"("model_type":"ministral3","vocab_size":128,"hidden_size":64,"intermediate_size":160,"num_hidden_layers":2)";
  const ModelConfig c = read(three(R"(,"llama_4_scaling_beta":0.1)"), shape);
  CHECK(c.kv_heads == 8 && c.head_dim == 128 && c.sliding_window == 0 && c.rope.kind == RopeConfig::Kind::yarn);
  CHECK_EQUAL(c.query_scale(0, 63), c.attention_scale);
  CHECK(std::abs(c.query_scale(0, 64) / c.attention_scale - (1 + 0.1 * std::log(2.0))) < 1e-6);
  CHECK(std::abs(c.query_scale(0, 255) / c.attention_scale - (1 + 0.1 * std::log(4.0))) < 1e-6);
  CHECK_EQUAL(read(three(""), shape).query_growth, 0.0f);
  refuse(three(R"(,"llama_4_scaling_beta":-0.1)"), "model_unsupported", "llama_4_scaling_beta", shape);
  refuse(three(R"(,"llama_4_scaling_beta":"0.1")"), "model_corrupt", "llama_4_scaling_beta", shape);
  refuse(R"("num_attention_heads":8)", "model_unsupported", "rope_parameters", shape);
}

TEST("config: GPT-OSS") {
  const std::string kv = R"("num_key_value_heads":2,)", rope = kv + R"("rope_parameters":{"rope_type":"default"},)";
  const ModelConfig published = read_as("gpt_oss", kv + R"("rope_theta":150000,"rope_scaling":{"beta_fast":32.0,"beta_slow":1.0,"factor":32.0,"original_max_position_embeddings":4096,"rope_type":"yarn","truncate":false})");
  const ModelConfig assumed = read_as("gpt_oss", R"("num_key_value_heads":2)");
  for (const ModelConfig& c : {published, assumed}) {
    CHECK(c.attention_sinks && c.attention_bias && c.head_dim == 64 && c.sliding_window == 128);
    CHECK(c.layer_is_sliding == std::vector<bool>({true, false, true, false, true, false}));
    CHECK(c.activation == Activation::clamped_silu && c.gate_sharpness == 1.702f && c.gate_limit == 7.0f);
    CHECK(c.experts.count == 128 && c.experts.per_token == 4 && c.experts.size == 160 && c.experts.normalized && c.experts.biased && c.mlp_size_max() == 0);
    CHECK(c.rope.kind == RopeConfig::Kind::yarn && c.rope.factor == 32 && c.rope.theta == 150000 && c.rope.original_max_positions == 4096 && !c.rope.truncate && c.rope.beta_fast == 32);
  }
  const ModelConfig other = read_as("gpt_oss", rope + R"("swiglu_limit":3,"swiglu_alpha":1.5,"attention_bias":false,"layer_types":["full_attention","full_attention","full_attention","full_attention","full_attention","sliding_attention"])");
  CHECK(other.gate_limit == 3 && other.gate_sharpness == 1.5f && !other.attention_bias && other.rope.kind == RopeConfig::Kind::none && !other.is_sliding(0) && other.is_sliding(5));
  refuse_as("gpt_oss", "", "model_corrupt", "num_key_value_heads: found 8");
  refuse_as("gpt_oss", rope + R"("sliding_window":null)", "model_unsupported", "sliding_window: found none");
  refuse_as("gpt_oss", rope + R"("swiglu_limit":-1)", "model_unsupported", "swiglu_limit: found -1");
  refuse_as("gpt_oss", rope + R"("swiglu_alpha":1e9)", "model_unsupported", "swiglu_alpha");
  refuse_as("gpt_oss", kv + R"("rope_scaling":null)", "model_unsupported", "rope_scaling: found null");
  CHECK(read_as("gpt_oss", kv + R"("quantization_config":{"quant_method":"mxfp4","modules_to_not_convert":["lm_head"]})").quantization.method == Quantization::Method::mxfp4);
}

TEST("config: OLMo 2 and 3") {
  const ModelConfig c = read_as("olmo2", R"("rope_theta":500000,"attention_bias":true,"sliding_window":8)");
  CHECK(!c.pre_norms && c.post_norms && c.qk_norm && c.qk_norm_of_all && c.attention_bias && !c.sliding_rope && c.sliding_window == 0);
  CHECK(c.q_norm_width() == 64 && c.k_norm_width() == 64 && c.rms_norm_eps == 1e-5f);
  const ModelConfig three = read_as("olmo3", R"("num_key_value_heads":2,"sliding_window":16,"rope_theta":500000,"rope_scaling":{"rope_type":"yarn","factor":8,"original_max_position_embeddings":64})");
  CHECK(three.q_norm_width() == 64 && three.k_norm_width() == 32);
  CHECK(three.layer_is_sliding == std::vector<bool>({true, true, true, false, true, true}) && three.rope.kind == RopeConfig::Kind::yarn);
  CHECK(three.sliding_rope && three.sliding_rope->kind == RopeConfig::Kind::none && three.sliding_rope->theta == 5e5);
  refuse_as("olmo3", R"("rope_theta":10000)", "model_unsupported", "rope_theta");
  CHECK_EQUAL(read_as("olmo3", R"("rope_theta":10000,"rope_parameters":{"sliding_attention":{"rope_theta":10000}})").rope.theta, 1e4);
  refuse_as("olmo3", R"("rope_parameters":{"rope_type":"default","rope_theta":10000})", "model_unsupported", "rope_parameters.rope_t");
  refuse_as("olmo3", R"("layer_types":["full_attention"])", "model_corrupt", "layer_types");
}

TEST("config: Gemma 1, Seed-OSS, ERNIE and GLM") {
  const ModelConfig gemma = read_as("gemma", R"("num_key_value_heads":4,"head_dim":20,"hidden_act":"gelu","query_pre_attn_scalar":7,"final_logit_softcapping":30)");
  CHECK(gemma.unit_offset_norms && gemma.pre_norms && !gemma.post_norms && gemma.tied_embeddings && gemma.activation == Activation::gelu_tanh);
  CHECK(gemma.embedding_scale == 8 && gemma.attention_scale == 1 / std::sqrt(20.0f) && gemma.logit_softcap == 0);
  refuse_as("gemma", R"("num_key_value_heads":4,"hidden_act":"relu")", "model_unsupported", "hidden_act");
  const ModelConfig seed = read_as("seed_oss", R"("num_key_value_heads":4)"), mixed = read_as("seed_oss", R"("num_key_value_heads":4,"attention_bias":false,"attention_out_bias":true)");
  CHECK(seed.attention_bias && !seed.output_bias && !seed.mlp_bias && !mixed.attention_bias && mixed.output_bias && seed.head_dim == 128);
  const ModelConfig ernie = read_as("ernie4_5", R"("use_bias":true,"attention_bias":false)");
  CHECK(ernie.attention_bias && ernie.output_bias && ernie.mlp_bias && ernie.rope.interleaved && ernie.rope.rotary_dim == 0 && ernie.rope.theta == 5e5 && ernie.kv_heads == 2);
  for (const char* type : {"glm", "glm4"}) {
    const ModelConfig glm = read_as(type, R"("head_dim":24)");
    CHECK(glm.attention_bias && !glm.output_bias && !glm.fused_qkv && glm.fused_gate_up && glm.rope.interleaved && glm.rope.rotary_dim == 12);
    CHECK_EQUAL(glm.post_norms, glm.model_type == "glm4");
    CHECK_EQUAL(read_as(type, R"("partial_rotary_factor":1.0)").rope.rotary_dim, 0);
    CHECK_EQUAL(read_as(type, R"("head_dim":24,"rope_parameters":{"rope_type":"default","rope_theta":1e4,"partial_rotary_factor":0.25})").rope.rotary_dim, 6);
    refuse_as(type, R"("head_dim":24,"partial_rotary_factor":0.3)", "model_unsupported", "partial_rotary_factor");
  }
}

TEST("config: EXAONE 4") {
  const ModelConfig c = read_as("exaone4", R"("num_key_value_heads":4,"sliding_window":8)");
  CHECK(!c.pre_norms && c.post_norms && c.qk_norm && !c.qk_norm_of_all && c.sliding_window == 8);
  CHECK(c.layer_is_sliding == std::vector<bool>({true, true, true, false, true, true}) && c.layer_has_rope == c.layer_is_sliding);
  const ModelConfig full = read_as("exaone4", R"("num_key_value_heads":4,"sliding_window":null,"layer_types":["full_attention","full_attention","full_attention","full_attention","full_attention","full_attention"])");
  CHECK(full.layer_is_sliding.empty() && full.layer_has_rope.empty());
  CHECK(read_as("exaone4", R"("num_key_value_heads":4,"sliding_window_pattern":"LLLG","layer_types":["full_attention","sliding_attention","full_attention","full_attention","full_attention","full_attention"])").layer_has_rope ==
        std::vector<bool>({false, true, false, false, false, false}));
  refuse_as("exaone4", R"("num_key_value_heads":4,"sliding_window_pattern":"LLLG")", "model_corrupt", "sliding_window_pattern");
}

TEST("config: HunYuan") {
  const ModelConfig c = read_as("hunyuan_v1_dense", R"("head_dim":16,"sliding_window":8)");
  CHECK(c.qk_norm && c.qk_norm_after_rope && !c.qk_norm_of_all && c.sliding_window == 0 && c.rope.theta == 1e4 && c.rms_norm_eps == 1e-5f);
  // theta · alpha^(16/14), in both spellings
  for (const char* rope : {R"("rope_scaling":{"type":"dynamic","alpha":1000.0,"factor":1.0,"beta_fast":32,"mscale":1.0})", R"("rope_parameters":{"rope_type":"dynamic","alpha":1000.0,"rope_theta":1e4})"}) {
    const ModelConfig longer = read_as("hunyuan_v1_dense", std::string("\"head_dim\":16,\"rope_theta\":10000.0,") + rope);
    CHECK(longer.rope.kind == RopeConfig::Kind::none && std::abs(longer.rope.theta / (1e4 * std::pow(1000.0, 16.0 / 14)) - 1) < 1e-12);
  }
  CHECK_EQUAL(read_as("hunyuan_v1_dense", R"("rope_scaling":{"type":"dynamic","alpha":0,"factor":2})").rope.theta, 1e4);
  CHECK_EQUAL(read(R"("rope_scaling":{"type":"dynamic","alpha":1000,"factor":2})").rope.theta, 1e4);
  refuse_as("hunyuan_v1_dense", R"("rope_scaling":{"type":"dynamic","alpha":-1})", "model_corrupt", "rope_scaling: alpha");
  refuse_as("hunyuan_v1_dense", R"("head_dim":2,"rope_scaling":{"type":"dynamic","alpha":2})", "model_unsupported", "rope_scaling: alpha");
}

TEST("config: families whose MLP has no gate") {
  const ModelConfig star = read_as("starcoder2", R"("norm_epsilon":1e-3,"rms_norm_eps":1e-2,"sliding_window":8)");
  CHECK(!star.gated_mlp && star.layer_norms && !star.unit_offset_norms && star.activation == Activation::gelu_tanh && star.rms_norm_eps == 1e-3f);
  CHECK(star.attention_bias && star.output_bias && star.mlp_bias && star.tied_embeddings && star.kv_heads == 2 && star.layer_is_sliding == std::vector<bool>(6, true));
  const ModelConfig plain = read_as("starcoder2", R"("use_bias":false,"attention_bias":true,"mlp_bias":true)");
  CHECK(!plain.attention_bias && !plain.output_bias && !plain.mlp_bias && plain.sliding_window == 0);
  const ModelConfig nemotron = read_as("nemotron", R"("head_dim":24,"norm_eps":1e-3,"attention_bias":true)");
  CHECK(!nemotron.gated_mlp && nemotron.layer_norms && nemotron.unit_offset_norms && nemotron.activation == Activation::relu2 && nemotron.rope.rotary_dim == 12);
  CHECK(nemotron.attention_bias && nemotron.output_bias && !nemotron.mlp_bias && nemotron.rms_norm_eps == 1e-3f && nemotron.kv_heads == 4);
  const ModelConfig jais = read_as("jais2", R"("layer_norm_eps":1e-3)"), arcee = read_as("arcee", "\"mlp_bias\":true");
  CHECK(jais.attention_bias && jais.output_bias && jais.mlp_bias && jais.layer_norms && !jais.gated_mlp && jais.rms_norm_eps == 1e-3f && !jais.unit_offset_norms);
  CHECK(!arcee.layer_norms && !arcee.gated_mlp && arcee.activation == Activation::relu2 && !arcee.attention_bias && arcee.mlp_bias && arcee.rope.rotary_dim == 0);
  CHECK(arcee.gate_up_width() == 160 && read("").gate_up_width() == 320);
  for (const char* type : {"starcoder2", "nemotron", "jais2", "arcee"}) {
    CHECK_EQUAL(read_as(type, "").layer_projections(0).size(), 6u);
    refuse_as(type, R"("hidden_act":"silu")", "model_unsupported", "hidden_act");
  }
  refuse(R"("hidden_act":"relu2")", "model_unsupported", "hidden_act");
}

TEST("config: families whose attention and MLP stand side by side") {
  const ModelConfig r = read_as("cohere", R"("layer_norm_eps":1e-3,"rope_theta":8e6,"use_qk_norm":true,"num_key_value_heads":2,"sliding_window":8)");
  CHECK(r.parallel_mlp && r.layer_norms && !r.norm_biases && r.rope.interleaved && r.tied_embeddings && r.logit_scale == 0.0625f && r.rms_norm_eps == 1e-3f && r.gated_mlp);
  CHECK(r.qk_norm && r.qk_layer_norms && r.q_norm_width() == 4 * 16 && r.k_norm_width() == 2 * 16 && r.sliding_window == 0 && !r.head_bias);
  refuse_as("cohere", R"("logit_scale":0)", "model_unsupported", "logit_scale");
  refuse_as("cohere", R"("rope_scaling":{"rope_type":"linear","factor":2})", "model_unsupported", "rope_theta");
  CHECK_EQUAL(read_as("cohere", R"("rope_parameters":{"rope_type":"default","rope_theta":75000000})").rope.theta, 7.5e7);
  const ModelConfig r7b = read_as("cohere2", R"("use_qk_norm":true,"logit_scale":0.25)");
  CHECK(r7b.parallel_mlp && !r7b.qk_norm && r7b.logit_scale == 0.25f && r7b.sliding_window == 4096);
  const std::vector<bool> of_four{true, true, true, false, true, true};
  CHECK(r7b.layer_is_sliding == of_four && r7b.layer_has_rope == of_four);
  CHECK(read_as("cohere2", R"("sliding_window_pattern":2)").layer_has_rope == std::vector<bool>({true, false, true, false, true, false}));
  refuse_as("cohere2", R"("sliding_window":null)", "model_unsupported", "sliding_window");
  const ModelConfig phi = read_as("phi", R"("attention_bias":false,"mlp_bias":false)");
  CHECK(phi.parallel_mlp && phi.layer_norms && phi.norm_biases && !phi.gated_mlp && phi.activation == Activation::gelu_tanh && phi.head_bias && phi.rope.rotary_dim == 8);
  CHECK(phi.attention_bias && phi.output_bias && phi.mlp_bias && !phi.qk_norm && !phi.tied_embeddings);
  CHECK(read_as("phi", R"("hidden_act":"gelu_new")").activation == Activation::gelu_tanh);
  refuse_as("phi", R"("hidden_act":"gelu")", "model_unsupported", "hidden_act");
  refuse_as("phi", R"("qk_layernorm":true)", "model_unsupported", "qk_layernorm");
  const ModelConfig plain = read_as("stablelm", R"("num_key_value_heads":4,"attention_bias":true)");
  CHECK(!plain.parallel_mlp && !plain.attention_bias && !plain.qk_norm && plain.layer_norms && plain.norm_biases && plain.rope.rotary_dim == 4 && plain.gated_mlp);
  const ModelConfig twelve = read_as("stablelm", R"("num_key_value_heads":4,"use_parallel_residual":true,"use_qkv_bias":true,"qk_layernorm":true)");
  CHECK(twelve.parallel_mlp && twelve.attention_bias && !twelve.output_bias && twelve.qk_norm && twelve.qk_layer_norms);
}

TEST("config: families that are another but for a thing or two") {
  const ModelConfig vault = read_as("vaultgemma", R"("sliding_window":8,"query_pre_attn_scalar":64,"final_logit_softcapping":null)");
  CHECK(!vault.post_norms && vault.pre_norms && vault.unit_offset_norms && vault.attention_softcap == 50 && vault.logit_softcap == 0 && vault.kv_heads == 4 && vault.attention_scale == 0.125f);
  CHECK(vault.activation == Activation::gelu_tanh && vault.layer_is_sliding == std::vector<bool>({true, false, true, false, true, false}));
  const ModelConfig clova = read_as("hyperclovax", R"("embedding_multiplier":10,"logits_scaling":0.125,"attention_multiplier":null)");
  CHECK(clova.post_norms && clova.pre_norms && clova.logit_scale == 0.125f && clova.embedding_scale == 10.0f && clova.attention_scale == 0.25f);
  const ModelConfig unnormed = read_as("hyperclovax", R"("use_post_norm":false,"residual_multiplier":0.5,"attention_multiplier":0.5)");
  CHECK(!unnormed.post_norms && unnormed.embedding_scale == 2.0f && unnormed.attention_scale == 0.5f);
  refuse_as("hyperclovax", R"("residual_multiplier":0.5)", "model_unsupported", "residual_multiplier");
  const ModelConfig swa = read_as("granite_swa", R"("layer_rope_theta":[500,0,500.0,0,500,500],"residual_multiplier":0.5)");
  CHECK(swa.attention_sinks && swa.rope.theta == 500 && swa.layer_has_rope == std::vector<bool>({true, false, true, false, true, true}) && swa.embedding_scale == 2.0f);
  CHECK(swa.layer_is_sliding == std::vector<bool>({false, true, true, true, false, true}) && swa.sliding_window == 128);
  refuse_as("granite_swa", R"("layer_rope_theta":[500,0,500,0,500,1000])", "model_unsupported", "layer_rope_theta");
  refuse_as("granite_swa", R"("layer_rope_theta":[500])", "model_corrupt", "layer_rope_theta");
  const ModelConfig flex = read_as("flex_olmo", "");
  CHECK(!flex.pre_norms && flex.post_norms && flex.qk_norm_of_all && flex.experts.count == 7 && flex.experts.per_token == 5 && flex.experts.size == 160 && !flex.experts.normalized);
  const std::string types = R"("num_key_value_heads":4,"mlp_layer_types":["dense","sparse","sparse","dense","sparse","sparse"])";
  const std::vector<bool> dense{true, false, false, true, false, false};
  const ModelConfig mellum = read_as("mellum", types + R"(,"rope_parameters":{"full_attention":{"rope_type":"yarn","rope_theta":5e5,"factor":4},"sliding_attention":{"rope_type":"default","rope_theta":2e4}})");
  CHECK(mellum.experts.layer_has_none == dense && mellum.experts.normalized && mellum.rope.kind == RopeConfig::Kind::yarn && mellum.sliding_rope->theta == 2e4 && mellum.qk_norm);
  CHECK(mellum.layer_is_sliding == std::vector<bool>(6, false));
  refuse_as("mellum", types + R"(,"rope_theta":5e5)", "model_unsupported", "rope_parameters");
  refuse_as("mellum", R"("mlp_layer_types":["dense"])", "model_corrupt", "mlp_layer_types");
  refuse_as("mellum", R"("mlp_layer_types":["dense","sparse","moe","dense","sparse","sparse"])", "model_unsupported", "moe");
  const ModelConfig exaone = read_as("exaone_moe", types);
  CHECK(exaone.experts.layer_has_none == dense && exaone.experts.scale == 2.5f && exaone.experts.sigmoid && exaone.experts.shared_size == 1024 && exaone.layer_has_rope == exaone.layer_is_sliding);
  CHECK(read_as("exaone_moe", R"("num_key_value_heads":4,"first_k_dense_replace":2)").experts.layer_has_none == std::vector<bool>({true, true, false, false, false, false}));
  const ModelConfig hunyuan = read_as("hunyuan_v1_moe", R"("num_experts":4,"moe_topk":[2,2,2,2,2,2])");
  CHECK(hunyuan.experts.per_token == 2 && hunyuan.experts.size == 160 && hunyuan.experts.shared_size == 160 && hunyuan.experts.normalized && hunyuan.qk_norm_after_rope);
  refuse_as("hunyuan_v1_moe", R"("num_experts":4,"moe_topk":[2,2,1,2,2,2])", "model_unsupported", "moe_topk");
}

TEST("config: families that are Llama but for a field or two") {
  const ModelConfig helium = read_as("helium", R"("num_key_value_heads":4,"attention_bias":true)");
  CHECK(helium.rope.interleaved && helium.rope.theta == 1e5 && helium.head_dim == 128 && helium.attention_bias && !helium.output_bias && helium.rms_norm_eps == 1e-8f);
  const std::string scaled = R"("num_key_value_heads":4,"rope_scaling":{"rope_type":"llama3","factor":16.0,"original_max_position_embeddings":8192})";
  const ModelConfig cwm = read_as("cwm", scaled);
  CHECK(cwm.sliding_window == 8192 && cwm.layer_is_sliding == std::vector<bool>({false, true, true, true, false, true}) && cwm.rope.theta == 1e6 && cwm.head_dim == 128);
  CHECK(!read_as("cwm", scaled + R"(,"attention_bias":true)").attention_bias);
  refuse_as("cwm", R"("num_key_value_heads":4,"rope_theta":1e6)", "model_unsupported", "rope_parameters: found nothing");
  const ModelConfig quest = read_as("iquestcoder", R"("num_key_value_heads":4,"mlp_bias":true,"use_sliding_window":false)");
  CHECK(quest.head_dim == 128 && quest.mlp_bias && !quest.attention_bias && quest.rms_norm_eps == 1e-5f);
  refuse_as("iquestcoder", R"("num_key_value_heads":4,"clip_qkv":8)", "model_unsupported", "clip_qkv");
  refuse_as("iquestcoder", R"("num_key_value_heads":4,"use_sliding_window":true)", "model_unsupported", "use_sliding_window");
  for (const char* biased : {R"("qkv_bias":true,"bias":true)", R"("attention_bias":true,"mlp_bias":true)", R"("qkv_bias":true,"bias":true,"attention_bias":true)"}) {
    const ModelConfig intern = read_as("internlm3", biased);
    CHECK(intern.attention_bias && intern.output_bias && intern.mlp_bias && intern.kv_heads == 2 && intern.head_dim == 128, biased);
  }
  CHECK(!read_as("internlm3", "").attention_bias);
  refuse_as("internlm3", R"("qkv_bias":true,"bias":false)", "model_unsupported", "bias: found false");
  refuse_as("internlm3", R"("qkv_bias":true,"attention_bias":false)", "model_corrupt", "qkv_bias: found true");
}

TEST("config: latent attention") {
  const ModelConfig c = read_as("deepseek_v3", R"("head_dim":4)");
  CHECK(c.latent.kv_rank == 512 && c.latent.q_rank == 1536 && c.latent.value_dim == 128 && c.head_dim == 192 && c.rope.rotary_dim == 64 && c.rope.interleaved && c.heads_per_kv_max() == c.heads);
  CHECK(c.layer_projections(0) == (std::vector{Projection::q_a, Projection::kv_a, Projection::q_b, Projection::kv_b, Projection::o, Projection::gate, Projection::up, Projection::down}));
  CHECK(c.out_features(Projection::kv_b, 0) == c.heads * 256 && c.in_features(Projection::o, 0) == c.heads * 128);
  CHECK(c.kv_shape(0) == (KvShape{1, 576, 512}) && c.kv_numbers() == int64_t{6} * 576);
  CHECK(c.experts.layer_has_none == std::vector<bool>({true, true, true, false, false, false}) && c.experts.groups == 8 && c.experts.groups_per_token == 4 && c.experts.scale == 2.5f);
  const ModelConfig direct = read_as("deepseek_v2", R"("q_lora_rank":null,"num_experts_per_tok":6,"n_group":8,"topk_group":3,"norm_topk_prob":true,"rope_interleave":false)");
  CHECK(direct.latent.q_rank == 0 && direct.layer_projections(0)[0] == Projection::q && direct.out_features(Projection::q, 0) == direct.heads * 192 && direct.rope.interleaved);
  CHECK(direct.experts.groups == 1 && !direct.experts.normalized && !direct.experts.sigmoid && direct.has_experts(0));
  CHECK(read_as("deepseek_v2", R"("num_experts_per_tok":6,"n_group":8,"topk_group":3,"topk_method":"group_limited_greedy")").experts.groups_by_best);
  const ModelConfig flash = read_as("glm4_moe_lite", R"("rope_scaling":null,"partial_rotary_factor":1.0,"topk_method":"noaux_tc","first_k_dense_replace":1,"num_nextn_predict_layers":1)");
  CHECK(flash.latent.q_rank == 768 && flash.head_dim == 256 && flash.latent.value_dim == 256 && flash.experts.scale == 1.8f && flash.experts.layer_has_none[0] && !flash.experts.layer_has_none[1]);
  CHECK(!read_as("glm4_moe_lite", R"("rope_interleave":false)").rope.interleaved);
  // Scores are stretched where mscale_all_dim says so; what mscale says beside it is in the rotation.
  const ModelConfig yarn = read_as("deepseek_v3", R"("rope_scaling":{"type":"yarn","factor":40,"original_max_position_embeddings":4096,"mscale":1.0,"mscale_all_dim":1.0})");
  CHECK(std::abs(yarn.attention_scale - std::pow(0.1 * std::log(40.0) + 1, 2) / std::sqrt(192.0)) < 1e-6);

  const ModelConfig dense = read_as("youtu", R"("q_lora_rank":64,"attention_bias":true)");
  CHECK(dense.latent.q_rank == 64 && dense.experts.count == 0 && dense.tied_embeddings && dense.rope.interleaved && dense.attention_bias && dense.layer_projections(0).size() == 8);
  const ModelConfig mini = read_as("minicpm3", R"("scale_depth":null,"qk_nope_head_dim":128,"v_head_dim":null)");
  CHECK(mini.latent.kv_rank == 256 && mini.latent.value_dim == 16 && mini.head_dim == 160 && !mini.rope.interleaved && mini.embedding_scale == 12 && mini.logit_scale == 4);
  const ModelConfig scaled = read_as("minicpm3", R"("dim_model_base":null,"v_head_dim":64)");
  CHECK(read_as("minicpm3", R"("v_head_dim":128)").latent.value_dim == 128);  // wider than keys
  CHECK(scaled.latent.value_dim == 64 && scaled.logit_scale == 1 && std::abs(scaled.embedding_scale * 1.4 / std::sqrt(6.0) - 12) < 1e-5);  // the residual is kept divided

  refuse_as("deepseek_v3", R"("qk_rope_head_dim":3)", "model_unsupported", "qk_rope_head_dim: found 3, expected an even number");
  refuse_as("deepseek_v3", R"("kv_lora_rank":0)", "model_corrupt", "kv_lora_rank: found 0, expected 1 to");
  refuse_as("deepseek_v2", R"("num_experts_per_tok":6,"topk_method":"noaux_tc")", "model_unsupported", "topk_method");
}

TEST("config: Apertus and OLMo 1") {
  const std::string scaled = R"("rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})";
  const ModelConfig apertus = read_as("apertus", scaled + R"(,"attention_bias":true)");
  CHECK(apertus.activation == Activation::xielu && !apertus.gated_mlp && apertus.qk_norm && apertus.output_bias && apertus.rope.theta == 1.2e7 && !apertus.mlp_bias);
  CHECK(read_as("apertus", scaled + R"(,"hidden_act":"relu2")").activation == Activation::relu2);
  refuse_as("apertus", "", "model_unsupported", "rope_parameters: found nothing");
  refuse_as("arcee", R"("hidden_act":"xielu")", "model_unsupported", "hidden_act: found \"xielu\"");
  const ModelConfig olmo = read_as("olmo", R"("rms_norm_eps":0.5,"clip_qkv":null)");
  CHECK(olmo.layer_norms && !olmo.norm_biases && !olmo.norm_weights && olmo.rms_norm_eps == 1e-5f && olmo.gated_mlp && olmo.activation == Activation::silu);
  refuse_as("olmo", R"("clip_qkv":8.0)", "model_unsupported", "clip_qkv");
}

TEST("config: Llama 4, its chunks, layers without RoPE and with experts") {
  const std::string heads = R"("num_key_value_heads":4)";
  const ModelConfig c = read_as("llama4_text", heads);
  CHECK(c.layer_has_rope == std::vector<bool>({true, true, true, false, true, true}) && c.layer_is_sliding == c.layer_has_rope && c.chunked_window && c.sliding_window == 8192);
  CHECK(c.head_dim == 128 && c.rope.interleaved && c.rope.theta == 5e5 && c.qk_norm_weightless && c.qk_norm_after_rope && c.intermediate_size == 16384);
  CHECK(c.experts.count == 16 && c.experts.per_token == 1 && c.experts.sigmoid_weights && c.experts.weighs_inputs && !c.experts.chosen_by_worth() && c.experts.shared_size == c.experts.size && c.has_experts(0));
  CHECK(c.query_scale(0, 1 << 20) == c.attention_scale && c.query_scale(3, 8190) == c.attention_scale);
  CHECK(std::abs(c.query_scale(3, 8191) / c.attention_scale - (1 + 0.1 * std::log(2.0))) < 1e-6);
  const ModelConfig maverick = read_as("llama4_text", heads + R"(,"no_rope_layers":[],"interleave_moe_layer_step":2,"use_qk_norm":false,"attn_temperature_tuning":0,"attention_chunk_size":null)");
  CHECK(!maverick.has_experts(0) && maverick.has_experts(1) && !maverick.qk_norm && maverick.layer_is_sliding.empty() && maverick.query_growth == 0 && !maverick.has_rope(3));
  const ModelConfig listed = read_as("llama4_text", heads + R"(,"no_rope_layers":[0,1,1,1,1,1],"moe_layers":[2,5],"attn_temperature_tuning":4,"layer_types":["chunked_attention","full_attention","full_attention","full_attention","full_attention","chunked_attention"])");
  CHECK(!listed.has_rope(0) && listed.query_growth_of(0) > 0 && listed.is_sliding(0) && !listed.is_sliding(1) && listed.has_experts(2) && !listed.has_experts(3));
  refuse_as("llama4_text", heads + R"(,"attention_chunk_size":null,"layer_types":["chunked_attention","full_attention","full_attention","full_attention","full_attention","full_attention"])", "model_unsupported", "an attention_chunk_size with it");
  refuse_as("llama4_text", heads + R"(,"moe_layers":[6])", "model_corrupt", "moe_layers: found 6, expected layers from 0 to 5");
  refuse_as("llama4_text", heads + R"(,"floor_scale":0)", "model_corrupt", "floor_scale: found 0");
}

TEST("config: Gemma 4, its layers of two shapes, those that share, numbers per token, experts") {
  const ModelConfig c = read_as("gemma4_text", "");
  CHECK(c.layer_is_sliding == std::vector<bool>({true, true, true, true, true, false}) && c.sliding_window == 512 && c.tied_embeddings && c.activation == Activation::gelu_tanh);
  CHECK(c.kv_shape(0) == (KvShape{4, 256}) && c.kv_shape(5) == (KvShape{4, 512}) && c.head_dim_max() == 512 && c.attention_scale == 1.0f && !c.unit_offset_norms);
  CHECK(c.rope.kind == RopeConfig::Kind::proportional && c.rope.share == 0.25 && c.rope.theta == 1e6 && c.sliding_rope->theta == 1e4 && c.sliding_rope->kind == RopeConfig::Kind::none);
  CHECK(c.per_token.size == 256 && c.per_token.vocab == 262144 && c.per_token_width() == 6 * 256 && c.logit_softcap == 0 && c.experts.count == 0);
  CHECK_EQUAL(c.kv_numbers(), int64_t{2} * 4 * (5 * 256 + 512));
  const std::vector<float> frequencies = rope_frequencies(c.rope, 512);
  CHECK(frequencies.size() == 256 && frequencies[0] == 1.0f && frequencies[63] > 0 && frequencies[64] == 0 && frequencies[255] == 0);

  const std::string kinds = R"("layer_types":["sliding_attention","full_attention","sliding_attention","full_attention","sliding_attention","sliding_attention"])";
  const ModelConfig sharing = read_as("gemma4_text", kinds + R"(,"num_kv_shared_layers":3,"use_double_wide_mlp":true,"hidden_size_per_layer_input":0,"global_head_dim":32,"num_global_key_value_heads":1)");
  CHECK(!sharing.is_sliding(5) && sharing.kv_shape(1) == (KvShape{4, 32}));  // the last layer sees everything; heads of its own only where values are keys
  CHECK(sharing.kv_layers() == 3 && sharing.kv_source(3) == 1 && sharing.kv_source(4) == 2 && sharing.kv_index(5) == 1 && sharing.kv_index(2) == 2);
  CHECK(sharing.mlp_size(2) == 160 && sharing.mlp_size(3) == 320 && sharing.mlp_size_max() == 320 && sharing.per_token.size == 0);
  CHECK(sharing.layer_projections(2).size() == 7 && sharing.layer_projections(3) == (std::vector{Projection::q, Projection::o, Projection::gate, Projection::up, Projection::down}));
  CHECK(sharing.qkv_width(3) == 4 * 32 && sharing.qkv_width(2) == 12 * 256 && sharing.out_features(Projection::k, 3) == 0);

  const ModelConfig keys = read_as("gemma4_unified_text", R"("attention_k_eq_v":true,"num_global_key_value_heads":2,"use_bidirectional_attention":"vision","final_logit_softcapping":30)");
  CHECK(keys.kv_shape(5) == (KvShape{2, 512}) && keys.values_are_keys(5) && !keys.values_are_keys(0) && keys.logit_softcap == 30 && keys.sliding_window == 1024 && keys.per_token.size == 0);
  CHECK(keys.layer_projections(5) == (std::vector{Projection::q, Projection::k, Projection::o, Projection::gate, Projection::up, Projection::down}) && keys.heads_per_kv_max() == 2);
  const ModelConfig by_layer = read_as("gemma4_text", R"("per_layer_config":{"5":{"head_dim":64,"num_key_value_heads":1}})");
  CHECK(by_layer.kv_shape(5) == (KvShape{1, 64}) && by_layer.kv_shape(0) == (KvShape{4, 256}));
  const ModelConfig experts = read_as("gemma4_text", R"("enable_moe_block":true,"num_experts":8,"top_k_experts":2,"moe_intermediate_size":12)");
  CHECK(experts.experts.apart && experts.experts.normalized && experts.has_experts(0) && experts.has_mlp(0) && experts.mlp_size(0) == 160);
  const ModelConfig vision = read("", R"("model_type":"gemma4","text_config":{"model_type":"gemma4_text","hidden_size":64,"num_hidden_layers":2,"final_logit_softcapping":30})");
  CHECK(vision.sees_images && vision.logit_softcap == 30 && vision.heads == 8);

  refuse_as("gemma4_text", R"("num_kv_shared_layers":6)", "model_unsupported", "num_kv_shared_layers: found 6, expected less than num_hidden_layers, 6");
  refuse_as("gemma4_text", R"("num_kv_shared_layers":1)", "model_corrupt", "num_kv_shared_layers: found 1, expected fewer");
  refuse_as("gemma4_text", R"("use_bidirectional_attention":"all")", "model_unsupported", "use_bidirectional_attention");
  refuse_as("gemma4_text", R"("sliding_window":null)", "model_unsupported", "sliding_window: found none");
  refuse_as("gemma4_text", R"("vocab_size_per_layer_input":100)", "model_unsupported", "vocab_size_per_layer_input: found 100, expected at least vocab_size, 128");
  refuse_as("gemma4_text", R"("global_head_dim":15)", "model_corrupt", "global_head_dim: found 15, expected an even number up to 1024");
  refuse_as("gemma4_text", R"("attention_k_eq_v":true,"num_global_key_value_heads":3)", "model_corrupt", "num_global_key_value_heads: found 3, expected a divisor of num_attention_heads, 4");
  refuse_as("gemma4_text", R"("per_layer_config":{"0":{"head_dim":64}})", "model_unsupported", "per_layer_config.0: found an object");
  refuse_as("gemma4_text", R"("rope_scaling":{"rope_type":"linear","factor":2})", "model_unsupported", "rope_scaling");
  refuse_as("gemma4_text", R"("rope_parameters":{"full_attention":{"rope_type":"proportional","rope_theta":1e6,"partial_rotary_factor":2}})", "model_corrupt", "partial_rotary_factor");
  refuse_as("gemma4_text", R"("enable_moe_block":true,"num_experts":8,"top_k_experts":9,"moe_intermediate_size":12)", "model_corrupt", "top_k_experts: found 9, expected 1 to 8");
}

TEST("config: layers of linear attention") {
  const auto of = [](const char* type) { return std::string(R"("model_type":")") + type + R"(","vocab_size":128,"hidden_size":64,"num_hidden_layers":8,"num_attention_heads":4,"head_dim":32)"; };
  const std::string dense = of("qwen3_5_text"), next = of("qwen3_next");
  const ModelConfig c = read("", dense);
  CHECK(c.linear.layer_has_state == std::vector<bool>({true, true, true, false, true, true, true, false}));
  CHECK(c.attention_gate && c.qk_norm && c.unit_offset_norms && !c.linear.grouped && c.rope.rotary_dim == 8 && c.experts.count == 0);
  CHECK(c.linear.key_heads == 16 && c.linear.value_heads == 32 && c.linear.key_dim == 128 && c.linear.value_dim == 128 && c.linear.taps == 4);
  CHECK(c.kv_layers() == 2 && c.kv_index(7) == 1 && c.state_layers() == 6 && c.state_index(4) == 3);
  CHECK_EQUAL(c.state_bytes(), size_t{6} * (32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128)) * 4);
  CHECK_EQUAL(c.out_features(Projection::q), 2 * 4 * 32);
  const ModelConfig some = read(R"("full_attention_interval":2,"linear_num_value_heads":16,"linear_value_head_dim":5,"partial_rotary_factor":0.5)", next);
  CHECK(some.linear.grouped && some.kv_layers() == 4 && some.rope.rotary_dim == 16 && some.experts.count == 512 && some.experts.normalized && some.experts.shared_gate);
  CHECK(read(R"("layer_types":["full_attention","full_attention","full_attention","full_attention","full_attention","full_attention","full_attention","full_attention"])", dense).state_bytes() == 0);
  CHECK(read("", of("qwen3_5_moe_text")).experts.per_token == 8);
  // Columns of q, k, v and z, and of b and a, lie by key head, or one kind after the other.
  const LinearAttentionShape by_head{2, 4, 3, 5, 4, true}, in_turn{2, 4, 3, 5, 4, false};
  CHECK(by_head.q_column(1) == 26 && by_head.k_column(1) == 29 && by_head.v_column(3) == 26 + 6 + 5 && by_head.z_column(3) == 26 + 6 + 10 + 5 && by_head.b_column(3) == 52 + 4 + 1 && by_head.a_column(3) == 52 + 6 + 1);
  CHECK(in_turn.q_column(1) == 3 && in_turn.k_column(1) == 9 && in_turn.v_column(3) == 12 + 15 && in_turn.z_column(3) == 32 + 15 && in_turn.b_column(3) == 52 + 3 && in_turn.a_column(3) == 52 + 7);
  refuse(R"("layer_types":["linear_attention"])", "model_corrupt", "one entry per layer", dense);
  refuse(R"("layer_types":["linear_attention","sliding_attention","full_attention","full_attention","full_attention","full_attention","full_attention","full_attention"])", "model_unsupported",
         "layer_types: found sliding_attention, expected full_attention or linear_attention", dense);
  refuse(R"("linear_num_key_heads":3)", "model_corrupt", "linear_num_value_heads: found 32, expected a multiple of linear_num_key_heads, 3", dense);
  refuse(R"("linear_conv_kernel_dim":17)", "model_corrupt", "linear_conv_kernel_dim: found 17, expected 1 to 16", dense);
  refuse(R"("linear_key_head_dim":0)", "model_corrupt", "linear_key_head_dim: found 0", dense);
  refuse(R"("full_attention_interval":0)", "model_corrupt", "full_attention_interval", dense);
  refuse(R"("full_attention_interval":9)", "model_unsupported", "layer_types: found linear attention only", dense);
  refuse(R"("hidden_act":"gelu_pytorch_tanh")", "model_unsupported", "hidden_act: found \"gelu_pytorch_tanh\", expected \"silu\"", dense);
}

TEST("config: short convolutions") {
  const std::string lfm = R"("model_type":"lfm2","hidden_size":64,"num_hidden_layers":4)", sparse = R"("model_type":"lfm2_moe","hidden_size":64,"num_hidden_layers":4)";
  const std::string types = R"("layer_types":["conv","full_attention","conv","conv"])";
  const ModelConfig c = read(types, lfm);
  CHECK(c.linear.is_conv() && c.linear.taps == 3 && c.linear.width() == 192 && c.linear.values() == 64 && c.linear.conv_width() == 64 && !c.linear.in_bias);
  CHECK(c.state_layers() == 3 && c.kv_layers() == 1 && c.kv_index(1) == 0 && c.state_index(2) == 1 && c.state_bytes() == 3 * 2 * 64 * 4);
  CHECK(c.layer_projections(0) == std::vector<Projection>({Projection::in, Projection::out, Projection::gate, Projection::up, Projection::down}));
  CHECK(c.heads == 32 && c.kv_heads == 8 && c.head_dim == 2 && c.qk_norm && c.tied_embeddings && c.rope.theta == 1e6 && c.rms_norm_eps == 1e-5f && c.intermediate_size == 8192);
  CHECK(read(R"("full_attn_idxs":[1,3],"conv_bias":true,"hidden_act":"gelu")", lfm).linear.layer_has_state == std::vector<bool>({true, false, true, false}));
  CHECK(read("", lfm).state_layers() == 0);
  CHECK(!read(R"("tie_embedding":false,"tie_word_embeddings":true)", lfm).tied_embeddings);
  const auto size = [&](const char* more) { return read(more, lfm).intermediate_size; };
  CHECK_EQUAL(size(R"("block_ff_dim":6656,"intermediate_size":5)"), 4608);
  CHECK_EQUAL(size(R"("intermediate_size":100,"block_auto_adjust_ff_dim":false)"), 100);
  CHECK_EQUAL(size(R"("intermediate_size":100,"block_ffn_dim_multiplier":null)"), 66);
  CHECK_EQUAL(size(R"("intermediate_size":100,"block_ffn_dim_multiplier":1.5,"block_multiple_of":10)"), 100);
  const ModelConfig moe = read(types, sparse);
  CHECK(moe.experts.count == 32 && moe.experts.per_token == 4 && moe.experts.size == 1792 && moe.experts.sigmoid && moe.experts.choice_bias && moe.experts.normalized);
  CHECK(!moe.has_experts(1) && moe.has_experts(2) && moe.intermediate_size == 7168 && moe.experts.sum_added == 1e-6f);
  const ModelConfig other = read(types + R"(,"num_dense_layers":0,"use_expert_bias":false,"norm_topk_prob":false,"routed_scaling_factor":2.5)", sparse);
  CHECK(other.has_experts(0) && !other.experts.choice_bias && !other.experts.normalized && other.experts.scale == 2.5f);
  refuse(R"("layer_types":["conv","conv","conv","conv"])", "model_unsupported", "layer_types: found convolutions only, expected at least one layer of full attention", lfm);
  refuse(R"("layer_types":["conv","full_attention","linear_attention","conv"])", "model_unsupported", "layer_types: found linear_attention, expected full_attention or conv", lfm);
  refuse(R"("full_attn_idxs":[4])", "model_corrupt", "full_attn_idxs: found 4, expected layers from 0 to 3", lfm);
  refuse(types + R"(,"conv_L_cache":1)", "model_unsupported", "conv_L_cache: found 1, expected 2 to 16", lfm);
  refuse(R"("block_multiple_of":0)", "model_corrupt", "block_multiple_of", lfm);
  refuse(R"("block_ffn_dim_multiplier":0)", "model_corrupt", "block_ffn_dim_multiplier", lfm);
  refuse("", "model_corrupt", "layer_types: found nothing", sparse);
}

TEST("config: Mamba-2") {
  const std::string sizes = R"("hidden_size":64,"num_hidden_layers":4,"vocab_size":128,"num_attention_heads":4)", granite = R"("model_type":"granitemoehybrid",)" + sizes, bamba = R"("model_type":"bamba","num_key_value_heads":2,)" + sizes;
  const std::string types = R"("layer_types":["mamba","mamba","attention","linear_attention"],"mamba_n_heads":8)", some = R"("attn_layer_indices":[2],"mamba_n_heads":8)";
  const ModelConfig c = read(types, granite);
  CHECK(c.linear.is_mamba() && c.linear.gate == StateGate::before_norm && c.linear.value_heads == 8 && c.linear.value_dim == 16 && c.linear.key_heads == 1 && c.linear.key_dim == 256 && c.linear.taps == 4);
  CHECK(c.linear.conv_width() == 128 + 512 && c.linear.width() == 2 * 128 + 512 + 8 && !c.linear.in_bias && c.linear.conv_bias && c.linear.norm_width() == 128);
  CHECK(c.kv_layers() == 1 && c.state_layers() == 3 && c.state_index(3) == 2 && !c.has_rope(2) && c.experts.count == 8 && c.experts.shared_size == 1024 && c.experts.size == 11008);
  CHECK_EQUAL(c.state_bytes(), size_t{3} * (8 * 256 * 32 + 3 * 640) * 4);
  CHECK(c.linear.step_min == 0 && std::isinf(c.linear.step_max));
  const ModelConfig dense = read(types + R"(,"num_local_experts":0,"shared_intermediate_size":96,"position_embedding_type":"rope","residual_multiplier":0.5,"mamba_proj_bias":true,"mamba_conv_bias":false)", granite);
  CHECK(dense.experts.count == 0 && dense.intermediate_size == 96 && dense.has_rope(2) && dense.linear.in_bias && dense.linear.out_bias && !dense.linear.conv_bias);
  CHECK(dense.linear.norm_eps == 1e-6f && dense.rms_norm_eps == 4e-6f);
  const ModelConfig layers = read(R"("layers_block_type":["attention","attention","attention","attention"])", granite);
  CHECK(layers.state_layers() == 0 && layers.kv_layers() == 4);
  const ModelConfig b = read(some + R"(,"mamba_d_head":"auto","mamba_n_groups":2,"time_step_limit":[0.001,Infinity])", bamba);
  CHECK(b.linear.value_dim == 16 && b.linear.norm_width() == 64 && b.linear.step_min == 0.001f && std::isinf(b.linear.step_max) && b.rope.rotary_dim == 8 && b.kv_layers() == 1);
  CHECK(read(some + R"(,"time_step_limit":[0.0,{"__float__":"Infinity"}])", bamba).state_layers() == 3);
  // z | x | B | C | dt; channels: x | B | C.
  const LinearAttentionShape& s = b.linear;
  CHECK(s.z_column(1) == 16 && s.v_column(1) == 128 + 16 && s.k_column(1) == 256 + 256 && s.q_column(1) == 256 + 512 + 256 && s.a_column(3) == 256 + 1024 + 3);
  CHECK(s.v_channel(1) == 16 && s.k_channel(1) == 128 + 256 && s.q_channel(1) == 128 + 512 + 256);
  refuse("", "model_unsupported", "layer_types: found linear attention only", granite);
  refuse(R"("layer_types":["mamba","mamba","sliding_attention","mamba"])", "model_unsupported", "layer_types: found sliding_attention, expected full_attention or linear_attention", granite);
  refuse(types + R"(,"mamba_d_head":15)", "model_corrupt", "mamba_d_head: found 15, expected mamba_n_heads times it to be 128", granite);
  refuse(types + R"(,"mamba_n_groups":3)", "model_corrupt", "mamba_n_heads: found 8, expected a multiple of mamba_n_groups, 3", granite);
  refuse(types + R"(,"hidden_act":"gelu_pytorch_tanh")", "model_unsupported", "hidden_act", granite);
  refuse(some + R"(,"time_step_limit":[0.5,0.1])", "model_unsupported", "time_step_limit", bamba);
  refuse(some + R"(,"time_step_limit":["0",1])", "model_corrupt", "time_step_limit: found \"0\", expected a number or Infinity", bamba);
  refuse(some + R"(,"time_step_limit":0.5)", "model_corrupt", "time_step_limit", bamba);
  refuse(some + R"(,"partial_rotary_factor":1.0)", "model_unsupported", "partial_rotary_factor", bamba);
  refuse(some + R"(,"rms_norm_eps":Infinity)", "model_corrupt", "rms_norm_eps: found \"Infinity\", expected a number", bamba);
}

TEST("config: a state beside attention") {
  const std::string falcon = R"("model_type":"falcon_h1","hidden_size":64,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2)";
  const ModelConfig c = read("", falcon);
  CHECK(c.linear.value_heads == 128 && c.linear.value_dim == 8 && c.linear.gate == StateGate::alone && c.state_layers() == 3 && c.kv_layers() == 3 && c.kv_index(2) == 2 && c.state_index(2) == 2 && c.has_both(1));
  CHECK_EQUAL(c.layer_projections(0).size(), size_t{2 + 4 + 3});
  CHECK(read(R"("mamba_d_ssm":null,"mamba_n_heads":16)", falcon).linear.value_dim == 8);
  CHECK(read(R"("mamba_rms_norm":true)", falcon).linear.gate == StateGate::after_norm);
  CHECK(read(R"("mamba_rms_norm":true,"mamba_norm_before_gate":false)", falcon).linear.gate == StateGate::before_norm);
  const ModelConfig scaled = read(R"("ssm_in_multiplier":2,"ssm_multipliers":[1,2,3,4,5],"ssm_out_multiplier":0.5,"attention_in_multiplier":3,"attention_out_multiplier":0.5,"key_multiplier":0.25,"mlp_multipliers":[2,0.5],"lm_head_multiplier":0.125,"embedding_multiplier":5)", falcon);
  CHECK(scaled.linear.gate_scale == 2 && scaled.linear.value_scale == 4 && scaled.linear.key_scale == 6 && scaled.linear.query_scale == 8 && scaled.linear.step_scale == 10 && scaled.linear.out_scale == 0.5f);
  CHECK(scaled.attention_scale == 0.25f * 9 * 0.25f && scaled.value_scale == 1.5f && scaled.gate_scale == 2 && scaled.gated_scale == 0.5f && scaled.logit_scale == 0.125f && scaled.embedding_scale == 5);
  refuse(R"("projectors_bias":true,"ssm_out_multiplier":0.5)", "model_unsupported", "projectors_bias: found true, expected false beside a ssm_out_multiplier other than 1", falcon);
  refuse(R"("mamba_proj_bias":true,"ssm_in_multiplier":0.5)", "model_unsupported", "mamba_proj_bias", falcon);
  refuse(R"("attention_bias":true,"attention_in_multiplier":0.5)", "model_unsupported", "attention_bias", falcon);
  refuse(R"("mlp_bias":true,"mlp_multipliers":[1,0.5])", "model_unsupported", "mlp_bias", falcon);
  refuse(R"("ssm_multipliers":[1,2,3])", "model_corrupt", "ssm_multipliers: found [1, 2, 3], expected 5 numbers", falcon);
  refuse(R"("mlp_multipliers":[1,0])", "model_unsupported", "mlp_multipliers: found 0, expected numbers from 1e-3 to 1e3", falcon);
}

TEST("config: layers of one kind each") {
  const std::string nemotron = R"("model_type":"nemotron_h","hidden_size":64,"num_hidden_layers":9)";
  const ModelConfig c = read(R"("hybrid_override_pattern":"M-M*-")", nemotron);
  CHECK(c.layers == 5 && c.experts.count == 0 && c.state_layers() == 2 && c.kv_layers() == 1 && c.kv_index(3) == 0 && c.state_index(2) == 1 && !c.has_rope(3));
  CHECK(c.has_mixer(0) && !c.has_feed_forward(0) && !c.has_mlp(0) && !c.has_mixer(1) && c.has_mlp(1) && c.mlp_size_max() == 21504 && !c.gated_mlp && c.activation == Activation::relu2);
  CHECK(c.linear.key_heads == 8 && c.linear.value_heads == 128 && c.linear.key_dim == 128 && c.linear.value_dim == 64 && c.linear.norm_width() == 1024 && c.linear.conv_bias && !c.linear.in_bias);
  CHECK(c.layer_projections(0) == std::vector<Projection>({Projection::in, Projection::out}));
  CHECK(c.layer_projections(1) == std::vector<Projection>({Projection::up, Projection::down}));
  CHECK(c.layer_projections(3) == std::vector<Projection>({Projection::q, Projection::k, Projection::v, Projection::o}));
  const ModelConfig moe = read(R"("layers_block_type":["moe","mamba","attention"],"n_routed_experts":16,"num_experts_per_tok":6,"routed_scaling_factor":2.5,"mamba_dt_min":0.5,"time_step_limit":[0.7,Infinity])", nemotron);
  CHECK(moe.has_experts(0) && moe.has_mlp(0) && !moe.has_experts(1) && moe.experts.count == 16 && moe.experts.shared_size == 7688 && moe.experts.sigmoid && moe.experts.normalized && moe.experts.scale == 2.5f);
  CHECK(moe.linear.step_min == 0.5f && c.linear.step_min == 0.001f && !moe.attention_bias);
  CHECK_EQUAL(read("", nemotron).layers, 4);
  refuse(R"("hybrid_override_pattern":"MM")", "model_unsupported", "layers_block_type: found linear attention only", nemotron);
  refuse(R"("hybrid_override_pattern":"M*|")", "model_corrupt", "hybrid_override_pattern", nemotron);
  refuse(R"("layers_block_type":["conv"])", "model_unsupported", "layers_block_type: found conv", nemotron);
  refuse(R"("moe_latent_size":32)", "model_unsupported", "moe_latent_size: found 32", nemotron);
  refuse(R"("mamba_hidden_act":"gelu")", "model_unsupported", "mamba_hidden_act", nemotron);
  refuse(R"("mlp_hidden_act":"silu")", "model_unsupported", "hidden_act: found \"silu\"", nemotron);
}

TEST("config: how quantized matrices are stored") {
  const auto read_quantized = [](const std::string& text) { return read("\"quantization_config\":" + text).quantization; };
  using Method = Quantization::Method;
  CHECK(read("").quantization.method == Method::none);
  CHECK(read_quantized(R"({"quant_method":"fp8"})").method == Method::none);
  const Quantization v1 = read_quantized(R"({"quant_method":"gptq","bits":4,"group_size":128,"desc_act":true})");
  CHECK(v1.method == Method::gptq && v1.zeros_less_one && v1.group_size == 128 && v1.schemes.size() == 1 && v1.schemes[0].bits == 4 && v1.schemes[0].has_order);
  CHECK(!read_quantized(R"({"quant_method":"gptq","bits":3,"group_size":-1,"format":"gptq_v2"})").zeros_less_one);
  const Quantization dynamic = read_quantized(R"({"quant_method":"gptq","bits":4,"group_size":128,"dynamic":{"-:.*o_proj":{},".*down":{"bits":8,"group_size":32}}})");
  CHECK(dynamic.schemes.size() == 2 && dynamic.schemes[1].bits == 8 && dynamic.group_size == 0);
  for (const char* awq : {R"({"quant_method":"awq","bits":4,"group_size":64,"version":"GEMM"})", R"({"quant_method":"awq","w_bit":4,"q_group_size":64,"zero_point":true})",
                          R"({"quant_method":"awq","bits":4,"group_size":64,"format":"gemm","checkpoint_format":"gemm"})"})
    CHECK(read_quantized(awq).method == Method::awq && read_quantized(awq).group_size == 64, awq);
  CHECK(read_quantized(R"({"quant_method":"bitsandbytes","load_in_4bit":true})").method == Method::bitsandbytes);
  const Quantization compressed = read_quantized(R"({"quant_method":"compressed-tensors","format":"pack-quantized","sparsity_config":{},"transform_config":{},"kv_cache_scheme":{"num_bits":8},
    "config_groups":{"a":{"weights":{"num_bits":4,"symmetric":false,"strategy":"group","group_size":128,"actorder":"group"}},"b":{"weights":null},"c":{"weights":{"num_bits":8,"actorder":"weight"}}}})");
  CHECK(compressed.schemes.size() == 2 && compressed.schemes[0].has_zeros && compressed.schemes[0].has_order && !compressed.schemes[1].has_zeros && !compressed.schemes[1].has_order);
}

TEST("config: quantization that computes something else, or that is stored otherwise, is refused by name") {
  const auto refuse_quantized = [](const std::string& text, const char* part) { refuse("\"quantization_config\":" + text, "model_unsupported", part); };
  refuse_quantized(R"({"quant_method":"hqq"})", "quant_method: found \"hqq\", expected one of fp8, fbgemm_fp8, compressed-tensors, awq, gptq, bitsandbytes");
  refuse_quantized(R"({"bits":4})", "quant_method: found \"nothing\"");
  for (const char* form : {"gemv", "gemv_fast", "marlin", "llm-awq", "exllama"}) refuse_quantized(R"({"quant_method":"awq","bits":4,"version":")" + std::string(form) + "\"}", form);
  refuse_quantized(R"({"quant_method":"awq","bits":3,"group_size":64})", "bits: found 3, expected 4");
  for (const char* form : {"marlin", "bitblas", "gptq_p"}) refuse_quantized(R"({"quant_method":"gptq","bits":4,"checkpoint_format":")" + std::string(form) + "\"}", form);
  refuse_quantized(R"({"quant_method":"gptq","bits":5})", "bits: found 5, expected one of 2, 3, 4, 8");
  refuse_quantized(R"({"quant_method":"gptq","bits":4,"is_marlin_format":true})", "is_marlin_format");
  refuse_quantized(R"({"quant_method":"gptq","bits":4,"pack_dtype":"int16"})", "pack_dtype");
  refuse_quantized(R"({"quant_method":"gptq","bits":4,"rotation":"hadamard"})", "rotation");
  refuse_quantized(R"({"quant_method":"gptq","bits":4,"dynamic":{".*":{"bits":6}}})", "dynamic: .*: bits: found 6");
  const std::string compressed = R"({"quant_method":"compressed-tensors")";
  for (const char* form : {"marlin-24", "sparse-24-bitmask", "sparse-bitmask", "nvfp4-pack-quantized", "mxfp4-pack-quantized"}) refuse_quantized(compressed + ",\"format\":\"" + form + "\"}", form);
  refuse_quantized(compressed + R"(,"format":"int-quantized","sparsity_config":{"format":"sparse-24-bitmask"}})", "sparsity_config: format: found \"sparse-24-bitmask\"");
  refuse_quantized(compressed + R"(,"format":"pack-quantized","transform_config":{"config_groups":{}}})", "transform_config");
  refuse_quantized(compressed + R"(,"format":"pack-quantized","config_groups":{"a":{"weights":{"num_bits":3}}}})", "config_groups: a: weights: num_bits: found 3, expected one of 2, 4, 8");
  refuse_quantized(compressed + R"(,"format":"pack-quantized","config_groups":{"a":{"weights":{"num_bits":4,"type":"float"}}}})", "type: found \"float\" in pack-quantized");
  refuse_quantized(compressed + R"(,"format":"mixed-precision","config_groups":{"a":{"format":"nvfp4-pack-quantized"}}})", "config_groups: a: format");
  refuse_quantized(compressed + R"(,"format":"int-quantized","config_groups":{"a":{"weights":{"strategy":"block"}}}})", "strategy");
  for (const char* bad : {"[]", "\"gptq\"", "7"}) refuse("\"quantization_config\":" + std::string(bad), "model_corrupt", "quantization_config: found");
  for (const char* bad : {"0", "-2", "1.5", "\"128\""}) refuse(R"("quantization_config":{"quant_method":"gptq","bits":4,"group_size":)" + std::string(bad) + "}", "model_corrupt", "group_size");
  refuse(R"("quantization_config":{"quant_method":"gptq"})", "model_corrupt", "bits: found nothing");
  refuse(R"("quantization_config":{"quant_method":"compressed-tensors","format":"dense","config_groups":{"W4A16":["Linear"]}})", "model_corrupt", "W4A16: found");
}

TEST("config: the language model of a vision model") {
  const std::string text = R"("text_config":{"hidden_size":64,"intermediate_size":160,"num_hidden_layers":6)", outer = R"("model_type":"gemma3","architectures":["Gemma3ForConditionalGeneration"])";
  const ModelConfig c = read(text + R"(,"model_type":"gemma3_text","sliding_window":8,"eos_token_id":7})", outer);
  CHECK(c.model_type == "gemma3_text" && c.vocab_size == 262208 && c.heads == 8 && c.kv_heads == 4 && c.head_dim == 256 && c.tied_embeddings);
  CHECK(c.end_tokens == std::vector<int32_t>{7});
  CHECK(read(text + R"(,"model_type":"gemma3_text","eos_token_id":7},"eos_token_id":[1,106])", outer).end_tokens == std::vector<int32_t>({1, 106}));
  CHECK(read(text + R"(,"model_type":"gemma3_text","final_logit_softcapping":30})", outer).logit_softcap == 0);
  const std::string mistral = R"(,"model_type":"mistral","vocab_size":128,"num_attention_heads":4})", around = R"("model_type":"mistral3")";
  CHECK(read(text + mistral + R"(,"tie_word_embeddings":false)", around).model_type == "mistral");
  for (const char* bad : {"", "\"text_config\":null", "\"text_config\":[]", "\"text_config\":\"gemma3_text\""}) refuse(bad, "model_corrupt", "text_config", outer);
  refuse(R"("text_config":{})", "model_corrupt", "text_config: model_type", outer);
  refuse(R"("text_config":{"model_type":"gemma3"})", "model_unsupported", "text_config: model_type", outer);
  refuse(text + R"(,"model_type":"gemma3_text","num_attention_heads":-8})", "model_corrupt", "text_config: num_attention_heads", outer);
  refuse(text + R"(,"model_type":"gemma3_text"},"quantization_config":{"quant_method":"aqlm"})", "model_unsupported", "quantization_config: quant_method", outer);
  refuse(text + R"(,"model_type":"gemma3_text"},"architectures":["Gemma3ForSequenceClassification"])", "model_unsupported", "architectures", R"("model_type":"gemma3")");
  refuse_as("llama", R"("architectures":["LlamaForConditionalGeneration"])", "model_unsupported", "architectures");
}

TEST("config: the language models of Qwen's vision models") {
  const std::string text = R"("hidden_size":64,"intermediate_size":160,"num_hidden_layers":6,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":128)";
  const auto outer = [](const char* type) { return "\"model_type\":\"" + std::string(type) + "\""; };
  const auto inside = [&](const std::string& more) { return "\"text_config\":{" + text + more + "}"; };
  const std::string sections = R"("mrope_section":[2,3,3])";
  for (const char* type : {"qwen2_vl", "qwen2_5_vl"}) {
    // As they were published, everything is at the top.
    const ModelConfig flat = read(text + R"(,"rope_theta":100,"architectures":["Qwen2VLForConditionalGeneration"],"rope_scaling":{"type":"mrope",)" + sections + "}", outer(type));
    CHECK(flat.model_type == "qwen2_vl_text" && flat.sees_images && flat.attention_bias && !flat.qk_norm && flat.rope.theta == 100 && !flat.tied_embeddings);
    CHECK(flat.rope.kind == RopeConfig::Kind::none && flat.rms_norm_eps == 1e-5f && flat.max_positions == 32768 && flat.sliding_window == 0);
    const std::string own = ",\"model_type\":\"" + std::string(type) + "_text\"";
    const ModelConfig nested = read(inside(own + R"(,"rope_parameters":{"rope_theta":100,"rope_type":"default","type":"mrope",)" + sections + "}"), outer(type));
    CHECK(nested.model_type == flat.model_type && nested.rope.theta == 100 && nested.rope.kind == RopeConfig::Kind::none);
    CHECK(read(inside(R"(,"architectures":["Qwen2_5_VLForConditionalGeneration"])"), outer(type)).rope.theta == 1e6);
    CHECK(read(inside(R"(,"rope_scaling":{"type":"yarn","factor":4,)" + sections + "}"), outer(type)).rope.kind == RopeConfig::Kind::yarn);
    CHECK(read(inside(R"(,"tie_word_embeddings":true)"), outer(type)).tied_embeddings && read(inside("") + R"(,"tie_word_embeddings":true)", outer(type)).tied_embeddings);
    const ModelConfig slides = read(inside(R"(,"use_sliding_window":true,"max_window_layers":4)"), outer(type));
    CHECK(slides.sliding_window == 4096 && !slides.is_sliding(3) && slides.is_sliding(4));
    CHECK(read(inside(R"(,"use_sliding_window":true)"), outer(type)).is_sliding(5) == false);
    refuse(inside(R"(,"model_type":"qwen3_vl_text")"), "model_unsupported", "text_config: model_type", outer(type).c_str());
    refuse(text + R"(,"architectures":["Qwen2VLModel"])", "model_unsupported", "architectures", outer(type).c_str());
    refuse("\"text_config\":[]", "model_corrupt", "text_config", outer(type).c_str());
  }
  const ModelConfig dense = read(inside(R"(,"use_sliding_window":true,"rope_scaling":{"rope_type":"default","mrope_interleaved":true,)" + sections + "}"), outer("qwen3_vl"));
  CHECK(dense.model_type == "qwen3_vl_text" && dense.qk_norm && dense.head_dim == 128 && dense.rope.theta == 5e5 && dense.sliding_window == 0 && !dense.attention_bias && dense.sees_images);
  const ModelConfig mixture = read(inside(R"(,"num_experts":8,"moe_intermediate_size":20,"mlp_only_layers":[1])"), outer("qwen3_vl_moe"));
  CHECK(mixture.experts.count == 8 && mixture.experts.per_token == 4 && mixture.experts.size == 20 && mixture.experts.normalized && mixture.head_dim == 16);
  CHECK(!mixture.has_experts(1) && mixture.has_experts(2) && mixture.qk_norm);
  for (const char* type : {"qwen3_vl", "qwen3_vl_moe"}) {
    refuse(text, "model_corrupt", "text_config: found nothing", outer(type).c_str());
    refuse(inside(R"(,"model_type":"qwen3_vl")"), "model_unsupported", "text_config: model_type", outer(type).c_str());
    refuse(inside(R"(,"rope_scaling":{"type":"mrope"})"), "model_unsupported", "rope_type", outer(type).c_str());
  }
  refuse(text, "model_unsupported", "model_type: found \"qwen2_vl_text\"", outer("qwen2_vl_text").c_str());
}

TEST("rope: yarn's attention factor") {
  RopeConfig rope;
  rope.kind = RopeConfig::Kind::yarn;
  rope.factor = 4;
  CHECK(std::abs(rope_attention_factor(rope) - (0.1 * std::log(4.0) + 1)) < 1e-6);
  rope.attention_factor = 1.5;
  CHECK_EQUAL(rope_attention_factor(rope), 1.5f);
}

}  // namespace
}  // namespace sgmv::test
