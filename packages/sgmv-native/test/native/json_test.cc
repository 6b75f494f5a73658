#include "formats/json.h"

#include "check.h"

namespace sgmv::test {
namespace {

TEST("json: values keep their kind") {
  const json::Value v = json::parse(R"( {"a":[1,-2.5,1e3,true,false,null,"x\u00e9\ud83d\ude00\n"],"b":{}} )");
  const json::Array& a = v.find("a")->array();
  CHECK(a[0].is_integer() && a[0].integer() == 1);
  CHECK(!a[1].is_integer() && a[1].number() == -2.5);
  CHECK(!a[2].is_integer() && a[2].number() == 1000);
  CHECK(a[3].boolean() && !a[4].boolean() && a[5].is_null());
  CHECK_EQUAL(a[6].string(), "x\xC3\xA9\xF0\x9F\x98\x80\n");
  CHECK(v.find("b")->object().empty() && v.find("c") == nullptr);
}

TEST("json: infinity, as Python writes it, is a string") {
  const json::Value v = json::parse("[0.0, Infinity]");
  CHECK(!v.array()[1].is_number());
  CHECK_EQUAL(v.array()[1].string(), "Infinity");
}

TEST("json: objects keep the file's order") {
  const json::Value v = json::parse(R"({"z":1,"a":2,"m":3})");
  CHECK_EQUAL(v.object()[0].first, "z");
  CHECK_EQUAL(v.object()[2].first, "m");
}

TEST("json: bad texts are refused") {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{'a':1}", "01", "1.", "1e", "+1", ".5", "nul", "truex", "1 2", "\"\x01\"",
                           "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"abc", "NaN", "Infinite", "-Infinity", "1e999",
                           "\"\xFF\"", "\"\xC0\xAF\"", "{\"a\":1}x", "[1 2]", "-", "// x\n1"})
    CHECK_THROWS(json::parse(text), std::runtime_error, "at byte");
}

TEST("json: the number of values is bounded") {
  std::string text(2 * json::kValuesMax + 1, '0');
  for (size_t i = 1; i < text.size(); i += 2) text[i] = ',';
  CHECK_THROWS(json::parse("[" + text + "]"), std::runtime_error, "at most 2097152 values");
}

TEST("json: a key twice is refused") { CHECK_THROWS(json::parse(R"({"r":8,"r":16})"), std::runtime_error, "no second key"); }

TEST("json: depth is bounded") {
  CHECK_THROWS(json::parse(std::string(1'000'000, '[')), std::runtime_error, "nesting");
  CHECK_THROWS(json::parse("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"), std::runtime_error, "nesting");
  const std::string fine = std::string(50, '[') + std::string(50, ']');
  CHECK(json::parse(fine).is_array());
}

TEST("json: numbers beyond 64 bits are real, beyond double refused") {
  CHECK(!json::parse("18446744073709551616").is_integer());
  CHECK(json::parse("-9223372036854775808").is_integer());
  CHECK_THROWS(json::parse("1" + std::string(400, '0')), std::runtime_error, "range");
}

TEST("json: long strings are cut in messages, between characters") {
  const json::Value v(std::string("\xC3\xA9", 2) + std::string(200, 'x'));
  CHECK(v.describe().size() < 100, v.describe());
}

}  // namespace
}  // namespace sgmv::test
