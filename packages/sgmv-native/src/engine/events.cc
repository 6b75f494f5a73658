#include "events.h"

#include <algorithm>
#include <new>

namespace sgmv {
namespace {

Event event_of(const Sequence& sequence, Event::Kind kind) {
  Event event;
  event.kind = kind;
  event.id = sequence.request->id;
  event.choice = sequence.choice;
  return event;
}

void describe(std::exception_ptr failure, Event& event) {
  const auto say = [&](const char* code, const char* message) {
    event.error_code = code;
    event.error_message = message;
  };
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    say(error.code().c_str(), error.what());
  } catch (const std::bad_alloc&) {
    say("out_of_memory", "The engine ran out of memory while computing this request.");
  } catch (const std::exception& error) {
    say("internal", error.what());
  } catch (...) {
    say("internal", "An exception of unknown type.");
  }
}

}  // namespace

Event tokens_event(Sequence& sequence, int32_t token, std::span<const float> row) {
  Event event = event_of(sequence, Event::Kind::tokens);
  event.tokens = {token};
  const std::optional<int32_t> alternatives = sequence.request->logprobs;
  if (alternatives) event.logprobs.push_back(log_probabilities(row, token, *alternatives));
  if (sequence.request->logits == LogitsMode::last) event.logits.assign(row.begin(), row.end());
  event.text = sequence.accept(token);
  return event;
}

Event draft_event(const Sequence& sequence) {
  Event event = event_of(sequence, Event::Kind::draft);
  event.tokens = sequence.draft;
  return event;
}

void keep_prompt_rows(Sequence& sequence, std::span<const float> rows) {
  const auto count = static_cast<size_t>(sequence.prompt_count), first = static_cast<size_t>(sequence.computed);
  const size_t vocab = sequence.vocab_size();
  if (sequence.request->logits == LogitsMode::prompt) {
    sequence.prompt_logits.resize(count * vocab);
    std::copy(rows.begin(), rows.end(), sequence.prompt_logits.begin() + static_cast<std::ptrdiff_t>(first * vocab));
  }
  if (const std::optional<int32_t> alternatives = sequence.request->prompt_logprobs) {
    sequence.prompt_logprobs.resize(count - 1);
    // A row is about the token after it.
    for (size_t i = first; i < first + rows.size() / vocab && i + 1 < count; ++i) {
      sequence.prompt_logprobs[i] = log_probabilities(rows.subspan((i - first) * vocab, vocab), sequence.tokens[i + 1], *alternatives);
    }
  }
}

Event prompt_event(Sequence& sequence) {
  Event event = event_of(sequence, Event::Kind::prompt);
  event.logits = std::move(sequence.prompt_logits);
  event.logprobs = std::move(sequence.prompt_logprobs);
  sequence.prompt_told = true;
  return event;
}

Event end_event(Sequence& sequence) {
  Event event = event_of(sequence, Event::Kind::end);
  if (sequence.failure) describe(sequence.failure, event);
  try {
    event.text = sequence.finish_text();
    event.stop = sequence.matched_stop();
  } catch (...) {
    sequence.fail(std::current_exception());  // its text is not what it should be
    describe(sequence.failure, event);
  }
  event.finish_reason = *sequence.finish;
  event.prompt_tokens = sequence.prompt_count;
  event.completion_tokens = sequence.completion_tokens();
  event.cached_tokens = sequence.cached_tokens;
  event.predicted_tokens = sequence.drafter.predicted();
  return event;
}

}  // namespace sgmv
