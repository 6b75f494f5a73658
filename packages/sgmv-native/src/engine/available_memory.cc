#include "available_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace sgmv {
namespace {

// A file that holds one number; false for "max" and for files that are not there.
bool read_number(const char* path, size_t& value) {
  std::ifstream file(path);
  return static_cast<bool>(file >> value);
}

size_t machine_available() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  size_t kib = 0;
  while (file >> key >> kib) {
    if (key == "MemAvailable:") return kib * 1024;
    file.ignore(64, '\n');
  }
  return 0;
}

size_t cgroup_left(const char* limit_path, const char* used_path) {
  size_t limit = 0, used = 0;
  if (!read_number(limit_path, limit) || !read_number(used_path, used)) return SIZE_MAX;
  return limit > used ? limit - used : 0;
}

}  // namespace

size_t available_memory() {
  const size_t machine = machine_available();
  const size_t v2 = cgroup_left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
  const size_t v1 = cgroup_left("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                "/sys/fs/cgroup/memory/memory.usage_in_bytes");
  return std::min({machine, v1, v2});
}

}  // namespace sgmv
