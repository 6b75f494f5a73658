#include "model_bench.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <random>

#include "popularity.h"
#include "random_model.h"
#include "sgmv/engine.h"
#include "sgmv/error.h"
#include "textgen_workload.h"

namespace sgmv::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int32_t kBlockSize = 16;
constexpr int32_t kBatch = 32;
constexpr double kStepTarget = 1.25, kLoraTarget = 1.08, kDistinctTarget = 0.95, kInvariantTarget = 0.90;

double microseconds(Clock::time_point from) { return std::chrono::duration<double, std::micro>(Clock::now() - from).count(); }

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// `batch` sequences of `context` positions each, the last of which a step computes again and again.
class DecodeStep {
 public:
  DecodeStep(RandomModel& model, int32_t batch, int32_t context) : model_(model), batch_(batch), context_(context) {
    const int32_t blocks = (context + kBlockSize - 1) / kBlockSize;
    cache_ = model.make_kv_cache(batch * blocks, kBlockSize);
    tables_.resize(static_cast<size_t>(batch * blocks));
    std::iota(tables_.begin(), tables_.end(), 0);
    std::shuffle(tables_.begin(), tables_.end(), std::mt19937(1));
    tokens_.resize(static_cast<size_t>(context));
    for (size_t i = 0; i < tokens_.size(); ++i) tokens_[i] = static_cast<int32_t>(i * 7919 % static_cast<size_t>(model.config().vocab_size));
    for (int32_t i = 0; i < batch; ++i) fill(i);
  }

  // The whole of a step as the engine sees it, tokens drawn, median of several.
  double time(std::span<const Segment> segments, int runs) {
    std::vector<int32_t> ids(static_cast<size_t>(batch_)), drawn(static_cast<size_t>(batch_));
    std::vector<SequenceSlice> slices;
    std::vector<Draw> draws;
    for (int32_t i = 0; i < batch_; ++i) {
      ids[static_cast<size_t>(i)] = tokens_[static_cast<size_t>(i)];
      slices.push_back({i, 1, context_ - 1, table(i), context_});
      draws.push_back({i, 0.0f, 0, 1.0f, 0.0f, 0, static_cast<uint64_t>(context_)});
    }
    std::vector<double> times;
    for (int run = -3; run < runs; ++run) {
      const auto begin = Clock::now();
      model_.start({ids, slices, segments, {}, draws}, *cache_);
      model_.finish({}, drawn);
      if (run >= 0) times.push_back(microseconds(begin));
    }
    return median(times);
  }

 private:
  std::span<const int32_t> table(int32_t sequence) const {
    const size_t blocks = tables_.size() / static_cast<size_t>(batch_);
    return std::span(tables_).subspan(static_cast<size_t>(sequence) * blocks, blocks);
  }

  void fill(int32_t sequence) {
    const Segment segment{0, context_, nullptr};
    const SequenceSlice slice{0, context_, 0, table(sequence), context_};
    model_.forward({tokens_, {&slice, 1}, {&segment, 1}, {}}, *cache_, {});
  }

  RandomModel& model_;
  int32_t batch_, context_;
  std::unique_ptr<KvCache> cache_;
  std::vector<int32_t> tables_, tokens_;
};

struct Bytes {
  double weights, kv, lora_each;
};

Bytes bytes_of(const RandomModel& model, int32_t batch, int32_t context) {
  const ModelConfig& c = model.config();
  const double embedding = 2.0 * c.vocab_size * c.hidden_size;  // a step reads a few rows of it
  return {static_cast<double>(model.weight_bytes()) - embedding, 4.0 * batch * context * c.layers * c.kv_heads * c.head_dim, static_cast<double>(model.adapter_bytes())};
}

struct Targets {
  bool step = false, lora = false;
};

// A step's time without adapters and with, against what its bytes take.
void run_steps(Measure& measure, const Limits& limits, Rows& rows, RandomModel& model, const std::string& id, Targets targets) {
  const int32_t context = measure.smoke() ? 40 : 512, batch = measure.smoke() ? 4 : kBatch;
  const int runs = measure.smoke() ? 1 : 50;
  DecodeStep step(model, batch, context);
  const Bytes bytes = bytes_of(model, batch, context);
  const double floor = limits.floor_us(bytes.weights + bytes.kv);
  const Segment base{0, batch, nullptr};
  const double base_us = step.time({&base, 1}, runs);
  rows.add(id + ".step.base.us", base_us, "us");
  rows.add(id + ".step.base.time/byte-floor", base_us / floor, "", targets.step ? std::optional(kStepTarget) : std::nullopt);
  std::vector<std::shared_ptr<const Adapter>> adapters;
  for (const Popularity popularity : kPopularities) {
    const std::vector<int> of_request = adapters_of(popularity, batch);
    while (static_cast<int>(adapters.size()) <= of_request.back()) adapters.push_back(model.load_adapter(""));
    std::vector<Segment> segments;
    for (int32_t i = 0; i < batch; ++i) segments.push_back({i, i + 1, adapters[static_cast<size_t>(of_request[static_cast<size_t>(i)])].get()});
    const double us = step.time(segments, runs);
    const std::string name = id + ".step." + name_of(popularity);
    const bool distinct = popularity == Popularity::distinct;
    rows.add(name + ".us", us, "us");
    rows.add(name + "/base", us / base_us, "", targets.lora && distinct ? std::optional(kLoraTarget) : std::nullopt);
    rows.add(name + "/base.byte-floor", (floor + limits.floor_us(bytes.lora_each * (of_request.back() + 1))) / floor, "");
  }
}

