#include "formats/python_regex.h"

#include <algorithm>
#include <cstring>

namespace sgmv {
namespace {

constexpr size_t kPatternBytesMax = 4096;
constexpr size_t kProgramMax = 16384;
constexpr int kDepthMax = 50;
constexpr int kLooksMax = 2;  // nested
constexpr int kRepeatsMax = 1000;

bool is_word(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

}  // namespace

// A recursive-descent compiler to a small program. Counted repeats are written out.
class RegexCompiler {
 public:
  // The user's own part of the pattern is at [begin, end).
  RegexCompiler(std::string_view pattern, size_t begin, size_t end, PythonRegex& out) : pattern_(pattern), begin_(begin), end_(end), out_(out) {}

  void compile() {
    if (pattern_.size() > kPatternBytesMax) throw RegexError("a pattern of " + std::to_string(pattern_.size()) + " bytes; at most 4096 are read");
    alternatives(0);
    if (at_ < pattern_.size()) fail("an unmatched ')'");
    emit({Op::accept});
  }

 private:
  using Op = PythonRegex::Op;
  using Instruction = PythonRegex::Instruction;
  using Set = std::bitset<256>;

  [[noreturn]] void fail(const std::string& what) const { throw RegexError(what + " at offset " + std::to_string(std::clamp(at_, begin_, end_) - begin_)); }
  bool more() const { return at_ < pattern_.size(); }
  char peek() const { return more() ? pattern_[at_] : '\0'; }
  bool take(std::string_view text) {
    if (pattern_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  int32_t here() const { return static_cast<int32_t>(out_.program_.size()); }
  void emit(Instruction instruction) {
    if (out_.program_.size() >= kProgramMax || --out_.budget_.instructions < 0) fail("a pattern that is too large");
    out_.program_.push_back(instruction);
  }
  void emit_set(const Set& set) {
    emit({Op::set, static_cast<int32_t>(out_.sets_.size())});
    out_.sets_.push_back(set);
  }

  void alternatives(int depth) {
    if (depth > kDepthMax) fail("groups nested too deeply");
    std::vector<int32_t> jumps;
    int32_t begin = here();
    sequence(depth);
    while (take("|")) {
      insert(begin, {Op::split, begin + 1, 0});
      jumps.push_back(here());
      emit({Op::jump});
      out_.program_[static_cast<size_t>(begin)].b = here();
      begin = here();
      sequence(depth);
    }
    for (const int32_t jump : jumps) out_.program_[static_cast<size_t>(jump)].a = here();
  }

  // Puts an instruction before position `at`; targets behind it move along.
  void insert(int32_t at, Instruction instruction) {
    emit(instruction);
    auto& program = out_.program_;
    for (size_t i = program.size() - 1; i > static_cast<size_t>(at); --i) program[i] = moved(program[i - 1], at, 1);
    program[static_cast<size_t>(at)] = instruction;
  }

  static Instruction moved(Instruction i, int32_t from, int32_t by) {
    if ((i.op == Op::split || i.op == Op::jump || i.op == Op::look) && i.a >= from) i.a += by;
    if (i.op == Op::split && i.b >= from) i.b += by;
    return i;
  }

  void sequence(int depth) {
    while (more() && peek() != '|' && peek() != ')') {
      const int32_t begin = here();
      atom(depth);
      repeat(begin);
    }
  }

  void repeat(int32_t begin) {
    int low = 1, high = 1;  // high -1: no limit
    if (take("*")) { low = 0; high = -1; }
    else if (take("+")) { low = 1; high = -1; }
    else if (take("?")) { low = 0; high = 1; }
    else if (!counted(low, high)) return;
    take("?");  // lazy: which match comes first does not matter, only whether there is one
    if (peek() == '+') fail("a possessive repeat");
    if (peek() == '*' || peek() == '?') fail("a repeat of a repeat");
    const std::vector<Instruction> body(out_.program_.begin() + begin, out_.program_.end());
    out_.program_.resize(static_cast<size_t>(begin));
    for (int i = 0; i < low; ++i) copy(body, begin);
    if (high < 0) {
      const int32_t loop = here();
      emit({Op::split, loop + 1, 0});
      copy(body, begin);
      emit({Op::jump, loop});
      out_.program_[static_cast<size_t>(loop)].b = here();
      return;
    }
    std::vector<int32_t> exits;
    for (int i = low; i < high; ++i) {
      exits.push_back(here());
      emit({Op::split, here() + 1, 0});
      copy(body, begin);
    }
    for (const int32_t exit : exits) out_.program_[static_cast<size_t>(exit)].b = here();
  }

  void copy(const std::vector<Instruction>& body, int32_t from) {
    const int32_t by = here() - from;
    for (const Instruction& instruction : body) emit(moved(instruction, from, by));
  }

  // {m}, {m,}, {,n}, {m,n}; anything else after '{' is a literal brace, as in Python.
  bool counted(int& low, int& high) {
    const size_t start = at_;
    if (!take("{")) return false;
    const int first = number();
    int last = first;
    if (take(",")) last = number();
    else if (first < 0) { at_ = start; return false; }
    if (!take("}") || (first < 0 && last < 0)) { at_ = start; return false; }
    low = first < 0 ? 0 : first;
    high = last;
    if (low > kRepeatsMax || high > kRepeatsMax) fail("a repeat above 1000");
    if (high >= 0 && high < low) fail("a repeat whose maximum is below its minimum");
    return true;
  }

  int number() {
    int value = -1;
    while (peek() >= '0' && peek() <= '9' && value <= kRepeatsMax) {
      value = (value < 0 ? 0 : value * 10) + (peek() - '0');
      ++at_;
    }
    return value;
  }

  void atom(int depth) {
    if (take("(")) return group(depth);
    if (take("[")) return emit_set(bracket());
    if (take(".")) return emit_set(~Set().set('\n'));
    if (take("^")) return emit({Op::begin});
    if (take("$")) return emit({Op::end});
    if (take("\\")) return escape();
    if (std::strchr("*+?", peek()) != nullptr) fail("a repeat of nothing");
    emit_set(Set().set(static_cast<unsigned char>(pattern_[at_++])));
  }

  void group(int depth) {
    int look = -1;  // 0: positive, 1: negative
    if (take("?:")) {}
    else if (take("?=")) look = 0;
    else if (take("?!")) look = 1;
    else if (take("?P<")) {
      while (more() && peek() != '>') ++at_;
      if (!take(">")) fail("a group name without '>'");
    } else if (peek() == '?') fail("the group \"(" + std::string(pattern_.substr(at_, 3)) + "\"");
    const int32_t begin = here();
    if (look >= 0) {
      if (++looks_ > kLooksMax) fail("lookaheads nested too deeply");
      emit({Op::look, 0, look});
    }
    alternatives(depth + 1);
    if (!take(")")) fail("a group without ')'");
    if (look < 0) return;
    --looks_;
    emit({Op::accept});
    out_.program_[static_cast<size_t>(begin)].a = here();
  }

  static Set class_set(char c) {
    Set set;
    for (int i = 0; i < 256; ++i) {
      const auto u = static_cast<unsigned char>(i);
      const bool digit = u >= '0' && u <= '9';
      const bool space = u == ' ' || (u >= '\t' && u <= '\r');
      const bool in = (c | 0x20) == 'd' ? digit : (c | 0x20) == 'w' ? is_word(u) : space;
      set.set(static_cast<size_t>(i), in);
    }
    return c >= 'a' ? set : ~set;
  }

  // One escaped character, or none when the escape stands for a class (then `set` has it).
  bool escaped(Set& set, unsigned char& c) {
    if (!more()) fail("a lone backslash");
    const char e = pattern_[at_++];
    if (std::strchr("dDwWsS", e) != nullptr) { set |= class_set(e); return false; }
    constexpr std::string_view names = "tnrfv", values = "\t\n\r\f\v";
    if (const size_t i = names.find(e); i != std::string_view::npos) { c = static_cast<unsigned char>(values[i]); return true; }
    if (is_word(static_cast<unsigned char>(e))) { --at_; fail(std::string("the escape \"\\") + e + "\""); }
    c = static_cast<unsigned char>(e);
    return true;
  }

  void escape() {
    if (take("b")) return emit({Op::word_border});
    if (take("B")) return emit({Op::no_word_border});
    if (take("A")) return emit({Op::begin});
    if (take("Z")) return emit({Op::end});
    Set set;
    unsigned char c = 0;
    if (escaped(set, c)) set.set(c);
    emit_set(set);
  }

  Set bracket() {
    Set set;
    const bool negative = take("^");
    bool first = true;
    while (first || peek() != ']') {
      if (!more()) fail("a class without ']'");
      first = false;
      unsigned char low = static_cast<unsigned char>(pattern_[at_++]);
      if (low == '\\' && !escaped(set, low)) continue;
      unsigned char high = low;
      if (peek() == '-' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']') {
        ++at_;
        high = static_cast<unsigned char>(pattern_[at_++]);
        if (high == '\\' && !escaped(set, high)) fail("a range that ends in a class");
        if (high < low) fail("a range that runs backwards");
      }
      for (int c = low; c <= high; ++c) set.set(static_cast<size_t>(c));
    }
    ++at_;
    return negative ? ~set : set;
  }

  std::string_view pattern_;
  size_t begin_, end_;
  PythonRegex& out_;
  size_t at_ = 0;
  int looks_ = 0;
};

PythonRegex::PythonRegex(std::string_view pattern, RegexBudget& budget, std::string_view before, std::string_view after) : budget_(budget) {
  const std::string whole = std::string(before).append(pattern).append(after);
  RegexCompiler(whole, before.size(), before.size() + pattern.size(), *this).compile();
}

// Depth first with a note of every (instruction, position) tried: without back-references a state that failed once
// fails again, so each is tried once.
bool PythonRegex::run(std::string_view text, int32_t start, size_t at, bool to_end) const {
  const size_t width = text.size() + 1;
  std::vector<bool> tried(program_.size() * width);
  std::vector<std::pair<int32_t, size_t>> stack{{start, at}};
  const auto word_at = [&](size_t i) { return i < text.size() && is_word(static_cast<unsigned char>(text[i])); };
  budget_.steps -= static_cast<int64_t>(tried.size() / 64);
  while (!stack.empty()) {
    if (--budget_.steps < 0) throw RegexError("a pattern that takes too long");
    auto [pc, position] = stack.back();
    stack.pop_back();
    const size_t state = static_cast<size_t>(pc) * width + position;
    if (tried[state]) continue;
    tried[state] = true;
    const Instruction& i = program_[static_cast<size_t>(pc)];
    const bool border = (position > 0 && word_at(position - 1)) != word_at(position);
    bool advance = false;
    switch (i.op) {
      case Op::accept:
        if (!to_end || position == text.size()) return true;
        break;
      case Op::split:
        stack.emplace_back(i.b, position);
        stack.emplace_back(i.a, position);
        break;
      case Op::jump: stack.emplace_back(i.a, position); break;
      case Op::set:
        if (position < text.size() && sets_[static_cast<size_t>(i.a)][static_cast<unsigned char>(text[position])])
          stack.emplace_back(pc + 1, position + 1);
        break;
      case Op::begin: advance = position == 0; break;
      case Op::end: advance = position == text.size(); break;
      case Op::word_border: advance = border; break;
      case Op::no_word_border: advance = !border; break;
      case Op::look:
        if (run(text, pc + 1, position, false) != (i.b == 1)) stack.emplace_back(i.a, position);
        break;
    }
    if (advance) stack.emplace_back(pc + 1, position);
  }
  return false;
}

bool PythonRegex::fullmatch(std::string_view text) const { return run(text, 0, 0, true); }

}  // namespace sgmv
