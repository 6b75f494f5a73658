// Policy on its own: who runs, with how many tokens, and who gives way.
#include "engine/scheduler.h"

#include <algorithm>
#include <random>
#include <set>

#include "check.h"
#include "fake_model.h"

namespace sgmv::test {
namespace {

std::unique_ptr<KvCache> make_cache(int32_t block_count, int32_t block_size) {
  return FakeModel({}, std::make_shared<FakeLog>()).make_kv_cache(block_count, block_size);
}

struct Bench {
  explicit Bench(SchedulerLimits limits, int32_t block_count, int32_t block_size)
      : limits(limits), cache(make_cache(block_count, block_size)), blocks(*cache, false), scheduler(limits, blocks) {
    context.vocab_size = 100;
    context.total_tokens_max = block_count * block_size;
  }

  void add(const std::string& id, int32_t prompt, int32_t max_tokens) {
    Request request;
    request.id = id;
    request.prompt_tokens.assign(static_cast<size_t>(prompt), 1);
    request.max_tokens = max_tokens;
    scheduler.add(make_choices(std::move(request), AdapterPin(), context));
  }

  // Plans a step, checks what must hold of any plan, and does what computing it would do.
  std::vector<std::pair<std::string, int32_t>> step() {
    const std::vector<PlannedSlice>& plan = scheduler.schedule();
    std::vector<std::pair<std::string, int32_t>> said;
    std::set<int32_t> used;
    int32_t tokens = 0;
    bool decoding = false;
    for (const PlannedSlice& slice : plan) {
      CHECK(slice.token_count >= 1 && slice.token_count <= slice.sequence->uncomputed());
      CHECK(!decoding || slice.token_count == 1, "prefill comes first");
      decoding = slice.token_count == 1;
      tokens += slice.token_count;
      const int32_t reach = slice.sequence->computed + slice.token_count;
      CHECK(static_cast<int32_t>(slice.sequence->table.blocks.size()) * blocks.block_size() >= reach, "blocks cover the tokens");
      for (const int32_t block : slice.sequence->table.blocks) CHECK(used.insert(block).second, "block ", block, " has two owners");
      said.emplace_back(slice.sequence->request->id, slice.token_count);
    }
    CHECK(tokens <= limits.max_step_tokens);
    CHECK(scheduler.running() <= limits.max_batch);
    CHECK(!plan.empty() || scheduler.idle(), "work is left and nothing is planned");
    for (const PlannedSlice& slice : plan) {
      scheduler.computed(*slice.sequence, slice.token_count);
      if (slice.sequence->uncomputed() > 0) continue;
      slice.sequence->accept(2);
      if (slice.sequence->finish) scheduler.take(*slice.sequence);
    }
    return said;
  }

  SchedulerLimits limits;
  std::unique_ptr<KvCache> cache;
  BlockManager blocks;
  SequenceContext context;
  Scheduler scheduler;
};

using Said = std::vector<std::pair<std::string, int32_t>>;

TEST("scheduler: a long prompt is cut and never stops the others from decoding") {
  Bench bench({4, 10}, 100, 8);
  bench.add("first", 3, 50);
  bench.add("second", 2, 50);
  bench.step();
  bench.add("long", 100, 5);
  for (int i = 0; i < 12; ++i) {
    const Said said = bench.step();
    CHECK(said == (Said{{"long", 8}, {"first", 1}, {"second", 1}}), "step ", i);
  }
}

TEST("scheduler: a prompt leaves half of the step to those behind it, and takes what they do not need") {
  Bench bench({4, 16}, 100, 8);
  bench.add("long", 100, 5);
  bench.add("short", 3, 5);
  CHECK(bench.step() == (Said{{"long", 13}, {"short", 3}}));
  bench.add("other", 100, 5);
  CHECK(bench.step() == (Said{{"long", 8}, {"other", 7}, {"short", 1}}));
}

TEST("scheduler: first come, first served, up to the batch limit") {
  Bench bench({2, 16}, 100, 8);
  for (const char* id : {"a", "b", "c"}) bench.add(id, 2, 2);
  CHECK(bench.step() == (Said{{"a", 2}, {"b", 2}}));
  CHECK_EQUAL(bench.scheduler.waiting(), 1);
  bench.step();  // a and b end
  CHECK(bench.step() == (Said{{"c", 2}}));
}

TEST("scheduler: out of blocks, the newest gives way, keeps its tokens and its place in line") {
  Bench bench({3, 32}, 6, 2);
  bench.add("old", 4, 8);  // two blocks, grows to six
  bench.add("new", 3, 8);
  bench.step();
  bench.add("later", 2, 8);
  while (bench.scheduler.preemptions() == 0) bench.step();
  CHECK_EQUAL(bench.scheduler.running(), 1);
  const SequenceList taken = bench.scheduler.take("new");
  CHECK_EQUAL(taken.size(), size_t{1});
  const Sequence& waiting = taken.front();
  CHECK(waiting.computed == 0 && waiting.table.blocks.empty());
  CHECK(waiting.completion_tokens() > 0, "the tokens it had generated are kept");
  while (!bench.scheduler.idle()) bench.step();
  CHECK_EQUAL(bench.blocks.free(), bench.blocks.total());
}

TEST("scheduler: random loads end, and every block comes back") {
  int64_t preemptions = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](uint32_t limit) { return static_cast<int32_t>(random() % limit); };
    const int32_t batch = 1 + below(8);
    Bench bench({batch, batch + below(40)}, 2 + below(30), 1 + below(9));
    const int32_t room = bench.context.total_tokens_max;
    int left = 40, steps = 0;
    while (left > 0 || !bench.scheduler.idle()) {
      if (left > 0 && below(3) == 0) bench.add(std::to_string(left--), 1 + below(static_cast<uint32_t>(room - 1)), 1 + below(30));
      if (below(20) == 0) bench.scheduler.take(std::to_string(1 + below(40)));
      bench.step();
      CHECK(++steps < 100000, "seed ", seed, " does not end");
    }
    CHECK_EQUAL(bench.blocks.free(), bench.blocks.total());
    preemptions += bench.scheduler.preemptions();
  }
  CHECK(preemptions > 100, preemptions, " preemptions");
}

}  // namespace
}  // namespace sgmv::test
