#include "formats/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <unordered_set>

#include "formats/utf8.h"

namespace sgmv::json {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Value document() {
    Value value = element(0);
    skip_space();
    if (at_ < text_.size()) fail("the end of the text");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    throw std::runtime_error("at byte " + std::to_string(at_) + ": expected " + expected +
                             (at_ >= text_.size() ? ", found the end of the text" : ""));
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  void word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) fail("a JSON value");
    at_ += expected.size();
  }

  Value element(int depth) {
    if (depth > kDepthMax) fail("at most " + std::to_string(kDepthMax) + " levels of nesting");
    if (++values_ > kValuesMax) fail("at most " + std::to_string(kValuesMax) + " values");
    skip_space();
    switch (peek()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return Value(string());
      case 't': word("true"); return Value(true);
      case 'f': word("false"); return Value(false);
      case 'n': word("null"); return Value();
      // As Python writes it, which is no JSON: a string, so that who wants a number refuses it.
      case 'I': word("Infinity"); return Value(std::string("Infinity"));
      default: return number();
    }
  }

  Value object(int depth) {
    Object members;
    std::unordered_set<std::string> keys;
    ++at_;
    skip_space();
    if (take('}')) return Value(std::move(members));
    do {
      skip_space();
      if (peek() != '"') fail("a string as key");
      std::string key = string();
      if (!keys.insert(key).second) fail("no second key \"" + key + "\"");
      skip_space();
      if (!take(':')) fail("':'");
      members.emplace_back(std::move(key), element(depth + 1));
      skip_space();
    } while (take(','));
    if (!take('}')) fail("',' or '}'");
    return Value(std::move(members));
  }

  Value array(int depth) {
    Array values;
    ++at_;
    skip_space();
    if (take(']')) return Value(std::move(values));
    do {
      values.push_back(element(depth + 1));
      skip_space();
    } while (take(','));
    if (!take(']')) fail("',' or ']'");
    return Value(std::move(values));
  }

  unsigned hex4() {
    if (text_.size() - at_ < 4) fail("four hexadecimal digits");
    unsigned code = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
    if (error != std::errc() || end != text_.data() + at_ + 4) fail("four hexadecimal digits");
    at_ += 4;
    return code;
  }

  void escape(std::string& out) {
    const char c = peek();
    ++at_;
    switch (c) {
      case '"': case '\\': case '/': out += c; return;
      case 'b': out += '\b'; return;
      case 'f': out += '\f'; return;
      case 'n': out += '\n'; return;
      case 'r': out += '\r'; return;
      case 't': out += '\t'; return;
      case 'u': break;
      default: --at_; fail("an escape character");
    }
    unsigned code = hex4();
    if (code >= 0xD800 && code < 0xDC00) {  // the first half of a surrogate pair
      if (!take('\\') || !take('u')) fail("the second half of a surrogate pair");
      const unsigned low = hex4();
      if (low < 0xDC00 || low > 0xDFFF) fail("the second half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      fail("no lone half of a surrogate pair");
    }
    append_utf8(out, code);
  }

  std::string string() {
    std::string out;
    ++at_;
    while (true) {
      if (at_ >= text_.size()) fail("'\"'");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) fail("no raw control character in a string");
      ++at_;
      if (c == '"') break;
      if (c == '\\') escape(out);
      else out += c;
    }
    if (!is_valid_utf8(out)) fail("a string in UTF-8");
    return out;
  }

  void digits() {
    if (peek() < '0' || peek() > '9') fail("a JSON value");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  Value number() {
    const size_t begin = at_;
    bool whole = true;
    take('-');
    if (!take('0')) digits();
    if (take('.')) { whole = false; digits(); }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (!take('+')) take('-');
      digits();
    }
    const char* first = text_.data() + begin;
    const char* last = text_.data() + at_;
    int64_t integer = 0;
    if (whole && std::from_chars(first, last, integer).ec == std::errc()) return Value(integer);
    double real = 0;
    if (std::from_chars(first, last, real).ec != std::errc() || !std::isfinite(real)) fail("a number in range");
    return Value(real);
  }

  std::string_view text_;
  size_t at_ = 0;
  int values_ = 0;
};

}  // namespace

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const Object& members = object();
  const auto it = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.first == key; });
  return it == members.end() ? nullptr : &it->second;
}

std::string Value::describe() const {
  if (is_null()) return "null";
  if (is_bool()) return boolean() ? "true" : "false";
  if (is_integer()) return std::to_string(integer());
  if (is_number()) {
    char buffer[32];
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, number());
    return std::string(buffer, result.ptr);
  }
  if (is_string()) return '"' + shorten_utf8(string(), 80) + '"';
  if (is_object()) return "an object with " + std::to_string(object().size()) + " keys";
  std::string text = "[";
  for (const Value& value : array()) {
    if (text.size() > 80) { text += ", …"; break; }
    if (text.size() > 1) text += ", ";
    text += value.describe();
  }
  return text + "]";
}

Value parse(std::string_view text) { return Parser(text).document(); }

}  // namespace sgmv::json
