// Requests that begin alike.
#include "engine_harness.h"

namespace sgmv::test {
namespace {

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

int32_t computed_tokens(Harness& harness) {
  const std::lock_guard lock(harness.log().mutex);
  int32_t count = 0;
  for (const auto& counts : harness.log().steps)
    for (const int32_t one : counts) count += one;
  return count;
}

ENGINE_TEST("prefix cache: a prompt seen before is not computed again, its last token excepted") {
  Harness harness(small_options(64, 4, 8, 64));
  std::mt19937 random(1);
  const std::vector<int32_t> prompt = random_tokens(random, 41);
  const Outcome first = harness.run(make_request("first", prompt, 3));
  CHECK_EQUAL(first.end->cached_tokens, 0);
  const int32_t before = computed_tokens(harness);
  const Outcome second = harness.run(make_request("second", prompt, 3));
  CHECK(second.tokens == first.tokens && second.tokens == fake_greedy(prompt, "", 3));
  CHECK_EQUAL(second.end->cached_tokens, 40);
  CHECK_EQUAL(computed_tokens(harness) - before, 1 + 2);
  const EngineStats stats = harness.engine().stats();
  CHECK_EQUAL(stats.prefix_queried_tokens, int64_t{82});
  CHECK_EQUAL(stats.prefix_hit_tokens, int64_t{40});
  CHECK_EQUAL(stats.kv_blocks_free, stats.kv_blocks_total);
  CHECK_EQUAL(stats.kv_blocks_cached, 10);
}

ENGINE_TEST("prefix cache: a conversation goes on from its own answer") {
  Harness harness(small_options(64, 4, 8, 64));
  const std::vector<int32_t> prompt{1, 2, 3, 4, 5};
  const Outcome answer = harness.run(make_request("first", prompt, 14));
  const std::vector<int32_t> next = joined(joined(prompt, answer.tokens), {7, 8});
  const Outcome outcome = harness.run(make_request("second", next, 5));
  CHECK(outcome.tokens == fake_greedy(next, "", 5));
  CHECK_EQUAL(outcome.end->cached_tokens, 16);  // of 18 that were computed
}

ENGINE_TEST("prefix cache: salts and adapters keep to themselves, a reloaded adapter is another one") {
  Harness harness(small_options(64, 4, 8, 64));
  std::mt19937 random(2);
  const std::vector<int32_t> prompt = random_tokens(random, 30);
  int count = 0;
  const auto cached = [&](const std::string& salt, std::optional<std::string> adapter, const std::string& content) {
    Request request = make_request("r" + std::to_string(count++), prompt, 2);
    request.cache_salt = salt;
    request.adapter = adapter;
    const Outcome outcome = harness.run(request);
    CHECK(outcome.tokens == fake_greedy(prompt, content, 2));
    return outcome.end->cached_tokens;
  };
  CHECK(!harness.load("a", "/old-10"));
  for (const int32_t expected : {0, 28}) {
    CHECK_EQUAL(cached("", {}, ""), expected);
    CHECK_EQUAL(cached("tenant 1", {}, ""), expected);
    CHECK_EQUAL(cached("tenant 2", {}, ""), expected);
    CHECK_EQUAL(cached("tenant 1", "a", "old-10"), expected);
  }
  CHECK(harness.engine().unload_adapter("a"));
  CHECK(!harness.load("a", "/new-10"));
  CHECK_EQUAL(cached("tenant 1", "a", "new-10"), 0);
}

ENGINE_TEST("prefix cache: requests that want the prompt's logits compute it, and leave it to others") {
  Harness harness(small_options(64, 4, 8, 64));
  std::mt19937 random(3);
  const std::vector<int32_t> prompt = random_tokens(random, 20);
  for (const char* id : {"first", "second"}) {
    Request request = make_request(id, prompt, 2);
    request.logits = LogitsMode::prompt;
    const Outcome outcome = harness.run(request);
    CHECK_EQUAL(outcome.prompt_logits.size(), prompt.size() * kVocabulary);
    CHECK_EQUAL(outcome.end->cached_tokens, 0);
  }
  CHECK_EQUAL(harness.run(make_request("third", prompt, 2)).end->cached_tokens, 16);
}

ENGINE_TEST("prefix cache: off, nothing is cached") {
  EngineOptions options = small_options(64, 4, 8, 64);
  options.prefix_cache = false;
  Harness harness(options);
  for (const char* id : {"first", "second"}) CHECK_EQUAL(harness.run(make_request(id, {1, 2, 3, 4, 5, 6}, 9)).end->cached_tokens, 0);
  CHECK_EQUAL(harness.engine().stats().kv_blocks_cached, 0);
  CHECK_EQUAL(harness.engine().stats().prefix_hit_tokens, int64_t{0});
}

ENGINE_TEST("prefix cache: prompts that begin alike, in a cache of any size, with whatever happens to them") {
  int64_t hits = 0, preemptions = 0;
  for (uint32_t seed = 0; seed < (kSanitized ? 6u : 30u); ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](size_t limit) { return random() % limit; };
    Harness harness(small_options(static_cast<int32_t>(16 + below(60)), static_cast<int32_t>(2 + below(6)), 6, static_cast<int32_t>(6 + below(20))));
    for (const char* name : {"a-10", "b-20"}) CHECK(!harness.load(name, std::string("/") + name));
    const auto room = static_cast<size_t>(harness.engine().stats().kv_blocks_total * harness.engine().stats().kv_block_size);
    std::vector<std::vector<int32_t>> beginnings;
    for (int i = 0; i < 3; ++i) beginnings.push_back(random_tokens(random, 1 + below(std::min<size_t>(room / 3, 60))));
    std::vector<Request> requests;
    for (int i = 0; i < 40; ++i) {
      Request request = make_request("r" + std::to_string(i), joined(beginnings[below(3)], random_tokens(random, below(8))), static_cast<int32_t>(1 + below(20)));
      if (below(3) > 0) request.adapter = below(2) == 0 ? "a-10" : "b-20";
      request.cache_salt = below(2) == 0 ? "" : "tenant";
      request.choices = static_cast<int32_t>(1 + below(3));
      if (below(8) == 0) request.prompt_tokens.back() = below(2) == 0 ? kNan : kBroken;
      if (below(8) == 0) request.logits = LogitsMode::prompt;
      if (request.prompt_tokens.size() >= room) request.prompt_tokens.resize(room - 1);
      requests.push_back(request);
      harness.submit(request);
      if (below(5) == 0) harness.engine().cancel("r" + std::to_string(below(40)));
      if (below(6) == 0) harness.wait(request.id);
    }
    for (const Request& request : requests) {
      for (int32_t choice = 0; choice < request.choices; ++choice) {
        const Outcome outcome = harness.wait(request.id, choice);
        if (outcome.end->finish_reason == FinishReason::error) {
          CHECK(request.prompt_tokens.back() >= kOrdinary, outcome.end->error_message);
          continue;
        }
        const std::vector<int32_t> expected = fake_greedy(request.prompt_tokens, request.adapter.value_or(""), outcome.tokens.size());
        CHECK(outcome.tokens == expected, "seed ", seed, ", ", request.id, "/", choice);
      }
    }
    harness.check_idle();
    hits += harness.engine().stats().prefix_hit_tokens;
    preemptions += harness.engine().stats().preemptions;
  }
  // Where states are kept with few blocks only, fewer are found.
  CHECK(hits > (kSanitized ? 50 : 200) && preemptions > 4, hits, " tokens found, ", preemptions, " preemptions");
}

}  // namespace
}  // namespace sgmv::test
