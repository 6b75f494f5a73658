// The seam between the engine (scheduler, blocks, adapters, sampling) and the computation: a batch of tokens of
// many sequences goes in, logits come out. Public C++: no N-API, no CUDA, no preprocessor switches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sgmv/adapter.h"
#include "sgmv/model_config.h"
#include "sgmv/number_types.h"

namespace sgmv {

// Tokens [token_begin, token_end) of the batch share `adapter`; null is the base model. Segments are contiguous,
// cover the batch and are in token order. Neighbours may share an adapter.
struct Segment {
  int32_t token_begin;
  int32_t token_end;
  const Adapter* adapter;
};

// One sequence's share of the batch: `token_count` new tokens at absolute positions
// [position_begin, position_begin + token_count). Keys and values of earlier positions are already in the cache.
// `block_table[i]` is the cache block of positions [i * block_size, (i + 1) * block_size) and reaches far enough
// for the new tokens. `length` counts the sequence's tokens as far as they are known, those of later chunks of its prompt
// included: LongRoPE rotates all keys of a sequence by that, so a sequence that grows past the original context is
// computed anew from its first position. 0: nothing is known past the slice.
struct SequenceSlice {
  int32_t token_begin;
  int32_t token_count;
  int32_t position_begin;
  std::span<const int32_t> block_table;
  int32_t length = 0;
  // Models with linear attention: the slot with the sequence's state before the slice, -1 at position 0, and another one for the
  // state after it.
  int32_t state_from = -1;
  int32_t state_to = -1;
};

// A row whose logits only choose a token, by the rules of Sampler. kNoToken where it would throw.
struct Draw {
  int32_t row = 0;  // token index
  float temperature = 0.0f;
  int32_t top_k = 0;
  float top_p = 1.0f;
  float min_p = 0.0f;
  uint32_t seed = 0;
  uint64_t position = 0;  // of the token that is chosen
};
inline constexpr int32_t kNoToken = -1;

// Stands in Batch::tokens for the token that draw `draw` of the step before chooses, which is still under way. Where that
// is kNoToken, any token takes its place.
constexpr int32_t token_of_draw(int32_t draw) { return -1 - draw; }

// One engine step. Prefill slices come first, then decode slices (token_count 1).
struct Batch {
  std::span<const int32_t> tokens;  // [tokens]
  std::span<const SequenceSlice> sequences;
  std::span<const Segment> segments;
  std::span<const int32_t> logit_rows;  // token indices, ascending, whose logits are wanted
  std::span<const Draw> draws = {};     // by ascending row; only where the model draws_tokens()
};

// Paged storage of keys and values: `block_count` blocks of `block_size` positions, all layers.
// Who owns a block is the engine's business (BlockManager); the cache only stores.
//
// Blocks have addresses from the start, and memory by extents: neighbours that get it and give it back together. Extent i
// holds blocks [i * extent_blocks, (i + 1) * extent_blocks), the last one what is left. A block is used only while its
// extent has been committed; what it holds then is whatever the memory held.
class KvCache {
 public:
  virtual ~KvCache() = default;
  virtual int32_t block_size() const = 0;   // positions
  virtual int32_t block_count() const = 0;
  virtual size_t bytes_per_block() const = 0;
  // All of it in one extent: the cache has its memory as long as it lives.
  virtual int32_t extent_blocks() const { return block_count(); }
  virtual size_t extent_bytes() const { return bytes_per_block() * static_cast<size_t>(extent_blocks()); }
  // Of an extent that is not committed, and of one that is. Throws Error("out_of_memory") or bad_alloc, and nothing has
  // changed then. Between passes only; decommit() waits for those that are under way.
  virtual void commit(int32_t /*extent*/) {}
  virtual void decommit(int32_t /*extent*/) noexcept {}
  // Makes block `to` hold what block `from` holds. Not while a forward pass uses the cache.
  virtual void copy_block(int32_t from, int32_t to) = 0;

