#include "thread_priority.h"

#ifdef __linux__
#include <sys/resource.h>
#endif

namespace sgmv {

void lower_thread_priority() noexcept {
#ifdef __linux__
  setpriority(PRIO_PROCESS, 0, 10);  // on Linux 0 is the calling thread, not its process
#endif
}

}  // namespace sgmv
