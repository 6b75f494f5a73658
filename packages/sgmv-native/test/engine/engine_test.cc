// What a request gets, alone and among others: tokens, logits, counts, reasons.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine_harness.h"

namespace sgmv::test {
namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

ENGINE_TEST("engine: greedy tokens, logits and counts of one request") {
  Harness harness;
  Request request = make_request("one", {5, 6, 7}, 20);
  request.logits = LogitsMode::last;
  const Outcome outcome = harness.run(request);
  CHECK(outcome.tokens == fake_greedy({5, 6, 7}, "", 20));
  CHECK_EQUAL(outcome.logits.size(), size_t{20} * kVocabulary);
  CHECK(same_bits({outcome.logits.begin(), outcome.logits.begin() + kVocabulary}, fake_logits({5, 6, 7}, "", false)));
  CHECK(outcome.end->finish_reason == FinishReason::length);
  CHECK_EQUAL(outcome.end->prompt_tokens, 3);
  CHECK_EQUAL(outcome.end->completion_tokens, 20);
  harness.check_idle();
  CHECK_EQUAL(harness.engine().stats().tokens_generated, int64_t{20});
}

int64_t values(const Distribution& distribution) { return std::accumulate(distribution.counts.begin(), distribution.counts.end(), int64_t{0}); }

ENGINE_TEST("engine: steps are counted by what they were of") {
  Harness harness(small_options(64, 4, 8, 100));
  CHECK(!harness.load("a", "/a-10"));
  harness.run(make_request("alone", {5, 6, 7}, 20));
  EngineStats stats = harness.engine().stats();
  CHECK_EQUAL(values(stats.step_seconds), int64_t{20});
  CHECK(stats.step_seconds.sum > 0.0);
  CHECK_EQUAL(stats.step_sequences.counts[0], int64_t{20});  // at most one
  CHECK_EQUAL(stats.step_tokens.counts[0], int64_t{19});     // decode
  CHECK_EQUAL(stats.step_tokens.counts[1], int64_t{1});      // the prompt
  CHECK_EQUAL(stats.step_tokens.sum, 22.0);
  CHECK_EQUAL(stats.step_segments.counts[0], int64_t{20});  // of no adapter
  Request request = make_request("adapted", {5, 6, 7}, 4);
  request.adapter = "a";
  harness.run(request);
  stats = harness.engine().stats();
  CHECK_EQUAL(stats.step_segments.counts[1], int64_t{4});
  CHECK_EQUAL(values(stats.step_seconds), stats.steps);
}

TEST("distribution: a value is counted at the first bound that it does not pass") {
  Distribution of{{1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024}};
  for (const double value : {0.0, 1.0, 1.5, 2.0, 1024.0, 1025.0}) of.add(value);
  CHECK_EQUAL(of.counts[0], int64_t{2});
  CHECK_EQUAL(of.counts[1], int64_t{2});
  CHECK_EQUAL(of.counts[15], int64_t{1});
  CHECK_EQUAL(of.counts[16], int64_t{1});
  CHECK_EQUAL(of.sum, 2053.5);
}

ENGINE_TEST("engine: prompt logits arrive once, whole, however the prompt was cut") {
  for (const int32_t budget : {4, 7, 100}) {
    Harness harness(small_options(64, 4, 4, budget));
    std::mt19937 random(7);
    const std::vector<int32_t> prompt = random_tokens(random, 33);
    Request request = make_request("one", prompt, 2);
    request.logits = LogitsMode::prompt;
    harness.submit(make_request("other", random_tokens(random, 9), 30));
    const Outcome outcome = harness.run(request);
    std::vector<float> expected;
    for (size_t i = 1; i <= prompt.size(); ++i) {
      const std::vector<float> row = fake_logits({prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(i)}, "", false);
      expected.insert(expected.end(), row.begin(), row.end());
    }
    CHECK(same_bits(outcome.prompt_logits, expected), "budget ", budget);
    CHECK(outcome.logits.empty());
    harness.wait("other");
    harness.check_idle();
  }
}

ENGINE_TEST("engine: an end token stops, counts, and can be ignored") {
  std::mt19937 random(3);
  int ended = 0;
  Harness harness({}, {.ends = true});
  for (int i = 0; i < 40; ++i) {
    const std::vector<int32_t> prompt = random_tokens(random, 4);
    const Outcome outcome = harness.run(make_request("r" + std::to_string(i), prompt, 12));
    CHECK(outcome.tokens == fake_greedy(prompt, "", 12, true));
    const bool stopped = outcome.tokens.back() == kEnd;
    CHECK((outcome.end->finish_reason == FinishReason::stop) == stopped);
    CHECK_EQUAL(outcome.end->completion_tokens, static_cast<int32_t>(outcome.tokens.size()));
    if (!stopped) continue;
    ++ended;
    Request again = make_request("again" + std::to_string(i), prompt, 12);
    again.ignore_eos = true;
    const Outcome whole = harness.run(again);
    CHECK_EQUAL(whole.tokens.size(), size_t{12});
    CHECK(whole.end->finish_reason == FinishReason::length);
  }
  CHECK(ended > 5, ended, " of 40 ended by themselves");
  Request stopping = make_request("stop token", {1, 2}, 50);
  stopping.stop_tokens = {fake_greedy({1, 2}, "", 5, true)[2]};
  const Outcome outcome = harness.run(stopping);
  CHECK(outcome.tokens.size() <= 3 && outcome.end->finish_reason == FinishReason::stop);
}

struct Plan {
  Request request;
  std::string adapter;
  std::vector<int32_t> expected;
};

// Random requests on `options`, submitted while others run; each must get what it would get alone.
int64_t run_mixed(uint32_t seed, EngineOptions options, size_t count) {
  std::mt19937 random(seed);
  Harness harness(options, {.ends = true});
  const std::vector<std::string> adapters{"a-10", "b-20", "c-30"};
  for (const std::string& name : adapters) CHECK(!harness.load(name, "/" + name));
  const int32_t positions = harness.engine().stats().kv_blocks_total * options.kv_block_size;
  std::vector<Plan> plans;
  for (size_t i = 0; i < count; ++i) {
    Plan plan;
    const size_t prompt = 1 + random() % static_cast<uint32_t>(std::min(positions / 2, 60));
    const auto most = static_cast<int32_t>(1 + random() % static_cast<uint32_t>(std::min<size_t>(static_cast<size_t>(positions) - prompt, 40)));
    plan.request = make_request("r" + std::to_string(i), random_tokens(random, prompt), most);
    if (random() % 4 != 0) plan.request.adapter = plan.adapter = adapters[random() % adapters.size()];
    plan.expected = fake_greedy(plan.request.prompt_tokens, plan.adapter, static_cast<size_t>(most), true);
    plans.push_back(std::move(plan));
  }
  for (Plan& plan : plans) {
    harness.submit(plan.request);
    if (random() % 8 == 0) harness.wait_for_tokens(plan.request.id, 1);
  }
  for (const Plan& plan : plans) {
    const Outcome outcome = harness.wait(plan.request.id);
    CHECK(outcome.tokens == plan.expected, "seed ", seed, ", ", plan.request.id, ": ", outcome.end->error_message);
  }
  harness.check_idle();
  for (const auto& counts : harness.log().steps) {
    int32_t tokens = 0;
    for (const int32_t one : counts) tokens += one;
    CHECK(tokens <= options.max_step_tokens, tokens, " tokens in a step");
    CHECK(static_cast<int32_t>(counts.size()) <= options.max_batch, counts.size(), " sequences in a step");
  }
  return harness.engine().stats().preemptions;
}

STATES_TEST("engine: 64 mixed requests give what each gives alone") {
  for (uint32_t seed = 1; seed <= 4; ++seed) run_mixed(seed, small_options(4096, 16, 64, 256), 64);
}

STATES_TEST("engine: a cache far too small costs time, not tokens") {
  int64_t preemptions = 0;
  for (uint32_t seed = 1; seed <= 16; ++seed) {
    preemptions += run_mixed(seed, small_options(20 + static_cast<int32_t>(seed), 1 + static_cast<int32_t>(seed % 5), 16, 24), 40);
    preemptions += run_mixed(seed, small_options(9, 16, 8, 8), 24);
  }
  CHECK(preemptions > 50, preemptions, " preemptions");
}

ENGINE_TEST("engine: the context limit ends a request with length") {
  Harness harness({}, {.max_positions = 32});
  const Outcome outcome = harness.run(make_request("long", {1, 2, 3, 4}, 1000));
  CHECK_EQUAL(outcome.tokens.size(), size_t{28});
  CHECK(outcome.end->finish_reason == FinishReason::length);
  std::mt19937 random(1);
  CHECK_EQUAL(harness.run(make_request("fits", random_tokens(random, 31), 5)).tokens.size(), size_t{1});
  CHECK_THROWS(harness.submit(make_request("full", random_tokens(random, 32), 5)), Error, "found 32 tokens; expected at most 31");
}

ENGINE_TEST("engine: a prompt that can never fit the cache is refused with the numbers") {
  Harness harness(small_options(4, 8, 2, 16));
  std::mt19937 random(1);
  CHECK_THROWS(harness.submit(make_request("large", random_tokens(random, 32), 5)), Error, "holds 32 positions");
  CHECK(harness.run(make_request("small", random_tokens(random, 20), 100)).end->finish_reason == FinishReason::length);
  harness.check_idle();
}

STATELESS_TEST("engine: wrong arguments name the field") {
  Harness harness;
  const auto refused = [&](const std::function<void(Request&)>& change, const char* part) {
    Request request = make_request("wrong", {1, 2}, 5);
    change(request);
    CHECK_THROWS(harness.submit(request), Error, part);
  };
  refused([](Request& r) { r.id.clear(); }, "id: found an empty string");
  refused([](Request& r) { r.prompt_tokens.clear(); }, "promptTokens: found no tokens");
  refused([](Request& r) { r.prompt_tokens[1] = kVocabulary; }, "promptTokens[1]: found 64; expected a token id from 0 to 63");
  refused([](Request& r) { r.resume_tokens = {{1, -1}}; }, "resumeTokens[1]");
  refused([](Request& r) { r.stop_tokens = {900}; }, "stopTokens[0]");
  refused([](Request& r) { r.silent_tokens = {900}; }, "silentTokens[0]");
  refused([](Request& r) { r.max_tokens = 0; }, "maxTokens");
  refused([](Request& r) { r.sampling.temperature = -1; }, "temperature");
  refused([](Request& r) { r.sampling.top_p = 0; }, "topP");
  refused([](Request& r) { r.sampling.min_p = 2; }, "minP");
  refused([](Request& r) { r.sampling.top_k = -2; }, "topK");
  refused([](Request& r) { r.stop = {"x"}; }, "without a vocabulary");
  refused([](Request& r) { r.adapter = "nobody"; }, "\"nobody\" is not resident");
  CHECK_THROWS(Harness(small_options(4, 4, 8, 7)), Error, "maxStepTokens: found 7; expected at least maxBatch = 8");
  CHECK_THROWS(Harness(small_options(4, 0, 8, 8)), Error, "kvBlockSize");
  EngineOptions little;
  little.kv_bytes = 1;
  CHECK_THROWS(Harness{little}, Error, "kvBytes: found 1");
  harness.check_idle();
}

ENGINE_TEST("engine: an id is taken while its request runs and free afterwards") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.forward_gate = gate});
  harness.submit(make_request("same", {1}, 3));
  CHECK_THROWS(harness.submit(make_request("same", {1}, 3)), Error, "id: found \"same\"");
  gate->open();
  harness.wait("same");
  harness.forget("same");
  CHECK_EQUAL(harness.run(make_request("same", {1}, 3)).tokens.size(), size_t{3});
}

}  // namespace
}  // namespace sgmv::test
