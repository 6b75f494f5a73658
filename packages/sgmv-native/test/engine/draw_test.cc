// A model that chooses tokens itself is asked to wherever nobody wants the logits, and only there; either way the tokens
// are the same.
#include "engine_harness.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

FakeOptions drawing() {
  FakeOptions options;
  options.draws = true;
  options.ends = true;
  return options;
}

FakeOptions not_drawing() {
  FakeOptions options;
  options.ends = true;
  return options;
}

STATES_TEST("draws: requests of every kind get the tokens they get without") {
  std::mt19937 random(11);
  for (int kind = 0; kind < 8; ++kind) {
    Request request = make_request("r", random_tokens(random, 9), 30);
    request.sampling.temperature = kind == 0 ? 0.0f : 1.2f;
    request.sampling.seed = static_cast<uint32_t>(kind);
    if (kind == 2) request.sampling.top_k = 5;
    if (kind == 3) request.sampling.top_p = 0.7f;
    if (kind == 4) request.sampling.min_p = 0.1f;
    if (kind == 5) request.logprobs = 3;
    if (kind == 6) request.sampling.repetition_penalty = 1.3f;
    if (kind == 7) request.logits = LogitsMode::last;
    Harness with(small_options(40, 4, 4, 16), drawing()), without(small_options(40, 4, 4, 16), not_drawing());
    const Outcome drawn = with.run(request), picked = without.run(request);
    CHECK(drawn.tokens == picked.tokens, "kind ", kind);
    CHECK_EQUAL(drawn.logprobs.size(), picked.logprobs.size());
    CHECK(drawn.logits == picked.logits, "kind ", kind);
    // Logits that somebody looks at stay with the engine.
    CHECK_EQUAL(with.log().drawn.load(), kind < 5 ? static_cast<int>(drawn.tokens.size()) : 0);
    CHECK_EQUAL(without.log().drawn.load(), 0);
  }
}

STATES_TEST("draws: mixed batches, prompt logits among them") {
  std::mt19937 random(12);
  Harness with(small_options(200, 4, 16, 32), drawing()), without(small_options(200, 4, 16, 32), not_drawing());
  for (Harness* harness : {&with, &without}) {
    std::mt19937 same(12);
    for (int i = 0; i < 12; ++i) {
      Request request = make_request(std::to_string(i), random_tokens(same, static_cast<size_t>(1 + i * 3)), 20);
      request.sampling.temperature = static_cast<float>(i % 3);
      if (i % 4 == 1) request.logits = LogitsMode::prompt;
      if (i % 4 == 2) request.logprobs = 1;
      harness->submit(request);
    }
  }
  for (int i = 0; i < 12; ++i) {
    const Outcome drawn = with.wait(std::to_string(i)), picked = without.wait(std::to_string(i));
    CHECK(drawn.tokens == picked.tokens, "request ", i);
    CHECK(drawn.prompt_logits == picked.prompt_logits, "request ", i);
  }
  CHECK(with.log().drawn > 0);
  with.check_idle();
}

STATES_TEST("draws: logits that are not numbers fail their own request") {
  Harness harness(small_options(40, 4, 4, 16), drawing());
  harness.submit(make_request("bad", {1, kNan, 2}, 8));
  const Outcome good = harness.run(make_request("good", {1, 2, 3}, 8));
  CHECK_EQUAL(harness.wait("bad").end->error_code, std::string("numeric_error"));
  CHECK(good.end->error_code.empty());
  harness.check_idle();
}

}  // namespace
}  // namespace sgmv::test
