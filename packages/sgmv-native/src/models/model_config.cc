#include "sgmv/model_config.h"

#include <algorithm>

#include "formats/file_reader.h"
#include "formats/format_error.h"
#include "formats/gguf.h"
#include "models/config_gguf.h"
#include "models/config_hf.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

constexpr uint64_t kConfigBytesMax = 16 << 20;

json::Value parse_json(std::string_view text, const std::string& file) {
  try {
    return json::parse(text);
  } catch (const std::runtime_error& error) {
    throw Error("model_corrupt", file + ": bad JSON " + error.what());
  }
}

json::Value read_object(const std::filesystem::path& path) {
  const std::string text = read_text_file(path, kConfigBytesMax);
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  json::Value root = parse_json(std::string_view(text).substr(text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0), path.string());
  if (!root.is_object()) throw Error("model_corrupt", path.string() + ": found " + root.describe() + ", expected an object");
  return root;
}

// eos_token_id is a number or a list of numbers.
std::vector<int32_t> end_tokens(const json::Value& root, const std::string& file) {
  const json::Value* field = root.find("eos_token_id");
  if (field == nullptr || field->is_null()) return {};
  std::vector<int32_t> tokens;
  const json::Array single = field->is_array() ? json::Array() : json::Array{*field};
  for (const json::Value& token : field->is_array() ? field->array() : single) {
    if (!token.is_integer() || token.integer() < 0 || token.integer() > INT32_MAX)
      throw Error("model_corrupt", file + ": eos_token_id: found " + token.describe() + ", expected a token id");
    tokens.push_back(static_cast<int32_t>(token.integer()));
  }
  return tokens;
}

ModelConfig read_hf(const std::filesystem::path& path) {
  const json::Value root = read_object(path);
  ModelConfig config = config_from_hf(root, path.string());
  const std::filesystem::path generation = path.parent_path() / "generation_config.json";
  if (file_exists(generation)) config.end_tokens = end_tokens(read_object(generation), generation.string());
  if (config.end_tokens.empty()) config.end_tokens = end_tokens(root, path.string());
  const json::Value* text = root.find("text_config");
  if (config.end_tokens.empty() && text != nullptr && text->is_object()) config.end_tokens = end_tokens(*text, path.string());
  return config;
}

}  // namespace

const char* projection_name(Projection p) {
  constexpr const char* names[] = {"q_proj", "q_a_proj", "k_proj", "v_proj", "qkv_proj", "kv_a_proj_with_mqa", "q_b_proj", "kv_b_proj", "o_proj", "in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "in_proj_qkvz", "in_proj_ba", "in_proj", "out_proj", "gate_proj", "up_proj", "gate_up_proj",
                                   "down_proj", "per_layer_input_gate", "per_layer_projection", "gate", "shared_expert_gate", "embed_tokens", "per_layer_model_projection", "lm_head"};
  return names[static_cast<int>(p)];
}

void ModelConfig::scale_residuals(double factor) {
  embedding_scale = static_cast<float>(embedding_scale / factor);
  rms_norm_eps = static_cast<float>(rms_norm_eps / (factor * factor));
}

int32_t ModelConfig::states_before(int32_t layer) const {
  if (linear.layer_has_state.empty()) return 0;
  return static_cast<int32_t>(std::count(linear.layer_has_state.begin(), linear.layer_has_state.begin() + layer, true));
}

int32_t ModelConfig::attentions_before(int32_t layer) const {
  if (layer_has_attention.empty()) return layer - states_before(layer);
  return static_cast<int32_t>(std::count(layer_has_attention.begin(), layer_has_attention.begin() + layer, true));
}

int32_t ModelConfig::mlp_size_max() const {
  int32_t most = 0;
  for (int32_t layer = 0; layer < layers; ++layer)
    if (has_mlp(layer)) most = std::max(most, mlp_size(layer));
  return most;
}

int32_t ModelConfig::kv_source(int32_t layer) const {
  if (layer >= layers || has_kv(layer)) return layer;
  int32_t source = first_sharing() - 1;
  while (source > 0 && is_sliding(source) != is_sliding(layer)) --source;
  return source;
}

