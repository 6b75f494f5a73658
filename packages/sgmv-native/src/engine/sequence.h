// One completion on its way: its tokens, its place in the cache, its text. Touched by the engine's thread only, once
// it has been submitted.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapter_table.h"
#include "block_manager.h"
#include "drafter.h"
#include "logit_adjuster.h"
#include "sgmv/engine.h"
#include "spelling.h"
#include "text_stream.h"
#include "token_mask.h"

namespace sgmv {

class Sequence;
// Sequences change hands by splicing, so that no hand-over needs memory.
using SequenceList = std::list<Sequence>;

// What every request of an engine shares.
struct SequenceContext {
  Spelling spelling;
  std::vector<int32_t> end_tokens;
  int32_t vocab_size = 0;
  int32_t total_tokens_max = 0;   // prompt and completion together
  int32_t short_context_max = 0;  // ModelConfig::short_context_max
};

class Sequence {
 public:
  // Choice number `choice` of `request`. Replays its resume tokens through the same text, penalty and stop state,
  // silently. Throws bad_alloc only.
  Sequence(std::shared_ptr<const Request> request, int32_t choice, AdapterPin adapter, const SequenceContext& context);

  // Takes the token drawn at position tokens.size() and returns the text it releases. Sets `finish`.
  std::string accept(int32_t token);
  // Text that was held back and is now wanted. Call once, at the end.
  std::string finish_text() { return text_.finish(); }
  const std::string& matched_stop() const { return text_.matched_stop(); }
  // It ends with the exception being handled.
  void fail(std::exception_ptr why) noexcept;

  size_t vocab_size() const { return static_cast<size_t>(context_.vocab_size); }
  int32_t completion_tokens() const { return static_cast<int32_t>(tokens.size()) - prompt_count; }
  int32_t uncomputed() const { return static_cast<int32_t>(tokens.size()) - computed; }
  bool prompt_computed() const { return computed >= prompt_count; }
  // Whether something of the prompt's logits is wanted and has not been told, and of how many positions, from the first.
  bool wants_prompt() const { return (request->logits == LogitsMode::prompt || request->prompt_logprobs) && !prompt_told; }
  int32_t prompt_rows() const { return !wants_prompt() ? 0 : request->logits == LogitsMode::prompt ? prompt_count : prompt_count - 1; }
  // Whether the logits of the token after the next `more` are looked at, not only drawn from. Depends on the request and its
  // tokens alone, so that a replay draws alike.
  bool needs_logits(int32_t more = 0) const;
  // At most so many more, whichever they are.
  int32_t tokens_left() const;
  // Likewise, in the next draft: with what is drawn behind it the sequence neither ends nor turns long before its last token.
  int32_t draft_max() const;
  // Past a model's original context LongRoPE rotates all keys differently, so they are others than a shorter
  // sequence's with the same tokens. With `more`: so many tokens later.
  bool long_context(int32_t more = 0) const {
    return context_.short_context_max > 0 && static_cast<int32_t>(tokens.size()) + more > context_.short_context_max;
  }
  // Whether that is a mask for its next token.
  bool awaits(const ProvidedMask& mask) const noexcept;
  // Null: it has not come.
  const ProvidedMask* mask() const noexcept;
  PrefixScope scope() const { return {adapter.serial(), request->cache_salt, long_context(), adapted_from}; }

  const std::shared_ptr<const Request> request;  // of all its choices
  const int32_t choice;
  const SamplingOptions sampling;  // the request's, with this choice's seed
  const int32_t prompt_count;
  std::vector<int32_t> tokens;  // prompt, then completion
  AdapterPin adapter;
  const int32_t adapted_from;  // Adapter::acts_from() of the prompt
  LogitAdjuster adjuster;
  Drafter drafter;
  // The other choices, until this one has computed the prompt for all.
  SequenceList followers;

  // The scheduler's.
  uint64_t arrival = 0;  // FCFS order
  bool admitted = false;  // has been looked up in the prefix cache
  int32_t planned = 0;    // tokens in this step
  int32_t computed = 0;   // positions whose keys and values are in the cache
  int32_t cached_tokens = 0;  // of the prompt, found in the prefix cache
  BlockTable table;
  std::vector<int32_t> draft;  // from its being planned until it is known what comes: what may follow the last token, computed with it

  std::list<ProvidedMask> masks;   // constrained: for tokens to come, as far as they are there
  std::vector<float> held_logits;  // [1 + draft, vocab] rows that wait for masks; empty: none do

  std::optional<FinishReason> finish;  // set: no more tokens
  std::exception_ptr failure;          // of those that finish with error
  std::vector<float> prompt_logits;    // [prompt, vocab], filled chunk by chunk
  std::vector<TokenLogprobs> prompt_logprobs;  // [prompt - 1], likewise
  bool prompt_told = false;

  bool started = false;                // has been in a step
  bool answered = false;               // has got a token
  const std::chrono::steady_clock::time_point submitted = std::chrono::steady_clock::now();

 private:
  bool ends_generation(int32_t token) const;
  bool has_text(int32_t token) const;

  const SequenceContext& context_;
  const std::vector<int32_t> ending_;  // tokens that end the generation
  TextStream text_;
};

// The request's choices, each a sequence: first those that their resume tokens end already (`finish` is set), then
// one that has all others as followers. Throws bad_alloc only.
SequenceList make_choices(Request request, const AdapterPin& adapter, const SequenceContext& context);

}  // namespace sgmv
