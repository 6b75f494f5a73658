// Threads: callers put requests and cancellations into an inbox; the engine's own thread empties it between steps
// and alone touches sequences, blocks and the cache. `mutex_` guards the inbox, the set of live ids and the stats.
#include "sgmv/engine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <set>
#include <thread>

#include "adapter_table.h"
#include "available_memory.h"
#include "block_manager.h"
#include "request_check.h"
#include "scheduler.h"
#include "step_runner.h"

namespace sgmv {
namespace {

void check_options(const EngineOptions& options) {
  const auto refuse = [](const char* field, int64_t found, const std::string& expected) {
    throw Error("bad_argument", std::string(field) + ": found " + std::to_string(found) + "; expected " + expected + ".");
  };
  if (options.kv_block_size < 1) refuse("kvBlockSize", options.kv_block_size, "at least 1");
  if (options.max_batch < 1) refuse("maxBatch", options.max_batch, "at least 1");
  if (options.max_step_tokens < options.max_batch) {
    refuse("maxStepTokens", options.max_step_tokens,
           "at least maxBatch = " + std::to_string(options.max_batch) + ", so that every request advances in every step");
  }
}

// Blocks for the byte budget, but no more than `max_batch` sequences of full context could ever fill.
int32_t count_blocks(Model& model, const EngineOptions& options) {
  const size_t block_bytes = model.make_kv_cache(1, options.kv_block_size)->bytes_per_block();
  const size_t automatic = std::min<size_t>(available_memory() / 4, size_t{2} << 30);
  const size_t bytes = options.kv_bytes > 0 ? options.kv_bytes : std::max(automatic, block_bytes * 4);
  const auto context = static_cast<size_t>(model.config().max_positions);
  const size_t useful = (context + options.kv_block_size - 1) / options.kv_block_size * options.max_batch;
  const size_t count = std::min(bytes / block_bytes, useful);
  if (count < 1) {
    throw Error("bad_argument", "kvBytes: found " + std::to_string(bytes) + "; expected at least one block, " +
                                    std::to_string(block_bytes) + " bytes.");
  }
  return static_cast<int32_t>(std::min<size_t>(count, INT32_MAX));
}

struct Failure {
  std::string code;
  std::string message;
};

// The exception being handled, as the end of one request.
Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {"out_of_memory", "The engine ran out of memory while computing this request."};
  } catch (const std::exception& error) {
    return {"internal", error.what()};
  }
}

}  // namespace

