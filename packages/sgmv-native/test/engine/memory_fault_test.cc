// Memory that runs out on the engine's thread, allocation by allocation: requests fail, the engine does not.
#include <algorithm>

#include "allocation_faults.h"
#include "engine_harness.h"

namespace sgmv::test {
namespace {

Vocabulary letters() {
  Vocabulary vocabulary(kVocabulary);
  for (size_t id = 0; id < static_cast<size_t>(kOrdinary); ++id) vocabulary[id] = std::string(1 + id % 5, static_cast<char>('a' + id % 26));
  return vocabulary;
}

Request plan(int i, std::mt19937& random) {
  Request request = make_request("r" + std::to_string(i), random_tokens(random, 2 + random() % 20), 12);
  request.choices = i % 3 == 0 ? 3 : 1;
  if (i % 2 == 0) request.adapter = "a";
  if (i % 4 == 0) request.stop = {"never in the text"};
  if (i % 5 == 0) request.sampling.repetition_penalty = 1.3f;
  if (i % 4 == 1) request.logprobs = 3;
  if (i % 7 == 0) request.logits = LogitsMode::prompt;
  if (i % 3 == 1) request.prompt_logprobs = 2;
  return request;
}

struct Run {
  std::vector<std::vector<int32_t>> tokens;  // of each choice
  std::vector<std::string> texts;
  int failed = 0;
  int64_t faults = 0;
};

// Some requests, with the faults planned. Whoever ends well has the tokens `expected`, unless it was cancelled.
Run run_under_faults(int64_t pass, int64_t fail, const Run& expected) {
  EngineOptions options = small_options(24, 4, 6, 12);
  options.vocabulary = letters();
  Harness harness(options);
  CHECK(!harness.load("a", "/a-10"));
  harness.run(make_request("first", {1}, 1));  // the engine's thread is exposed from here on
  std::mt19937 random(3);
  plan_faults(pass, fail);
  std::vector<Request> requests;
  for (int i = 0; i < 8; ++i) requests.push_back(plan(i, random));
  for (const Request& request : requests) harness.submit(request);
  harness.engine().cancel("r7");
  Run run;
  for (const Request& request : requests) {
    for (int32_t choice = 0; choice < request.choices; ++choice) {
      const Outcome outcome = harness.wait(request.id, choice);
      CHECK_EQUAL(static_cast<size_t>(outcome.end->completion_tokens), outcome.tokens.size());
      if (outcome.end->finish_reason == FinishReason::error) {
        CHECK_EQUAL(outcome.end->error_code, std::string("out_of_memory"));
        run.failed += 1;
      } else if (!expected.tokens.empty() && request.id != "r7") {
        const size_t at = run.tokens.size();
        CHECK(outcome.tokens == expected.tokens[at] && outcome.text == expected.texts[at], pass, "+", fail, ": ", request.id, "/", choice);
      }
      run.tokens.push_back(outcome.tokens);
      run.texts.push_back(outcome.text);
    }
  }
  run.faults = faults_met();
  plan_faults(0, 0);
  harness.check_idle();
  CHECK(harness.run(make_request("after", {5, 6}, 5)).tokens == fake_greedy({5, 6}, "", 5));
  return run;
}

STATES_TEST("memory: each single allocation of the engine's thread may fail") {
  const Run sound = run_under_faults(0, 0, {});
  CHECK_EQUAL(sound.failed, 0);
  int failed = 0, met = 0;
  const int64_t stride = kSanitized ? 31 : 1;
  for (int64_t pass = 0, missed = 0; missed < 3; pass += stride) {
    const Run run = run_under_faults(pass, 1, sound);
    failed += run.failed;
    met += run.faults > 0;
    missed += run.faults == 0;  // everything had been allocated by then
  }
  CHECK(met > 300 / stride, met, " faults");
  CHECK(failed > met / 20, failed, " requests failed by ", met, " faults");
}

STATES_TEST("memory: while there is none at all, ends wait until they can be told") {
  const Run sound = run_under_faults(0, 0, {});
  for (const int64_t fail : {5, 60, 200}) {
    for (const int64_t pass : {0, 50, 333}) CHECK(run_under_faults(pass, fail, sound).faults > 0);
  }
}

ENGINE_TEST("memory: closing while there is none") {
  for (const int64_t fail : {1, 30, 300}) {
    const auto gate = std::make_shared<Gate>();
    Harness harness(small_options(24, 4, 6, 12), {.forward_gate = gate});
    gate->allow(1);
    harness.run(make_request("first", {1}, 1));
    for (int i = 0; i < 20; ++i) harness.submit(make_request("r" + std::to_string(i), {1, 2, 3}, 50));
    gate->wait_until_reached(2);
    plan_faults(0, fail);
    gate->open();
    harness.close();
    plan_faults(0, 0);
    for (int i = 0; i < 20; ++i) harness.wait("r" + std::to_string(i));
  }
}

ENGINE_TEST("memory: a load that finds none fails with out_of_memory, and is answered when it can be") {
  Harness harness;
  CHECK(!harness.load("first", "/first-10"));
  int failed = 0;
  for (int64_t pass = 0; pass < 30; ++pass) {
    plan_faults(pass, 1 + pass % 3);
    const std::string name = "a" + std::to_string(pass);
    const auto failure = harness.load(name, "/" + name + "-10");
    plan_faults(0, 0);
    if (failure) CHECK_EQUAL(failure->code(), std::string("out_of_memory"));
    failed += failure != nullptr;
    CHECK(!harness.load(name, "/" + name + "-10"));
  }
  CHECK(failed > 0, "no load failed");
}

}  // namespace
}  // namespace sgmv::test
