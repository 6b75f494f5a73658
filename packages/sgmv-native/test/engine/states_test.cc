// Models with linear attention in the engine: slots for states, and what they cost.
#include <algorithm>
#include <list>
#include <set>

#include "engine/block_manager.h"
#include "engine_harness.h"
#include "golden_folder.h"

namespace sgmv::test {
namespace {

EngineOptions with_kv(size_t bytes, int32_t max_batch) {
  EngineOptions options = small_options(1, 4, max_batch, 128);
  options.kv_bytes = bytes;
  return options;
}

STATELESS_TEST("states: slots take part of what blocks may have, and bound how many run together") {
  const size_t each = models_run_ahead ? 3 : 2, block = 4 * 8;
  FakeOptions fake{.states = true};
  const auto gate = std::make_shared<Gate>();
  fake.forward_gate = gate;
  // Harness adds room for the slots of the whole batch; of what there is, half goes to slots at most.
  Harness harness(with_kv(10 * block, 100), fake);
  const size_t total = 10 * block + 325 * kFakeStateBytes, sequences = std::min<size_t>(total / 2 / kFakeStateBytes * 4 / (4 * each + 1), 100), slots = sequences * each + sequences / 4;
  const EngineStats stats = harness.engine().stats();
  CHECK_EQUAL(static_cast<size_t>(stats.kv_blocks_total), (total - slots * kFakeStateBytes) / block);
  CHECK_EQUAL(stats.kv_bytes, static_cast<size_t>(stats.kv_blocks_total) * block + slots * kFakeStateBytes);
  for (int i = 0; i < 100; ++i) harness.submit(make_request(std::to_string(i), {i % 50}, 3));
  gate->open();
  for (int i = 0; i < 100; ++i) CHECK(harness.wait(std::to_string(i)).tokens == fake_greedy({i % 50}, "", 3));
  for (const auto& counts : harness.log().steps) CHECK(counts.size() <= sequences, counts.size(), " sequences in a step");
  harness.check_idle();
}

TEST("states: too little memory for one sequence is refused with what it takes") {
  EngineOptions options = with_kv(40, 4);
  const auto make = [&](size_t bytes) {
    options.kv_bytes = bytes;
    Engine(std::make_unique<FakeModel>(FakeOptions{.states = true}, std::make_shared<FakeLog>()), options, [](std::vector<Event>&) {});
  };
  CHECK_THROWS(make(47), Error, "kvBytes: found 47; expected at least a block and a sequence's states, 48 bytes.");
  make(48);
}

TEST("states: choices start with a copy of the prompt's, however it is cut") {
  for (const int32_t step_tokens : {4, 7, 64})
    for (const size_t prompt : {1u, 2u, 9u, 30u}) {
      EngineOptions options = small_options(200, 4, 4, step_tokens);
      options.prefix_cache = false;
      Harness harness(options, {.states = true});
      std::mt19937 random(static_cast<uint32_t>(prompt));
      Request request = make_request("many", random_tokens(random, prompt), 5);
      request.choices = 4;
      request.sampling.temperature = 1.0f;
      harness.submit(request);
      for (int32_t choice = 0; choice < 4; ++choice) harness.wait("many", choice);
      CHECK_EQUAL(harness.log().state_copies.load(), prompt == 1 ? 0 : 3);
      harness.check_idle();
    }
}

// Sequences in any order, a few tokens at a time: what a slot holds is the number that its table wrote, nobody writes what another
// reads, and in the end all slots are there again.
TEST("states: slots of random tables, kept and reused") {
  for (const int32_t each : {2, 3})
    for (uint32_t seed = 0; seed < 20; ++seed) {
      std::mt19937 random(seed);
      const int32_t most = 1 + static_cast<int32_t>(seed % 4);
      const auto cache = FakeModel({.states = true}, std::make_shared<FakeLog>()).make_kv_cache(60, 4, KvMemory::whole, most * each);
      BlockManager manager(*cache, true, nullptr, PrefixIndex::hash, each);
      struct Running {
        BlockTable table;
        std::vector<int32_t> tokens;
        int32_t computed = 0;
      };
      std::vector<uint64_t> slots(static_cast<size_t>(most * each));  // how many tokens' state, and which: their hash
      const auto state_of = [](std::span<const int32_t> tokens) {
        uint64_t hash = tokens.size();
        for (const int32_t token : tokens) hash = hash * 1000003 + static_cast<uint64_t>(token) + 1;
        return hash;
      };
      std::list<Running> running;
      int found = 0;
      for (int round = 0; round < 2000; ++round) {
        if (static_cast<int32_t>(running.size()) < most && random() % 3 != 0) {
          Running& one = running.emplace_back();
          one.tokens.assign(1 + random() % 20, static_cast<int32_t>(random() % 2));
          one.computed = manager.reuse(one.table, {}, one.tokens);
          if (!manager.prepare(one.table, one.computed, static_cast<int64_t>(one.tokens.size()))) {
            CHECK(running.size() > 1, "there is no room for one alone");
            manager.release(one.table);
            running.pop_back();
            continue;
          }
          found += one.computed > 0;
        }
        if (running.empty()) continue;
        auto one = running.begin();
        std::advance(one, random() % running.size());
        if (one->computed == static_cast<int32_t>(one->tokens.size()) || random() % 8 == 0) {
          manager.release(one->table);
          running.erase(one);
          continue;
        }
        const std::span<const int32_t> tokens(one->tokens);
        const int32_t left = static_cast<int32_t>(tokens.size()) - one->computed, count = std::min(left, 4 - one->computed % 4);
        const auto from = static_cast<size_t>(one->table.states[0]), to = static_cast<size_t>(one->table.states[1]);
        CHECK(one->computed == 0 || slots[from] == state_of(tokens.first(static_cast<size_t>(one->computed))), "seed ", seed, ": another state after ", one->computed, " tokens");
        one->computed += count;
        slots[to] = state_of(tokens.first(static_cast<size_t>(one->computed)));
        manager.turn_states(one->table);
        manager.publish(one->table, {}, tokens.first(static_cast<size_t>(one->computed)));
        if (one->computed % 4 == 0) manager.keep_state(one->table, one->computed, random() % 2 == 0);
      }
      CHECK(most == 1 || found > 20, "seed ", seed, ": ", found, " tables found a state");
      for (Running& one : running) manager.release(one.table);
      std::vector<BlockTable> all(static_cast<size_t>(most));
      std::set<int32_t> distinct;
      for (BlockTable& table : all) {
        CHECK(manager.prepare(table, 0, 1), "seed ", seed, ": a slot was lost");
        for (int32_t i = 0; i < each; ++i) CHECK(distinct.insert(table.states[static_cast<size_t>(i)]).second, "seed ", seed, ": a slot twice");
      }
      for (BlockTable& table : all) manager.release(table);
    }
}

ENGINE_TEST("states: kept ones give way to sequences that run") {
  Harness harness(small_options(200, 4, 3, 64), {.states = true});
  std::mt19937 random(8);
  const std::vector<int32_t> prompt = random_tokens(random, 21);
  harness.run(make_request("first", prompt, 2));
  CHECK_EQUAL(harness.run(make_request("again", prompt, 2)).end->cached_tokens, 20);
  for (int i = 0; i < 3; ++i) harness.submit(make_request("other" + std::to_string(i), random_tokens(random, 30), 60));
  for (int i = 0; i < 3; ++i) harness.wait("other" + std::to_string(i));
  for (int i = 0; i < 20; ++i) harness.run(make_request("short" + std::to_string(i), random_tokens(random, 9), 1));
  const Outcome last = harness.run(make_request("last", prompt, 2));
  CHECK_EQUAL(last.end->cached_tokens, 0);
  CHECK(last.tokens == fake_greedy(prompt, "", 2));
  harness.check_idle();
}

// Of a real model: what an engine whose cache is far too small gives, with preemptions, chunks and choices, is what feeding the model
// directly gives.
// For a step, a sequence holds the slot of the state that it has just left to others, too.
ENGINE_TEST("states: who comes while a kept one is read waits for that, not for somebody to end") {
  for (int64_t steps = 1; steps <= 8; ++steps) {
    const auto gate = std::make_shared<Gate>();
    FakeOptions options;
    options.states = true;
    options.forward_gate = gate;
    Harness harness(small_options(200, 4, 2, 32), options);
    harness.submit(make_request("first", {1, 2, 3}, 50));
    gate->allow(steps);
    gate->wait_until_reached(steps + 1);
    harness.submit(make_request("second", {4, 5, 6}, 50));
    gate->open();
    CHECK(harness.wait("first").tokens == fake_greedy({1, 2, 3}, "", 50));
    CHECK(harness.wait("second").tokens == fake_greedy({4, 5, 6}, "", 50));
    CHECK(harness.log().forwards <= 50 + steps + 8, "after ", steps, ": ", harness.log().forwards.load(), " steps");
  }
}

void check_preempted(const char* family) {
  const std::filesystem::path folder = golden_root() / family / "model";
  if (!std::filesystem::exists(folder)) throw Skip(std::string("no golden folder of ") + family);
  const auto model = Model::load(folder, {1, ""});
  constexpr int32_t kTokens = 200;  // long enough that five do not fit, however far apart they began
  EngineOptions options;
  options.kv_block_size = 4;
  options.max_batch = 5;
  options.max_step_tokens = 9;
  options.kv_bytes = size_t{2} * 5 * 2 * model->config().state_bytes();  // half of it for slots: for a batch of five
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<std::string, int32_t>, std::vector<int32_t>> tokens;
  size_t ended = 0;
  int64_t preemptions = 0, cached = 0;
  constexpr size_t kRequests = 12;
  std::mt19937 random(7);
  std::vector<Request> requests;
  {
    Engine engine(Model::load(folder, {2, ""}), options, [&](std::vector<Event>& events) {
      const std::lock_guard lock(mutex);
      for (Event& event : events) {
        auto& to = tokens[{event.id, event.choice}];
        to.insert(to.end(), event.tokens.begin(), event.tokens.end());
        ended += event.kind == Event::Kind::end;
        cached += event.cached_tokens;
        if (event.kind == Event::Kind::end && event.finish_reason == FinishReason::error) std::printf("      %s\n", event.error_message.c_str());
      }
      changed.notify_one();
    });
    size_t choices = 0;
    for (size_t i = 0; i < kRequests; ++i) {
      Request request = make_request(std::to_string(i), {}, kTokens);
      for (size_t t = 0; t < 3 + 2 * i; ++t) request.prompt_tokens.push_back(static_cast<int32_t>(random() % 33));
      request.ignore_eos = true;
      request.choices = i % 4 == 0 ? 3 : 1;
      choices += static_cast<size_t>(request.choices);
      requests.push_back(request);
      engine.submit(request);
    }
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return ended == choices; });
      CHECK_EQUAL(cached, 0);
    }
    requests.push_back(requests.back());  // whose prompt is found again
    requests.back().id = "again";
    engine.submit(requests.back());
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ended == choices + 1; });
    preemptions = engine.stats().preemptions;
  }
  CHECK(preemptions > 0 && cached > 0, preemptions, " preemptions, ", cached, " tokens of earlier prompts");
  for (const Request& request : requests)
    for (int32_t choice = 0; choice < request.choices; ++choice) {
      Session session(*model, nullptr, 240);
      std::vector<int32_t> expected;
      std::vector<float> logits = session.feed(request.prompt_tokens, false);
      for (int i = 0; i < kTokens; ++i) {
        expected.push_back(static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
        logits = session.feed({expected.back()}, false);
      }
      CHECK((tokens[{request.id, choice}] == expected), "request ", request.id, ", choice ", choice);
    }
}

TEST("states: a real model's tokens under preemption, in chunks and in choices") { check_preempted("qwen3-5"); }

TEST("states: the same of Mamba-2") { check_preempted("granite-hybrid"); }

}  // namespace
}  // namespace sgmv::test
