#include "engine_wrap.h"

#include <algorithm>
#include <optional>

#include "addon_data.h"
#include "from_js.h"
#include "promise_worker.h"
#include "to_js.h"

namespace sgmv::binding {

// What the engine's threads tell the main thread: a step's events, or that a promise is settled.
struct EngineWrap::Message {
  std::vector<Event> events;
  uint64_t promise = 0;  // 0: none
  bool resident = true;  // what a load's promise resolves to
  std::optional<Error> failure;
};

Napi::Function EngineWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeEngine",
                     {InstanceMethod<&EngineWrap::submit>("submit"), InstanceMethod<&EngineWrap::cancel>("cancel"),
                      InstanceMethod<&EngineWrap::provide_mask>("provideMask"), InstanceMethod<&EngineWrap::fail>("fail"),
                      InstanceMethod<&EngineWrap::load_adapter>("loadAdapter"),
                      InstanceMethod<&EngineWrap::unload_adapter>("unloadAdapter"),
                      InstanceMethod<&EngineWrap::adapters>("adapters"), InstanceMethod<&EngineWrap::stats>("stats"),
                      InstanceMethod<&EngineWrap::model>("model"), InstanceMethod<&EngineWrap::close>("close")});
}

EngineWrap::EngineWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineWrap>(info) {}

EngineWrap::~EngineWrap() {
  if (channel_open_) napi_remove_env_cleanup_hook(Env(), on_env_cleanup, this);
  engine_.reset();
}

Napi::Value EngineWrap::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto options = info[0].As<Napi::Object>();
    const std::string path = options.Get("model").As<Napi::String>().Utf8Value();
    const ModelOptions model_options = model_options_from(options);
    auto engine_options = std::make_shared<EngineOptions>(engine_options_from(options));

    const Napi::Object object = env.GetInstanceData<AddonData>()->engine_class.New({});
    EngineWrap* wrap = Unwrap(object);
    wrap->open_channel(env, info[1].As<Napi::Function>());
    wrap->hold(env);
    const Channel channel = wrap->channel_;

    using Worker = PromiseWorker<std::unique_ptr<Engine>>;
    return Worker::start(
        env,
        [=] {
          auto sink = [channel](std::vector<Event>& events) {
            auto message = std::make_unique<Message>();
            message->events.swap(events);
            post(channel, std::move(message));
          };
          return std::make_unique<Engine>(Model::load(path, model_options), std::move(*engine_options), sink);
        },
        [wrap](Napi::Env env, std::unique_ptr<Engine>& engine) -> Napi::Value {
          wrap->engine_ = std::move(engine);
          const Napi::Value value = wrap->Value();
          wrap->let_go(env, 1);
          return value;
        },
        [wrap, env] {
          wrap->close_channel();
          wrap->let_go(env, 1);
        });
  });
}

void EngineWrap::open_channel(Napi::Env env, const Napi::Function& on_events) {
  channel_ = Channel::New(env, on_events, "sgmv engine events", 0, 1, this);
  channel_.Unref(env);
  channel_open_ = true;
  // After the channel, so that it runs before the channel's own hook.
  napi_add_env_cleanup_hook(env, on_env_cleanup, this);
}

void EngineWrap::close_channel() {
  if (!channel_open_) return;
  napi_remove_env_cleanup_hook(Env(), on_env_cleanup, this);
  channel_open_ = false;
  channel_.Release();
}

void EngineWrap::on_env_cleanup(void* data) {
  auto* wrap = static_cast<EngineWrap*>(data);
  wrap->channel_open_ = false;
  wrap->engine_.reset();  // joins its threads; what they still post is freed with the channel
}

Engine& EngineWrap::open_engine() {
  if (!engine_ || closing_) throw Error("closed", "The engine has been closed.");
  return *engine_;
}

void EngineWrap::post(const Channel& channel, std::unique_ptr<Message> message) {
  if (channel.NonBlockingCall(message.get()) == napi_ok) message.release();
}

void EngineWrap::call_js(Napi::Env env, Napi::Function on_events, EngineWrap* wrap, Message* message) {
  const std::unique_ptr<Message> owned(message);
  if (static_cast<napi_env>(env) == nullptr || on_events.IsEmpty()) return;  // the environment is going away
  wrap->receive(env, on_events, *owned);
}

void EngineWrap::receive(Napi::Env env, const Napi::Function& on_events, Message& message) {
  const auto ends = std::count_if(message.events.begin(), message.events.end(),
                                  [](const Event& event) { return event.kind == Event::Kind::end; });
  if (message.promise != 0) settle(env, message);
  if (!message.events.empty()) {
    const Napi::Array events = events_to_js(env, message.events);
    let_go(env, static_cast<size_t>(ends));
    on_events.Call({events});
  }
}

