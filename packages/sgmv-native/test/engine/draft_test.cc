// Several tokens of a sequence in a step: whatever is drafted, everybody gets what they would get without.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "engine_harness.h"
#include "golden_folder.h"

namespace sgmv::test {
namespace {

using Tokens = std::vector<int32_t>;

EngineOptions with_drafts(EngineOptions options, int32_t draft_tokens) {
  options.draft_tokens = draft_tokens;
  return options;
}

Request predicted(const std::string& id, Tokens prompt, Tokens prediction, int32_t max_tokens) {
  Request request = make_request(id, std::move(prompt), max_tokens);
  request.prediction_tokens = std::move(prediction);
  return request;
}

STATELESS_TEST("draft: a right prediction takes a step for each eight tokens") {
  Harness harness(with_drafts(small_options(64, 4, 4, 32), 8));
  const Tokens expected = fake_greedy({1, 2, 3}, "", 65);
  const Outcome outcome = harness.run(predicted("one", {1, 2, 3}, expected, 65));
  CHECK(outcome.tokens == expected);
  CHECK_EQUAL(outcome.end->predicted_tokens, 65);
  CHECK_EQUAL(harness.log().steps.size(), size_t{9});  // the prompt's, and eight
  CHECK_EQUAL(harness.engine().stats().accepted_tokens, int64_t{56});
  CHECK_EQUAL(harness.engine().stats().drafted_tokens, int64_t{56});
  CHECK_EQUAL(harness.engine().stats().tokens_generated, int64_t{65});
}

STATELESS_TEST("draft: a generation ends within a draft where it would end without") {
  const Tokens whole = fake_greedy({4, 5}, "", 40);
  for (int32_t length = 1; length < 20; ++length) {
    Harness harness(with_drafts(small_options(64, 4, 4, 32), 8));
    Outcome outcome = harness.run(predicted("length", {4, 5}, whole, length));
    CHECK(outcome.tokens == Tokens(whole.begin(), whole.begin() + length) && outcome.end->finish_reason == FinishReason::length);
    Request request = predicted("token", {4, 5}, whole, 40);
    request.stop_tokens = {whole[static_cast<size_t>(length - 1)]};
    const auto first = static_cast<size_t>(std::find(whole.begin(), whole.end(), request.stop_tokens[0]) - whole.begin());
    outcome = harness.run(request);
    CHECK(outcome.tokens == Tokens(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(first) + 1) && outcome.end->finish_reason == FinishReason::stop);
    harness.check_idle();
  }
  for (int32_t positions = 4; positions < 24; ++positions) {
    Harness harness(with_drafts(small_options(64, 4, 4, 32), 8), {.max_positions = positions});
    const Outcome outcome = harness.run(predicted("context", {4, 5}, whole, 100));
    CHECK(outcome.tokens == Tokens(whole.begin(), whole.begin() + positions - 2) && outcome.end->finish_reason == FinishReason::length);
  }
}

STATELESS_TEST("draft: a step is filled up to what drafts may, and one that is full has none") {
  for (const int requests : {1, 3, 7, 8, 12}) {
    const auto gate = std::make_shared<Gate>();
    Harness harness(with_drafts(small_options(400, 4, 16, 64), 8), {.forward_gate = gate});
    // A step is under way until all are there, so that all begin in the next one: what a step has room for depends on who is how far.
    harness.submit(make_request("before", {1}, 1));
    gate->wait_until_reached(1);
    for (int i = 0; i < requests; ++i) harness.submit(predicted(std::to_string(i), {i, 2}, fake_greedy({i, 2}, "", 60), 60));
    gate->open();
    for (int i = 0; i < requests; ++i) CHECK(harness.wait(std::to_string(i)).tokens == fake_greedy({i, 2}, "", 60));
    size_t filled = 0;
    for (const auto& counts : harness.log().steps) {
      int32_t tokens = 0, drafting = 0;
      for (const int32_t count : counts) {
        tokens += count;
        drafting += count > 2 ? 1 : 0;
      }
      CHECK(tokens <= std::max(8, 2 * requests), tokens, " tokens");
      CHECK(drafting == 0 || tokens <= 8);
      filled += tokens == 8 && drafting > 0 ? 1 : 0;
    }
    CHECK((filled > 0) == (requests < 7), requests, " requests, ", filled, " filled steps");
  }
}

STATELESS_TEST("draft: what is guessed may not break a request") {
  for (const int32_t poison : {kBroken, kNoMemory, kNan}) {
    Harness harness(with_drafts(small_options(64, 4, 4, 32), 8));
    Tokens prediction = fake_greedy({1, 2, 3}, "", 40);
    for (size_t place = 3; place < prediction.size(); place += 7) prediction[place] = poison;
    harness.submit(predicted("other", {7, 8, 9}, fake_greedy({7, 8, 9}, "", 40), 40));
    CHECK(harness.run(predicted("one", {1, 2, 3}, prediction, 40)).tokens == fake_greedy({1, 2, 3}, "", 40));
    CHECK(harness.wait("other").tokens == fake_greedy({7, 8, 9}, "", 40));
    harness.check_idle();
  }
}

STATELESS_TEST("draft: only what was accepted is found by later prompts") {
  Harness harness(with_drafts(small_options(64, 4, 2, 32), 8));
  Tokens expected = fake_greedy({1, 2, 3}, "", 21), prediction = expected;
  for (size_t place = 2; place < prediction.size(); place += 3) prediction[place] = (prediction[place] + 1) % kOrdinary;
  CHECK(harness.run(predicted("one", {1, 2, 3}, prediction, 21)).tokens == expected);
  CHECK(harness.engine().stats().drafted_tokens > harness.engine().stats().accepted_tokens);
  Tokens text{1, 2, 3};
  text.insert(text.end(), expected.begin(), expected.end());
  const Outcome again = harness.run(make_request("again", text, 10));
  CHECK_EQUAL(again.end->cached_tokens, 20);  // all but the last, which was not computed, in whole blocks
  CHECK(again.tokens == fake_greedy(text, "", 10));
  prediction.insert(prediction.begin(), {1, 2, 3});
  CHECK_EQUAL(harness.run(make_request("predicted", prediction, 1)).end->cached_tokens, 4);
}

STATELESS_TEST("draft: a request is cancelled while its draft is computed") {
  const auto gate = std::make_shared<Gate>();
  Harness harness(with_drafts(small_options(64, 4, 2, 32), 8), {.forward_gate = gate});
  harness.submit(predicted("one", {1, 2, 3}, fake_greedy({1, 2, 3}, "", 60), 60));
  gate->allow(2);
  gate->wait_until_reached(3);
  harness.engine().cancel("one");
  gate->open();
  const Outcome outcome = harness.wait("one");
  const Tokens expected = fake_greedy({1, 2, 3}, "", outcome.tokens.size());
  CHECK(outcome.tokens == expected && outcome.end->finish_reason == FinishReason::cancelled);
  harness.check_idle();
}

// --- Under a constraint

// All texts of "abcab" and three letters from a to d, again and again, which may end before each.
class Grammar {
 public:
  Grammar(const Vocabulary& vocabulary, std::vector<int32_t> end_tokens) : vocabulary_(vocabulary), end_tokens_(std::move(end_tokens)) {}

