// Cancellation, failures and closing: whatever happens to one request, the others go on and nothing leaks.
#include <algorithm>
#include <thread>

#include "engine_harness.h"

namespace sgmv::test {
namespace {

ENGINE_TEST("faults: a request that breaks a step fails alone") {
  struct Case {
    int32_t token;
    const char* code;
    const char* message;
  };
  for (const Case& fault : {Case{kNan, "numeric_error", "NaN"}, Case{kNoMemory, "out_of_memory", "ran out of memory"},
                            Case{kBroken, "internal", "This token breaks the model."}}) {
    Harness harness(small_options(64, 4, 8, 32));
    std::mt19937 random(5);
    std::vector<std::vector<int32_t>> prompts;
    for (int i = 0; i < 6; ++i) {
      prompts.push_back(random_tokens(random, 12));
      harness.submit(make_request("good" + std::to_string(i), prompts.back(), 30));
    }
    harness.submit(make_request("bad", {1, 2, fault.token, 3}, 30));
    std::vector<int32_t> late(20, 4);
    late.back() = fault.token;  // found in a later chunk of the prompt
    harness.submit(make_request("bad late", late, 30));
    for (const char* id : {"bad", "bad late"}) {
      const Outcome outcome = harness.wait(id);
      CHECK(outcome.end->finish_reason == FinishReason::error);
      CHECK_EQUAL(outcome.end->error_code, std::string(fault.code));
      CHECK(outcome.end->error_message.find(fault.message) != std::string::npos, outcome.end->error_message);
      CHECK(outcome.tokens.empty());
    }
    for (size_t i = 0; i < prompts.size(); ++i) {
      CHECK(harness.wait("good" + std::to_string(i)).tokens == fake_greedy(prompts[i], "", 30), fault.code);
    }
    harness.check_idle();
  }
}

ENGINE_TEST("faults: a sampled request sees NaN too, and keeps the tokens it had") {
  Harness harness;
  Request request = make_request("sampled", {1, 2, kNan}, 5);
  request.sampling.temperature = 1.0f;
  CHECK_EQUAL(harness.run(request).end->error_code, std::string("numeric_error"));
}

ENGINE_TEST("cancel: waiting and in the middle of the prompt") {
  const auto gate = std::make_shared<Gate>();
  Harness harness(small_options(64, 4, 2, 8), {.forward_gate = gate});
  std::mt19937 random(2);
  harness.submit(make_request("prefilling", random_tokens(random, 100), 50));  // thirteen steps of eight tokens
  gate->allow(2);
  gate->wait_until_reached(3);
  const std::vector<int32_t> prompt = random_tokens(random, 10);
  harness.submit(make_request("second", prompt, 20));
  harness.submit(make_request("waiting", random_tokens(random, 10), 5));
  harness.engine().cancel("prefilling");
  harness.engine().cancel("waiting");
  gate->open();
  for (const char* id : {"prefilling", "waiting"}) {
    const Outcome outcome = harness.wait(id);
    CHECK(outcome.end->finish_reason == FinishReason::cancelled);
    CHECK(outcome.tokens.empty());
    CHECK_EQUAL(outcome.end->completion_tokens, 0);
  }
  CHECK(harness.wait("second").tokens == fake_greedy(prompt, "", 20));
  harness.check_idle();
}

TEST("cancel: while decoding, twice, unknown, too late; what came before is kept") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.forward_gate = gate});
  harness.submit(make_request("decoding", {1, 2}, 1000));
  gate->allow(5);
  gate->wait_until_reached(6);  // five tokens are out, the sixth is being computed
  harness.engine().cancel("decoding");
  harness.engine().cancel("decoding");
  harness.engine().cancel("nobody");
  gate->open();
  const Outcome outcome = harness.wait("decoding");
  CHECK(outcome.end->finish_reason == FinishReason::cancelled);
  CHECK(outcome.tokens == fake_greedy({1, 2}, "", 6));
  CHECK_EQUAL(outcome.end->completion_tokens, 6);
  harness.engine().cancel("decoding");
  harness.check_idle();
  CHECK_EQUAL(harness.run(make_request("next", {1}, 2)).tokens.size(), size_t{2});
}

