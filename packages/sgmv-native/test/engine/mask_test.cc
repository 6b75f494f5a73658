// Constrained requests: every token waits for its mask, nobody else waits for it, and what is forbidden never comes.
#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include "engine_harness.h"

namespace sgmv::test {
namespace {

std::vector<uint32_t> mask_of(const std::vector<int32_t>& allowed) {
  std::vector<uint32_t> words((kVocabulary + 31) / 32);
  for (const int32_t token : allowed) words[static_cast<size_t>(token) / 32] |= 1u << (token % 32);
  return words;
}

// A rule that depends on all that came before, like a grammar's: a few tokens, different at each place.
std::vector<int32_t> allowed_after(const std::vector<int32_t>& completion) {
  uint32_t hash = 7;
  for (const int32_t token : completion) hash = hash * 31 + static_cast<uint32_t>(token) + 1;
  std::vector<int32_t> allowed;
  for (uint32_t i = 0; i < 3; ++i) allowed.push_back(static_cast<int32_t>((hash >> (i * 5)) % kOrdinary));
  return allowed;
}

// What a constrained greedy run gives, one token after the other, alone.
std::vector<int32_t> expected_tokens(std::vector<int32_t> tokens, const std::string& adapter, size_t count) {
  std::vector<int32_t> completion;
  while (completion.size() < count) {
    const std::vector<float> logits = fake_logits(tokens, adapter, false);
    std::vector<int32_t> allowed = allowed_after(completion);
    std::sort(allowed.begin(), allowed.end());
    const auto better = [&](int32_t a, int32_t b) { return logits[static_cast<size_t>(a)] < logits[static_cast<size_t>(b)]; };
    completion.push_back(*std::max_element(allowed.begin(), allowed.end(), better));
    tokens.push_back(completion.back());
  }
  return completion;
}

Request constrained(const std::string& id, std::vector<int32_t> prompt, int32_t max_tokens) {
  Request request = make_request(id, std::move(prompt), max_tokens);
  request.constrained = true;
  return request;
}

// Gives `id` its masks, each as soon as the token before is there, until it has ended.
void provide_all(Harness& harness, const std::string& id, std::vector<int32_t> completion = {}, int delay_us = 0,
                 int32_t choice = 0) {
  const size_t resumed = completion.size();
  do {
    if (delay_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
    harness.engine().provide_mask(id, choice, static_cast<int32_t>(completion.size()), mask_of(allowed_after(completion)));
    if (!harness.wait_for_tokens(id, completion.size() - resumed + 1, choice)) return;
    const std::vector<int32_t> tokens = harness.peek(id, choice).tokens;
    completion.insert(completion.end(), tokens.begin() + static_cast<std::ptrdiff_t>(completion.size() - resumed), tokens.end());
  } while (true);
}

ENGINE_TEST("mask: late, each token is the best of those allowed, and no position is computed twice") {
  Harness harness;
  harness.submit(constrained("late", {5, 6, 7}, 20));
  provide_all(harness, "late", {}, 2000);
  const Outcome outcome = harness.wait("late");
  CHECK(outcome.tokens == expected_tokens({5, 6, 7}, "", 20));
  CHECK(outcome.end->finish_reason == FinishReason::length);
  CHECK_EQUAL(harness.log().forwards.load(), 20);
  harness.check_idle();
}

ENGINE_TEST("mask: early, before the request is computed at all") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.forward_gate = gate});
  harness.submit(make_request("other", {1}, 3));
  gate->wait_until_reached(1);
  Request request = constrained("early", {5, 6}, 1);
  request.logits = LogitsMode::last;
  harness.submit(request);
  harness.engine().provide_mask("early", 0, 0, mask_of({17, 40}));
  gate->open();
  const Outcome outcome = harness.wait("early");
  CHECK(outcome.tokens.size() == 1 && (outcome.tokens[0] == 17 || outcome.tokens[0] == 40));
  CHECK(outcome.logits == fake_logits({5, 6}, "", false), "logits are the model's, not the masked ones");
  harness.wait("other");
}

ENGINE_TEST("mask: while it arrives during the step, it is used by that step") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.forward_gate = gate});
  harness.submit(constrained("one", {5, 6}, 1));
  gate->wait_until_reached(1);
  harness.engine().provide_mask("one", 0, 0, mask_of({9}));
  gate->open();
  CHECK(harness.wait("one").tokens == std::vector<int32_t>{9});
  CHECK_EQUAL(harness.log().forwards.load(), 1);
}

ENGINE_TEST("mask: nobody waits for a request that waits") {
  Harness harness(small_options(64, 4, 4, 16));
  harness.submit(constrained("waits", {3, 4}, 5));
  for (int i = 0; i < 20; ++i) {
    const std::vector<int32_t> prompt{i, i + 1, i + 2};
    CHECK(harness.run(make_request("r" + std::to_string(i), prompt, 30)).tokens == fake_greedy(prompt, "", 30));
  }
  CHECK(harness.peek("waits").tokens.empty());
  CHECK_EQUAL(harness.engine().stats().running, 1);
  provide_all(harness, "waits");
  CHECK(harness.wait("waits").tokens == expected_tokens({3, 4}, "", 5));
  harness.check_idle();
}

