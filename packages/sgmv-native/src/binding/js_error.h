// The one place where errors of the engine become errors of JavaScript: an Error with the engine's stable `code`.
#pragma once

#include <napi.h>

#include <new>
#include <string>

#include "sgmv/error.h"

namespace sgmv::binding {

inline Napi::Error js_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

// The exception being handled, as the engine's error type. For threads that must not touch JavaScript.
inline Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error("out_of_memory", "Not enough memory.");
  } catch (const std::exception& error) {
    return Error("internal", error.what());
  }
}

// Runs `body` on the main thread; what it throws reaches JavaScript with its code.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const Error error = current_error();
    throw js_error(env, error.code(), error.what());
  }
}

}  // namespace sgmv::binding