  // Slots for what layers of linear attention have of a sequence in place of keys and values. They have their memory from the start.
  virtual int32_t state_count() const { return 0; }
  virtual size_t bytes_per_state() const { return 0; }
  virtual void copy_state(int32_t /*from*/, int32_t /*to*/) {}  // as copy_block
};

// How a model computes. Without a type for adapters they keep the types of their files.
struct NumberTypes {
  WeightType weights = WeightType::i8;
  std::optional<LoraType> adapters;
  KvType kv = KvType::f16;
};

struct ModelOptions {
  int32_t threads = 0;  // 0: one per available core (affinity and cgroup quota respected)
  std::string isa = {};  // one of available_isas(); empty: the best this machine has
  // Empty: on the CPU weights and adapters in 8 bits, keys and values in half precision, with weights in f32 everything
  // as exact as the files are; on CUDA all in bfloat16. There adapters, keys and values have the type of the weights'
  // inputs, adapters 8 bits if that is wished and the inputs have 16, and other wishes are refused.
  std::optional<WeightType> weights = {};
  std::optional<LoraType> adapters = {};
  bool adapters_as_stored = false;  // instead of `adapters`
  std::optional<KvType> kv = {};

  std::string device = "cpu";  // one of available_devices()
  // CUDA: outputs do not depend on the batch, to the bit, as they never do on the CPU.
  bool batch_invariant = false;
  // CUDA: host memory for adapters that had to leave the device, so that they come back without their files.
  size_t adapter_host_bytes = size_t{4} << 30;
};

// Whether a cache gets its memory at once and keeps it, or by extents, as they are committed.
enum class KvMemory : uint8_t { whole, extents };

// A loaded base model on one device. Not thread-safe: one engine thread calls it; adapters may be loaded on
// another thread meanwhile.
class Model {
 public:
  // `weights`: a .gguf file, or a folder with config.json and *.safetensors (sharded or not).
  // Throws sgmv::Error (error.h).
  static std::unique_ptr<Model> load(const std::filesystem::path& weights, const ModelOptions& options);

  virtual ~Model() = default;
  virtual const ModelConfig& config() const = 0;
  virtual std::string device() const = 0;  // e.g. "cpu avx512 2 threads"
  virtual size_t weight_bytes() const = 0;
  virtual NumberTypes number_types() const { return {WeightType::f32, std::nullopt, KvType::f32}; }
  virtual bool batch_invariant() const { return true; }
  // Where caches are: what is free there. nullopt: in this process's own memory.
  virtual std::optional<size_t> device_bytes_free() const { return std::nullopt; }
  // Takes the memory that steps of up to `tokens` tokens, of which `rows` are drawn from, work in, where caches are on a device:
  // what is free there afterwards is for them. Larger steps and what an adapter's rank needs take more when they come.
  virtual void reserve_steps(int32_t /*tokens*/, int32_t /*rows*/) {}
  // Whether it can choose tokens itself.
  virtual bool draws_tokens() const { return false; }
  // Whether a step can be started while another is under way.
  virtual bool runs_ahead() const { return false; }

  // Whether caches can have extents; all are whole otherwise.
  virtual bool has_kv_extents() const { return true; }
  // `state_count`: of slots, where the model has layers of linear attention.
  virtual std::unique_ptr<KvCache> make_kv_cache(int32_t block_count, int32_t block_size, KvMemory memory = KvMemory::whole, int32_t state_count = 0) = 0;

  // Reads, checks and packs a PEFT adapter for this model. Thread-safe. Throws sgmv::Error.
  virtual std::shared_ptr<const Adapter> load_adapter(const std::filesystem::path& folder) = 0;

  // Computes the batch and writes its keys and values into `cache`.
  // logits: [logit_rows.size(), vocab_size] float32, fully overwritten. The batch has no draws.
  // A row's value depends only on its own sequence: bit-identical (if batch_invariant()) whatever else is in the batch
  // and however its prompt was cut into chunks.
  virtual void forward(const Batch& batch, KvCache& cache, std::span<float> logits) = 0;

  // The same in two halves, and with draws: between them the device computes, and the caller may do something else. What
  // the batch points to must stay until finish(). What was under way is given up, and after either has thrown nothing is.
  // drawn: [draws.size()].
  virtual void start(const Batch& batch, KvCache& cache) {
    started_ = batch;
    started_cache_ = &cache;
  }
  // If runs_ahead(): one step more, after the one that is under way, which has no logit_rows. finish() gives the results of
  // the older. What the batch points to is not needed any more when this returns.
  virtual void start_next(const Batch& /*batch*/, KvCache& /*cache*/) {}
  virtual void finish(std::span<float> logits, std::span<int32_t> /*drawn*/) { forward(started_, *started_cache_, logits); }

 protected:
  Batch started_;  // by start() above
  KvCache* started_cache_ = nullptr;
};

}  // namespace sgmv
