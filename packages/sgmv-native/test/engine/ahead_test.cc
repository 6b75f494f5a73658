// A model that runs ahead gets the next step while one is under way, and everybody the tokens they would get without.
#include <thread>

#include "engine_harness.h"

namespace sgmv::test {
namespace {

FakeOptions ahead() {
  FakeOptions options;
  options.draws = options.ahead = true;
  return options;
}

STATES_TEST("ahead: while the same requests go on, every step is started before the last is finished") {
  const auto gate = std::make_shared<Gate>();
  FakeOptions options = ahead();
  options.forward_gate = gate;
  Harness harness(small_options(100, 4, 4, 32), options);
  for (int i = 0; i < 4; ++i) harness.submit(make_request(std::to_string(i), {i, 2, 3}, 50));
  gate->open();
  for (int i = 0; i < 4; ++i) CHECK(harness.wait(std::to_string(i)).tokens == fake_greedy({i, 2, 3}, "", 50));
  // At most one step with each number of prompts in it was not.
  CHECK(harness.log().ahead >= 49 - 4, harness.log().ahead.load(), " steps");
  CHECK(harness.log().forwards <= 50 + 4, harness.log().forwards.load(), " steps in all");
  harness.check_idle();
}

STATES_TEST("ahead: those who wait for room do not keep a full batch from it") {
  Harness by_number(small_options(100, 4, 2, 32), ahead()), by_memory(small_options(16, 4, 8, 32), ahead());
  for (Harness* harness : {&by_number, &by_memory}) {
    for (int i = 0; i < 6; ++i) harness->submit(make_request(std::to_string(i), std::vector<int32_t>(20, i), 10));
    for (int i = 0; i < 6; ++i) CHECK(harness->wait(std::to_string(i)).tokens == fake_greedy(std::vector<int32_t>(20, i), "", 10));
    CHECK(harness->log().ahead > 10, harness->log().ahead.load(), " steps");
    harness->check_idle();
  }
}

STATES_TEST("ahead: those who come, or who had no share of a step, do not wait until somebody ends") {
  const auto gate = std::make_shared<Gate>();
  FakeOptions options = ahead();
  options.forward_gate = gate;
  Harness harness(small_options(2000, 4, 4, 4), options);
  harness.submit(make_request("long", {1}, 3000));
  gate->allow(10);
  gate->wait_until_reached(11);
  // Three tokens are left for three prompts, the first of which takes two.
  for (const char* id : {"takes two", "takes one", "takes none"}) harness.submit(make_request(id, {2, 3}, id == std::string("takes none") ? 5 : 3000));
  gate->open();
  CHECK(harness.wait("takes none").tokens == fake_greedy({2, 3}, "", 5));
  CHECK(harness.peek("long").tokens.size() < 1000, harness.peek("long").tokens.size(), " tokens");
  for (const char* id : {"long", "takes two", "takes one"}) harness.engine().cancel(id);
  for (const char* id : {"long", "takes two", "takes one"}) harness.wait(id);
  CHECK(harness.log().ahead > 0);
}

STATES_TEST("ahead: nothing is started for a request whose last token is under way") {
  Harness harness(small_options(100, 4, 4, 32), ahead());
  CHECK(harness.run(make_request("short", {1, 2}, 5)).tokens == fake_greedy({1, 2}, "", 5));
  CHECK_EQUAL(harness.log().drawn.load(), 5);
}

STATES_TEST("ahead: a request that is cancelled, or whose adapter goes, while its next step is under way") {
  const auto gate = std::make_shared<Gate>();
  FakeOptions options = ahead();
  options.forward_gate = gate;
  Harness harness(small_options(100, 4, 4, 32), options);
  CHECK(!harness.load("one", "one-100"));
  Request adapted = make_request("adapted", {1, 2}, 1000);
  adapted.adapter = "one";
  harness.submit(adapted);
  harness.submit(make_request("other", {3}, 200));
  gate->allow(10);
  gate->wait_until_reached(11);
  harness.engine().cancel("adapted");
  harness.engine().unload_adapter("one");
  gate->open();
  const Outcome cancelled = harness.wait("adapted");
  CHECK(cancelled.end->finish_reason == FinishReason::cancelled);
  CHECK(cancelled.tokens == fake_greedy({1, 2}, "one-100", cancelled.tokens.size()));
  CHECK(harness.wait("other").tokens == fake_greedy({3}, "", 200));
  harness.check_idle();
}

STATES_TEST("ahead: a step that cannot be started, or gives nothing, costs nobody a token") {
  for (const bool refused : {true, false}) {
    Harness harness(small_options(100, 4, 4, 32), ahead());
    for (int round = 0; round < 6; ++round) {
      (refused ? harness.log().refusals : harness.log().breakdowns) = 1 + round;
      for (int i = 0; i < 3; ++i) harness.submit(make_request(std::to_string(round) + "/" + std::to_string(i), {i, round}, 20));
      for (int i = 0; i < 3; ++i) CHECK(harness.wait(std::to_string(round) + "/" + std::to_string(i)).tokens == fake_greedy({i, round}, "", 20));
    }
    CHECK_EQUAL(harness.log().refusals + harness.log().breakdowns, 0);
    harness.check_idle();
  }
}

STATES_TEST("ahead: a text that grows past a short context is computed anew at the same token") {
  for (const int32_t short_context : {8, 11, 12, 13}) {
    std::vector<int32_t> expected;
    for (const bool runs_ahead : {false, true}) {
      FakeOptions options = runs_ahead ? ahead() : FakeOptions{};
      options.short_context = short_context;
      Harness harness(small_options(100, 4, 4, 32), options);
      harness.submit(make_request("other", {5}, 30));
      const std::vector<int32_t> tokens = harness.run(make_request("grows", {1, 2, 3}, 20)).tokens;
      harness.wait("other");
      if (!runs_ahead) expected = tokens;
      CHECK(tokens == expected, "past ", short_context);
      CHECK(runs_ahead == (harness.log().ahead > 0));
    }
    CHECK(expected != fake_greedy({1, 2, 3}, "", 20), "it should mean something else past ", short_context);
  }
}

Request any_request(std::mt19937& random, int i) {
  Request request = make_request(std::to_string(i), random_tokens(random, 1 + random() % 24), static_cast<int32_t>(1 + random() % 24));
  request.sampling.temperature = static_cast<float>(random() % 2);
  request.sampling.seed = static_cast<uint32_t>(random());
  if (random() % 6 == 0) request.sampling.frequency_penalty = 1.5f;
  if (random() % 6 == 0) request.sampling.min_tokens = 4;
  if (random() % 8 == 0) request.logprobs = 2;
  if (random() % 8 == 0) request.logits = LogitsMode::prompt;
  if (random() % 8 == 0) request.prompt_logprobs = 1;
  if (random() % 5 == 0) request.choices = static_cast<int32_t>(1 + random() % 3);
  if (random() % 3 == 0) request.adapter = random() % 2 == 0 ? "one" : "two";
  return request;
}

STATES_TEST("ahead: whatever comes, in a cache of any size, the tokens are those of a run alone") {
  for (const int32_t blocks : {14, 40, 200}) {
    FakeOptions plain, eager = ahead();
    plain.ends = eager.ends = true;
    plain.short_context = eager.short_context = blocks == 200 ? 20 : 0;
    Harness alone(small_options(200, 4, 4, 64), plain), together(small_options(blocks, 4, 6, 24), eager);
    for (Harness* harness : {&alone, &together})
      for (const char* name : {"one", "two"}) CHECK(!harness->load(name, std::string(name) + "-100"));
    std::mt19937 random(static_cast<uint32_t>(blocks));
    std::vector<Request> requests;
    for (int i = 0; i < 150; ++i) {
      requests.push_back(any_request(random, i));
      together.submit(requests.back());
      if (random() % 4 == 0) together.wait(std::to_string(random() % requests.size()));
    }
    for (const Request& request : requests) {
      alone.submit(request);
      for (int32_t choice = 0; choice < request.choices; ++choice) {
        const Outcome expected = alone.wait(request.id, choice), found = together.wait(request.id, choice);
        CHECK(found.tokens == expected.tokens, "request ", request.id, " in ", blocks, " blocks");
        CHECK(found.end->finish_reason == expected.end->finish_reason, "request ", request.id);
        CHECK_EQUAL(found.prompt_logprobs.size(), choice == 0 && request.prompt_logprobs ? request.prompt_tokens.size() - 1 : 0);
      }
    }
    CHECK(together.log().ahead > 0);
    together.check_idle();
  }
}

}  // namespace
}  // namespace sgmv::test
