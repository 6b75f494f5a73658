// A sequence that grows past the original context of a LongRoPE model is rotated with the long factors from its first
// position on, as if it had been computed whole.
#include <cstring>

#include "engine_harness.h"
#include "golden_folder.h"

namespace sgmv::test {
namespace {

struct Steps {
  std::vector<int32_t> tokens;
  std::vector<std::vector<float>> logits;  // that chose each token
};

Steps generate(std::unique_ptr<Model> model, std::vector<int32_t> prompt, std::vector<int32_t> resume, int32_t count, int32_t max_step_tokens) {
  Steps steps;
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  EngineOptions options = small_options(64, 8, 4, max_step_tokens);
  options.kv_bytes = size_t{64} << 20;
  Engine engine(std::move(model), options, [&](std::vector<Event> events) {
    const std::lock_guard lock(mutex);
    for (Event& event : events) {
      for (const int32_t token : event.tokens) steps.tokens.push_back(token);
      if (event.kind == Event::Kind::tokens) steps.logits.push_back(std::move(event.logits));
      done = done || event.kind == Event::Kind::end;
    }
    ended.notify_one();
  });
  Request request = make_request("one", std::move(prompt), count);
  request.resume_tokens = {std::move(resume)};
  request.ignore_eos = true;
  request.logits = LogitsMode::last;
  engine.submit(std::move(request));
  std::unique_lock lock(mutex);
  ended.wait(lock, [&] { return done; });
  return steps;
}

TEST("longrope: generating across the original context gives what computing the whole gives") {
  const std::filesystem::path folder = golden_root() / "phi3-longrope" / "model";
  if (!std::filesystem::exists(folder)) throw Skip("no golden folder of phi3-longrope");
  const auto model = Model::load(folder, {1, ""});
  const int32_t original = model->config().rope.original_max_positions;
  CHECK_EQUAL(original, 24);
  std::vector<int32_t> tokens{5, 17, 40, 3, 99, 62, 8, 11, 25, 73, 31, 4, 56, 90, 13, 77, 20, 34, 9};
  const std::vector<int32_t> prompt = tokens;
  const Steps whole = generate(Model::load(folder, {1, ""}), prompt, {}, 16, 64);
  CHECK_EQUAL(whole.tokens.size(), 16u);
  for (size_t i = 0; i < whole.tokens.size(); ++i) {
    const std::vector<float> expected = Session(*model, nullptr, 64).feed(tokens, false);
    CHECK(std::memcmp(whole.logits[i].data(), expected.data(), expected.size() * sizeof(float)) == 0, "at length ", tokens.size());
    tokens.push_back(whole.tokens[i]);
  }
  // In chunks, and resumed on either side of the border, the same.
  for (const size_t cut : {2u, 5u, 6u, 9u}) {
    const std::vector<int32_t> before(whole.tokens.begin(), whole.tokens.begin() + static_cast<std::ptrdiff_t>(cut));
    const Steps rest = generate(Model::load(folder, {1, ""}), prompt, before, 16, 7);
    CHECK_EQUAL(rest.tokens.size(), 16u - cut);
    for (size_t i = 0; i < rest.tokens.size(); ++i)
      CHECK(rest.tokens[i] == whole.tokens[cut + i] && rest.logits[i] == whole.logits[cut + i], "resumed after ", cut, ", step ", i);
  }
}

}  // namespace
}  // namespace sgmv::test