ENGINE_TEST("mask: sampling never leaves it, whatever the temperature and the filters") {
  Harness harness;
  const std::set<int32_t> allowed{2, 31, 32, 58};
  std::set<int32_t> seen;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Request request = constrained("r" + std::to_string(seed), {1, 2}, 1);
    request.sampling.temperature = seed % 2 == 0 ? 100.0f : 1e-3f;
    request.sampling.seed = seed;
    if (seed % 3 == 1) request.sampling.top_p = 0.99f;
    if (seed % 3 == 2) request.sampling.top_k = 50;
    harness.submit(request);
    harness.engine().provide_mask(request.id, 0, 0, mask_of({allowed.begin(), allowed.end()}));
    const Outcome outcome = harness.wait(request.id);
    CHECK(outcome.tokens.size() == 1 && allowed.contains(outcome.tokens[0]));
    seen.insert(outcome.tokens[0]);
  }
  CHECK_EQUAL(seen.size(), allowed.size());
}

ENGINE_TEST("mask: an end token that is allowed stops; a special one that is not never comes") {
  Harness harness({}, {.ends = true});
  harness.submit(constrained("end", {1, 2}, 50));
  harness.engine().provide_mask("end", 0, 0, mask_of({kEnd}));
  const Outcome outcome = harness.wait("end");
  CHECK(outcome.end->finish_reason == FinishReason::stop);
  CHECK(outcome.tokens == std::vector<int32_t>{kEnd});
}

void check_error(Harness& harness, const std::string& id, const char* code, const char* part) {
  const Outcome outcome = harness.wait(id);
  CHECK(outcome.end->finish_reason == FinishReason::error);
  CHECK_EQUAL(outcome.end->error_code, std::string(code));
  CHECK(outcome.end->error_message.find(part) != std::string::npos, outcome.end->error_message);
  harness.check_idle();
}

ENGINE_TEST("mask: one that allows nothing is a dead end") {
  Harness harness;
  harness.submit(constrained("dead", {1, 2}, 9));
  harness.engine().provide_mask("nobody", 0, 0, mask_of({4}));
  harness.engine().provide_mask("dead", 0, 0, mask_of({4}));
  CHECK(harness.wait_for_tokens("dead", 1));
  harness.engine().provide_mask("dead", 0, 1, mask_of({}));
  check_error(harness, "dead", "constraint_dead_end", "allows no token");
  CHECK(harness.wait("dead").tokens == std::vector<int32_t>{4});
}

ENGINE_TEST("mask: a wrong size is refused, a wrong index ends the request, none is needed without a constraint") {
  Harness harness;
  harness.submit(constrained("index", {1}, 9));
  CHECK_THROWS(harness.engine().provide_mask("index", 0, 0, {1}), Error, "mask: found 1 words; expected 2");
  harness.engine().provide_mask("index", 0, 3, mask_of({1}));
  check_error(harness, "index", "bad_argument", "mask index: found 3; expected 0");
  harness.submit(make_request("free", {1, 2}, 30));
  harness.engine().provide_mask("free", 0, 0, mask_of({1}));
  CHECK(harness.wait("free").tokens == fake_greedy({1, 2}, "", 30));
}

ENGINE_TEST("mask: NaN is not hidden by a mask") {
  Harness harness;
  for (int i = 0; i < 10; ++i) {
    const std::string id = "r" + std::to_string(i);
    harness.submit(constrained(id, {i, kNan}, 9));
    harness.engine().provide_mask(id, 0, 0, mask_of({3}));
    check_error(harness, id, "numeric_error", "NaN");
  }
}

ENGINE_TEST("mask: a minimum length gives way to a mask of end tokens, and holds where there is a choice") {
  Harness harness;
  for (const bool alone : {true, false}) {
    Request request = constrained(alone ? "alone" : "choice", {1, 2}, 1);
    request.sampling.min_tokens = 10;
    harness.submit(request);
    harness.engine().provide_mask(request.id, 0, 0, alone ? mask_of({kEnd}) : mask_of({kEnd, 5}));
    CHECK(harness.wait(request.id).tokens == std::vector<int32_t>{alone ? kEnd : 5});
  }
}

ENGINE_TEST("mask: penalties and bias come before it, log-probabilities are the model's own") {
  Harness harness;
  Request request = constrained("biased", {1, 2}, 1);
  request.sampling.logit_bias = {{7, 100.0f}, {8, 50.0f}};
  request.logprobs = 0;
  harness.submit(request);
  harness.engine().provide_mask("biased", 0, 0, mask_of({8, 9, 10}));
  const Outcome outcome = harness.wait("biased");
  CHECK(outcome.tokens == std::vector<int32_t>{8});
  Request free = make_request("free", {1, 2}, 1);
  free.sampling.logit_bias = {{8, 100.0f}};
  free.logprobs = 0;
  CHECK(harness.run(free).logprobs[0].chosen.logprob == outcome.logprobs[0].chosen.logprob);
}

