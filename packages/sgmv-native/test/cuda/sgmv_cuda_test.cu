// Tiles of a step, shrink and expand against plain loops: types × ranks mixed in one launch × popularity of adapters ×
// numbers of tokens, parts that some adapters lack, and the same bits in any company.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <span>

#include "cpu/kernels.h"
#include "cuda/device_test.h"
#include "cuda/launch.h"
#include "cuda/q8.cuh"
#include "cuda/stream.h"
#include "ops/packed_matrix.h"
#include "ops/sgmv_cpu.h"
#include "ops/sgmv_cuda.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

struct Kind {
  Number type;  // of inputs
  LoraFormat format = LoraFormat::of_inputs;
};
constexpr Kind kKinds[] = {{Number::bf16}, {Number::f32}, {Number::bf16, LoraFormat::q8}, {Number::f16}, {Number::f16, LoraFormat::q8}};
// The kernels of float16 are those of bfloat16: long tests leave it out where each of them takes its time.
const std::span<const Kind> kKindsOfLongTests = std::span(kKinds).first(kSanitized ? 3 : std::size(kKinds));
constexpr int kFactors = kFactorsPerLayer + 1;
constexpr int kBase = -1;  // in place of an adapter's number

struct Part {
  std::vector<double> a, b;  // [rank, in], [out, rank], as they are after rounding; empty: the adapter has none
  std::vector<float> dora;   // [out] or empty
  DeviceArray<std::byte> a_rows, b_rows;
  DeviceArray<float> dora_values;
  float scale = 0;
};
struct Adapter {
  int32_t rank;
  std::vector<Part> parts;
  DeviceArray<LoraFactor> factors;
};

// Rows of values as they are in 8 bits, a scale for every `group` numbers of a row, rounded to half precision or not.
std::vector<double> rounded_to_q8(const std::vector<float>& values, int64_t columns, int64_t group, bool half_scales) {
  std::vector<double> result;
  for (auto row = values.begin(); row != values.end(); row += columns)
    for (int64_t first = 0; first < columns; first += group) {
      const auto begin = row + first, end = row + std::min(first + group, columns);
      float largest = 0;
      for (auto v = begin; v != end; ++v) largest = std::max(largest, std::abs(*v));
      const float scale = half_scales ? f16_to_float(float_to_f16(largest / 127)) : largest / 127;
      const float inverse = half_scales ? 1 / scale : 127 / largest;
      for (auto v = begin; v != end; ++v) result.push_back(largest == 0 ? 0 : double{scale} * std::clamp(std::nearbyint(*v * inverse), -127.0f, 127.0f));
    }
  return result;
}

// A group of projections and the adapters on it. Every fourth part is missing, every other adapter has DoRA. Rows of B are
// of all sizes, some zero, as is A's last where there are many.
struct World {
  Number type;
  LoraFormat format;
  LoraGroup group;
  std::vector<Adapter> adapters;
  int64_t y_stride = 5;
  mutable std::mt19937 random{7};

  World(Kind kind, int32_t in, const std::vector<int32_t>& outs, const std::vector<int32_t>& ranks) : type(kind.type), format(kind.format) {
    group.in = in;
    for (const int32_t out : outs) {
      group.parts[group.part_count] = {2 * group.part_count + 1, out, static_cast<int32_t>(y_stride) - 2};
      group.part_count += 1;
      y_stride += out + 3;
    }
    for (const int32_t rank : ranks) add_adapter(rank);
  }

  std::vector<float> normal(int64_t size, double scale = 1) const {
    std::normal_distribution<float> distribution;
    std::vector<float> values(static_cast<size_t>(size));
    for (float& v : values) v = distribution(random) * static_cast<float>(scale);
    return values;
  }

