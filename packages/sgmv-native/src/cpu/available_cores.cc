// How many cores this process may keep busy: the affinity mask, cut by the quota of its cgroup. A pool larger than
// the quota would be stopped in the middle of every step.
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#include "sgmv/device.h"

namespace sgmv {
namespace {

int cores_by_affinity() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

// "max 100000" or "150000 100000" in version 2; two files of one number each in version 1.
double cores_by_quota() {
  double quota = 0, period = 0;
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  if (v2 >> quota >> period && quota > 0 && period > 0) return quota / period;
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (v1_quota >> quota && v1_period >> period && quota > 0 && period > 0) return quota / period;
  return 1e9;
}

}  // namespace

int32_t available_cores() {
  const double quota = std::ceil(cores_by_quota());
  return static_cast<int32_t>(std::clamp<double>(std::min<double>(cores_by_affinity(), quota), 1, 1024));
}

}  // namespace sgmv