  std::vector<uint32_t> mask(const Tokens& completion, size_t words) const {
    std::vector<uint32_t> mask(words);
    const auto allow = [&](int32_t token) { mask[static_cast<size_t>(token) / 32] |= 1u << (token % 32); };
    const size_t place = place_after(completion);
    for (size_t token = 0; token < vocabulary_.size(); ++token)
      if (allows(place, token)) allow(static_cast<int32_t>(token));
    if (place == 0) for (const int32_t token : end_tokens_) allow(token);
    return mask;
  }
  bool allows(const Tokens& completion, int32_t token) const { return allows(place_after(completion), static_cast<size_t>(token)); }
  std::string forced(const Tokens& completion) const {
    const size_t place = place_after(completion);
    return place > 0 && place < kKey.size() ? std::string(kKey.substr(place)) : "";
  }

 private:
  static constexpr std::string_view kKey = "abcab";
  static constexpr size_t kPeriod = 8;

  size_t place_after(const Tokens& completion) const {
    size_t bytes = 0;
    for (const int32_t token : completion)
      if (static_cast<size_t>(token) < vocabulary_.size() && vocabulary_[static_cast<size_t>(token)]) bytes += vocabulary_[static_cast<size_t>(token)]->size();
    return bytes % kPeriod;
  }
  bool allows(size_t place, size_t token) const {
    if (token >= vocabulary_.size() || !vocabulary_[token]) return false;
    for (const char letter : *vocabulary_[token]) {
      if (place < kKey.size() && letter != kKey[place]) return false;
      place = (place + 1) % kPeriod;
    }
    return true;
  }

