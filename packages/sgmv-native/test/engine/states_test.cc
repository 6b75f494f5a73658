// Models with linear attention in the engine: slots for states, and what they cost.
#include <algorithm>

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
  const size_t each = (models_run_ahead ? 3 : 2) * kFakeStateBytes, block = 4 * 8;
  FakeOptions fake{.states = true};
  const auto gate = std::make_shared<Gate>();
  fake.forward_gate = gate;
  // Harness adds room for the slots of the whole batch; of what there is, half goes to slots at most.
  Harness harness(with_kv(10 * block, 100), fake);
  const size_t total = 10 * block + 100 * 3 * kFakeStateBytes, sequences = std::min<size_t>(total / 2 / each, 100);
  const EngineStats stats = harness.engine().stats();
  CHECK_EQUAL(static_cast<size_t>(stats.kv_blocks_total), (total - sequences * each) / block);
  CHECK_EQUAL(stats.kv_bytes, static_cast<size_t>(stats.kv_blocks_total) * block + sequences * each);
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
      Harness harness(small_options(200, 4, 4, step_tokens), {.states = true});
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

// Of a real model: what an engine whose cache is far too small gives, with preemptions, chunks and choices, is what feeding the model
// directly gives.
TEST("states: a real model's tokens under preemption, in chunks and in choices") {
  const std::filesystem::path folder = golden_root() / "qwen3-5" / "model";
  if (!std::filesystem::exists(folder)) throw Skip("no golden folder of qwen3-5");
  const auto model = Model::load(folder, {1, ""});
  constexpr int32_t kTokens = 130;
  EngineOptions options;
  options.kv_block_size = 4;
  options.max_batch = 5;
  options.max_step_tokens = 9;
  options.kv_bytes = size_t{2} * 5 * 2 * model->config().state_bytes();  // half of it for slots: for a batch of five
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<std::string, int32_t>, std::vector<int32_t>> tokens;
  size_t ended = 0;
  int64_t preemptions = 0;
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
        if (event.kind == Event::Kind::end && event.finish_reason == FinishReason::error) std::printf("      %s\n", event.error_message.c_str());
      }
      changed.notify_one();
    });
    size_t choices = 0;
    for (size_t i = 0; i < kRequests; ++i) {
      Request request = make_request(std::to_string(i), {}, kTokens);
      for (size_t t = 0; t < 3 + i; ++t) request.prompt_tokens.push_back(static_cast<int32_t>(random() % 33));
      request.ignore_eos = true;
      request.choices = i % 4 == 0 ? 3 : 1;
      choices += static_cast<size_t>(request.choices);
      requests.push_back(request);
      engine.submit(request);
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ended == choices; });
    preemptions = engine.stats().preemptions;
  }
  CHECK(preemptions > 0, preemptions, " preemptions");
  for (const Request& request : requests)
    for (int32_t choice = 0; choice < request.choices; ++choice) {
      Session session(*model, nullptr, 160);
      std::vector<int32_t> expected;
      std::vector<float> logits = session.feed(request.prompt_tokens, false);
      for (int i = 0; i < kTokens; ++i) {
        expected.push_back(static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
        logits = session.feed({expected.back()}, false);
      }
      CHECK((tokens[{request.id, choice}] == expected), "request ", request.id, ", choice ", choice);
    }
}

}  // namespace
}  // namespace sgmv::test
