#include "random_adapter.h"

#include <bit>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "formats/peft_targets.h"

namespace sgmv::bench {

void write_random_adapter(const std::filesystem::path& folder, const ModelConfig& model, int32_t rank, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::string header = "{";
  std::vector<uint16_t> data;
  const auto add = [&](const std::string& name, int64_t rows, int64_t columns) {
    const size_t begin = data.size() * 2;
    for (int64_t i = 0; i < rows * columns; ++i) data.push_back(static_cast<uint16_t>(std::bit_cast<uint32_t>(normal(generator)) >> 16));
    header += (header.size() > 1 ? ",\"" : "\"") + name + "\":{\"dtype\":\"BF16\",\"shape\":[" + std::to_string(rows) + "," +
              std::to_string(columns) + "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data.size() * 2) + "]}";
  };
  for (int32_t layer = 0; layer < model.layers; ++layer)
    for (const Projection projection : model.layer_projections(layer)) {
      const std::string name = "base_model.model." + module_name(model, layer, projection);
      add(name + ".lora_A.weight", rank, model.in_features(projection, layer));
      add(name + ".lora_B.weight", model.out_features(projection, layer), rank);
    }
  header += "}";
  std::filesystem::create_directories(folder);
  std::ofstream weights(folder / "adapter_model.safetensors", std::ios::binary);
  const uint64_t length = header.size();
  weights.write(reinterpret_cast<const char*>(&length), sizeof length);
  weights << header;
  weights.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size() * 2));
  std::ofstream(folder / "adapter_config.json")
      << "{\"peft_type\":\"LORA\",\"task_type\":\"CAUSAL_LM\",\"r\":" << rank << ",\"lora_alpha\":" << rank
      << ",\"bias\":\"none\",\"target_modules\":\"all-linear\"}";
}

}  // namespace sgmv::bench