  const Vocabulary vocabulary_;
  const std::vector<int32_t> end_tokens_;
};

// Words of one to three of the letters from a to d; the last token has none.
Vocabulary words(int32_t size) {
  Vocabulary vocabulary(static_cast<size_t>(size));
  for (int32_t token = 0; token + 1 < size; ++token) {
    std::string word;
    const int32_t number = token % 84, length = number < 4 ? 1 : number < 20 ? 2 : 3;
    for (int32_t rest = number - (length == 1 ? 0 : length == 2 ? 4 : 20), i = 0; i < length; ++i, rest /= 4) word += static_cast<char>('a' + rest % 4);
    vocabulary[static_cast<size_t>(token)] = word;
  }
  return vocabulary;
}

// Gives constrained choices their masks, on a thread of its own: for what they were told, and along what is drafted. Not always
// in order, in time, or at all as far as a draft is concerned.
class Provider {
 public:
  Provider(Harness& harness, Grammar grammar, uint32_t seed) : harness_(harness), grammar_(std::move(grammar)), random_(seed) {
    harness_.observe([this](const Event& event) { take(event); });
    thread_ = std::thread([this] { run(); });
  }
  ~Provider() {
    harness_.close();  // where a test failed, its requests still run
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      changed_.notify_one();
    }
    thread_.join();
  }

  void submit(const Request& request) {
    if (request.constrained) {
      const std::lock_guard lock(mutex_);
      constrained_.insert(request.id);
    }
    harness_.submit(request);
    if (!request.constrained) return;
    for (int32_t choice = 0; choice < request.choices; ++choice) {
      Event begin;
      begin.kind = Event::Kind::tokens;
      begin.id = request.id;
      begin.choice = choice;
      if (!request.resume_tokens.empty()) begin.tokens = request.resume_tokens[static_cast<size_t>(choice)];
      take(begin);
    }
  }
  int64_t drafts() const { return drafts_; }

 private:
  void take(const Event& event) {
    const std::lock_guard lock(mutex_);
    if (!constrained_.contains(event.id)) return;
    events_.push_back(event);
    changed_.notify_one();
  }

  void run() {
    std::map<std::pair<std::string, int32_t>, Tokens> known;
    for (std::unique_lock lock(mutex_);;) {
      changed_.wait(lock, [this] { return closed_ || !events_.empty(); });
      if (closed_) return;
      const std::vector<Event> events = std::exchange(events_, {});
      lock.unlock();
      std::map<std::pair<std::string, int32_t>, Tokens> drafts;  // of choices that want a mask; empty: without a draft
      for (const Event& event : events) {
        const std::pair key(event.id, event.choice);
        if (event.kind == Event::Kind::tokens) known[key].insert(known[key].end(), event.tokens.begin(), event.tokens.end());
        if (event.kind == Event::Kind::tokens || event.kind == Event::Kind::draft) drafts[key] = event.kind == Event::Kind::draft ? event.tokens : Tokens();
      }
      for (const auto& [key, draft] : drafts) provide(key, known[key], draft);
      lock.lock();
    }
  }

