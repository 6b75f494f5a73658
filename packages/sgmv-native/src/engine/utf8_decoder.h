// Bytes in any cut, whole UTF-8 code points out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sgmv {

// The WHATWG UTF-8 decoder: an ill-formed sequence becomes one U+FFFD per maximal subpart, as in JavaScript's
// TextDecoder and Python's errors="replace".
class Utf8Decoder {
 public:
  void push(std::string_view bytes, std::string& out);
  // An unfinished sequence can no longer be finished: it becomes U+FFFD.
  void finish(std::string& out);

 private:
  void begin(uint8_t byte, std::string& out);

  std::string partial_;  // bytes of the unfinished sequence
  int needed_ = 0;       // continuation bytes still to come
  uint8_t lower_ = 0x80;
  uint8_t upper_ = 0xBF;
};

}  // namespace sgmv
