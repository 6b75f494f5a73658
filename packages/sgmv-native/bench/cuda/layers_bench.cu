#include "layers_bench.h"

#include <functional>
#include <string>
#include <vector>

#include "ops/attention_cuda.h"
#include "ops/layers_cuda.h"
#include "ops/sampling_cuda.h"

namespace sgmv::bench {
namespace {

using namespace sgmv::cuda;

constexpr int kCopies = 16;  // of one operation in the graph, on the same data: in a step too, it was just written

struct Sizes {
  int tokens = 32, hidden = 4096, intermediate = 11008, heads = 32, head_dim = 128, vocab = 32000;
};

DeviceArray<float> floats(Measure& measure, int64_t count) {
  DeviceArray<float> array(static_cast<size_t>(count));
  fill_random(measure.stream(), Number::f32, array.data(), count);
  return array;
}

void report(Measure& measure, Rows& rows, const std::string& name, const Sizes& s, const std::function<void()>& issue) {
  rows.add("layers." + name + "." + std::to_string(s.tokens) + ".us", measure.rotating(kCopies, [&](int) { issue(); }).median, "us");
}

void run_norm_and_activation(Measure& measure, Rows& rows, const Sizes& s) {
  const cudaStream_t stream = measure.stream();
  const auto delta = floats(measure, s.tokens * s.hidden), norm = floats(measure, s.hidden), residual = floats(measure, s.tokens * s.hidden);
  const auto gate_up = floats(measure, int64_t{2} * s.tokens * s.intermediate);
  DeviceArray<std::byte> out(static_cast<size_t>(s.tokens * padded(s.intermediate)) * 2);
  AddAndNorm add;
  add.delta = delta.data(), add.norm = norm.data(), add.tokens = s.tokens, add.width = s.hidden, add.residual = residual.data(), add.normed = out.data();
  report(measure, rows, "add_and_norm", s, [&] { add_and_norm(stream, add); });
  GatedActivation gated;
  gated.gate_up = gate_up.data(), gated.tokens = s.tokens, gated.width = s.intermediate, gated.out = out.data();
  report(measure, rows, "gated_activation", s, [&] { gated_activation(stream, gated); });
}

void run_rotation(Measure& measure, Rows& rows, const Sizes& s) {
  const auto qkv = floats(measure, int64_t{3} * s.tokens * s.heads * s.head_dim), rope = floats(measure, s.head_dim);
  DeviceArray<std::byte> q(static_cast<size_t>(s.tokens * s.heads * padded(s.head_dim)) * 2), cache(2 * q.size());
  std::vector<int32_t> places(static_cast<size_t>(s.tokens));
  for (int i = 0; i < s.tokens; ++i) places[static_cast<size_t>(i)] = i;
  const auto slots = uploaded(places), positions = uploaded(std::vector<int32_t>(places.size()));
  RotateAndStore work;
  work.qkv = qkv.data(), work.rope = rope.data(), work.half = s.head_dim / 2, work.positions = positions.data(), work.slots = slots.data();
  work.tokens = s.tokens, work.heads = s.heads, work.q = q.data(), work.cache = {Number::bf16, cache.data(), s.heads, s.tokens, s.head_dim};
  report(measure, rows, "rotate_and_store", s, [&] { rotate_and_store(measure.stream(), work); });
}

void run_sampling(Measure& measure, Rows& rows, Sizes s, int vocab) {
  s.vocab = vocab;
  const auto logits = floats(measure, int64_t{s.tokens} * vocab);
  DeviceArray<int32_t> chosen(static_cast<size_t>(s.tokens));
  const auto sampled = [&](const std::string& name, const SampleRow& row) {
    const auto device = uploaded(std::vector<SampleRow>(static_cast<size_t>(s.tokens), row));
    report(measure, rows, "sample." + name + ".vocab" + std::to_string(vocab), s,
           [&] { sample(measure.stream(), logits.data(), device.data(), s.tokens, vocab, chosen.data()); });
  };
  SampleRow row;
  sampled("greedy", row);
  row.temperature = 0.8f, row.top_k = 40;
  sampled("top_k", row);
  row.top_k = 0, row.top_p = 0.95f;
  sampled("top_p", row);
}

}  // namespace

void run_layers(Measure& measure, const Limits&, Rows& rows) {
  const Sizes sizes = measure.smoke() ? Sizes{2, 64, 96, 2, 16, 100} : Sizes{};
  run_norm_and_activation(measure, rows, sizes);
  run_rotation(measure, rows, sizes);
  run_sampling(measure, rows, sizes, sizes.vocab);
  if (!measure.smoke()) run_sampling(measure, rows, sizes, 128256);
}

}  // namespace sgmv::bench
