#include "request_check.h"

#include <cmath>

namespace sgmv {
namespace {

[[noreturn]] void refuse(const std::string& field, const std::string& found, const std::string& expected) {
  throw Error("bad_argument", field + ": found " + found + "; expected " + expected + ".");
}

void check_tokens(const char* field, const std::vector<int32_t>& tokens, int32_t vocab_size) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < vocab_size) continue;
    refuse(field + ("[" + std::to_string(i) + "]"), std::to_string(tokens[i]),
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

void check_stops(const Request& request, const SequenceContext& context) {
  if (!request.stop.empty() && context.vocabulary.empty()) {
    refuse("stop", "stop strings", "none, because the engine was created without a vocabulary");
  }
  for (size_t i = 0; i < request.stop.size(); ++i) {
    if (request.stop[i].empty()) refuse("stop[" + std::to_string(i) + "]", "an empty string", "some text");
  }
}

void check_length(const Request& request, const RequestLimits& limits) {
  const size_t tokens = request.prompt_tokens.size() + request.resume_tokens.size();
  const std::string counted = std::to_string(request.prompt_tokens.size()) + " tokens" +
                              (request.resume_tokens.empty()
                                   ? ""
                                   : " and " + std::to_string(request.resume_tokens.size()) + " resumed ones");
  // A request that ended exactly at the limit may be resumed: it then ends at once, as it did before.
  const size_t room = request.resume_tokens.empty() ? 1 : 0;
  if (tokens + room > static_cast<size_t>(limits.max_positions)) {
    throw Error("context_too_long", "promptTokens: found " + counted + "; expected at most " +
                                        std::to_string(limits.max_positions - 1) +
                                        ", because the model's context is " +
                                        std::to_string(limits.max_positions) + " positions.");
  }
  if (tokens + room > static_cast<size_t>(limits.cache_positions)) {
    throw Error("out_of_memory", "promptTokens: found " + counted + "; the KV cache holds " +
                                     std::to_string(limits.cache_positions) +
                                     " positions. Give the engine more kvBytes.");
  }
}

}  // namespace

void check_request(const Request& request, const SequenceContext& context, const RequestLimits& limits) {
  if (request.id.empty()) refuse("id", "an empty string", "a name that is unique among unfinished requests");
  if (request.prompt_tokens.empty()) refuse("promptTokens", "no tokens", "at least one");
  check_tokens("promptTokens", request.prompt_tokens, context.vocab_size);
  check_tokens("resumeTokens", request.resume_tokens, context.vocab_size);
  check_tokens("stopTokens", request.stop_tokens, context.vocab_size);
  if (request.max_tokens < 1) refuse("maxTokens", std::to_string(request.max_tokens), "at least 1");
  check_sampling(request.sampling);
  check_stops(request, context);
  check_length(request, limits);
}

}  // namespace sgmv