  void provide(const std::pair<std::string, int32_t>& key, const Tokens& known, const Tokens& draft) {
    drafts_ += draft.empty() ? 0 : 1;
    std::vector<size_t> counts{0};  // of the draft's tokens before a mask
    Tokens text = known;
    for (size_t place = 0; place < draft.size() && random_() % 10 != 0 && grammar_.allows(text, draft[place]); ++place) {
      text.push_back(draft[place]);
      counts.push_back(place + 1);
    }
    if (random_() % 3 == 0) std::shuffle(counts.begin(), counts.end(), random_);
    if (random_() % 8 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random_() % 300));
    for (const size_t count : counts) {
      const Tokens after(draft.begin(), draft.begin() + static_cast<std::ptrdiff_t>(count));
      text = known;
      text.insert(text.end(), after.begin(), after.end());
      const auto vocabulary = static_cast<size_t>(harness_.engine().model().config().vocab_size);
      harness_.engine().provide_mask(key.first, key.second, static_cast<int32_t>(text.size()), grammar_.mask(text, (vocabulary + 31) / 32), after, grammar_.forced(text));
    }
  }

  Harness& harness_;
  const Grammar grammar_;
  std::mt19937 random_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> constrained_;
  std::vector<Event> events_;
  bool closed_ = false;
  std::atomic<int64_t> drafts_ = 0;
  std::thread thread_;
};

std::vector<uint32_t> mask_of(const Tokens& allowed) {
  std::vector<uint32_t> mask((kVocabulary + 31) / 32);
  for (const int32_t token : allowed) mask[static_cast<size_t>(token) / 32] |= 1u << (token % 32);
  return mask;
}

Request constrained(Request request) {
  request.constrained = true;
  return request;
}

STATELESS_TEST("draft: under a constraint a prediction takes a step for each eight tokens, with a mask for each") {
  Harness harness(with_drafts(small_options(64, 4, 4, 32), 8));
  const Tokens expected = fake_greedy({1, 2, 3}, "", 65);
  harness.submit(constrained(predicted("one", {1, 2, 3}, expected, 65)));
  for (size_t known = 0; known < expected.size(); known += known == 0 ? 1 : 8) {
    harness.wait_for_tokens("one", known);
    for (size_t count = 0; count < (known == 0 ? 1 : 8); ++count) {
      const auto begin = expected.begin() + static_cast<std::ptrdiff_t>(known);
      harness.engine().provide_mask("one", 0, static_cast<int32_t>(known + count), {~0u, ~0u}, {begin, begin + static_cast<std::ptrdiff_t>(count)});
    }
  }
  const Outcome outcome = harness.wait("one");
  CHECK(outcome.tokens == expected);
  CHECK_EQUAL(harness.log().steps.size(), size_t{9});
  CHECK_EQUAL(outcome.drafts.size(), size_t{8});
  CHECK(outcome.drafts[0] == Tokens(expected.begin() + 1, expected.begin() + 8));
  CHECK_EQUAL(harness.engine().stats().accepted_tokens, int64_t{56});
}

