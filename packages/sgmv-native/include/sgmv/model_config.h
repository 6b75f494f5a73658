// Shape and constants of a decoder, read from a Hugging Face config.json or from GGUF metadata.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sgmv {

// The projections an adapter can target, in the order they run in a layer.
enum class Projection : uint8_t { q, k, v, o, gate, up, down };
inline constexpr int kProjectionCount = 7;
const char* projection_name(Projection p);  // "q_proj" …

struct RopeConfig {
  enum class Kind : uint8_t { none, linear, llama3, yarn };
  Kind kind = Kind::none;
  double theta = 10000.0;
  double factor = 1.0;
  double low_freq_factor = 1.0;    // llama3
  double high_freq_factor = 4.0;   // llama3
  int32_t original_max_positions = 0;  // llama3, yarn
  // yarn
  double attention_factor = 0.0;   // 0: derived from factor
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  double mscale = 0.0;
  double mscale_all_dim = 0.0;
  bool truncate = true;
  std::vector<float> factors;  // GGUF rope_freqs: the divisor of each frequency; empty: none
};

struct ModelConfig {
  std::string model_type;  // "llama", "mistral", "qwen2", "qwen3" …
  int32_t vocab_size = 0;
  int32_t hidden_size = 0;
  int32_t intermediate_size = 0;
  int32_t layers = 0;
  int32_t heads = 0;
  int32_t kv_heads = 0;
  int32_t head_dim = 0;
  int32_t max_positions = 0;
  float rms_norm_eps = 1e-5f;
  bool tied_embeddings = false;
  bool attention_bias = false;  // q, k, v (and o where the family has it: the weights decide)
  bool mlp_bias = false;
  bool qk_norm = false;         // Qwen3, Gemma 3
  int32_t sliding_window = 0;   // 0: none
  std::vector<bool> layer_is_sliding;  // per layer; empty: none
  RopeConfig rope;
  std::vector<int32_t> end_tokens;  // from generation_config.json, else config.json, else GGUF
  int32_t bos_token = -1;           // -1: none

  // Input and output width of a projection.
  int32_t in_features(Projection p) const;
  int32_t out_features(Projection p) const;
};

// `source`: a folder with config.json (generation_config.json is read beside it if there), a config.json, or a
// .gguf file. Throws sgmv::Error with the field's name.
ModelConfig read_model_config(const std::filesystem::path& source);

}  // namespace sgmv
