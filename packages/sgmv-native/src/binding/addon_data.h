#pragma once

#include <napi.h>

namespace sgmv::binding {

// Per environment: the main thread and every worker thread that loads the module have their own.
struct AddonData {
  Napi::FunctionReference engine_class;
};

}  // namespace sgmv::binding
