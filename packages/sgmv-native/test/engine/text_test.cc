// Text out of bytes in any cut: code points, stop strings.
#include <algorithm>
#include <random>

#include "check.h"
#include "engine/text_stream.h"

namespace sgmv::test {
namespace {

const std::string kBad = "\xEF\xBF\xBD";

std::string decode(const std::vector<std::string>& pieces) {
  Utf8Decoder decoder;
  std::string out;
  for (const std::string& piece : pieces) decoder.push(piece, out);
  decoder.finish(out);
  return out;
}

// The text as one request would see it, in the order it is released.
std::string stream(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
  TextStream text(stops);
  std::string out;
  for (const std::string& piece : pieces) out += text.push(piece);
  return out + text.finish();
}

std::vector<std::string> cut(const std::string& text, std::mt19937& random) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < text.size();) {
    const size_t length = std::min<size_t>(text.size() - at, random() % 4);
    pieces.push_back(text.substr(at, length));
    at += length;
  }
  return pieces;
}

TEST("utf-8: broken bytes become U+FFFD as in the WHATWG decoder") {
  CHECK_EQUAL(decode({"h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"}), std::string("h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  CHECK_EQUAL(decode({"\xFF"}), kBad);
  CHECK_EQUAL(decode({"\xE2\x82"}), kBad);                  // ends early: one maximal subpart
  CHECK_EQUAL(decode({"\xE2\x82", "x"}), kBad + "x");
  CHECK_EQUAL(decode({"\xC0\x80"}), kBad + kBad);           // overlong
  CHECK_EQUAL(decode({"\xE0\x80\x80"}), kBad + kBad + kBad);
  CHECK_EQUAL(decode({"\xED\xA0\x80"}), kBad + kBad + kBad);  // a surrogate
  CHECK_EQUAL(decode({"\xF4\x90\x80\x80"}), kBad + kBad + kBad + kBad);
  CHECK_EQUAL(decode({"\xF0\x9F\x98", "\xF0\x9F\x98\x80"}), kBad + "\xF0\x9F\x98\x80");
  CHECK_EQUAL(decode({"\x80\xBF"}), kBad + kBad);
}

TEST("utf-8: whole code points only, in any cut of any bytes") {
  std::mt19937 random(1);
  const std::vector<std::string> parts{"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xFF", "\xC3", "\xE2\x82", "\xA9"};
  for (int i = 0; i < 2000; ++i) {
    std::string bytes;
    for (uint32_t n = random() % 12; n > 0; --n) bytes += parts[random() % parts.size()];
    const std::string expected = decode({bytes});
    Utf8Decoder decoder;
    std::string out;
    for (const std::string& piece : cut(bytes, random)) {
      decoder.push(piece, out);
      CHECK_EQUAL(decode({out}), out);  // what has been released is valid as it stands
      CHECK(expected.starts_with(out));
    }
    decoder.finish(out);
    CHECK_EQUAL(out, expected);
  }
}

TEST("stop strings: text before the first is kept, in any cut") {
  CHECK_EQUAL(stream({"hello wor", "ld"}, {"world"}), std::string("hello "));
  CHECK_EQUAL(stream({"hello wor", "k"}, {"world"}), std::string("hello work"));
  CHECK_EQUAL(stream({"wo", "wor", "world"}, {"world"}), std::string("wowor"));
  CHECK_EQUAL(stream({"aab"}, {"ab", "aab"}), std::string());  // both end here: the longest
  CHECK_EQUAL(stream({"xyz"}, {"yz", "y"}), std::string("x"));  // the one that ends first
  CHECK_EQUAL(stream({"caf\xC3", "\xA9!"}, {"\xC3\xA9"}), std::string("caf"));
  std::mt19937 random(2);
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (uint32_t n = random() % 20; n > 0; --n) text += "ab "[random() % 3];
    std::vector<std::string> stops;
    for (uint32_t n = random() % 3; n > 0; --n) {
      std::string stop;
      for (uint32_t m = 1 + random() % 4; m > 0; --m) stop += "ab "[random() % 3];
      stops.push_back(stop);
    }
    // The reference: the shortest beginning of the text that ends with a stop string.
    std::string expected = text;
    for (size_t end = 1; end <= text.size() && expected.size() == text.size(); ++end) {
      size_t longest = 0;
      for (const std::string& stop : stops)
        if (std::string_view(text).substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
      if (longest > 0) expected = text.substr(0, end - longest);
      if (longest > 0) break;
    }
    CHECK_EQUAL(stream(cut(text, random), stops), expected);
  }
}

TEST("stop strings: nothing is released that could still be taken back, nothing is kept that could not") {
  TextStream text({"stop", "to"});
  CHECK_EQUAL(text.push("abs"), std::string("ab"));
  CHECK_EQUAL(text.push("t"), std::string());
  CHECK_EQUAL(text.push("a"), std::string("sta"));
  CHECK(!text.stopped());
  CHECK_EQUAL(text.push("sto"), std::string("s"));  // "to" ends before "stop" could
  CHECK(text.stopped());
  CHECK_EQUAL(text.push("more"), std::string());
  CHECK_EQUAL(text.finish(), std::string());
}

}  // namespace
}  // namespace sgmv::test
