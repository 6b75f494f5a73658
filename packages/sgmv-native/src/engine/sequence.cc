#include "sequence.h"

#include <algorithm>

namespace sgmv {
namespace {

std::vector<int32_t> ending_tokens(const Request& request, const SequenceContext& context) {
  std::vector<int32_t> ending = request.stop_tokens;
  if (!request.ignore_eos) ending.insert(ending.end(), context.end_tokens.begin(), context.end_tokens.end());
  return ending;
}

SamplingOptions sampling_of(const Request& request, int32_t choice) {
  SamplingOptions sampling = request.sampling;
  sampling.seed = choice_seed(sampling.seed, choice);
  return sampling;
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

Sequence::Sequence(std::shared_ptr<const Request> of, int32_t number, AdapterPin pin, const SequenceContext& context)
    : request(std::move(of)),
      choice(number),
      sampling(sampling_of(*request, number)),
      prompt_count(static_cast<int32_t>(request->prompt_tokens.size())),
      tokens(request->prompt_tokens),
      adapter(std::move(pin)),
      adapted_from(adapter.adapter() ? adapter.adapter()->acts_from(tokens) : 0),
      adjuster(sampling, ending_tokens(*request, context)),
      drafter(request->prediction_tokens, context.spelling),
      context_(context),
      ending_(ending_tokens(*request, context)),
      text_(request->stop) {
  adjuster.add_prompt(tokens);
  if (request->resume_tokens.empty()) return;
  for (const int32_t token : request->resume_tokens[static_cast<size_t>(choice)]) {
    if (finish) break;
    accept(token);
  }
}

bool Sequence::ends_generation(int32_t token) const {
  return std::find(ending_.begin(), ending_.end(), token) != ending_.end();
}

bool Sequence::has_text(int32_t token) const {
  const std::vector<int32_t>& silent = request->silent_tokens;
  return context_.spelling.text(token) && std::find(silent.begin(), silent.end(), token) == silent.end();
}

bool Sequence::awaits(const ProvidedMask& mask) const noexcept {
  const auto known = tokens.end() - std::min<std::ptrdiff_t>(completion_tokens(), std::ssize(mask.after));
  return mask.index == completion_tokens() && std::equal(known, tokens.end(), mask.after.begin(), mask.after.end());
}

const ProvidedMask* Sequence::mask() const noexcept {
  const auto found = std::ranges::find_if(masks, [this](const ProvidedMask& one) { return awaits(one); });
  return found == masks.end() ? nullptr : &*found;
}

std::string Sequence::accept(int32_t token) {
  if (const ProvidedMask* of_token = mask()) drafter.force(of_token->forced);
  adjuster.add(token);
  tokens.push_back(token);
  masks.remove_if([this](const ProvidedMask& one) { return one.index < completion_tokens(); });
  if (ends_generation(token)) {
    finish = FinishReason::stop;
    return {};
  }
  std::string released;
  try {
    drafter.follow(std::span(tokens).subspan(static_cast<size_t>(prompt_count)));
    if (has_text(token)) released = text_.push(*context_.spelling.text(token));
  } catch (...) {
    tokens.pop_back();  // what nobody is told of does not count
    throw;
  }
  if (text_.stopped()) {
    finish = FinishReason::stop;
  } else if (tokens_left() <= 0) {
    finish = FinishReason::length;
  }
  return released;
}

int32_t Sequence::tokens_left() const {
  return std::min(request->max_tokens - completion_tokens(), context_.total_tokens_max - static_cast<int32_t>(tokens.size()));
}

int32_t Sequence::draft_max() const {
  const bool turns = context_.short_context_max > 0 && !long_context();
  return std::min(tokens_left() - 1, turns ? context_.short_context_max - static_cast<int32_t>(tokens.size()) : INT32_MAX);
}

bool Sequence::needs_logits(int32_t more) const {
  return request->logits != LogitsMode::none || request->logprobs || request->constrained || adjuster.active(more);
}

void Sequence::fail(std::exception_ptr why) noexcept {
  finish = FinishReason::error;
  failure = std::move(why);
}

SequenceList make_choices(Request request, const AdapterPin& adapter, const SequenceContext& context) {
  const auto shared = std::make_shared<const Request>(std::move(request));
  SequenceList finished, open;
  for (int32_t choice = 0; choice < shared->choices; ++choice) {
    SequenceList one;
    one.emplace_back(shared, choice, adapter.copy(), context);
    SequenceList& list = one.front().finish ? finished : open;
    list.splice(list.end(), one);
  }
  if (!open.empty()) {
    Sequence& leader = open.front();
    leader.followers.splice(leader.followers.end(), open, std::next(open.begin()), open.end());
    for (Sequence& follower : leader.followers) follower.prompt_told = true;  // by the leader
  }
  finished.splice(finished.end(), open);
  return finished;
}

}  // namespace sgmv
