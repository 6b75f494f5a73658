// Attention on CUDA against sums in float64, over caches whose unwritten places hold NaN; and the same bits for a query
// however it is computed.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>

#include "cuda/device_test.h"
#include "cuda/stream.h"
#include "ops/attention_cuda.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

struct Shape {
  Number type = Number::bf16;
  int32_t heads = 1;
  int32_t kv_heads = 1;
  int32_t head_dim = 64;
  int32_t block_size = 16;
  int32_t window = 0;
  float softcap = 0;
  bool sinks = false;
  bool chunked = false;
  int32_t values_in_keys = 0;
  int32_t value_dim() const { return values_in_keys > 0 ? values_in_keys : head_dim; }
  int32_t sides() const { return values_in_keys > 0 ? 1 : 2; }
};

int32_t first_seen(const Shape& s, int32_t position) {
  if (s.window == 0) return 0;
  return s.chunked ? position / s.window * s.window : std::max(0, position + 1 - s.window);
}

std::string name_of(const Shape& s) {
  return "type " + std::to_string(static_cast<int>(s.type)) + " heads " + std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) + " of " + std::to_string(s.head_dim) + "/" + std::to_string(s.value_dim()) +
         " block " + std::to_string(s.block_size) + " window " + std::to_string(s.window) + (s.chunked ? " in chunks" : "");
}

// What is where, by a hash: every query, key and value component of every position of every sequence has its value.
enum class Part : uint32_t { query, key, value };
float component(Part part, int32_t sequence, int32_t position, int32_t head, int32_t i) {
  uint64_t x = static_cast<uint64_t>(i);
  x = x * 67 + static_cast<uint64_t>(head);
  x = x * 200'003 + static_cast<uint64_t>(position);
  x = (x * 31 + static_cast<uint64_t>(sequence)) * 3 + static_cast<uint64_t>(part);
  x = (x ^ x >> 31) * 0x9E37'79B9'7F4A'7C15;
  x = (x ^ x >> 29) * 0xBF58'476D'1CE4'E5B9;
  return static_cast<float>(static_cast<double>((x ^ x >> 32) & 0xFFFFFF) / 0x800000 - 1.0);
}
// Scores get a spread of about 2, so that few positions have most of the weight and none that leaks in stays unseen.
float query_scale(const Shape& s) { return 6.0f / std::sqrt(static_cast<float>(s.head_dim)); }

// Of some heads above all scores, and of some far below.
float sink_of(int32_t head) { return head % 4 == 3 ? 9.0f : head % 4 == 2 ? -100.0f : 1.5f * static_cast<float>(head % 4) - 0.5f; }

std::vector<float> row_of(const Shape& shape, Part part, int32_t sequence, int32_t position, int32_t head) {
  std::vector<float> row;
  const Part from = part == Part::value && shape.values_in_keys > 0 ? Part::key : part;
  for (int32_t i = 0; i < (part == Part::value ? shape.value_dim() : shape.head_dim); ++i)
    row.push_back(component(from, sequence, position, head, i) * (part == Part::query ? query_scale(shape) : 1.0f));
  return row;
}

// Tokens at positions [begin, begin + count) of a sequence.
struct Slice {
  int32_t sequence;
  int32_t begin;
  int32_t count;
};

// The cache as it is when the batch's own keys and values are stored: of every sequence, the positions that its slice's
// queries see. Everything else is NaN. `scatter` decides the order of the blocks.
struct Cache {
  std::vector<std::byte> bytes;
  std::vector<int32_t> tables;
  std::vector<int32_t> begins;  // of each slice's table in tables
};

