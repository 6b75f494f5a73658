// The engine's structures as JavaScript objects, in the shapes of lib/types.ts.
#pragma once

#include <napi.h>

#include "sgmv/adapter.h"
#include "sgmv/device.h"
#include "sgmv/engine.h"
#include "sgmv/model.h"

namespace sgmv::binding {

Napi::Array events_to_js(Napi::Env env, const std::vector<Event>& events);
Napi::Object stats_to_js(Napi::Env env, const EngineStats& stats, const std::string& device);
Napi::Array adapters_to_js(Napi::Env env, const std::vector<AdapterInfo>& adapters);
Napi::Object config_to_js(Napi::Env env, const ModelConfig& config);
Napi::Object model_to_js(Napi::Env env, const Model& model);
Napi::Object devices_to_js(Napi::Env env, const std::vector<DeviceInfo>& devices, const std::string& why_no_cuda);
Napi::Object report_to_js(Napi::Env env, const AdapterReport& report);

}  // namespace sgmv::binding
