// A copy of a golden folder's model whose tensors can be changed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "formats/file_reader.h"
#include "golden_folder.h"
#include "temp_folder.h"

namespace sgmv::test {

struct ModelCopy {
  explicit ModelCopy(const char* family) : source(golden_root() / family / "model") {
    config = read_text_file(source / "config.json", 1 << 20);
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
  int64_t hidden_size() const {
    for (const NamedTensor& tensor : tensors)
      if (tensor.name.ends_with("embed_tokens.weight")) return tensor.shape[1];
    throw Failure("no embedding");
  }
  void erase(const std::string& name) {
    if (std::erase_if(tensors, [&](const NamedTensor& tensor) { return tensor.name == name; }) != 1) throw Failure("no tensor " + name);
  }
  void replace_in_config(const std::string& from, const std::string& to) {
    const size_t at = config.find(from);
    if (at == std::string::npos) throw Failure("config.json lacks " + from);
    config.replace(at, from.size(), to);
  }
  std::unique_ptr<Model> load(const ModelOptions& options = {.threads = 1, .weights = WeightType::f32}) const {
    const TempFolder folder;
    std::string text = config;
    if (!quantization.empty()) text.insert(text.find('{') + 1, "\"quantization_config\":" + quantization + ",");
    folder.write("config.json", text);
    folder.write("model.safetensors", safetensors_file(tensors));
    return Model::load(folder.path(), options);
  }
  std::vector<float> logits() const { return logits_of(*load()); }
  static std::vector<float> logits_of(Model& model) { return Session(model, nullptr, 16).feed({5, 6, 7, 8}, true); }

  std::filesystem::path source;
  std::vector<NamedTensor> tensors;
  std::string config;        // config.json
  std::string quantization;  // to add to it; empty: as it is
};

}  // namespace sgmv::test
