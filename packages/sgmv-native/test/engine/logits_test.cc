// Penalties, bias, minimum length and log-probabilities.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/highest_logit.h"
#include "engine/logit_adjuster.h"
#include "engine_harness.h"

namespace sgmv::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> adjusted(std::vector<float> logits, const SamplingOptions& options, const std::vector<int32_t>& prompt, const std::vector<int32_t>& completion, std::vector<int32_t> ending = {}) {
  LogitAdjuster adjuster(options, std::move(ending));
  adjuster.add_prompt(prompt);
  for (const int32_t token : completion) adjuster.add(token);
  if (adjuster.active()) adjuster.apply(logits);
  return logits;
}

TEST("adjusting: repetition divides and multiplies what prompt and completion have, once each") {
  CHECK(adjusted({2, -2, 4, -4, 6}, {.repetition_penalty = 2.0f}, {0, 1, 1}, {2, 2, 0}) == (std::vector<float>{1, -4, 2, -4, 6}));
  CHECK(adjusted({2, -2, 0}, {.repetition_penalty = 0.5f}, {0, 1, 2}, {}) == (std::vector<float>{4, -1, 0}));
}

TEST("adjusting: frequency and presence look at the completion only") {
  CHECK(adjusted({2, 2, 2, 2}, {.frequency_penalty = 0.5f}, {0}, {1, 2, 2, 2}) == (std::vector<float>{2, 1.5f, 0.5f, 2}));
  CHECK(adjusted({2, 2, 2, 2}, {.presence_penalty = -1.0f}, {0}, {1, 2, 2, 2}) == (std::vector<float>{2, 3, 3, 2}));
}

TEST("adjusting: bias is added last, endings are out of question before the minimum") {
  const SamplingOptions options{.repetition_penalty = 2.0f, .logit_bias = {{0, 1.0f}, {2, -100.0f}}, .min_tokens = 2};
  CHECK(adjusted({4, 4, 4, 4}, options, {0}, {1}, {3}) == (std::vector<float>{3, 2, -96, -kInfinity}));
  CHECK(adjusted({4, 4, 4, 4}, options, {0}, {1, 1}, {3}) == (std::vector<float>{3, 2, -96, 4}));
}

TEST("adjusting: nothing to do is known before a row is touched") {
  LogitAdjuster plain({}, {1});
  plain.add_prompt(std::vector<int32_t>{1, 2});
  plain.add(3);
  CHECK(!plain.active());
  LogitAdjuster presence({.presence_penalty = 1.0f}, {});
  CHECK(!presence.active());
  presence.add(3);
  CHECK(presence.active());
}

ENGINE_TEST("penalties: in the engine they change what follows, as a plain loop does") {
  const auto reference = [](std::vector<int32_t> prompt, const SamplingOptions& options, size_t count) {
    std::vector<int32_t> completion;
    while (completion.size() < count) {
      std::vector<int32_t> text = prompt;
      text.insert(text.end(), completion.begin(), completion.end());
      std::vector<float> logits = fake_logits(text, "", false);
      for (int32_t id = 0; id < kVocabulary; ++id) {
        float& logit = logits[static_cast<size_t>(id)];
        const auto completed = static_cast<float>(std::count(completion.begin(), completion.end(), id));
        if (std::count(text.begin(), text.end(), id) > 0) logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
        if (completed > 0) logit -= options.frequency_penalty * completed + options.presence_penalty;
        for (const auto& [token, bias] : options.logit_bias) logit += token == id ? bias : 0.0f;
      }
      completion.push_back(static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    }
    return completion;
  };
  Harness harness;
  std::mt19937 random(8);
  const SamplingOptions kinds[] = {{.repetition_penalty = 1.4f}, {.frequency_penalty = 1.0f}, {.presence_penalty = 1.9f}, {.logit_bias = {{4, 3.0f}, {9, -50.0f}}}, {.repetition_penalty = 1.1f, .frequency_penalty = 0.3f, .presence_penalty = 0.4f, .logit_bias = {{7, 1.0f}}}};
  for (size_t i = 0; i < std::size(kinds); ++i) {
    Request request = make_request("r" + std::to_string(i), random_tokens(random, 12), 40);
    request.sampling = kinds[i];
    const std::vector<int32_t> whole = harness.run(request).tokens;
    CHECK(whole == reference(request.prompt_tokens, kinds[i], 40), "kind ", i);
    for (const size_t cut : {1, 17, 39}) {
      request.id = "r" + std::to_string(i) + "/" + std::to_string(cut);
      request.resume_tokens = {{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)}};
      const std::vector<int32_t> rest(whole.begin() + static_cast<std::ptrdiff_t>(cut), whole.end());
      CHECK(harness.run(request).tokens == rest, "kind ", i, " resumed after ", cut);
    }
  }
}