  void add_adapter(int32_t rank) {
    const auto number = static_cast<int>(adapters.size());
    Adapter adapter{rank, std::vector<Part>(static_cast<size_t>(group.part_count)), {}};
    std::vector<LoraFactor> factors(kFactors);
    for (int p = 0; p < group.part_count; ++p) {
      LoraFactor& factor = factors[static_cast<size_t>(group.parts[p].factor)];
      factor.rank = rank, factor.scale = 1;  // a null a says that there is none, whatever else is there
      if (group.part_count > 1 && (number + p) % 4 == 3) continue;
      Part& part = adapter.parts[static_cast<size_t>(p)];
      const int32_t out = group.parts[p].out;
      std::vector<float> a = normal(int64_t{rank} * group.in, 1 / std::sqrt(group.in)), b = normal(int64_t{out} * rank);
      for (size_t i = 0; i < b.size(); ++i) b[i] *= std::array{1.0f, 0.01f, 0.0f, 30.0f, 3e-4f}[i / static_cast<size_t>(rank) % 5];
      if (rank > 4) std::fill(a.end() - group.in, a.end(), 0.0f);
      set_factors(part, a, b, rank);
      part.scale = 0.25f * static_cast<float>(1 + number + p);
      if (number % 2 == 1) part.dora = normal(out), part.dora_values = on_device(part.dora);
      factor = {part.a_rows.data(), part.b_rows.data(), part.dora_values.data(), rank, part.scale};
    }
    adapter.factors = on_device(factors);
    adapters.push_back(std::move(adapter));
  }

  void set_factors(Part& part, const std::vector<float>& a, const std::vector<float>& b, int32_t rank) const {
    if (format == LoraFormat::of_inputs) {
      part.a = rounded_to(type, a), part.b = rounded_to(type, b);
      part.a_rows = on_device(rows_of(type, a, group.in, padded(group.in)));
      part.b_rows = on_device(rows_of(type, b, rank, lora_b_stride(rank)));
      return;
    }
    const auto out = static_cast<int64_t>(b.size()) / rank;
    part.a = rounded_to_q8(a, group.in, group.in, false), part.b = rounded_to_q8(b, rank, kScaleRanks, true);
    std::vector<std::byte> a_rows(lora_a_bytes(format, type, rank, group.in)), b_rows(lora_b_bytes(format, type, rank, out));
    pack_lora_a_q8(a.data(), rank, group.in, a_rows.data());
    CHECK(pack_lora_b_q8(b.data(), out, rank, b_rows.data()));
    part.a_rows = on_device(a_rows), part.b_rows = on_device(b_rows);
  }

  int32_t rank_max() const {
    int32_t result = 1;
    for (const Adapter& adapter : adapters) result = std::max(result, adapter.rank);
    return result;
  }
  DeviceArray<const LoraFactor*> factors_of(const std::vector<int>& adapter_of_token) const {
    std::vector<const LoraFactor*> result;
    for (const int i : adapter_of_token) result.push_back(i == kBase ? nullptr : adapters[static_cast<size_t>(i)].factors.data());
    return on_device(result);
  }
};

// Rows of x with NaN behind padded(in), which nobody may read.
struct Input {
  int64_t stride;
  std::vector<double> values;  // [tokens, in], rounded
  DeviceArray<std::byte> rows;
  Input(const World& world, const std::vector<float>& numbers) : stride(padded(world.group.in) + 16), values(rounded_to(world.type, numbers)) {
    std::vector<std::byte> bytes = rows_of(world.type, numbers, world.group.in, stride);
    const size_t size = number_bytes(world.type), row_bytes = static_cast<size_t>(stride) * size, gap = 16 * size;
    for (size_t end = row_bytes; end <= bytes.size(); end += row_bytes) std::memset(bytes.data() + end - gap, 0xFF, gap);
    rows = on_device(bytes);
  }
};

struct Outcome {
  std::vector<float> v, y;
};

struct Run {
  const World& world;
  std::vector<int> adapter_of_token;
  int32_t tiles_max = 0;  // 0: as many as tokens
  int32_t rank_max = 0;   // 0: of all adapters
  int32_t tokens() const { return static_cast<int32_t>(adapter_of_token.size()); }

