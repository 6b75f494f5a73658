// Memory on its own: who has which block, and what is found again.
#include "engine/block_manager.h"

#include <map>
#include <random>

#include "check.h"
#include "fake_model.h"

namespace sgmv::test {
namespace {

struct Blocks {
  explicit Blocks(int32_t count, int32_t size, bool reuse = true, PrefixIndex::Hash hash = PrefixIndex::hash)
      : cache(FakeModel({}, log).make_kv_cache(count, size)), manager(*cache, reuse, nullptr, hash) {}

  // A table that has computed `tokens`, from what is found on.
  BlockTable compute(const std::vector<int32_t>& tokens, const PrefixScope& scope, int32_t* found = nullptr) {
    BlockTable table;
    const int32_t begin = manager.reuse(table, scope, tokens);
    if (found) *found = begin;
    CHECK(manager.prepare(table, begin, static_cast<int64_t>(tokens.size())));
    manager.publish(table, scope, tokens);
    return table;
  }
  int32_t found(const std::vector<int32_t>& tokens, const PrefixScope& scope = {}) {
    BlockTable table;
    const int32_t positions = manager.reuse(table, scope, tokens);
    manager.release(table);
    return positions;
  }

  std::shared_ptr<FakeLog> log = std::make_shared<FakeLog>();
  std::unique_ptr<KvCache> cache;
  BlockManager manager;
};

std::vector<int32_t> counting(int32_t count, int32_t from = 0) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) tokens[static_cast<size_t>(i)] = from + i;
  return tokens;
}

TEST("blocks: all that is asked for or nothing") {
  Blocks blocks(4, 8, false);
  BlockTable a, b;
  CHECK(blocks.manager.prepare(a, 0, 17) && a.blocks.size() == 3);
  CHECK(blocks.manager.prepare(a, 17, 24) && a.blocks.size() == 3);
  CHECK(!blocks.manager.prepare(b, 0, 9));
  CHECK(b.blocks.empty() && blocks.manager.free() == 1);
  CHECK(blocks.manager.prepare(b, 0, 8));
  blocks.manager.release(a);
  blocks.manager.release(b);
  CHECK_EQUAL(blocks.manager.free(), 4);
  CHECK_EQUAL(blocks.manager.cached(), 0);
}

TEST("blocks: full blocks are found again, the last token's never") {
  Blocks blocks(16, 4);
  BlockTable table = blocks.compute(counting(14), {});
  CHECK_EQUAL(blocks.found(counting(14)), 12);
  CHECK_EQUAL(blocks.found(counting(13)), 12);
  CHECK_EQUAL(blocks.found(counting(12)), 8);
  CHECK_EQUAL(blocks.found(counting(20)), 12);
  CHECK_EQUAL(blocks.found(counting(20, 1)), 0);
  CHECK_EQUAL(blocks.found(counting(1)), 0);
  std::vector<int32_t> other = counting(14);
  other[5] = 99;
  CHECK_EQUAL(blocks.found(other), 4);
  blocks.manager.release(table);
  CHECK_EQUAL(blocks.manager.free(), 16);
  CHECK_EQUAL(blocks.manager.cached(), 3);
  CHECK_EQUAL(blocks.found(counting(14)), 12);
}

TEST("blocks: another salt or another adapter finds nothing") {
  Blocks blocks(64, 4);
  const std::vector<int32_t> tokens = counting(20);
  for (const PrefixScope scope : {PrefixScope{0, "a"}, PrefixScope{0, "b"}, PrefixScope{1, "a"}, PrefixScope{2, "a"}, PrefixScope{}}) {
    CHECK_EQUAL(blocks.found(tokens, scope), 0);
    BlockTable table = blocks.compute(tokens, scope);
    blocks.manager.release(table);
    CHECK_EQUAL(blocks.found(tokens, scope), 16);
  }
}

TEST("blocks: cached ones make room, least recently used first, ends before beginnings") {
  Blocks blocks(6, 4);
  BlockTable old = blocks.compute(counting(13), {});
  blocks.manager.release(old);
  BlockTable young = blocks.compute(counting(8, 100), {});
  blocks.manager.release(young);
  CHECK_EQUAL(blocks.manager.cached(), 5);
  BlockTable taking;
  CHECK(blocks.manager.prepare(taking, 0, 8));  // the empty block and one cached
  CHECK_EQUAL(blocks.found(counting(13)), 8);
  CHECK_EQUAL(blocks.found(counting(9, 100)), 8);
  CHECK(blocks.manager.prepare(taking, 8, 24));
  CHECK_EQUAL(blocks.manager.free(), 0);
  CHECK_EQUAL(blocks.found(counting(13)), 0);
  blocks.manager.release(taking);
  CHECK_EQUAL(blocks.manager.free(), 6);
}