STATELESS_TEST("draft: rows whose masks are late are kept, all of them, and none is computed again") {
  Harness harness(with_drafts(small_options(64, 4, 4, 32), 8));
  const Tokens expected = fake_greedy({1, 2, 3}, "", 9);
  harness.submit(constrained(predicted("one", {1, 2, 3}, expected, 9)));
  const auto provide = [&](size_t index, const Tokens& after, const Tokens& allowed) { harness.engine().provide_mask("one", 0, static_cast<int32_t>(index), mask_of(allowed), after); };
  provide(0, {}, {expected[0]});
  while (harness.engine().stats().steps < 2) std::this_thread::yield();  // the second has ended, and nothing of it was taken
  CHECK(harness.wait_for_tokens("one", 1));
  CHECK_EQUAL(harness.peek("one").tokens.size(), size_t{1});
  for (size_t count = 7; count > 0; --count) provide(1 + count, {expected.begin() + 1, expected.begin() + 1 + static_cast<std::ptrdiff_t>(count)}, {expected[1 + count]});
  provide(4, {expected[1], expected[2], kEnd}, {kEnd});  // of another draft
  provide(2, {kEnd}, {kEnd});
  provide(1, {}, {expected[1]});
  CHECK(harness.wait("one").tokens == expected);
  CHECK_EQUAL(harness.log().steps.size(), size_t{2});
  CHECK_EQUAL(harness.engine().stats().accepted_tokens, int64_t{7});
}

STATELESS_TEST("draft: a text that is forced is drafted, and what is drawn counts") {
  EngineOptions options = with_drafts(small_options(64, 4, 4, 32), 8);
  options.vocabulary = {"a", "b", "c", "ab", "abc"};
  Harness harness(options);
  harness.submit(constrained(make_request("one", {1, 2, 3}, 7)));
  harness.engine().provide_mask("one", 0, 0, mask_of({0}), {}, "aababcab");
  CHECK(harness.wait_for_tokens("one", 1));
  while (harness.peek("one").drafts.empty()) std::this_thread::yield();
  CHECK(harness.peek("one").drafts[0] == Tokens({3, 4, 3}));
  harness.engine().provide_mask("one", 0, 2, mask_of({0}), {3}, "abcab");  // the model writes it otherwise
  harness.engine().provide_mask("one", 0, 1, mask_of({3}), {}, "ababcab");
  CHECK(harness.wait_for_tokens("one", 3));
  while (harness.peek("one").drafts.size() < 2) std::this_thread::yield();
  CHECK(harness.peek("one").drafts[1] == Tokens({1, 2, 3}));
  harness.engine().provide_mask("one", 0, 3, mask_of({1}), {}, "bcab");
  harness.engine().provide_mask("one", 0, 4, mask_of({2}), {1});
  harness.engine().provide_mask("one", 0, 5, mask_of({3}), {1, 2});
  harness.engine().provide_mask("one", 0, 6, mask_of({0}), {1, 2, 3});
  const Outcome outcome = harness.wait("one");
  CHECK(outcome.tokens == Tokens({0, 3, 0, 1, 2, 3, 0}));
  CHECK_EQUAL(harness.log().steps.size(), size_t{3});
  CHECK_EQUAL(harness.engine().stats().accepted_tokens, int64_t{4});
  CHECK_EQUAL(harness.engine().stats().drafted_tokens, int64_t{6});
}

STATELESS_TEST("draft: a constrained request is cancelled, or fails, while its rows wait") {
  for (const bool cancelled : {true, false}) {
    Harness harness(with_drafts(small_options(64, 4, 4, 32), 8));
    harness.submit(constrained(predicted("one", {1, 2, 3}, fake_greedy({1, 2, 3}, "", 9), 9)));
    harness.engine().provide_mask("one", 0, 0, {~0u, ~0u});
    while (harness.engine().stats().steps < 2) std::this_thread::yield();
    if (cancelled) harness.engine().cancel("one");
    else harness.engine().provide_mask("one", 0, 1, mask_of({}));
    CHECK(harness.wait("one").end->finish_reason == (cancelled ? FinishReason::cancelled : FinishReason::error));
    harness.check_idle();
  }
}

TEST("draft: none where states cannot go back") {
  const WithStates states;
  Harness harness(with_drafts(small_options(64, 4, 2, 32), 8));
  const Outcome outcome = harness.run(predicted("one", {1, 2, 3}, fake_greedy({1, 2, 3}, "", 30), 30));
  CHECK(outcome.tokens == fake_greedy({1, 2, 3}, "", 30));
  CHECK_EQUAL(outcome.end->predicted_tokens, 30);  // that is what they are, drafted or not
  CHECK_EQUAL(harness.engine().stats().drafted_tokens, int64_t{0});
}