  LoraStep step(const LoraTile* tiles, const int32_t* tile_count) const {
    return {world.type, tiles, tile_count, tiles_max > 0 ? tiles_max : tokens(), tokens(), rank_max > 0 ? rank_max : world.rank_max(), world.format};
  }
  Outcome outcome(const Input& x, const std::vector<float>& y_before) const {
    const auto factors = world.factors_of(adapter_of_token);
    auto tiles = poisoned<LoraTile>(adapter_of_token.size());
    auto tile_count = poisoned<int32_t>(1);
    const LoraStep now = step(tiles.data(), tile_count.data());
    auto v = poisoned<float>(static_cast<size_t>(lora_v_floats(world.group, tokens(), now.rank_max)));
    auto y = on_device(y_before);
    plan_lora_tiles(nullptr, factors.data(), tokens(), tiles.data(), tile_count.data());
    sgmv_shrink(nullptr, now, world.group, x.rows.data(), x.stride, v.data());
    sgmv_expand(nullptr, now, world.group, v.data(), y.data(), world.y_stride);
    return {from_device(v), from_device(y)};
  }
};

bool is_poison(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits == 0xFFFF'FFFF;
}

// What v and y must be within for one token and one part.
void check_part(const Run& run, const Input& x, const std::vector<float>& y_before, const Outcome& found, int p, int32_t token) {
  const World& world = run.world;
  const LoraGroup::Part& to = world.group.parts[p];
  const int adapter = run.adapter_of_token[static_cast<size_t>(token)];
  const int32_t rank_max = run.step(nullptr, nullptr).rank_max, in = world.group.in;
  const Part* part = adapter == kBase ? nullptr : &world.adapters[static_cast<size_t>(adapter)].parts[static_cast<size_t>(p)];
  const int32_t rank = part == nullptr || part->a.empty() ? 0 : world.adapters[static_cast<size_t>(adapter)].rank;
  const auto splits = static_cast<int64_t>(found.v.size()) / (int64_t{world.group.part_count} * run.tokens() * rank_max);

  std::vector<double> v(static_cast<size_t>(rank)), size(v.size());
  double largest = 0;
  for (int32_t r = 0; r < rank_max; ++r) {
    double sum = 0;
    for (int64_t split = 0; split < splits; ++split) {
      const float of_split = found.v[static_cast<size_t>(((split * world.group.part_count + p) * run.tokens() + token) * rank_max + r)];
      if (r >= rank) CHECK(is_poison(of_split), "v has a number where no adapter has a rank");
      sum += of_split;
    }
    if (r >= rank) continue;
    for (int32_t k = 0; k < in; ++k) {
      const double product = x.values[static_cast<size_t>(token * int64_t{in} + k)] * part->a[static_cast<size_t>(r * int64_t{in} + k)];
      v[static_cast<size_t>(r)] += product, size[static_cast<size_t>(r)] += std::abs(product);
    }
    CHECK(std::abs(sum - v[static_cast<size_t>(r)]) <= 3e-6 * size[static_cast<size_t>(r)], "v of token ", token, " rank ", r, ": ", sum,
          " expected ", v[static_cast<size_t>(r)]);
    largest = std::max(largest, std::abs(v[static_cast<size_t>(r)]));
  }
  // What is kept of each sum: 16 bits of bfloat16; of float16 22 bits, though counted from the token's largest sum.
  const double kept = world.type == Number::bf16 ? 0x1p-17 : 0, kept_of_largest = world.type == Number::f16 ? 0x1p-21 : 0;
  for (int32_t o = 0; o < to.out; ++o) {
    const auto at = static_cast<size_t>(token * world.y_stride + to.y_column + o);
    double sum = 0, tolerance = 0;
    for (int32_t r = 0; r < rank; ++r) {
      const auto i = static_cast<size_t>(r);
      const double b = part->b[static_cast<size_t>(o * int64_t{rank} + r)];
      sum += v[i] * b;
      tolerance += std::abs(b) * (kept * std::abs(v[i]) + kept_of_largest * largest + 4e-6 * size[i]);
    }
    if (rank == 0) {
      CHECK(std::memcmp(&found.y[at], &y_before[at], sizeof(float)) == 0, "token ", token, " has no adapter there and was changed");
      continue;
    }
    const double dora = part->dora.empty() ? 1 : part->dora[static_cast<size_t>(o)], expected = (y_before[at] + part->scale * sum) * dora;
    const double allowed = std::abs(dora) * (part->scale * tolerance + 3e-7 * std::abs(y_before[at])) + 3e-7 * std::abs(expected);
    CHECK(std::abs(found.y[at] - expected) <= allowed, "token ", token, " rank ", rank, " part ", p, " output ", o, ": ", found.y[at],
          " expected ", expected, " ± ", allowed);
  }
}

