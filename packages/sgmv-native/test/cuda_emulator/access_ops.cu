// sgmv_cuda_access_ops [PART]: single operations at many ranks, head sizes and shapes on the emulated device; for each, how much of
// the global memory that its kernels move was asked for, and how many passes shared memory takes for each that is needed
// (access.h). Fails where one is served worse than is expected here. With PART: only operations whose names contain it, and in place
// of the expectations a line for each place of their code (scripts/access-patterns.mjs --ops PART).
#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "access.h"
#include "cuda/memory.h"
#include "ops/attention_cuda.h"
#include "ops/latent_cuda.h"
#include "ops/layers_cuda.h"
#include "ops/linear_cuda.h"
#include "ops/mixture_cuda.h"
#include "ops/sgmv_cuda.h"
#include "ops/state_mixer_cuda.h"

namespace {

using namespace sgmv;
using namespace sgmv::cuda;

// At least so much of the sectors read and written, and at most so many passes.
struct Expected {
  double read = 0.99, written = 0.99, passes = 1.05;
};

int passed = 0, failed = 0;
const char* part = nullptr;

void measure(const std::string& name, const Expected& expected, const std::function<void()>& issue) {
  if (part != nullptr) {
    if (name.find(part) != std::string::npos) issue();
    return check(cudaDeviceSynchronize(), "a measured operation");
  }
  emulator::take_served();
  issue();
  check(cudaDeviceSynchronize(), "a measured operation");
  const emulator::Served found = emulator::take_served();
  const bool good = found.read >= expected.read && found.written >= expected.written && found.passes <= expected.passes;
  good ? ++passed : ++failed;
  std::printf("%s %-58s read %5.1f %%, written %5.1f %%, shared memory %.2f passes", good ? "ok  " : "FAIL", name.c_str(), 100 * found.read, 100 * found.written, found.passes);
  if (!good) std::printf("; expected %.1f %%, %.1f %%, %.2f", 100 * expected.read, 100 * expected.written, expected.passes);
  std::printf("\n");
}

template <typename T>
DeviceArray<T> zeros(int64_t count) {
  DeviceArray<T> array(static_cast<size_t>(count));
  check(cudaMemset(array.data(), 0, array.bytes()), "clearing memory");
  return array;
}
DeviceArray<std::byte> rows(Number type, int64_t count, int64_t columns) { return zeros<std::byte>(count * padded(columns) * static_cast<int64_t>(number_bytes(type))); }

const char* name_of(Number type) { return type == Number::f32 ? "f32" : type == Number::f16 ? "f16" : "bf16"; }

// `tokens` tokens of as many adapters, or of one.
void measure_lora(Number type, LoraFormat format, int32_t rank, int32_t tokens, bool distinct) {
  constexpr int32_t in = 1024, out = 640;
  const int32_t adapters = distinct ? tokens : 1;
  std::vector<DeviceArray<std::byte>> memory;
  std::vector<LoraFactor> factors;
  for (int32_t i = 0; i < adapters; ++i) {
    memory.push_back(zeros<std::byte>(static_cast<int64_t>(lora_a_bytes(format, type, rank, in))));
    memory.push_back(zeros<std::byte>(static_cast<int64_t>(lora_b_bytes(format, type, rank, out))));
    factors.push_back({memory[memory.size() - 2].data(), memory.back().data(), nullptr, rank, 1.0f});
  }
  const auto on_device = uploaded(factors);
  std::vector<LoraTile> host_tiles;
  for (int32_t token = 0; token < tokens; token += distinct ? 1 : kLoraTileTokens)
    host_tiles.push_back({on_device.data() + (distinct ? token : 0), token, distinct ? 1 : std::min(kLoraTileTokens, tokens - token)});
  const auto tiles = uploaded(host_tiles);
  const auto tile_count = uploaded(std::vector<int32_t>{static_cast<int32_t>(host_tiles.size())});
  LoraGroup group;
  group.parts[0] = {0, out, 0};
  group.part_count = 1, group.in = in;
  const LoraStep step{type, tiles.data(), tile_count.data(), static_cast<int32_t>(host_tiles.size()), tokens, rank, format};
  const auto x = rows(type, tokens, in);
  const auto v = zeros<float>(lora_v_floats(group, tokens, rank)), y = zeros<float>(int64_t{tokens} * out);
  const bool q8 = format == LoraFormat::q8;
  const std::string of = std::string(name_of(type)) + (q8 ? ", 8 bits" : "") + ", rank " + std::to_string(rank) + ", " + std::to_string(tokens) + (distinct ? " adapters" : " tokens");
  // 8-bit A: the other half of x's sectors is what the lane's next load asks for, which the first-level cache has by then. Rows of v are
  // their rank long.
  measure("shrink: " + of, {q8 ? distinct ? 0.80 : 0.53 : 0.99, rank == 4 && !distinct ? 0.49 : 0.99}, [&] { sgmv_shrink(nullptr, step, group, x.data(), in, v.data()); });
  // float32 is not for speed: a thread has a row of B.
  measure("expand: " + of, {type == Number::f32 ? 0.53 : 0.99}, [&] { sgmv_expand(nullptr, step, group, v.data(), y.data(), out); });
}

void measure_attention(Number type, int32_t dim, int32_t values_in_keys, int32_t heads, int32_t kv_heads, int32_t window, bool chunked) {
  constexpr int32_t kContext = 320, kBlockSize = 16, kBlocks = kContext / kBlockSize;
  const bool latent = values_in_keys > 0;
  const auto cache = zeros<std::byte>(int64_t{kBlocks} * kv_heads * (latent ? 1 : 2) * kBlockSize * padded(dim) * static_cast<int64_t>(number_bytes(type)));
  std::vector<int32_t> table(kBlocks);
  for (int32_t i = 0; i < kBlocks; ++i) table[static_cast<size_t>(i)] = i;
  const auto tables = uploaded(table);
  for (const int32_t tokens : {2, 40}) {  // steps of one token each, a prompt's end
    std::vector<AttentionTile> host_tiles;
    const int32_t each = tokens == 2 ? 1 : attention_tile_tokens(heads / kv_heads);
    for (int32_t token = 0; token < tokens; token += each)
      host_tiles.push_back({token, std::min(each, tokens - token), each == 1 ? kContext - 1 : kContext - tokens + token, 0});
    const auto tiles = uploaded(host_tiles);
    const auto q = zeros<std::byte>(int64_t{tokens} * heads * padded(dim) * static_cast<int64_t>(number_bytes(type)));
    AttentionWork work;
    work.cache = {type, cache.data(), kv_heads, kBlockSize, dim, values_in_keys};
    const int32_t width = work.cache.value_dim();
    const auto out = zeros<std::byte>(int64_t{tokens} * heads * width * static_cast<int64_t>(number_bytes(type)));
    const auto scratch = zeros<float>(std::max<int64_t>(1, attention_scratch_floats(tokens, heads, width, kContext)));
    work.q = q.data();
    work.tiles = tiles.data();
    work.tile_count = static_cast<int32_t>(host_tiles.size());
    work.block_tables = tables.data();
    work.heads = heads;
    work.tokens = tokens;
    work.positions_max = kContext;
    work.window = window;
    work.chunked = chunked;
    work.scratch = scratch.data();
    work.out = out.data();
    work.head_stride = width, work.token_stride = int64_t{heads} * width;
    const std::string of = std::string(name_of(type)) + ", keys of " + std::to_string(dim) + (latent ? ", values of " + std::to_string(width) : "") + (window > 0 ? chunked ? ", chunks" : ", window" : "");
    // The extents of splits are 8 bytes each, far apart; without splits few rows' results are written 16 bytes at a time.
    const bool one_split = chunked && tokens == 2;
    measure("attention: " + of + (tokens == 2 ? ", steps" : ", prompt"), {0.99, one_split ? 0.49 : 0.94}, [&] { attention(nullptr, work); });
  }
}

void measure_rotation(Number type, int32_t dim, bool interleaved) {
  constexpr int32_t tokens = 4, heads = 4, kv_heads = 2, kBlockSize = 16;
  const auto qkv = zeros<float>(int64_t{tokens} * (heads + 2 * kv_heads) * dim), rope = zeros<float>(dim);
  const auto positions = zeros<int32_t>(tokens);
  const auto slots = uploaded(std::vector<int32_t>{0, 1, 2, 3});
  const auto q = rows(type, int64_t{tokens} * heads, dim), cache = rows(type, int64_t{2} * kv_heads * kBlockSize, dim);
  RotateAndStore work;
  work.qkv = qkv.data();
  work.rope = rope.data();
  work.half = dim / 2;
  work.interleaved = interleaved;
  work.positions = positions.data();
  work.slots = slots.data();
  work.tokens = tokens;
  work.heads = heads;
  work.q = q.data();
  work.cache = {type, cache.data(), kv_heads, kBlockSize, dim, 0};
  measure("rotation: " + std::string(name_of(type)) + ", heads of " + std::to_string(dim) + (interleaved ? ", neighbours" : ""), {0.99, dim / 2 % 16 == 0 || interleaved ? 0.99 : 0.85}, [&] { rotate_and_store(nullptr, work); });
}

void measure_latent(Number type, const LatentConfig& shape) {
  constexpr int32_t tokens = 4, heads = 8, kBlockSize = 16;
  const int32_t dim = shape.nope_dim + shape.rope_dim, q_width = shape.q_rank > 0 ? shape.q_rank : heads * dim;
  const auto first = zeros<float>(int64_t{tokens} * (q_width + shape.kv_a_width())), q = zeros<float>(int64_t{tokens} * heads * dim), norm = zeros<float>(std::max(shape.q_rank, shape.kv_rank)),
             rope = zeros<float>(shape.rope_dim), products = zeros<float>(int64_t{tokens} * heads * std::max(shape.kv_rank, shape.value_dim));
  const auto positions = zeros<int32_t>(tokens);
  const auto slots = uploaded(std::vector<int32_t>{0, 1, 2, 3});
  const auto q_normed = rows(type, tokens, std::max(shape.q_rank, 1)), cache = rows(type, kBlockSize, shape.kv_a_width()), unrotated = rows(type, int64_t{heads} * tokens, shape.nope_dim),
             placed = rows(type, int64_t{tokens} * heads, shape.kv_a_width()), joined = rows(type, tokens, int64_t{heads} * shape.value_dim);
  const LatentRows from{first.data(), nullptr, shape, q_width, tokens};
  const LatentRope rotation{rope.data(), nullptr, nullptr, positions.data(), true};
  const LatentQueries queries{from, rotation, type, shape.q_rank > 0 ? q.data() : nullptr, heads};
  const std::string of = std::string(name_of(type)) + ", latents of " + std::to_string(shape.kv_rank) + " and " + std::to_string(shape.q_rank);
  // Both numbers of a rotated pair are read by both their lanes, one after the other.
  measure("latent norms: " + of, {0.96}, [&] { norm_latents(nullptr, {from, rotation, norm.data(), norm.data(), q_normed.data(), slots.data(), {type, cache.data(), 1, kBlockSize, shape.kv_a_width(), shape.kv_rank}}); });
  measure("latent queries, unrotated part: " + of, {}, [&] { part_queries(nullptr, queries, nullptr, 0, unrotated.data()); });
  measure("latent queries, put together: " + of, {0.92}, [&] { place_queries(nullptr, queries, products.data(), {}, placed.data()); });
  measure("latent heads joined: " + of, {}, [&] { join_heads(nullptr, type, products.data(), tokens, heads, shape.value_dim, joined.data()); });
}

void measure_states(const char* name, const LinearAttentionShape& shape, int32_t tokens) {
  const auto projected = zeros<float>(int64_t{tokens} * shape.width()), conv = zeros<float>(int64_t{shape.taps} * shape.conv_width()), of_heads = zeros<float>(std::max(shape.value_heads, 1)),
             norm = zeros<float>(shape.values()), states = zeros<float>(2 * shape.state_floats()), mixed = zeros<float>(int64_t{tokens} * shape.conv_width()),
             gates = zeros<float>(int64_t{tokens} * 2 * shape.value_heads), read = zeros<float>(int64_t{tokens} * shape.values());
  const auto slices = uploaded(std::vector<StateSlice>{{0, tokens, 0, 1}});
  const auto slice_of_token = zeros<int32_t>(tokens);
  const auto out = rows(Number::bf16, tokens, shape.values());
  StateWork work;
  work.shape = shape;
  work.projected = projected.data();
  work.conv = conv.data();
  work.decay_rates = work.dt_bias = work.skip = of_heads.data();
  work.norm = norm.data();
  work.slices = slices.data();
  work.slice_of_token = slice_of_token.data();
  work.slice_count = 1;
  work.tokens = tokens;
  work.states = states.data();
  work.slot_floats = shape.state_floats();
  work.mixed = mixed.data();
  work.gates = gates.data();
  work.read = read.data();
  work.out = out.data();
  measure("states: " + std::string(name) + ", " + std::to_string(tokens) + " tokens", {}, [&] { mix_states(nullptr, work); });
}

void measure_linear(Number type, LinearWeights::Format format, int32_t tokens) {
  constexpr int32_t in = 512, out = 192;
  const bool e4m3 = format == LinearWeights::Format::e4m3;
  const auto w = e4m3 ? zeros<std::byte>(out * in) : rows(type, out, in), x = rows(type, tokens, in);
  const auto scales = zeros<float>(out), y = zeros<float>(int64_t{tokens} * out);
  const LinearWeights weights{format, w.data(), scales.data(), out, in, in};
  measure("linear: " + std::string(name_of(type)) + (e4m3 ? ", e4m3, " : ", ") + std::to_string(tokens) + " tokens", {}, [&] { linear(nullptr, {type, x.data(), in, tokens, &weights, y.data(), out}); });
}

void measure_experts(int32_t tokens) {
  constexpr int32_t width = 256, size = 96;
  Routing routing;
  routing.tokens = tokens, routing.experts = 32, routing.per_token = 4, routing.normalized = true;
  routing.tile_rows = expert_tile_rows(Number::bf16, routing.rows(), routing.experts);
  const auto router = zeros<float>(routing.experts * width), x = zeros<float>(int64_t{tokens} * width), scores = zeros<float>(int64_t{tokens} * routing.experts), weights = zeros<float>(routing.rows()),
             products = zeros<float>(int64_t{routing.rows()} * width), y = zeros<float>(int64_t{tokens} * width);
  const auto slots = zeros<int32_t>(tokens), chosen = zeros<int32_t>(routing.rows()), counts = zeros<int32_t>(routing.experts), row_of_choice = zeros<int32_t>(routing.rows()),
             choice_of_row = zeros<int32_t>(routing.rows()), totals = zeros<int32_t>(2);
  const auto tiles = zeros<ExpertTile>(routing.tiles_max());
  const auto normed = rows(Number::bf16, tokens, width), gathered = rows(Number::bf16, routing.rows(), width), matrices = rows(Number::bf16, int64_t{routing.experts} * size, width);
  routing.scores = scores.data(), routing.chosen = chosen.data(), routing.weights = weights.data(), routing.counts = counts.data();
  routing.row_of_choice = row_of_choice.data(), routing.choice_of_row = choice_of_row.data(), routing.totals = totals.data(), routing.tiles = tiles.data();
  const LinearWeights of_router{LinearWeights::Format::f32, router.data(), nullptr, routing.experts, width, width}, of_experts{LinearWeights::Format::bf16, matrices.data(), nullptr, size, width, width};
  const std::string of = std::to_string(tokens) + " tokens";
  measure("experts, rated: " + of, {}, [&] { rate_experts(nullptr, routing, x.data(), of_router); });
  measure("experts, chosen: " + of, {}, [&] { choose_experts(nullptr, routing, slots.data()); });
  measure("experts, sorted: " + of, {0.99, 0.45}, [&] { sort_expert_rows(nullptr, routing); });
  measure("experts, gathered: " + of, {}, [&] { gather_expert_rows(nullptr, routing, Number::bf16, normed.data(), width, gathered.data(), nullptr, nullptr); });
  measure("experts, multiplied: " + of, {}, [&] { linear_of_experts(nullptr, routing, {Number::bf16, gathered.data(), width, routing.rows(), &of_experts, products.data(), size}); });
  measure("experts, added: " + of, {}, [&] { add_experts(nullptr, routing, products.data(), width, nullptr, nullptr, y.data()); });
}

void measure_all() {
  for (const int32_t rank : {4, 8, 16, 32, 64, 128, 256}) {
    measure_lora(Number::bf16, LoraFormat::of_inputs, rank, 3, true);
    measure_lora(Number::bf16, LoraFormat::q8, rank, 3, true);
    measure_lora(Number::f16, LoraFormat::of_inputs, rank, 40, false);
    measure_lora(Number::f16, LoraFormat::q8, rank, 40, false);
  }
  measure_lora(Number::f32, LoraFormat::of_inputs, 16, 3, true);
  for (const int32_t dim : {64, 80, 96, 128, 192, 256, 512}) {
    measure_attention(Number::bf16, dim, 0, 8, 2, 0, false);
    for (const bool interleaved : {false, true}) measure_rotation(Number::bf16, dim, interleaved);
  }
  for (const Number type : {Number::bf16, Number::f32}) measure_attention(type, 576, 512, 16, 1, 0, false);
  for (const bool chunked : {false, true}) measure_attention(Number::bf16, 128, 0, 8, 2, 100, chunked);
  measure_attention(Number::f32, 128, 0, 8, 2, 0, false);
  for (const Number type : {Number::bf16, Number::f32})
    for (const LatentConfig& shape : {LatentConfig{512, 0, 128, 64, 128}, LatentConfig{512, 768, 192, 64, 256}, LatentConfig{256, 768, 64, 32, 64}}) measure_latent(type, shape);
  const LinearAttentionShape gated_delta{4, 8, 128, 128, 4}, grouped{4, 8, 128, 128, 4, true};
  LinearAttentionShape mamba{1, 8, 128, 64, 4}, conv{0, 1, 0, 512, 3};
  mamba.rule = StateRule::mamba2;
  conv.rule = StateRule::short_conv;
  for (const int32_t tokens : {1, 5}) {
    measure_states("gated delta", gated_delta, tokens);
    measure_states("gated delta, by key head", grouped, tokens);
    measure_states("Mamba-2", mamba, tokens);
    measure_states("short convolution", conv, tokens);
  }
  for (const int32_t tokens : {1, 12, 24, 50, 130}) {
    measure_linear(Number::bf16, LinearWeights::Format::bf16, tokens);
    measure_linear(Number::f16, LinearWeights::Format::e4m3, tokens);
  }
  measure_linear(Number::f32, LinearWeights::Format::f32, 12);
  for (const int32_t tokens : {4, 70}) measure_experts(tokens);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc > 1) part = argv[1];
    measure_all();
    if (part != nullptr) return emulator::report_accesses(), 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sgmv_cuda_access_ops: %s\n", error.what());
    ++failed;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 ? 1 : 0;
}
