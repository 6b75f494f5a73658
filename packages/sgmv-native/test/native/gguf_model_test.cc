// The golden models written as GGUF the way llama.cpp's converter writes them (rows of Llama's q and k reordered, one
// added to Gemma's norms, Llama 3's and Phi-3's scaling as tensors) give the same logits, adapters included.
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <span>

#include "check.h"
#include "gguf_writer.h"
#include "golden_folder.h"
#include "formats/module_names.h"
#include "formats/mxfp4_source.h"
#include "layers/rope_table.h"
#include "models/checkpoint.h"
#include "models/config_gguf.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

// reshape(heads, 2, half, columns).swapaxes(1, 2), as in convert_hf_to_gguf.py.
std::vector<float> interleave(const std::vector<float>& values, int64_t dim, int64_t columns) {
  std::vector<float> out(values.size());
  const int64_t rows = static_cast<int64_t>(values.size()) / columns;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t head = row / dim, in_head = row % dim, pair = in_head % (dim / 2), which = in_head / (dim / 2);
    const int64_t to = head * dim + pair * 2 + which;
    std::copy_n(values.begin() + row * columns, columns, out.begin() + to * columns);
  }
  return out;
}

std::string architecture_of(const ModelConfig& config) {
  if (config.model_type == "mistral") return "llama";
  if (config.model_type == "olmo3") return "olmo2";
  if (config.model_type == "ministral3") return "mistral3";
  if (config.model_type == "mixtral") return "llama";
  if (config.model_type == "qwen2_moe") return "qwen2moe";
  if (config.model_type == "qwen3_moe") return "qwen3moe";
  if (config.model_type == "glm4_moe") return "glm4moe";
  if (config.model_type == "minimax_m2") return "minimax-m2";
  if (config.model_type == "granitemoeshared") return "granitemoe";
  if (config.model_type == "ernie4_5_moe") return "ernie4_5-moe";
  if (config.model_type == "qwen2_vl_text") return "qwen2vl";
  if (config.model_type == "qwen3_vl_moe_text") return "qwen3vlmoe";
  if (config.model_type == "hunyuan_v1_dense") return "hunyuan-dense";
  if (config.model_type == "gpt_oss") return "gpt-oss";
  if (config.model_type == "qwen3_next") return "qwen3next";
  if (config.model_type == "qwen3_5_text") return "qwen35";
  if (config.model_type == "exaone_moe") return "exaone-moe";
  if (config.model_type == "hunyuan_v1_moe") return "hunyuan-moe";
  if (config.model_type == "cohere") return "command-r";
  if (config.model_type == "phi") return "phi2";
  if (config.model_type.starts_with("deepseek") || config.model_type == "glm4_moe_lite") return "deepseek2";
  return config.model_type.starts_with("gemma") ? config.model_type.substr(0, 6) : config.model_type;
}

bool interleaves(const std::string& architecture) { return architecture == "llama" || architecture == "smollm3" || architecture.starts_with("granite") || architecture == "mistral3"; }

constexpr float kGraniteEps = 1e-2f;  // of the golden model: ModelConfig keeps what scale_residuals() makes of it

// Gemma 4's.
void write_two_shapes(GgufWriter& writer, const ModelConfig& config, const std::string& prefix) {
  std::vector<int32_t> heads, mlps;
  for (int32_t layer = 0; layer < config.layers; ++layer) {
    heads.push_back(config.kv_shape(layer).heads);
    mlps.push_back(config.mlp_size(layer));
  }
  writer.numbers(prefix + "attention.head_count_kv", heads);
  writer.numbers(prefix + "feed_forward_length", mlps);
  for (const auto& [key, value] : {std::pair("attention.key_length", config.full_kv.dim), std::pair("attention.key_length_swa", config.head_dim), std::pair("rope.dimension_count_swa", config.head_dim),
                                   std::pair("attention.shared_kv_layers", config.kv_sharing_layers), std::pair("embedding_length_per_layer_input", config.per_token.size)})
    writer.number(prefix + key, static_cast<uint32_t>(value));
}

void write_shape(GgufWriter& writer, const ModelConfig& config, const std::string& prefix) {
  const auto number = [&](const char* key, int32_t value) { writer.number(prefix + key, static_cast<uint32_t>(value)); };
  const bool older = config.model_type == "deepseek_v2";  // written before keys and values of all heads were one
  number("block_count", config.layers);
  number("embedding_length", config.hidden_size);
  number("attention.head_count", config.heads);
  number("context_length", config.max_positions);
  number("rope.dimension_count", config.full_kv.heads > 0 ? config.full_kv.dim : config.rope.rotary_dim > 0 ? config.rope.rotary_dim : config.head_dim);
  if (config.full_kv.heads > 0) {
    write_two_shapes(writer, config, prefix);
  } else {
    number("feed_forward_length", config.intermediate_size);
    number("attention.head_count_kv", config.is_latent() ? 1 : config.kv_heads);
    number("attention.key_length", config.is_latent() && !older ? config.latent.kv_a_width() : config.head_dim);
  }
  if (config.is_latent()) {
    number("attention.kv_lora_rank", config.latent.kv_rank);
    if (config.latent.q_rank > 0) number("attention.q_lora_rank", config.latent.q_rank);
    if (!older) number("attention.key_length_mla", config.head_dim);
    number(older ? "attention.value_length" : "attention.value_length_mla", config.latent.value_dim);
    writer.flag(prefix + "expert_weights_norm", config.experts.normalized);
    writer.real(prefix + "rope.scaling.yarn_log_multiplier", static_cast<float>(0.1 * config.rope.mscale_all_dim));
  }
  if (!config.layer_has_rope.empty() && config.model_type == "granite_swa") writer.flags(prefix + "attention.rope_pattern", config.layer_has_rope);
  if (config.sliding_window > 0) number("attention.sliding_window", config.sliding_window);
  if (config.state_layers() > 0) {
    number("ssm.conv_kernel", config.linear.taps);
    number("ssm.state_size", config.linear.key_dim);
    number("ssm.group_count", config.linear.key_heads);
    number("ssm.time_step_rank", config.linear.value_heads);
    number("ssm.inner_size", config.linear.values());
    writer.flags(prefix + "attention.recurrent_layers", config.linear.layer_has_state);
  }
  if (config.experts.count == 0) return;
  number("expert_count", config.experts.count);
  number("expert_used_count", config.experts.per_token);
  if (!config.model_type.starts_with("granite") && config.model_type != "olmoe" && config.model_type != "mixtral") number("expert_feed_forward_length", config.experts.size);
  if (config.experts.shared_gate || config.model_type == "granitemoeshared") number("expert_shared_feed_forward_length", config.experts.shared_size);
  if (config.experts.sigmoid && config.model_type != "glm4_moe_lite") number("expert_gating_func", 2);
  if (config.experts.groups > 1) number("expert_group_count", config.experts.groups), number("expert_group_used_count", config.experts.groups_per_token);
  if (config.experts.scale != 1) writer.real(prefix + "expert_weights_scale", config.experts.scale);
}