Cache fill_cache(const Shape& shape, const std::vector<Slice>& batch, int32_t scatter) {
  Cache cache;
  int32_t blocks = 1;  // block 0 holds nothing
  for (const Slice& slice : batch) {
    cache.begins.push_back(static_cast<int32_t>(cache.tables.size()));
    for (int32_t p = 0; p < slice.begin + slice.count; p += shape.block_size) cache.tables.push_back(blocks++);
  }
  const int32_t step = scatter * 2 + 1, others = blocks - 1;
  for (int32_t& block : cache.tables)
    if (scatter > 0) block = std::gcd(step, others) == 1 ? 1 + (block - 1) * step % others : blocks - block;
  const int64_t stride = padded(shape.head_dim);
  const size_t size = number_bytes(shape.type);
  cache.bytes.assign(static_cast<size_t>(int64_t{blocks} * shape.kv_heads * shape.sides() * shape.block_size * stride) * size, std::byte{0xFF});
  for (size_t i = 0; i < batch.size(); ++i) {
    const Slice& slice = batch[i];
    const int32_t first = first_seen(shape, slice.begin);
    for (int32_t p = 0; p < first / shape.block_size; ++p) cache.tables[static_cast<size_t>(cache.begins[i] + p)] = 0;
    for (int32_t p = first; p < slice.begin + slice.count; ++p)
      for (int32_t head = 0; head < shape.kv_heads; ++head)
        for (int32_t which = 0; which < shape.sides(); ++which) {
          const int64_t block = cache.tables[static_cast<size_t>(cache.begins[i] + p / shape.block_size)];
          const int64_t row = ((block * shape.kv_heads + head) * shape.sides() + which) * shape.block_size + p % shape.block_size;
          const auto bytes = rows_of(shape.type, row_of(shape, which == 0 ? Part::key : Part::value, slice.sequence, p, head), shape.head_dim, stride);
          std::copy(bytes.begin(), bytes.end(), cache.bytes.begin() + static_cast<long>(static_cast<size_t>(row * stride) * size));
        }
  }
  return cache;
}

struct Way {
  int32_t scatter = 1;
  int32_t positions_more = 0;  // positions_max beyond what there is
  int32_t padding = 0;         // tokens and tiles behind the batch's own that only fill a bucket
  bool lone_tiles = false;     // a tile per token
};

// The batch's inputs on the device.
struct Inputs {
  DeviceArray<std::byte> q, cache;
  DeviceArray<AttentionTile> tiles;
  DeviceArray<int32_t> tables;
  DeviceArray<float> sinks;
  int32_t tokens = 0;
  int32_t positions = 0;
};

Inputs make_inputs(const Shape& shape, const std::vector<Slice>& batch, const Way& way) {
  Inputs inputs;
  Cache cache = fill_cache(shape, batch, way.scatter);
  std::vector<AttentionTile> tiles;
  std::vector<float> q;
  const int32_t most = way.lone_tiles ? 1 : attention_tile_tokens(shape.heads / shape.kv_heads);
  for (size_t i = 0; i < batch.size(); ++i) {
    const Slice& slice = batch[i];
    for (int32_t at = 0; at < slice.count; at += most)
      tiles.push_back({inputs.tokens + at, std::min(most, slice.count - at), slice.begin + at, cache.begins[i]});
    for (int32_t p = slice.begin; p < slice.begin + slice.count; ++p)
      for (int32_t head = 0; head < shape.heads; ++head) {
        const auto row = row_of(shape, Part::query, slice.sequence, p, head);
        q.insert(q.end(), row.begin(), row.end());
      }
    inputs.tokens += slice.count;
    inputs.positions = std::max(inputs.positions, slice.begin + slice.count);
  }
  std::vector<std::byte> rows = rows_of(shape.type, q, shape.head_dim, padded(shape.head_dim));
  for (int32_t i = 0; i < way.padding; ++i) tiles.push_back({inputs.tokens + i, 0, -1, 1 << 30});
  inputs.tokens += way.padding;
  rows.resize(static_cast<size_t>(int64_t{inputs.tokens} * shape.heads * padded(shape.head_dim)) * number_bytes(shape.type), std::byte{0xFF});
  inputs.q = on_device(rows);
  inputs.cache = on_device(cache.bytes);
  inputs.tiles = on_device(tiles);
  inputs.tables = on_device(cache.tables);
  std::vector<float> sinks;
  for (int32_t head = 0; shape.sinks && head < shape.heads; ++head) sinks.push_back(sink_of(head));
  inputs.sinks = on_device(sinks);
  return inputs;
}

int64_t out_stride(const Shape& shape) { return padded(int64_t{shape.heads} * shape.value_dim()); }

AttentionWork work_on(const Shape& shape, const Inputs& inputs, int32_t positions_max) {
  AttentionWork work;
  work.q = inputs.q.data();
  work.cache = {shape.type, inputs.cache.data(), shape.kv_heads, shape.block_size, shape.head_dim, shape.values_in_keys};
  work.tiles = inputs.tiles.data();
  work.tile_count = static_cast<int32_t>(inputs.tiles.size());
  work.block_tables = inputs.tables.data();
  work.heads = shape.heads;
  work.tokens = inputs.tokens;
  work.positions_max = positions_max;
  work.window = shape.window;
  work.chunked = shape.chunked;
  work.softcap = shape.softcap;
  work.sinks = shape.sinks ? inputs.sinks.data() : nullptr;
  work.token_stride = out_stride(shape);
  work.head_stride = shape.value_dim();
  return work;
}