void check_outcome(const Run& run, const Input& x, const std::vector<float>& y_before, const Outcome& found) {
  const World& world = run.world;
  for (int32_t token = 0; token < run.tokens(); ++token)
    for (int p = 0; p < world.group.part_count; ++p) check_part(run, x, y_before, found, p, token);
  for (size_t i = 0; i < found.y.size(); ++i) {
    const auto column = static_cast<int64_t>(i) % world.y_stride;
    const bool in_part = std::any_of(world.group.parts, world.group.parts + world.group.part_count,
                                     [&](const LoraGroup::Part& part) { return column >= part.y_column && column < part.y_column + part.out; });
    if (!in_part) CHECK(found.y[i] == y_before[i], "a column of no part was changed");
  }
}

// Token by token, as Punica's benchmark names them; here and there a row without an adapter.
enum class Popularity { distinct, uniform, skewed, identical };
constexpr Popularity kPopularities[] = {Popularity::distinct, Popularity::uniform, Popularity::skewed, Popularity::identical};

std::vector<int> mix(Popularity popularity, int tokens, int adapters, int first) {
  std::vector<int> result;
  const int kinds = std::max(1, static_cast<int>(std::ceil(std::sqrt(tokens))));
  double share = 1, end = 1;
  int number = 0;
  for (int i = 0; i < tokens; ++i) {
    if (popularity == Popularity::distinct) number = i;
    if (popularity == Popularity::uniform) number = i * kinds / tokens;
    if (popularity == Popularity::skewed && i >= end) share *= 1.5, end += std::ceil(share), number += 1;
    result.push_back(tokens > 1 && i % 41 == 5 ? kBase : (first + number) % adapters);
  }
  return result;
}

void check_mix(const World& world, const std::vector<int>& adapter_of_token) {
  const Run run{world, adapter_of_token};
  const Input x(world, world.normal(int64_t{run.tokens()} * world.group.in));
  const std::vector<float> y_before = world.normal(run.tokens() * world.y_stride);
  check_outcome(run, x, y_before, run.outcome(x, y_before));
}

TEST("cuda sgmv: types, ranks in one launch, popularity, numbers of tokens, parts that are missing") {
  for (const Kind& kind : kKindsOfLongTests) {
    const World world(kind, 100, {70, 33, 42}, {1, 3, 4, 8, 16, 17, 64, 256});
    int first = 0;
    for (const int tokens : kSanitized ? std::vector<int>{1, 7, 33} : std::vector<int>{1, 7, 33, 64})
      for (const Popularity popularity : kPopularities) check_mix(world, mix(popularity, tokens, 8, first++));
  }
  // Many tokens: few ranks, which the emulated device is fast enough for.
  for (const Kind& kind : kKindsOfLongTests)
    for (const Popularity popularity : {Popularity::distinct, Popularity::skewed, Popularity::identical})
      if (!kSanitized || popularity == Popularity::skewed) check_mix(World(kind, 36, {36, 6}, {5, 16, 20}), mix(popularity, 200, 3, 1));
}

