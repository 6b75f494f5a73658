// Aligned buffers (weights, factors, caches, activations) for which there is no memory at a chosen moment. What
// comes from operator new fails by test/engine/allocation_faults.h.
#pragma once

#include <cstdint>

namespace sgmv::test {

// Of the aligned allocations from now on, `pass` succeed, the next one fails, then all succeed again.
void fail_buffer_after(int64_t pass);
// Whether that one was reached; none fails any more after the call.
bool buffer_failed();

}  // namespace sgmv::test
