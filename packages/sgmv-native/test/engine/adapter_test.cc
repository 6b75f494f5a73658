// Adapters come and go while requests run.
#include <numeric>
#include <thread>

#include "engine_harness.h"

namespace sgmv::test {
namespace {

Request with_adapter(const std::string& id, const std::string& adapter, int32_t max_tokens = 10) {
  Request request = make_request(id, {1, 2, 3}, max_tokens);
  request.adapter = adapter;
  return request;
}

std::string resident(Harness& harness) {
  std::string names;
  for (const AdapterInfo& adapter : harness.engine().adapters()) names += adapter.name + (adapter.pinned ? "* " : " ");
  return names;
}

EngineOptions with_bytes(size_t bytes) {
  EngineOptions options;
  options.adapter_bytes = bytes;
  return options;
}

ENGINE_TEST("adapters: a bad one fails its own load only") {
  Harness harness;
  CHECK(!harness.load("a", "/a-10"));
  const auto bad = harness.load("b", "/bad");
  CHECK(bad && bad->code() == "adapter_refused");
  const auto huge = harness.load("h", "/huge");
  CHECK(huge && huge->code() == "out_of_memory");
  CHECK_THROWS(harness.submit(with_adapter("r", "b")), Error, "not resident");
  CHECK(harness.run(with_adapter("good", "a")).tokens == fake_greedy({1, 2, 3}, "a-10", 10));
  CHECK(harness.run(make_request("base", {1, 2, 3}, 10)).tokens == fake_greedy({1, 2, 3}, "", 10));
  CHECK_EQUAL(resident(harness), std::string("a "));
}

ENGINE_TEST("adapters: loads of one name are joined, and cost nothing while it is resident") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.load_gate = gate});
  std::vector<std::thread> threads;
  std::atomic<int> loaded{0};
  for (int i = 0; i < 5; ++i) threads.emplace_back([&] { loaded += harness.load("slow", "/slow-10") == nullptr; });
  gate->wait_until_reached();
  gate->open();
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(loaded.load(), 5);
  CHECK_EQUAL(harness.log().loads.load(), 1);
}

ENGINE_TEST("adapters: requests go on while one is loading") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.load_gate = gate});
  std::thread loading([&] { harness.load("slow", "/slow-10"); });
  gate->wait_until_reached();
  CHECK_EQUAL(harness.run(make_request("meanwhile", {4, 5}, 50)).tokens.size(), size_t{50});
  gate->open();
  loading.join();
  CHECK_EQUAL(harness.run(with_adapter("then", "slow")).tokens.size(), size_t{10});
}

ENGINE_TEST("adapters: the least recently used idle one makes room") {
  Harness harness(with_bytes(250));
  CHECK(!harness.load("a", "/a-100"));
  CHECK(!harness.load("b", "/b-100"));
  harness.run(with_adapter("use b", "b"));
  harness.run(with_adapter("use a", "a"));
  CHECK(!harness.load("c", "/c-100"));
  CHECK_EQUAL(resident(harness), std::string("a c "));
  CHECK_EQUAL(harness.engine().stats().adapter_bytes, size_t{200});
  const auto large = harness.load("d", "/d-251");
  CHECK(large && large->code() == "out_of_memory");
  const EngineStats stats = harness.engine().stats();
  CHECK_EQUAL(stats.adapters_evicted, int64_t{1});
  CHECK_EQUAL(stats.adapter_loads_failed, int64_t{1});
  CHECK_EQUAL(std::accumulate(stats.adapter_load_seconds.counts.begin(), stats.adapter_load_seconds.counts.end(), int64_t{0}), int64_t{3});
  CHECK(std::string(large->what()).find("takes 251 bytes; expected at most 250, which adapterBytes") != std::string::npos, large->what());
}

ENGINE_TEST("adapters: one in use is not dropped; a load waits for it") {
  const auto gate = std::make_shared<Gate>();
  Harness harness(with_bytes(150), {.forward_gate = gate});
  CHECK(!harness.load("a", "/a-100"));
  harness.submit(with_adapter("user", "a"));
  gate->wait_until_reached();
  std::atomic<bool> loaded{false};
  std::thread loading([&] { loaded = harness.load("b", "/b-100") == nullptr; });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_EQUAL(resident(harness), std::string("a* "));
  CHECK(!loaded);
  gate->open();
  loading.join();
  CHECK(loaded.load());
  CHECK(harness.wait("user").tokens == fake_greedy({1, 2, 3}, "a-100", 10));
  CHECK_EQUAL(resident(harness), std::string("b "));
}

ENGINE_TEST("adapters: unloaded by name while in use, it serves its requests and a new one takes the name") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.forward_gate = gate});
  CHECK(!harness.load("a", "/old-100"));
  harness.submit(with_adapter("user", "a"));
  gate->wait_until_reached();
  CHECK(harness.engine().unload_adapter("a"));
  CHECK(!harness.engine().unload_adapter("a"));
  CHECK(!harness.load("a", "/new-10"));
  CHECK_EQUAL(harness.engine().stats().adapter_bytes, size_t{110});
  harness.submit(with_adapter("next", "a"));
  gate->open();
  CHECK(harness.wait("user").tokens == fake_greedy({1, 2, 3}, "old-100", 10));
  CHECK(harness.wait("next").tokens == fake_greedy({1, 2, 3}, "new-10", 10));
  CHECK_EQUAL(harness.engine().stats().adapter_bytes, size_t{10});
}