std::vector<KvShape> ModelConfig::kv_shapes() const {
  std::vector<KvShape> shapes;
  for (int32_t layer = 0; layer < first_sharing(); ++layer)
    if (has_attention(layer)) shapes.push_back(kv_shape(layer));
  return shapes;
}

int64_t ModelConfig::kv_numbers() const {
  int64_t numbers = 0;
  for (const KvShape& shape : kv_shapes()) numbers += shape.numbers();
  return numbers;
}

std::vector<Projection> ModelConfig::layer_projections(int32_t layer) const {
  using enum Projection;
  std::vector<Projection> all;
  const auto add = [&](std::initializer_list<Projection> some) {
    for (const Projection p : some) all.push_back(p);
  };
  if (has_state(layer) && linear.rule != StateRule::gated_delta) add({in, out});
  else if (has_state(layer) && linear.grouped) add({in_qkvz, in_ba, out});
  else if (has_state(layer)) add({in_qkv, in_z, in_b, in_a, out});
  if (!has_attention(layer)) {}
  else if (is_latent() && latent.q_rank > 0) add({q_a, kv_a, q_b, kv_b, o});
  else if (is_latent()) add({q, kv_a, kv_b, o});
  else if (fused_qkv) add({qkv, o});
  else if (!has_kv(layer)) add({q, o});
  else if (values_are_keys(layer)) add({q, k, o});
  else add({q, k, v, o});
  if (has_mlp(layer) && !gated_mlp) add({up, down});
  else if (has_mlp(layer) && fused_gate_up) add({gate_up, down});
  else if (has_mlp(layer)) add({gate, up, down});
  if (per_token.size > 0) add({per_token_gate, per_token_out});
  return all;
}

int32_t ModelConfig::in_features(Projection p, int32_t layer) const {
  switch (p) {
    case Projection::o: return attended_width(layer);
    case Projection::q_b: return latent.q_rank;
    case Projection::kv_b: return latent.kv_rank;
    case Projection::out: return linear.values();
    case Projection::down: return mlp_size(layer);
    case Projection::per_token_out: return per_token.size;
    case Projection::embed_tokens: return vocab_size;
    default: return hidden_size;
  }
}

int32_t ModelConfig::out_features(Projection p, int32_t layer) const {
  switch (p) {
    case Projection::q:
    case Projection::q_b: return q_width(layer);
    case Projection::q_a: return latent.q_rank;
    case Projection::kv_a: return latent.kv_a_width();
    case Projection::kv_b: return heads * latent.kv_b_head();
    case Projection::in: return linear.width();
    case Projection::in_qkv: return linear.conv_width();
    case Projection::in_z: return linear.values();
    case Projection::in_b:
    case Projection::in_a: return linear.value_heads;
    case Projection::in_qkvz: return linear.conv_width() + linear.values();
    case Projection::in_ba: return 2 * linear.value_heads;
    case Projection::k:
    case Projection::v: return has_kv(layer) ? kv_shape(layer).heads * kv_shape(layer).dim : 0;
    case Projection::qkv: return (heads + 2 * kv_heads) * head_dim;
    case Projection::gate:
    case Projection::up: return mlp_size(layer);
    case Projection::gate_up: return 2 * mlp_size(layer);
    case Projection::per_token_gate: return per_token.size;
    case Projection::per_token_in: return per_token_width();
    case Projection::router: return experts.count;
    case Projection::shared_gate: return 1;
    case Projection::lm_head: return vocab_size;
    default: return hidden_size;
  }
}

ModelConfig read_model_config(const std::filesystem::path& source) {
  namespace fs = std::filesystem;
  if (!file_exists(source)) throw Error("model_not_found", source.string() + ": no such file or folder");
  std::error_code error;
  if (fs::is_directory(source, error)) {
    if (!file_exists(source / "config.json")) throw Error("model_not_found", source.string() + ": has no config.json");
    return read_hf(source / "config.json");
  }
  if (source.extension() != ".gguf") return read_hf(source);
  try {
    return config_from_gguf(GgufFile(source));
  } catch (const FormatError& error) {
    throw Error("model_corrupt", error.what());
  }
}

}  // namespace sgmv
