// JavaScript objects into the engine's structures. lib/ has already checked their shape.
#pragma once

#include <napi.h>

#include "sgmv/engine.h"

namespace sgmv::binding {

EngineOptions engine_options_from(const Napi::Object& options);
ModelOptions model_options_from(const Napi::Object& options);
Request request_from(const Napi::Object& request);

}  // namespace sgmv::binding