ENGINE_TEST("minimum length: no end before it, of the model's or the request's") {
  Harness harness({}, {.ends = true});
  std::mt19937 random(9);
  int shortened = 0;
  for (int i = 0; i < 40; ++i) {
    Request request = make_request("r" + std::to_string(i), random_tokens(random, 3), 60);
    request.stop_tokens = {1, 2, 3};
    const size_t free = harness.run(request).tokens.size();
    request.id += "/minimum";
    request.sampling.min_tokens = 15;
    const Outcome outcome = harness.run(request);
    CHECK(outcome.tokens.size() >= 16 || outcome.end->finish_reason == FinishReason::length, outcome.tokens.size());
    shortened += free < 15;
  }
  CHECK(shortened > 20, shortened, " ended early without a minimum");
}

// What log_probabilities() should say of the token after `text`.
void check_logprobs(const TokenLogprobs& found, const std::vector<int32_t>& text, int32_t chosen, size_t alternatives) {
  const std::vector<float> logits = fake_logits(text, "", false);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  const auto expected = [&](int32_t id) { return logits[static_cast<size_t>(id)] - std::log(sum); };
  CHECK_EQUAL(found.chosen.token, chosen);
  CHECK(std::abs(found.chosen.logprob - expected(chosen)) < 1e-5);
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)]; });
  CHECK_EQUAL(found.top.size(), alternatives);
  for (size_t rank = 0; rank < alternatives; ++rank) {
    CHECK_EQUAL(found.top[rank].token, order[rank]);
    CHECK(std::abs(found.top[rank].logprob - expected(order[rank])) < 1e-5);
  }
}

ENGINE_TEST("logprobs: the log-softmax of the model's own logits, whatever was drawn from") {
  Harness harness;
  const std::vector<int32_t> prompt{5, 6, 7};
  Request request = make_request("r", prompt, 12);
  request.logprobs = 4;
  request.sampling = {.temperature = 2.0f, .seed = 3, .frequency_penalty = 1.0f, .logit_bias = {{8, 5.0f}}};
  const Outcome outcome = harness.run(request);
  CHECK_EQUAL(outcome.logprobs.size(), outcome.tokens.size());
  std::vector<int32_t> text = prompt;
  for (size_t i = 0; i < outcome.tokens.size(); ++i) {
    check_logprobs(outcome.logprobs[i], text, outcome.tokens[i], 4);
    text.push_back(outcome.tokens[i]);
  }
  Request chosen_only = make_request("none", prompt, 3);
  chosen_only.logprobs = 0;
  for (const TokenLogprobs& one : harness.run(chosen_only).logprobs) CHECK(one.top.empty() && one.chosen.logprob <= 0.0f);
  CHECK(harness.run(make_request("off", prompt, 3)).logprobs.empty());
}

ENGINE_TEST("logprobs: the prompt's, told once for all choices, however the prompt was cut and whatever is cached") {
  std::mt19937 random(5);
  const std::vector<int32_t> prompt = random_tokens(random, 33);
  for (const int32_t budget : {4, 7, 100}) {
    Harness harness(small_options(64, 4, 4, budget));
    harness.run(make_request("fills the cache", prompt, 2));
    harness.submit(make_request("other", random_tokens(random, 9), 30));
    Request request = make_request("one", prompt, 3);
    request.prompt_logprobs = 2;
    request.choices = 2;
    const Outcome outcome = harness.run(request);
    CHECK_EQUAL(outcome.prompt_logprobs.size(), prompt.size() - 1);
    for (size_t i = 1; i < prompt.size(); ++i) {
      check_logprobs(outcome.prompt_logprobs[i - 1], {prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(i)}, prompt[i], 2);
    }
    CHECK(outcome.logprobs.empty() && outcome.prompt_logits.empty() && outcome.logits.empty());
    CHECK(outcome.tokens == fake_greedy(prompt, "", 3));
    CHECK_EQUAL(outcome.end->cached_tokens, 0);
    CHECK(!harness.wait("one", 1).prompt_told);
    harness.wait("other");
    harness.check_idle();
  }
}

