// Adapters that act from their invocation on (activated LoRA): what comes before is the base model's, and shared with it.
#include <map>

#include "engine_harness.h"
#include "golden_folder.h"

namespace sgmv::test {
namespace {

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<int32_t> kCall(std::begin(kInvocation), std::end(kInvocation));

// Has no invocation.
std::vector<int32_t> plain_tokens(std::mt19937& random, size_t count) {
  std::vector<int32_t> tokens = random_tokens(random, count);
  for (int32_t& token : tokens) token = 10 + token % 40;
  return tokens;
}

Request request_for(const std::string& id, const std::vector<int32_t>& prompt, int32_t max_tokens, const std::string& adapter) {
  Request request = make_request(id, prompt, max_tokens);
  if (!adapter.empty()) request.adapter = adapter;
  return request;
}

ENGINE_TEST("activated adapters: act from the last invocation in the prompt on, and on none without one") {
  Harness harness(small_options(64, 4, 4, 7));
  CHECK(!harness.load("activated-10", "/activated-10"));
  std::mt19937 random(1);
  const std::vector<int32_t> text = plain_tokens(random, 9);
  const std::vector<int32_t> once = joined(joined(text, kCall), text), twice = joined(once, joined(kCall, {20})), overlapping = joined(joined(text, kCall), {4, 3});
  int count = 0;
  const auto answer = [&](const std::vector<int32_t>& prompt, const std::string& adapter) {
    const Outcome outcome = harness.run(request_for("r" + std::to_string(count++), prompt, 12, adapter));
    CHECK(outcome.tokens == fake_greedy(prompt, adapter, 12));
    return outcome.tokens;
  };
  CHECK(answer(text, "activated-10") == answer(text, ""));
  for (const auto& prompt : {once, twice, overlapping, kCall}) CHECK(answer(prompt, "activated-10") != answer(prompt, ""));
  CHECK(fake_logits(overlapping, "activated-10", false) != fake_logits(overlapping, "activated-10", false, overlapping.size() - 1), "the last one counts");
}

ENGINE_TEST("activated adapters: blocks before the invocation are the base model's") {
  Harness harness(small_options(64, 4, 8, 64));
  for (const char* name : {"activated-10", "activated-b-10", "plain-10"}) CHECK(!harness.load(name, std::string("/") + name));
  std::mt19937 random(2);
  const std::vector<int32_t> prompt = plain_tokens(random, 21);
  const Outcome base = harness.run(make_request("base", prompt, 12));
  const std::vector<int32_t> conversation = joined(prompt, base.tokens), called = joined(conversation, kCall);  // 33, of which 32 are computed
  int count = 0;
  const auto cached = [&](const std::vector<int32_t>& tokens, const std::string& adapter) {
    const Outcome outcome = harness.run(request_for("r" + std::to_string(count++), tokens, 6, adapter));
    CHECK(outcome.tokens == fake_greedy(tokens, adapter, 6));
    return outcome.end->cached_tokens;
  };
  CHECK_EQUAL(cached(called, "activated-10"), 32);
  CHECK_EQUAL(cached(called, "activated-b-10"), 32);
  CHECK_EQUAL(cached(called, "plain-10"), 0);
  // Its own blocks, from the one on that the invocation stands in, are found by itself alone.
  const std::vector<int32_t> longer = joined(called, plain_tokens(random, 9));
  CHECK_EQUAL(cached(longer, "activated-10"), 32 + (models_have_states ? 0 : 4));
  CHECK_EQUAL(cached(longer, "activated-10"), 44);
  CHECK_EQUAL(cached(longer, "activated-b-10"), 32 + (models_have_states ? 0 : 4));
  // What one adapter has computed before its invocation, the base model and others find.
  const std::vector<int32_t> document = plain_tokens(random, 18), of_one = joined(document, kCall);
  CHECK_EQUAL(cached(of_one, "activated-10"), 0);
  CHECK_EQUAL(cached(of_one, "activated-b-10"), 16);
  CHECK_EQUAL(cached(joined(document, {11, 12, 13}), ""), 16);
  CHECK_EQUAL(cached(joined(document, {11, 12, 13}), "activated-b-10"), 20);  // the base model's own, which it never leaves
}

// The same tokens in a block, on which an adapter acts from different places.
STATELESS_TEST("activated adapters: a block is found only where the adapter acts from the same place on") {
  Harness harness(small_options(64, 8, 8, 64));
  CHECK(!harness.load("activated-10", "/activated-10"));
  // The second invocation ends behind the first block, in one of the prompts.
  const std::vector<int32_t> block{11, 3, 4, 3, 12, 13, 3, 4};
  int count = 0;
  for (const int32_t next : {3, 14, 3, 14}) {
    const std::vector<int32_t> prompt = joined(block, {next, 15, 16});
    const Outcome outcome = harness.run(request_for("r" + std::to_string(count), prompt, 6, "activated-10"));
    CHECK(outcome.tokens == fake_greedy(prompt, "activated-10", 6));
    CHECK_EQUAL(outcome.end->cached_tokens, count++ < 2 ? 0 : 8);
  }
}

ENGINE_TEST("activated adapters: a generation that goes on elsewhere knows its prompt's end") {
  std::mt19937 random(3);
  Harness harness(small_options(64, 4, 4, 5));
  CHECK(!harness.load("activated-10", "/activated-10"));
  const std::vector<int32_t> prompt = joined(plain_tokens(random, 9), joined(kCall, {17}));
  const std::vector<int32_t> all = fake_greedy(prompt, "activated-10", 12);
  for (size_t told = 1; told < 12; ++told) {
    Request request = request_for("r" + std::to_string(told), prompt, 12, "activated-10");
    request.resume_tokens = {{all.begin(), all.begin() + static_cast<std::ptrdiff_t>(told)}};
    CHECK(harness.run(request).tokens == std::vector<int32_t>(all.begin() + static_cast<std::ptrdiff_t>(told), all.end()));
  }
  // Tokens of an answer that spell the invocation change nothing.
  Request request = request_for("spelled", prompt, 12, "activated-10");
  request.resume_tokens = {joined({18}, kCall)};
  std::vector<int32_t> text = joined(prompt, request.resume_tokens[0]);
  for (const int32_t token : harness.run(request).tokens) {
    const std::vector<float> logits = fake_logits(text, "activated-10", false, prompt.size());
    CHECK_EQUAL(token, static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    text.push_back(token);
  }
}

ENGINE_TEST("activated adapters: among others, in a cache of any size, with whatever happens to them") {
  int64_t hits = 0, preemptions = 0;
  for (uint32_t seed = 0; seed < (kSanitized ? 6u : 30u); ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](size_t limit) { return random() % limit; };
    EngineOptions options = small_options(static_cast<int32_t>(20 + below(60)), static_cast<int32_t>(2 + below(6)), 6, static_cast<int32_t>(6 + below(20)));
    options.draft_tokens = below(2) == 0 ? 0 : 12;
    Harness harness(options);
    const std::vector<std::string> names{"", "activated-10", "activated-b-20", "plain-10"};
    for (const std::string& name : names)
      if (!name.empty()) CHECK(!harness.load(name, "/" + name));
    const auto room = static_cast<size_t>(harness.engine().stats().kv_blocks_total * harness.engine().stats().kv_block_size);
    // Calls at many places, some of which are half of one.
    const auto piece = [&] {
      std::vector<int32_t> tokens = plain_tokens(random, below(9));
      return below(2) == 0 ? joined(tokens, kCall) : below(3) == 0 ? joined(tokens, {3, 4}) : tokens;
    };
    std::vector<std::vector<int32_t>> beginnings;
    for (int i = 0; i < 3; ++i) beginnings.push_back(joined({30}, joined(piece(), joined(piece(), piece()))));
    std::vector<Request> requests;
    for (int i = 0; i < 40; ++i) {
      std::vector<int32_t> prompt = joined(beginnings[below(3)], piece());
      if (prompt.size() + 2 >= room) prompt.resize(room - 2);
      Request request = request_for("r" + std::to_string(i), prompt, static_cast<int32_t>(1 + below(20)), names[below(names.size())]);
      request.choices = static_cast<int32_t>(1 + below(3));
      if (below(8) == 0) request.prompt_logprobs = 1;
      requests.push_back(request);
      harness.submit(request);
      if (below(6) == 0) harness.wait(request.id);
    }
    for (const Request& request : requests)
      for (int32_t choice = 0; choice < request.choices; ++choice) {
        const Outcome outcome = harness.wait(request.id, choice);
        CHECK(outcome.end->finish_reason != FinishReason::error, outcome.end->error_message);
        CHECK(outcome.tokens == fake_greedy(request.prompt_tokens, request.adapter.value_or(""), outcome.tokens.size()), "seed ", seed, ", ", request.id, "/", choice);
      }
    harness.check_idle();
    hits += harness.engine().stats().prefix_hit_tokens;
    preemptions += harness.engine().stats().preemptions;
  }
  CHECK(hits > (kSanitized ? 50 : 200) && preemptions > 4, hits, " tokens found, ", preemptions, " preemptions");
}

// A prompt's logits, whatever chunks it is cut into and whatever else is in them.
TEST("activated adapters: of a real model, the same bits however prompts are cut") {
  const std::filesystem::path folder = golden_root() / "activated";
  const GoldenFolder golden(folder);
  std::map<std::string, std::vector<float>> whole;
  for (const int32_t step_tokens : {64, 4, 5}) {
    EngineOptions options = small_options(64, 4, 4, step_tokens);
    options.kv_bytes = 1 << 20;
    Harness harness(options, Model::load(golden.model(), {2, "", WeightType::f32}));
    CHECK(!harness.load("alora", (folder / "adapters" / "alora").string()));
    for (const GoldenCase& one : golden.cases()) {
      Request request = request_for(one.name, one.prompt, 1, "alora");
      request.logits = LogitsMode::prompt;
      harness.submit(request);
    }
    for (const GoldenCase& one : golden.cases()) {
      const std::vector<float> logits = harness.wait(one.name).prompt_logits;
      CHECK(compare(logits, golden.logits(one)).relative < 2e-3, one.name);
      CHECK(whole.try_emplace(one.name, logits).first->second == logits, one.name, " in steps of ", step_tokens);
    }
  }
}

}  // namespace
}  // namespace sgmv::test