TEST("cuda sgmv: sums in several splits, outputs in several blocks and stages") {
  for (const Kind& kind : kKindsOfLongTests) {
    check_mix(World(kind, 1100, {1300}, {16, 12}), {0, 0, kBase, 1});                     // 3 splits; 3 blocks of 2 stages
    check_mix(World(kind, 600, {530, 1}, {64, 200, 33}), {0, 1, 1, 1, 2, kBase});         // many stages
    check_mix(World(kind, 48, {530}, {20}), std::vector<int>(30, 0));                     // and tokens in several turns in each
    check_mix(World(kind, 9000, {40}, {2, 40}), {1, 0, 1, 1});                            // splits of 1024
    check_mix(World(kind, 7, {3}, {100}), {0, 0});
    std::vector<int> few(200, kBase);
    few[3] = 0, few[4] = 1, few[150] = 1;
    check_mix(World(kind, 20, {30, 20, 9}, {256, 100}), few);                             // blocks that take several ranks
  }
}

// float16 has neither the range nor, near zero, the precision of the sums in v.
TEST("cuda sgmv: sums beyond float16's range and below its smallest numbers") {
  for (const LoraFormat format : {LoraFormat::of_inputs, LoraFormat::q8}) {
    const World world({Number::f16, format}, 64, {40}, {16, 48});
    const Run run{world, {0, 1, 0, 1, 0, 1, 0}};
    std::vector<float> numbers = world.normal(7 * 64);
    const float sizes[] = {3e4f, 3e4f, 1e-3f, 1e-3f, 3e-7f, 3e-7f, 0.0f};
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::clamp(numbers[i], -2.0f, 2.0f) * sizes[i / 64];
    const Input x(world, numbers);
    const std::vector<float> y_before(static_cast<size_t>(7 * world.y_stride), 0.0f);
    const Outcome found = run.outcome(x, y_before);
    CHECK(std::any_of(found.v.begin(), found.v.end(), [](float v) { return v > 65504; }), "the test's sums are too small");
    check_outcome(run, x, y_before, found);
  }
}

template <typename T>
bool same_bits(const std::vector<T>& a, size_t a_at, const std::vector<T>& b, size_t b_at, size_t count) {
  return std::memcmp(a.data() + a_at, b.data() + b_at, count * sizeof(T)) == 0;
}

TEST("cuda sgmv: a token has the same bits alone and in any company") {
  for (const Kind& kind : kKindsOfLongTests) {
    const World world(kind, 600, {70, 33, 42}, {3, 16, 17, 72});
    std::vector<int> adapter_of_token = mix(Popularity::skewed, 64, 4, 0);
    const Run run{world, adapter_of_token};
    std::vector<float> numbers = world.normal(64 * 600);
    std::fill(numbers.begin() + 20 * 600, numbers.begin() + 21 * 600, std::numeric_limits<float>::quiet_NaN());  // this row's numbers stay its own
    const Input x(world, numbers);
    const std::vector<float> y_before = world.normal(64 * world.y_stride);
    const Outcome together = run.outcome(x, y_before);
    const auto row = static_cast<size_t>(world.y_stride);

    const Outcome one_block = Run{world, adapter_of_token, 1}.outcome(x, y_before);  // blocks take all tiles, one after the other
    CHECK(same_bits(together.y, 0, one_block.y, 0, together.y.size()), "the size of the launch shows in y");
    CHECK(same_bits(together.v, 0, one_block.v, 0, together.v.size()), "the size of the launch shows in v");

    for (const int token : {0, 1, 2, 6, 19, 21, 40, 63}) {
      const auto at = static_cast<size_t>(token);
      const int adapter = adapter_of_token[at];
      if (adapter == kBase) continue;
      const Run run_alone{world, {adapter}, 0, world.adapters[static_cast<size_t>(adapter)].rank};
      const Input x_alone(world, {numbers.begin() + token * 600, numbers.begin() + (token + 1) * 600});
      const std::vector<float> y_alone(y_before.begin() + static_cast<long>(at * row), y_before.begin() + static_cast<long>((at + 1) * row));
      const Outcome alone = run_alone.outcome(x_alone, y_alone);
      CHECK(same_bits(alone.y, 0, together.y, at * row, row), "token ", token, " alone has other bits");
      CHECK(std::memcmp(y_alone.data(), alone.y.data(), row * sizeof(float)) != 0, "token ", token, " was not changed");
    }
  }
}

