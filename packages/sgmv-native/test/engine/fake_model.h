// A tiny deterministic model for the tests of the engine. What follows a text is a hash of all its tokens, as found
// in the cache through the block table, and of its adapter: a lost, shared or stale block changes the outcome.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sgmv/model.h"

namespace sgmv::test {

inline constexpr int32_t kVocabulary = 64;
inline constexpr int32_t kEnd = 63;      // ends a generation; follows a text now and then
inline constexpr int32_t kNan = 62;      // a text with this token has NaN logits
inline constexpr int32_t kNoMemory = 61;  // a batch with this token throws bad_alloc
inline constexpr int32_t kBroken = 60;   // a batch with this token throws
inline constexpr size_t kFakeStateBytes = 8;
inline constexpr int32_t kInvocation[] = {3, 4, 3};  // of adapters that are called activated…
inline constexpr int32_t kOrdinary = 60;  // tokens below mean nothing

class FakeAdapter final : public Adapter {
 public:
  FakeAdapter(std::string name, size_t bytes) : name(std::move(name)), bytes_(bytes) {}
  size_t bytes() const override { return bytes_; }
  int32_t rank_max() const override { return 8; }
  std::span<const int32_t> invocation() const override { return name.starts_with("activated") ? std::span<const int32_t>(kInvocation) : std::span<const int32_t>(); }
  const std::string name;

 private:
  size_t bytes_;
};

// Stops threads until the test lets some, or all, through.
class Gate {
 public:
  void pass();
  void allow(int times);  // that many in all
  void open();
  void wait_until_reached(int times = 1);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int reached_ = 0;
  int allowed_ = 0;
};

struct FakeOptions {
  int32_t max_positions = 4096;
  bool ends = false;  // whether kEnd follows a text now and then
  bool draws = false;  // chooses tokens itself, as a device does
  bool states = false;  // has layers of linear attention
  bool ahead = false;  // besides, lets a step be started while another is under way
  int32_t extent_blocks = 0;  // of caches; 0: all of a cache is one extent
  int32_t short_context = 0;  // past so many tokens all of a text means something else, as with LongRoPE; 0: never
  std::shared_ptr<Gate> forward_gate = nullptr;
  std::shared_ptr<Gate> load_gate = nullptr;  // for adapter folders called slow…
};

// What the model saw; outlives the engine that owns the model.
struct FakeLog {
  std::atomic<int> forwards{0};
  std::atomic<int> drawn{0};  // tokens
  std::atomic<int> ahead{0};  // steps started while another was under way
  std::atomic<int> refusals{0};  // so many of these cannot be started
  std::atomic<int> breakdowns{0};  // so many of these can, and give nothing
  std::atomic<int> loads{0};
  std::atomic<int> caches{0};  // alive
  std::atomic<int> copies{0};  // of blocks
  std::atomic<int> state_copies{0};
  std::atomic<int> extents{0};  // committed
  std::atomic<int> scarce_extents{0};  // so many of these cannot be
  std::mutex mutex;
  std::vector<std::vector<int32_t>> steps;  // token counts of each batch's slices
  std::string fault;                        // the first rule a batch broke; empty: none
};

class FakeModel final : public Model {
 public:
  FakeModel(FakeOptions options, std::shared_ptr<FakeLog> log);

  const ModelConfig& config() const override { return config_; }
  std::string device() const override { return "fake"; }
  size_t weight_bytes() const override { return 0; }
  std::unique_ptr<KvCache> make_kv_cache(int32_t block_count, int32_t block_size, KvMemory memory = KvMemory::whole, int32_t state_count = 0) override;
  // The folder's name says what comes: "…-BYTES" a sound adapter, "bad…" a refusal, "huge…" bad_alloc.
  std::shared_ptr<const Adapter> load_adapter(const std::filesystem::path& folder) override;
  void forward(const Batch& batch, KvCache& cache, std::span<float> logits) override;
  bool draws_tokens() const override { return options_.draws; }
  bool runs_ahead() const override { return options_.ahead; }
  void start(const Batch& batch, KvCache& cache) override;
  void start_next(const Batch& batch, KvCache& cache) override;
  void finish(std::span<float> logits, std::span<int32_t> drawn) override;

 private:
  // What a step gave, or why it gave nothing.
  struct Result {
    std::vector<float> logits;
    std::vector<int32_t> drawn;
    std::exception_ptr failure;
  };

  void check(const Batch& batch, const KvCache& cache) const;
  void compute(const Batch& batch, KvCache& cache, std::span<float> logits, std::span<int32_t> drawn);
  Result computed(const Batch& batch, KvCache& cache);
  void break_rule(const char* rule);

  ModelConfig config_;
  FakeOptions options_;
  std::shared_ptr<FakeLog> log_;
  std::deque<Result> under_way_;  // of a model that runs ahead: computed at once, in the order of starts, as a device does
};

// The logits [kVocabulary] after `tokens`, and the greedy tokens that follow `prompt`, as a run alone would give them.
// `prompt`: so many of the tokens are its.
std::vector<float> fake_logits(const std::vector<int32_t>& tokens, const std::string& adapter, bool ends, size_t prompt = SIZE_MAX);
std::vector<int32_t> fake_greedy(std::vector<int32_t> prompt, const std::string& adapter, size_t count, bool ends = false);

}  // namespace sgmv::test
