// Which table of kernels this machine can run.
#pragma once

#include <string>

#include "cpu/kernels.h"

namespace sgmv {

// The table for `isa` ("avx512", "avx2", "portable"; empty: the best this machine can run).
// Throws Error bad_argument when the name is unknown or the machine cannot run it.
const Kernels& select_kernels(const std::string& isa);

}  // namespace sgmv