// --- Anything at once

struct World {
  std::function<std::unique_ptr<Harness>(EngineOptions)> open;
  int32_t vocabulary;
  std::vector<std::pair<std::string, std::filesystem::path>> adapters;  // name, folder
  int32_t positions_max;
};

Tokens random_text(std::mt19937& random, size_t length, int32_t vocabulary) {
  const auto alphabet = std::min<uint32_t>(3 + random() % 40, static_cast<uint32_t>(vocabulary));
  Tokens text(length);
  for (int32_t& token : text) token = static_cast<int32_t>(random() % alphabet);
  return text;
}

Request random_request(std::mt19937& random, const World& world, int number) {
  const auto one_in = [&](uint32_t n) { return random() % n == 0; };
  const size_t prompt = 1 + random() % 30;
  Request request = make_request("r" + std::to_string(number), random_text(random, prompt, world.vocabulary), static_cast<int32_t>(1 + random() % 40));
  if (const size_t adapter = random() % (world.adapters.size() + 1); adapter < world.adapters.size()) request.adapter = world.adapters[adapter].first;
  if (one_in(2)) request.cache_salt = "tenant";
  request.constrained = one_in(2);
  if (one_in(4)) request.choices = 2 + static_cast<int32_t>(random() % 2);
  SamplingOptions& sampling = request.sampling;
  if (one_in(2)) sampling.temperature = one_in(2) ? 0.3f : 1.5f;
  if (one_in(4)) sampling.top_k = 5;
  if (one_in(4)) sampling.top_p = 0.8f;
  sampling.seed = random();
  if (one_in(5)) sampling.repetition_penalty = 1.3f;
  if (one_in(5)) sampling.frequency_penalty = 0.7f;
  if (one_in(5)) sampling.presence_penalty = -0.5f;
  if (one_in(5)) sampling.logit_bias = {{static_cast<int32_t>(random() % static_cast<uint32_t>(world.vocabulary)), 3.0f}};
  if (one_in(5)) sampling.min_tokens = static_cast<int32_t>(random() % 10);
  if (one_in(3)) request.stop_tokens = {static_cast<int32_t>(random() % static_cast<uint32_t>(world.vocabulary))};
  if (one_in(3)) request.stop = {std::string(1, static_cast<char>('a' + random() % 4)) + static_cast<char>('a' + random() % 4)};
  if (one_in(2)) request.ignore_eos = true;
  if (one_in(3)) request.logprobs = static_cast<int32_t>(random() % 3);
  if (one_in(6)) request.prompt_logprobs = 1;
  if (one_in(4)) request.logits = one_in(2) ? LogitsMode::last : LogitsMode::prompt;
  return request;
}

// What is true for the most part, as a client's guess is.
Tokens edited(std::mt19937& random, const Tokens& text, int32_t vocabulary) {
  Tokens out;
  for (const int32_t token : text) {
    const uint32_t what = random() % 24;
    if (what == 0) continue;
    out.push_back(what == 1 ? static_cast<int32_t>(random() % static_cast<uint32_t>(vocabulary)) : token);
    if (what == 2) out.push_back(token);
  }
  return out;
}

bool same(const std::vector<TokenLogprobs>& a, const std::vector<TokenLogprobs>& b) {
  const auto equal = [](const TokenLogprob& x, const TokenLogprob& y) { return x.token == y.token && std::memcmp(&x.logprob, &y.logprob, sizeof(float)) == 0; };
  return std::ranges::equal(a, b, [&](const TokenLogprobs& x, const TokenLogprobs& y) { return equal(x.chosen, y.chosen) && std::ranges::equal(x.top, y.top, equal); });
}

