#include "events.h"

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

Event prompt_logits_event(Sequence& sequence) {
  Event event = event_of(sequence, Event::Kind::prompt_logits);
  event.logits = std::move(sequence.prompt_logits);
  sequence.prompt_logits_sent = true;
  return event;
}

Event end_event(Sequence& sequence) {
  Event event = event_of(sequence, Event::Kind::end);
  if (sequence.failure) describe(sequence.failure, event);
  try {
    event.text = sequence.finish_text();
  } catch (...) {
    sequence.fail(std::current_exception());  // its text is not what it should be
    describe(sequence.failure, event);
  }
  event.finish_reason = *sequence.finish;
  event.prompt_tokens = sequence.prompt_count;
  event.completion_tokens = sequence.completion_tokens();
  event.cached_tokens = sequence.cached_tokens;
  return event;
}

}  // namespace sgmv
