#pragma once

#include <cstddef>

namespace sgmv {

// Bytes this process can still take: the machine's available memory or what its cgroup leaves, whichever is less.
// 0 when neither can be read.
size_t available_memory();

}  // namespace sgmv
