// Tensors that a file has beside those of the model: which of them count is what Transformers makes of them.
#include "check.h"
#include "formats/dtype.h"
#include "formats/file_reader.h"
#include "golden_folder.h"
#include "sgmv/error.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

// A copy of a golden family's model whose tensors can be changed.
struct Copy {
  explicit Copy(const char* family) : source(golden_root() / family / "model") {
    const SafetensorsFile file(source / "model.safetensors");
    for (const auto& [name, info] : file.tensors()) {
      const std::vector<std::byte> data = file.read(info);
      tensors.push_back({name, info.dtype_text, info.shape, std::string(reinterpret_cast<const char*>(data.data()), data.size())});
    }
  }
  NamedTensor& named(const std::string& name) {
    for (NamedTensor& tensor : tensors)
      if (tensor.name == name) return tensor;
    throw Failure("no tensor " + name);
  }
  std::unique_ptr<Model> load() const {
    const TempFolder folder;
    folder.write("config.json", read_text_file(source / "config.json", 1 << 20));
    folder.write("model.safetensors", safetensors_file(tensors));
    return Model::load(folder.path(), {.threads = 1, .weights = WeightType::f32});
  }
  std::vector<float> logits() const { return logits_of(*load()); }
  static std::vector<float> logits_of(Model& model) { return Session(model, nullptr, 16).feed({5, 6, 7, 8}, true); }

  std::filesystem::path source;
  std::vector<NamedTensor> tensors;
};

std::vector<float> floats(const NamedTensor& tensor) {
  const DType dtype = tensor.dtype == "F32" ? DType::f32 : DType::bf16;
  std::vector<float> values(tensor.data.size() / static_cast<size_t>(dtype_block_bytes(dtype)));
  dequantize(dtype, reinterpret_cast<const std::byte*>(tensor.data.data()), static_cast<int64_t>(values.size()), values.data());
  return values;
}

TEST("checkpoint: a head that equals the tied embedding changes nothing") {
  Copy copy("qwen2");
  const std::vector<float> expected = copy.logits();
  NamedTensor head = copy.named(kEmbedding);
  head.name = kHead;
  copy.tensors.push_back(head);
  const auto model = copy.load();
  CHECK(model->config().tied_embeddings);
  CHECK(Copy::logits_of(*model) == expected);
}

TEST("checkpoint: a head that differs from the embedding is used although the configuration ties them") {
  Copy copy("qwen2");
  const std::vector<float> expected = copy.logits();
  std::vector<float> values = floats(copy.named(kEmbedding));
  for (float& value : values) value = -value;
  copy.tensors.push_back({kHead, "F32", copy.named(kEmbedding).shape, f32_bytes(values)});
  const auto model = copy.load();
  CHECK(!model->config().tied_embeddings);
  std::vector<float> found = Copy::logits_of(*model);
  for (float& value : found) value = -value;
  CHECK(compare(found, expected).relative < 1e-6);
}

TEST("checkpoint: a head of another type that holds the same values leaves the model tied") {
  Copy copy("qwen2");
  const NamedTensor& embedding = copy.named(kEmbedding);
  CHECK_EQUAL(embedding.dtype, "BF16");
  copy.tensors.push_back({kHead, "F32", embedding.shape, f32_bytes(floats(embedding))});
  CHECK(copy.load()->config().tied_embeddings);
}

TEST("checkpoint: a tied head of another shape is refused") {
  Copy copy("qwen2");
  copy.tensors.push_back({kHead, "F32", {1, 2}, f32_bytes({1, 2})});
  CHECK_THROWS(copy.load(), Error, kHead);
}

TEST("checkpoint: a bias that the family does not have is not added") {
  Copy copy("qwen2");
  const std::vector<float> expected = copy.logits();
  const int64_t hidden = copy.load()->config().hidden_size;
  copy.tensors.push_back({"model.layers.0.self_attn.o_proj.bias", "F32", {hidden}, f32_bytes(std::vector<float>(static_cast<size_t>(hidden), 3.0f))});
  CHECK(copy.logits() == expected);
}

TEST("checkpoint: Llama's bias of o is added") {
  Copy copy("llama-bias");
  const std::vector<float> expected = copy.logits();
  NamedTensor& bias = copy.named("model.layers.0.self_attn.o_proj.bias");
  bias.dtype = "F32";
  bias.data = f32_bytes(std::vector<float>(static_cast<size_t>(bias.shape[0]), 3.0f));
  CHECK(copy.logits() != expected);
}

TEST("checkpoint: a language model in a vision model, by either of its names") {
  Copy copy("gemma3-vision");
  const std::vector<float> expected = copy.logits();
  for (NamedTensor& tensor : copy.tensors)
    if (tensor.name.starts_with("language_model.model.")) tensor.name = "model.language_model." + tensor.name.substr(21);
  CHECK(copy.logits() == expected);
  copy.named("model.language_model.norm.weight").name = "norm.weight";
  CHECK_THROWS(copy.load(), Error, "model.language_model.norm.weight");
}

TEST("checkpoint: a whole projection's norm is not one of a head") {
  Copy copy("olmo2");
  NamedTensor& norm = copy.named("model.layers.1.self_attn.k_norm.weight");
  norm = {norm.name, "F32", {8}, f32_bytes(std::vector<float>(8, 1.0f))};
  CHECK_THROWS(copy.load(), Error, "k_norm.weight: found shape [8], expected [24]");
}

}  // namespace
}  // namespace sgmv::test
