// Numbers that overflow while a request runs: it ends with numeric_error, and its neighbours do not notice.
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

#include "check.h"
#include "golden_folder.h"
#include "sgmv/engine.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

namespace fs = std::filesystem;

// An adapter whose numbers are all as large as is allowed, and whose products are not finite.
void make_exploding_adapter(const fs::path& source, const fs::path& folder) {
  fs::copy(source, folder);
  const fs::path path = folder / "adapter_model.safetensors";
  const SafetensorsFile file(path);
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  for (const auto& [name, info] : file.tensors()) {
    CHECK(info.dtype == DType::f16, name);
    // ±65504, row by row of B (its rank is 32), so that half the gates are open whatever the inputs are.
    const std::string huge = "\xFF\x7B";
    std::string data;
    for (size_t i = 0; data.size() < info.bytes; ++i) {
      data += huge;
      if (i / 32 % 2 == 0) data.back() = static_cast<char>(data.back() | 0x80);
    }
    out.seekp(static_cast<std::streamoff>(info.offset));
    out << data;
  }
  std::ifstream in(folder / "adapter_config.json");
  std::string config((std::istreambuf_iterator<char>(in)), {});
  const std::string alpha = "\"lora_alpha\": ";
  const size_t at = config.find(alpha) + alpha.size();
  config.replace(at, config.find(',', at) - at, "1000000");
  std::ofstream(folder / "adapter_config.json") << config;
}

struct Outcome {
  std::vector<int32_t> tokens;
  std::vector<float> logits;
  Event end;
};

// Runs the requests together in one engine, as they fall into its steps.
std::map<std::string, Outcome> run_together(const fs::path& family, const std::map<std::string, fs::path>& adapters,
                                            std::vector<Request> requests) {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Outcome> outcomes;
  size_t ended = 0, loaded = 0;
  std::string refusal;
  EngineOptions options;
  options.kv_block_size = 4;
  options.kv_bytes = size_t{1} << 20;
  options.max_batch = 8;
  options.max_step_tokens = 16;
  Engine engine(Model::load(family / "model", {.threads = 2, .weights = WeightType::f32}), options, [&](std::vector<Event>& events) {
    const std::lock_guard lock(mutex);
    for (Event& event : events) {
      Outcome& outcome = outcomes[event.id];
      outcome.tokens.insert(outcome.tokens.end(), event.tokens.begin(), event.tokens.end());
      outcome.logits.insert(outcome.logits.end(), event.logits.begin(), event.logits.end());
      if (event.kind != Event::Kind::end) continue;
      outcome.end = std::move(event);
      ++ended;
    }
    changed.notify_all();
  });
  const auto wait_until = [&](const size_t& count, size_t wanted) {
    std::unique_lock lock(mutex);
    CHECK(changed.wait_for(lock, std::chrono::seconds(60), [&] { return count == wanted; }), "only ", count, " of ", wanted, " ", refusal);
  };
  for (const auto& [name, folder] : adapters) {
    engine.load_adapter(name, folder, [&](bool, const Error* failure) {
      const std::lock_guard lock(mutex);
      if (failure) refusal = failure->what();
      loaded += failure == nullptr;
      changed.notify_all();
    });
  }
  wait_until(loaded, adapters.size());
  for (Request& request : requests) engine.submit(std::move(request));
  wait_until(ended, requests.size());
  CHECK_EQUAL(engine.stats().kv_blocks_free, engine.stats().kv_blocks_total);
  engine.close();
  return outcomes;
}

TEST("numeric: an adapter that overflows fails its own request, and its neighbours keep every bit") {
  const TempFolder folder;
  const fs::path family = golden_root() / "llama2";
  make_exploding_adapter(family / "adapters" / "rs-r32", folder.path() / "huge");
  const std::map<std::string, fs::path> adapters = {
      {"huge", folder.path() / "huge"}, {"good", family / "adapters" / "qv-r4"}, {"other", family / "adapters" / "o-r3"}};
  std::vector<Request> good;
  for (int i = 0; i < 6; ++i) {
    Request request;
    request.id = "good " + std::to_string(i);
    for (int32_t t = 0; t <= 9 * i; ++t) request.prompt_tokens.push_back(3 + (t * 7 + i) % 120);
    request.max_tokens = 10;
    request.ignore_eos = true;
    request.logits = LogitsMode::last;
    if (i % 3 > 0) request.adapter = i % 3 == 1 ? "good" : "other";
    good.push_back(request);
  }
  // Between the others, so that it shares their steps, their segments and their tiles.
  std::vector<Request> mixed = good;
  for (const size_t at : {0, 2, 5}) {
    Request bad = good[at];
    bad.id = "bad " + std::to_string(at);
    bad.adapter = "huge";
    mixed.insert(mixed.begin() + static_cast<std::ptrdiff_t>(at), bad);
  }
  const auto expected = run_together(family, adapters, good);
  const auto found = run_together(family, adapters, mixed);
  for (const auto& [id, outcome] : found) {
    if (id.starts_with("bad")) {
      CHECK(outcome.end.finish_reason == FinishReason::error, id);
      CHECK_EQUAL(outcome.end.error_code, std::string("numeric_error"));
      continue;
    }
    const Outcome& alone = expected.at(id);
    CHECK(outcome.tokens == alone.tokens, id, " has other tokens");
    CHECK(outcome.logits.size() == alone.logits.size() &&
              std::memcmp(outcome.logits.data(), alone.logits.data(), alone.logits.size() * sizeof(float)) == 0,
          id, " has other logits");
    for (const float logit : outcome.logits) CHECK(std::isfinite(logit), id);
  }
}

}  // namespace
}  // namespace sgmv::test