void check_replay(Kind kind) {
  const World world(kind, 100, {70, 33, 42}, {1, 8, 40});
  const int tokens = 40;
  const Input x(world, world.normal(tokens * 100));
  const std::vector<float> y_before = world.normal(tokens * world.y_stride);
  const Run any{world, std::vector<int>(tokens, kBase)};
  const auto factors = world.factors_of(any.adapter_of_token);
  auto tiles = poisoned<LoraTile>(tokens);
  auto tile_count = poisoned<int32_t>(1);
  const LoraStep step = any.step(tiles.data(), tile_count.data());
  auto v = poisoned<float>(static_cast<size_t>(lora_v_floats(world.group, tokens, step.rank_max)));
  auto y = on_device(y_before);
  Stream stream;
  const Graph graph = Graph::record(stream, [&] {
    plan_lora_tiles(stream, factors.data(), tokens, tiles.data(), tile_count.data());
    sgmv_shrink(stream, step, world.group, x.rows.data(), x.stride, v.data());
    sgmv_expand(stream, step, world.group, v.data(), y.data(), world.y_stride);
  });
  for (const Popularity popularity : {Popularity::distinct, Popularity::identical, Popularity::skewed}) {
    const Run run{world, mix(popularity, tokens, 3, 2)};
    const auto now = world.factors_of(run.adapter_of_token);
    check(cudaMemcpy(const_cast<const LoraFactor**>(factors.data()), now.data(), now.bytes(), cudaMemcpyDeviceToDevice), "other adapters");
    check(cudaMemcpy(y.data(), y_before.data(), y.bytes(), cudaMemcpyHostToDevice), "the output as it was");
    settle();
    graph.launch(stream);
    stream.synchronize();
    const std::vector<float> direct = run.outcome(x, y_before).y;
    CHECK(same_bits(from_device(y), 0, direct, 0, direct.size()), "the graph's result is another");
  }
  check(cudaMemset(const_cast<const LoraFactor**>(factors.data()), 0, factors.bytes()), "no adapters");
  check(cudaMemset(v.data(), 0xFF, v.bytes()), "poison");
  check(cudaMemcpy(y.data(), y_before.data(), y.bytes(), cudaMemcpyHostToDevice), "the output as it was");
  settle();
  graph.launch(stream);
  stream.synchronize();
  CHECK_EQUAL(from_device(tile_count)[0], 0);
  CHECK(same_bits(from_device(y), 0, y_before, 0, y_before.size()), "the base model's rows were changed");
  const std::vector<float> v_after = from_device(v);
  CHECK(std::all_of(v_after.begin(), v_after.end(), is_poison), "sums of nothing were written");
}

TEST("cuda sgmv: a graph is replayed for other adapters, and for none") {
  check_replay({Number::bf16});
  check_replay({Number::bf16, LoraFormat::q8});
}

// Number i of a word, by the words of cuda/q8.cuh rather than by its code.
int number_of_word(const std::byte* word, int64_t i) {
  constexpr int kMagnitudeByte[] = {0, 2, 1, 3}, kSignByte[] = {1, 3, 2, 0};
  const int magnitude = static_cast<int>(word[kMagnitudeByte[i]] & std::byte{0x7F});
  return (word[kSignByte[i]] & std::byte{0x80}) != std::byte{0} ? -magnitude : magnitude;
}

float half_at(const std::byte* at) {
  uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_float(bits);
}

