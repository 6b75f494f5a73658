// What is guessed of a text's continuation, and how much.
#include "engine/drafter.h"

#include <algorithm>
#include <cstdlib>
#include <random>

#include "check.h"

namespace sgmv::test {
namespace {

using Tokens = std::vector<int32_t>;

const Spelling silent;

// The longest match, by looking at every place.
PairIndex::Match find_slowly(const Tokens& text, const Tokens& tail, int32_t near) {
  PairIndex::Match best;
  for (auto end = static_cast<int32_t>(text.size()) - 1; end >= 2; --end) {
    int32_t length = 0;
    while (length < std::min({end, static_cast<int32_t>(tail.size()), PairIndex::kLengthMax}) &&
           text[static_cast<size_t>(end - 1 - length)] == tail[tail.size() - 1 - static_cast<size_t>(length)]) ++length;
    const bool nearer = std::abs(end - near) < std::abs(best.end - near);
    if (length >= 2 && (length > best.length || (length == best.length && nearer))) best = {end, length};
  }
  return best;
}

Tokens random_text(std::mt19937& random, size_t length, uint32_t alphabet) {
  Tokens text(length);
  for (int32_t& token : text) token = static_cast<int32_t>(random() % alphabet);
  return text;
}

TEST("drafter: pairs are found as by looking everywhere, while the text grows") {
  std::mt19937 random(1);
  int found = 0;
  for (int round = 0; round < 300; ++round) {
    const uint32_t alphabet = 6 + random() % 20;
    const Tokens whole = random_text(random, 1 + random() % 250, alphabet), other = random_text(random, random() % 12, alphabet);
    PairIndex index;
    for (size_t length = 0; length <= whole.size(); length = std::min(length + 1 + random() % 40, whole.size() + 1)) {
      const Tokens text(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      index.extend(text);
      for (const Tokens& tail : {text, other}) {
        const auto near = static_cast<int32_t>(random() % (length + 2));
        const PairIndex::Match expected = find_slowly(text, tail, near), match = index.find(text, tail, near);
        CHECK_EQUAL(match.length, expected.length);
        CHECK_EQUAL(std::abs(match.end - near), std::abs(expected.end - near));
        found += match.length > 0 ? 1 : 0;
      }
    }
  }
  CHECK(found > 1000, found);
}

// What it proposes after `prompt` and `completion`, told token by token.
Tokens proposed(Drafter& drafter, const Tokens& prompt, const Tokens& completion, int32_t most) {
  for (size_t count = 1; count <= completion.size(); ++count) drafter.follow(std::span(completion).first(count));
  Tokens text = prompt, draft;
  text.insert(text.end(), completion.begin(), completion.end());
  drafter.propose(text, most, 0.0f, draft);
  return draft;
}

TEST("drafter: a text goes on as where its end occurred before, and a repetition with itself") {
  Drafter drafter({}, silent);
  CHECK(proposed(drafter, {1, 2, 3, 4, 5, 6, 1, 2, 9, 9}, {3, 4}, 2) == Tokens({5, 6}));
  Drafter repeating({}, silent);
  CHECK(proposed(repeating, {7, 8, 7, 8}, {7}, 2) == Tokens({8, 7}));
  repeating.judge(2, 2);
  CHECK(proposed(repeating, {7, 8, 7, 8}, {7}, 9) == Tokens({8, 7, 8, 7}));  // twice as much
  Drafter nothing({}, silent);
  CHECK(proposed(nothing, {1, 2, 3}, {4}, 8).empty());
}

TEST("drafter: a prediction is followed, lost, and found again") {
  const Tokens prediction{10, 11, 12, 13, 14, 15, 16, 17};
  const auto expect = [&](const Tokens& completion, const Tokens& draft, int32_t predicted) {
    Drafter drafter(prediction, silent);
    CHECK(proposed(drafter, {1, 2, 3}, completion, 3) == draft, "after ", completion.size());
    CHECK_EQUAL(drafter.predicted(), predicted);
  };
  expect({}, {10, 11, 12}, 0);
  expect({10, 11}, {12, 13, 14}, 2);
  expect({10, 11, 99}, {}, 2);
  expect({10, 11, 99, 13}, {}, 2);
  expect({10, 11, 99, 13, 14}, {15, 16, 17}, 4);
  expect({10, 11, 12, 13, 14, 15, 16, 17}, {}, 8);
  expect({10, 11, 12, 13, 14, 10, 11, 12}, {13, 14, 15}, 5);  // a token counts once
}

TEST("drafter: of equally long places in a prediction the nearest counts") {
  const Tokens prediction{1, 2, 50, 3, 4, 5, 1, 2, 60, 5, 6, 1, 2, 70};
  Drafter drafter(prediction, silent);
  CHECK(proposed(drafter, {}, {1, 2, 50, 3, 4, 9, 1, 2}, 1) == Tokens({60}));
}

TEST("spelling: the longest token that a text begins with, as by looking at all of them") {
  std::mt19937 random(2);
  int found = 0;
  for (int round = 0; round < 200; ++round) {
    const auto word = [&](size_t length) {
      std::string out(random() % (length + 1), 0);
      for (char& byte : out) byte = "ab\xff"[random() % 3];
      return out;
    };
    Vocabulary vocabulary(random() % 40);
    for (auto& text : vocabulary) if (random() % 8 != 0) text = word(4);
    const Spelling spelling(vocabulary);
    for (int i = 0; i < 40; ++i) {
      const std::string text = word(6);
      std::optional<int32_t> expected;
      for (size_t token = 0; token < vocabulary.size(); ++token) {
        if (!vocabulary[token] || vocabulary[token]->empty() || !text.starts_with(*vocabulary[token])) continue;
        if (!expected || vocabulary[token]->size() > spelling.text(*expected)->size()) expected = static_cast<int32_t>(token);
      }
      CHECK(spelling.longest(text) == expected);
      found += expected ? 1 : 0;
    }
  }
  CHECK(found > 1000, found);
}

TEST("drafter: a text that is forced is spelled in tokens, unless a guess has it already") {
  const Spelling spelling({"a", "b", "ab", "abc", "c", "x", std::nullopt});
  const auto expect = [&](const Tokens& prompt, const Tokens& completion, const char* forced, int32_t most, const Tokens& draft) {
    Drafter drafter({}, spelling);
    drafter.force(forced);
    CHECK(proposed(drafter, prompt, completion, most) == draft, forced, " after ", completion.size());
  };
  expect({6}, {}, "abcab", 8, {3, 2});
  expect({6}, {}, "abcab", 1, {3});
  expect({6}, {0}, "abcab", 8, {1, 4, 2});  // what has come of it is gone, whatever the tokens
  expect({6}, {2}, "abcab", 8, {4, 2});
  expect({6}, {5}, "abcab", 8, {});  // it went on otherwise
  expect({6}, {6}, "abcab", 8, {});
  expect({6}, {}, "abyab", 8, {2});  // no token has the rest
  expect({5, 0, 1, 6, 5}, {0}, "ab", 8, {1, 6});  // found as it was written before
  expect({5, 0, 1, 6, 5}, {0}, "abc", 8, {1, 4});  // what follows there is something else
  expect({5, 0, 1, 4, 5}, {0}, "abcabc", 8, {1, 4, 0, 1, 4});  // a guess is of two tokens at first, which is less
  expect({0, 1, 4, 0}, {1}, "", 8, {4, 0});
  Drafter drafter({}, spelling);
  drafter.force("abcababc");
  CHECK(proposed(drafter, {6}, {2}, 8) == Tokens({4, 2, 2, 4}));  // as it was written before
  CHECK(proposed(drafter, {6, 2}, {4}, 8) == Tokens({2, 2, 4}));
  drafter.force("ababcabc");
  CHECK(proposed(drafter, {6}, {3}, 8).empty());
  drafter.force("abcabc");
  CHECK(proposed(drafter, {6}, {3}, 8) == Tokens({3}));  // and not once it came as it should
}

// Of `tokens` in which a guess is right with `chance`: how many were guessed, and how many of them right.
std::pair<int32_t, int32_t> paced(double chance, float least, int32_t tokens) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  DraftPace pace(0.35f, 2);
  int32_t guessed = 0, right = 0;
  for (int32_t done = 0; done < tokens;) {
    const int32_t limit = pace.limit(least);
    int32_t accepted = 0;
    while (accepted < limit && uniform(random) < chance) ++accepted;
    for (int32_t i = 0; i <= accepted; ++i) pace.passed();
    done += accepted + 1;
    if (limit > 0) pace.judge(limit, accepted);
    guessed += limit;
    right += accepted;
  }
  return {guessed, right};
}

TEST("drafter: wrong guesses become rare, right ones long") {
  const auto never = paced(0.0, 0.125f, 1000), always = paced(1.0, 0.5f, 1000);
  CHECK(never.first > 5 && never.first < 40, never.first);
  CHECK(always.second > 900, always.second);
  const auto seldom = paced(0.4, 0.125f, 1000), not_worth_it = paced(0.4, 0.75f, 1000);
  CHECK(seldom.second > 100, seldom.second);
  CHECK(not_worth_it.first < 120, not_worth_it.first);
}

}  // namespace
}  // namespace sgmv::test
