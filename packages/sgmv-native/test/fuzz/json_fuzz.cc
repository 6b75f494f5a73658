// The JSON reader, and the texts that messages quote from what it read.
#include <stdexcept>

#include "formats/json.h"
#include "formats/utf8.h"
#include "fuzz_files.h"

using namespace sgmv;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const json::Value value = json::parse(fuzz::as_text(data, size));
    fuzz::require(is_valid_utf8(value.describe()), "a description is not UTF-8");
    if (!value.is_object()) return 0;
    for (const auto& [key, member] : value.object()) {
      fuzz::require(value.find(key) == &member, "a member is not found by its key");
      fuzz::require(is_valid_utf8(key) && is_valid_utf8(member.describe()), "a description is not UTF-8");
    }
  } catch (const std::runtime_error&) {
  }
  return 0;
}
