#include "utf8_decoder.h"

namespace sgmv {
namespace {
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
}

void Utf8Decoder::begin(uint8_t byte, std::string& out) {
  lower_ = 0x80;
  upper_ = 0xBF;
  if (byte < 0x80) {
    out.push_back(static_cast<char>(byte));
    return;
  }
  if (byte >= 0xC2 && byte <= 0xDF) {
    needed_ = 1;
  } else if (byte >= 0xE0 && byte <= 0xEF) {
    needed_ = 2;
    if (byte == 0xE0) lower_ = 0xA0;  // shorter forms exist
    if (byte == 0xED) upper_ = 0x9F;  // surrogates
  } else if (byte >= 0xF0 && byte <= 0xF4) {
    needed_ = 3;
    if (byte == 0xF0) lower_ = 0x90;
    if (byte == 0xF4) upper_ = 0x8F;  // above U+10FFFF
  } else {
    out += kReplacement;
    return;
  }
  partial_.assign(1, static_cast<char>(byte));
}

void Utf8Decoder::push(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (needed_ == 0) {
      begin(byte, out);
      continue;
    }
    if (byte < lower_ || byte > upper_) {
      finish(out);
      begin(byte, out);
      continue;
    }
    lower_ = 0x80;
    upper_ = 0xBF;
    partial_.push_back(c);
    if (--needed_ == 0) {
      out += partial_;
      partial_.clear();
    }
  }
}

void Utf8Decoder::finish(std::string& out) {
  if (needed_ > 0) out += kReplacement;
  needed_ = 0;
  partial_.clear();
}

}  // namespace sgmv