using Row = std::vector<std::byte>;
// Results by sequence and position: all heads of a token.
using Results = std::map<std::pair<int32_t, int32_t>, Row>;

Results run(const Shape& shape, const std::vector<Slice>& batch, const Way& way = {}) {
  const Inputs inputs = make_inputs(shape, batch, way);
  AttentionWork work = work_on(shape, inputs, inputs.positions + way.positions_more);
  const auto scratch = poisoned<float>(static_cast<size_t>(attention_scratch_floats(work.tokens, shape.heads, shape.value_dim(), work.positions_max)));
  const size_t row_bytes = static_cast<size_t>(out_stride(shape)) * number_bytes(shape.type);
  const size_t used = static_cast<size_t>(shape.heads * shape.value_dim()) * number_bytes(shape.type);
  const auto out = poisoned<std::byte>(static_cast<size_t>(inputs.tokens) * row_bytes);
  work.scratch = scratch.data();
  work.out = out.data();
  attention(nullptr, work);
  const std::vector<std::byte> found = from_device(out);
  Results results;
  size_t token = 0;
  const auto untouched = [&](size_t begin, size_t end) {
    return std::all_of(found.data() + begin, found.data() + end, [](std::byte b) { return b == std::byte{0xFF}; });
  };
  for (const Slice& slice : batch)
    for (int32_t p = slice.begin; p < slice.begin + slice.count; ++p, ++token) {
      const auto begin = found.begin() + static_cast<long>(token * row_bytes);
      results[{slice.sequence, p}] = Row(begin, begin + static_cast<long>(used));
      CHECK(untouched(token * row_bytes + used, (token + 1) * row_bytes), "padding behind token ", token, " was written: ", name_of(shape));
    }
  CHECK(untouched(token * row_bytes, found.size()), "rows without a token were written: ", name_of(shape));
  return results;
}

// Σ weight · value and Σ weight · |value| of one head of one query, in float64 from the rounded inputs.
struct Expected {
  std::vector<double> sums, magnitudes;
};
Expected expect(const Shape& shape, int32_t sequence, int32_t position, int32_t head) {
  const auto q = rounded_to(shape.type, row_of(shape, Part::query, sequence, position, head));
  const int32_t kv_head = head / (shape.heads / shape.kv_heads), first = first_seen(shape, position);
  std::vector<double> scores;
  double top = -1e300, mass = 0;
  for (int32_t p = first; p <= position; ++p) {
    const auto k = rounded_to(shape.type, row_of(shape, Part::key, sequence, p, kv_head));
    double score = 0;
    for (size_t i = 0; i < k.size(); ++i) score += q[i] * k[i];
    if (shape.softcap > 0) score = shape.softcap * std::tanh(score / shape.softcap);
    scores.push_back(score);
    top = std::max(top, score);
  }
  if (shape.sinks) top = std::max<double>(top, sink_of(head));
  for (double& score : scores) mass += score = std::exp(score - top);
  if (shape.sinks) mass += std::exp(sink_of(head) - top);
  Expected expected{std::vector<double>(static_cast<size_t>(shape.value_dim())), std::vector<double>(static_cast<size_t>(shape.value_dim()))};
  for (int32_t p = first; p <= position; ++p) {
    const auto v = rounded_to(shape.type, row_of(shape, Part::value, sequence, p, kv_head));
    const double weight = scores[static_cast<size_t>(p - first)] / mass;
    for (size_t i = 0; i < v.size(); ++i) {
      expected.sums[i] += weight * v[i];
      expected.magnitudes[i] += weight * std::abs(v[i]);
    }
  }
  return expected;
}

// Half a unit in the last place, relative: weights are rounded, which moves their sum and so the mean twice, then the
// result is rounded.
double tolerance_of(Number type) { return type == Number::f32 ? 3e-6 : 3.0 * (type == Number::f16 ? 0x1p-11 : 0x1p-8); }

void check_results(const Shape& shape, const Results& results, int32_t every = 1) {
  int32_t at = 0;
  for (const auto& [place, row] : results)
    for (int32_t head = 0; head < shape.heads; ++head) {
      if (at++ % every != 0) continue;
      const Expected expected = expect(shape, place.first, place.second, head);
      for (int32_t i = 0; i < shape.value_dim(); ++i) {
        const double found = number_from(row.data() + static_cast<size_t>(head * shape.value_dim() + i) * number_bytes(shape.type), shape.type);
        const double wanted = expected.sums[static_cast<size_t>(i)], allowed = tolerance_of(shape.type) * expected.magnitudes[static_cast<size_t>(i)] + 1e-6;
        CHECK(std::abs(found - wanted) <= allowed, name_of(shape), ": sequence ", place.first, " position ", place.second, " head ", head,
              " component ", i, " is ", found, ", expected ", wanted);
      }
    }
}