ENGINE_TEST("logprobs: of a prompt of one token there are none, and it is said") {
  Harness harness;
  Request request = make_request("r", {5}, 2);
  request.prompt_logprobs = 0;
  const Outcome outcome = harness.run(request);
  CHECK(outcome.prompt_told && outcome.prompt_logprobs.empty());
}

ENGINE_TEST("logprobs: a prompt whose logits are not numbers fails its own request") {
  Harness harness(small_options(64, 4, 4, 4));
  Request request = make_request("bad", {1, 2, kNan, 3, 4, 5, 6, 7}, 2);
  request.prompt_logprobs = 0;
  harness.submit(request);
  CHECK(harness.run(make_request("good", {1, 2, 3}, 5)).tokens == fake_greedy({1, 2, 3}, "", 5));
  CHECK_EQUAL(harness.wait("bad").end->error_code, std::string("numeric_error"));
}

TEST("highest logit: the first of the highest, in rows of any length") {
  std::mt19937 random(1);
  for (size_t length = 1; length < 5000; length += 1 + length / 7) {
    std::vector<float> row(length);
    for (float& logit : row) logit = static_cast<float>(static_cast<int32_t>(random() % 200) - 150) / 7;
    const auto expected = std::max_element(row.begin(), row.end());
    const HighestLogit found = find_highest(row);
    CHECK_EQUAL(found.id, static_cast<int32_t>(expected - row.begin()));
    CHECK_EQUAL(found.logit, *expected);
    row[random() % length] = random() % 2 == 0 ? std::nanf("") : -std::nanf("");
    CHECK_THROWS(find_highest(row), Error, "NaN");
  }
  std::vector<float> zeros(3000, -1.0f);
  zeros[5] = -0.0f;
  zeros[2500] = 0.0f;
  CHECK_EQUAL(find_highest(zeros).id, 5);
  CHECK_EQUAL(find_highest(std::vector<float>(2000, -0.0f)).id, 0);
  CHECK_THROWS(find_highest(std::vector<float>{}), Error, "infinite");
}

ENGINE_TEST("sampling: wrong adjustments name the field") {
  Harness harness;
  const auto refused = [&](const SamplingOptions& sampling, const char* part) {
    Request request = make_request("wrong", {1, 2}, 5);
    request.sampling = sampling;
    CHECK_THROWS(harness.submit(request), Error, part);
  };
  refused({.repetition_penalty = 0.0f}, "sampling.repetitionPenalty: found 0.0");
  refused({.repetition_penalty = kInfinity}, "sampling.repetitionPenalty");
  refused({.frequency_penalty = 2.1f}, "sampling.frequencyPenalty: found 2.1");
  refused({.presence_penalty = std::nanf("")}, "sampling.presencePenalty");
  refused({.logit_bias = {{64, 1.0f}}}, "sampling.logitBias.64: found this token id; expected one from 0 to 63");
  refused({.logit_bias = {{1, 101.0f}}}, "sampling.logitBias.1: found 101.0");
  refused({.min_tokens = -1}, "sampling.minTokens: found -1");
  Request request = make_request("wrong", {1, 2}, 5);
  request.logprobs = 21;
  CHECK_THROWS(harness.submit(request), Error, "logprobs: found 21; expected 0 to 20");
  request.logprobs.reset();
  request.prompt_logprobs = -1;
  CHECK_THROWS(harness.submit(request), Error, "promptLogprobs: found -1; expected 0 to 20");
}

}  // namespace
}  // namespace sgmv::test
