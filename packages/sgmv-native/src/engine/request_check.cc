#include "request_check.h"

#include <algorithm>
#include <cmath>

namespace sgmv {
namespace {

[[noreturn]] void refuse(const std::string& field, const std::string& found, const std::string& expected) {
  throw Error("bad_argument", field + ": found " + found + "; expected " + expected + ".");
}

void check_tokens(const std::string& field, const std::vector<int32_t>& tokens, int32_t vocab_size) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < vocab_size) continue;
    refuse(field + "[" + std::to_string(i) + "]", std::to_string(tokens[i]),
           "a token id from 0 to " + std::to_string(vocab_size - 1));
  }
}

void check_sampling(const SamplingOptions& sampling) {
  const auto number = [](float value) { return std::to_string(value); };
  if (!(sampling.temperature >= 0.0f) || std::isinf(sampling.temperature)) {
    refuse("sampling.temperature", number(sampling.temperature), "a finite number of at least 0");
  }
  if (sampling.top_k < 0) refuse("sampling.topK", std::to_string(sampling.top_k), "0 (all tokens) or more");
  if (!(sampling.top_p > 0.0f && sampling.top_p <= 1.0f)) {
    refuse("sampling.topP", number(sampling.top_p), "more than 0 and at most 1");
  }
  if (!(sampling.min_p >= 0.0f && sampling.min_p <= 1.0f)) {
    refuse("sampling.minP", number(sampling.min_p), "a number from 0 to 1");
  }
}

void check_adjustments(const SamplingOptions& sampling, int32_t vocab_size) {
  const auto number = [](float value) { return std::to_string(value); };
  if (!(sampling.repetition_penalty > 0.0f) || std::isinf(sampling.repetition_penalty)) {
    refuse("sampling.repetitionPenalty", number(sampling.repetition_penalty), "a finite number above 0");
  }
  if (!(std::abs(sampling.frequency_penalty) <= 2.0f)) {
    refuse("sampling.frequencyPenalty", number(sampling.frequency_penalty), "a number from -2 to 2");
  }
  if (!(std::abs(sampling.presence_penalty) <= 2.0f)) {
    refuse("sampling.presencePenalty", number(sampling.presence_penalty), "a number from -2 to 2");
  }
  for (const auto& [token, bias] : sampling.logit_bias) {
    const std::string field = "sampling.logitBias." + std::to_string(token);
    if (token < 0 || token >= vocab_size) {
      refuse(field, "this token id", "one from 0 to " + std::to_string(vocab_size - 1));
    }
    if (!(std::abs(bias) <= 100.0f)) refuse(field, number(bias), "a number from -100 to 100");
  }
  if (sampling.min_tokens < 0) refuse("sampling.minTokens", std::to_string(sampling.min_tokens), "at least 0");
}

void check_choices(const Request& request, int32_t vocab_size) {
  if (request.choices < 1 || request.choices > 16) refuse("n", std::to_string(request.choices), "1 to 16");
  const auto& resumed = request.resume_tokens;
  if (!resumed.empty() && resumed.size() != static_cast<size_t>(request.choices)) {
    refuse("resumeTokens", std::to_string(resumed.size()) + " lists", std::to_string(request.choices) + ", one per choice");
  }
  for (size_t i = 0; i < resumed.size(); ++i) {
    const std::string field = resumed.size() == 1 ? "resumeTokens" : "resumeTokens[" + std::to_string(i) + "]";
    check_tokens(field, resumed[i], vocab_size);
  }
  const auto check_alternatives = [](const char* field, const std::optional<int32_t>& count) {
    if (count && (*count < 0 || *count > 20)) refuse(field, std::to_string(*count), "0 to 20");
  };
  check_alternatives("logprobs", request.logprobs);
  check_alternatives("promptLogprobs", request.prompt_logprobs);
}

void check_stops(const Request& request, const SequenceContext& context) {
  if (!request.stop.empty() && context.spelling.empty()) {
    refuse("stop", "stop strings", "none, because the engine was created without a vocabulary");
  }
  for (size_t i = 0; i < request.stop.size(); ++i) {
    if (request.stop[i].empty()) refuse("stop[" + std::to_string(i) + "]", "an empty string", "some text");
  }
}

void check_length(const Request& request, const RequestLimits& limits) {
  size_t resumed = 0;
  for (const auto& tokens : request.resume_tokens) resumed = std::max(resumed, tokens.size());
  const size_t tokens = request.prompt_tokens.size() + resumed;
  const std::string counted = std::to_string(request.prompt_tokens.size()) + " tokens" +
                              (resumed == 0 ? "" : " and " + std::to_string(resumed) + " resumed ones");
  // A request that ended exactly at the limit may be resumed: it then ends at once, as it did before.
  const size_t room = resumed == 0 ? 1 : 0;
  if (tokens + room > static_cast<size_t>(limits.max_positions)) {
    throw Error("context_too_long", "promptTokens: found " + counted + "; expected at most " +
                                        std::to_string(limits.max_positions - 1) +
                                        ", because the model's context is " +
                                        std::to_string(limits.max_positions) + " positions.");
  }
  if (tokens + room > static_cast<size_t>(limits.cache_positions)) {
    throw Error("out_of_memory", "promptTokens: found " + counted + "; the KV cache holds " +
                                     std::to_string(limits.cache_positions) +
                                     " positions of one request. Give the engine more memoryBytes or kvBytes.");
  }
}

}  // namespace

void check_request(const Request& request, const SequenceContext& context, const RequestLimits& limits) {
  if (request.id.empty()) refuse("id", "an empty string", "a name that is unique among unfinished requests");
  if (request.prompt_tokens.empty()) refuse("promptTokens", "no tokens", "at least one");
  check_tokens("promptTokens", request.prompt_tokens, context.vocab_size);
  check_tokens("predictionTokens", request.prediction_tokens, context.vocab_size);
  check_tokens("stopTokens", request.stop_tokens, context.vocab_size);
  check_tokens("silentTokens", request.silent_tokens, context.vocab_size);
  if (request.max_tokens < 1) refuse("maxTokens", std::to_string(request.max_tokens), "at least 1");
  check_sampling(request.sampling);
  check_adjustments(request.sampling, context.vocab_size);
  check_choices(request, context.vocab_size);
  check_stops(request, context);
  check_length(request, limits);
}

}  // namespace sgmv