TEST("blocks: two tables with the same tokens end up with the same blocks") {
  Blocks blocks(16, 4);
  const std::vector<int32_t> tokens = counting(10);
  BlockTable a, b;
  CHECK(blocks.manager.prepare(a, 0, 10) && blocks.manager.prepare(b, 0, 10));
  CHECK_EQUAL(blocks.manager.free(), 10);
  blocks.manager.publish(a, {}, tokens);
  blocks.manager.publish(b, {}, tokens);
  CHECK_EQUAL(blocks.manager.free(), 12);
  CHECK(a.blocks[0] == b.blocks[0] && a.blocks[1] == b.blocks[1] && a.blocks[2] != b.blocks[2]);
  blocks.manager.release(a);
  CHECK_EQUAL(blocks.found(tokens), 8);
  blocks.manager.release(b);
  CHECK_EQUAL(blocks.manager.free(), 16);
}

TEST("blocks: a shared block is copied before it is written, once") {
  Blocks blocks(8, 4);
  BlockTable a = blocks.compute(counting(6), {}), b;
  blocks.manager.share(a, b, 6);
  CHECK_EQUAL(blocks.manager.free(), 6);
  CHECK(blocks.manager.prepare(b, 6, 7));
  CHECK_EQUAL(blocks.log->copies.load(), 1);
  CHECK(a.blocks[0] == b.blocks[0] && a.blocks[1] != b.blocks[1]);
  CHECK(blocks.manager.prepare(a, 6, 7) && blocks.manager.prepare(b, 7, 8));
  CHECK_EQUAL(blocks.log->copies.load(), 1);
  blocks.manager.release(a);
  blocks.manager.release(b);
  CHECK_EQUAL(blocks.manager.free(), 8);
}

TEST("blocks: one that is to be written again is taken out of the index") {
  Blocks blocks(8, 4);
  BlockTable a = blocks.compute(counting(8), {}), b;
  blocks.manager.share(a, b, 8);
  blocks.manager.release(a);
  CHECK(blocks.manager.prepare(b, 7, 8));
  CHECK_EQUAL(blocks.log->copies.load(), 0);
  CHECK_EQUAL(blocks.found(counting(9)), 4);
  blocks.manager.publish(b, {}, counting(8));
  CHECK_EQUAL(blocks.found(counting(9)), 8);
  blocks.manager.release(b);
}

// So many bytes as the test says, and what it wants back.
struct FakeMemory final : BlockMemory {
  explicit FakeMemory(size_t bytes) : bytes(bytes) {}
  bool take(size_t more, TimePoint) noexcept override {
    if (more > bytes) return false;
    bytes -= more;
    return true;
  }
  void give(size_t back) noexcept override {
    bytes += back;
    back_wanted -= std::min(back_wanted, back);
  }
  size_t wanted() const noexcept override { return back_wanted; }
  void tell_idle(TimePoint since) noexcept override { idle = since; }

  size_t bytes;
  size_t back_wanted = 0;
  TimePoint idle{};
};

// Extents of two blocks of four positions, of 64 bytes.
struct Extents {
  explicit Extents(size_t extents) : memory(extents * 64) {}

  std::shared_ptr<FakeLog> log = std::make_shared<FakeLog>();
  FakeMemory memory;
  std::unique_ptr<KvCache> cache = FakeModel({.extent_blocks = 2}, log).make_kv_cache(9, 4, KvMemory::extents);
  BlockManager manager{*cache, true, &memory};
};

TEST("blocks: memory comes by extents, and no more of it than there is") {
  Extents extents(3);
  BlockTable a, b;
  CHECK(extents.manager.prepare(a, 0, 12) && extents.manager.total() == 4);
  CHECK(!extents.manager.prepare(b, 0, 16));
  CHECK_EQUAL(extents.manager.total(), 6);
  CHECK(b.blocks.empty() && extents.manager.prepare(b, 0, 12));
  CHECK_EQUAL(extents.log->extents.load(), 3);
  CHECK(extents.log->fault.empty(), extents.log->fault);
}

TEST("blocks: an extent that cannot be had after all is not taken") {
  Extents extents(3);
  extents.log->scarce_extents = 1;
  BlockTable a;
  CHECK(!extents.manager.prepare(a, 0, 12));
  CHECK(extents.memory.bytes == 128 && extents.manager.total() == 2);
  CHECK(extents.manager.prepare(a, 0, 12));
}

TEST("blocks: extents go back that have no block in use, the longest idle first, but the first") {
  Extents extents(5);
  std::vector<BlockTable> tables;
  for (int32_t i = 0; i < 4; ++i) {
    BlockTable& table = tables.emplace_back();
    const std::vector<int32_t> tokens = counting(8, 100 * i);
    CHECK(extents.manager.prepare(table, 0, 8));
    extents.manager.publish(table, {}, tokens);
  }
  extents.memory.back_wanted = 1000;
  extents.manager.give_back();
  CHECK(extents.log->extents == 4 && extents.memory.idle == BlockMemory::TimePoint::max());
  for (const size_t i : {size_t{0}, size_t{2}, size_t{1}}) extents.manager.release(tables[i]);
  extents.memory.back_wanted = 64;
  extents.manager.give_back();
  CHECK(extents.memory.back_wanted == 0 && extents.log->extents == 3);
  const auto found = [&](int32_t i) {
    BlockTable table;
    const int32_t positions = extents.manager.reuse(table, {}, counting(9, 100 * i));
    extents.manager.release(table);
    return positions;
  };
  CHECK_EQUAL(found(2), 0);
  CHECK_EQUAL(found(1), 8);
  CHECK_EQUAL(found(0), 8);
  extents.memory.back_wanted = 1000;
  extents.manager.give_back();
  CHECK(extents.log->extents == 2 && extents.manager.free() == 2);
  CHECK(extents.manager.prepare(tables[0], 0, 24));
  CHECK(extents.log->fault.empty(), extents.log->fault);
}

