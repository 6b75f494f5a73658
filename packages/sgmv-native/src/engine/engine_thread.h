// The engine's own thread: schedule → start → deliver what the last step gave → finish → postprocess, until closed. Where the
// model runs ahead, what follows on a step is scheduled and started before that step is finished. It alone touches sequences,
// blocks and the cache.
#pragma once

#include <span>
#include <thread>
#include <vector>

#include "inbox.h"
#include "recent_mean.h"
#include "scheduler.h"
#include "sgmv/engine.h"
#include "step_runner.h"
#include "step_shapes.h"

namespace sgmv {

// Nothing that happens to a request, and no lack of memory, ends the thread: the exception is kept with the sequence
// it belongs to, which ends; what tells of its end is made when there is memory for it.
class EngineThread {
 public:
  EngineThread(Model& model, KvCache& cache, BlockMemory& memory, const EngineOptions& options, Inbox& inbox, Engine::EventSink sink);
  ~EngineThread() { join(); }

  // Returns when the inbox has been closed and everything has ended and been delivered. Idempotent.
  void join();
  // As of the last delivery; adapters are not included.
  EngineStats stats() const;

 private:
  using Clock = std::chrono::steady_clock;

  void run() noexcept;
  bool take_mail(bool wait) noexcept;
  bool idle() const { return scheduler_.idle() && under_way_.empty(); }
  void step() noexcept;
  bool schedule_step(Clock::time_point now) noexcept;
  bool run_slices(std::span<const PlannedSlice> slices, bool started, bool ahead) noexcept;
  void start_next();
  void finish_for_nobody() noexcept;
  void postprocess(std::span<const PlannedSlice> slices, std::span<const SliceOutput> outputs) noexcept;
  void accept_masks(std::list<ProvidedMask> masks) noexcept;
  void fail_request(const std::string& id, const std::exception_ptr& cause) noexcept;
  void pick_unblocked() noexcept;
  void postprocess(Sequence& sequence, int32_t computed, const SliceOutput& output);
  void draw(Sequence& sequence, std::span<const NextToken> next);
  bool choose(Sequence& sequence, const NextToken& next);
  void pick(Sequence& sequence, std::span<const float> row);
  void take(Sequence& sequence, int32_t token, std::span<const float> row);
  std::span<const float> adjusted(const Sequence& sequence, std::span<const float> row);
  void end(SequenceList taken, FinishReason reason) noexcept;
  void forget(const Sequence& sequence) noexcept;
  bool deliver() noexcept;
  void deliver_at_last() noexcept;
  void publish_stats() noexcept;

  Inbox& inbox_;
  const Engine::EventSink sink_;
  const bool runs_ahead_;
  BlockManager blocks_;
  Scheduler scheduler_;
  StepRunner runner_;
  Sampler sampler_;
  std::vector<PlannedSlice> under_way_;  // started and not finished; null where the sequence has ended
  std::vector<PlannedSlice> next_;       // likewise, the step that follows on it
  std::vector<float> adjusted_;  // scratch
  SequenceList ended_;           // their ends have not been told
  std::vector<Event> events_;    // not delivered yet
  std::exception_ptr slice_failure_;
  bool blocked_ = false;  // all that runs waits for masks
  bool delivered_ = true;  // the last delivery found the memory it needed
  RecentMean step_ms_, queue_ms_, ttft_ms_;
  StepShapes shapes_;
  int64_t steps_ = 0;
  int64_t tokens_generated_ = 0;
  int64_t drafted_tokens_ = 0;
  int64_t accepted_tokens_ = 0;

  mutable std::mutex stats_mutex_;
  EngineStats stats_;
  std::thread thread_;  // last: it starts when everything else is there
};

}  // namespace sgmv