uint64_t EngineWrap::defer(Napi::Env env) {
  hold(env);
  promises_.emplace(++promises_made_, Napi::Promise::Deferred::New(env));
  return promises_made_;
}

void EngineWrap::settle(Napi::Env env, const Message& message) {
  const auto found = promises_.find(message.promise);
  const Napi::Promise::Deferred deferred = found->second;
  promises_.erase(found);
  if (message.promise == close_promise_) close_channel();
  let_go(env, 1);
  if (message.failure) {
    deferred.Reject(js_error(env, message.failure->code(), message.failure->what()).Value());
  } else {
    deferred.Resolve(Napi::Boolean::New(env, message.resident));
  }
}

void EngineWrap::hold(Napi::Env env, size_t count) {
  outstanding_ += count;
  if (outstanding_ > count) return;
  Ref();
  channel_.Ref(env);
}

void EngineWrap::let_go(Napi::Env env, size_t count) {
  if (count == 0) return;
  outstanding_ -= count;
  if (outstanding_ > 0) return;
  Unref();
  if (channel_open_) channel_.Unref(env);
}

Napi::Value EngineWrap::submit(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Engine& engine = open_engine();
    Request request = request_from(info[0].As<Napi::Object>());
    const auto choices = static_cast<size_t>(request.choices);
    engine.submit(std::move(request));
    hold(env, choices);
    return env.Undefined();
  });
}

Napi::Value EngineWrap::cancel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (engine_ && !closing_) engine_->cancel(info[0].As<Napi::String>().Utf8Value());
    return info.Env().Undefined();
  });
}

// (id, choice, index, mask, after, forced)
Napi::Value EngineWrap::provide_mask(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto words = info[3].As<Napi::Uint32Array>();
    const auto after = info[4].As<Napi::Int32Array>();
    if (engine_ && !closing_) {
      engine_->provide_mask(info[0].As<Napi::String>().Utf8Value(), info[1].As<Napi::Number>().Int32Value(),
                            info[2].As<Napi::Number>().Int32Value(), {words.Data(), words.Data() + words.ElementLength()},
                            {after.Data(), after.Data() + after.ElementLength()}, info[5].As<Napi::String>().Utf8Value());
    }
    return info.Env().Undefined();
  });
}

// (id, code, message)
Napi::Value EngineWrap::fail(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto text = [&](size_t i) { return info[i].As<Napi::String>().Utf8Value(); };
    if (engine_ && !closing_) engine_->fail(text(0), Error(text(1), text(2)));
    return info.Env().Undefined();
  });
}

Napi::Value EngineWrap::load_adapter(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Engine& engine = open_engine();
    const std::string name = info[0].As<Napi::String>().Utf8Value();
    const std::string folder = info[1].As<Napi::String>().Utf8Value();
    const LoadPriority priority = info[2].ToBoolean() ? LoadPriority::prefetch : LoadPriority::wanted;
    const uint64_t promise = defer(env);
    const Napi::Promise value = promises_.at(promise).Promise();
    const auto done = [channel = channel_, promise](bool resident, const Error* failure) {
      auto message = std::make_unique<Message>();
      message->promise = promise;
      message->resident = resident;
      if (failure) message->failure = *failure;
      post(channel, std::move(message));
    };
    try {
      engine.load_adapter(name, folder, done, priority);
    } catch (...) {
      Message refused;
      refused.promise = promise;
      refused.failure = current_error();
      settle(env, refused);
    }
    return value;
  });
}

Napi::Value EngineWrap::unload_adapter(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const bool dropped = open_engine().unload_adapter(info[0].As<Napi::String>().Utf8Value());
    return Napi::Boolean::New(info.Env(), dropped);
  });
}

Napi::Value EngineWrap::adapters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return adapters_to_js(info.Env(), open_engine().adapters()); });
}

Napi::Value EngineWrap::stats(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Engine& engine = open_engine();
    return stats_to_js(info.Env(), engine.stats(), engine.model().device());
  });
}

Napi::Value EngineWrap::model(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Model& model = open_engine().model();
    return model_to_js(info.Env(), model);
  });
}

// The engine is stopped and freed on a worker thread. Its last events travel through the channel, and so does the
// news that it is closed: the promise is settled after them.
Napi::Value EngineWrap::close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    open_engine();
    closing_ = true;
    close_promise_ = defer(env);
    PromiseWorker<bool>::start(
        env,
        [this] {
          engine_.reset();
          auto message = std::make_unique<Message>();
          message->promise = close_promise_;
          post(channel_, std::move(message));
          return true;
        },
        [](Napi::Env worker_env, bool&) -> Napi::Value { return worker_env.Undefined(); });
    return promises_.at(close_promise_).Promise();
  });
}

}  // namespace sgmv::binding