void write_rope(GgufWriter& writer, const ModelConfig& config, const std::string& prefix) {
  const RopeConfig& rope = config.rope;
  writer.real(prefix + "rope.freq_base", static_cast<float>(rope.theta));
  if (config.sliding_rope) writer.real(prefix + "rope.freq_base_swa", static_cast<float>(config.sliding_rope->theta));
  const bool linear = rope.kind == RopeConfig::Kind::linear, yarn = rope.kind == RopeConfig::Kind::yarn;
  if (linear || yarn) {
    writer.string(prefix + "rope.scaling.type", linear ? "linear" : "yarn");
    writer.real(prefix + "rope.scaling.factor", static_cast<float>(rope.factor));
  }
  if (rope.original_max_positions > 0) writer.number(prefix + "rope.scaling.original_context_length", static_cast<uint32_t>(rope.original_max_positions));
  const auto pairs = static_cast<int64_t>(rope.factors.size());
  if (rope.kind == RopeConfig::Kind::longrope) {
    writer.real(prefix + "rope.scaling.attn_factor", static_cast<float>(rope.attention_factor));
    writer.tensor("rope_factors_short.weight", {pairs}, rope.factors);
    writer.tensor("rope_factors_long.weight", {pairs}, rope.long_factors);
  }
  if (rope.kind == RopeConfig::Kind::proportional) {
    std::vector<float> divisors(static_cast<size_t>(config.full_kv.dim / 2), 1e30f);
    std::fill_n(divisors.begin(), static_cast<size_t>(rope.share * static_cast<double>(divisors.size())), 1.0f);
    writer.tensor("rope_freqs.weight", {config.full_kv.dim / 2}, divisors);
  }
  if (rope.kind == RopeConfig::Kind::llama3) {
    RopeConfig plain;
    plain.theta = rope.theta;
    const std::vector<float> scaled = rope_frequencies(rope, config.head_dim);
    std::vector<float> factors = rope_frequencies(plain, config.head_dim);
    for (size_t i = 0; i < factors.size(); ++i) factors[i] /= scaled[i];
    writer.tensor("rope_freqs.weight", {config.head_dim / 2}, factors);
  }
}