TEST("cuda sgmv: 8 bits lose half a step of a row's scale, and are the CPU's numbers and scales") {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (const int64_t rank : {1, 3, 8, 16, 31, 33, 64, 200}) {
    const int64_t in = 100 + rank % 7, out = 45;
    std::vector<float> a(static_cast<size_t>(rank * in)), b(static_cast<size_t>(out * rank));
    for (float& v : a) v = normal(random) * 0.02f;
    if (rank > 1) std::fill_n(a.begin() + in, in, 2e-37f);  // has no scale: zeros
    if (rank > 2) std::fill_n(a.begin() + 2 * in, in - 1, 0.0f);
    for (size_t i = 0; i < b.size(); ++i) b[i] = normal(random) * std::array{1.0f, 0.0f, 3e-3f, 2e-5f, 3e5f}[i / static_cast<size_t>(rank) % 5];
    std::vector<std::byte> packed_a(lora_a_bytes(LoraFormat::q8, Number::bf16, rank, in)), packed_b(lora_b_bytes(LoraFormat::q8, Number::bf16, rank, out));
    pack_lora_a_q8(a.data(), rank, in, packed_a.data());
    CHECK(pack_lora_b_q8(b.data(), out, rank, packed_b.data()));
    AlignedBuffer<std::byte> cpu_a(packed_lora_a_bytes(LoraType::i8, rank, in)), cpu_b(packed_lora_b_bytes(LoraType::i8, rank, out));
    pack_lora_a(LoraType::i8, a.data(), rank, in, cpu_a.data());
    pack_lora_b(LoraType::i8, b.data(), out, rank, 0, cpu_b.data());
    const float* const cpu_scales = lora_a_scales({cpu_a.data(), LoraType::i8, static_cast<int32_t>(rank), static_cast<int32_t>(in)});
    for (int64_t r = 0; r < rank; ++r) {
      float scale;
      std::memcpy(&scale, packed_a.data() + rank * padded(in) + r * 4, sizeof scale);
      CHECK_EQUAL(scale, cpu_scales[r]);
      for (int64_t i = 0; i < padded(in); ++i) {
        const int q = number_of_word(packed_a.data() + r * padded(in) + i / 4 * 4, i % 4);
        if (i >= in) CHECK_EQUAL(q, 0);
        if (i >= in) continue;
        CHECK_EQUAL(q, static_cast<int>(cpu_a.data()[r * lora_a_stride(in) + i]) - kQ8Zero);
        CHECK(std::abs(a[static_cast<size_t>(r * in + i)] - double{scale} * q) <= 0.50001 * scale + 4e-37, "A, rank ", rank, " row ", r, " input ", i);
      }
    }
    for (int64_t o = 0; o < out; ++o)
      for (int64_t r = 0; r < rank; ++r) {
        const int64_t group = r / kScaleRanks;
        const std::byte* const block = cpu_b.data() + o / kPanelColumns * q8_panel_bytes(rank) + group * kQ8BlockBytes;
        const float scale = half_at(packed_b.data() + lora_b_scales_at(rank, out) + (o * lora_scale_groups(rank) + group) * 2);
        CHECK_EQUAL(scale, half_at(block + o % kPanelColumns * 2));
        const int q = number_of_word(packed_b.data() + o * lora_b_stride(rank) + r / 4 * 4, r % 4);
        CHECK_EQUAL(q, static_cast<int>(block[kScaleBytes + r % kScaleRanks / kQuad * kQuadBytes + o % kPanelColumns * kQuad + r % kQuad]) - kQ8Zero);
        // A half-precision scale may be rounded down by 2^-11 of itself, below 6e-5 by 2^-25: the largest is clamped then.
        const double error = std::abs(b[static_cast<size_t>(o * rank + r)] - double{scale} * q), lost = std::max(0x1p-11 * scale, 0x1p-25);
        CHECK(error <= 0.50001 * scale + 127 * lost, "B, rank ", rank, " row ", o, " rank ", r, ": ", error, " of scale ", scale);
      }
  }
  const float too_large[] = {1.0f, 9e6f};
  std::vector<std::byte> packed(lora_b_bytes(LoraFormat::q8, Number::bf16, 1, 2));
  CHECK(!pack_lora_b_q8(too_large, 2, 1, packed.data()));
}

