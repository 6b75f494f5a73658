// The module's exports. lib/native.ts gives them their TypeScript types.
#include <napi.h>

#include "addon_data.h"
#include "engine_wrap.h"
#include "ops_binding.h"
#include "promise_worker.h"
#include "sgmv/device.h"
#include "to_js.h"

namespace sgmv::binding {
namespace {

// (folder, modelConfig) → Promise<AdapterReport>
Napi::Value inspect(const Napi::CallbackInfo& info) {
  const std::string folder = info[0].As<Napi::String>().Utf8Value();
  const std::string model_config = info[1].As<Napi::String>().Utf8Value();
  return PromiseWorker<AdapterReport>::start(
      info.Env(), [=] { return inspect_adapter(folder, read_model_config(model_config)); },
      [](Napi::Env env, AdapterReport& report) -> Napi::Value { return report_to_js(env, report); });
}

// (modelConfig) → Promise<ModelShape>; the weights are not read.
Napi::Value model_info(const Napi::CallbackInfo& info) {
  const std::string source = info[0].As<Napi::String>().Utf8Value();
  return PromiseWorker<ModelConfig>::start(
      info.Env(), [=] { return read_model_config(source); },
      [](Napi::Env env, ModelConfig& config) -> Napi::Value { return config_to_js(env, config); });
}

struct Devices {
  std::vector<DeviceInfo> all;
  std::string why_no_cuda;
};

// () → Promise<{devices, whyNoCuda}>: where models can be loaded to, the CPU first. Asking wakes CUDA's driver, which takes
// its time.
Napi::Value devices(const Napi::CallbackInfo& info) {
  return PromiseWorker<Devices>::start(
      info.Env(),
      [] {
        Devices devices;
        devices.all = available_devices(&devices.why_no_cuda);
        return devices;
      },
      [](Napi::Env env, Devices& devices) -> Napi::Value { return devices_to_js(env, devices.all, devices.why_no_cuda); });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData();
  data->engine_class = Napi::Persistent(EngineWrap::define(env));
  env.SetInstanceData(data);
  exports.Set("createEngine", Napi::Function::New(env, EngineWrap::create, "createEngine"));
  exports.Set("inspectAdapter", Napi::Function::New(env, inspect, "inspectAdapter"));
  exports.Set("modelInfo", Napi::Function::New(env, model_info, "modelInfo"));
  exports.Set("devices", Napi::Function::New(env, devices, "devices"));
  export_ops(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(sgmv, init)

}  // namespace sgmv::binding
