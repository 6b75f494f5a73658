// Paged attention against float64 over shapes that models have: heads per key/value head, head sizes with tails,
// block sizes, windows, prompts in chunks.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "cpu/cpu_device.h"
#include "formats/dtype.h"
#include "ops/attention_cpu.h"

namespace sgmv::test {
namespace {

struct Shape {
  int32_t kv_heads, per_kv, dim, block_size, window;
  float softcap = 0;
  bool sinks = false;
  bool chunked = false;
  int32_t values_in_keys = 0;
};

struct Sequence {
  int32_t past, count;  // positions already cached, and new ones
  std::vector<int32_t> blocks;
  std::vector<float> keys, values;  // [position, kv_head, dim], [position, kv_head, value_dim]
};

class AttentionCase {
 public:
  AttentionCase(Device& device, KvType type, const Shape& shape, uint32_t seed) : device_(as_cpu(device)), shape_(shape), generator_(seed) {
    sequences_ = {{0, 1, {}, {}, {}}, {0, 37, {}, {}, {}}, {50, 1, {}, {}, {}}, {13, 9, {}, {}, {}}, {100, 20, {}, {}, {}}};
    int32_t blocks = 0;
    for (Sequence& s : sequences_)
      for (int32_t at = 0; at < s.past + s.count; at += shape.block_size) s.blocks.push_back(blocks++);
    for (Sequence& s : sequences_)
      for (int32_t& block : s.blocks) block = blocks - 1 - block;
    cache_ = std::make_unique<CpuKvCache>(device_.kernels(), type, std::vector<KvShape>(2, {shape.kv_heads, shape.dim, shape.values_in_keys}), blocks, shape.block_size);
    poison(blocks);
    for (Sequence& s : sequences_) fill(s);
  }

  void run() {
    const int32_t heads = shape_.kv_heads * shape_.per_kv, width = heads * shape_.dim;
    std::vector<SequenceSlice> slices;
    int32_t tokens = 0;
    for (const Sequence& s : sequences_) {
      slices.push_back({tokens, s.count, s.past, s.blocks});
      tokens += s.count;
    }
    // Rows of heads lie one after the other where values are in keys, else those of tokens.
    const bool by_head = shape_.values_in_keys > 0;
    const int64_t dim = value_dim(), token_stride = by_head ? dim : heads * dim, head_stride = by_head ? tokens * dim : dim;
    std::vector<float> q(static_cast<size_t>(tokens * width)), out(static_cast<size_t>(tokens * heads * dim), 1e30f);
    for (float& value : q) value = normal_(generator_);
    // Of some heads far above all scores, so that next to nothing is left for values, and far below.
    for (int32_t head = 0; shape_.sinks && head < heads; ++head) sinks_.push_back(head % 5 == 3 ? 40.0f : head % 5 == 4 ? -200.0f : 4 * normal_(generator_));
    AttentionWork work;
    work.plan({{}, slices, {}, {}}, shape_.block_size, shape_.per_kv, by_head);
    work.run(device_, {q.data(), width, out.data(), token_stride, head_stride, cache_.get(), 1, heads, shape_.window, shape_.softcap, sinks_.empty() ? nullptr : sinks_.data(), shape_.chunked});
    for (size_t s = 0; s < sequences_.size(); ++s)
      for (int32_t t = 0; t < sequences_[s].count; ++t)
        for (int32_t head = 0; head < heads; ++head) {
          const int64_t token = slices[s].token_begin + t;
          check(sequences_[s], sequences_[s].past + t, head, q.data() + token * width + head * shape_.dim, out.data() + token * token_stride + head * head_stride);
        }
  }

 private:
  int32_t value_dim() const { return cache_->layers()[1].value_dim(); }

  // Everything not written holds NaN, so that reading it shows.
  void poison(int32_t blocks) {
    for (int32_t block = 0; block < blocks; ++block)
      for (int32_t head = 0; head < shape_.kv_heads; ++head) {
        std::memset(const_cast<std::byte*>(cache_->keys(1, block, head)), 0xFF, cache_->head_bytes(1));  // all bits set are NaN in both types
      }
  }

  void fill(Sequence& s) {
    const auto rows = static_cast<size_t>((s.past + s.count) * shape_.kv_heads);
    s.keys.resize(rows * static_cast<size_t>(shape_.dim));
    s.values.resize(rows * static_cast<size_t>(value_dim()));
    for (auto* list : {&s.keys, &s.values})
      for (float& value : *list) {
        value = normal_(generator_);
        if (cache_->type() == KvType::f16) value = f16_to_float(float_to_f16(value));
      }
    for (int32_t p = 0; p < s.past + s.count; ++p)
      for (int32_t head = 0; head < shape_.kv_heads; ++head) {
        const int64_t row = p * shape_.kv_heads + head;
        const float* key = s.keys.data() + row * shape_.dim;
        float* value = s.values.data() + row * value_dim();
        if (shape_.values_in_keys > 0) std::copy_n(key, value_dim(), value);
        cache_->store(1, s.blocks[static_cast<size_t>(p / shape_.block_size)], head, p % shape_.block_size, key, shape_.values_in_keys > 0 ? nullptr : value);
      }
  }

