#include "engine_harness.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "allocation_faults.h"

namespace sgmv::test {
namespace {
constexpr std::chrono::seconds kPatience{60};
}

bool models_run_ahead = false, models_have_states = false;

Harness::Harness(EngineOptions options, FakeOptions fake) {
  if (models_run_ahead) fake.draws = fake.ahead = true;
  if (models_have_states) fake.states = true;
  // Room for the states, so that a test's number of blocks is what it says.
  if (fake.states && options.kv_bytes > 0) options.kv_bytes += static_cast<size_t>(options.max_batch * 3 + options.max_batch / 4) * kFakeStateBytes;
  engine_ = std::make_unique<Engine>(std::make_unique<FakeModel>(std::move(fake), log_), std::move(options),
                                     [this](std::vector<Event>& events) { take(events); });
}

Harness::Harness(EngineOptions options, std::unique_ptr<Model> model)
    : engine_(std::make_unique<Engine>(std::move(model), std::move(options), [this](std::vector<Event>& events) { take(events); })) {}

Harness::~Harness() {
  engine_->close();
  const EngineStats stats = engine_->stats();
  std::string fault = fault_.empty() ? log_->fault : fault_;
  if (stats.kv_blocks_free != stats.kv_blocks_total) fault = "KV blocks leaked";
  if (stats.running != 0 || stats.waiting != 0) fault = "requests outlived close()";
  engine_.reset();
  if (log_->caches != 0) fault = "the cache outlived the engine";
  if (fault.empty()) return;
  // A destructor cannot fail a test by throwing, and no test should pass over this.
  std::printf("      broken rule: %s\n", fault.c_str());
  std::fflush(stdout);
  std::abort();
}

void Harness::take(std::vector<Event>& events) {
  const auto message = std::make_unique<int>();  // what a caller's sink needs memory for
  const FaultShelter shelter;
  const std::lock_guard lock(mutex_);
  if (events.empty()) fault_ = "an empty step was delivered";
  for (Event& event : events) record(event);
  changed_.notify_all();
}

void Harness::record(Event& event) {
  if (observer_) observer_(event);
  Outcome& outcome = outcomes_[{event.id, event.choice}];
  if (outcome.end) fault_ = "an event came after the end";
  if (event.kind == Event::Kind::draft) return outcome.drafts.push_back(std::move(event.tokens));
  const bool prompt = event.kind == Event::Kind::prompt;
  if (prompt && (!outcome.tokens.empty() || std::exchange(outcome.prompt_told, true))) fault_ = "a prompt was told late or twice";
  outcome.tokens.insert(outcome.tokens.end(), event.tokens.begin(), event.tokens.end());
  auto& logprobs = prompt ? outcome.prompt_logprobs : outcome.logprobs;
  logprobs.insert(logprobs.end(), event.logprobs.begin(), event.logprobs.end());
  auto& logits = prompt ? outcome.prompt_logits : outcome.logits;
  logits.insert(logits.end(), event.logits.begin(), event.logits.end());
  outcome.text += event.text;
  outcome.pieces.push_back(event.text);
  if (event.kind == Event::Kind::end) outcome.end = std::move(event);
}

Outcome Harness::wait(const std::string& id, int32_t choice) {
  std::unique_lock lock(mutex_);
  const Key key(id, choice);
  const bool in_time = changed_.wait_for(lock, kPatience, [&] { return outcomes_[key].end.has_value(); });
  CHECK(in_time, "choice ", choice, " of request ", id, " did not end");
  return outcomes_[key];
}

Outcome Harness::peek(const std::string& id, int32_t choice) {
  const std::lock_guard lock(mutex_);
  return outcomes_[{id, choice}];
}

Outcome Harness::run(Request request) {
  const std::string id = request.id;
  submit(std::move(request));
  return wait(id);
}

void Harness::forget(const std::string& id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(outcomes_, [&](const auto& entry) { return entry.first.first == id; });
}

bool Harness::wait_for_tokens(const std::string& id, size_t count, int32_t choice) {
  std::unique_lock lock(mutex_);
  const Key key(id, choice);
  const bool in_time = changed_.wait_for(lock, kPatience, [&] { return outcomes_[key].end || outcomes_[key].tokens.size() >= count; });
  CHECK(in_time, "request ", id, " did not get ", count, " tokens");
  return !outcomes_[key].end;
}

std::unique_ptr<Error> Harness::load(const std::string& name, const std::string& folder) {
  return std::move(load_as(LoadPriority::wanted, name, folder).second);
}

bool Harness::prefetch(const std::string& name, const std::string& folder) {
  const auto [resident, failure] = load_as(LoadPriority::prefetch, name, folder);
  CHECK(!failure, failure->what());
  return resident;
}

std::pair<bool, std::unique_ptr<Error>> Harness::load_as(LoadPriority priority, const std::string& name, const std::string& folder) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable changed;
    bool settled = false;
    bool resident = false;
    std::unique_ptr<Error> failure;
  };
  const auto answer = std::make_shared<Answer>();
  const auto done = [answer](bool resident, const Error* failure) {
    const FaultShelter shelter;
    const std::lock_guard lock(answer->mutex);
    answer->resident = resident;
    if (failure) answer->failure = std::make_unique<Error>(*failure);
    answer->settled = true;
    answer->changed.notify_all();
  };
  engine_->load_adapter(name, folder, done, priority);
  std::unique_lock lock(answer->mutex);
  CHECK(answer->changed.wait_for(lock, kPatience, [&] { return answer->settled; }), "loading ", name, " did not settle");
  return {answer->resident, std::move(answer->failure)};
}

void Harness::check_idle() {
  const EngineStats stats = engine_->stats();
  CHECK_EQUAL(stats.kv_blocks_free, stats.kv_blocks_total);
  CHECK_EQUAL(stats.running, 0);
  CHECK_EQUAL(stats.waiting, 0);
  for (const AdapterInfo& adapter : engine_->adapters()) CHECK(!adapter.pinned, adapter.name, " is still pinned");
}

EngineOptions small_options(int32_t blocks, int32_t block_size, int32_t max_batch, int32_t max_step_tokens) {
  EngineOptions options;
  options.kv_block_size = block_size;
  options.kv_bytes = static_cast<size_t>(blocks) * static_cast<size_t>(block_size) * 8;  // FakeCache's bytes per block
  options.max_batch = max_batch;
  options.max_step_tokens = max_step_tokens;
  return options;
}

Request make_request(const std::string& id, std::vector<int32_t> prompt, int32_t max_tokens) {
  Request request;
  request.id = id;
  request.prompt_tokens = std::move(prompt);
  request.max_tokens = max_tokens;
  return request;
}

std::vector<int32_t> random_tokens(std::mt19937& random, size_t count) {
  std::vector<int32_t> tokens(count);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random() % kOrdinary);
  return tokens;
}

}  // namespace sgmv::test
