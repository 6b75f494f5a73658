// The golden Llama models written as GGUF the way llama.cpp's converter writes them (rows of q and k reordered,
// Llama 3's scaling as rope_freqs) give the same logits, adapters included.
#include <cmath>

#include "check.h"
#include "golden_folder.h"
#include "layers/rope_table.h"
#include "models/config_gguf.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

struct GgufWriter {
  std::string keys, tensors, data;
  uint64_t key_count = 0, tensor_count = 0;

  static void text(std::string& out, const std::string& value) {
    append<uint64_t>(out, value.size());
    out += value;
  }
  void number(const std::string& key, uint32_t value) {
    text(keys, key);
    append<uint32_t>(keys, 4);
    append(keys, value);
    ++key_count;
  }
  void real(const std::string& key, float value) {
    text(keys, key);
    append<uint32_t>(keys, 6);
    append(keys, value);
    ++key_count;
  }
  void string(const std::string& key, const std::string& value) {
    text(keys, key);
    append<uint32_t>(keys, 8);
    text(keys, value);
    ++key_count;
  }
  void tensor(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
    text(tensors, name);
    append<uint32_t>(tensors, static_cast<uint32_t>(shape.size()));
    for (size_t i = shape.size(); i-- > 0;) append<uint64_t>(tensors, static_cast<uint64_t>(shape[i]));
    append<uint32_t>(tensors, 0);  // F32
    append<uint64_t>(tensors, data.size());
    data += f32_bytes(values);
    data.resize((data.size() + 31) / 32 * 32);
    ++tensor_count;
  }
  std::string bytes() const {
    std::string out = "GGUF";
    append<uint32_t>(out, 3);
    append(out, tensor_count);
    append(out, key_count);
    out += keys + tensors;
    out.resize((out.size() + 31) / 32 * 32);
    return out + data;
  }
};

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

void write_metadata(GgufWriter& writer, const ModelConfig& config) {
  writer.string("general.architecture", "llama");
  writer.number("llama.block_count", static_cast<uint32_t>(config.layers));
  writer.number("llama.embedding_length", static_cast<uint32_t>(config.hidden_size));
  writer.number("llama.feed_forward_length", static_cast<uint32_t>(config.intermediate_size));
  writer.number("llama.attention.head_count", static_cast<uint32_t>(config.heads));
  writer.number("llama.attention.head_count_kv", static_cast<uint32_t>(config.kv_heads));
  writer.number("llama.context_length", static_cast<uint32_t>(config.max_positions));
  writer.number("llama.rope.dimension_count", static_cast<uint32_t>(config.head_dim));
  writer.real("llama.rope.freq_base", static_cast<float>(config.rope.theta));
  writer.real("llama.attention.layer_norm_rms_epsilon", config.rms_norm_eps);
  writer.number("tokenizer.ggml.eos_token_id", 2);
  if (config.rope.kind == RopeConfig::Kind::linear) {
    writer.string("llama.rope.scaling.type", "linear");
    writer.real("llama.rope.scaling.factor", static_cast<float>(config.rope.factor));
  }
}

std::string to_gguf(const std::filesystem::path& folder, const ModelConfig& config) {
  GgufWriter writer;
  write_metadata(writer, config);
  const auto source = open_safetensors_folder(folder);
  for (const auto& [name, info] : source->tensors()) {
    const std::vector<std::byte> stored = source->read(info);
    std::vector<float> values(static_cast<size_t>(info.elements()));
    dequantize(info.dtype, stored.data(), info.elements(), values.data());
    if (name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos)
      values = interleave(values, config.head_dim, info.shape.size() == 2 ? info.shape[1] : 1);
    const std::string gguf_name = gguf_tensor_name(name);
    CHECK(!gguf_name.empty(), name);
    writer.tensor(gguf_name, info.shape, values);
  }
  if (config.rope.kind == RopeConfig::Kind::llama3) {
    RopeConfig plain;
    plain.theta = config.rope.theta;
    const std::vector<float> scaled = rope_frequencies(config.rope, config.head_dim);
    std::vector<float> factors = rope_frequencies(plain, config.head_dim);
    for (size_t i = 0; i < factors.size(); ++i) factors[i] /= scaled[i];
    writer.tensor("rope_freqs.weight", {config.head_dim / 2}, factors);
  }
  return writer.bytes();
}

TEST("gguf: Llama models converted from safetensors give the golden logits") {
  for (const char* family : {"llama2", "llama3", "llama-linear", "llama-bias"}) {
    std::filesystem::path root = golden_root() / family;
    if (!std::filesystem::exists(root)) root = golden_root() / "tiny" / family;
    if (!std::filesystem::exists(root)) throw Skip("no golden folders");
    const TempFolder folder;
    const auto model = Model::load(folder.write("m.gguf", to_gguf(root / "model", read_model_config(root / "model"))), {1, "", WeightType::f32});
    const GoldenFolder golden(root);
    for (const GoldenCase& one : golden.cases()) {
      if (one.adapter != "" && one.adapter != "all-r8" && one.adapter != "qv-r4") continue;
      std::shared_ptr<const Adapter> adapter;
      if (!one.adapter.empty()) adapter = model->load_adapter(root / "adapters" / one.adapter);
      Session session(*model, adapter.get(), static_cast<int32_t>(one.prompt.size()));
      const Difference difference = compare(session.feed(one.prompt, true), golden.logits(one));
      CHECK(difference.relative <= 1e-4, family, " ", one.name, ": ", difference.relative);
    }
  }
}

}  // namespace
}  // namespace sgmv::test
