#include "attention_bench.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "ops/attention_cuda.h"

namespace sgmv::bench {
namespace {

using namespace sgmv::cuda;

constexpr int kBlockSize = 16;
constexpr int kCopiesMax = 8;

struct Shape {
  const char* name;
  int sequences, context, heads, kv_heads, head_dim, values_in_keys = 0;
  int value_dim() const { return values_in_keys > 0 ? values_in_keys : head_dim; }
  int64_t row() const { return (values_in_keys > 0 ? 1 : 2) * padded(head_dim); }  // numbers of a position and head of keys
};
constexpr Shape kShapes[] = {
    {"llama-2-7b.512", 32, 512, 32, 32, 128},   {"llama-2-7b.4096", 32, 4096, 32, 32, 128}, {"llama-3-8b.512", 32, 512, 32, 8, 128},
    {"llama-3-8b.4096", 32, 4096, 32, 8, 128},  {"llama-3-8b.32768", 4, 32768, 32, 8, 128},
    {"deepseek-v2-lite.4096", 32, 4096, 16, 1, 576, 512}, {"glm-4.7-flash.32768", 4, 32768, 20, 1, 576, 512},
};

// One new token per sequence, blocks in a random order, the cache of as many layers as a rotation needs.
class AttentionCase {
 public:
  AttentionCase(Measure& measure, const Shape& shape) : stream_(measure.stream()), shape_(shape) {
    const int blocks_each = (shape.context + kBlockSize - 1) / kBlockSize, blocks = blocks_each * shape.sequences;
    layer_bytes_ = int64_t{blocks} * kBlockSize * shape.kv_heads * shape.row() * 2;
    layers_ = measure.copies(layer_bytes_, kCopiesMax);
    cache_.reserve(static_cast<size_t>(layers_ * layer_bytes_));
    fill_random(stream_, Number::bf16, cache_.data(), layers_ * layer_bytes_ / 2);
    const int64_t query = shape.heads * padded(shape.head_dim);
    q_.reserve(static_cast<size_t>(shape.sequences * query) * 2);
    fill_random(stream_, Number::bf16, q_.data(), shape.sequences * query);
    out_.reserve(static_cast<size_t>(shape.sequences * query) * 2);
    check(cudaMemsetAsync(out_.data(), 0, out_.bytes(), stream_), "clearing a bench's output");
    scratch_.reserve(static_cast<size_t>(attention_scratch_floats(shape.sequences, shape.heads, shape.value_dim(), shape.context)));

    std::vector<int32_t> tables(static_cast<size_t>(blocks));
    std::iota(tables.begin(), tables.end(), 0);
    std::shuffle(tables.begin(), tables.end(), std::mt19937(1));
    tables_ = uploaded(tables);
    std::vector<AttentionTile> tiles;
    for (int i = 0; i < shape.sequences; ++i) tiles.push_back({i, 1, shape.context - 1, i * blocks_each});
    tiles_ = uploaded(tiles);
  }

  int layers() const { return layers_; }
  double bytes() const { return static_cast<double>(int64_t{shape_.sequences} * shape_.context * shape_.kv_heads * shape_.row() * 2); }
  void issue(int layer) const {
    AttentionWork work;
    work.q = q_.data(), work.tiles = tiles_.data(), work.tile_count = work.tokens = shape_.sequences;
    work.cache = {Number::bf16, cache_.data() + layer * layer_bytes_, shape_.kv_heads, kBlockSize, shape_.head_dim, shape_.values_in_keys};
    work.block_tables = tables_.data(), work.heads = shape_.heads, work.positions_max = shape_.context;
    work.scratch = scratch_.data(), work.out = out_.data();
    work.head_stride = shape_.value_dim(), work.token_stride = padded(int64_t{shape_.heads} * shape_.value_dim());
    attention(stream_, work);
  }

 private:
  cudaStream_t stream_;
  Shape shape_;
  int64_t layer_bytes_ = 0;
  int layers_ = 0;
  DeviceArray<std::byte> cache_, q_, out_;
  DeviceArray<float> scratch_;
  DeviceArray<int32_t> tables_;
  DeviceArray<AttentionTile> tiles_;
};

void run_shape(Measure& measure, const Limits& limits, Rows& rows, const Shape& shape) {
  AttentionCase one(measure, shape);
  const std::string id = std::string("attention.decode.") + shape.name + "x" + std::to_string(shape.sequences);
  const Times times = measure.rotating(one.layers(), [&](int layer) { one.issue(layer); });
  rows.add(id + ".us", times.median, "us");
  rows.add(id + ".time/floor", times.median / limits.floor_us(one.bytes()), "");
}

}  // namespace

void run_attention(Measure& measure, const Limits& limits, Rows& rows) {
  if (measure.smoke()) return run_shape(measure, limits, rows, {"tiny.40", 2, 40, 4, 2, 16});
  for (const Shape& shape : kShapes) run_shape(measure, limits, rows, shape);
}

}  // namespace sgmv::bench
