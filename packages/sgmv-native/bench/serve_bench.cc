#include "serve_bench.h"

#include <algorithm>
#include <chrono>
#include <random>

namespace sgmv::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

constexpr int32_t kBlockSize = 16;

class Run {
 public:
  Run(Model& model, const std::vector<std::shared_ptr<const Adapter>>& adapters, const ServeOptions& options)
      : model_(model), adapters_(adapters), options_(options),
        blocks_per_request_((options.prompt_tokens + options.new_tokens + kBlockSize - 1) / kBlockSize),
        cache_(model.make_kv_cache(blocks_per_request_ * options.requests, kBlockSize, KvMemory::whole, 2 * options.requests)) {
    for (int32_t block = 0; block < blocks_per_request_ * options.requests; ++block) blocks_.push_back(block);
  }

  // Several whole prompts per step.
  void prefill() {
    std::mt19937 generator(7);
    std::uniform_int_distribution<int32_t> any(3, model_.config().vocab_size - 1);
    const int32_t per_step = std::max(1, options_.step_tokens / options_.prompt_tokens);
    next_.resize(static_cast<size_t>(options_.requests));
    for (int32_t first = 0; first < options_.requests; first += per_step) {
      const int32_t count = std::min(per_step, options_.requests - first);
      tokens_.clear();
      for (int32_t i = 0; i < count * options_.prompt_tokens; ++i) tokens_.push_back(any(generator));
      step(first, count, options_.prompt_tokens, 0);
    }
  }

  double decode(int32_t index) {
    tokens_ = next_;
    const auto begin = Clock::now();
    step(0, options_.requests, 1, options_.prompt_tokens + index);
    return seconds_since(begin);
  }

 private:
  void step(int32_t first, int32_t count, int32_t per_request, int32_t position) {
    std::vector<SequenceSlice> slices;
    std::vector<Segment> segments;
    std::vector<int32_t> rows;
    const int32_t turn = position == 0 ? 0 : position - options_.prompt_tokens + 1;  // of slots for states
    for (int32_t i = 0; i < count; ++i) {
      const auto request = static_cast<size_t>(first + i);
      const int32_t begin = i * per_request, end = begin + per_request;
      slices.push_back({begin, per_request, position, std::span(blocks_).subspan(request * static_cast<size_t>(blocks_per_request_), static_cast<size_t>(blocks_per_request_)), 0,
                        position == 0 ? -1 : 2 * (first + i) + (turn + 1) % 2, 2 * (first + i) + turn % 2});
      segments.push_back({begin, end, adapters_.empty() ? nullptr : adapters_[request % adapters_.size()].get()});
      rows.push_back(end - 1);
    }
    const auto vocabulary = static_cast<size_t>(model_.config().vocab_size);
    logits_.resize(rows.size() * vocabulary);
    model_.forward({tokens_, slices, segments, rows}, *cache_, logits_);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto begin = logits_.begin() + static_cast<std::ptrdiff_t>(i * vocabulary);
      next_[static_cast<size_t>(first) + i] = static_cast<int32_t>(std::max_element(begin, begin + static_cast<std::ptrdiff_t>(vocabulary)) - begin);
    }
  }

  Model& model_;
  const std::vector<std::shared_ptr<const Adapter>>& adapters_;
  const ServeOptions& options_;
  int32_t blocks_per_request_;
  std::unique_ptr<KvCache> cache_;
  std::vector<int32_t> blocks_, tokens_, next_;
  std::vector<float> logits_;
};

}  // namespace

ServeResult run_serve(Model& model, const std::vector<std::shared_ptr<const Adapter>>& adapters, const ServeOptions& options) {
  ServeResult result;
  result.popularity = adapters.empty() ? "base" : adapters.size() == 1 ? "identical" : "distinct";
  Run run(model, adapters, options);
  const auto begin = Clock::now();
  run.prefill();
  result.prefill_seconds = seconds_since(begin);
  result.prefill_tokens_per_second = options.requests * options.prompt_tokens / result.prefill_seconds;
  std::vector<double> steps;
  for (int32_t i = 0; i + 1 < options.new_tokens; ++i) steps.push_back(run.decode(i));
  result.new_tokens_per_second = double(options.requests) * options.new_tokens / seconds_since(begin);
  if (!steps.empty()) {
    std::nth_element(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2), steps.end());
    result.decode_step_ms = steps[steps.size() / 2] * 1e3;
    result.decode_step_ms_best = *std::min_element(steps.begin(), steps.end()) * 1e3;
  }
  return result;
}

}  // namespace sgmv::bench
