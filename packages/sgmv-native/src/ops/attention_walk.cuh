// A block's walk over the positions that its queries see: chunks of keys and values come to shared memory while the
// chunk before is computed. What is computed with them is the Worker's: attention_tensor.cuh for 16-bit numbers,
// attention_float.cuh for float32.
#pragma once

#include "ops/attention_plan.cuh"

namespace sgmv::cuda {
namespace {

constexpr uint32_t kNoRow = 0xFFFF'FFFF;

// Rows in shared memory are kUnits · 16 bytes long. Eight rows' units with the same number lie in different banks.
template <int kUnits>
__device__ __forceinline__ int swizzled(int row, int unit) {
  static_assert(kUnits % 8 == 0);
  return (row * kUnits + (unit ^ (row & 7))) * 16;
}
// From the place of unit u to that of u + units, where u < 8 has none of the bits of `units`. With units known to the
// compiler, all places of a row are the first with a bit or two changed, so that they need not lie in registers.
__device__ __forceinline__ int units_on(int place, int units) { return (place ^ (units % 8 * 16)) + units / 8 * 128; }

// Some of a tile's queries, as many as the Worker computes at once. Row r is that of head r % group of token r / group.
struct Rows {
  int first;     // within the tile
  int count;
  int begin;     // positions [begin, end) are seen by at least one of them, in the task's splits
  int end;
  int position;  // of the first row
  int first_visible_to_all;
};

// Of heads above 256, keys and values come in two parts of their columns each. Keys of kTail columns more than values, which are a part of
// them, have a third one.
template <typename T, int kDim_, int kTail_, int kRows_, int kChunk_, int kThreads_>
struct WalkShared {
  static constexpr int kDim = kDim_, kTail = kTail_, kRows = kRows_, kChunk = kChunk_, kThreads = kThreads_;
  static constexpr int kParts = kDim > 256 ? 2 : 1, kPartDim = kDim / kParts, kKeyParts = kParts + (kTail > 0 ? 1 : 0);
  static_assert(kTail == 0 || kParts == 2, "see walk()");
  static constexpr int kUnits = kPartDim * static_cast<int>(sizeof(T)) / 16, kTailUnits = kTail * static_cast<int>(sizeof(T)) / 16;
  static constexpr int kQueriesBytes = kRows * kUnits * 16;  // of a part that is no tail
  using Number = T;

