// Choosing the next token from a row of logits, and how likely it was.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sgmv {

struct LogitBias {
  int32_t token;
  float bias;
};

struct SamplingOptions {
  float temperature = 0.0f;  // 0: greedy; seed and filters are ignored
  int32_t top_k = 0;         // 0: all tokens
  float top_p = 1.0f;
  float min_p = 0.0f;
  uint32_t seed = 0;
  // Adjustments of the logits, in this order and before everything above.
  float repetition_penalty = 1.0f;  // over prompt and completion: positive logits / it, negative ones * it
  float frequency_penalty = 0.0f;   // - it * occurrences in the completion
  float presence_penalty = 0.0f;    // - it where the token occurs in the completion
  std::vector<LogitBias> logit_bias = {};
  int32_t min_tokens = 0;  // tokens that would end the generation are out of question before
};

struct TokenLogprob {
  int32_t token;
  float logprob;
};

// Log-softmax of the model's own logits, before adjustments and temperature.
struct TokenLogprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  // the likeliest, best first; equals rank by lower id
};

// The seed of a request's choice: seed + choice * 0x9E3779B9 modulo 2^32, so that choice 0 draws as a request of its
// own would.
inline uint32_t choice_seed(uint32_t seed, int32_t choice) {
  return seed + static_cast<uint32_t>(choice) * 0x9E37'79B9u;
}

// `logits` [vocab]; `alternatives` of them are ranked. Throws Error("numeric_error") as Sampler::pick does.
TokenLogprobs log_probabilities(std::span<const float> logits, int32_t chosen, int32_t alternatives);

// Uniform in [0, 1), a pure function of its arguments: a replayed or resumed request draws the same numbers.
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
double uniform_at(uint32_t seed, uint64_t position);

// Holds scratch memory only; the outcome of `pick` depends on its arguments alone. Not thread-safe.
class Sampler {
 public:
  // The id of the token at absolute position `position`. Filters apply in the order temperature, top-k, top-p,
  // min-p; equal logits rank by lower id. Throws Error("numeric_error") when `logits` [vocab] has a NaN or no
  // finite maximum.
  int32_t pick(std::span<const float> logits, const SamplingOptions& options, uint64_t position);

 private:
  void weigh(std::span<const float> logits, float highest, float temperature);
  void sort_first(std::span<const float> logits, size_t count);
  int32_t draw_from_all(double uniform) const;
  int32_t draw_filtered(std::span<const float> logits, const SamplingOptions& options, double uniform);

  std::vector<float> weights_;  // [vocab], exp((logit - highest) / temperature)
  std::vector<int32_t> order_;  // token ids; the first `sorted_` are the highest, in order
  size_t sorted_ = 0;
};

}  // namespace sgmv