ENGINE_TEST("adapters: a slow load does not hold up another") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.load_gate = gate});
  std::thread loading([&] { harness.load("slow", "/slow-10"); });
  gate->wait_until_reached();
  CHECK(!harness.load("quick", "/quick-10"));
  CHECK(!harness.load("another", "/another-10"));
  CHECK_EQUAL(harness.run(with_adapter("meanwhile", "quick")).tokens.size(), size_t{10});
  gate->open();
  loading.join();
}

ENGINE_TEST("adapters: those that wait for room get it in their order, small ones do not slip past") {
  const auto gate = std::make_shared<Gate>();
  Harness harness(with_bytes(300), {.forward_gate = gate});
  for (const char* name : {"a", "b"}) CHECK(!harness.load(name, std::string("/") + name + "-150"));
  harness.submit(with_adapter("use a", "a", 1));
  harness.submit(with_adapter("use b", "b", 200));
  gate->wait_until_reached();
  std::atomic<int> order{0};
  std::atomic<int> large{0}, small{0};
  std::thread first([&] { CHECK(!harness.load("large", "/large-300")); large = ++order; });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  std::thread second([&] { CHECK(!harness.load("small", "/small-50")); small = ++order; });
  gate->open();
  first.join();
  second.join();
  CHECK(large == 1 && small == 2, "large came ", large.load(), ", small ", small.load());
  CHECK_EQUAL(harness.engine().stats().adapter_bytes, size_t{50});
}

ENGINE_TEST("prefetch: makes room for itself among idle adapters, but does not wait for those in use") {
  const auto gate = std::make_shared<Gate>();
  Harness harness(with_bytes(250), {.forward_gate = gate});
  CHECK(harness.prefetch("a", "/a-100"));
  CHECK(harness.prefetch("a", "/a-100"));
  CHECK_EQUAL(harness.log().loads.load(), 1);
  CHECK(harness.prefetch("b", "/b-100"));
  CHECK(harness.prefetch("c", "/c-100"));
  CHECK_EQUAL(resident(harness), std::string("b c "));
  harness.submit(with_adapter("use c", "c"));
  gate->wait_until_reached();
  CHECK(!harness.prefetch("d", "/d-200"));
  CHECK_EQUAL(resident(harness), std::string("b c* "));  // and dropped nothing in vain
  gate->open();
  harness.wait("use c");
  CHECK(harness.prefetch("d", "/d-200"));
  CHECK_EQUAL(resident(harness), std::string("d "));
}

ENGINE_TEST("prefetch: what was loaded for somebody is not dropped before it is used") {
  Harness harness(with_bytes(150));
  CHECK(!harness.load("wanted", "/wanted-100"));
  CHECK(!harness.prefetch("p", "/p-100"));
  CHECK_EQUAL(resident(harness), std::string("wanted "));
  harness.run(with_adapter("use", "wanted"));
  CHECK(harness.prefetch("p", "/p-100"));
  CHECK(!harness.load("other", "/other-100"));  // a prefetched one makes room at once
  CHECK_EQUAL(resident(harness), std::string("other "));
}

ENGINE_TEST("prefetch: one at a time, so that a wanted load finds a thread; wanted meanwhile, it waits for room") {
  const auto gate = std::make_shared<Gate>();
  const auto forward = std::make_shared<Gate>();
  Harness harness(with_bytes(100), {.forward_gate = forward, .load_gate = gate});
  std::vector<std::thread> threads;
  for (const char* name : {"slow1", "slow2"}) {
    threads.emplace_back([&harness, name] { harness.prefetch(name, std::string("/") + name + "-100"); });
  }
  gate->wait_until_reached();
  CHECK(!harness.load("quick", "/quick-100"));
  harness.submit(with_adapter("use quick", "quick"));
  forward->wait_until_reached();
  std::atomic<int> loaded{0};
  for (const char* name : {"slow1", "slow2"}) {
    threads.emplace_back([&, name] { loaded += harness.load(name, std::string("/") + name + "-100") == nullptr; });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  gate->open();
  forward->open();
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(loaded.load(), 2);
  harness.wait("use quick");
}

ENGINE_TEST("adapters: closing fails the loads that are under way") {
  const auto gate = std::make_shared<Gate>();
  Harness harness({}, {.load_gate = gate});
  std::atomic<int> closed{0};
  std::vector<std::thread> threads;
  for (const char* name : {"slow1", "slow2", "after"}) {
    threads.emplace_back([&harness, &closed, name] {
      const auto failure = harness.load(name, std::string("/") + name);
      closed += failure && failure->code() == "closed";
    });
  }
  gate->wait_until_reached();
  std::thread closing([&] { harness.close(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  gate->open();
  closing.join();
  for (std::thread& thread : threads) thread.join();
  CHECK(closed >= 1, closed.load(), " loads failed with closed");
  CHECK_EQUAL(resident(harness), std::string());
}

}  // namespace
}  // namespace sgmv::test
