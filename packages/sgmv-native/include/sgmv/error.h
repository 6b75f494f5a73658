// The one exception type of the engine. `code` is stable and crosses the binding unchanged.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace sgmv {

// Codes: bad_argument, model_not_found, model_unsupported, model_corrupt, adapter_refused, adapter_not_found,
// adapter_unknown, context_too_long, out_of_memory, numeric_error, constraint_invalid, constraint_dead_end,
// cancelled, closed, io_error, device_unavailable, device_failed, internal.
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  // A copy has a message of its own: runtime_error's would share it, counted, and copies cross threads. May throw bad_alloc.
  Error(const Error& other) : std::runtime_error(std::string(other.what())), code_(other.code_) {}
  const std::string& code() const noexcept { return code_; }

 private:
  std::string code_;
};

}  // namespace sgmv
