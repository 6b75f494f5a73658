#include "sequence.h"

#include <algorithm>

namespace sgmv {
namespace {
bool contains(const std::vector<int32_t>& values, int32_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}
}  // namespace

const char* finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop: return "stop";
    case FinishReason::length: return "length";
    case FinishReason::cancelled: return "cancelled";
    case FinishReason::error: return "error";
  }
  return "error";
}

Sequence::Sequence(Request moved, AdapterPin pin, const SequenceContext& context)
    : request(std::move(moved)),
      prompt_count(static_cast<int32_t>(request.prompt_tokens.size())),
      tokens(std::move(request.prompt_tokens)),
      adapter(std::move(pin)),
      context_(context),
      text_(request.stop) {
  for (const int32_t token : request.resume_tokens.empty() ? std::vector<int32_t>() : request.resume_tokens[0]) {
    if (finish) break;
    accept(token);
  }
}

bool Sequence::ends_generation(int32_t token) const {
  return contains(request.stop_tokens, token) || (!request.ignore_eos && contains(context_.end_tokens, token));
}

std::string Sequence::accept(int32_t token) {
  tokens.push_back(token);
  if (ends_generation(token)) {
    finish = FinishReason::stop;
    return {};
  }
  std::string released;
  if (static_cast<size_t>(token) < context_.vocabulary.size() && context_.vocabulary[token]) {
    released = text_.push(*context_.vocabulary[token]);
  }
  if (text_.stopped()) {
    finish = FinishReason::stop;
  } else if (completion_tokens() >= request.max_tokens ||
             static_cast<int32_t>(tokens.size()) >= context_.total_tokens_max) {
    finish = FinishReason::length;
  }
  return released;
}

}  // namespace sgmv