ENGINE_TEST("cancel: at random, from several threads, under a small cache") {
  Harness harness(small_options(16, 4, 6, 12));
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&harness, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 60; ++i) {
        const std::string id = std::to_string(t) + "/" + std::to_string(i);
        harness.submit(make_request(id, random_tokens(random, 1 + random() % 30), static_cast<int32_t>(1 + random() % 30)));
        if (random() % 2 == 0) harness.engine().cancel(std::to_string(t) + "/" + std::to_string(random() % 60));
        if (random() % 4 == 0) harness.wait(id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t)
    for (int i = 0; i < 60; ++i) {
      const Outcome outcome = harness.wait(std::to_string(t) + "/" + std::to_string(i));
      CHECK(outcome.end->finish_reason != FinishReason::error, outcome.end->error_message);
    }
  harness.check_idle();
}

// Until the engine takes no more requests; those it still took are called probe….
void wait_until_closed(Harness& harness) {
  for (int i = 0;; ++i) {
    try {
      harness.submit(make_request("probe" + std::to_string(i), {1}, 1));
    } catch (const Error& error) {
      CHECK_EQUAL(error.code(), std::string("closed"));
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

ENGINE_TEST("close: under load everything ends as cancelled, once, and later calls say closed") {
  for (uint32_t seed = 0; seed < 10; ++seed) {
    const auto gate = std::make_shared<Gate>();
    Harness harness(small_options(24, 4, 8, 16), {.forward_gate = gate});
    CHECK(!harness.load("a", "/a-10"));
    std::mt19937 random(seed);
    for (int i = 0; i < 30; ++i) {
      Request request = make_request("r" + std::to_string(i), random_tokens(random, 1 + random() % 60), 36);
      if (i % 2 == 0) request.adapter = "a";
      harness.submit(request);
    }
    gate->allow(static_cast<int>(seed) * 3);
    gate->wait_until_reached(static_cast<int>(seed) * 3 + 1);
    std::thread closing([&] { harness.close(); });
    wait_until_closed(harness);
    gate->open();
    closing.join();
    int cancelled = 0;
    for (int i = 0; i < 30; ++i) cancelled += harness.wait("r" + std::to_string(i)).end->finish_reason == FinishReason::cancelled;
    CHECK(cancelled > 0);
    Request late = make_request("late", {1}, 1);
    CHECK_THROWS(harness.submit(late), Error, "closed");
    late.adapter = "a";
    CHECK_THROWS(harness.submit(late), Error, "closed");
    const auto failure = harness.load("b", "/b-10");
    CHECK(failure && failure->code() == "closed");
    harness.close();
    harness.check_idle();
  }
}

ENGINE_TEST("close: while other threads submit") {
  Harness harness(small_options(64, 4, 8, 16));
  std::vector<std::thread> threads;
  std::atomic<int> refused{0};
  std::mutex mutex;
  std::vector<std::string> accepted{"first"};
  harness.submit(make_request("first", {1, 2, 3}, 200));  // before all others, however many they become
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; refused.load() <= t; ++i) {
        const std::string id = std::to_string(t) + "/" + std::to_string(i);
        try {
          harness.submit(make_request(id, {1, 2, 3}, 200));
          const std::lock_guard lock(mutex);
          accepted.push_back(id);
        } catch (const Error& error) {
          if (error.code() != "closed") std::abort();
          refused += 1;
        }
      }
    });
  }
  harness.wait_for_tokens("first", 3);
  // The engine's rule is that close comes after all other calls have returned; here it comes before them, too.
  harness.close();
  for (std::thread& thread : threads) thread.join();
  for (const std::string& id : accepted) CHECK(harness.wait(id).end.has_value());
}

}  // namespace
}  // namespace sgmv::test
