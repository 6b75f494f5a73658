// The SGMV operators and facts about the processor, for tests and tools.
#pragma once

#include <napi.h>

namespace sgmv::binding {

void export_ops(Napi::Env env, Napi::Object exports);

}  // namespace sgmv::binding
