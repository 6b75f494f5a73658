#pragma once

namespace sgmv {

// Lets the calling thread give way to all threads of normal priority. Where the system has no such thing, nothing
// happens.
void lower_thread_priority() noexcept;

}  // namespace sgmv
