// Work on a libuv thread whose outcome settles a promise.
#pragma once

#include <napi.h>

#include <functional>
#include <optional>
#include <utility>

#include "js_error.h"

namespace sgmv::binding {

template <typename Result>
class PromiseWorker : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result()>;                               // off the main thread
  using Convert = std::function<Napi::Value(Napi::Env, Result&)>;     // on it
  using Failed = std::function<void()>;                               // on it, before the promise is rejected

  static Napi::Promise start(Napi::Env env, Work work, Convert convert, Failed failed = nullptr) {
    auto* worker = new PromiseWorker(env, std::move(work), std::move(convert), std::move(failed));
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

  void Execute() override {
    try {
      result_ = work_();
    } catch (...) {
      error_ = current_error();
    }
  }

  // Also called while the environment shuts down, when JavaScript can no longer run: then nobody waits for the
  // promise, and failing to settle it is no failure.
  void OnOK() override {
    const Napi::HandleScope scope(Env());
    try {
      if (result_) {
        deferred_.Resolve(convert_(Env(), *result_));
        return;
      }
      if (failed_) failed_();
      deferred_.Reject(js_error(Env(), error_->code(), error_->what()).Value());
    } catch (const Napi::Error&) {
    }
  }

 private:
  PromiseWorker(Napi::Env env, Work work, Convert convert, Failed failed)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        convert_(std::move(convert)),
        failed_(std::move(failed)) {}

  Napi::Promise::Deferred deferred_;
  Work work_;
  Convert convert_;
  Failed failed_;
  std::optional<Result> result_;
  std::optional<Error> error_;
};

}  // namespace sgmv::binding
