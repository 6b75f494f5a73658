// What the machine can do at most with the device's threads: arithmetic from registers, and reading memory. The floor
// of a step is computed from these (benchmarks/floor.mjs), and every micro benchmark is shown as a part of them.
#pragma once

#include <string>
#include <vector>

#include "sgmv/device.h"

namespace sgmv::bench {

struct Peak {
  std::string type;  // "f32", "bf16", "int8"
  std::string isa;
  double gigaops = 0;  // per second, of multiplications and additions
};

struct Limits {
  std::vector<Peak> peaks;   // the fastest of each type
  double read_gigabytes = 0;  // per second

  // That of f32 where the type has no instruction of its own: numbers are widened then.
  double gigaops(const std::string& type) const;
};

Limits measure_limits(Device& device);

}  // namespace sgmv::bench