  Task task;  // here rather than in every thread's registers
  Rows rows;
  alignas(16) std::byte pieces[2][kChunk * kUnits * 16];      // [kChunk, kPartDim] of keys or values: see walk()
  alignas(16) std::byte queries[kParts * kQueriesBytes + kRows * kTailUnits * 16];  // [kParts, kRows, kPartDim], [kRows, kTail]
  uint32_t cache_rows[2][kChunk];                       // of the chunk's keys, by the chunk's number: even, odd
  int32_t position_of_row[kRows];                       // -1: no query
};

__device__ __forceinline__ Rows rows_from(const AttentionWork& work, const Plan& plan, const Task& task, int first, int rows_max) {
  Rows rows;
  rows.first = first;
  rows.count = min(task.tile.count * task.group - first, rows_max);
  rows.position = task.tile.position + first / task.group;
  const int last = task.tile.position + (first + rows.count - 1) / task.group;
  rows.begin = max(split_begin(task.first_split, plan.even), first_visible(rows.position, work));
  rows.end = min(split_begin(task.last_split + 1, plan.even), last + 1);
  rows.first_visible_to_all = first_visible(last, work);
  return rows;
}

// The keys' row of a position in the cache, counted from the layer's beginning; none outside what the rows see.
__device__ __forceinline__ uint32_t cache_row(const AttentionWork& work, const Task& task, const Rows& rows, int position) {
  if (position < rows.begin || position >= rows.end) return kNoRow;
  const auto size = static_cast<uint32_t>(work.cache.block_size);
  const auto block = static_cast<uint32_t>(work.block_tables[task.tile.table + position / work.cache.block_size]);
  const auto head = block * static_cast<uint32_t>(work.cache.kv_heads) + static_cast<uint32_t>(task.kv_head);
  return head * static_cast<uint32_t>(work.cache.sides()) * size + static_cast<uint32_t>(position) % size;
}

// Begins to bring columns [first_column, first_column + kUnits · 16 bytes) of a chunk's rows, `further` rows behind the keys'; zeros where
// there is none, because 0 · NaN is not 0.
template <typename Shared, int kUnits>
__device__ __forceinline__ void bring_columns(std::byte* to, const uint32_t* cache_rows, const AttentionWork& work, const Plan& plan, int further, int first_column) {
  using T = typename Shared::Number;
  constexpr int kNumbers = 16 / static_cast<int>(sizeof(T)), kThreads = Shared::kThreads;
  const int unit = static_cast<int>(threadIdx.x) % kUnits;  // the same in every turn: kUnits divides kThreads
  const int column = first_column + unit * kNumbers;
  if (column >= plan.columns) return;
  const T* data = static_cast<const T*>(work.cache.data) + column;
#pragma unroll 4
  for (int i = 0; i < Shared::kChunk * kUnits / kThreads; ++i) {
    const int row = static_cast<int>(threadIdx.x) / kUnits + i * (kThreads / kUnits);
    const uint32_t from = cache_rows[row];
    const bool valid = from != kNoRow;
    copy_async_16(to + swizzled<kUnits>(row, unit), data + (valid ? (static_cast<int64_t>(from) + further) * plan.columns : 0), valid);
  }
}

// Part kParts is the tail.
template <typename Shared>
__device__ __forceinline__ void bring_chunk(std::byte* to, const uint32_t* cache_rows, const AttentionWork& work, const Plan& plan, int further, int part) {
  if (part < Shared::kParts) bring_columns<Shared, Shared::kUnits>(to, cache_rows, work, plan, further, part * Shared::kPartDim);
  else if constexpr (Shared::kTail > 0) bring_columns<Shared, Shared::kTailUnits>(to, cache_rows, work, plan, further, Shared::kDim);
}

template <typename Shared, int kUnits>
__device__ __forceinline__ void bring_query_columns(std::byte* to, const AttentionWork& work, const Plan& plan, const Task& task, const Rows& rows, int first_column) {
  using T = typename Shared::Number;
  constexpr int kNumbers = 16 / static_cast<int>(sizeof(T)), kThreads = Shared::kThreads;
  const int unit = static_cast<int>(threadIdx.x) % kUnits, column = first_column + unit * kNumbers;
  if (column >= plan.columns) return;
  const T* q = static_cast<const T*>(work.q) + column;
  for (int row = static_cast<int>(threadIdx.x) / kUnits; row < min((rows.count + 15) / 16 * 16, Shared::kRows); row += kThreads / kUnits) {
    const int r = rows.first + row, token = task.tile.token + r / task.group, head = task.kv_head * task.group + r % task.group;
    const bool valid = row < rows.count;
    copy_async_16(to + swizzled<kUnits>(row, unit), q + (valid ? (static_cast<int64_t>(token) * work.heads + head) * plan.columns : 0), valid);
  }
}

template <typename Shared>
__device__ __forceinline__ void bring_queries(Shared& shared, const AttentionWork& work, const Plan& plan, const Task& task, const Rows& rows) {
#pragma unroll
  for (int part = 0; part < Shared::kParts; ++part)
    bring_query_columns<Shared, Shared::kUnits>(shared.queries + part * Shared::kQueriesBytes, work, plan, task, rows, part * Shared::kPartDim);
  if constexpr (Shared::kTail > 0) bring_query_columns<Shared, Shared::kTailUnits>(shared.queries + Shared::kParts * Shared::kQueriesBytes, work, plan, task, rows, Shared::kDim);
}

// What comes to shared memory for a chunk, piece by piece: the parts of its keys and then of its values. Behind a tail, which is the first,
// the last part of the keys stays where it is and is the first of the values. Pieces are even in number: piece p lies in buffer p % 2.
template <typename Shared>
struct Pieces {
  static constexpr bool kTail = Shared::kTail > 0;
  static constexpr int kKeys = Shared::kKeyParts, kFirstOfValues = kTail ? kKeys - 1 : kKeys;
  static constexpr int key_part(int piece) { return kTail ? (piece + Shared::kParts) % kKeys : piece; }
  static constexpr int value_part(int piece) { return kTail ? Shared::kParts - 1 - (piece - kFirstOfValues) : piece - kKeys; }
};

// Pieces come into the buffers in turns, the next one while one is used; while the last one is, the next chunk's first. In the loop, each
// barrier's comment says what it waits for.
template <typename Worker>
__device__ __forceinline__ void walk(Worker& worker, typename Worker::Shared& shared, const AttentionWork& work, const Plan& plan, const Task& task, const Rows& rows) {
  using Shared = typename Worker::Shared;
  using Of = Pieces<Shared>;
  constexpr int kChunk = Shared::kChunk, kParts = Shared::kParts;
  const int thread = static_cast<int>(threadIdx.x);
  const int first = rows.begin / kChunk, last = (rows.end - 1) / kChunk, to_values = work.cache.sides() == 2 ? work.cache.block_size : 0;
  worker.start();
  bring_queries(shared, work, plan, task, rows);
  if (thread < Shared::kRows) shared.position_of_row[thread] = thread < rows.count ? task.tile.position + (rows.first + thread) / task.group : -1;
  if (thread < kChunk) shared.cache_rows[first % 2][thread] = cache_row(work, task, rows, first * kChunk + thread);
  __syncthreads();  // cache_rows
  bring_chunk<Shared>(shared.pieces[0], shared.cache_rows[first % 2], work, plan, 0, Of::key_part(0));
  copy_async_commit();
  int split = split_of(rows.begin, plan.even), split_end = split_begin(split + 1, plan.even);
  for (int chunk = first; chunk <= last; ++chunk) {
    const uint32_t* own_rows = shared.cache_rows[chunk % 2];
    const auto bring = [&](int piece) {
      if (piece < Of::kKeys) bring_chunk<Shared>(shared.pieces[piece % 2], own_rows, work, plan, 0, Of::key_part(piece));
      else bring_chunk<Shared>(shared.pieces[piece % 2], own_rows, work, plan, to_values, Of::value_part(piece));
    };
    const auto bring_next_keys = [&] {
      if (chunk < last) bring_chunk<Shared>(shared.pieces[0], shared.cache_rows[(chunk + 1) % 2], work, plan, 0, Of::key_part(0));
    };
    uint32_t next_row = kNoRow;
#pragma unroll
    for (int piece = 0; piece < Of::kKeys; ++piece) {
      copy_async_wait<0>();
      __syncthreads();  // these keys are there; the other buffer and the weights of the chunk before are no longer needed
      bring(piece + 1);
      copy_async_commit();
      if (piece == 0 && thread < kChunk && chunk < last) next_row = cache_row(work, task, rows, (chunk + 1) * kChunk + thread);
      worker.multiply_keys(shared.pieces[piece % 2], Of::key_part(piece), piece == 0);
    }
    worker.score(chunk * kChunk);
    if (thread < kChunk) shared.cache_rows[(chunk + 1) % 2][thread] = next_row;
    __syncthreads();  // what score() shares; keys that are no values are no longer needed; cache_rows of the next chunk
    if constexpr (!Of::kTail) {
      if constexpr (kParts > 1) bring(Of::kKeys + 1);
      else bring_next_keys();
      copy_async_commit();
    }
    worker.weigh();
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      const int piece = Of::kFirstOfValues + i;
      if (piece >= Of::kKeys) copy_async_wait<1>();
      __syncthreads();  // these values are there; what weigh() shares
      worker.add_values(shared.pieces[piece % 2], Of::value_part(piece));
      if (i + 1 == kParts) break;
      __syncthreads();  // they are no longer needed
      bring_next_keys();
      copy_async_commit();
    }
    if (chunk < last && (chunk + 1) * kChunk < split_end) continue;
    worker.end_split();
    split_end = split_begin(++split + 1, plan.even);
  }
  worker.finish();
}

}  // namespace
}  // namespace sgmv::cuda
