#include "logit_adjuster.h"

#include <limits>

namespace sgmv {

LogitAdjuster::LogitAdjuster(const SamplingOptions& options, std::vector<int32_t> ending)
    : repetition_(options.repetition_penalty),
      frequency_(options.frequency_penalty),
      presence_(options.presence_penalty),
      bias_(options.logit_bias),
      min_tokens_(options.min_tokens),
      ending_(std::move(ending)) {}

LogitAdjuster::Seen& LogitAdjuster::seen(int32_t token) {
  const auto [place, added] = places_.try_emplace(token, seen_.size());
  if (added) seen_.push_back({token, 0});
  return seen_[place->second];
}

void LogitAdjuster::add_prompt(std::span<const int32_t> tokens) {
  if (repetition_ == 1.0f) return;  // the only one that looks at the prompt
  for (const int32_t token : tokens) seen(token);
}

void LogitAdjuster::add(int32_t token) {
  completion_tokens_ += 1;
  if (penalizes()) seen(token).completions += 1;
}

bool LogitAdjuster::active(int32_t more) const {
  return !seen_.empty() || (more > 0 && penalizes()) || !bias_.empty() || completion_tokens_ + more < min_tokens_;
}

void LogitAdjuster::apply(std::span<float> logits) const {
  for (const auto& [token, completions] : seen_) {
    float& logit = logits[token];
    logit = logit > 0.0f ? logit / repetition_ : logit * repetition_;
    if (completions > 0) logit -= frequency_ * static_cast<float>(completions) + presence_;
  }
  for (const auto& [token, bias] : bias_) logits[token] += bias;
  if (completion_tokens_ >= min_tokens_) return;
  for (const int32_t token : ending_) logits[token] = -std::numeric_limits<float>::infinity();
}

}  // namespace sgmv