template <typename T>
__global__ void q8_kernel(const uint32_t* words, uint2* pairs) { pairs[threadIdx.x] = q8_pairs<T>(words[threadIdx.x]); }

template <typename T>
void check_all_q8() {
  std::vector<uint32_t> words;
  for (int q = -127; q <= 127; ++q) words.push_back(q8_word(q, -q, q / 2, 127 - std::abs(q)));
  const auto on = on_device(words);
  auto pairs = poisoned<uint2>(words.size());
  launch(nullptr, {dim3(1), static_cast<int>(words.size())}, q8_kernel<T>, on.data(), pairs.data());
  const std::vector<uint2> found = from_device(pairs);
  for (int i = 0; i < 255; ++i) {
    const int q = i - 127;
    const auto number = [&](uint32_t pair, int half) {
      const auto bits = static_cast<uint16_t>(pair >> (16 * half));
      return q8_unit<T>() * (std::is_same_v<T, f16> ? f16_to_float(bits) : bf16_to_float(bits));
    };
    const uint2 of_word = found[static_cast<size_t>(i)];
    CHECK_EQUAL(number(of_word.x, 0), static_cast<float>(q));
    CHECK_EQUAL(number(of_word.x, 1), static_cast<float>(-q));
    CHECK_EQUAL(number(of_word.y, 0), static_cast<float>(q / 2));
    CHECK_EQUAL(number(of_word.y, 1), static_cast<float>(127 - std::abs(q)));
  }
}

TEST("cuda sgmv: 8-bit numbers become 16-bit ones exactly") {
  check_all_q8<bf16>();
  check_all_q8<f16>();
}

TEST("cuda sgmv: tiles of a step are runs of one adapter, cut after 32 tokens") {
  const DeviceArray<LoraFactor> adapters(3);
  std::mt19937 random(5);
  for (const int tokens : {0, 1, 31, 32, 33, 64, 100, 1023, 1024, 1025, 3000, 8192})
    for (const int run_max : {1, 3, 70, 8192}) {
      std::vector<const LoraFactor*> factors;
      while (static_cast<int>(factors.size()) < tokens) {
        const auto* const adapter = random() % 4 == 0 ? nullptr : adapters.data() + random() % 3;
        factors.insert(factors.end(), std::min(static_cast<size_t>(tokens) - factors.size(), 1 + random() % static_cast<size_t>(run_max)), adapter);
      }
      std::vector<LoraTile> expected;
      for (int i = 0, begin = 0; i < tokens; ++i) {
        const auto* const own = factors[static_cast<size_t>(i)];
        if (i == 0 || factors[static_cast<size_t>(i) - 1] != own) begin = i;
        if (own == nullptr) continue;
        if ((i - begin) % kLoraTileTokens == 0) expected.push_back({own, i, 0});
        expected.back().token_count += 1;
      }
      const auto on_device_factors = on_device(factors);
      auto tiles = poisoned<LoraTile>(static_cast<size_t>(tokens));
      auto tile_count = poisoned<int32_t>(1);
      plan_lora_tiles(nullptr, on_device_factors.data(), tokens, tiles.data(), tile_count.data());
      CHECK_EQUAL(from_device(tile_count)[0], static_cast<int32_t>(expected.size()));
      const std::vector<LoraTile> found = from_device(tiles);
      for (size_t i = 0; i < expected.size(); ++i)
        CHECK(std::memcmp(&found[i], &expected[i], sizeof(LoraTile)) == 0, "tile ", i, " of ", tokens, " tokens begins at ", found[i].token_begin,
              " with ", found[i].token_count, ", expected ", expected[i].token_begin, " with ", expected[i].token_count);
    }
}

}  // namespace
}  // namespace sgmv::test
