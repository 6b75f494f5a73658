// Punica's workload `textgen-lora`: prompts of log-normal length (sigma 0.8, location -1, scale 18), totals uniform below
// `length_max`, at least two new tokens. peft_textgen.py draws the same requests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace sgmv::bench {

struct TextgenRequest {
  int prompt_tokens, new_tokens;
};

inline std::vector<TextgenRequest> textgen_requests(int count, int length_max) {
  uint64_t state = 0xABCDABCD987;
  const auto uniform = [&] {  // splitmix64; never 0
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (static_cast<double>((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
  };
  std::vector<TextgenRequest> requests;
  for (int i = 0; i < count; ++i) {
    const double radius = std::sqrt(-2 * std::log(uniform())), normal = radius * std::cos(2 * 3.14159265358979323846 * uniform());
    const int prompt = std::clamp(static_cast<int>(18 * std::exp(0.8 * normal) - 1), 1, length_max - 2);
    const int total = std::max(prompt + 2, static_cast<int>(uniform() * length_max));
    requests.push_back({prompt, total - prompt});
  }
  return requests;
}

}  // namespace sgmv::bench