void check_same(const Outcome& found, const Outcome& expected, const std::string& name) {
  CHECK(found.tokens == expected.tokens, name, ": tokens, ", found.tokens.size(), " and ", expected.tokens.size());
  CHECK(found.text == expected.text && found.pieces == expected.pieces, name, ": text");
  CHECK(same(found.logprobs, expected.logprobs), name, ": log-probabilities");
  CHECK(same(found.prompt_logprobs, expected.prompt_logprobs), name, ": log-probabilities of the prompt");
  const auto bits = [](const std::vector<float>& a, const std::vector<float>& b) { return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0); };
  CHECK(bits(found.logits, expected.logits) && bits(found.prompt_logits, expected.prompt_logits), name, ": logits");
  CHECK(found.end->finish_reason == expected.end->finish_reason, name, ": reason");
  CHECK_EQUAL(found.end->stop, expected.end->stop);
  CHECK_EQUAL(found.end->error_code, expected.end->error_code);
  CHECK_EQUAL(found.end->completion_tokens, expected.end->completion_tokens);
}

struct Drafted {
  int64_t tokens = 0, accepted = 0, constrained = 0;

  Drafted& operator+=(const Drafted& more) {
    tokens += more.tokens;
    accepted += more.accepted;
    constrained += more.constrained;
    return *this;
  }
};

// Requests without drafts, then with predictions near the truth and drafts, on other blocks, steps and batches.
Drafted check_world(const World& world, uint32_t seed, int requests) {
  std::mt19937 random(seed);
  const auto open = [&](EngineOptions options) {
    options.vocabulary = words(world.vocabulary);
    std::unique_ptr<Harness> harness = world.open(std::move(options));
    for (const auto& [name, folder] : world.adapters) CHECK(!harness->load(name, folder));
    return harness;
  };
  const auto provider_of = [&](Harness& harness) { return Provider(harness, Grammar(words(world.vocabulary), harness.engine().model().config().end_tokens), seed); };
  std::vector<Request> all;
  std::vector<std::vector<Outcome>> expected;
  {
    const std::unique_ptr<Harness> plain = open(with_drafts(small_options(400, 16, 8, 64), 0));
    Provider provider = provider_of(*plain);
    for (int i = 0; i < requests; ++i) provider.submit(all.emplace_back(random_request(random, world, i)));
    for (const Request& request : all)
      for (int32_t choice = 0; choice < request.choices; ++choice) (choice == 0 ? expected.emplace_back() : expected.back()).push_back(plain->wait(request.id, choice));
    CHECK_EQUAL(plain->engine().stats().drafted_tokens, int64_t{0});
    CHECK_EQUAL(provider.drafts(), int64_t{0});
  }
  const auto block = static_cast<int32_t>(1 + random() % 9), batch = static_cast<int32_t>(1 + random() % 6);
  const int32_t blocks = (world.positions_max + block - 1) / block + static_cast<int32_t>(random() % 40);  // often too few
  EngineOptions options = with_drafts(small_options(blocks, block, batch, batch + static_cast<int32_t>(random() % 30)), static_cast<int32_t>(2 + random() % 14));
  options.prefix_cache = random() % 3 != 0;
  const std::unique_ptr<Harness> drafting = open(options);
  Provider provider = provider_of(*drafting);
  std::vector<std::vector<size_t>> resumed;
  for (size_t i = 0; i < all.size(); ++i) {
    Request& request = all[i];
    if (random() % 3 != 0) request.prediction_tokens = edited(random, expected[i][0].tokens, world.vocabulary);
    resumed.emplace_back(static_cast<size_t>(request.choices), 0);
    if (random() % 3 == 0 && !request.prompt_logprobs && request.logits == LogitsMode::none) {
      for (size_t choice = 0; choice < resumed[i].size(); ++choice) {
        const Tokens& whole = expected[i][choice].tokens;
        resumed[i][choice] = random() % whole.size();
        request.resume_tokens.emplace_back(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(resumed[i][choice]));
      }
    }
    provider.submit(request);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (int32_t choice = 0; choice < all[i].choices; ++choice) {
      Outcome truth = expected[i][static_cast<size_t>(choice)];
      Outcome found = drafting->wait(all[i].id, choice);
      const auto told = static_cast<std::ptrdiff_t>(resumed[i][static_cast<size_t>(choice)]);
      if (told > 0) {  // only what came after is told
        found.tokens.insert(found.tokens.begin(), truth.tokens.begin(), truth.tokens.begin() + told);
        if (all[i].logprobs) found.logprobs.insert(found.logprobs.begin(), truth.logprobs.begin(), truth.logprobs.begin() + told);
        found.pieces.insert(found.pieces.begin(), truth.pieces.begin(), truth.pieces.begin() + told);
        found.text.clear();
        for (const std::string& piece : found.pieces) found.text += piece;
      }
      check_same(found, truth, "seed " + std::to_string(seed) + ", request " + std::to_string(i) + ", choice " + std::to_string(choice));
    }
  }
  drafting->check_idle();
  const EngineStats stats = drafting->engine().stats();
  return {stats.drafted_tokens, stats.accepted_tokens, provider.drafts()};
}