void write_metadata(GgufWriter& writer, const ModelConfig& config) {
  const std::string prefix = architecture_of(config) + ".";
  writer.string("general.architecture", architecture_of(config));
  write_shape(writer, config, prefix);
  write_rope(writer, config, prefix);
  writer.number("tokenizer.ggml.eos_token_id", 2);
  if (config.model_type.starts_with("granite")) {
    const double residual = std::sqrt(kGraniteEps / config.rms_norm_eps);
    writer.real(prefix + "attention.layer_norm_rms_epsilon", kGraniteEps);
    writer.real(prefix + "residual_scale", static_cast<float>(residual));
    writer.real(prefix + "embedding_scale", static_cast<float>(config.embedding_scale * residual));
    writer.real(prefix + "attention.scale", config.attention_scale);
    writer.real(prefix + "logit_scale", 1.0f / config.logit_scale);
  } else {
    writer.real(prefix + (config.layer_norms ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"), config.rms_norm_eps);
  }
  if (config.model_type.starts_with("cohere")) writer.real(prefix + "logit_scale", config.logit_scale);
  if (config.query_growth > 0) {
    writer.real(prefix + "attention.temperature_scale", config.query_growth);
    writer.real(prefix + "rope.scaling.yarn_log_multiplier", static_cast<float>(config.rope.mscale_all_dim));
  }
  if (config.model_type.starts_with("gemma")) {
    writer.real(prefix + "attention.scale", config.attention_scale);
    writer.real(prefix + "attn_logit_softcapping", config.attention_softcap);
    writer.real(prefix + "final_logit_softcapping", config.logit_softcap);
  }
  // Gemma 2's pattern is known of the architecture.
  if (!config.layer_is_sliding.empty() && config.model_type != "gemma2")
    writer.flags(prefix + "attention.sliding_window_pattern", config.layer_is_sliding);
}

// The name in a text-only checkpoint of a tensor of a vision model's; empty: the language model has no such tensor.
std::string text_name(const std::string& name) {
  const std::string prefix = "language_model.", inner = "model.language_model.";
  if (name.starts_with(inner)) return "model." + name.substr(inner.size());
  if (name.starts_with(prefix)) return name.substr(prefix.size());
  for (const char* eye : {"vision_tower.", "multi_modal", "visual.", "model.visual."})
    if (name.starts_with(eye)) return "";
  return name;
}

// All heads' norms of StableLM, and all experts' matrices of one projection: as they come, or out of Granite's and Qwen3-VL's, where gate and up are in one for each expert.
class Stacks {
 public:
  // Whether the tensor is one of those.
  bool add(const std::string& name, const TensorInfo& info, const std::vector<float>& values) {
    if (const size_t norms = name.find(".norms."); norms != std::string::npos) return append(name.substr(0, norms) + ".weight", info.shape, std::stoll(name.substr(norms + 7)), values), true;
    const size_t mlp = name.find(".block_sparse_moe."), block = mlp != std::string::npos ? mlp : name.find(".mlp.experts.");
    if (block == std::string::npos || name.ends_with("gate.weight") || name.ends_with("router.layer.weight") || name.ends_with("correction_bias")) return false;
    const std::string layer = name.substr(0, block) + ".mlp.experts.";
    const int64_t columns = info.shape.back();
    if (name.ends_with("output_linear.weight")) {
      stacked_[layer + "down_proj.weight"] = {info.shape, values};
    } else if (name.ends_with("input_linear.weight")) {
      const int64_t half = info.shape[1] / 2 * columns;
      for (int64_t i = 0; i < 2 * info.shape[0]; ++i)
        append(layer + (i % 2 == 0 ? "gate_proj" : "up_proj") + ".weight", {info.shape[1] / 2, columns}, i / 2, std::span(values).subspan(static_cast<size_t>(i * half), static_cast<size_t>(half)));
    } else if (!name.ends_with(".weight")) {
      add_transposed(layer, name.ends_with("down_proj"), info.shape, values);
    } else {
      const size_t number = name.find(".experts.") + 9, dot = name.find('.', number);
      std::string leaf = name.substr(dot + 1);
      for (const auto& [mixtral, usual] : {std::pair("w1", "gate_proj"), std::pair("w3", "up_proj"), std::pair("w2", "down_proj")})
        if (leaf.starts_with(mixtral)) leaf = std::string(usual) + ".weight";
      append(layer + leaf, info.shape, std::stoll(name.substr(number)), values);
    }
    return true;
  }
  void write(GgufWriter& writer, const ModelConfig& config) const {
    for (const auto& [name, tensor] : stacked_) writer.tensor(gguf_tensor_name(name, config), tensor.shape, tensor.values);
  }

 private:
  struct Stacked {
    std::vector<int64_t> shape;
    std::vector<float> values;
  };
  // Qwen3-VL's: [experts, in, out], gate's outputs before up's.
  void add_transposed(const std::string& layer, bool down, const std::vector<int64_t>& shape, const std::vector<float>& values) {
    const int64_t in = shape[1], all = shape[2], out = down ? all : all / 2;
    for (int64_t i = 0; i < shape[0] * (all / out); ++i) {
      std::vector<float> matrix;
      const int64_t expert = i * out / all, first = i * out % all;
      for (int64_t row = first; row < first + out; ++row)
        for (int64_t column = 0; column < in; ++column) matrix.push_back(values[static_cast<size_t>((expert * in + column) * all + row)]);
      append(layer + (down ? "down_proj" : first == 0 ? "gate_proj" : "up_proj") + ".weight", {out, in}, expert, matrix);
    }
  }
  void append(const std::string& name, const std::vector<int64_t>& shape, int64_t expert, std::span<const float> values) {
    Stacked& stacked = stacked_[name];
    if (stacked.shape.empty()) (stacked.shape = shape).insert(stacked.shape.begin(), 0);
    stacked.shape[0] = std::max(stacked.shape[0], expert + 1);
    stacked.values.resize(std::max(stacked.values.size(), static_cast<size_t>(expert + 1) * values.size()));
    std::copy(values.begin(), values.end(), stacked.values.begin() + expert * static_cast<int64_t>(values.size()));
  }
  std::map<std::string, Stacked> stacked_;
};

// The router of Mixtral, Granite and GPT-OSS, biases of the choice and what Phi calls otherwise by the names that gguf_tensor_name() knows.
std::string usual_name(std::string name) {
  for (const auto& [phi, usual] : {std::pair(".self_attn.dense.", ".self_attn.o_proj."), std::pair(".mlp.fc1.", ".mlp.up_proj."), std::pair(".mlp.fc2.", ".mlp.down_proj."), std::pair("model.final_layernorm.", "model.norm.")})
    if (const size_t at = name.find(phi); at != std::string::npos) return name.replace(at, std::strlen(phi), usual);
  if (const size_t gemma = name.find(".router.proj."); gemma != std::string::npos) return name.replace(gemma, 13, ".mlp.gate.");
  if (const size_t gemma = name.find(".router.scale"); gemma != std::string::npos) return name.replace(gemma, 13, ".mlp.router.scale");
  if (const size_t gemma = name.find(".experts."); gemma != std::string::npos && name.find(".mlp.") == std::string::npos) return name.insert(gemma, ".mlp") + ".weight";
  if (const size_t router = name.find(".mlp.router."); router != std::string::npos) return name.replace(router, 12, ".mlp.gate.");
  if (const size_t hunyuan = name.find(".gate.wg."); hunyuan != std::string::npos) return name.erase(hunyuan + 5, 3);
  if (const size_t hunyuan = name.find(".shared_mlp."); hunyuan != std::string::npos) return name.replace(hunyuan, 12, ".shared_expert.");
  if (const size_t shared = name.find(".shared_experts."); shared != std::string::npos) return name.erase(shared + 14, 1);
  if (name.ends_with("correction_bias")) return name.substr(0, std::min(name.find(".mlp."), name.find(".block_sparse_moe."))) + ".mlp.choice.bias";
  const size_t block = name.find(".block_sparse_moe.");
  return block == std::string::npos ? name : name.substr(0, block) + ".mlp.gate.weight";
}

// GPT-OSS' experts in MXFP4, and their biases: [experts, rows, width] of gate and up in turns, or of down. False for any other tensor.
bool write_gpt_oss_experts(GgufWriter& writer, const TensorSource& source, const std::string& stored_name, const ModelConfig& config) {
  const size_t begin = stored_name.find(".mlp.experts.");
  if (config.model_type != "gpt_oss" || begin == std::string::npos) return false;
  if (stored_name.ends_with("_scales")) return true;
  const bool bias = stored_name.ends_with("_bias"), both = stored_name.find("gate_up_proj") != std::string::npos;
  const TensorInfo& info = *source.find(bias ? stored_name : stored_name.substr(0, stored_name.size() - 7));
  std::vector<std::byte> stored = source.read(info);
  if (bias) {
    std::vector<float> values(static_cast<size_t>(info.elements()));
    dequantize(info.dtype, stored.data(), info.elements(), values.data());
    stored.resize(values.size() * sizeof(float));
    std::memcpy(stored.data(), values.data(), stored.size());
  }
  const int64_t experts = info.shape[0], rows = both ? info.shape[1] / 2 : info.shape[1], row_bytes = static_cast<int64_t>(stored.size()) / (experts * info.shape[1]);
  std::vector<int64_t> shape = info.shape;
  shape[1] = rows;
  for (const int64_t which : {0, 1}) {
    if (which == 1 && !both) break;
    std::string bytes;
    for (int64_t row = 0; row < experts * rows; ++row) bytes.append(reinterpret_cast<const char*>(stored.data()) + (both ? 2 * row + which : row) * row_bytes, static_cast<size_t>(row_bytes));
    const char* projection = !both ? "down_proj" : which == 0 ? "gate_proj" : "up_proj";
    writer.tensor(gguf_tensor_name(stored_name.substr(0, begin) + ".mlp.experts." + projection + (bias ? ".bias" : ".weight"), config), shape, bias ? kGgmlF32 : kGgmlMxfp4, bytes);
  }
  return true;
}

std::string to_gguf(const std::filesystem::path& folder, const ModelConfig& config) {
  GgufWriter writer;
  write_metadata(writer, config);
  const Mxfp4Source source(open_safetensors_folder(folder));
  Stacks experts;
  for (const auto& [stored_name, info] : source.tensors()) {
    if (write_gpt_oss_experts(writer, source, stored_name, config)) continue;
    const std::string name = text_name(stored_name);
    if (name.empty()) continue;
    const std::vector<std::byte> stored = source.read(info);
    std::vector<float> values(static_cast<size_t>(info.elements()));
    dequantize(info.dtype, stored.data(), info.elements(), values.data());
    const bool rotated = name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos;
    if (rotated && interleaves(architecture_of(config))) values = interleave(values, config.head_dim, info.shape.size() == 2 ? info.shape[1] : 1);
    if (config.unit_offset_norms && name.ends_with("norm.weight") && !name.ends_with("linear_attn.norm.weight"))
      for (float& value : values) value += 1;
    if (experts.add(name, info, values)) continue;
    if (const size_t shared = name.find(".shared_mlp."); shared != std::string::npos && config.model_type == "granitemoeshared") {  // Granite's, of which gate and up are one
      const std::string block = name.substr(0, shared) + ".mlp.shared_expert.";
      const bool down = name.ends_with("output_linear.weight");
      const int64_t rows = down ? info.shape[0] : info.shape[0] / 2, half = rows * info.shape[1];
      writer.tensor(gguf_tensor_name(block + (down ? "down_proj" : "gate_proj") + ".weight", config), {rows, info.shape[1]}, {values.begin(), values.begin() + half});
      if (!down) writer.tensor(gguf_tensor_name(block + "up_proj.weight", config), {rows, info.shape[1]}, {values.begin() + half, values.end()});
      continue;
    }
    if (name.ends_with(".A_log"))
      for (float& value : values) value = -std::exp(value);
    const std::string gguf_name = gguf_tensor_name(usual_name(name), config);
    CHECK(!gguf_name.empty(), name);
    const bool flat = gguf_name.ends_with("inp_shexp.weight") || gguf_name.ends_with("exp_probs_b.bias");
    const bool conv = gguf_name.ends_with("ssm_conv1d.weight");
    writer.tensor(gguf_name, flat ? std::vector{info.shape.back()} : conv ? std::vector{info.shape.front(), info.shape.back()} : info.shape, values);
  }
  experts.write(writer, config);
  return writer.bytes();
}

// gguf_tensor_name() wrote the files of the next test too.
TEST("gguf: tensors that llama.cpp names otherwise in some architectures") {
  const auto name = [](const char* type, const char* part, bool post_norms = false) {
    ModelConfig config;
    config.model_type = type;
    config.post_norms = post_norms;
    return gguf_tensor_name(std::string("model.layers.1.") + part, config);
  };
  for (const char* type : {"llama", "hunyuan_v1_dense", "starcoder2", "nemotron", "ernie4_5"}) CHECK_EQUAL(name(type, "post_attention_layernorm.weight"), "blk.1.ffn_norm.weight");
  CHECK_EQUAL(name("seed_oss", "post_attention_layernorm.weight"), "blk.1.post_attention_norm.weight");
  CHECK_EQUAL(name("exaone4", "post_attention_layernorm.weight", true), "blk.1.post_attention_norm.weight");
  CHECK_EQUAL(name("exaone4", "post_feedforward_layernorm.weight", true), "blk.1.post_ffw_norm.weight");
  CHECK_EQUAL(name("glm4", "post_attention_layernorm.weight", true), "blk.1.ffn_norm.weight");
  CHECK_EQUAL(name("glm4", "post_self_attn_layernorm.weight", true), "blk.1.post_attention_norm.weight");
  CHECK_EQUAL(name("glm4", "mlp.gate_up_proj.weight", true), "blk.1.ffn_up.weight");
  CHECK_EQUAL(name("hunyuan_v1_dense", "self_attn.query_layernorm.weight"), "blk.1.attn_q_norm.weight");
  CHECK_EQUAL(name("stablelm", "self_attn.q_layernorm.weight"), "blk.1.attn_q_norm.weight");
  CHECK_EQUAL(name("starcoder2", "mlp.c_fc.bias"), "blk.1.ffn_up.bias");
  CHECK_EQUAL(name("starcoder2", "mlp.c_proj.weight"), "blk.1.ffn_down.weight");
  CHECK_EQUAL(name("starcoder2", "input_layernorm.bias"), "blk.1.attn_norm.bias");
}

TEST("gguf: models converted from safetensors give the golden logits") {
  for (const char* family : {"llama2", "llama3", "llama-linear", "llama-bias", "mistral", "qwen2", "qwen3-yarn", "gemma2", "gemma3", "phi3", "phi3-longrope", "phi4", "phi4-mini", "smollm3", "granite", "olmo2", "olmo3", "gemma3-vision", "mistral3", "ministral3", "mixtral", "qwen2-moe", "qwen3-moe", "olmoe", "granitemoe", "gemma", "seed-oss", "glm4", "ernie", "exaone4", "hunyuan", "starcoder2", "nemotron", "cohere", "cohere2", "phi", "stablelm", "qwen2-5-vl", "qwen3-vl-moe", "glm4-moe", "minimax-m2", "granitemoeshared", "ernie-moe", "exaone-moe", "hunyuan-moe", "gpt-oss-mxfp4", "qwen3-next", "gemma4", "gemma4-keys", "gemma4-moe", "deepseek-v2", "deepseek-v3", "glm4-moe-lite", "granite-swa", "mellum"}) {
    const std::filesystem::path root = golden_root() / family;
    const TempFolder folder;
    const auto model = Model::load(folder.write("m.gguf", to_gguf(root / "model", read_model_config(root / "model"))), {1, "", WeightType::f32});
    const GoldenFolder golden(root);
    for (const GoldenCase& one : golden.cases()) {
      std::shared_ptr<const Adapter> adapter;
      if (!one.adapter.empty()) adapter = model->load_adapter(root / "adapters" / one.adapter);
      Session session(*model, adapter.get(), static_cast<int32_t>(one.prompt.size()));
      const Difference difference = compare(golden.sample(one, session.feed(one.prompt, true)), golden.logits(one));
      CHECK(difference.relative <= 1e-4, family, " ", one.name, ": ", difference.relative);
    }
  }
}

ModelConfig wide_model() {
  ModelConfig config;
  config.model_type = "qwen2";
  config.vocab_size = 40;
  config.hidden_size = config.intermediate_size = 256;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 1;
  config.head_dim = 64;
  config.max_positions = 64;
  config.tied_embeddings = true;
  return config;
}

// Random blocks of a type: every byte but those of the half-precision scales, which are made small numbers.
std::string random_blocks(DType dtype, int64_t elements, std::mt19937& generator) {
  const int64_t block = dtype_block(dtype), size = dtype_block_bytes(dtype);
  std::string bytes(static_cast<size_t>(elements / block * size), '\0');
  for (char& byte : bytes) byte = static_cast<char>(generator());
  const auto scale = [&](size_t at) { bytes.replace(at, 2, std::string("\x12\x0C", 2)); };  // about 2.5e-4
  for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(size)) {
    const bool plain = block == 1, two_scales = dtype == DType::q4_1 || dtype == DType::q5_1 || dtype == DType::q4_k || dtype == DType::q5_k;
    if (dtype == DType::mxfp4) bytes[at] = 118;  // an exponent: below 0.012
    else if (plain) bytes[at + 1] = static_cast<char>((bytes[at + 1] & 0x83) | 0x20);  // F16 below 0.02
    else scale(at + (dtype == DType::q6_k ? 208 : dtype == DType::q3_k ? 108 : dtype == DType::q2_k ? 80 : 0));
    if (two_scales || dtype == DType::q2_k) scale(at + (two_scales ? 2 : 82));
  }
  return bytes;
}

ModelConfig wide_mixture() {
  ModelConfig config = wide_model();
  config.model_type = "qwen2_moe";
  config.experts = {4, 2, 256, false, true, {}, true, 256};
  return config;
}

// `per_key_head` value heads to each of two key heads; their values are 256 together.
ModelConfig wide_hybrid(const char* model_type, int32_t per_key_head) {
  ModelConfig config = wide_model();
  config.model_type = model_type;
  config.attention_gate = true;
  config.linear = {{2, 2 * per_key_head, 32, 128 / per_key_head, 4}, {true, false}};
  if (config.model_type == "qwen3_next") config.linear.grouped = true, config.experts = {4, 2, 256, true, true, {}, true, 256};
  return config;
}

// What gives keys lies by inputs, 64 wide: no K-quant's rows fit.
ModelConfig wide_latent() {
  ModelConfig config = wide_model();
  config.model_type = "deepseek_v3";
  config.latent = {256, 256, 64, 32, 64};
  config.head_dim = 96;
  config.kv_heads = 4;
  config.rope.rotary_dim = 32;
  config.experts = {4, 2, 256, true, true, {}, false, 256, true};
  return config;
}

// Two shapes of layers, the latter of which has values that are keys, experts, numbers per token.
ModelConfig wide_gemma4() {
  ModelConfig config = wide_model();
  config.model_type = "gemma4_text";
  config.qk_norm = config.post_norms = config.full_values_are_keys = config.layer_scales = true;
  config.full_kv = {2, 128};
  config.sliding_window = 3;
  config.layer_is_sliding = {true, false};
  config.sliding_rope.emplace();
  config.per_token = {256, config.vocab_size};
  config.experts = {4, 4, 256, true, false, {}};  // all are chosen: 8 bits turn no choice
  config.experts.apart = true;
  return config;
}

// Mixtral's architecture, with experts that no K-quant's rows fit.
ModelConfig narrow_mixture() {
  ModelConfig config = wide_model();
  config.model_type = "mixtral";
  config.intermediate_size = 96;
  config.experts = {4, 2, 96, true, false, {}};
  return config;
}

template <typename Floats>
void write_gemma4_vectors(const ModelConfig& config, int32_t layer, Floats floats) {
  const std::string block = "blk." + std::to_string(layer) + ".";
  for (const char* name : {"attn_q_norm.weight", "attn_k_norm.weight"}) floats(block + name, {config.kv_shape(layer).dim}, 0.5f, 0.01f);
  for (const char* name : {"ffn_norm.weight", "post_ffw_norm.weight", "pre_ffw_norm_2.weight", "post_ffw_norm_1.weight", "post_ffw_norm_2.weight", "post_norm.weight", "ffn_gate_inp.scale"})
    floats(block + name, {config.hidden_size}, 0.5f, 0.01f);
  floats(block + "ffn_down_exps.scale", {config.experts.count}, 0.5f, 0.01f);
  floats(block + "layer_output_scale.weight", {1}, 0.75f, 0);
}

// The file with its matrices in `types`, taken in turns, or with the same numbers in F32. Rows that a type does not fit are in
// Q5_0, as llama.cpp has them.
std::string quantized(const ModelConfig& config, const std::vector<std::pair<DType, uint32_t>>& types, bool widen) {
  std::mt19937 generator(5);
  GgufWriter writer;
  write_metadata(writer, config);
  size_t next = 0;
  const auto tensor = [&](const std::string& name, const std::vector<int64_t>& shape) {
    int64_t elements = 1;
    for (const int64_t size : shape) elements *= size;
    auto [dtype, type] = types[next++ % types.size()];
    if (shape.back() % dtype_block(dtype) != 0) dtype = DType::q5_0, type = 6;
    const std::string bytes = random_blocks(dtype, elements, generator);
    std::vector<float> values(static_cast<size_t>(elements));
    dequantize(dtype, reinterpret_cast<const std::byte*>(bytes.data()), elements, values.data());
    if (widen) writer.tensor(name, shape, values);
    else writer.tensor(name, shape, type, bytes);
  };
  const auto floats = [&](const std::string& name, const std::vector<int64_t>& shape, float value, float step) {
    int64_t elements = 1;
    for (const int64_t size : shape) elements *= size;
    std::vector<float> values(static_cast<size_t>(elements));
    for (size_t i = 0; i < values.size(); ++i) values[i] = value + step * static_cast<float>(i * 37 % 101);
    writer.tensor(name, shape, values);
  };
  tensor("token_embd.weight", {config.vocab_size, config.hidden_size});
  floats("output_norm.weight", {config.hidden_size}, 1, 0);
  if (config.per_token.size > 0) {
    tensor("per_layer_token_embd.weight", {config.vocab_size, config.per_token_width()});
    tensor("per_layer_model_proj.weight", {config.per_token_width(), config.hidden_size});
    floats("per_layer_proj_norm.weight", {config.per_token.size}, 0.5f, 0.01f);
  }
  for (int32_t layer = 0; layer < config.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".", module = "model.layers." + std::to_string(layer);
    floats(block + "attn_norm.weight", {config.hidden_size}, 1, 0);
    floats(gguf_tensor_name(module + ".post_attention_layernorm.weight", config), {config.hidden_size}, 1, 0);
    for (const Projection p : config.layer_projections(layer)) {
      if (p == Projection::in_qkvz) {  // newer files have it as Qwen3.5's
        tensor(block + "attn_qkv.weight", {config.linear.conv_width(), config.hidden_size});
        tensor(block + "attn_gate.weight", {config.linear.values(), config.hidden_size});
        continue;
      }
      if (p == Projection::kv_b) {
        tensor(block + "attn_k_b.weight", {config.heads, config.latent.kv_rank, config.latent.nope_dim});
        tensor(block + "attn_v_b.weight", {config.heads, config.latent.value_dim, config.latent.kv_rank});
        continue;
      }
      const std::string name = usual_name(module_name(config, layer, p) + ".weight");
      tensor(gguf_tensor_name(name, config), {config.out_features(p, layer), config.in_features(p, layer)});
    }
    if (config.has_state(layer)) {
      floats(block + "ssm_conv1d.weight", {config.linear.conv_width(), config.linear.taps}, -0.5f, 0.01f);
      floats(block + "ssm_a", {config.linear.value_heads}, -1, 0.009f);
      floats(block + "ssm_dt.bias", {config.linear.value_heads}, -0.5f, 0.01f);
      floats(block + "ssm_norm.weight", {config.linear.value_dim}, 0.5f, 0.01f);
    } else if (config.attention_gate) {
      for (const char* name : {"attn_q_norm.weight", "attn_k_norm.weight"}) floats(block + name, {config.head_dim}, 0.5f, 0.01f);
    }
    if (config.is_latent()) {
      floats(block + "attn_q_a_norm.weight", {config.latent.q_rank}, 0.5f, 0.01f);
      floats(block + "attn_kv_a_norm.weight", {config.latent.kv_rank}, 0.5f, 0.01f);
    }
    if (config.per_token.size > 0) write_gemma4_vectors(config, layer, floats);
    if (!config.has_experts(layer)) continue;
    floats(block + "ffn_gate_inp.weight", {config.experts.count, config.hidden_size}, -0.05f, 0.001f);
    if (config.experts.shared_gate) floats(block + "ffn_gate_inp_shexp.weight", {config.hidden_size}, -0.05f, 0.001f);
    if (config.linear.grouped) tensor(block + "ffn_gate_up_exps.weight", {config.experts.count, 2 * config.experts.size, config.hidden_size});  // as some files have them
    else for (const char* name : {"ffn_gate_exps", "ffn_up_exps"}) tensor(block + name + ".weight", {config.experts.count, config.experts.size, config.hidden_size});
    tensor(block + "ffn_down_exps.weight", {config.experts.count, config.hidden_size, config.experts.size});
  }
  return writer.bytes();
}

TEST("gguf: every quantized type gives what its dequantized numbers give, alone and mixed, of experts too") {
  using enum DType;
  const std::vector<std::pair<DType, uint32_t>> all{{q4_k, 12}, {q2_k, 10}, {q3_k, 11}, {iq4_nl, 20}, {iq4_xs, 23}, {q5_k, 13}, {q6_k, 14}, {q8_0, 8}, {q4_0, 2}, {q4_1, 3}, {q5_0, 6}, {q5_1, 7}, {mxfp4, kGgmlMxfp4}, {f16, 1}};
  std::vector<std::vector<std::pair<DType, uint32_t>>> mixes{all};
  for (const auto& one : all) mixes.push_back({one});
  const TempFolder folder;
  const std::vector<int32_t> prompt{1, 7, 39, 0, 12, 5};
  size_t turn = 0;
  for (const ModelConfig& config : {wide_model(), wide_mixture(), narrow_mixture(), wide_hybrid("qwen3_5_text", 4), wide_hybrid("qwen3_5_text", 8), wide_hybrid("qwen3_next", 4), wide_latent(), wide_gemma4()})
    for (const auto& types : mixes) {
      if (kSanitized && types.size() == 1 && turn++ % 5 != 0) continue;  // each in one or two of the models; all of them mixed in every one
      folder.write("q.gguf", quantized(config, types, false));
      folder.write("f.gguf", quantized(config, types, true));
      for (const auto& [type, allowed] : {std::pair{WeightType::f32, 1e-4}, std::pair{WeightType::bf16, 1e-4}, std::pair{WeightType::i8, 0.1}}) {
        const auto narrow = Model::load(folder.path() / "q.gguf", {1, "", type}), wide = Model::load(folder.path() / "f.gguf", {1, "", type});
        const std::vector<float> expected = Session(*wide, nullptr, 16).feed(prompt, true);
        const Difference difference = compare(Session(*narrow, nullptr, 16).feed(prompt, true), expected);
        // Norms after attention and MLP multiply what 8 bits round.
        CHECK(difference.relative <= (config.post_norms ? 2 : 1) * allowed && std::isfinite(expected[0]) && expected[0] != expected[1], config.model_type, ", ", dtype_name(types[0].first), ", weight type ", static_cast<int>(type), ": ", difference.relative);
      }
    }
}

TEST("gguf: experts that do not fit are refused by name") {
  const auto load = [](const std::function<void(ModelConfig&)>& say, const std::function<void(GgufWriter&)>& add = [](GgufWriter&) {}) {
    ModelConfig config = wide_mixture();
    say(config);
    GgufWriter writer;
    write_metadata(writer, config);
    add(writer);
    writer.tensor("token_embd.weight", {4, 256}, std::vector<float>(1024));
    const TempFolder folder;
    return read_model_config(folder.write("m.gguf", writer.bytes()));
  };
  CHECK_EQUAL(load([](ModelConfig&) {}).experts.per_token, 2);
  CHECK_THROWS(load([](ModelConfig& c) { c.experts.per_token = 5; }), Error, "qwen2moe.expert_used_count: found 5, expected 1 to 4");
  CHECK_THROWS(load([](ModelConfig& c) { c.experts.size = 0; }), Error, "qwen2moe.expert_feed_forward_length: found 0");
  CHECK_THROWS(load([](ModelConfig& c) { c.experts.count = 2000000000; }), Error, "qwen2moe.expert_count: found 2000000000");
  CHECK_THROWS(load([](ModelConfig& c) { c.model_type = "qwen2"; }), Error, "qwen2.expert_count: found 4, expected 0");
  CHECK_THROWS(load([](ModelConfig& c) { c.model_type = "granitemoe", c.rms_norm_eps = kGraniteEps, c.attention_scale = 0.125f; }), Error, "granitemoe.expert_shared_feed_forward_length");
  const TempFolder folder;
  const std::string whole = quantized(wide_mixture(), {{DType::f16, 1}}, false);
  const auto misnamed = [&](const std::string& name) {
    std::string bytes = whole;
    bytes[bytes.find(name) + name.size() - 1] = 'x';
    return Model::load(folder.write("m.gguf", bytes), {1, "", WeightType::f32});
  };
  CHECK_THROWS(misnamed("blk.1.ffn_down_exps.weight"), Error, "blk.1.ffn_down_exps.weight: found no such tensor, expected shape [4, 256, 256]");
  CHECK_THROWS(misnamed("blk.1.ffn_gate_inp_shexp.weight"), Error, "blk.1.ffn_gate_inp_shexp.weight: found no such tensor");
}

TEST("gguf: hybrids that do not fit are refused by name") {
  const TempFolder folder;
  const auto load = [&](const ModelConfig& config) {
    GgufWriter writer;
    write_metadata(writer, config);
    writer.tensor("token_embd.weight", {4, 256}, std::vector<float>(1024));
    return read_model_config(folder.write("m.gguf", writer.bytes()));
  };
  const auto changed = [&](const std::function<void(LinearAttentionConfig&)>& change) {
    ModelConfig config = wide_hybrid("qwen3_5_text", 4);
    change(config.linear);
    return load(config);
  };
  CHECK_EQUAL(changed([](LinearAttentionConfig&) {}).linear.value_dim, 32);
  CHECK_EQUAL(load(wide_hybrid("qwen3_next", 4)).linear.grouped, true);
  CHECK_THROWS(changed([](LinearAttentionConfig& c) { c.key_heads = 3; }), Error, "qwen35.ssm.time_step_rank: found 8, expected a multiple of qwen35.ssm.group_count, 3");
  CHECK_THROWS(changed([](LinearAttentionConfig& c) { c.key_heads = 0; }), Error, "qwen35.ssm.group_count: found 0");
  CHECK_THROWS(changed([](LinearAttentionConfig& c) { c.value_heads = 0; }), Error, "qwen35.ssm.time_step_rank: found 0");
  CHECK_THROWS(changed([](LinearAttentionConfig& c) { c.value_dim = 0; }), Error, "qwen35.ssm.inner_size: found 0");
  CHECK_THROWS(changed([](LinearAttentionConfig& c) { c.key_dim = 2000000000; }), Error, "qwen35.ssm.state_size: found 2000000000");
  CHECK_THROWS(changed([](LinearAttentionConfig& c) { c.taps = 17; }), Error, "qwen35.ssm.conv_kernel: found 17, expected 1 to 16");
  CHECK_THROWS(changed([](LinearAttentionConfig& c) { c.layer_has_state = {true, true}; }), Error, "qwen35.attention.recurrent_layers: found linear attention only");
  CHECK_THROWS(changed([](LinearAttentionConfig& c) { c.layer_has_state = {true}; }), Error, "qwen35.attention.recurrent_layers: found 1 entries, expected one per layer");

  const std::string whole = quantized(wide_hybrid("qwen3_5_text", 4), {{DType::f16, 1}}, false);
  const auto patched = [&](const std::string& at, size_t behind, const std::string& with) {
    std::string bytes = whole;
    bytes.replace(bytes.find(at) + at.size() + behind, with.size(), with);
    return Model::load(folder.write("m.gguf", bytes), {1, "", WeightType::f32});
  };
  const std::string state = "qwen35.ssm.state_size", inner = "qwen35.ssm.inner_size";
  CHECK_THROWS(patched(state, 4, "\x10"), Error, "blk.0.attn_qkv.weight: found shape [384, 256], expected [320, 256]");
  CHECK_THROWS(patched(inner, 4, "\x08"), Error, "blk.0.attn_qkv.weight: found shape [384, 256], expected [392, 256]");
  CHECK_THROWS(patched(inner, 4, "\x01"), Error, "qwen35.ssm.inner_size: found 257, expected a multiple of qwen35.ssm.time_step_rank, 8");
  CHECK_THROWS(patched(inner.substr(0, inner.size() - 1), 0, "x"), Error, "qwen35.ssm.inner_size: found nothing");
  for (const char* name : {"attn_qkv.weight", "attn_gate.weight", "ssm_beta.weight", "ssm_alpha.weight", "ssm_out.weight", "ssm_conv1d.weight", "ssm_norm.weight", "ssm_a", "ssm_dt.bias", "post_attention_norm.weight"}) {
    const std::string tensor = std::string("blk.0.") + name;
    std::string written;  // after its length: some names begin as others do
    GgufWriter::text(written, tensor);
    CHECK_THROWS(patched(written.substr(0, written.size() - 1), 0, "x"), Error, tensor + ": found no such tensor");
  }
  std::string experts = quantized(wide_hybrid("qwen3_next", 4), {{DType::q8_0, 8}}, false), name;
  GgufWriter::text(name, "blk.1.ffn_gate_up_exps.weight");
  std::string sizes;
  for (const uint64_t size : {512, 256}) append(sizes, size);
  experts.replace(experts.find(name) + name.size() + sizeof(uint32_t), sizes.size(), sizes);
  CHECK_THROWS(Model::load(folder.write("m.gguf", experts), {1, "", WeightType::f32}), Error, "blk.1.ffn_gate_up_exps.weight: found shape [4, 256, 512], expected [4, 512, 256]");

  GgufWriter growing;
  const ModelConfig config = wide_hybrid("qwen3_5_text", 4);
  growing.tensor("blk.0.ssm_a", {8}, std::vector<float>(8, 0.5f));
  write_metadata(growing, config);
  growing.tensor("token_embd.weight", {4, 256}, std::vector<float>(1024));
  CHECK_THROWS(Checkpoint(folder.write("m.gguf", growing.bytes()), read_model_config(folder.path() / "m.gguf"), WeightType::f32).decay_rates("model.layers.0.linear_attn.A_log"), Error,
               "blk.0.ssm_a: found 0.5");
}

TEST("gguf: layers of two shapes and latent attention that do not fit are refused by name") {
  const auto patched = [](const ModelConfig& config, const std::function<void(std::string&)>& change) {
    std::string bytes = quantized(config, {{DType::f16, 1}}, false);
    change(bytes);
    const TempFolder folder;
    return Model::load(folder.write("m.gguf", bytes), {1, "", WeightType::f32});
  };
  // A number of a key, the last one of a list, or another name of a tensor.
  const auto number = [](const std::string& key, uint32_t value, size_t behind = 4) {
    return [=](std::string& bytes) { bytes.replace(bytes.find(key) + key.size() + behind, 4, reinterpret_cast<const char*>(&value), 4); };
  };
  const auto without = [](const std::string& tensor) {
    return [=](std::string& bytes) { bytes[bytes.find(tensor) + tensor.size() - 1] = 'x'; };
  };
  constexpr size_t kSecond = 4 + 4 + 8 + 4;  // type, type of the elements, how many, the first one
  const ModelConfig gemma = wide_gemma4(), latent = wide_latent();
  CHECK_THROWS(patched(gemma, number("gemma4.attention.head_count_kv", 3, kSecond)), Error, "gemma4.attention.head_count_kv: found 3, expected a divisor");
  CHECK_THROWS(patched(gemma, number("gemma4.feed_forward_length", 512, kSecond)), Error, "gemma4.feed_forward_length: found 512 of layer 1, expected 256");
  CHECK_THROWS(patched(gemma, number("gemma4.attention.key_length", 127)), Error, "gemma4.attention.key_length: found 127, expected an even number");
  CHECK_THROWS(patched(gemma, number("gemma4.attention.shared_kv_layers", 2)), Error, "gemma4.attention.shared_kv_layers: found 2, expected less than");
  CHECK_THROWS(patched(gemma, number("gemma4.attention.shared_kv_layers", 1)), Error, "gemma4.attention.shared_kv_layers: found 1, expected fewer");
  CHECK_THROWS(patched(gemma, number("gemma4.embedding_length_per_layer_input", 1 << 20)), Error, "gemma4.embedding_length_per_layer_input: found 1048576");
  CHECK_THROWS(patched(gemma, number("gemma4.rope.dimension_count_swa", 32)), Error, "gemma4.rope.dimension_count_swa: found 32, expected the head size, 64");
  CHECK_THROWS(patched(gemma, without("per_layer_token_embd.weight")), Error, "per_layer_token_embd.weight: found 0, expected at least vocab_size");
  for (const char* name : {"attn_v.weight", "ffn_gate_inp.scale", "ffn_down_exps.scale", "post_norm.weight", "pre_ffw_norm_2.weight", "proj.weight"})
    CHECK_THROWS(patched(gemma, without(std::string("blk.0.") + name)), Error, std::string("blk.0.") + name + ": found no such tensor");

  CHECK_THROWS(patched(latent, number("deepseek2.attention.kv_lora_rank", 0)), Error, "deepseek2.attention.kv_lora_rank: found 0, expected 1 to 1024");
  CHECK_THROWS(patched(latent, number("deepseek2.attention.key_length_mla", 16)), Error, "deepseek2.attention.key_length_mla: found -16");
  CHECK_THROWS(patched(latent, number("deepseek2.attention.key_length_mla", 97)), Error, "deepseek2.attention.key_length_mla: found 65, expected an even number");
  CHECK_THROWS(patched(latent, number("deepseek2.rope.dimension_count", 0xFFFFFFFF)), Error, "deepseek2.rope.dimension_count: found 2147483647, expected 1 to 1024");
  CHECK_THROWS(patched(latent, number("deepseek2.rope.scaling.yarn_log_multiplier", 0xBF800000)), Error, "deepseek2.rope.scaling.yarn_log_multiplier: found -1");
  CHECK_THROWS(patched(latent, number("deepseek2.attention.value_length_mla", 32)), Error, "blk.0.attn_v_b.weight: found shape [4, 64, 256], expected [4, 32, 256]");
  CHECK_THROWS(patched(latent, without("blk.0.attn_k_b.weight")), Error, "blk.0.attn_k_b.weight: found no such tensor, expected shape [4, 256, 64]");
}

TEST("gguf: older files say how often a layer of a hybrid is not linear") {
  const auto load = [](const std::function<void(GgufWriter&)>& say) {
    ModelConfig config = wide_hybrid("qwen3_5_text", 4);
    config.layers = 4;
    GgufWriter writer;
    const LinearAttentionConfig linear = config.linear;
    config.linear = {};
    write_metadata(writer, config);
    for (const auto& [key, value] : {std::pair("conv_kernel", linear.taps), std::pair("state_size", linear.key_dim), std::pair("group_count", linear.key_heads), std::pair("time_step_rank", linear.value_heads), std::pair("inner_size", linear.values())})
      writer.number(std::string("qwen35.ssm.") + key, static_cast<uint32_t>(value));
    say(writer);
    writer.tensor("token_embd.weight", {4, 256}, std::vector<float>(1024));
    const TempFolder folder;
    return read_model_config(folder.write("m.gguf", writer.bytes())).linear.layer_has_state;
  };
  CHECK_EQUAL(load([](GgufWriter&) {}) == (std::vector{true, true, true, false}), true);
  CHECK_EQUAL(load([](GgufWriter& w) { w.number("qwen35.full_attention_interval", 2); }) == (std::vector{true, false, true, false}), true);
  CHECK_THROWS(load([](GgufWriter& w) { w.number("qwen35.full_attention_interval", 0); }), Error, "qwen35.full_attention_interval: found 0");
  CHECK_THROWS(load([](GgufWriter& w) { w.number("qwen35.full_attention_interval", 5); }), Error, "qwen35.full_attention_interval: found linear attention only");
}

TEST("gguf: what the tables of an architecture leave out is refused by name") {
  const auto refuse = [](const std::function<void(GgufWriter&, ModelConfig&)>& change, const char* part) {
    ModelConfig config = wide_model();
    config.model_type = "phi3";
    GgufWriter writer;
    change(writer, config);
    write_metadata(writer, config);
    writer.tensor("token_embd.weight", {4, 256}, std::vector<float>(1024));
    const TempFolder folder;
    CHECK_THROWS(read_model_config(folder.write("m.gguf", writer.bytes())), Error, part);
  };
  refuse([](GgufWriter&, ModelConfig& c) { c.model_type = "mamba"; }, "general.architecture");
  refuse([](GgufWriter&, ModelConfig& c) { c.rope.rotary_dim = 15; }, "rope.dimension_count");
  refuse([](GgufWriter&, ModelConfig& c) { c.rope.rotary_dim = 80; }, "rope.dimension_count");
  refuse([](GgufWriter& w, ModelConfig&) { w.tensor("rope_factors_long.weight", {32}, std::vector<float>(32, 1.0f)); }, "one of the two");
  refuse([](GgufWriter& w, ModelConfig&) { w.tensor("rope_factors_long.weight", {16}, std::vector<float>(16, 1.0f)); }, "32 numbers");
  refuse([](GgufWriter& w, ModelConfig&) { w.tensor("rope_factors_short.weight", {32}, std::vector<float>(32, 0.0f)); }, "above 0");
  refuse([](GgufWriter&, ModelConfig& c) { c.sliding_window = 4; c.layer_is_sliding = {true}; }, "sliding_window_pattern");
  const auto refuse_as = [&](const char* type, const std::function<void(GgufWriter&, ModelConfig&)>& change, const char* part) {
    refuse([&](GgufWriter& writer, ModelConfig& config) {
      config.model_type = type;
      config.rms_norm_eps = kGraniteEps;  // a residual that is added as it is
      config.attention_scale = 0.125f;
      change(writer, config);
    }, part);
  };
  refuse_as("granite", [](GgufWriter&, ModelConfig& c) { c.embedding_scale = 0; }, "granite.embedding_scale");
  refuse_as("granite", [](GgufWriter&, ModelConfig& c) { c.attention_scale = -1; }, "granite.attention.scale");
  refuse_as("granite", [](GgufWriter&, ModelConfig& c) { c.logit_scale = 1e9f; }, "granite.logit_scale");
  refuse_as("granite", [](GgufWriter&, ModelConfig& c) { c.rms_norm_eps = 1e9f, c.embedding_scale = 1e6f; }, "granite.residual_scale");
  refuse_as("granite", [](GgufWriter& w, ModelConfig&) { w.flag("granite.rope.scaling.finetuned", false); }, "granite.rope.scaling.finetuned");
  const auto refuse_oss = [&](const std::function<void(GgufWriter&, ModelConfig&)>& change, const char* part) {
    refuse_as("gpt_oss", [&](GgufWriter& writer, ModelConfig& config) {
      config.experts = {4, 2, 64, true, false, {}, true};
      config.sliding_window = 4;
      change(writer, config);
    }, part);
  };
  refuse_oss([](GgufWriter&, ModelConfig& c) { c.sliding_window = 0; }, "gpt-oss.attention.sliding_window: found none");
  refuse_oss([](GgufWriter& w, ModelConfig&) { w.real("gpt-oss.rope.freq_base_swa", 500); }, "gpt-oss.rope.freq_base_swa: found 500");
  refuse_oss([](GgufWriter&, ModelConfig& c) { c.experts.per_token = 5; }, "gpt-oss.expert_used_count: found 5");
  refuse_as("cohere", [](GgufWriter&, ModelConfig& c) { c.logit_scale = 0; }, "command-r.logit_scale");
  refuse_as("cohere2", [](GgufWriter&, ModelConfig&) {}, "cohere2.attention.sliding_window: found none");
  refuse_as("granite_swa", [](GgufWriter&, ModelConfig& c) { c.sliding_window = 4; }, "granite_swa.attention.sliding_window_pattern: found nothing");
  refuse_as("granite_swa", [](GgufWriter&, ModelConfig& c) { c.layer_has_rope = {true}; }, "granite_swa.attention.rope_pattern: found 1 entries, expected one per layer");
  refuse_as("minicpm3", [](GgufWriter&, ModelConfig&) {}, "minicpm3.attention.kv_lora_rank: found nothing");
  refuse_as("ministral3", [](GgufWriter&, ModelConfig& c) { c.query_growth = 1e9f; }, "mistral3.attention.temperature_scale");
  refuse_as("ministral3", [](GgufWriter& w, ModelConfig& c) { c.rope.kind = RopeConfig::Kind::yarn, w.real("mistral3.rope.scaling.yarn_beta_slow", 0); }, "mistral3.rope.scaling.yarn_beta");
}

}  // namespace
}  // namespace sgmv::test
