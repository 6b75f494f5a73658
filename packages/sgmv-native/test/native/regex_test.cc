#include "formats/python_regex.h"

#include "check.h"

namespace sgmv::test {
namespace {

bool matches(const std::string& pattern, const std::string& text) {
  RegexBudget budget;
  return PythonRegex(pattern, budget).fullmatch(text);
}

TEST("regex: what Python's fullmatch says") {
  struct Case { const char* pattern; const char* text; bool expected; };
  for (const Case& c : std::initializer_list<Case>{
           {"", "", true}, {"", "a", false}, {"abc", "abc", true}, {"abc", "abcd", false}, {"a|bc", "bc", true}, {"a|", "", true},
           {"a|b|cd", "cd", true}, {"(a|b)*c", "ababc", true}, {"(?:ab)+", "ababab", true}, {"(?:ab)+", "aba", false},
           {"a?b?", "", true}, {"a{2,3}", "aa", true}, {"a{2,3}", "aaaa", false}, {"a{2}", "aa", true}, {"a{2,}", "aaaaa", true},
           {"a{,2}", "aaa", false}, {"a{,2}", "a", true}, {"a{x}", "a{x}", true}, {"(ab|c){2}d", "cabd", true}, {"((a|b)|c)*", "abc", true},
           {"[a-c]+", "abcabc", true}, {"[^a-c]+", "xyz", true}, {"[^a-c]+", "xaz", false}, {"[]a]+", "]a", true}, {"[a-]+", "a-", true},
           {"[\\d_]+", "12_3", true}, {"\\d+", "12a", false}, {"\\w+\\.\\w+", "ab.cd", true}, {".*\\.(q|v)_proj", "model.layers.0.self_attn.q_proj", true},
           {".*(q|v)_proj$", "x.v_proj", true}, {"^model\\..*", "model.x", true}, {"^x", "model.x", false},
           {"model\\.layers\\.(1|2)\\.self_attn\\.(q|k)_proj", "model.layers.2.self_attn.k_proj", true},
           {"model\\.layers\\.[0-4]\\..*", "model.layers.5.mlp", false}, {"(?=.*self_attn).*q_proj", "a.self_attn.q_proj", true},
           {"(?!.*vision).*q_proj", "model.vision.q_proj", false}, {"(?!.*vision).*q_proj", "model.text.q_proj", true},
           {"(?:.*?(?:language|text).*?(?:self_attn|mlp).*?(?:q_proj|v_proj).*?)|(?:\\bmodel\\.layers\\.[\\d]{1,}\\.(?:self_attn|mlp)\\.(?:(?:q_proj|v_proj)))",
            "model.layers.12.self_attn.v_proj", true},
           {"(a*)*", "aaaa", true}, {"(a*)*b", "aaaa", false}, {"(?P<n>a)b", "ab", true}, {"a.c", "a\nc", false}, {"\\ba\\b", "a", true},
           {"a\\Bb", "ab", true}, {"(|a)+b", "aab", true}, {"(a|b){1,2}(c|d)?", "bad", true}})
    CHECK(matches(c.pattern, c.text) == c.expected, c.pattern, " on ", c.text);
}

TEST("regex: what is not read is refused") {
  for (const char* pattern : {"(", ")", "a)", "(a", "[a", "*", "a**", "a{3,2}", "a{2000}", "\\1", "(?P=x)", "(?i)a", "(?<=a)b", "(?>a)", "a++", "\\", "[z-a]", "\\q"})
    CHECK_THROWS(matches(pattern, "a"), RegexError, "");
  CHECK_THROWS(matches(std::string(5000, 'a'), "a"), RegexError, "at most 4096");
  CHECK_THROWS(matches(std::string(200, '(') + "a" + std::string(200, ')'), "a"), RegexError, "deep");
  CHECK_THROWS(matches("((a{100}){100}){100}", "a"), RegexError, "too large");
  RegexBudget budget;
  const auto compile_many = [&] { for (int i = 0; i < 1000; ++i) PythonRegex("((a{100}){100})", budget); };
  CHECK_THROWS(compile_many(), RegexError, "too large");
}

TEST("regex: patterns that explode in a backtracking matcher end quickly") {
  const std::string text(60, 'a');
  CHECK(!matches("(a+)+b", text));
  CHECK(!matches("(a|a)*b", text));
  CHECK(!matches("(.*.*.*.*.*.*.*.*.*.*)*x", text));
  CHECK(!matches("(a?){30}a{30}b", text));
  RegexBudget small{100};
  const PythonRegex regex("(.*.*.*)*x", small);
  CHECK_THROWS(regex.fullmatch(text), RegexError, "too long");
}

}  // namespace
}  // namespace sgmv::test