Drafted check_worlds(const World& world, uint32_t seeds, int requests) {
  Drafted all{};
  for (uint32_t seed = 0; seed < seeds; ++seed) all += check_world(world, seed, requests);
  return all;
}

// How many there are depends on which masks are there in time, and on how large steps are: of few seeds it may be none.
void check_enough(const Drafted& all, int64_t seeds) {
  CHECK(all.accepted > 20 * seeds && all.tokens > all.accepted, all.tokens, " drafted, ", all.accepted, " accepted");
  CHECK(all.constrained > seeds, all.constrained, " drafts under constraints");
}

STATELESS_TEST("draft: with any prediction, sampling, stop, block and batch the outputs are those without") {
  const std::vector<std::pair<std::string, std::filesystem::path>> adapters{{"a-10", "/a-10"}, {"b-20", "/b-20"}};
  const auto open = [](FakeOptions fake) { return [fake](EngineOptions options) { return std::make_unique<Harness>(std::move(options), fake); }; };
  const uint32_t seeds = kSanitized ? 10 : 60;
  for (const World& world : {World{open({.ends = true}), kOrdinary, adapters, 80}, World{open({.max_positions = 45, .ends = true}), kOrdinary, adapters, 45},
                             World{open({.ends = true, .short_context = 32}), kOrdinary, adapters, 80}}) {
    check_enough(check_worlds(world, seeds, 20), seeds);
  }
}

TEST("draft: models' outputs are those without, to the bit") {
  Drafted all{};
  for (const char* family : {"llama2", "gemma3", "phi3-longrope", "qwen3-moe", "deepseek-v2"}) {
    const std::filesystem::path folder = golden_root() / family;
    if (!std::filesystem::exists(folder / "model")) throw Skip("no golden folder of " + std::string(family));
    if (kSanitized && family != std::string("llama2") && family != std::string("phi3-longrope")) continue;
    for (const WeightType weights : {WeightType::i8, WeightType::f32}) {
      const auto load = [&] { return Model::load(folder / "model", {.threads = 2, .weights = weights}); };
      const int32_t vocabulary = load()->config().vocab_size, positions = std::min(load()->config().max_positions, 80);
      World world{[&](EngineOptions options) {
                    options.kv_bytes = size_t{64} << 20;
                    return std::make_unique<Harness>(std::move(options), load());
                  },
                  vocabulary, {}, positions};
      if (std::filesystem::exists(folder / "adapters"))
        for (const auto& entry : std::filesystem::directory_iterator(folder / "adapters")) world.adapters.emplace_back(entry.path().filename().string(), entry.path());
      all += check_worlds(world, kSanitized ? 1 : 4, 16);
    }
  }
  if (!kSanitized) check_enough(all, 40);
}

}  // namespace
}  // namespace sgmv::test
