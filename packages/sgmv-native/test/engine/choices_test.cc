// Several completions of one prompt.
#include <algorithm>
#include <set>

#include "engine_harness.h"

namespace sgmv::test {
namespace {

Request choices(const std::string& id, std::vector<int32_t> prompt, int32_t count, int32_t max_tokens = 20) {
  Request request = make_request(id, std::move(prompt), max_tokens);
  request.choices = count;
  request.sampling.temperature = 1.5f;
  request.sampling.seed = 77;
  return request;
}

// What the choice draws when it is a request of its own.
std::vector<int32_t> alone(Request request, int32_t choice) {
  Harness harness;
  if (request.adapter) CHECK(!harness.load(*request.adapter, "/" + *request.adapter));
  request.sampling.seed = choice_seed(request.sampling.seed, choice);
  request.choices = 1;
  if (!request.resume_tokens.empty()) request.resume_tokens = {request.resume_tokens[static_cast<size_t>(choice)]};
  return harness.run(request).tokens;
}

ENGINE_TEST("choices: each is what a request of its own with the derived seed would be") {
  for (const bool prefix_cache : {true, false}) {
    for (const size_t prompt : {1, 3, 8, 9, 31}) {
      EngineOptions options = small_options(200, 4, 16, 32);
      options.prefix_cache = prefix_cache;
      Harness harness(options);
      std::mt19937 random(static_cast<uint32_t>(prompt));
      const Request request = choices("many", random_tokens(random, prompt), 5);
      harness.submit(request);
      std::set<std::vector<int32_t>> different;
      for (int32_t choice = 0; choice < 5; ++choice) {
        const Outcome outcome = harness.wait("many", choice);
        CHECK(outcome.tokens == alone(request, choice), "choice ", choice, " after ", prompt, " tokens");
        CHECK_EQUAL(outcome.end->prompt_tokens, static_cast<int32_t>(prompt));
        CHECK_EQUAL(outcome.end->completion_tokens, 20);
        different.insert(outcome.tokens);
      }
      CHECK_EQUAL(different.size(), size_t{5});
      harness.check_idle();
    }
  }
}

ENGINE_TEST("choices: the prompt is computed once and its blocks are shared") {
  EngineOptions options = small_options(64, 8, 16, 64);
  options.prefix_cache = false;
  options.draft_tokens = 0;
  Harness harness(options);
  std::mt19937 random(4);
  harness.submit(choices("many", random_tokens(random, 50), 8, 4));
  for (int32_t choice = 0; choice < 8; ++choice) harness.wait("many", choice);
  int32_t computed = 0;
  for (const auto& counts : harness.log().steps)
    for (const int32_t count : counts) computed += count;
  // The prompt, its last token again for seven choices, and three of each choice's four tokens.
  CHECK_EQUAL(computed, 50 + 7 + 8 * 3);
  CHECK_EQUAL(harness.log().copies.load(), 7);
  harness.check_idle();
}

ENGINE_TEST("choices: more than fit together take turns") {
  for (const int32_t blocks : {12, 40}) {
    Harness harness(small_options(blocks, 4, 3, 8));
    std::mt19937 random(6);
    const Request request = choices("many", random_tokens(random, 21), 16, 15);
    harness.submit(request);
    harness.submit(choices("other", random_tokens(random, 10), 2, 5));
    for (int32_t choice = 0; choice < 16; ++choice) CHECK(harness.wait("many", choice).tokens == alone(request, choice), "choice ", choice);
    for (int32_t choice = 0; choice < 2; ++choice) CHECK_EQUAL(harness.wait("other", choice).tokens.size(), size_t{5});
    harness.check_idle();
  }
}

ENGINE_TEST("choices: they end separately, and the id is free after the last") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.ends = true, .forward_gate = gate});
  Request request = choices("many", {3, 1, 4}, 6, 200);
  gate->allow(20);
  harness.submit(request);
  gate->wait_until_reached(21);
  CHECK_THROWS(harness.submit(request), Error, "id: found \"many\"");
  harness.engine().cancel("many");
  gate->open();
  int cancelled = 0;
  for (int32_t choice = 0; choice < 6; ++choice) cancelled += harness.wait("many", choice).end->finish_reason == FinishReason::cancelled;
  CHECK(cancelled > 0 && cancelled < 6, cancelled, " of 6 were cancelled");
  harness.forget("many");
  harness.submit(choices("many", {3, 1, 4}, 2, 2));
  for (int32_t choice = 0; choice < 2; ++choice) CHECK(harness.wait("many", choice).end->finish_reason != FinishReason::cancelled);
  harness.check_idle();
}

