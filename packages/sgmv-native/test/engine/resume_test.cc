// A request that is interrupted after any token and resumed goes on as if it had not been.
#include <algorithm>

#include "engine_harness.h"

namespace sgmv::test {
namespace {

// Letters, pieces of multi-byte characters and broken bytes, so that text is held back and mended at token borders.
Vocabulary awkward_vocabulary() {
  const std::vector<std::string> pieces{"a", "b", "ab", " ", "\xE2\x82", "\xAC", "\xF0\x9F", "\x98\x80", "\xFF", "\xC3", "\xA9", "ba"};
  Vocabulary vocabulary(kVocabulary);
  for (size_t id = 0; id < static_cast<size_t>(kOrdinary); ++id) vocabulary[id] = pieces[id % pieces.size()];
  return vocabulary;
}

void check_all_cuts(Harness& harness, Request request) {
  const std::string id = request.id;
  const Outcome whole = harness.run(request);
  for (size_t cut = 0; cut <= whole.tokens.size(); ++cut) {
    request.id = id + "/" + std::to_string(cut);
    request.resume_tokens = {{whole.tokens.begin(), whole.tokens.begin() + static_cast<std::ptrdiff_t>(cut)}};
    const Outcome resumed = harness.run(request);
    const std::vector<int32_t> rest(whole.tokens.begin() + static_cast<std::ptrdiff_t>(cut), whole.tokens.end());
    CHECK(resumed.tokens == rest, request.id);
    const std::vector<std::string> pieces(whole.pieces.begin() + static_cast<std::ptrdiff_t>(cut), whole.pieces.end());
    CHECK(resumed.pieces == pieces, request.id, ": \"", resumed.text, "\" of \"", whole.text, "\"");
    CHECK(resumed.end->finish_reason == whole.end->finish_reason, request.id);
    CHECK_EQUAL(resumed.end->completion_tokens, whole.end->completion_tokens);
    CHECK_EQUAL(resumed.end->prompt_tokens, whole.end->prompt_tokens);
  }
}

ENGINE_TEST("resume: every cut of every kind of ending") {
  EngineOptions options;
  options.vocabulary = awkward_vocabulary();
  Harness harness(options, {.max_positions = 48, .ends = true});
  CHECK(!harness.load("a", "/a-10"));
  std::mt19937 random(11);
  std::vector<int> reasons(4);
  for (int i = 0; i < 60; ++i) {
    Request request = make_request("r" + std::to_string(i), random_tokens(random, 1 + random() % 20), static_cast<int32_t>(1 + random() % 60));
    if (i % 3 == 1) request.adapter = "a";
    if (i % 2 == 1) {
      request.sampling.temperature = 0.7f;
      request.sampling.top_p = 0.9f;
      request.sampling.seed = static_cast<uint32_t>(i);
    }
    if (i % 4 >= 2) request.stop = {"aba ", "bb", "\xE2\x82\xAC\xF0\x9F\x98\x80"};
    request.ignore_eos = i % 5 == 0;
    check_all_cuts(harness, request);
    reasons[static_cast<size_t>(harness.wait(request.id).end->finish_reason)] += 1;
  }
  CHECK(reasons[static_cast<size_t>(FinishReason::stop)] > 5 && reasons[static_cast<size_t>(FinishReason::length)] > 5);
  harness.check_idle();
}

ENGINE_TEST("resume: a request that was already whole ends at once, without computing") {
  Harness harness;
  Request request = make_request("whole", {1, 2}, 4);
  request.resume_tokens = {fake_greedy({1, 2}, "", 4)};
  const int before = harness.log().forwards;
  const Outcome outcome = harness.run(request);
  CHECK(outcome.tokens.empty());
  CHECK(outcome.end->finish_reason == FinishReason::length);
  CHECK_EQUAL(outcome.end->completion_tokens, 4);
  CHECK_EQUAL(harness.log().forwards.load(), before);
}

ENGINE_TEST("seeds: the same seed gives the same tokens in any company, another seed others") {
  const auto sampled = [](const std::string& id, uint32_t seed) {
    Request request = make_request(id, {9, 8, 7}, 40);
    request.sampling.temperature = 1.5f;
    request.sampling.seed = seed;
    return request;
  };
  Harness alone;
  const std::vector<int32_t> expected = alone.run(sampled("alone", 42)).tokens;
  Harness crowd(small_options(24, 4, 8, 16));
  for (int i = 0; i < 20; ++i) crowd.submit(sampled("other" + std::to_string(i), static_cast<uint32_t>(i)));
  CHECK(crowd.run(sampled("again", 42)).tokens == expected);
  CHECK(crowd.wait("other1").tokens != expected);
  for (int i = 0; i < 20; ++i) crowd.wait("other" + std::to_string(i));
}

}  // namespace
}  // namespace sgmv::test
