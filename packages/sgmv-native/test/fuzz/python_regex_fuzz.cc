// The regular expressions of adapter_config.json: a pattern, a line break, the text to match.
#include <string>

#include "formats/python_regex.h"
#include "fuzz_files.h"

using namespace sgmv;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::as_text(data, size);
  const size_t cut = std::min(input.find('\n'), input.size());
  const std::string pattern(input.substr(0, cut));
  const std::string_view text = input.substr(std::min(cut + 1, input.size()));
  RegexBudget budget{1'000'000};
  try {
    const bool matches = PythonRegex(pattern, budget).fullmatch(text);
    // A group around the whole changes nothing.
    fuzz::require(PythonRegex("(?:" + pattern + ")", budget).fullmatch(text) == matches, "a group changed the match");
  } catch (const RegexError&) {
  }
  return 0;
}
