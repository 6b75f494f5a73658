// One bound for adapters and blocks: each takes what the other leaves, and what has been idle longest goes.
#include <thread>

#include "engine/block_manager.h"
#include "engine_harness.h"

namespace sgmv::test {
namespace {

constexpr int32_t kBlockSize = 4;
constexpr size_t kBlockBytes = kBlockSize * 8;  // FakeCache's

// `blocks` fit beside nothing else, and `context` of them are always left to them.
Harness shared(int32_t blocks, int32_t context, FakeOptions fake = {}) {
  EngineOptions options;
  options.kv_block_size = kBlockSize;
  options.memory_bytes = static_cast<size_t>(blocks) * kBlockBytes;
  options.max_batch = 8;
  options.max_step_tokens = 32;
  fake.max_positions = context * kBlockSize;
  if (fake.extent_blocks == 0) fake.extent_blocks = 1;
  return Harness{options, std::move(fake)};
}

Request numbered(const std::string& id, int32_t prompt, int32_t max_tokens, const std::optional<std::string>& adapter = {}) {
  std::vector<int32_t> tokens(static_cast<size_t>(prompt));
  for (int32_t i = 0; i < prompt; ++i) tokens[static_cast<size_t>(i)] = (i * 7 + static_cast<int32_t>(id.back())) % kOrdinary;
  Request request = make_request(id, tokens, max_tokens);
  request.adapter = adapter;
  return request;
}

std::string folder(const std::string& name, size_t blocks) { return "/" + name + "-" + std::to_string(blocks * kBlockBytes); }

size_t resident(Harness& harness) { return harness.engine().adapters().size(); }

STATELESS_TEST("shared memory: blocks get memory as they are needed") {
  Harness harness = shared(40, 10);
  CHECK_EQUAL(harness.log().extents.load(), 1);
  CHECK_EQUAL(harness.engine().stats().kv_blocks_total, 40);
  harness.run(numbered("a", 17, 3));
  CHECK_EQUAL(harness.log().extents.load(), 5);
  CHECK_EQUAL(harness.engine().stats().kv_bytes, 5 * kBlockBytes);
  CHECK(!harness.load("x", folder("x", 20)));
  CHECK_EQUAL(harness.engine().stats().kv_blocks_total, 20);
  CHECK_EQUAL(harness.engine().stats().kv_blocks_free, 20);
  CHECK_EQUAL(harness.engine().stats().memory_bytes_max, 40 * kBlockBytes);
}

STATELESS_TEST("shared memory: adapters leave a request of the full context its blocks") {
  Harness harness = shared(40, 10);
  CHECK_EQUAL(harness.engine().stats().adapter_bytes_max, 30 * kBlockBytes);
  CHECK(!harness.load("x", folder("x", 30)));
  const auto none = harness.load("y", folder("y", 31));
  CHECK(none && none->code() == "out_of_memory");
  CHECK_EQUAL(harness.run(numbered("full", 30, 10, "x")).tokens.size(), size_t{10});
}

STATELESS_TEST("shared memory: blocks take the place of an adapter that has been idle for longer") {
  Harness harness = shared(40, 20);
  CHECK(!harness.load("old", folder("old", 10)));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the grace of a load
  for (const char* id : {"a", "b"}) harness.run(numbered(id, 40, 4));
  CHECK_EQUAL(resident(harness), size_t{1});
  harness.run(numbered("c", 40, 4));  // a third eleven blocks do not fit beside it
  CHECK_EQUAL(resident(harness), size_t{0});
}

STATELESS_TEST("shared memory: of blocks and adapters that were used since, the blocks go") {
  Harness harness = shared(40, 20);
  CHECK(!harness.load("used", folder("used", 10)));
  for (const char* id : {"a", "b"}) harness.run(numbered(id, 40, 4));
  harness.run(numbered("c", 5, 2, "used"));
  for (const char* id : {"d", "e"}) harness.run(numbered(id, 40, 4));
  CHECK_EQUAL(resident(harness), size_t{1});
  CHECK_EQUAL(harness.engine().stats().kv_bytes, 30 * kBlockBytes);
}

STATELESS_TEST("shared memory: a load gets what cached blocks have, and an idle engine gives it") {
  Harness harness = shared(40, 20);
  for (const char* id : {"a", "b", "c"}) harness.run(numbered(id, 40, 4));
  const int before = harness.log().extents;
  CHECK(before > 30, before, " extents");
  CHECK(!harness.load("x", folder("x", 20)));
  CHECK(harness.log().extents <= 20, harness.log().extents.load(), " extents");
  CHECK(harness.run(numbered("d", 40, 4, "x")).tokens == fake_greedy(numbered("d", 40, 4).prompt_tokens, "x-640", 4));
}

STATELESS_TEST("shared memory: an adapter that has been idle for longer than all blocks goes for another") {
  Harness harness = shared(40, 20);
  CHECK(!harness.load("old", folder("old", 15)));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (const char* id : {"a", "b"}) harness.run(numbered(id, 40, 4));
  const int before = harness.log().extents;
  CHECK(!harness.load("new", folder("new", 15)));
  CHECK_EQUAL(resident(harness), size_t{1});
  CHECK_EQUAL(harness.log().extents.load(), before);
}

STATELESS_TEST("shared memory: a load waits for blocks in use, which take no more meanwhile") {
  const auto gate = std::make_shared<Gate>();
  Harness harness = shared(40, 20, {.forward_gate = gate});
  for (const char* id : {"a", "b", "c"}) harness.submit(numbered(id, 40, 4));
  gate->allow(3);
  gate->wait_until_reached(4);
  std::atomic<bool> loaded{false};
  std::thread loading([&] { loaded = harness.load("x", folder("x", 20)) == nullptr; });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(!loaded);
  gate->open();
  for (const char* id : {"a", "b", "c"}) CHECK(harness.wait(id).tokens == fake_greedy(numbered(id, 40, 4).prompt_tokens, "", 4));
  loading.join();
  CHECK(loaded.load());
  CHECK(harness.log().extents <= 20, harness.log().extents.load(), " extents");
}

// Whatever loads and requests want at once, everybody gets it in the end, and nobody sees another's blocks.
void check_random(uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](uint32_t limit) { return static_cast<int32_t>(random() % limit); };
  FakeOptions fake{.extent_blocks = 1 + below(5)};
  const int32_t context = 12 + below(8);
  Harness harness = shared(45 + below(30), context, fake);
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&harness, context, client, seed] {
      std::mt19937 own(seed * 31 + static_cast<uint32_t>(client));
      for (int turn = 0; turn < 25; ++turn) {
        const std::string name = "a" + std::to_string(own() % 7);
        const std::string path = folder(name, 3 + (name.back() - '0') * 2);
        const std::string id = std::to_string(client) + "/" + std::to_string(turn);
        const auto prompt = static_cast<int32_t>(1 + own() % static_cast<uint32_t>(context * kBlockSize - 12));
        Request request = numbered(id, prompt, static_cast<int32_t>(1 + own() % 10));
        const bool adapted = own() % 3 > 0;
        const std::vector<int32_t> tokens = request.prompt_tokens;
        const auto wanted = static_cast<size_t>(request.max_tokens);
        if (adapted) {
          request.adapter = name;
          CHECK(!harness.load(name, path));
        }
        try {
          harness.submit(std::move(request));
        } catch (const Error&) {  // another load has dropped it already: as the runner does, again
          continue;
        }
        CHECK(harness.wait(id).tokens == fake_greedy(tokens, adapted ? path.substr(1) : "", wanted), "seed ", seed, ", request ", id);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  harness.check_idle();
  const EngineStats stats = harness.engine().stats();
  CHECK(stats.adapter_bytes + stats.kv_bytes <= stats.memory_bytes_max);
}

ENGINE_TEST("shared memory: random loads and requests") {
  for (uint32_t seed = 1; seed <= 12; ++seed) check_random(seed);
}

STATELESS_TEST("shared memory: what has bounds of its own is there from the start") {
  EngineOptions options;
  options.kv_block_size = kBlockSize;
  options.kv_bytes = 20 * kBlockBytes;
  options.adapter_bytes = 10 * kBlockBytes;
  Harness harness(options, {.max_positions = 40, .extent_blocks = 1});
  CHECK_EQUAL(harness.engine().stats().kv_bytes, 20 * kBlockBytes);
  CHECK_EQUAL(harness.engine().stats().adapter_bytes_max, 10 * kBlockBytes);
}

}  // namespace
}  // namespace sgmv::test