// What both have must be the same; `count` results at least.
void check_same(const Shape& shape, const Results& some, const Results& others, const char* what, int count = 1) {
  int found = 0;
  for (const auto& [place, row] : some) {
    const auto other = others.find(place);
    if (other == others.end()) continue;
    CHECK(row == other->second, what, ": another result at position ", place.second, " of sequence ", place.first, ", ", name_of(shape));
    ++found;
  }
  CHECK(found >= count, what, ": ", found, " results to compare");
}

TEST("attention cuda: types, head sizes, groups and blocks") {
  constexpr int32_t kGroups[] = {1, 2, 7, 32}, kBlocks[] = {16, 4, 1};
  int32_t at = 0;
  for (const int32_t head_dim : {8, 16, 18, 48, 64, 80, 96, 128, 256, 320, 512})
    for (const Number type : {Number::f32, Number::f16, Number::bf16})
      for (const int32_t group : kGroups) {
        if (kSanitized && (at + head_dim / 16) % 3 != 0) { ++at; continue; }
        const int32_t kv_heads = group == 32 ? 1 : 2;
        const Shape shape{type, group * kv_heads, kv_heads, head_dim, kBlocks[at++ % 3], 0, 0};
        check_results(shape, run(shape, {{0, 9, 5}, {1, 0, 1}, {2, 70, 1}}), group);
      }
}

TEST("attention cuda: values that are the first numbers of keys") {
  int32_t at = 0;
  for (const auto& [head_dim, values] : {std::pair{14, 10}, {40, 32}, {64, 64}, {80, 64}, {288, 256}, {330, 256}, {512, 448}, {514, 512}, {560, 498}, {576, 512}})
    for (const Number type : {Number::f32, Number::f16, Number::bf16})
      for (const int32_t group : {1, 16, 20, 128}) {
        if (at++ % (kSanitized ? 5 : 2) != 0) continue;
        const Shape shape{type, group, 1, head_dim, at % 3 == 0 ? 4 : 16, 0, 0, false, false, values};
        check_results(shape, run(shape, {{0, 9, 5}, {1, 0, 1}, {2, 300, 1}}), group);
      }
}

TEST("attention cuda: long contexts, in one block and spread over many") {
  for (const Number type : {Number::f32, Number::f16, Number::bf16}) {
    const Shape shape{type, 4, 2, type == Number::f16 ? 18 : 32, 16, 0, 0};
    const std::vector<Slice> decodes = {{0, 1400, 1}, {1, 255, 1}, {2, 256, 1}, {3, 3, 1}, {4, 700, 1}};
    const Results spread = run(shape, decodes);
    check_results(shape, spread);
    std::vector<Slice> with_others = decodes;
    with_others.push_back({5, 0, 130});
    check_same(shape, spread, run(shape, with_others), "more than 128 tokens behind it", static_cast<int>(decodes.size()));
  }
}

TEST("attention cuda: splits grow with the position") {
  const Shape shape{Number::f16, 1, 1, 8, 32, 0, 0};
  const std::vector<Slice> decodes = {{0, 8191, 1}, {1, 9100, 1}, {2, 8192, 1}};
  const Results spread = run(shape, decodes);
  check_results(shape, spread);
  if (kSanitized) return;
  std::vector<Slice> with_others = decodes;
  with_others.push_back({5, 0, 130});
  check_same(shape, spread, run(shape, with_others), "more than 128 tokens behind it", static_cast<int>(decodes.size()));
}

TEST("attention cuda: a window or chunks, whose blocks before them are gone") {
  for (const auto& [type, chunked] : {std::pair{Number::f32, false}, std::pair{Number::bf16, false}, std::pair{Number::f32, true}, std::pair{Number::bf16, true}})
    for (const int32_t window : {1, 5, 64, 100, 300, 5000}) {
      const Shape shape{type, 2, 1, 16, 4, window, 0, false, chunked};
      const std::vector<Slice> batch = {{0, 0, 40}, {1, 390, 70}, {2, 613, 1}, {3, 98, 5}, {4, 255, 2}, {5, 364, 1}, {6, 554, 32}};
      const Results results = run(shape, batch);
      check_results(shape, results, kSanitized ? 3 : 1);
      // 420 and 448 are alone: from some windows the first chunk's first position is left out.
      for (const Slice& piece : {Slice{1, 390, 30}, Slice{1, 420, 1}, Slice{1, 421, 27}, Slice{1, 448, 1}, Slice{1, 449, 11}})
        check_same(shape, run(shape, {piece}), results, "in pieces", piece.count);
    }
}

