#include "mixture_bench.h"

#include <algorithm>
#include <string>
#include <vector>

#include "ops/mixture_cuda.h"

namespace sgmv::bench {
namespace {

using namespace sgmv::cuda;

constexpr int kCopiesMax = 16;

struct Sizes {
  int32_t hidden = 2048, experts = 128, per_token = 8, size = 768;
};

// Room for the routing of one step.
struct Step {
  Step(const Sizes& s, int32_t tokens) {
    routing.tokens = tokens, routing.experts = s.experts, routing.per_token = s.per_token, routing.normalized = true;
    routing.tile_rows = expert_tile_rows(Number::bf16, routing.rows(), s.experts);
    const auto rows = static_cast<size_t>(routing.rows()), count = static_cast<size_t>(s.experts);
    integers = DeviceArray<int32_t>(3 * rows + count + 2);
    floats = DeviceArray<float>(static_cast<size_t>(tokens) * count + rows);
    tiles = DeviceArray<ExpertTile>(static_cast<size_t>(routing.tiles_max()));
    routing.chosen = integers.data();
    routing.row_of_choice = routing.chosen + rows, routing.choice_of_row = routing.row_of_choice + rows;
    routing.counts = routing.choice_of_row + rows, routing.totals = routing.counts + count;
    routing.scores = floats.data(), routing.weights = routing.scores + static_cast<size_t>(tokens) * count;
    routing.tiles = tiles.data();
  }

  // All experts asked for alike, from `first` on.
  void choose(cudaStream_t stream, int32_t first) {
    std::vector<int32_t> chosen(static_cast<size_t>(routing.rows()));
    for (size_t i = 0; i < chosen.size(); ++i) chosen[i] = (first + static_cast<int32_t>(i)) % routing.experts;
    check(cudaMemcpy(routing.chosen, chosen.data(), chosen.size() * sizeof(int32_t), cudaMemcpyHostToDevice), "setting choices");
    check(cudaDeviceSynchronize(), "setting choices");
    sort_expert_rows(stream, routing);
  }

  Routing routing;
  DeviceArray<int32_t> integers;
  DeviceArray<float> floats;
  DeviceArray<ExpertTile> tiles;
};

// Steps that ask for other experts each, so that none finds its weights in the cache.
void run_product(Measure& measure, const Limits& limits, Rows& rows, const Sizes& s, int32_t tokens, const char* name, int64_t out, int64_t in) {
  const int32_t asked = std::min(s.experts, tokens * s.per_token);
  const int64_t stride = padded(in), expert_bytes = out * stride * 2, bytes = asked * expert_bytes;
  DeviceArray<std::byte> w(static_cast<size_t>(s.experts * expert_bytes)), x(static_cast<size_t>(tokens * s.per_token * stride * 2));
  DeviceArray<float> y(static_cast<size_t>(tokens * s.per_token * out));
  fill_random(measure.stream(), Number::bf16, w.data(), s.experts * expert_bytes / 2);
  fill_random(measure.stream(), Number::bf16, x.data(), tokens * s.per_token * stride);
  std::vector<Step> steps;
  for (int copy = 0; copy < measure.copies(bytes, kCopiesMax); ++copy) {
    steps.emplace_back(s, tokens);
    steps.back().choose(measure.stream(), copy * asked % s.experts);
  }
  LinearWeights weights;
  weights.data = w.data(), weights.out = out, weights.in = in, weights.stride = stride;
  const Times times = measure.rotating(static_cast<int>(steps.size()), [&](int copy) {
    const Routing& routing = steps[static_cast<size_t>(copy)].routing;
    linear_of_experts(measure.stream(), routing, {Number::bf16, x.data(), stride, routing.rows(), &weights, y.data(), out});
  });
  const double floor = limits.floor_us(static_cast<double>(bytes) + static_cast<double>(tokens) * s.per_token * (2.0 * static_cast<double>(in) + 4.0 * static_cast<double>(out)));
  const std::string id = std::string("mixture.") + name + "." + std::to_string(tokens);
  rows.add(id + ".us", times.median, "us");
  rows.add(id + ".time/byte-floor", times.median / floor, "");
}

// From normed rows to gathered ones.
void run_routing(Measure& measure, Rows& rows, const Sizes& s, int32_t tokens) {
  const int64_t stride = padded(s.hidden), router_numbers = s.experts * stride;
  const int copies = measure.copies(router_numbers * 4, kCopiesMax);
  DeviceArray<float> routers(static_cast<size_t>(copies * router_numbers)), exact(static_cast<size_t>(tokens * stride));
  DeviceArray<std::byte> normed(static_cast<size_t>(tokens * stride * 2)), gathered(static_cast<size_t>(tokens * s.per_token * stride * 2));
  fill_random(measure.stream(), Number::f32, routers.data(), copies * router_numbers);
  fill_random(measure.stream(), Number::f32, exact.data(), tokens * stride);
  fill_random(measure.stream(), Number::bf16, normed.data(), tokens * stride);
  const auto slots = uploaded(std::vector<int32_t>(static_cast<size_t>(tokens)));
  const Step step(s, tokens);
  const Times times = measure.rotating(copies, [&](int copy) {
    rate_experts(measure.stream(), step.routing, exact.data(), {LinearWeights::Format::f32, routers.data() + copy * router_numbers, nullptr, s.experts, s.hidden, stride});
    choose_experts(measure.stream(), step.routing, slots.data());
    sort_expert_rows(measure.stream(), step.routing);
    gather_expert_rows(measure.stream(), step.routing, Number::bf16, normed.data(), s.hidden, gathered.data(), nullptr, nullptr);
  });
  rows.add("mixture.routing." + std::to_string(tokens) + ".us", times.median, "us");
}

}  // namespace

void run_mixture(Measure& measure, const Limits& limits, Rows& rows) {
  const Sizes s = measure.smoke() ? Sizes{48, 7, 3, 24} : Sizes{};
  for (const int32_t tokens : measure.smoke() ? std::vector<int32_t>{1, 4} : std::vector<int32_t>{1, 8, 32, 256}) {
    run_routing(measure, rows, s, tokens);
    run_product(measure, limits, rows, s, tokens, "gate_up", int64_t{2} * s.size, s.hidden);
    run_product(measure, limits, rows, s, tokens, "down", s.hidden, s.size);
  }
}

}  // namespace sgmv::bench
