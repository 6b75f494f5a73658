// An engine as a JavaScript object.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "sgmv/engine.h"

namespace sgmv::binding {

// Threading: every member runs on the main thread. The engine's threads only post messages, through one
// thread-safe function whose queue is unbounded (a request's length bounds what it can post), so they never wait
// for JavaScript. Life: the thread-safe function is referenced, and this object kept from the garbage collector,
// while a request, a load or a close is under way; an idle engine does not keep the process alive. When the
// environment goes away first, a cleanup hook stops the engine's threads before the function's own hook runs
// (hooks run newest first).
class EngineWrap : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  // (options, onEvents) → Promise<NativeEngine>
  static Napi::Value create(const Napi::CallbackInfo& info);

  explicit EngineWrap(const Napi::CallbackInfo& info);
  ~EngineWrap() override;

 private:
  struct Message;
  static void call_js(Napi::Env env, Napi::Function on_events, EngineWrap* wrap, Message* message);
  using Channel = Napi::TypedThreadSafeFunction<EngineWrap, Message, call_js>;

  Napi::Value submit(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value provide_mask(const Napi::CallbackInfo& info);
  Napi::Value fail(const Napi::CallbackInfo& info);
  Napi::Value load_adapter(const Napi::CallbackInfo& info);
  Napi::Value unload_adapter(const Napi::CallbackInfo& info);
  Napi::Value adapters(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value model(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  static void on_env_cleanup(void* wrap);
  void open_channel(Napi::Env env, const Napi::Function& on_events);
  void close_channel();
  void adopt(std::unique_ptr<Engine> engine);
  Engine& open_engine();  // throws Error("closed")
  static void post(const Channel& channel, std::unique_ptr<Message> message);
  void receive(Napi::Env env, const Napi::Function& on_events, Message& message);
  uint64_t defer(Napi::Env env);
  void settle(Napi::Env env, const Message& message);
  void hold(Napi::Env env, size_t count = 1);
  void let_go(Napi::Env env, size_t count);

  std::unique_ptr<Engine> engine_;  // null before it is loaded and after close
  Channel channel_;
  bool channel_open_ = false;
  bool closing_ = false;    // engine_ belongs to the worker that closes it
  size_t outstanding_ = 0;  // choices of requests, loads and a close that have not ended
  uint64_t promises_made_ = 0;
  uint64_t close_promise_ = 0;  // 0: not closing
  std::unordered_map<uint64_t, Napi::Promise::Deferred> promises_;
};

}  // namespace sgmv::binding