TEST("attention cuda: capped scores") {
  for (const Number type : {Number::f32, Number::f16}) {
    const Shape shape{type, 4, 2, 48, 16, 0, 3.0f};
    check_results(shape, run(shape, {{0, 60, 30}, {1, 300, 1}}));
  }
}

TEST("attention cuda: sinks count once, in one split and in many, in one block and spread") {
  for (const auto& [type, window] : {std::pair{Number::f32, 0}, std::pair{Number::f32, 40}, std::pair{Number::f16, 300}, std::pair{Number::bf16, 0}, std::pair{Number::bf16, 40}}) {
    const Shape shape{type, 10, 2, 32, 16, window, 0, true};
    const std::vector<Slice> batch = {{0, 1400, 1}, {1, 255, 1}, {2, 0, 1}, {3, 240, 20}, {4, 700, 1}, {5, 3, 9}};
    const Results results = run(shape, batch);
    check_results(shape, results, 3);
    for (const Slice& slice : batch) check_same(shape, run(shape, {slice}), results, "alone", slice.count);
    check_same(shape, run(shape, {{3, 240, 17}, {0, 1400, 1}}, {2, 221, 5, true}), results, "in pieces, a tile per token, in a bucket", 18);
    if (kSanitized || window != 0) continue;
    check_same(shape, run(shape, {{0, 1400, 1}, {4, 700, 1}, {6, 0, 130}}), results, "more than 128 tokens behind it", 2);
  }
  for (const auto& [head_dim, group] : {std::pair{128, 8}, std::pair{256, 1}, std::pair{64, 8}, std::pair{80, 3}, std::pair{512, 8}}) {
    const Shape shape{Number::bf16, 2 * group, 2, head_dim, 16, 0, head_dim == 80 ? 3.0f : 0.0f, true};
    check_results(shape, run(shape, {{0, 270, 9}, {1, 600, 1}}), group);
  }
}

TEST("attention cuda: the same bits alone, in company, in other pieces, with other tables and buckets") {
  for (const Shape& shape : {Shape{Number::bf16, 4, 2, 64, 16, 0, 0}, Shape{Number::f16, 7, 1, 128, 4, 0, 0}, Shape{Number::bf16, 2, 1, 256, 16, 40, 0},
                             Shape{Number::f32, 4, 2, 32, 1, 0, 0}, Shape{Number::f32, 3, 1, 160, 16, 100, 5.0f}, Shape{Number::bf16, 8, 1, 512, 16, 0, 0},
                             Shape{Number::f32, 2, 1, 320, 16, 0, 0}, Shape{Number::bf16, 20, 1, 576, 16, 0, 0, false, false, 512},
                             Shape{Number::f32, 9, 1, 576, 16, 0, 0, false, false, 512}, Shape{Number::f16, 5, 1, 40, 4, 0, 0, false, false, 32}}) {
    const std::vector<Slice> company = {{0, 250, 23}, {1, 30, 40}, {2, 77, 1}, {3, 0, 1}, {4, 290, 1}};
    const Results all = run(shape, company);
    check_results(shape, all, 5);
    check_same(shape, run(shape, {{0, 250, 7}, {4, 290, 1}, {1, 30, 3}}), all, "in pieces, the first", 11);
    check_same(shape, run(shape, {{4, 290, 1}, {3, 0, 1}, {2, 77, 1}}, {2, 221, 5, false}), all, "in a bucket", 3);
    check_same(shape, run(shape, {{0, 250, 10}, {2, 77, 1}}, {0, 0, 0, true}), all, "a tile per token", 11);
    if (kSanitized) continue;  // these launch what those did, for sanitizers no other way
    for (const Slice& slice : company) check_same(shape, run(shape, {slice}), all, "alone", slice.count);
    check_same(shape, run(shape, {{2, 77, 1}, {0, 257, 16}, {1, 33, 37}}), all, "in pieces, the second", 54);
    check_same(shape, run(shape, {{0, 256, 1}, {1, 69, 1}}), all, "token by token", 2);
    check_same(shape, run(shape, {{0, 250, 23}, {1, 30, 9}, {4, 290, 1}}, {3, 1000, 0, false}), all, "other block tables, a larger positions_max", 33);
    if (shape.head_dim > 64 && shape.values_in_keys == 0) continue;
    check_same(shape, run(shape, {{0, 250, 23}, {4, 290, 1}, {6, 0, 128}}), all, "before many others", 24);
    check_same(shape, run(shape, {{0, 250, 23}, {4, 290, 1}, {6, 0, 128}}, {1, 0, 0, true}), all, "before many others, a tile per token", 24);
  }
}