  void check(const Sequence& s, int32_t position, int32_t query_head, const float* q, const float* found) const {
    const int32_t head = query_head / shape_.per_kv;
    const int32_t first = shape_.window == 0 ? 0 : shape_.chunked ? position / shape_.window * shape_.window : std::max(0, position + 1 - shape_.window);
    const auto at = [&](int32_t p, int32_t d, int32_t dim) { return static_cast<size_t>((p * shape_.kv_heads + head) * dim + d); };
    std::vector<double> weights;
    double most = -1e300, sum = 0;
    for (int32_t p = first; p <= position; ++p) {
      double score = 0;
      for (int32_t d = 0; d < shape_.dim; ++d) score += double(q[d]) * s.keys[at(p, d, shape_.dim)];
      if (shape_.softcap > 0) score = shape_.softcap * std::tanh(score / shape_.softcap);
      weights.push_back(score);
      most = std::max(most, score);
    }
    if (shape_.sinks) most = std::max<double>(most, sinks_[static_cast<size_t>(query_head)]);
    for (double& weight : weights) sum += weight = std::exp(weight - most);
    if (shape_.sinks) sum += std::exp(sinks_[static_cast<size_t>(query_head)] - most);
    for (int32_t d = 0; d < value_dim(); ++d) {
      double expected = 0;
      for (int32_t p = first; p <= position; ++p) expected += weights[static_cast<size_t>(p - first)] / sum * s.values[at(p, d, value_dim())];
      CHECK(std::abs(found[d] - expected) < 5e-5, device_.name(), ": ", shape_.kv_heads, "x", shape_.per_kv, " heads of ", shape_.dim, ", blocks of ",
            shape_.block_size, ", window ", shape_.window, ", position ", position, ": ", found[d], " expected ", expected);
    }
  }

  CpuDevice& device_;
  Shape shape_;
  std::mt19937 generator_;
  std::normal_distribution<float> normal_;
  std::vector<Sequence> sequences_;
  std::vector<float> sinks_;
  std::unique_ptr<CpuKvCache> cache_;
};

TEST("attention: head groups, head sizes, blocks, windows, chunks and sinks against float64") {
  uint32_t turn = 0;
  for (const std::string& isa : available_isas()) {
    const auto device = make_cpu_device({2, isa});
    uint32_t seed = 1;
    turn += 1;
    for (const Shape& shape : std::initializer_list<Shape>{{2, 1, 16, 16, 0}, {1, 7, 16, 16, 0}, {3, 3, 64, 16, 0}, {1, 9, 24, 8, 0}, {2, 5, 2, 4, 0},
                                                           {1, 13, 80, 16, 0}, {1, 71, 16, 16, 0}, {2, 4, 128, 32, 0}, {2, 2, 32, 16, 12}, {1, 7, 32, 5, 13},
                                                           {2, 2, 18, 64, 1}, {1, 2, 96, 1, 0}, {1, 1, 250, 3, 40},
                                                           {2, 2, 32, 16, 0, 5}, {1, 3, 20, 5, 13, 2},
                                                           {1, 4, 40, 16, 0, 0, false, false, 32}, {1, 16, 576, 16, 0, 0, false, false, 512}, {1, 37, 23, 5, 0, 0, false, false, 17}, {2, 9, 16, 4, 11, 3, true, false, 16},
                                                           {2, 5, 32, 16, 0, 0, true}, {1, 8, 64, 7, 13, 0, true}, {3, 2, 18, 4, 1, 0, true}, {1, 5, 16, 16, 0, 3, true},
                                                           {2, 2, 32, 16, 12, 0, false, true}, {1, 5, 16, 4, 16, 0, true, true}, {1, 3, 24, 16, 64, 3, false, true}, {2, 1, 16, 7, 1, 0, false, true}})
      for (const KvType type : {KvType::f32, KvType::f16}) {
        if (kSanitized && turn++ % 2 != 0) continue;  // the other one with the next instruction set
        AttentionCase(*device, type, shape, seed++).run();
      }
  }
}

// One sequence has one item: its heads are parted among the threads.
TEST("attention: where values are in keys, a query has the same bits whatever others its item has") {
  for (const std::string& isa : available_isas()) {
    std::vector<float> first;
    for (const int32_t threads : {1, 2, 7}) {
      const auto device = make_cpu_device({threads, isa});
      CpuDevice& cpu = as_cpu(*device);
      constexpr int32_t kHeads = 37, kDim = 40, kValues = 33, kPositions = 29;
      CpuKvCache cache(cpu.kernels(), KvType::f16, {{1, kDim, kValues}}, 2, 16);
      std::mt19937 generator(5);
      std::normal_distribution<float> normal;
      std::vector<float> q(kHeads * kDim), row(kDim), out(kHeads * kValues, 1e30f);
      for (float& value : q) value = normal(generator);
      for (int32_t p = 0; p < kPositions; ++p) {
        for (float& value : row) value = normal(generator);
        cache.store(0, p / 16, 0, p % 16, row.data(), nullptr);
      }
      const std::vector<int32_t> blocks{0, 1};
      const SequenceSlice slice{0, 1, kPositions - 1, blocks};
      AttentionWork work;
      work.plan({{}, {&slice, 1}, {}, {}}, 16, kHeads, true);
      const AttentionWork::Layer layer{q.data(), kHeads * kDim, out.data(), kHeads * kValues, kValues, &cache, 0, kHeads};
      work.run(cpu, layer);
      if (first.empty()) first = out;
      CHECK(out == first, isa, " ", threads, " threads");
      work.reserve(cpu);
      std::fill(out.begin(), out.end(), 1e30f);
      work.run_token(cpu, layer, 0, 0);
      CHECK(out == first, isa, " ", threads, " threads, as a lone token");
    }
  }
}

}  // namespace
}  // namespace sgmv::test