ENGINE_TEST("mask: each choice of a request has its own, also while it follows the first") {
  Harness harness(small_options(64, 4, 2, 16));
  Request request = constrained("many", {1, 2, 3, 4, 5}, 8);
  request.choices = 4;
  harness.submit(request);
  std::vector<std::thread> providers;
  for (int32_t choice = 3; choice >= 0; --choice) {
    providers.emplace_back([&, choice] { provide_all(harness, "many", {}, 100 * choice, choice); });
  }
  for (std::thread& provider : providers) provider.join();
  for (int32_t choice = 0; choice < 4; ++choice) {
    CHECK(harness.wait("many", choice).tokens == expected_tokens({1, 2, 3, 4, 5}, "", 8), "choice ", choice);
  }
  harness.check_idle();
  harness.forget("many");
  harness.submit(request);
  harness.engine().provide_mask("many", 3, 5, mask_of({1}));
  for (int32_t choice = 0; choice < 4; ++choice) CHECK_EQUAL(harness.wait("many", choice).end->error_code, std::string("bad_argument"));
  harness.check_idle();
}

ENGINE_TEST("fail: a request ends with a cause from outside; unknown ids are ignored") {
  Harness harness;
  harness.submit(constrained("one", {1}, 9));
  harness.engine().fail("nobody", Error("x", "y"));
  harness.engine().fail("one", Error("constraint_invalid", "the reason"));
  check_error(harness, "one", "constraint_invalid", "the reason");
}

ENGINE_TEST("cancel: while waiting for a mask") {
  Harness harness;
  harness.submit(constrained("one", {1, 2}, 9));
  harness.engine().provide_mask("one", 0, 0, mask_of({8}));
  CHECK(harness.wait_for_tokens("one", 1));
  harness.engine().cancel("one");
  const Outcome outcome = harness.wait("one");
  CHECK(outcome.end->finish_reason == FinishReason::cancelled);
  CHECK_EQUAL(outcome.end->completion_tokens, 1);
  harness.engine().provide_mask("one", 0, 1, mask_of({8}));
  harness.forget("one");
  harness.submit(constrained("one", {1, 2}, 1));
  harness.engine().provide_mask("one", 0, 0, mask_of({9}));
  CHECK(harness.wait("one").tokens == std::vector<int32_t>{9});
  harness.check_idle();
}

ENGINE_TEST("close: while waiting for masks") {
  Harness harness(small_options(64, 4, 4, 16));
  for (int i = 0; i < 10; ++i) harness.submit(constrained("r" + std::to_string(i), {1, 2, i}, 9));
  harness.engine().provide_mask("r0", 0, 0, mask_of({8}));
  CHECK(harness.wait_for_tokens("r0", 1));
  harness.close();
  for (int i = 0; i < 10; ++i) CHECK(harness.wait("r" + std::to_string(i)).end->finish_reason == FinishReason::cancelled);
}

ENGINE_TEST("resume: masks go on where the tokens do") {
  const std::vector<int32_t> whole = expected_tokens({5, 6, 7}, "", 12);
  Harness harness;
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    Request request = constrained("cut" + std::to_string(cut), {5, 6, 7}, 12);
    request.resume_tokens = {{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)}};
    harness.submit(request);
    provide_all(harness, request.id, request.resume_tokens[0]);
    CHECK(harness.wait(request.id).tokens == std::vector<int32_t>(whole.begin() + static_cast<std::ptrdiff_t>(cut), whole.end()));
  }
}

ENGINE_TEST("mask: constrained and free requests together, under a cache that preempts, get what they get alone") {
  int64_t preemptions = 0;
  for (uint32_t seed = 0; seed < 8; ++seed) {
    std::mt19937 random(seed);
    Harness harness(small_options(14, 4, 8, 12));
    CHECK(!harness.load("a-10", "/a-10"));
    std::vector<Request> requests;
    for (int i = 0; i < 16; ++i) {
      Request request = make_request("r" + std::to_string(i), random_tokens(random, 1 + random() % 20), static_cast<int32_t>(1 + random() % 30));
      request.constrained = i % 2 == 0;
      if (random() % 2 == 0) request.adapter = "a-10";
      requests.push_back(request);
      harness.submit(request);
    }
    std::vector<std::thread> providers;
    for (const Request& request : requests) {
      if (request.constrained) providers.emplace_back([&, delay = static_cast<int>(random() % 300)] { provide_all(harness, request.id, {}, delay); });
    }
    for (std::thread& provider : providers) provider.join();
    for (const Request& request : requests) {
      const auto count = static_cast<size_t>(request.max_tokens);
      const std::string adapter = request.adapter.value_or("");
      const std::vector<int32_t> expected = request.constrained ? expected_tokens(request.prompt_tokens, adapter, count)
                                                                : fake_greedy(request.prompt_tokens, adapter, count);
      const Outcome outcome = harness.wait(request.id);
      CHECK(outcome.tokens == expected, "seed ", seed, " ", request.id);
    }
    preemptions += harness.engine().stats().preemptions;
    harness.check_idle();
  }
  CHECK(preemptions > 20, preemptions, " preemptions");
}

}  // namespace
}  // namespace sgmv::test