TEST("attention cuda: rows that only fill a bucket, and an empty batch") {
  const Shape shape{Number::bf16, 3, 1, 10, 4, 0, 0};  // 30 columns of 32
  check_results(shape, run(shape, {{0, 20, 1}, {1, 300, 1}}, {1, 0, 6, false}));
  AttentionWork nothing;
  nothing.cache = {Number::bf16, nullptr, 1, 16, 64};
  nothing.heads = 1;
  nothing.positions_max = 1;
  attention(nullptr, nothing);
  check(cudaDeviceSynchronize(), "nothing");
}

TEST("attention cuda: a recorded launch follows a sequence that grows") {
  const Shape shape{Number::bf16, 4, 2, 16, 16, 0, 0};
  constexpr int32_t kPositionsMax = 1024;
  const std::vector<std::vector<Slice>> steps = {{{0, 100, 1}, {1, 5, 1}}, {{0, 255, 1}, {1, 6, 1}}, {{0, 256, 1}, {2, 900, 1}}, {{0, 600, 1}, {2, 901, 1}}};
  Inputs now = make_inputs(shape, steps.back(), {});  // the largest: the others' arrays fit in
  AttentionWork work = work_on(shape, now, kPositionsMax);
  const auto scratch = poisoned<float>(static_cast<size_t>(attention_scratch_floats(work.tokens, shape.heads, shape.value_dim(), kPositionsMax)));
  const size_t row_bytes = static_cast<size_t>(out_stride(shape)) * 2;
  const auto out = poisoned<std::byte>(2 * row_bytes);
  work.scratch = scratch.data();
  work.out = out.data();
  Stream stream;
  const Graph graph = Graph::record(stream, [&] { attention(stream, work); });
  for (const std::vector<Slice>& step : steps) {
    const Inputs inputs = make_inputs(shape, step, {});
    CHECK(inputs.cache.size() <= now.cache.size() && inputs.tables.size() <= now.tables.size());
    check(cudaMemsetAsync(now.cache.data(), 0xFF, now.cache.bytes(), stream), "poison");
    check(cudaMemcpyAsync(now.q.data(), inputs.q.data(), inputs.q.bytes(), cudaMemcpyDeviceToDevice, stream), "queries");
    check(cudaMemcpyAsync(now.cache.data(), inputs.cache.data(), inputs.cache.bytes(), cudaMemcpyDeviceToDevice, stream), "cache");
    check(cudaMemcpyAsync(now.tiles.data(), inputs.tiles.data(), inputs.tiles.bytes(), cudaMemcpyDeviceToDevice, stream), "tiles");
    check(cudaMemcpyAsync(now.tables.data(), inputs.tables.data(), inputs.tables.bytes(), cudaMemcpyDeviceToDevice, stream), "tables");
    graph.launch(stream);
    stream.synchronize();
    const std::vector<std::byte> found = from_device(out);
    Results results;
    for (size_t i = 0; i < 2; ++i)
      results[{step[i].sequence, step[i].begin}] = Row(found.data() + i * row_bytes, found.data() + (i + 1) * row_bytes);
    check_results(shape, results);
    check_same(shape, run(shape, step), results, "recorded");
  }
}

TEST("attention cuda: tiles fill 64 rows, and only contexts of more than one split need scratch") {
  CHECK_EQUAL(attention_tile_tokens(1), 64);
  CHECK_EQUAL(attention_tile_tokens(7), 9);
  CHECK_EQUAL(attention_tile_tokens(71), 1);
  CHECK_EQUAL(attention_scratch_floats(100, 32, 128, 256), int64_t{0});
  CHECK_EQUAL(attention_scratch_floats(1, 32, 128, 257), int64_t{2 * 32 * 130});
  CHECK_EQUAL(attention_scratch_floats(8192, 32, 128, 131072), int64_t{128} * 32 * 96 * 130);
}

}  // namespace
}  // namespace sgmv::test