class Served {
 public:
  Served(std::unique_ptr<Model> model, int32_t batch) {
    EngineOptions options;
    options.max_batch = batch;
    options.max_step_tokens = 1024;
    options.prefix_cache = false;
    options.adapter_bytes = size_t{4} << 30;
    engine_ = std::make_unique<Engine>(std::move(model), options, [this](std::vector<Event>& events) { count(events); });
  }

  void load(int adapters) {
    std::mutex mutex;
    std::condition_variable changed;
    int loaded = 0;
    for (int i = 0; i < adapters; ++i)
      engine_->load_adapter(std::to_string(i), std::to_string(i), [&](bool, const Error*) {
        const std::lock_guard lock(mutex);
        ++loaded;
        changed.notify_all();
      });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return loaded == adapters; });
  }

  // Seconds until all have their tokens.
  double run(const std::vector<TextgenRequest>& requests, const std::vector<int>& adapters) {
    left_ = static_cast<int>(requests.size());
    const auto begin = Clock::now();
    for (size_t i = 0; i < requests.size(); ++i) {
      Request request;
      request.id = std::to_string(++submitted_);
      for (int32_t t = 0; t < requests[i].prompt_tokens; ++t) request.prompt_tokens.push_back(static_cast<int32_t>((i * 31 + static_cast<size_t>(t) * 7) % static_cast<size_t>(engine_->model().config().vocab_size)));
      if (!adapters.empty()) request.adapter = std::to_string(adapters[i]);
      request.max_tokens = requests[i].new_tokens;
      request.ignore_eos = true;
      engine_->submit(std::move(request));
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return left_ == 0; });
    if (!failure_.empty()) throw std::runtime_error(failure_);
    return microseconds(begin) * 1e-6;
  }

 private:
  void count(std::vector<Event>& events) {
    const std::lock_guard lock(mutex_);
    for (const Event& event : events) {
      if (!event.error_message.empty()) failure_ = event.error_message;
      if (event.kind == Event::Kind::end) --left_;
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int left_ = 0;
  int submitted_ = 0;
  std::string failure_;
  std::unique_ptr<Engine> engine_;
};

// 32 requests at once, and in the usual kind of model Punica's workload of requests of all lengths. Returns new tokens per
// second with distinct adapters.
double run_served(Measure& measure, Rows& rows, RandomModel::Kind kind) {
  const int32_t batch = measure.smoke() ? 4 : kBatch;
  const bool int8 = kind.adapters == cuda::LoraFormat::q8;
  const std::string id = std::string(int8 ? "model.7b.int8-adapters.served" : "model.7b.served") + (kind.batch_invariant ? ".batch-invariant" : "");
  Served served(std::make_unique<RandomModel>(measure, measure.smoke() ? tiny_llama() : llama2_7b(), kind), batch);
  served.load(batch);
  const std::vector<TextgenRequest> same(static_cast<size_t>(batch), measure.smoke() ? TextgenRequest{8, 4} : TextgenRequest{64, 128});
  served.run(same, {});  // graphs are recorded as shapes come up
  double of_distinct = 0;
  for (const Popularity popularity : kPopularities) {
    const std::vector<int> adapters = adapters_of(popularity, batch);
    served.run(same, adapters);
    const double rate = batch * static_cast<double>(same[0].new_tokens) / served.run(same, adapters);
    rows.add(id + "." + name_of(popularity) + ".new_tokens", rate, "1/s");
    if (popularity == Popularity::distinct) of_distinct = rate;
    if (popularity == Popularity::identical) rows.add(id + ".distinct/identical", of_distinct / rate, "", kind.batch_invariant ? std::nullopt : std::optional(kDistinctTarget));
  }
  if (kind.batch_invariant || int8) return of_distinct;
  const std::vector<TextgenRequest> workload = textgen_requests(measure.smoke() ? 6 : 128, measure.smoke() ? 32 : 2048);
  int64_t tokens = 0;
  std::vector<int> distinct;
  for (size_t i = 0; i < workload.size(); ++i) {
    tokens += workload[i].prompt_tokens + workload[i].new_tokens;
    distinct.push_back(static_cast<int>(i) % batch);
  }
  rows.add("textgen.distinct.ours.throughput", static_cast<double>(tokens) / served.run(workload, distinct), "tokens/s");
  return of_distinct;
}

}  // namespace

void run_model(Measure& measure, const Limits& limits, Rows& rows) {
  const ModelConfig config = measure.smoke() ? tiny_llama() : llama2_7b();
  const RandomModel::Kind usual, int8_adapters{false, false, cuda::LoraFormat::q8}, fp8{false, true}, invariant{true};
  const auto steps = [&](const std::string& id, const RandomModel::Kind& kind, Targets targets) {
    RandomModel model(measure, config, kind);
    run_steps(measure, limits, rows, model, id, targets);
  };
  steps("model.7b", usual, {true, true});
  steps("model.7b.int8-adapters", int8_adapters, {false, true});
  const double of_usual = run_served(measure, rows, usual);
  run_served(measure, rows, int8_adapters);
  rows.add("model.7b.served.batch-invariant/default", run_served(measure, rows, invariant) / of_usual, "", kInvariantTarget);
  steps("model.7b.fp8", fp8, {});  // last: no target is about it
}

}  // namespace sgmv::bench
