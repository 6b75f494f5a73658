// UTF-8 for texts out of untrusted files that end up in error messages, and from there in JavaScript strings.
#pragma once

#include <string>
#include <string_view>

namespace sgmv {

void append_utf8(std::string& out, unsigned code_point);
bool is_valid_utf8(std::string_view text);
// At most `bytes_max` bytes, cut between code points; "…" marks the cut.
std::string shorten_utf8(std::string_view text, size_t bytes_max);

}  // namespace sgmv
