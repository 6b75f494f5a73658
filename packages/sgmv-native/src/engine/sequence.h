// One request on its way: its tokens, its place in the cache, its text. Touched by the engine's thread only, once
// it has been submitted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapter_table.h"
#include "sgmv/engine.h"
#include "text_stream.h"

namespace sgmv {

// What every request of an engine shares.
struct SequenceContext {
  Vocabulary vocabulary;
  std::vector<int32_t> end_tokens;
  int32_t vocab_size = 0;
  int32_t total_tokens_max = 0;  // prompt and completion together
};

class Sequence {
 public:
  // Replays `request.resume_tokens` through the same text and stop state, silently. Throws bad_alloc only.
  Sequence(Request request, AdapterPin adapter, const SequenceContext& context);

  // Takes the token drawn at position tokens.size() and returns the text it releases. Sets `finish`.
  std::string accept(int32_t token);
  // Text that was held back and is now wanted. Call once, at the end.
  std::string finish_text() { return text_.finish(); }

  int32_t completion_tokens() const { return static_cast<int32_t>(tokens.size()) - prompt_count; }
  int32_t uncomputed() const { return static_cast<int32_t>(tokens.size()) - computed; }
  bool wants_prompt_logits() const { return request.logits == LogitsMode::prompt && !prompt_logits_sent; }

  Request request;
  const int32_t prompt_count;
  std::vector<int32_t> tokens;  // prompt, then completion
  AdapterPin adapter;
  uint64_t arrival = 0;  // FCFS order

  int32_t computed = 0;         // positions whose keys and values are in the cache
  std::vector<int32_t> blocks;  // block table

  std::optional<FinishReason> finish;  // set: no more tokens
  std::vector<float> prompt_logits;    // [prompt, vocab], filled chunk by chunk
  bool prompt_logits_sent = false;

 private:
  bool ends_generation(int32_t token) const;

  const SequenceContext& context_;
  TextStream text_;
};

}  // namespace sgmv