class Engine::Impl {
 public:
  Impl(std::unique_ptr<Model> model, EngineOptions options, EventSink sink)
      : model_(std::move(model)),
        sink_(std::move(sink)),
        cache_(model_->make_kv_cache(count_blocks(*model_, options), options.kv_block_size)),
        blocks_(cache_->block_count(), cache_->block_size()),
        adapters_([this](const std::filesystem::path& folder) { return model_->load_adapter(folder); },
                  options.adapter_bytes),
        scheduler_({options.max_batch, options.max_step_tokens}, blocks_),
        runner_(*model_, *cache_) {
    const int64_t cache_positions = int64_t{blocks_.total()} * blocks_.block_size();
    limits_ = {model_->config().max_positions, static_cast<int32_t>(std::min<int64_t>(cache_positions, INT32_MAX))};
    context_ = {std::move(options.vocabulary), model_->config().end_tokens, model_->config().vocab_size,
                std::min(limits_.max_positions, limits_.cache_positions)};
    update_stats();
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() { close(); }

  const Model& model() const { return *model_; }

  void submit(Request request) {
    check_request(request, context_, limits_);
    {
      const std::lock_guard lock(mutex_);
      if (closed_) throw Error("closed", "The engine has been closed.");  // before its adapters seem unknown
    }
    const std::string id = request.id;
    AdapterPin pin = request.adapter ? adapters_.pin(*request.adapter) : AdapterPin();
    auto sequence = std::make_unique<Sequence>(std::move(request), std::move(pin), context_);
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error("closed", "The engine has been closed.");
    if (live_.contains(id)) {
      throw Error("bad_argument", "id: found \"" + id + "\", which a running request has; expected a new one.");
    }
    submitted_.push_back(std::move(sequence));
    live_.insert(id);
    wake_.notify_one();
  }

  void cancel(const std::string& id) {
    const std::lock_guard lock(mutex_);
    if (!live_.contains(id)) return;
    cancelled_.insert(id);
    wake_.notify_one();
  }

  AdapterTable& adapters() { return adapters_; }

  EngineStats stats() const {
    EngineStats stats;
    {
      const std::lock_guard lock(mutex_);
      stats = stats_;
      stats.waiting += static_cast<int32_t>(submitted_.size());
    }
    stats.adapters_resident = static_cast<int32_t>(adapters_.list().size());
    stats.adapter_bytes = adapters_.bytes();
    stats.adapter_bytes_max = adapters_.bytes_max();
    return stats;
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
    adapters_.close();
  }

 private:
  void run() {
    while (take_inbox()) {
      try {
        if (!scheduler_.idle()) step();
      } catch (...) {
        fail_all(current_failure());
      }
      deliver();
    }
    for (auto& sequence : scheduler_.remove_all()) end(std::move(sequence), FinishReason::cancelled, nullptr);
    deliver();
  }

  // Waits for work. False once the engine is to close; everything submitted is then in the scheduler.
  bool take_inbox() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return closed_ || !submitted_.empty() || !cancelled_.empty() || !scheduler_.idle(); });
    std::vector<std::unique_ptr<Sequence>> arrived = std::move(submitted_);
    submitted_.clear();
    const std::set<std::string> cancelled = std::move(cancelled_);
    cancelled_.clear();
    const bool closed = closed_;
    lock.unlock();
    for (auto& sequence : arrived) {
      if (sequence->finish) {
        end(std::move(sequence), std::nullopt, nullptr);  // its resumed tokens were already the whole
      } else {
        scheduler_.add(std::move(sequence));
      }
    }
    for (const std::string& id : cancelled) {
      if (auto sequence = scheduler_.remove(id)) end(std::move(sequence), FinishReason::cancelled, nullptr);
    }
    return !closed;
  }

  void step() {
    const auto started = std::chrono::steady_clock::now();
    const std::vector<PlannedSlice> plan = scheduler_.schedule();
    if (!run_slices(plan)) {
      // Something failed and nobody knows whose fault it was: each sequence again, alone.
      for (const PlannedSlice& slice : plan) {
        if (!run_slices({&slice, 1})) fail(*slice.sequence, slice_failure_);
      }
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - started;
    step_ms_[steps_ % step_ms_.size()] = took.count();
    steps_ += 1;
  }

  bool run_slices(std::span<const PlannedSlice> slices) {
    const std::vector<SliceLogits>* logits = nullptr;
    try {
      logits = &runner_.run(slices);
    } catch (...) {
      slice_failure_ = current_failure();
      return false;
    }
    for (size_t i = 0; i < slices.size(); ++i) {
      Sequence& sequence = *slices[i].sequence;
      try {
        postprocess(sequence, slices[i].token_count, (*logits)[i]);
      } catch (...) {
        fail(sequence, current_failure());
        continue;
      }
      if (sequence.finish) end(scheduler_.remove(sequence.request.id), std::nullopt, nullptr);
    }
    return true;
  }

  void postprocess(Sequence& sequence, int32_t computed, const SliceLogits& logits) {
    if (!logits.prompt.empty()) keep_prompt_logits(sequence, logits.prompt);
    sequence.computed += computed;
    if (sequence.wants_prompt_logits() && sequence.computed >= sequence.prompt_count) send_prompt_logits(sequence);
    if (logits.sampled.empty()) return;
    const int32_t token = sampler_.pick(logits.sampled, sequence.request.sampling, sequence.tokens.size());
    Event event;
    event.kind = Event::Kind::tokens;
    event.id = sequence.request.id;
    event.tokens = {token};
    if (sequence.request.logits == LogitsMode::last) event.logits.assign(logits.sampled.begin(), logits.sampled.end());
    event.text = sequence.accept(token);
    events_.push_back(std::move(event));
    tokens_generated_ += 1;
    if (!sequence.finish && model_->config().leaves_short_context(sequence.tokens.size())) scheduler_.recompute(sequence);
  }

  void keep_prompt_logits(Sequence& sequence, std::span<const float> rows) {
    const auto vocab = static_cast<size_t>(context_.vocab_size);
    sequence.prompt_logits.resize(sequence.prompt_count * vocab);
    std::copy(rows.begin(), rows.end(), sequence.prompt_logits.begin() + sequence.computed * vocab);
  }

  void send_prompt_logits(Sequence& sequence) {
    Event event;
    event.kind = Event::Kind::prompt_logits;
    event.id = sequence.request.id;
    event.logits = std::move(sequence.prompt_logits);
    events_.push_back(std::move(event));
    sequence.prompt_logits_sent = true;
  }

  void fail(Sequence& sequence, const Failure& failure) {
    end(scheduler_.remove(sequence.request.id), FinishReason::error, &failure);
  }

  void fail_all(const Failure& failure) {
    for (auto& sequence : scheduler_.remove_all()) end(std::move(sequence), FinishReason::error, &failure);
  }

  // `reason` overrides the sequence's own. The adapter is unpinned before the end event is seen.
  void end(std::unique_ptr<Sequence> sequence, std::optional<FinishReason> reason, const Failure* failure) {
    Event event;
    event.kind = Event::Kind::end;
    event.id = sequence->request.id;
    event.text = sequence->finish_text();
    event.finish_reason = reason ? *reason : *sequence->finish;
    event.prompt_tokens = sequence->prompt_count;
    event.completion_tokens = sequence->completion_tokens();
    if (failure) {
      event.error_code = failure->code;
      event.error_message = failure->message;
    }
    sequence.reset();
    events_.push_back(std::move(event));
  }

  // An id is free again, and the stats are right, before anyone is told of its end.
  void deliver() {
    {
      const std::lock_guard lock(mutex_);
      for (const Event& event : events_) {
        if (event.kind != Event::Kind::end) continue;
        live_.erase(event.id);
        cancelled_.erase(event.id);
      }
      update_stats();
    }
    if (!events_.empty()) sink_(std::move(events_));
    events_ = {};
  }

  void update_stats() {
    stats_.running = scheduler_.running();
    stats_.waiting = scheduler_.waiting();
    stats_.kv_block_size = blocks_.block_size();
    stats_.kv_blocks_total = blocks_.total();
    stats_.kv_blocks_free = blocks_.free();
    stats_.steps = steps_;
    stats_.tokens_generated = tokens_generated_;
    stats_.preemptions = scheduler_.preemptions();
    const auto measured = std::min<size_t>(steps_, step_ms_.size());
    double sum = 0.0;
    for (size_t i = 0; i < measured; ++i) sum += step_ms_[i];
    stats_.step_ms = measured > 0 ? sum / static_cast<double>(measured) : 0.0;
  }

  const std::unique_ptr<Model> model_;
  const EventSink sink_;
  const std::unique_ptr<KvCache> cache_;
  SequenceContext context_;
  RequestLimits limits_;

  // The engine thread's.
  BlockManager blocks_;
  AdapterTable adapters_;  // thread-safe; outlives the pins in sequences
  Scheduler scheduler_;
  StepRunner runner_;
  Sampler sampler_;
  std::vector<Event> events_;  // of this step
  Failure slice_failure_;
  std::array<double, 64> step_ms_{};
  int64_t steps_ = 0;
  int64_t tokens_generated_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Sequence>> submitted_;
  std::set<std::string> cancelled_;
  std::set<std::string> live_;  // ids submitted and not ended
  EngineStats stats_;
  bool closed_ = false;
  std::thread thread_;
};

Engine::Engine(std::unique_ptr<Model> model, EngineOptions options, EventSink sink) {
  check_options(options);
  impl_ = std::make_unique<Impl>(std::move(model), std::move(options), std::move(sink));
}

Engine::~Engine() = default;

const Model& Engine::model() const { return impl_->model(); }
void Engine::submit(Request request) { impl_->submit(std::move(request)); }
void Engine::cancel(const std::string& id) { impl_->cancel(id); }
void Engine::load_adapter(const std::string& name, const std::filesystem::path& folder, LoadCallback done,
                          LoadPriority) {
  impl_->adapters().load(name, folder, std::move(done));
}
bool Engine::unload_adapter(const std::string& name) { return impl_->adapters().unload(name); }
std::vector<AdapterInfo> Engine::adapters() const { return impl_->adapters().list(); }
EngineStats Engine::stats() const { return impl_->stats(); }
void Engine::close() { impl_->close(); }

}  // namespace sgmv