ENGINE_TEST("choices: cancelled in the middle of the prompt, or while waiting, all end") {
  const auto gate = std::make_shared<Gate>();
  Harness harness(small_options(64, 4, 2, 8), {.forward_gate = gate});
  std::mt19937 random(2);
  harness.submit(choices("prefilling", random_tokens(random, 100), 4));
  harness.submit(choices("waiting", random_tokens(random, 100), 4));
  gate->allow(2);
  gate->wait_until_reached(3);
  CHECK_EQUAL(harness.engine().stats().running + harness.engine().stats().waiting, 8);
  for (const char* id : {"prefilling", "waiting"}) harness.engine().cancel(id);
  gate->open();
  for (const char* id : {"prefilling", "waiting"}) {
    for (int32_t choice = 0; choice < 4; ++choice) CHECK(harness.wait(id, choice).end->finish_reason == FinishReason::cancelled);
  }
  harness.check_idle();
}

ENGINE_TEST("choices: a prompt that breaks the model ends all of them with its error") {
  Harness harness(small_options(64, 4, 8, 8));
  for (const auto& [token, code] : {std::pair{kNan, "numeric_error"}, std::pair{kBroken, "internal"}}) {
    harness.submit(choices(code, {1, 2, 3, 4, 5, 6, 7, 8, 9, token}, 3));
    for (int32_t choice = 0; choice < 3; ++choice) CHECK_EQUAL(harness.wait(code, choice).end->error_code, std::string(code));
  }
  harness.check_idle();
}

ENGINE_TEST("choices: resumed from any of their tokens they go on as they would have") {
  Harness harness(small_options(200, 4, 8, 16), {.max_positions = 64, .ends = true});
  CHECK(!harness.load("a-10", "/a-10"));
  std::mt19937 random(12);
  for (int i = 0; i < 20; ++i) {
    Request request = choices("r" + std::to_string(i), random_tokens(random, 1 + random() % 20), 4, 25);
    if (i % 2 == 0) request.adapter = "a-10";
    if (i % 3 == 0) request.sampling.frequency_penalty = 1.5f;
    harness.submit(request);
    std::vector<std::vector<int32_t>> whole;
    for (int32_t choice = 0; choice < 4; ++choice) whole.push_back(harness.wait(request.id, choice).tokens);
    request.id += "/resumed";
    for (const auto& tokens : whole) {
      const auto cut = static_cast<std::ptrdiff_t>(random() % (tokens.size() + 1));
      request.resume_tokens.emplace_back(tokens.begin(), tokens.begin() + cut);
    }
    harness.submit(request);
    for (int32_t choice = 0; choice < 4; ++choice) {
      const auto at = static_cast<size_t>(choice);
      std::vector<int32_t> tokens = request.resume_tokens[at];
      const Outcome outcome = harness.wait(request.id, choice);
      tokens.insert(tokens.end(), outcome.tokens.begin(), outcome.tokens.end());
      CHECK(tokens == whole[at], request.id, ", choice ", choice);
      CHECK_EQUAL(outcome.end->completion_tokens, static_cast<int32_t>(whole[at].size()));
    }
  }
  harness.check_idle();
}

ENGINE_TEST("choices: one list of resumed tokens each, 1 to 16 of them") {
  Harness harness;
  Request request = choices("wrong", {1}, 3);
  request.resume_tokens = {{1}, {2}};
  CHECK_THROWS(harness.submit(request), Error, "resumeTokens: found 2 lists; expected 3, one per choice");
  request.resume_tokens = {{1}, {2}, {99}};
  CHECK_THROWS(harness.submit(request), Error, "resumeTokens[2][0]: found 99");
  for (const int32_t count : {0, 17}) CHECK_THROWS(harness.submit(choices("wrong", {1}, count)), Error, "n: found");
}

}  // namespace
}  // namespace sgmv::test
