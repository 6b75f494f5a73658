// An engine on the fake model, and everything it said.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "fake_model.h"
#include "sgmv/engine.h"

namespace sgmv::test {

// Of harnesses made from here on: whether their models choose tokens themselves and let steps be started ahead.
extern bool models_run_ahead;

struct RunAhead {
  RunAhead() { models_run_ahead = true; }
  ~RunAhead() { models_run_ahead = false; }
};

// Likewise: whether they have layers of linear attention.
extern bool models_have_states;

struct WithStates {
  WithStates() { models_have_states = true; }
  ~WithStates() { models_have_states = false; }
};

// A test that is run with models of each kind.
#define SGMV_REGISTER(name, suffix, ...)                                                                              \
  static const ::sgmv::test::Register SGMV_CONCAT(test_##suffix##_, __LINE__)(name, [] {                              \
    __VA_ARGS__;                                                                                                      \
    SGMV_CONCAT(test_body_, __LINE__)();                                                                              \
  });
#define ENGINE_TEST(name)                                                                                             \
  static void SGMV_CONCAT(test_body_, __LINE__)();                                                                    \
  SGMV_REGISTER(name, entry)                                                                                          \
  SGMV_REGISTER(name ", running ahead", ahead, const ::sgmv::test::RunAhead ahead)                                    \
  SGMV_REGISTER(name ", running ahead with states", states, const ::sgmv::test::RunAhead ahead; const ::sgmv::test::WithStates states) \
  static void SGMV_CONCAT(test_body_, __LINE__)()
// One that counts on there being no states, and one that says itself whether steps run ahead.
#define STATELESS_TEST(name)                                                                                          \
  static void SGMV_CONCAT(test_body_, __LINE__)();                                                                    \
  SGMV_REGISTER(name, entry)                                                                                          \
  SGMV_REGISTER(name ", running ahead", ahead, const ::sgmv::test::RunAhead ahead)                                    \
  static void SGMV_CONCAT(test_body_, __LINE__)()
#define STATES_TEST(name)                                                                                             \
  static void SGMV_CONCAT(test_body_, __LINE__)();                                                                    \
  SGMV_REGISTER(name, entry)                                                                                          \
  SGMV_REGISTER(name ", with states", states, const ::sgmv::test::WithStates states)                                  \
  static void SGMV_CONCAT(test_body_, __LINE__)()

struct Outcome {
  std::vector<int32_t> tokens;
  std::vector<TokenLogprobs> logprobs;
  std::vector<float> logits;         // rows that chose the tokens
  std::vector<float> prompt_logits;  // [prompt, vocabulary]
  std::vector<TokenLogprobs> prompt_logprobs;
  bool prompt_told = false;
  std::vector<std::string> pieces;   // text of each event
  std::string text;
  std::vector<std::vector<int32_t>> drafts;  // of a constrained choice
  std::optional<Event> end;
};

class Harness {
 public:
  explicit Harness(EngineOptions options = {}, FakeOptions fake = {});
  Harness(EngineOptions options, std::unique_ptr<Model> model);  // which log() knows nothing of
  ~Harness();  // closes, and checks that no rule was broken and no block is missing

  Engine& engine() { return *engine_; }
  FakeLog& log() { return *log_; }

  void submit(Request request) { engine_->submit(std::move(request)); }
  Outcome wait(const std::string& id, int32_t choice = 0);
  Outcome peek(const std::string& id, int32_t choice = 0);  // what there is by now
  Outcome run(Request request);
  void forget(const std::string& id);  // its id may be used again
  // Told every event, on the engine's thread, before it is recorded. To be called before the first request.
  void observe(std::function<void(const Event&)> observer) { observer_ = std::move(observer); }
  bool wait_for_tokens(const std::string& id, size_t count, int32_t choice = 0);  // false: it ended before
  // Settles when the load has; null: it succeeded.
  std::unique_ptr<Error> load(const std::string& name, const std::string& folder);
  bool prefetch(const std::string& name, const std::string& folder);  // false: it was given up
  // All blocks are free and nothing runs.
  void check_idle();
  void close() { engine_->close(); }

 private:
  using Key = std::pair<std::string, int32_t>;  // request and choice

  void take(std::vector<Event>& events);
  void record(Event& event);
  std::pair<bool, std::unique_ptr<Error>> load_as(LoadPriority priority, const std::string& name, const std::string& folder);

  std::shared_ptr<FakeLog> log_ = std::make_shared<FakeLog>();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, Outcome> outcomes_;
  std::string fault_;
  std::function<void(const Event&)> observer_;
  std::unique_ptr<Engine> engine_;
};

EngineOptions small_options(int32_t blocks, int32_t block_size, int32_t max_batch, int32_t max_step_tokens);
Request make_request(const std::string& id, std::vector<int32_t> prompt, int32_t max_tokens);
std::vector<int32_t> random_tokens(std::mt19937& random, size_t count);

}  // namespace sgmv::test