// What random tables hold must be what their tokens say, whatever was shared, copied, dropped and reused before: each
// block's content is written here next to it, as the model would.
void check_random(uint32_t seed, PrefixIndex::Hash hash) {
  std::mt19937 random(seed);
  const auto below = [&](uint32_t limit) { return static_cast<int32_t>(random() % limit); };
  const int32_t size = 1 + below(5), count = 6 + below(40);
  Blocks blocks(count, size, true, hash);
  struct User {
    BlockTable table;
    PrefixScope scope;
    std::vector<int32_t> tokens;
  };
  using Written = std::pair<std::pair<uint64_t, std::string>, std::vector<int32_t>>;  // scope, tokens from the start
  std::map<std::pair<int32_t, int32_t>, Written> content;  // by block and place in it
  std::vector<User> users;
  static constexpr const char* kSalts[] = {"", "a", "b"};
  int64_t hits = 0;
  const auto write = [&](User& user, int32_t begin) {
    for (auto position = begin; position < static_cast<int32_t>(user.tokens.size()); ++position) {
      content[{user.table.blocks[static_cast<size_t>(position / size)], position % size}] = {{user.scope.adapter, std::string(user.scope.salt)}, {user.tokens.begin(), user.tokens.begin() + position + 1}};
    }
  };
  for (int step = 0; step < 400; ++step) {
    const int what = below(10);
    if (what < 4) {
      User user{{}, {static_cast<uint64_t>(below(2)), kSalts[below(3)]}, {}};
      for (int32_t left = 1 + below(30); left > 0; --left) user.tokens.push_back(below(2));
      const int32_t begin = blocks.manager.reuse(user.table, user.scope, user.tokens);
      hits += begin;
      if (blocks.manager.prepare(user.table, begin, static_cast<int64_t>(user.tokens.size()))) {
        write(user, begin);
        users.push_back(std::move(user));
      } else {
        blocks.manager.release(user.table);
      }
    } else if (!users.empty()) {
      User& user = users[static_cast<size_t>(below(static_cast<uint32_t>(users.size())))];
      const auto length = static_cast<int32_t>(user.tokens.size());
      if (what < 6) {
        user.tokens.push_back(below(2));
        if (blocks.manager.prepare(user.table, length, length + 1)) write(user, length);
        else user.tokens.pop_back();
      } else if (what == 6) {
        User fork{{}, user.scope, user.tokens};
        blocks.manager.share(user.table, fork.table, length);
        if (blocks.manager.prepare(fork.table, length - 1, length)) {
          for (int32_t i = 0; i + 1 < length; ++i) {  // what copying did
            const auto at = static_cast<size_t>(i / size);
            content[{fork.table.blocks[at], i % size}] = content[{user.table.blocks[at], i % size}];
          }
          write(fork, length - 1);
          users.push_back(std::move(fork));
        } else {
          blocks.manager.release(fork.table);
        }
      } else if (what < 9) {
        blocks.manager.publish(user.table, user.scope, user.tokens);
      } else {
        blocks.manager.release(user.table);
        users.erase(users.begin() + (&user - users.data()));
      }
    }
    std::map<int32_t, int> owners;
    for (const User& user : users) {
      for (size_t i = 0; i < user.tokens.size(); ++i) {
        const auto& [scope, tokens] = content[{user.table.blocks[i / static_cast<size_t>(size)], static_cast<int32_t>(i) % size}];
        CHECK(scope.first == user.scope.adapter && scope.second == user.scope.salt, "seed ", seed, ": another scope's block");
        CHECK(std::equal(tokens.begin(), tokens.end(), user.tokens.begin(), user.tokens.begin() + static_cast<std::ptrdiff_t>(i) + 1), "seed ", seed, ": another text's block");
      }
      for (const int32_t block : user.table.blocks) owners[block] += 1;
    }
    CHECK_EQUAL(blocks.manager.free() + static_cast<int32_t>(owners.size()), count);
  }
  for (User& user : users) blocks.manager.release(user.table);
  CHECK_EQUAL(blocks.manager.free(), count);
  CHECK(hits > 0, "nothing was ever found");
}

TEST("blocks: random tables never see a stale or a foreign block") {
  for (uint32_t seed = 0; seed < 60; ++seed) check_random(seed, PrefixIndex::hash);
}

TEST("blocks: nor when all hashes collide") {
  for (uint32_t seed = 0; seed < 60; ++seed) check_random(seed, [](const PrefixView&) -> uint64_t { return 7; });
}

}  // namespace
}  // namespace sgmv::test
