// Text of a generation: token bytes → whole code points → text up to a stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stop_matcher.h"
#include "utf8_decoder.h"

namespace sgmv {

class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // The text that `bytes` release; what it is depends on the bytes pushed so far alone.
  std::string push(std::string_view bytes) {
    std::string decoded, released;
    decoder_.push(bytes, decoded);
    stops_.push(decoded, released);
    return released;
  }

  // The text still held back.
  std::string finish() {
    std::string decoded, released;
    decoder_.finish(decoded);
    stops_.push(decoded, released);
    stops_.finish(released);
    return released;
  }

  bool stopped() const { return stops_.stopped(); }
  const std::string& matched_stop() const { return stops_.matched(); }

 private:
  Utf8Decoder decoder_;
  StopMatcher stops_;
};

}  // namespace sgmv
