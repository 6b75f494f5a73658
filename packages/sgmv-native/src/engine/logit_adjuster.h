// What a request's penalties, bias and minimum length do to its logits.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "sgmv/sampling.h"

namespace sgmv {

// Depends on the options and the tokens told to it alone, so that a resumed request is adjusted as if it had never
// stopped. Takes time for the tokens it has seen, not for the vocabulary.
class LogitAdjuster {
 public:
  // `ending`: tokens that would end the generation.
  LogitAdjuster(const SamplingOptions& options, std::vector<int32_t> ending);

  void add_prompt(std::span<const int32_t> tokens);
  void add(int32_t token);

  // Whether `apply` would change anything once `more` tokens have been added.
  bool active(int32_t more = 0) const;
  void apply(std::span<float> logits) const;

 private:
  struct Seen {
    int32_t token;
    int32_t completions;  // occurrences in the completion
  };
  Seen& seen(int32_t token);
  bool penalizes() const { return repetition_ != 1.0f || frequency_ != 0.0f || presence_ != 0.0f; }

  float repetition_;
  float frequency_;
  float presence_;
  std::vector<LogitBias> bias_;
  int32_t min_tokens_;
  std::vector<int32_t> ending_;
  int32_t completion_tokens_ = 0;
  std::vector<Seen> seen_;                      // each token once; empty without penalties
  std::unordered_map<int32_t, size_t> places_;  // token → its index in seen_
};

}  // namespace sgmv
